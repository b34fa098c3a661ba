"""Move a whole store into another database, and prove that all of it arrived."""

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
class Copied:
    """What a table holds in both stores: how many rows, and the SHA-256 of all of their values."""

    table: str
    n_rows: int
    sha256: str


def copy_store(source_url: str, target_url: str) -> list[Copied]:
    """Copy everything from one store to an empty one: all of it, checked, or nothing.

    Numbers stay, and none is given again that was ever given.

    Parameters
    ----------
    source_url, target_url
        Of the databases, as SQLAlchemy writes them; the target is created where there is none.

    Returns
    -------
    list of Copied
        A table each.

    Raises
    ------
    StoreError
        If one of them cannot be used, the source has a job under way, the target holds something, or what arrived is
        not what was sent.
    """
    source = Store(source_url, create=False)
    Dispatcher().dispatch(source, starting=False)  # one whose worker is gone is not under way
    if jobs.list_jobs(source, JOB.c.state == "running"):
        raise StoreError(f"The store {source.location} has a training under way. Wait for its end, or cancel it.")
    return _copy(source, Store(target_url))


def _copy(source: Store, target: Store) -> list[Copied]:
    with source.reading() as giving, target.writing() as taking:
        for table in _TABLES:
            if taking.execute(select(func.count()).select_from(table)).scalar():
                raise StoreError(f"The store {target.location} is not empty. Name a new one; nothing was copied.")
        sent = [_send(source, giving, taking, table) for table in _TABLES]
        if sent != [_summed(table, _rows(taking, table)) for table in _TABLES]:
            raise StoreError(f"What arrived in {target.location} is not what was sent. Nothing was kept; try again.")
    return sent


def write_backup(store: Store, target: Path) -> None:
    """Write a store, which may be in use, to a new file of SQLite as it is at this moment: all of it, or nothing.

    Parameters
    ----------
    store
        A file, or in PostgreSQL.
    target
        Must not be there yet.

    Raises
    ------
    StoreError
        If the file cannot be written, or the store cannot be read or is damaged.
    """
    try:
        if target.exists():
            raise FileExistsError
        store.check()
        # On the disk of another machine SQLite does not work, but a whole file can be kept there.
        aside = TemporaryDirectory(prefix="backup-") if network_file_system(target.parent) else nullcontext()
        with TemporaryDirectory(prefix="backup-", dir=target.parent) as beside, aside as folder:
            part, whole = Path(folder or beside) / "store.db", Path(beside) / "store.db"
            if store.is_file:
                with store.reading() as connection, closing(sqlite3.connect(part)) as copied:
                    file: Any = connection.connection.driver_connection
                    file.backup(copied)
            else:
                target_store = Store(f"sqlite:///{part}")
                _copy(store, target_store)
                target_store.close()
            if part != whole:
                shutil.copyfile(part, whole)
            try:
                target.hardlink_to(whole)  # unlike renaming, this never replaces what has come there meanwhile
            except FileExistsError:
                raise
            except OSError:  # some disks know no links
                whole.rename(target)
    except FileExistsError:
        raise StoreError(f"{target} is there already. Name a new file; nothing was written.") from None
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StoreError(f"{target} cannot be written ({reason}). Name a file in a folder that can be.") from error


def _send(source: Store, giving: Connection, taking: Connection, table: Any) -> Copied:
    def given() -> Iterator[Any]:
        with source.explaining():  # else what is wrong there would be said of the target
            yield from _rows(giving, table)

    def passing() -> Iterator[Any]:
        for row in given():
            taking.execute(insert(table).values(row))
            yield row

    sent = _summed(table, passing())
    with source.explaining():
        last = _last_number(giving, table.name)
    _continue_numbers(taking, table.name, last)
    return sent


def _summed(table: Any, rows: Iterator[Any]) -> Copied:
    digest, n_rows = hashlib.sha256(), 0
    for row in rows:
        digest.update(_canonical(row))
        n_rows += 1
    return Copied(table.name, n_rows, digest.hexdigest())


def _rows(connection: Connection, table: Any) -> Iterator[dict[str, Any]]:
    """The rows one after another: together they may be larger than the memory."""
    one = select(table).where(table.c.id == bindparam("number"))
    for number in connection.execute(select(table.c.id).order_by(table.c.id)).scalars().all():
        yield dict(connection.execute(one, {"number": number}).mappings().one())


def _canonical(
    row: dict[str, Any],
) -> bytes:
    """A row as bytes that are the same whichever database it came from."""

    def plain(value: bytes | datetime) -> str:
        return hashlib.sha256(value).hexdigest() if isinstance(value, bytes) else value.isoformat()

    return json.dumps(row, sort_keys=True, default=plain).encode()


def _last_number(connection: Connection, table: Any) -> int:
    """The highest number that was ever given in a table, or 0."""
    if connection.dialect.name == "sqlite":
        given = text("SELECT seq FROM sqlite_sequence WHERE name = :table")
        return connection.execute(given, {"table": table}).scalar() or 0
    given = text(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {table}_id_seq")  # noqa: S608 - a name of ours
    return connection.execute(given).scalar() or 0


def _continue_numbers(connection: Connection, table: Any, last: int) -> None:
    """Have the next row of a table numbered after the last one ever."""
    if not last:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table})
        given = text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :last)")
    else:
        given = text("SELECT setval(pg_get_serial_sequence(:table, 'id'), :last)")
    connection.execute(given, {"table": table, "last": last})
