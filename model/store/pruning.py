"""What a store no longer needs: how much of it there is, and its removal."""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    and_,
    delete,
    func,
    literal,
    not_,
    select,
    update,
)

from model.store.database import Store, StoreError
from model.store.history import is_unused
from model.store.tables import DATA_SET, EVALUATION, JOB, METADATA, MODEL_VERSION, OPEN, PROMOTION, REFITS, now

_NAMES = {MODEL_VERSION: "version", DATA_SET: "data set", JOB: "job", EVALUATION: "evaluation", REFITS: "set of refits"}


@dataclass(frozen=True)
class Prunable:
    """What is older than asked for and no longer needed.

    Attributes
    ----------
    counts : dict of int
        How many there are of each kind: "version", "data set", "job", "evaluation", "set of refits".
    n_bytes : int
        That their figures take up, without what a database adds.
    """

    counts: dict[str, int]
    n_bytes: int

    def in_words(self) -> str:
        """List what there is of it, as ``"2 versions, 1 data set"``; empty where there is nothing."""
        words = {"set of refits": "sets of refits"}
        named = ((n, name if n == 1 else words.get(name, f"{name}s")) for name, n in self.counts.items() if n)
        return ", ".join(f"{n:,} {name}" for n, name in named)


def find_prunable(store: Store, age: timedelta) -> Prunable:
    """Count what `prune` would remove.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with store.reading() as connection:
        return _counted(connection, _conditions(_moment(age)))


def prune(store: Store, age: timedelta) -> Prunable:
    """Remove versions that were never promoted, ended jobs, and data that nothing needs, if they are old enough.

    What was promoted stays, with its rows and all that it was judged by; so do versions that came with the app, and
    whatever a job that stays was asked with. A file becomes smaller by `model.store.database.Store.compact`.

    Parameters
    ----------
    store
    age
        What is younger stays.

    Returns
    -------
    Needless
        What was removed.

    Raises
    ------
    StoreError
        If the store cannot be written; what has gone by then was not needed either.
    """
    conditions = _conditions(_moment(age))
    with store.writing() as connection:
        counted = _counted(connection, conditions)
        going = select(MODEL_VERSION.c.id).where(conditions[MODEL_VERSION])
        rivals = MODEL_VERSION.c.rival_id.in_(going.scalar_subquery())
        connection.execute(update(MODEL_VERSION).where(rivals).values(rival_id=None))
        uploads = connection.execute(select(DATA_SET.c.id).where(conditions[DATA_SET])).scalars().all()
        for table, condition in conditions.items():
            if table is not DATA_SET:
                connection.execute(delete(table).where(condition))
    for number in uploads:  # each by itself: a large one takes half a second, in which others wait
        with store.writing() as connection:
            connection.execute(delete(DATA_SET).where(conditions[DATA_SET], DATA_SET.c.id == number))
    return counted


def _moment(age: timedelta) -> datetime:
    try:
        return now() - age
    except OverflowError:
        raise StoreError(f"{age.days:,} days are longer than there have been any. Write fewer, like 90d.") from None


def _conditions(moment: datetime) -> dict[Table, ColumnElement[bool]]:
    """Which rows of each table can go, whether those of the tables before it have gone or not."""
    promoted = select(PROMOTION.c.version_id)
    other = MODEL_VERSION.alias()
    chosen_in = select(other.c.job_id).where(other.c.id.in_(promoted), other.c.job_id.is_not(None))
    version = and_(
        MODEL_VERSION.c.created_at < moment,
        MODEL_VERSION.c.shipped.is_(None),
        MODEL_VERSION.c.id.not_in(promoted),
        func.coalesce(MODEL_VERSION.c.job_id, 0).not_in(chosen_in),  # what was compared with a promoted one stays
    )
    made_by = select(MODEL_VERSION.c.job_id).where(not_(version), MODEL_VERSION.c.job_id.is_not(None))
    ended = func.coalesce(JOB.c.ended_at, JOB.c.created_at)
    job = and_(JOB.c.state.not_in(OPEN), ended < moment, JOB.c.id.not_in(made_by))
    trained_on = select(MODEL_VERSION.c.data_set_id).where(not_(version))
    number = JOB.c.request["data_set_id"].as_integer()
    asked_with = select(number).where(not_(job), number.is_not(None))
    data_set = and_(DATA_SET.c.created_at < moment, DATA_SET.c.id.not_in(trained_on), DATA_SET.c.id.not_in(asked_with))
    # A job at work may have found what it does not work out again.
    at_work = select(DATA_SET.c.sha256).where(DATA_SET.c.id.in_(select(number).where(JOB.c.state.in_(OPEN))))
    of_rows = {
        table: and_(is_unused(table, version), table.c.rows_sha256.not_in(at_work)) for table in (EVALUATION, REFITS)
    }
    return {MODEL_VERSION: version, JOB: job, DATA_SET: data_set} | of_rows


def _counted(connection: Connection, conditions: dict[Table, ColumnElement[bool]]) -> Prunable:
    counts, n_bytes = {}, 0
    for table, condition in conditions.items():
        heavy = [func.length(column) for column in table.c if isinstance(column.type, LargeBinary)]
        weight: ColumnElement[int] = func.coalesce(func.sum(sum(heavy[1:], heavy[0])), 0) if heavy else literal(0)
        n, n_more = connection.execute(select(func.count(), weight).select_from(table).where(condition)).one()
        counts[_NAMES[table]] = n
        n_bytes += int(n_more)
    return Prunable(counts, n_bytes)


def size_of_store(store: Store) -> int:
    """Return how much room a store takes up [bytes]: its file without the log, or its tables in PostgreSQL.

    Raises
    ------
    StoreError
        If it cannot be read.
    """
    with store.reading() as connection:
        if store.is_file:
            pages = (connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("page_count", "page_size"))
            return math.prod(int(pages_or_bytes or 0) for pages_or_bytes in pages)
        names = ", ".join(f"('{table.name}')" for table in METADATA.sorted_tables)
        total = f"SELECT sum(pg_total_relation_size(name::regclass)) FROM (VALUES {names}) AS tables (name)"  # noqa: S608 - names of ours
        return int(connection.exec_driver_sql(total).scalar() or 0)


def in_megabytes(n_bytes: int) -> str:
    """Write a number of bytes for people."""
    return f"{n_bytes / 1e6:,.1f} MB"
