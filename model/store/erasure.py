"""Erase the name of a person from a store: the one change that is ever made to the record of promotions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, select, text, update

from model.store.database import Store, StoreError
from model.store.tables import JOB, MODEL_VERSION, OPEN, PROMOTION, THE_APP

ERASED = "erased"
_NAME_COLUMNS = PROMOTION.c.by, MODEL_VERSION.c.created_by, JOB.c.visitor
_GUARD = "promotion_no_update"


@dataclass(frozen=True)
class Mentions:
    """How often each table has a name, and when promotions were made whose reason mentions it."""

    n_promotions: int
    n_versions: int
    n_jobs: int
    reasons: tuple[str, ...]

    @property
    def n_replaced(self) -> int:
        """Number of rows in which the name is replaced."""
        return self.n_promotions + self.n_versions + self.n_jobs

    def in_words(self, name: str, *, is_done: bool) -> str:
        """Say what was or would be done, and what is left to do."""
        if not (self.n_replaced or self.reasons):
            return f"{name!r} is not in this store."
        counts = (self.n_promotions, "promotion"), (self.n_versions, "version"), (self.n_jobs, "job")
        listed = ", ".join(f"{n:,} {noun}{'s' * (n != 1)}" for n, noun in counts)
        action = "was replaced" if is_done else "would be replaced"
        lines = [f"{name!r} {action} by {ERASED!r} in {listed}. Numbers, times and reasons stay."]
        if self.reasons:
            lines.append(f"It is in the reasons of promotions of {', '.join(self.reasons)} (UTC), which stay, too.")
        lines.append("Backups, copies and exported cards that were made before still have it.")
        return "\n".join(lines)


def find_mentions(store: Store, name: str) -> Mentions:
    """Count the mentions of a name.

    Raises
    ------
    StoreError
        If it is nobody's name, or the store cannot be read.
    """
    _require_person(name)
    with store.reading() as connection:
        return _count_mentions(connection, name, _find_jobs(connection, name))


def erase_name(store: Store, name: str) -> Mentions:
    """Replace a name by `ERASED`, whether in capitals or not: everywhere, or nowhere.

    Parameters
    ----------
    store
    name
        An address, or what was typed as a name.

    Returns
    -------
    Mentions
        Where it was.

    Raises
    ------
    StoreError
        If it is nobody's name, a job of that name has not ended, or the store cannot be written.
    """
    _require_person(name)
    with store.writing() as connection:
        jobs = _find_jobs(connection, name)
        mentions = _count_mentions(connection, name, jobs)
        if open_jobs := [job.id for job in jobs if job.state in OPEN]:
            raise StoreError(f"Job {open_jobs[0]} of {name!r} has not ended. Wait for it, or cancel it.")
        for job in jobs:
            if _normalise(job.request.get("by", "")) == _normalise(name):
                request = job.request | {"by": ERASED}
                connection.execute(update(JOB).where(JOB.c.id == job.id).values(request=request))
        with _unguarded(connection):
            for column in _NAME_COLUMNS:
                spellings = _find_spellings(connection, column, name)
                connection.execute(update(column.table).where(column.in_(spellings)).values({column.name: ERASED}))
    return mentions


def _require_person(name: str) -> None:
    if _normalise(name) in {"", THE_APP, ERASED}:
        raise StoreError(f"{name!r} is nobody's name. Name a person.")


def _normalise(name: str) -> str:
    return " ".join(name.split()).casefold()


def _find_spellings(connection: Connection, column: Column[Any], name: str) -> list[str]:
    """How a name is written in a column; compared here, as databases differ in what they take for capitals."""
    stored_names = connection.execute(select(column).distinct()).scalars()
    return [spelling for spelling in stored_names if _normalise(spelling) == _normalise(name)]


def _find_jobs(connection: Connection, name: str) -> list[Any]:
    rows = connection.execute(select(JOB.c.id, JOB.c.state, JOB.c.visitor, JOB.c.request)).all()
    return [row for row in rows if _normalise(name) in map(_normalise, (row.visitor, row.request.get("by", "")))]


def _count_mentions(connection: Connection, name: str, jobs: list[Any]) -> Mentions:
    def count(column: Column[Any]) -> int:
        stored_names = connection.execute(select(column)).scalars()
        return sum(_normalise(stored_name) == _normalise(name) for stored_name in stored_names)

    rows = connection.execute(select(PROMOTION.c.at, PROMOTION.c.reason).order_by(PROMOTION.c.id)).all()
    reasons = tuple(f"{row.at:%Y-%m-%d %H:%M}" for row in rows if _normalise(name) in _normalise(row.reason))
    return Mentions(count(PROMOTION.c.by), count(MODEL_VERSION.c.created_by), len(jobs), reasons)


@contextmanager
def _unguarded(connection: Connection) -> Iterator[None]:
    """Lift the guard that keeps promotions from being changed; if the transaction fails, its rollback restores it."""
    if connection.dialect.name == "sqlite":
        guard = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": _GUARD}).scalar()
        connection.exec_driver_sql(f"DROP TRIGGER {_GUARD}")
        yield
        connection.exec_driver_sql(str(guard))
    else:
        connection.exec_driver_sql("ALTER TABLE promotion DISABLE TRIGGER promotion_kept")
        yield
        connection.exec_driver_sql("ALTER TABLE promotion ENABLE TRIGGER promotion_kept")
