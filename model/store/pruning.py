"""What a store no longer needs: how much there is of it, and its removal."""

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
        Size of their contents, without what a database adds.
    """

    counts: dict[str, int]
    n_bytes: int

    def in_words(self) -> str:
        """Write the counts as ``"2 versions, 1 data set"``; empty if there is nothing."""
        plurals = {"set of refits": "sets of refits"}
        counted_names = ((n, name if n == 1 else plurals.get(name, f"{name}s")) for name, n in self.counts.items() if n)
        return ", ".join(f"{n:,} {name}" for n, name in counted_names)


def find_prunable(store: Store, age: timedelta) -> Prunable:
    """Count what `prune` would remove.

    Raises
    ------
    StoreError
        If the store cannot be read.
    """
    with store.reading() as connection:
        return _count_prunable(connection, _conditions(_cutoff(age)))


def prune(store: Store, age: timedelta) -> Prunable:
    """Remove versions never promoted, ended jobs, and unneeded data, if older than ``age``; return what was removed.

    Promoted versions stay, with their rows and all that they were judged by; so do versions that came with the app,
    and the data of jobs that stay. A file becomes smaller by `model.store.database.Store.compact`.

    Raises
    ------
    StoreError
        If the store cannot be written; what was removed by then was not needed either.
    """
    conditions = _conditions(_cutoff(age))
    with store.writing() as connection:
        prunable = _count_prunable(connection, conditions)
        removed_versions = select(MODEL_VERSION.c.id).where(conditions[MODEL_VERSION])
        rivals = MODEL_VERSION.c.rival_id.in_(removed_versions.scalar_subquery())
        connection.execute(update(MODEL_VERSION).where(rivals).values(rival_id=None))
        data_set_ids = connection.execute(select(DATA_SET.c.id).where(conditions[DATA_SET])).scalars().all()
        for table, condition in conditions.items():
            if table is not DATA_SET:
                connection.execute(delete(table).where(condition))
    for number in data_set_ids:  # one at a time: a large one takes half a second, in which others wait
        with store.writing() as connection:
            connection.execute(delete(DATA_SET).where(conditions[DATA_SET], DATA_SET.c.id == number))
    return prunable


def _cutoff(age: timedelta) -> datetime:
    try:
        return now() - age
    except OverflowError:
        raise StoreError(f"{age.days:,} days are longer than there have been any. Write fewer, like 90d.") from None


def _conditions(cutoff: datetime) -> dict[Table, ColumnElement[bool]]:
    """Which rows of each table can go, whether or not those of the tables before it have gone."""
    promoted = select(PROMOTION.c.version_id)
    chosen = MODEL_VERSION.alias()
    jobs_of_promoted = select(chosen.c.job_id).where(chosen.c.id.in_(promoted), chosen.c.job_id.is_not(None))
    old_version = and_(
        MODEL_VERSION.c.created_at < cutoff,
        MODEL_VERSION.c.shipped.is_(None),
        MODEL_VERSION.c.id.not_in(promoted),
        func.coalesce(MODEL_VERSION.c.job_id, 0).not_in(jobs_of_promoted),  # versions compared with a promoted one stay
    )
    made_by = select(MODEL_VERSION.c.job_id).where(not_(old_version), MODEL_VERSION.c.job_id.is_not(None))
    ended_at = func.coalesce(JOB.c.ended_at, JOB.c.created_at)
    old_job = and_(JOB.c.state.not_in(OPEN), ended_at < cutoff, JOB.c.id.not_in(made_by))
    trained = select(MODEL_VERSION.c.data_set_id).where(not_(old_version))
    requested_id = JOB.c.request["data_set_id"].as_integer()
    requested = select(requested_id).where(not_(old_job), requested_id.is_not(None))
    old_data_set = and_(DATA_SET.c.created_at < cutoff, DATA_SET.c.id.not_in(trained), DATA_SET.c.id.not_in(requested))
    # A job at work may rely on what it has found, and will not make it again.
    in_use = select(DATA_SET.c.sha256).where(DATA_SET.c.id.in_(select(requested_id).where(JOB.c.state.in_(OPEN))))
    of_rows = {
        table: and_(is_unused(table, old_version), table.c.rows_sha256.not_in(in_use)) for table in (EVALUATION, REFITS)
    }
    return {MODEL_VERSION: old_version, JOB: old_job, DATA_SET: old_data_set} | of_rows


def _count_prunable(connection: Connection, conditions: dict[Table, ColumnElement[bool]]) -> Prunable:
    counts, n_bytes = {}, 0
    for table, condition in conditions.items():
        sizes = [func.length(column) for column in table.c if isinstance(column.type, LargeBinary)]
        size: ColumnElement[int] = func.coalesce(func.sum(sum(sizes[1:], sizes[0])), 0) if sizes else literal(0)
        n, table_size = connection.execute(select(func.count(), size).select_from(table).where(condition)).one()
        counts[_NAMES[table]] = n
        n_bytes += int(table_size)
    return Prunable(counts, n_bytes)


def size_of_store(store: Store) -> int:
    """Return the size of a store [bytes]: of its file without the log, or of its tables in PostgreSQL.

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
        query = f"SELECT sum(pg_total_relation_size(name::regclass)) FROM (VALUES {names}) AS tables (name)"  # noqa: S608 - names of ours
        return int(connection.exec_driver_sql(query).scalar() or 0)


def in_megabytes(n_bytes: int) -> str:
    """Write a number of bytes for people."""
    return f"{n_bytes / 1e6:,.1f} MB"
