"""Data sets and model versions in the store: kept, listed, loaded, and never served before they were checked."""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import ColumnElement, Connection, CursorResult, func, insert, select

from data.load import fingerprint
from data.schema import FEATURE_NAMES, ROW
from model.fitting import artifact
from model.fitting.artifact import Kept
from model.fitting.errors import DamagedError, ModelError, explaining_trouble
from model.fitting.evaluate import Folds
from model.fitting.importance import KINDS
from model.fitting.metadata import RECIPE, Metadata
from model.fitting.recipe import Recipe
from model.fitting.train import Model
from model.store.database import Store, StoreError
from model.store.evaluations import add_evaluation, read_predictions
from model.store.stored_refits import read_refits
from model.store.tables import DATA_SET, MODEL_VERSION

if TYPE_CHECKING:
    import pandas as pd

_HEAVY = {"arrays", "model"}


@dataclass(frozen=True)
class DataSet:
    """Rows in the store: their number, the checksum of the figures, where they came from, and how many they are."""

    id: int
    sha256: str
    origin: str
    n_rows: int
    created_at: datetime


@dataclass(frozen=True)
class Version:
    """A model version without its bytes and without what it holds row by row."""

    id: int
    data_set: DataSet
    excluded: tuple[int, ...]
    record: dict[str, Any]
    n_bytes: int
    rival_id: int | None
    job_id: int | None
    created_by: str
    created_at: datetime
    shipped: str | None
    notice: str
    broken: str | None
    evaluation_sha256: str | None

    @cached_property
    def metadata(self) -> Metadata:
        """What was stored of it; `DamagedError` where that cannot be read."""
        with reading_record(self.id):
            return Metadata.from_record(self.record)

    @property
    def recipe(self) -> Recipe:
        """Algorithm, parameters and seed."""
        return self.metadata.recipe

    @property
    def trained_on(self) -> tuple[int, tuple[int, ...], Folds]:
        """What must be equal for two versions to have the same rows in the same folds."""
        return self.data_set.id, self.excluded, self.metadata.folds

    @property
    def label(self) -> str:
        """What people call it: ``"Version 3 (random forest)"``."""
        return f"Version {self.id} ({self.recipe.label})"


@contextmanager
def reading_record(number: int) -> Iterator[None]:
    """Call what cannot be read of a version's record damaged."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"The record of version {number} is not the one that was stored.") from error


def serialise_rows(rows: "pd.DataFrame", origin: str) -> dict[str, Any]:
    """Serialise rows before the write transaction begins: a million take seconds.

    Parameters
    ----------
    rows
        As `data.load.load_rows` returns them.
    origin
        Where they came from, for people.
    """
    buffer, bare = io.BytesIO(), rows.copy(deep=False)
    bare.attrs = {}
    bare.to_parquet(buffer, index=False)
    parquet = buffer.getvalue()
    values: dict[str, Any] = {
        "sha256": fingerprint(rows),
        "origin": origin[:200],
        "n_rows": len(rows),
        "parquet": parquet,
    }
    return values | {"parquet_sha256": hashlib.sha256(parquet).hexdigest()}


def add_serialised(connection: Connection, values: dict[str, Any]) -> int:
    """Keep rows, once for equal figures.

    Parameters
    ----------
    connection
        From `model.store.database.Store.writing`.
    values
        From `serialise_rows`.

    Returns
    -------
    int
        Number of the data set.
    """
    known = select(DATA_SET.c.id).where(DATA_SET.c.sha256 == values["sha256"])
    if number := connection.execute(known).scalar():
        return number
    return inserted_number(connection.execute(insert(DATA_SET).values(values)))


def inserted_number(result: CursorResult[Any]) -> int:
    """Return the number that a new row has got."""
    key = result.inserted_primary_key
    return key[0] if key else 0


def add_data_set(connection: Connection, rows: "pd.DataFrame", origin: str) -> int:
    """Serialise rows and keep them; see `serialise_rows` and `add_serialised`."""
    return add_serialised(connection, serialise_rows(rows, origin))


def list_data_sets(store: Store) -> list[DataSet]:
    """List the data sets, the oldest first."""
    columns = [DATA_SET.c[name] for name in DataSet.__dataclass_fields__]
    with store.reading() as connection:
        return [DataSet(*row) for row in connection.execute(select(*columns).order_by(DATA_SET.c.id))]


def read_rows(store: Store, data_set_id: int, excluded: Iterable[int] = ()) -> "pd.DataFrame":
    """Return the rows of a data set but for some places.

    Parameters
    ----------
    excluded
        Places of rows to leave out.

    Returns
    -------
    pandas.DataFrame
        As `data.load.load_rows` returns it.

    Raises
    ------
    StoreError
        If there is no such data set.
    DamagedError
        If the rows no longer are what was stored.
    ModelError
        If they cannot be read at the moment, or one to leave out is not there.
    """
    import pandas as pd

    columns = DATA_SET.c.parquet, DATA_SET.c.parquet_sha256, DATA_SET.c.sha256
    with store.reading() as connection:
        found = connection.execute(select(*columns).where(DATA_SET.c.id == data_set_id)).one_or_none()
    if not found:
        raise StoreError(f"Data set {data_set_id} is not in the store {store.location}.")
    damage = DamagedError(f"The rows of data set {data_set_id} are not the ones that were stored.")
    if hashlib.sha256(found.parquet).hexdigest() != found.parquet_sha256:
        raise damage
    with explaining_trouble(f"The rows of data set {data_set_id}"):
        rows = pd.read_parquet(io.BytesIO(found.parquet)).astype({ROW: object})
    if fingerprint(rows) != found.sha256:
        raise damage
    if missing := sorted(set(excluded) - set(rows.index)):
        raise ModelError(
            f"There is no row {missing[0]} to leave out: data set {data_set_id} has rows 0 to {len(rows) - 1}."
        )
    return rows.drop(index=list(excluded)).reset_index(drop=True)


def add_version(
    connection: Connection, model: Model, data_set_id: int, *, by: str, content: bytes | None = None, **more: Any
) -> int:
    """Keep a trained model as a new version, which is not promoted by that.

    Parameters
    ----------
    by
        Who asked for it.
    content
        The pickled model where it is a file already: one artifact has one checksum.
    **more
        ``excluded``, ``rival_id``, ``job_id``, ``shipped``, ``notice``: see `model.store.tables`.

    Returns
    -------
    int
        Number of the version.
    """
    record, arrays = replace(model.metadata, model_sha256=None).to_record(), io.BytesIO()
    losses: dict[str, Any] = {
        f"importance/{kind}/{name}": each
        for kind, by_input in model.importance.items()
        for name, each in by_input.items()
    }
    np.savez(arrays, **losses)  # numbers at random hardly become fewer, and packing a million of them takes seconds
    values = {name: record.pop(name) for name in RECIPE}
    evaluation = add_evaluation(connection, model.metadata.recipe, *model.metadata.evaluated_on, model.predictions)
    content = content or artifact.to_bytes(model.pipeline)
    trained_at = datetime.fromisoformat(model.metadata.trained_at)
    values |= {"data_set_id": data_set_id, "created_by": by, "record": record, "excluded": []} | more
    values |= {"arrays": arrays.getvalue(), "model": content, "sha256": hashlib.sha256(content).hexdigest()}
    values |= {"evaluation_sha256": evaluation, "created_at": trained_at}
    values["record_sha256"] = _checksum(values)
    return inserted_number(connection.execute(insert(MODEL_VERSION).values(values)))


def _checksum(values: Any) -> str:
    """SHA-256 of all that a version says of itself but for its joblib bytes, which have their own."""
    names = "algorithm", "parameters", "seed", "excluded", "record", "sha256", "evaluation_sha256"
    text = json.dumps([values[name] for name in names], sort_keys=True)
    return hashlib.sha256(text.encode() + values["arrays"]).hexdigest()


def list_versions(store: Store, *conditions: ColumnElement[bool]) -> list[Version]:
    """List the versions that meet all conditions on their table, the oldest first, without their bytes."""
    light = [column for column in MODEL_VERSION.c if column.name not in _HEAVY]
    query = select(*light, func.length(MODEL_VERSION.c.model).label("n_bytes")).where(*conditions)
    sets = {data_set.id: data_set for data_set in list_data_sets(store)}
    with store.reading() as connection:
        found = connection.execute(query.order_by(MODEL_VERSION.c.id)).all()
        return [_version(row, sets[row.data_set_id]) for row in found]


def _version(row: Any, data_set: DataSet) -> Version:
    own = {name: value for name, value in row._mapping.items() if name in Version.__dataclass_fields__}  # noqa: SLF001 - SQLAlchemy's public name
    return Version(**own | {"record": _record(row), "excluded": tuple(row.excluded), "data_set": data_set})


def _record(row: Any) -> dict[str, Any]:
    """The sidecar of a version but for what that holds row by row."""
    return {name: getattr(row, name) for name in RECIPE} | row.record | {"model_sha256": row.sha256}


def list_versions_of_job(store: Store, number: int) -> list[Version]:
    """List the versions that a job has trained."""
    return list_versions(store, MODEL_VERSION.c.job_id == number)


def read_version(store: Store, number: int) -> Version:
    """Return one version without its bytes; `StoreError` if there is none of that number."""
    if found := list_versions(store, MODEL_VERSION.c.id == number):
        return found[0]
    raise StoreError(f"There is no version {number} in the store {store.location}.")


def read_kept(store: Store, number: int) -> Kept:
    """Return all that a version says of itself: also its predictions out of fold and its importance, row by row.

    Raises
    ------
    StoreError
        If there is no such version.
    DamagedError
        If it is not the one that was stored.
    ModelError
        If it cannot be read at the moment.
    """
    columns = [column for column in MODEL_VERSION.c if column.name != "model"]
    with store.reading() as connection:
        row = connection.execute(select(*columns).where(MODEL_VERSION.c.id == number)).one_or_none()
    if not row:
        raise StoreError(f"There is no version {number} in the store {store.location}.")
    if _checksum(row._mapping) != row.record_sha256:  # noqa: SLF001
        raise DamagedError(f"The record of version {number} is not the one that was stored.")
    with explaining_trouble(f"The record of version {number}"):
        arrays = dict(np.load(io.BytesIO(row.arrays)))
    importance = {
        kind: {name: arrays[f"importance/{kind}/{name}"] for name in ("plain", *FEATURE_NAMES)} for kind in KINDS
    }
    with reading_record(number):
        metadata = Metadata.from_record(_record(row))
    return Kept(metadata, read_predictions(store, row.evaluation_sha256), importance)


def read_pipeline(store: Store, number: int) -> bytes:
    """Return the pickled model of a version, which must exist, as it was stored."""
    with store.reading() as connection:
        return connection.execute(select(MODEL_VERSION.c.model).where(MODEL_VERSION.c.id == number)).scalar_one()


def load_version(store: Store, number: int) -> Model:
    """Load a version, or fit its recipe anew where its bytes cannot be trusted.

    Returns
    -------
    model.fitting.train.Model
        With a ``notice`` wherever it is not what was kept.

    Raises
    ------
    StoreError
        If there is no such version.
    DamagedError
        If it is damaged beyond its recipe.
    ModelError
        If it cannot be used at the moment.
    """
    found, kept, content = read_version(store, number), read_kept(store, number), read_pipeline(store, number)
    rows = read_rows(store, found.data_set.id, found.excluded)
    if kept.predictions.shape[1] != len(rows):
        raise DamagedError(f"The scores of version {number} are of other rows.")
    with explaining_trouble(f"The model of version {number}"):
        model = artifact.load_or_refit(f"The model of version {number}", content, kept, rows)
    notice = " ".join(filter(None, (found.notice, model.notice)))
    with suppress(DamagedError):  # they are made anew by a job
        model = replace(model, refits=read_refits(store, kept.metadata.data.sha256))
    return replace(model, version=number, notice=notice)
