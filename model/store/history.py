"""Which version answers, since when and why: promotions are only ever added, and the newest one counts."""

import hashlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, not_, select, update

from data.errors import DataError
from data.load import SHIPPED, load_rows
from data.schema import IS_SHIPPED
from model.fitting import artifact, location
from model.fitting.errors import DamagedError, ModelError, explaining_trouble
from model.fitting.train import Model
from model.store.database import Store, StoreError
from model.store.stored_refits import add_refits
from model.store.tables import DATA_SET, EVALUATION, JOB, MODEL_VERSION, PROMOTION, REFITS, THE_APP
from model.store.versions import (
    DataSet,
    Version,
    add_data_set,
    add_version,
    list_data_sets,
    list_versions,
    read_version,
)

_FIRST = "Shipped with the app." if IS_SHIPPED else "The first model of the table."
OVERTAKEN = "Version {} became active meanwhile. Look at the evidence against it, then decide."


@dataclass(frozen=True)
class Promotion:
    """One line of the record: which version became the active one, when, by whom and why."""

    id: int
    version_id: int
    at: datetime
    by: str
    reason: str


def open_store(url: str | None = None, *, create: bool = True) -> Store:
    """Open the store, and add the shipped model if it is not there yet.

    The first model of a new store is promoted; one that an upgraded app adds to an old store is not. Parameters and
    errors are those of `model.store.database.Store`.
    """
    store = Store(url, create=create)
    files = (location.FOLDER / artifact.RECORD, SHIPPED)
    checksum = hashlib.sha256(b"\0".join(path.read_bytes() if path.exists() else b"" for path in files)).hexdigest()
    count_shipped = select(func.count()).where(MODEL_VERSION.c.shipped == checksum)
    with store.reading() as connection:
        if connection.execute(count_shipped).scalar():
            return store
    try:
        model, content = artifact.load(load_rows()), None
        if not model.notice:  # else it was fitted anew and is in no file
            with explaining_trouble("The shipped model"):
                content = (location.FOLDER / artifact.PICKLED).read_bytes()
    except (DataError, ModelError):
        return store  # nothing that is shipped can be stored; whoever asks for a model is told
    with store.writing() as connection:
        if not connection.execute(count_shipped).scalar():  # another process may have come first
            data_set = add_data_set(connection, model.rows, "shipped")
            columns = {"shipped": checksum, "notice": model.notice}
            number = add_version(connection, model, data_set, by=THE_APP, content=content, **columns)
            if model.refits:
                add_refits(connection, model.metadata.data.sha256, model.refits)
            if not connection.execute(select(func.count()).select_from(PROMOTION)).scalar():
                values = {"version_id": number, "by": THE_APP, "reason": _FIRST}
                connection.execute(insert(PROMOTION).values(values))
    return store


def promote(store: Store, number: int, by: str, reason: str, *, instead_of: int | None = None) -> None:
    """Make a version the active one, now and for everybody; going back is promoting an older one.

    Parameters
    ----------
    by, reason
        Who and why, for the record; neither may be empty.
    instead_of
        The version that was active when this was decided; if another one is by now, nothing is promoted.

    Raises
    ------
    StoreError
        If there is no such version, it cannot be used, another was promoted meanwhile, or a text is empty or too long.
    """
    by, reason = " ".join(by.split()), " ".join(reason.split())
    for field_name, text, limit in (("name", by, 100), ("reason", reason, 1000)):
        if not text:
            raise StoreError(f"Version {number} was not promoted: the record needs a {field_name}.")
        if len(text) > limit:
            raise StoreError(f"The {field_name} has {len(text):,} characters; {limit:,} are kept. Shorten it.")
    with store.writing() as connection:
        version = connection.execute(select(MODEL_VERSION.c.broken).where(MODEL_VERSION.c.id == number)).one_or_none()
        if not version:
            raise StoreError(f"There is no version {number} in the store {store.location}.")
        if version.broken:
            raise StoreError(f"Version {number} cannot be used: {version.broken}")
        usable = select(PROMOTION.c.version_id).join(MODEL_VERSION).where(MODEL_VERSION.c.broken.is_(None))
        current = connection.execute(usable.order_by(PROMOTION.c.id.desc()).limit(1)).scalar()
        if instead_of not in (None, current):
            raise StoreError(OVERTAKEN.format(current))
        connection.execute(insert(PROMOTION).values(version_id=number, by=by, reason=reason))


def list_promotions(store: Store) -> list[Promotion]:
    """List the promotions, the oldest first."""
    columns = [PROMOTION.c[name] for name in Promotion.__dataclass_fields__]
    with store.reading() as connection:
        return [Promotion(*row) for row in connection.execute(select(*columns).order_by(PROMOTION.c.id))]


def find_active(store: Store, without: Collection[int] = ()) -> tuple[int, int]:
    """Return the numbers of the version that answers and of the one promoted last; 0 if there is none.

    They differ if the latter is broken, or is in ``without``: versions that are not to answer.
    """
    query = select(PROMOTION.c.version_id, MODEL_VERSION.c.broken).join(MODEL_VERSION).order_by(PROMOTION.c.id.desc())
    with store.reading() as connection:
        newest = connection.execute(query.limit(1)).one_or_none()
        if not newest or not (newest.broken or newest.version_id in without):
            return (newest.version_id, newest.version_id) if newest else (0, 0)
        usable = query.where(MODEL_VERSION.c.broken.is_(None), MODEL_VERSION.c.id.not_in(without)).limit(1)
        answering = connection.execute(usable).one_or_none()
        return answering.version_id if answering else 0, newest.version_id


class Answering(NamedTuple):
    """The model that answers, a notice of what is wrong (empty if nothing is), and whether that may soon be over."""

    model: Model
    notice: str
    is_temporary: bool


def load_active_model(
    store: Store,
    load: Callable[[int], Model],
    shipped: Callable[[], Model] = lambda: artifact.load(load_rows()),
    former: Model | None = None,
) -> Answering:
    """Load the active version or, if it cannot be used, the one promoted before it.

    A version whose bytes are damaged is marked as broken, for everybody and for good. Any other trouble in loading it,
    such as too many open files or a missing library, is this process's own and may pass: nothing is written.

    Parameters
    ----------
    store
    load
        Returns the model of a version, given its number; may keep what it has loaded.
    shipped
        Loads the shipped model, if no version can be used.
    former
        The model that answered until now; it goes on if the one to answer cannot be loaded at the moment.

    Returns
    -------
    Answering
        With the shipped model if no version can be used.
    """
    trouble, failed_numbers = "", list[int]()
    while True:
        number, newest = find_active(store, failed_numbers)
        try:
            model = load(number) if number else shipped()
            break
        except DamagedError as error:
            statement = update(MODEL_VERSION).where(MODEL_VERSION.c.id == number).values(broken=str(error)[:500])
            with store.writing() as connection:
                connection.execute(statement)
        except (ModelError, OSError, ImportError, MemoryError) as error:
            if not number:
                raise
            reason = str(error.__cause__ or error).split("\n")[0].rstrip(".") or "not enough memory"
            trouble = trouble or f"Version {number} cannot be loaded at the moment ({reason}). It is tried again; until"
            if former:
                model = former
                break
            failed_numbers.append(number)
    if number == newest and not trouble:
        return Answering(model, "", is_temporary=False)
    name, notice = f"version {model.version}" if model.version else "the shipped model", ""
    if broken := read_version(store, newest).broken:
        notice = f"Version {newest} cannot be used: {broken}"
        if not trouble:
            notice += f" So {name}{', promoted before it,' if model.version else ''} answers."
    if trouble:
        notice = f"{notice} {trouble} then {name} answers.".lstrip()
    return Answering(model, notice, is_temporary=bool(trouble))


def remove_version(store: Store, number: int) -> None:
    """Delete a version that was never promoted and does not come with the app.

    Raises
    ------
    StoreError
        If it must stay.
    """
    read_version(store, number)
    with store.writing() as connection:
        _remove_versions(connection, {number})


def _remove_versions(connection: Connection, numbers: set[int]) -> None:
    promoted = set(connection.execute(select(PROMOTION.c.version_id)).scalars())
    shipped = set(connection.execute(select(MODEL_VERSION.c.id).where(MODEL_VERSION.c.shipped.is_not(None))).scalars())
    if staying := sorted((promoted | shipped) & numbers):
        raise StoreError(f"Version {staying[0]} stays: it was promoted, or comes with the app.")
    rivals = MODEL_VERSION.c.rival_id.in_(numbers)
    connection.execute(update(MODEL_VERSION).where(rivals).values(rival_id=None))
    connection.execute(delete(MODEL_VERSION).where(MODEL_VERSION.c.id.in_(numbers)))
    for table in (EVALUATION, REFITS):
        connection.execute(delete(table).where(is_unused(table)))


def is_unused(table: Table, going: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    """Condition on evaluations or refits: on their rows no version was evaluated, or only versions ``going``."""
    staying = [] if going is None else [not_(going)]
    used = EVALUATION.alias()
    is_used = used.c.sha256.in_(select(MODEL_VERSION.c.evaluation_sha256).where(*staying))
    return table.c.rows_sha256.not_in(select(used.c.rows_sha256).where(is_used))  # keeps also what it was compared with


def remove_data_set(store: Store, data_set_id: int) -> None:
    """Delete a data set and the versions trained on it, unless one of them must stay.

    Raises
    ------
    StoreError
        If one was promoted or comes with the app, or a job is about to use the data.
    """
    with store.writing() as connection:
        open_jobs = select(JOB.c.request).where(JOB.c.state.in_(("waiting", "running")))
        if any(request["data_set_id"] == data_set_id for request in connection.execute(open_jobs).scalars()):
            raise StoreError("These data are about to be used by a job. Cancel it first, or wait for it.")
        version_numbers = select(MODEL_VERSION.c.id).where(MODEL_VERSION.c.data_set_id == data_set_id)
        _remove_versions(connection, set(connection.execute(version_numbers).scalars()))
        connection.execute(delete(DATA_SET).where(DATA_SET.c.id == data_set_id))


def list_removable_data_sets(store: Store) -> list[tuple[DataSet, list[int]]]:
    """List the data sets that may be deleted, each with the numbers of the versions that would go with it."""
    versions_of, promoted = dict[int, list[Version]](), {promotion.version_id for promotion in list_promotions(store)}
    for version in list_versions(store):
        versions_of.setdefault(version.data_set.id, []).append(version)
    return [
        (data_set, [version.id for version in versions_of.get(data_set.id, ())])
        for data_set in list_data_sets(store)
        if not any(version.id in promoted or version.shipped for version in versions_of.get(data_set.id, ()))
    ]


def list_unpromoted_shipped(store: Store) -> list[Version]:
    """List the versions that came with the app after the first and were never promoted."""
    promoted = select(PROMOTION.c.version_id)
    return list_versions(store, MODEL_VERSION.c.shipped.is_not(None), MODEL_VERSION.c.id.not_in(promoted))
