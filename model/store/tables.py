"""What the store keeps, table by table, and how to open it: in SQLite, or in PostgreSQL if machines share it."""

import selectors
import sqlite3
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    DDL,
    JSON,
    BigInteger,
    Column,
    Connection,
    DateTime,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    TypeDecorator,
    create_engine,
    event,
    make_url,
    types,
)
from sqlalchemy.exc import ArgumentError, DisconnectionError

SCHEMA_VERSION = 7  # each change of it is a step of `model.store.migrations`
DRIVERS = "sqlite", "postgresql+psycopg"  # whose transactions are understood here
_PATIENCE = 15  # [s] to wait for another writer
_REACH = 5  # [s] to wait for a database server to answer
_WRITERS_LOCK = 0x706574726F6C  # the advisory lock of PostgreSQL that every writer holds; any number would do


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and read with its zone, whatever the database does with zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Convert to UTC, and drop the zone."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Add UTC as the zone."""
        return value and value.replace(tzinfo=UTC)


class String(TypeDecorator[str]):
    """Text without the null character, which PostgreSQL cannot store."""

    impl = types.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        """Replace it by the character that stands for an unknown one."""
        return value and value.replace("\0", "\ufffd")


Number = BigInteger().with_variant(Integer, "sqlite")  # whose INTEGER is as big; a key must be called so


def now() -> datetime:
    """Return this moment in UTC."""
    return datetime.now(UTC)


METADATA = MetaData()

SCHEMA = Table("schema_version", METADATA, Column("version", Integer, primary_key=True), Column("columns", String))

DATA_SET = Table(
    "data_set",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # of the rows, not of the bytes
    Column("origin", String, nullable=False),  # "shipped", or the name of the file
    Column("n_rows", Integer, nullable=False),
    Column("created_at", UTCDateTime, nullable=False, default=now),
    Column("parquet", LargeBinary, nullable=False),
    Column("parquet_sha256", String(64)),  # of those bytes; None if they were damaged before it was recorded
    sqlite_autoincrement=True,  # a number is never used twice
)

EVALUATION = Table(
    "evaluation",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("algorithm", String, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("seed", Number, nullable=False),
    Column("rows_sha256", String(64), nullable=False, index=True),
    Column("folds", JSON, nullable=False),
    Column("libraries", JSON, nullable=False),
    Column("predictions", LargeBinary, nullable=False),  # out of fold, shape (n_repeats, n_rows), as npy
    Column("sha256", String(64), nullable=False, unique=True),  # of all of the above
    sqlite_autoincrement=True,
)

MODEL_VERSION = Table(
    "model_version",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("algorithm", String, nullable=False),
    Column("parameters", JSON, nullable=False),
    Column("seed", Number, nullable=False),
    Column("data_set_id", ForeignKey("data_set.id"), nullable=False, index=True),
    Column("excluded", JSON, nullable=False),  # positions of the rows of the data set that were left out
    Column("record", JSON, nullable=False),  # scores, folds, probes, library versions: the sidecar without its arrays
    Column("arrays", LargeBinary, nullable=False),  # importance, as npz
    Column("model", LargeBinary, nullable=False),  # joblib
    Column("sha256", String(64), nullable=False),  # of the joblib bytes
    Column("record_sha256", String(64), nullable=False),  # of recipe, rows, record, arrays and evaluation
    Column("rival_id", ForeignKey("model_version.id")),  # the version then active, if evaluated on the same rows
    Column("job_id", ForeignKey("job.id"), index=True),
    Column("created_by", String, nullable=False),
    Column("created_at", UTCDateTime, nullable=False, default=now),
    Column("shipped", String(64)),  # checksum of the shipped files it came from
    Column("notice", String, nullable=False, default=""),  # what a user must know about how it was obtained
    Column("broken", String),  # why it cannot be used, once that is known
    Column("evaluation_sha256", ForeignKey("evaluation.sha256")),  # None if the version was damaged when migrated
    sqlite_autoincrement=True,
)

REFITS = Table(
    "refits",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("rows_sha256", String(64), nullable=False, unique=True),
    Column("settings", JSON, nullable=False),  # of `model.fitting.refits`: those with others are made anew
    Column("content", LargeBinary, nullable=False),  # arrays, as npz
    Column("sha256", String(64), nullable=False),  # of those bytes
    sqlite_autoincrement=True,
)

PROMOTION = Table(
    "promotion",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("version_id", ForeignKey("model_version.id"), nullable=False),
    Column("at", UTCDateTime, nullable=False, default=now),
    Column("by", String, nullable=False),
    Column("reason", String, nullable=False),
    sqlite_autoincrement=True,
)

OPEN = ("waiting", "running")  # states of a job that has not ended
STATES = (*OPEN, "done", "failed", "cancelled")
THE_APP = "the app"  # who asks for refits, and promotes the shipped model
JOB = Table(
    "job",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("request", JSON, nullable=False),
    Column("visitor", String, nullable=False),
    Column("state", String, nullable=False, index=True),  # waiting, running, done, failed, cancelled
    Column("done", Integer, nullable=False, default=0),  # folds
    Column("total", Integer, nullable=False, default=0),
    Column("message", String, nullable=False, default=""),
    Column("worker", String, nullable=False, default=""),  # "host:process"; "host:" until a process has claimed it
    Column("created_at", UTCDateTime, nullable=False, default=now),
    Column("started_at", UTCDateTime),
    Column("heartbeat", UTCDateTime),
    Column("ended_at", UTCDateTime),
    Column("end_number", Number),  # orders jobs by their ends, which a clock that was set back cannot do
    Column("failure", String),  # why it failed, if that has a cure of its own: see model.queue.jobs
    sqlite_autoincrement=True,
)

ENDED_SIGN_IN = Table(
    "ended_sign_in",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # of who signed in and when
    Column("expires_at", UTCDateTime, nullable=False),  # when it would have ended by itself
    sqlite_autoincrement=True,
)

_ONLY_ADDED = "promotions are only ever added"  # who, when and why is never rewritten
_REPLACES = " WHEN EXISTS (SELECT 1 FROM promotion WHERE id = NEW.id)"  # INSERT OR REPLACE fires no DELETE trigger
for _change, _when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", _REPLACES)):
    event.listen(
        PROMOTION,
        "after_create",
        DDL(
            f"CREATE TRIGGER promotion_no_{_change.lower()} BEFORE {_change} ON promotion{_when} "
            f"BEGIN SELECT RAISE(ABORT, '{_ONLY_ADDED}'); END"
        ).execute_if(dialect="sqlite"),
    )
_REFUSAL = (
    "CREATE OR REPLACE FUNCTION promotion_kept() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_ONLY_ADDED}' USING ERRCODE = 'restrict_violation'; END $$"
)
_TRIGGER = (
    "CREATE TRIGGER promotion_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON promotion "
    "FOR EACH STATEMENT EXECUTE FUNCTION promotion_kept()"
)
for _statement in (_REFUSAL, _TRIGGER):
    event.listen(PROMOTION, "after_create", DDL(_statement).execute_if(dialect="postgresql"))


LOCKED_CODES = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)  # by another program


def _turn_on_log(cursor: Any) -> None:
    """Turn on the write-ahead log; if several do so to a new file at once, SQLite refuses some without waiting."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in LOCKED_CODES or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def engine_of(url: str) -> Engine:
    """Return an engine with the transactions that this program relies on.

    Only one with the execution option ``writes`` runs at a time, and it sees all that was committed before: two that
    read first and write later would otherwise refuse or overwrite each other. One without it sees a single moment.

    Raises
    ------
    sqlalchemy.exc.ArgumentError
        If ``url`` is the address of another kind of database.
    """
    if (driver := make_url(url).drivername) not in DRIVERS:
        raise ArgumentError(f"{driver} is not one of {', '.join(DRIVERS)}")
    is_file = driver.startswith("sqlite")
    options = {"connect_args": {"timeout": _PATIENCE}} if is_file else {"pool_timeout": _PATIENCE}
    engine = create_engine(url, **options)
    (_prepare_sqlite if is_file else _prepare_postgresql)(engine)
    return engine


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _: Any) -> None:
        connection.isolation_level = None  # BEGIN is ours
        cursor = connection.cursor()
        _turn_on_log(cursor)
        # What is committed goes into the file itself at once, so that moving the file alone loses nothing.
        for setting in ("synchronous = NORMAL", "foreign_keys = ON", "wal_autocheckpoint = 1"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    # No setting lasts longer than a transaction: a pooler such as PgBouncer gives each to whichever session is free.
    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, ___: Any, options: dict[str, Any]) -> None:
        defaults: dict[str, Any] = {
            "connect_timeout": _REACH,
            "tcp_user_timeout": _PATIENCE * 1000,
            "keepalives_idle": _PATIENCE,
        }
        defaults |= {"keepalives_interval": 5, "keepalives_count": 3, "client_encoding": "utf8"}
        defaults |= {"prepare_threshold": None, "autocommit": True}  # BEGIN is ours
        for name, value in defaults.items():
            options.setdefault(name, value)

    @event.listens_for(engine, "checkout")
    def _require_answer(connection: Any, record: Any, _: Any) -> None:
        if record.info.get("was used") and not _answers(connection.pgconn):
            raise DisconnectionError  # SQLAlchemy then makes another
        record.info["was used"] = True

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        # One that waited for the lock must see what was committed meanwhile.
        isolation = "READ COMMITTED, READ WRITE" if writes else "REPEATABLE READ, READ ONLY"
        # A machine that is gone, or stands still in the middle, does not hold up the others for long.
        limits = {
            "lock_timeout": _PATIENCE,
            "idle_in_transaction_session_timeout": 4 * _PATIENCE,
            "tcp_user_timeout": _PATIENCE,
        }
        steps = [f"BEGIN ISOLATION LEVEL {isolation}", *(f"SET LOCAL {name} = '{limits[name]}s'" for name in limits)]
        if writes:
            steps.append(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})")
        connection.exec_driver_sql("; ".join(steps))  # together: each round trip takes time


def _answers(connection: Any) -> bool:
    """Whether the server answers soon: a pooler whose server is away keeps clients waiting for minutes or for ever."""
    from psycopg import OperationalError

    deadline = time.monotonic() + _REACH
    with selectors.DefaultSelector() as selector, suppress(OperationalError):
        selector.register(connection.socket, selectors.EVENT_READ)
        connection.send_query(b"SELECT 1")
        connection.flush()
        while connection.is_busy():
            if not selector.select(deadline - time.monotonic()):
                return False
            connection.consume_input()
        answer = connection.get_result()
        while connection.get_result():
            pass
        return answer is not None and not answer.error_message
    return False
