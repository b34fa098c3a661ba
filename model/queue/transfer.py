"""Copy a whole store into another database, and prove that all of it arrived."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, text

from model.queue import jobs
from model.queue.dispatcher import Dispatcher
from model.store.database import Store, StoreError
from model.store.mounts import network_file_system
from model.store.tables import JOB, METADATA, SCHEMA

_TABLES = [table for table in METADATA.sorted_tables if table is not SCHEMA]


@dataclass(frozen=True)
class CopiedTable:
    """What a table holds in both stores: how many rows, and the SHA-256 of all of their values."""

    table: str
    n_rows: int
    sha256: str


def copy_store(source_url: str, target_url: str) -> list[CopiedTable]:
    """Copy everything from one store to an empty one: all of it, checked, or nothing.

    Rows keep their numbers, and no number that was ever used is used again.

    Parameters
    ----------
    source_url, target_url
        Of the databases, as SQLAlchemy writes them; the target is created if it does not exist.

    Returns
    -------
    list of CopiedTable
        One for each table.

    Raises
    ------
    StoreError
        If a store cannot be used, the source has a job under way, the target is not empty, or what arrived is not
        what was sent.
    """
    source = Store(source_url, create=False)
    Dispatcher().dispatch(source, starting=False)  # closes a job whose worker is gone
    if jobs.list_jobs(source, JOB.c.state == "running"):
        raise StoreError(f"The store {source.location} has a training under way. Wait for its end, or cancel it.")
    return _copy(source, Store(target_url))


def _copy(source: Store, target: Store) -> list[CopiedTable]:
    with source.reading() as source_connection, target.writing() as target_connection:
        for table in _TABLES:
            if target_connection.execute(select(func.count()).select_from(table)).scalar():
                raise StoreError(f"The store {target.location} is not empty. Name a new one; nothing was copied.")
        copied_tables = [_copy_table(source, source_connection, target_connection, table) for table in _TABLES]
        if copied_tables != [_checksum_rows(table, _read_rows(target_connection, table)) for table in _TABLES]:
            raise StoreError(f"What arrived in {target.location} is not what was sent. Nothing was kept; try again.")
    return copied_tables


def write_backup(store: Store, target: Path) -> None:
    """Write a store, which may be in use, to a new file of SQLite as it is at this moment: all of it, or nothing.

    Parameters
    ----------
    store
        In a file or in PostgreSQL.
    target
        Must not exist yet.

    Raises
    ------
    StoreError
        If the file cannot be written, or the store cannot be read or is damaged.
    """
    try:
        if target.exists():
            raise FileExistsError
        store.check()
        # SQLite does not work on the disk of another machine, but a finished file can be kept there.
        local_directory = TemporaryDirectory(prefix="backup-") if network_file_system(target.parent) else nullcontext()
        with TemporaryDirectory(prefix="backup-", dir=target.parent) as target_folder, local_directory as local_folder:
            draft, finished = Path(local_folder or target_folder) / "store.db", Path(target_folder) / "store.db"
            if store.is_file:
                with store.reading() as connection, closing(sqlite3.connect(draft)) as draft_connection:
                    sqlite_connection: Any = connection.connection.driver_connection
                    sqlite_connection.backup(draft_connection)
            else:
                target_store = Store(f"sqlite:///{draft}")
                _copy(store, target_store)
                target_store.close()
            if draft != finished:
                shutil.copyfile(draft, finished)
            try:
                target.hardlink_to(finished)  # unlike renaming, this never replaces a file that has appeared meanwhile
            except FileExistsError:
                raise
            except OSError:  # some disks have no links
                finished.rename(target)
    except FileExistsError:
        raise StoreError(f"{target} is there already. Name a new file; nothing was written.") from None
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"{target} cannot be written ({reason}). Name a file in a folder that can be.") from error


def _copy_table(source: Store, source_connection: Connection, target_connection: Connection, table: Any) -> CopiedTable:
    def read_source_rows() -> Iterator[Any]:
        with source.explaining():  # else a fault of the source would be blamed on the target
            yield from _read_rows(source_connection, table)

    def copy_rows() -> Iterator[Any]:
        for row in read_source_rows():
            target_connection.execute(insert(table).values(row))
            yield row

    copied_table = _checksum_rows(table, copy_rows())
    with source.explaining():
        last_number = _last_number(source_connection, table.name)
    _continue_numbers(target_connection, table.name, last_number)
    return copied_table


def _checksum_rows(table: Any, rows: Iterator[Any]) -> CopiedTable:
    digest, n_rows = hashlib.sha256(), 0
    for row in rows:
        digest.update(_canonical(row))
        n_rows += 1
    return CopiedTable(table.name, n_rows, digest.hexdigest())


def _read_rows(connection: Connection, table: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows one by one: together they may be larger than the memory."""
    row_query = select(table).where(table.c.id == bindparam("number"))
    for number in connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all():
        yield dict(connection.execute(row_query, {"number": number}).mappings().one())


def _canonical(row: dict[str, Any]) -> bytes:
    """A row as bytes that are the same whichever database it comes from."""

    def to_text(value: bytes | datetime) -> str:
        return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value.isoformat()

    return json.dumps(row, sort_keys=True, default=to_text).encode()


def _last_number(connection: Connection, table: Any) -> int:
    """The highest number that a row of a table ever had, or 0."""
    if connection.dialect.name == "sqlite":
        given = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return connection.execute(given, {"table": table}).scalar() or 0
    given = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq")  # noqa: S608 - a name of ours
    return connection.execute(given).scalar() or 0


def _continue_numbers(connection: Connection, table: Any, last_number: int) -> None:
    """Number the next row of a table after the last one that it ever had."""
    if not last_number:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
        statement = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)")
    else:
        statement = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
    connection.execute(statement, {"table": table, "last": last_number})
