"""Bring a store that an older release wrote up to the tables of this one: numbered steps in one transaction.

Not with Alembic: a list and a loop do what would need a dependency, a folder of scripts and a second record of the
version, and both databases undo a change of their tables with the transaction.
"""

import hashlib
import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    column,
    insert,
    select,
    table,
    update,
)

from data.load import fingerprint
from data.schema import ROW

# Each step has tables, columns and checksums as they were in its day: it must still do the same when they have changed.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_SCHEMA = table("schema_version", column("version"))


def migrate(connection: Connection, version: int) -> None:
    """Take all steps from a version of the schema to `model.store.tables.SCHEMA_VERSION`.

    Parameters
    ----------
    connection
        From `model.store.database.Store.writing`: all steps are kept, or none.
    version
        What the store has.
    """
    for number, step in enumerate(_STEPS[version - 1 :], version + 1):
        step(connection)
        connection.execute(update(_SCHEMA).values(version=number))


def _to_2(connection: Connection) -> None:
    """Out-of-fold predictions move from the versions into a table of their own.

    Versions were called broken where a reader only had trouble; now those are whose checksum differs, and no others.
    """
    evaluation = Table(
        "evaluation",
        MetaData(),
        Column("id", _NUMBER, primary_key=True),
        Column("algorithm", String, nullable=False),
        Column("parameters", JSON, nullable=False),
        Column("seed", _NUMBER, nullable=False),
        Column("rows_sha256", String(64), nullable=False, index=True),
        Column("folds", JSON, nullable=False),
        Column("libraries", JSON, nullable=False),
        Column("predictions", LargeBinary, nullable=False),
        Column("sha256", String(64), nullable=False, unique=True),
        sqlite_autoincrement=True,
    )
    evaluation.create(connection)
    added = "evaluation_sha256 VARCHAR(64) REFERENCES evaluation (sha256)"
    connection.execute(DDL(f"ALTER TABLE model_version ADD COLUMN {added}"))
    types = dict.fromkeys(("parameters", "excluded", "record"), JSON)
    names = ["id", "algorithm", "parameters", "seed", "excluded", "record", "arrays", "sha256", "record_sha256"]
    names += ["rival_id", "broken", "evaluation_sha256"]
    version = table("model_version", *(column(name, types.get(name)) for name in names))

    def checksum(values: Mapping[str, Any], *names: str) -> str:
        text = json.dumps([values[name] for name in names], sort_keys=True)
        return hashlib.sha256(text.encode() + values.get("arrays", values.get("predictions"))).hexdigest()

    def row_of(number: int) -> dict[str, Any]:
        return dict(connection.execute(select(version).where(version.c.id == number)).mappings().one())

    def keep(recipe: tuple[Any, ...], record: dict[str, Any], predictions: NDArray[np.float64]) -> str:
        packed = io.BytesIO()
        np.save(packed, np.ascontiguousarray(predictions, dtype=float))
        values = dict(zip(("algorithm", "parameters", "seed"), recipe, strict=True))
        values |= {"rows_sha256": record["data"]["sha256"], "predictions": packed.getvalue()}
        values |= {name: record[name] for name in ("folds", "libraries")}
        values["sha256"] = checksum(values, *recipe_names, "rows_sha256", "folds", "libraries")
        known = select(evaluation.c.id).where(evaluation.c.sha256 == values["sha256"])
        if not connection.execute(known).scalar():
            connection.execute(insert(evaluation).values(values))
        return values["sha256"]

    recipe_names = "algorithm", "parameters", "seed"
    checked = *recipe_names, "excluded", "record", "sha256"
    recipes: dict[int, tuple[Any, ...]] = {}
    for number in connection.execute(select(version.c.id).order_by(version.c.id)).scalars().all():
        row = row_of(number)
        broken: str | None = f"The record of version {number} is not the one that was stored."
        if checksum(row, *checked) == row["record_sha256"]:
            recipes[number], broken = tuple(row[name] for name in recipe_names), None
        connection.execute(update(version).where(version.c.id == number).values(broken=broken))
    for number, recipe in recipes.items():
        row = row_of(number)
        arrays = dict(np.load(io.BytesIO(row["arrays"])))
        row["evaluation_sha256"] = keep(recipe, row["record"], arrays.pop("predictions/model"))
        rival = arrays.pop("predictions/rival", None)
        if rival is not None and row["rival_id"] in recipes:  # else nobody knows any more whose predictions those are
            keep(recipes[row["rival_id"]], row["record"], rival)
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        row["arrays"] = packed.getvalue()
        row["record_sha256"] = checksum(row, *checked, "evaluation_sha256")
        changed = {name: row[name] for name in ("arrays", "record_sha256", "evaluation_sha256")}
        connection.execute(update(version).where(version.c.id == number).values(changed))


def _to_3(connection: Connection) -> None:
    """Rows get a checksum of their bytes, which tells damage from trouble before anything is read."""
    connection.execute(DDL("ALTER TABLE data_set ADD COLUMN parquet_sha256 VARCHAR(64)"))
    data_set = table("data_set", *map(column, ("id", "sha256", "parquet", "parquet_sha256")))
    for number in connection.execute(select(data_set.c.id)).scalars().all():
        is_this = data_set.c.id == number
        row = connection.execute(select(data_set.c.parquet, data_set.c.sha256).where(is_this)).one()
        if _fingerprint(row.parquet) == row.sha256:
            kept = hashlib.sha256(row.parquet).hexdigest()
            connection.execute(update(data_set).where(is_this).values(parquet_sha256=kept))


def _fingerprint(parquet: bytes) -> str | None:
    """Checksum of the rows themselves; None where they are damaged beyond reading."""
    import pandas as pd

    try:
        rows = pd.read_parquet(io.BytesIO(parquet)).astype({ROW: object})
    except (ImportError, MemoryError):
        raise  # says nothing about the bytes
    except Exception as error:
        if getattr(error, "errno", None):
            raise  # the system's word, and not the reader's
        return None
    return fingerprint(rows)


def _to_4(connection: Connection) -> None:
    """Jobs that have ended are numbered in that order: as they began, for of their ends a clock alone would tell."""
    number = _NUMBER.compile(connection.dialect)
    connection.execute(DDL(f"ALTER TABLE job ADD COLUMN end_number {number}"))
    job = table("job", *map(column, ("id", "ended_at", "end_number")))
    connection.execute(update(job).where(job.c.ended_at.is_not(None)).values(end_number=job.c.id))


def _to_5(connection: Connection) -> None:
    """Refits get a table; those of the rows that versions were trained on are made later, by jobs."""
    refits = Table(
        "refits",
        MetaData(),
        Column("id", _NUMBER, primary_key=True),
        Column("rows_sha256", String(64), nullable=False, unique=True),
        Column("settings", JSON, nullable=False),
        Column("content", LargeBinary, nullable=False),
        Column("sha256", String(64), nullable=False),
        sqlite_autoincrement=True,
    )
    refits.create(connection)


def _to_6(connection: Connection) -> None:
    """Sign-ins that were ended get a table; until now each server knew those of its own alone."""
    ended = Table(
        "ended_sign_in",
        MetaData(),
        Column("id", _NUMBER, primary_key=True),
        Column("sha256", String(64), nullable=False, unique=True),
        Column("expires_at", DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    ended.create(connection)


def _to_7(connection: Connection) -> None:
    """Jobs say by a code why they failed, where that has a cure; until now a page looked at the end of the message."""
    connection.execute(DDL("ALTER TABLE job ADD COLUMN failure VARCHAR"))
    job = table("job", *map(column, ("state", "message", "failure")))
    is_of_cluster = job.c.state == "failed", job.c.message.like("%, or train here instead.")
    connection.execute(update(job).where(*is_of_cluster).values(failure="cluster"))


_STEPS = [_to_2, _to_3, _to_4, _to_5, _to_6, _to_7]
