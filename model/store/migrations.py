"""Bring a store that an older release wrote up to the tables of this one: numbered steps in one transaction.

A list and a loop do, where Alembic would need a dependency, a folder of scripts and a second record of the version;
both databases roll changes of their tables back with the transaction.
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

# Each step has tables, columns and checksums as they were in its day: it must do the same after they have changed.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_SCHEMA = table("schema_version", column("version"))


def migrate(connection: Connection, version: int) -> None:
    """Run all steps from the store's ``version`` of the schema to `model.store.tables.SCHEMA_VERSION`.

    The connection is from `model.store.database.Store.writing`: all steps are kept, or none.
    """
    for number, step in enumerate(_STEPS[version - 1 :], version + 1):
        step(connection)
        connection.execute(update(_SCHEMA).values(version=number))


def _to_2(connection: Connection) -> None:
    """Out-of-fold predictions move from the versions into a table of their own.

    Versions used to be marked as broken if a reader only had trouble; now only those are whose checksum differs.
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
    new_column = "evaluation_sha256 VARCHAR(64) REFERENCES evaluation (sha256)"
    connection.execute(DDL(f"ALTER TABLE model_version ADD COLUMN {new_column}"))
    types = dict.fromkeys(("parameters", "excluded", "record"), JSON)
    names = ["id", "algorithm", "parameters", "seed", "excluded", "record", "arrays", "sha256", "record_sha256"]
    names += ["rival_id", "broken", "evaluation_sha256"]
    version = table("model_version", *(column(name, types.get(name)) for name in names))

    def checksum(values: Mapping[str, Any], *names: str) -> str:
        text = json.dumps([values[name] for name in names], sort_keys=True)
        return hashlib.sha256(text.encode() + values.get("arrays", values.get("predictions"))).hexdigest()

    def read_row(number: int) -> dict[str, Any]:
        return dict(connection.execute(select(version).where(version.c.id == number)).mappings().one())

    def store_evaluation(recipe: tuple[Any, ...], record: dict[str, Any], predictions: NDArray[np.float64]) -> str:
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
        row = read_row(number)
        broken: str | None = f"The record of version {number} is not the one that was stored."
        if checksum(row, *checked) == row["record_sha256"]:
            recipes[number], broken = tuple(row[name] for name in recipe_names), None
        connection.execute(update(version).where(version.c.id == number).values(broken=broken))
    for number, recipe in recipes.items():
        row = read_row(number)
        arrays = dict(np.load(io.BytesIO(row["arrays"])))
        row["evaluation_sha256"] = store_evaluation(recipe, row["record"], arrays.pop("predictions/model"))
        rival = arrays.pop("predictions/rival", None)
        if rival is not None and row["rival_id"] in recipes:  # else it is unknown whose predictions those are
            store_evaluation(recipes[row["rival_id"]], row["record"], rival)
        packed = io.BytesIO()
        np.savez(packed, **arrays)
        row["arrays"] = packed.getvalue()
        row["record_sha256"] = checksum(row, *checked, "evaluation_sha256")
        changed = {name: row[name] for name in ("arrays", "record_sha256", "evaluation_sha256")}
        connection.execute(update(version).where(version.c.id == number).values(changed))


def _to_3(connection: Connection) -> None:
    """Rows get a checksum of their bytes, which tells damage from trouble before they are parsed."""
    connection.execute(DDL("ALTER TABLE data_set ADD COLUMN parquet_sha256 VARCHAR(64)"))
    data_set = table("data_set", *map(column, ("id", "sha256", "parquet", "parquet_sha256")))
    for number in connection.execute(select(data_set.c.id)).scalars().all():
        is_current = data_set.c.id == number
        row = connection.execute(select(data_set.c.parquet, data_set.c.sha256).where(is_current)).one()
        if _fingerprint(row.parquet) == row.sha256:
            parquet_sha256 = hashlib.sha256(row.parquet).hexdigest()
            connection.execute(update(data_set).where(is_current).values(parquet_sha256=parquet_sha256))


def _fingerprint(parquet: bytes) -> str | None:
    """Checksum of the rows themselves; None if they are damaged beyond reading."""
    import pandas as pd

    try:
        rows = pd.read_parquet(io.BytesIO(parquet)).astype({ROW: object})
    except (ImportError, MemoryError):
        raise  # says nothing about the bytes
    except Exception as error:
        if getattr(error, "errno", None):
            raise  # an error of the system, not of the reader
        return None
    return fingerprint(rows)


def _to_4(connection: Connection) -> None:
    """Ended jobs are numbered in the order of their ends; old ones as they began, as only a clock tells their ends."""
    number_type = _NUMBER.compile(connection.dialect)
    connection.execute(DDL(f"ALTER TABLE job ADD COLUMN end_number {number_type}"))
    job = table("job", *map(column, ("id", "ended_at", "end_number")))
    connection.execute(update(job).where(job.c.ended_at.is_not(None)).values(end_number=job.c.id))


def _to_5(connection: Connection) -> None:
    """Refits get a table; jobs make them later for the rows that versions were trained on."""
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
    """Ended sign-ins get a table; until now each server knew only its own."""
    ended_sign_in = Table(
        "ended_sign_in",
        MetaData(),
        Column("id", _NUMBER, primary_key=True),
        Column("sha256", String(64), nullable=False, unique=True),
        Column("expires_at", DateTime, nullable=False),
        sqlite_autoincrement=True,
    )
    ended_sign_in.create(connection)


def _to_7(connection: Connection) -> None:
    """Jobs say by a code why they failed, if that has a cure; until now a page looked at the end of the message."""
    connection.execute(DDL("ALTER TABLE job ADD COLUMN failure VARCHAR"))
    job = table("job", *map(column, ("state", "message", "failure")))
    is_of_cluster = job.c.state == "failed", job.c.message.like("%, or train here instead.")
    connection.execute(update(job).where(*is_of_cluster).values(failure="cluster"))


_STEPS = [_to_2, _to_3, _to_4, _to_5, _to_6, _to_7]
