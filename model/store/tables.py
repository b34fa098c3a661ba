"""What the store keeps, table by table, and how to open it: in SQLite, or in PostgreSQL where machines share it."""

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

SCHEMA_VERSION = 7  # a change of it is a step of `model.store.migrations`
DRIVERS = "sqlite", "postgresql+psycopg"  # those whose transactions are understood here
_PATIENCE = 15  # [s] to wait for another writer
_REACH = 5  # [s] to wait for a database server to answer
_WRITER = 0x706574726F6C  # the advisory lock of PostgreSQL that whoever writes holds; any number would do


class UTCDateTime(TypeDecorator[datetime]):
    """A moment, stored in UTC and read with its zone, whatever the database makes of zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Drop the zone after turning to UTC."""
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:  # noqa: ARG002
        """Say that it is UTC."""
        return value and value.replace(tzinfo=UTC)


class String(TypeDecorator[str]):
    """Text, in which PostgreSQL cannot keep the sign of number 0."""

    impl = types.String
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Any) -> str | None:  # noqa: ARG002
        """Put what stands for an unknown sign in its place."""
        return value and value.replace("\0", "\ufffd")


Number = BigInteger().with_variant(Integer, "sqlite")  # where a whole number is a big one, and must be called so


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
    Column("parquet_sha256", String(64)),  # of those bytes; None where they were damaged before it was kept
    sqlite_autoincrement=True,  # a number is never given twice
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
    Column("excluded", JSON, nullable=False),  # places of rows of the data set that were left out
    Column("record", JSON, nullable=False),  # scores, folds, probes, library versions: the sidecar but for its arrays
    Column("arrays", LargeBinary, nullable=False),  # importance, as npz
    Column("model", LargeBinary, nullable=False),  # joblib
    Column("sha256", String(64), nullable=False),  # of the joblib bytes
    Column("record_sha256", String(64), nullable=False),  # of recipe, rows, record, arrays and evaluation
    Column("rival_id", ForeignKey("model_version.id")),  # which was active, and evaluated on the same rows
    Column("job_id", ForeignKey("job.id"), index=True),
    Column("created_by", String, nullable=False),
    Column("created_at", UTCDateTime, nullable=False, default=now),
    Column("shipped", String(64)),  # which shipped files it came from
    Column("notice", String, nullable=False, default=""),  # what a user must know about how it was obtained
    Column("broken", String),  # why it cannot be used, once that was found
    Column("evaluation_sha256", ForeignKey("evaluation.sha256")),  # None where what was migrated was damaged
    sqlite_autoincrement=True,
)

REFITS = Table(
    "refits",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("rows_sha256", String(64), nullable=False, unique=True),
    Column("settings", JSON, nullable=False),  # of `model.fitting.refits`: others are made anew
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
    Column("worker", String, nullable=False, default=""),  # host and process, "host:" until it has begun
    Column("created_at", UTCDateTime, nullable=False, default=now),
    Column("started_at", UTCDateTime),
    Column("heartbeat", UTCDateTime),
    Column("ended_at", UTCDateTime),
    Column("end_number", Number),  # in the order of their ends, which a clock that was set back does not tell
    Column("failure", String),  # why it failed, where that has a cure of its own: see model.queue.jobs
    sqlite_autoincrement=True,
)

ENDED_SIGN_IN = Table(
    "ended_sign_in",
    METADATA,
    Column("id", Number, primary_key=True),
    Column("sha256", String(64), nullable=False, unique=True),  # of whose it is and since when
    Column("expires_at", UTCDateTime, nullable=False),  # when it would have ended by itself
    sqlite_autoincrement=True,
)

_KEPT = "promotions are only ever added"  # who, when and why is never rewritten
_IS_THERE = " WHEN EXISTS (SELECT 1 FROM promotion WHERE id = NEW.id)"  # INSERT OR REPLACE deletes without a DELETE
for _change, _when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", _IS_THERE)):
    event.listen(
        PROMOTION,
        "after_create",
        DDL(
            f"CREATE TRIGGER promotion_no_{_change.lower()} BEFORE {_change} ON promotion{_when} "
            f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
        ).execute_if(dialect="sqlite"),
    )
_REFUSAL = (
    "CREATE OR REPLACE FUNCTION promotion_kept() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN RAISE EXCEPTION '{_KEPT}' USING ERRCODE = 'restrict_violation'; END $$"
)
_TRIGGER = (
    "CREATE TRIGGER promotion_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON promotion "
    "FOR EACH STATEMENT EXECUTE FUNCTION promotion_kept()"
)
for _statement in (_REFUSAL, _TRIGGER):
    event.listen(PROMOTION, "after_create", DDL(_statement).execute_if(dialect="postgresql"))


HELD = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)  # by another program


def _begin_log(cursor: Any) -> None:
    """Turn the write-ahead log on; of several that do it to a new file at once, SQLite refuses some without waiting."""
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in HELD or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def engine_of(url: str) -> Engine:
    """Return an engine whose transactions are what this program relies on.

    One with the execution option ``writes`` is alone among those, and sees all that was committed before: two that
    read first and write later would otherwise refuse or overwrite each other. One without it sees a single moment.

    Raises
    ------
    sqlalchemy.exc.ArgumentError
        If it is the address of another kind of database.
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
        _begin_log(cursor)
        # Whatever was committed goes on into the file itself at once: who moves the file alone then loses nothing.
        for setting in ("synchronous = NORMAL", "foreign_keys = ON", "wal_autocheckpoint = 1"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgresql(engine: Engine) -> None:
    # Nothing lasts longer than a transaction: a pooler such as PgBouncer gives each to whichever session is free.
    @event.listens_for(engine, "do_connect")
    def _connect(_: Any, __: Any, ___: Any, options: dict[str, Any]) -> None:
        usual: dict[str, Any] = {
            "connect_timeout": _REACH,
            "tcp_user_timeout": _PATIENCE * 1000,
            "keepalives_idle": _PATIENCE,
        }
        usual |= {"keepalives_interval": 5, "keepalives_count": 3, "client_encoding": "utf8"}
        usual |= {"prepare_threshold": None, "autocommit": True}  # BEGIN is ours
        for name, value in usual.items():
            options.setdefault(name, value)

    @event.listens_for(engine, "checkout")
    def _require_answer(connection: Any, record: Any, _: Any) -> None:
        if record.info.get("was used") and not _answers(connection.pgconn):
            raise DisconnectionError  # and another is made
        record.info["was used"] = True

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        # What waited for the lock must not see the time before.
        kind = "READ COMMITTED, READ WRITE" if writes else "REPEATABLE READ, READ ONLY"
        # Neither a machine that is gone nor one that stands still in the middle holds the others up for long.
        limits = {
            "lock_timeout": _PATIENCE,
            "idle_in_transaction_session_timeout": 4 * _PATIENCE,
            "tcp_user_timeout": _PATIENCE,
        }
        steps = [f"BEGIN ISOLATION LEVEL {kind}", *(f"SET LOCAL {name} = '{limits[name]}s'" for name in limits)]
        if writes:
            steps.append(f"SELECT pg_advisory_xact_lock({_WRITER})")
        connection.exec_driver_sql("; ".join(steps))  # together: each way to the server and back takes its time


def _answers(connection: Any) -> bool:
    """Whether somebody answers soon: a pooler whose server is away lets who asks wait for minutes, if not for ever."""
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
