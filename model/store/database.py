"""The store of data sets, model versions, promotions and jobs: one database that several processes may use."""

import os
import re
import sqlite3
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, exc, insert, inspect, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from data.errors import DataError
from data.schema import COLUMNS, ROW
from model.fitting.errors import ModelError
from model.fitting.location import FOLDER
from model.store.migrations import migrate
from model.store.mounts import network_file_system
from model.store.tables import LOCKED_CODES, METADATA, SCHEMA, SCHEMA_VERSION, engine_of

_UNWRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
DEFAULT_URL = f"sqlite:///{(FOLDER / 'store.db').as_posix()}"
STORE_SETTING = "PETROL_STORE_URL"
_URL_FORMS = "sqlite:////folder/store.db, or postgresql+psycopg://user:password@host/database"
_HARMLESS = re.compile(r"No module named|import of|\S+ is not one of")  # reasons that repeat nothing of the address
_AWAY = exc.OperationalError, exc.InterfaceError, exc.TimeoutError  # errors of a server that is away
FAILURES: Counter[str] = Counter()  # in all stores of this process: kind -> how often
_JUST_NOW = 50_000_000  # [ns]; the times of files are no finer than a few milliseconds
_CHOICES = {column.name: f" ({', '.join(column.choices)})" for column in COLUMNS if column.choices}
EXPECTED = ", ".join([ROW, *(f"{column.name}{_CHOICES.get(column.name, '')}" for column in COLUMNS)])  # of a store


class StoreError(Exception):
    """The store, or something in it, cannot be used; the message says where, why, and what to do.

    Parameters
    ----------
    message
    may_hide_promotions
        Whether there is a store that may have promotions which are not being served.
    is_transient
        Whether it may pass in a moment, with nothing done.
    """

    def __init__(self, message: str, *, may_hide_promotions: bool = False, is_transient: bool = False) -> None:
        super().__init__(message)
        self.may_hide_promotions, self.is_transient = may_hide_promotions, is_transient


class Store:
    """An open store, created if there is none.

    Parameters
    ----------
    url : str, optional
        Of the database, as SQLAlchemy writes it; from ``PETROL_STORE_URL``, else a file beside the kept model.
    create : bool, default=True
        Whether to create one if there is none.

    Raises
    ------
    StoreError
        If it cannot be opened, written or understood.
    """

    def __init__(self, url: str | None = None, *, create: bool = True) -> None:
        url = url or os.environ.get(STORE_SETTING) or DEFAULT_URL
        self.url = url = url.strip() or url  # an address from a file of secrets ends with a line break
        try:
            self._engine = engine_of(url)
        except ImportError as error:
            raise _unusable(url, f"{error}: python -m pip install -r requirements-scale.txt") from None
        except (SQLAlchemyError, ValueError) as error:
            raise _unusable(url, _first_line(error)) from None
        self.is_file = self._engine.dialect.name == "sqlite"
        weakref.finalize(self, self._engine.dispose)  # else Python complains of unclosed connections
        self.location = self._engine.url.database or ":memory:"
        if self.is_file and ":memory:" in self.location:
            raise _unusable(url, "workers are processes of their own and could not see it")
        self.url = self._engine.url.render_as_string(hide_password=False)
        if self.is_file and not self.location.startswith("file:"):
            absolute_url = self._engine.url.set(database=Path(self.location).absolute().as_posix())
            self.url = absolute_url.render_as_string(hide_password=False)  # for workers, which run in another folder
        if not self.is_file:
            self.location = self._engine.url.set(query={}).render_as_string(hide_password=True)
            if "@" in (self._engine.url.host or ""):
                raise StoreError(
                    f"{STORE_SETTING}: its password has an @. Write that as %40, and :, / and % as %3A, %2F, %25."
                )
        self._exists = not self.is_file or _may_exist(self.location)
        if not (self._exists or create):
            raise StoreError(f"There is no store {self.location}. Check its name.")
        self._require_disk_of_this_machine()
        self._file = self._log = None
        self._was_lost = self.is_new = False
        try:
            with self.writing() as connection:
                self._check_schema(connection, create)
        except StoreError:
            self._engine.dispose()
            raise
        if self.is_file:
            self._file, self._log = _identity(self.location), _identity(f"{self.location}-wal")

    def _require_disk_of_this_machine(self) -> None:
        if self.is_file and (kind := network_file_system(Path(self.location))):
            raise StoreError(
                f"The store {self.location} is on a network file system ({kind}), on which SQLite does not work. Move "
                f"it to a disk of this machine while the app is stopped, or name a PostgreSQL in {STORE_SETTING}.",
                may_hide_promotions=self._exists,
            )

    @property
    def is_replaced(self) -> bool:
        """Whether another file has taken the place of the opened one."""
        return self._file is not None and _identity(self.location) not in (None, self._file)

    def require_file(self) -> None:
        """Refuse to go on if the opened file is no longer in its place.

        Raises
        ------
        StoreError
            Until it is back.
        """
        if self._file is None:
            return
        if _identity(self.location) != self._file:
            # Its connections stay open meanwhile: as long as they do, no other file can get its identity.
            self._was_lost = True
            FAILURES["file"] += 1
            message = (
                f"The store {self.location} was moved or removed while it was open. Put it back, or a backup in its "
                "place. (If the app is started anew instead, it makes a new store.)"
            )
            raise StoreError(message, may_hide_promotions=True)
        if self._was_lost:
            self._was_lost = False
            self._engine.dispose()  # its connections may have a log that is no longer beside it

    def remove_log(self) -> None:
        """Remove the log of the former file, which SQLite would replay into the one that has taken its place."""
        if self.is_replaced and self._log and _identity(f"{self.location}-wal") == self._log:
            for part in ("-wal", "-shm"):
                Path(f"{self.location}{part}").unlink(missing_ok=True)

    @contextmanager
    def reading(self, *, writes: bool = False) -> Iterator[Connection]:
        """Open a transaction; anything that goes wrong in the database becomes a `StoreError`."""
        self.require_file()
        with self.explaining(), self._engine.connect() as connection:
            connection.execution_options(writes=writes)
            with connection.begin():
                yield connection

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """Turn anything that goes wrong in this database into a `StoreError`."""
        try:
            yield
        except (ModelError, DataError):
            raise
        except (SQLAlchemyError, ValueError, KeyError, TypeError, OverflowError) as error:
            FAILURES["database"] += 1
            is_transient = not self.is_file and isinstance(error, _AWAY)
            raise StoreError(
                self._explain(error), may_hide_promotions=self._exists, is_transient=is_transient
            ) from error

    def stamp(self) -> tuple[tuple[int, int, int, int], ...] | None:
        """Return what changes with every commit of any process: times and sizes of the files, read without a query.

        Returns
        -------
        tuple or None
            None if only a query can tell: on a server, or if the files were written so recently that another commit
            could have the same time.
        """
        if not self._file:
            return None
        try:
            stats = [os.stat(f"{self.location}{part}") for part in ("", "-wal")]  # noqa: PTH116 - in the path of a slider move
        except OSError:
            return None
        if time.time_ns() - max(stat.st_mtime_ns for stat in stats) < _JUST_NOW:
            return None
        return tuple((stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size) for stat in stats)

    def writing(self) -> AbstractContextManager[Connection]:
        """Open a transaction that may write; no other writer can come between."""
        return self.reading(writes=True)

    def check(self) -> None:
        """Read the whole file, where opening it reads a small part; a database server looks after its own files.

        Raises
        ------
        StoreError
            If it is damaged.
        """
        if self.is_file:
            with self.reading() as connection:
                self._check_file(connection)

    def compact(self) -> None:
        """Shrink a file to what it holds, even while it is in use; PostgreSQL gives the room to new rows.

        Raises
        ------
        StoreError
            If another program holds the file for long, or its disk has no room for a second one of its size.
        """
        if not self.is_file:
            return
        try:
            with self.explaining(), closing(self._engine.raw_connection()) as connection:
                connection.execute("VACUUM")  # outside of any transaction
                is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            raise StoreError(self._explain(error)) from error
        if is_busy:
            raise StoreError(
                f"The store {self.location} is being read at this moment, so its file still holds what was removed. "
                "Do this again when a backup or copy that is being made has ended."
            )

    def close(self) -> None:
        """Close all connections; the last one to a file writes everything into it."""
        self._engine.dispose()

    def _explain(self, error: Any) -> str:
        if not self.is_file:
            return self._explain_server(error)
        origin = error.orig if isinstance(error, DBAPIError) else error
        reason, code = _first_line(origin), getattr(origin, "sqlite_errorcode", 0) & 0xFF  # without SQLite's extension
        if code in _UNWRITABLE:
            return (
                f"The store {self.location} cannot be written ({reason}). Give it a folder that can be: "
                f"{STORE_SETTING}=sqlite:////folder/store.db."
            )
        if code in LOCKED_CODES:
            return f"The store {self.location} is held by another program ({reason}). Try again in a moment."
        return (
            f"The store {self.location} cannot be read ({reason}). Put a backup in its place, or move it away and "
            "start the app anew: it makes a new one with the shipped model."
        )

    def _explain_server(self, error: Exception) -> str:
        origin = error.orig if isinstance(error, DBAPIError) else error
        state, reason = getattr(origin, "sqlstate", None) or "", _first_line(origin)
        if state == "55P03":
            return f"The store {self.location} is held by another program ({reason}). Try again in a moment."
        if state in {"25006", "42501", "53100"}:
            cure = f"Give its user the right to write and its disk room, or name another in {STORE_SETTING}."
            return f"The store {self.location} cannot be written ({reason}). {cure}"
        if isinstance(error, _AWAY):
            return (
                f"The store {self.location} cannot be reached ({reason}). Start its server, or correct {STORE_SETTING}."
            )
        return f"The store {self.location} cannot be read ({reason}). Put a backup in its place, or name another."

    def _check_file(self, connection: Connection) -> None:
        verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
        if verdict != "ok":
            lines = [line for line in str(verdict).split("\n") if not line.startswith("***")]
            raise StoreError(self._explain(ValueError(" ".join(lines) or verdict)), may_hide_promotions=True)

    def _check_encoding(self, connection: Connection) -> None:
        if (charset := connection.exec_driver_sql("SHOW server_encoding").scalar()) not in ("UTF8", b"UTF8"):
            charset = charset.decode() if isinstance(charset, bytes) else charset
            raise StoreError(
                f"The store {self.location} keeps text as {charset}, in which not all names can be written. Create its "
                "database with ENCODING 'UTF8' TEMPLATE template0.",
                may_hide_promotions=True,
            )

    def _check_schema(self, connection: Connection, create: bool) -> None:
        if not self.is_file:
            self._check_encoding(connection)
        tables = set(inspect(connection).get_table_names())
        if not (tables or create):
            raise StoreError(f"There is no store in {self.location}. Check its name.")
        if not tables:
            self.is_new = True
            METADATA.create_all(connection)
            connection.execute(insert(SCHEMA).values(version=SCHEMA_VERSION, columns=EXPECTED))
            return
        rows = connection.execute(select(SCHEMA.c.version, SCHEMA.c.columns)).all() if SCHEMA.name in tables else []
        if len(rows) == 1 and rows[0].columns == EXPECTED and 1 <= rows[0].version < SCHEMA_VERSION:
            if self.is_file:
                self._check_file(connection)  # a damaged file must not be written to
            try:
                migrate(connection, rows[0].version)
            except (OSError, ImportError, MemoryError) as error:
                reason = f"{type(error).__name__}: {_first_line(error)}"
                message = f"The store {self.location} cannot be brought up to this release at the moment ({reason})."
                raise StoreError(f"{message} Try again.", may_hide_promotions=True) from error
        elif rows != [(SCHEMA_VERSION, EXPECTED)]:
            content = "tables of something else"
            if rows:
                content = f"schema version {rows[0].version}" if rows[0].version != SCHEMA_VERSION else rows[0].columns
            message = (
                f"The store {self.location} has {content}; this program knows schema version {SCHEMA_VERSION} with the "
                f"columns {EXPECTED}. Use the program that wrote it, or name another store in {STORE_SETTING}."
            )
            raise StoreError(message, may_hide_promotions=True)


def _unusable(url: str, reason: str) -> StoreError:
    is_harmless = "@" not in url and (url.startswith("sqlite") or not re.search(r"[:=?]", url.partition("://")[2]))
    is_harmless &= "=" not in url or url.startswith("sqlite")
    text = f"{url[:200]!r} cannot be used ({reason})"
    if not is_harmless:  # any part of an address that cannot be read may be a password
        scheme = match[0] if (match := re.match(r"(?:sqlite|postgresql)(?:\+\w+)?(?=://)", url)) else ""
        text = f"an address {f'{scheme}://... ' if scheme else ''}cannot be used"
        text += f" ({reason})" if _HARMLESS.match(reason) else ""
    return StoreError(f"{STORE_SETTING}: {text}. Write it as {_URL_FORMS}.")


def _may_exist(path: str) -> bool:
    try:
        Path(path).stat()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return False
    except OSError:  # a folder that cannot be looked into may hold it
        return True
    return True


def _identity(path: str) -> tuple[int, int] | None:
    """Identify a file, whatever its name; None if there is none."""
    try:
        stat = Path(path).stat()
    except (OSError, ValueError):
        return None
    return stat.st_dev, stat.st_ino


def _first_line(error: Any) -> str:
    return str(error).strip().split("\n")[0][:200]
