"""Data sets and model versions in the store: kept, listed, loaded, and never served unchecked."""

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
    """Rows in the store: number, checksum of the figures, origin, and how many rows."""

    id: int
    sha256: str
    origin: str
    n_rows: int
    created_at: datetime


@dataclass(frozen=True)
class Version:
    """A model version without its bytes and its values row by row."""

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
        """The stored metadata; raises `DamagedError` if they cannot be read."""
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
    """Raise a `DamagedError` if the record of a version cannot be read."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedError(f"The record of version {number} is not the one that was stored.") from error


def serialise_rows(rows: "pd.DataFrame", origin: str) -> dict[str, Any]:
    """Serialise rows, before the write transaction begins: a million take seconds.

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
    return {
        "sha256": fingerprint(rows),
        "origin": origin[:200],
        "n_rows": len(rows),
        "parquet": parquet,
        "parquet_sha256": hashlib.sha256(parquet).hexdigest(),
    }


def add_serialised(connection: Connection, values: dict[str, Any]) -> int:
    """Store serialised rows; rows with equal figures are stored once.

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
    """Return the number of a new row."""
    key = result.inserted_primary_key
    return key[0] if key else 0


def add_data_set(connection: Connection, rows: "pd.DataFrame", origin: str) -> int:
    """Serialise rows and store them; see `serialise_rows` and `add_serialised`."""
    return add_serialised(connection, serialise_rows(rows, origin))


def list_data_sets(store: Store) -> list[DataSet]:
    """List the data sets, the oldest first."""
    columns = [DATA_SET.c[name] for name in DataSet.__dataclass_fields__]
    with store.reading() as connection:
        return [DataSet(*row) for row in connection.execute(select(*columns).order_by(DATA_SET.c.id))]


def read_rows(store: Store, data_set_id: int, excluded: Iterable[int] = ()) -> "pd.DataFrame":
    """Return the rows of a data set, without some.

    Parameters
    ----------
    excluded
        Positions of rows to leave out.

    Returns
    -------
    pandas.DataFrame
        As `data.load.load_rows` returns it.

    Raises
    ------
    StoreError
        If there is no such data set.
    DamagedError
        If the rows are no longer what was stored.
    ModelError
        If they cannot be read at the moment, or a row to leave out does not exist.
    """
    columns = DATA_SET.c.parquet, DATA_SET.c.parquet_sha256, DATA_SET.c.sha256
    with store.reading() as connection:
        data_set = connection.execute(select(*columns).where(DATA_SET.c.id == data_set_id)).one_or_none()
    if not data_set:
        raise StoreError(f"Data set {data_set_id} is not in the store {store.location}.")
    damage = DamagedError(f"The rows of data set {data_set_id} are not the ones that were stored.")
    if hashlib.sha256(data_set.parquet).hexdigest() != data_set.parquet_sha256:
        raise damage
    with explaining_trouble(f"The rows of data set {data_set_id}"):
        from pyarrow.parquet import ParquetFile  # pandas would also import what reads folders

        table = ParquetFile(io.BytesIO(data_set.parquet)).read(use_threads=False)
        rows = table.to_pandas(use_threads=False).astype({ROW: object})
    if fingerprint(rows) != data_set.sha256:
        raise damage
    if missing := sorted(set(excluded) - set(rows.index)):
        raise ModelError(
            f"There is no row {missing[0]} to leave out: data set {data_set_id} has rows 0 to {len(rows) - 1}."
        )
    return rows.drop(index=list(excluded)).reset_index(drop=True)


def add_version(
    connection: Connection, model: Model, data_set_id: int, *, by: str, content: bytes | None = None, **columns: Any
) -> int:
    """Store a trained model as a new version, without promoting it.

    Parameters
    ----------
    by
        Who asked for it.
    content
        The pickled model if it is a file already: one artifact has one checksum.
    **columns
        ``excluded``, ``rival_id``, ``job_id``, ``shipped``, ``notice``: see `model.store.tables`.

    Returns
    -------
    int
        Number of the version.
    """
    record, arrays = replace(model.metadata, model_sha256=None).to_record(), io.BytesIO()
    losses: dict[str, Any] = {
        f"importance/{kind}/{name}": row_losses
        for kind, by_input in model.importance.items()
        for name, row_losses in by_input.items()
    }
    np.savez(arrays, **losses)  # not compressed: noise hardly shrinks, and a million numbers would take seconds
    values = {name: record.pop(name) for name in RECIPE}
    evaluation = add_evaluation(connection, model.metadata.recipe, *model.metadata.evaluated_on, model.predictions)
    content = content or artifact.to_bytes(model.pipeline)
    trained_at = datetime.fromisoformat(model.metadata.trained_at)
    values |= {"data_set_id": data_set_id, "created_by": by, "record": record, "excluded": []} | columns
    values |= {"arrays": arrays.getvalue(), "model": content, "sha256": hashlib.sha256(content).hexdigest()}
    values |= {"evaluation_sha256": evaluation, "created_at": trained_at}
    values["record_sha256"] = _checksum(values)
    return inserted_number(connection.execute(insert(MODEL_VERSION).values(values)))


def _checksum(values: Any) -> str:
    """SHA-256 of all that a version says of itself, without its joblib bytes, which have their own."""
    names = "algorithm", "parameters", "seed", "excluded", "record", "sha256", "evaluation_sha256"
    text = json.dumps([values[name] for name in names], sort_keys=True)
    return hashlib.sha256(text.encode() + values["arrays"]).hexdigest()


def list_versions(store: Store, *conditions: ColumnElement[bool]) -> list[Version]:
    """List the versions that meet all conditions on their table, the oldest first, without their bytes."""
    light_columns = [column for column in MODEL_VERSION.c if column.name not in _HEAVY]
    query = select(*light_columns, func.length(MODEL_VERSION.c.model).label("n_bytes")).where(*conditions)
    data_sets = {data_set.id: data_set for data_set in list_data_sets(store)}
    with store.reading() as connection:
        rows = connection.execute(query.order_by(MODEL_VERSION.c.id)).all()
        return [_version_of(row, data_sets[row.data_set_id]) for row in rows]


def _version_of(row: Any, data_set: DataSet) -> Version:
    fields = {name: value for name, value in row._mapping.items() if name in Version.__dataclass_fields__}  # noqa: SLF001 - SQLAlchemy's public name
    return Version(**fields | {"record": _record_of(row), "excluded": tuple(row.excluded), "data_set": data_set})


def _record_of(row: Any) -> dict[str, Any]:
    """The sidecar of a version, without its values row by row."""
    return {name: getattr(row, name) for name in RECIPE} | row.record | {"model_sha256": row.sha256}


def list_versions_of_job(store: Store, number: int) -> list[Version]:
    """List the versions that a job has trained."""
    return list_versions(store, MODEL_VERSION.c.job_id == number)


def read_version(store: Store, number: int) -> Version:
    """Return one version without its bytes; raises `StoreError` if there is none of that number."""
    if versions := list_versions(store, MODEL_VERSION.c.id == number):
        return versions[0]
    raise StoreError(f"There is no version {number} in the store {store.location}.")


def read_kept(store: Store, number: int) -> Kept:
    """Return all that a version says of itself, with its out-of-fold predictions and importance row by row.

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
        metadata = Metadata.from_record(_record_of(row))
    return Kept(metadata, read_predictions(store, row.evaluation_sha256), importance)


def read_pipeline(store: Store, number: int) -> bytes:
    """Return the pickled model of a version, which must exist, as it was stored."""
    with store.reading() as connection:
        return connection.execute(select(MODEL_VERSION.c.model).where(MODEL_VERSION.c.id == number)).scalar_one()


def load_version(store: Store, number: int) -> Model:
    """Load a version, or fit its recipe anew if its bytes cannot be trusted.

    Returns
    -------
    model.fitting.train.Model
        With a ``notice`` if it is not what was stored.

    Raises
    ------
    StoreError
        If there is no such version.
    DamagedError
        If it is too damaged for its recipe to be fitted anew.
    ModelError
        If it cannot be used at the moment.
    """
    version, kept, content = read_version(store, number), read_kept(store, number), read_pipeline(store, number)
    rows = read_rows(store, version.data_set.id, version.excluded)
    if kept.predictions.shape[1] != len(rows):
        raise DamagedError(f"The scores of version {number} are of other rows.")
    with explaining_trouble(f"The model of version {number}"):
        model = artifact.load_or_refit(f"The model of version {number}", content, kept, rows)
    notice = " ".join(filter(None, (version.notice, model.notice)))
    with suppress(DamagedError):  # a job makes them anew
        model = replace(model, refits=read_refits(store, kept.metadata.data.sha256))
    return replace(model, version=number, notice=notice)
