"""The name of a person, taken out of a store: the one change that is ever made to the record of promotions."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, select, text, update

from model.store.database import Store, StoreError
from model.store.tables import JOB, MODEL_VERSION, OPEN, PROMOTION, THE_APP

ERASED = "erased"
_PLACES = PROMOTION.c.by, MODEL_VERSION.c.created_by, JOB.c.visitor
_GUARD = "promotion_no_update"


@dataclass(frozen=True)
class Mentions:
    """How often a name is in each table, and when promotions were made whose reason has it."""

    n_promotions: int
    n_versions: int
    n_jobs: int
    reasons: tuple[str, ...]

    @property
    def n_replaced(self) -> int:
        """Of rows in which it is replaced."""
        return self.n_promotions + self.n_versions + self.n_jobs

    def in_words(self, name: str, *, is_done: bool) -> str:
        """Say what was done or would be, and what is left to do."""
        if not (self.n_replaced or self.reasons):
            return f"{name!r} is not in this store."
        counts = (self.n_promotions, "promotion"), (self.n_versions, "version"), (self.n_jobs, "job")
        listed = ", ".join(f"{n:,} {what}{'s' * (n != 1)}" for n, what in counts)
        does = "was replaced" if is_done else "would be replaced"
        lines = [f"{name!r} {does} by {ERASED!r} in {listed}. Numbers, times and reasons stay."]
        if self.reasons:
            lines.append(f"It is in the reasons of promotions of {', '.join(self.reasons)} (UTC), which stay, too.")
        lines.append("Backups, copies and exported cards that were made before still have it.")
        return "\n".join(lines)


def find_mentions(store: Store, name: str) -> Mentions:
    """Count where a name is.

    Raises
    ------
    StoreError
        If it is no name, or the store cannot be read.
    """
    _require_person(name)
    with store.reading() as connection:
        return _mentions(connection, name, _jobs(connection, name))


def erase_name(store: Store, name: str) -> Mentions:
    """Put `ERASED` in the place of a name, whoever wrote it in capitals or small: everywhere, or nowhere.

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
        If it is no name, a job of that name has not ended, or the store cannot be written.
    """
    _require_person(name)
    with store.writing() as connection:
        jobs = _jobs(connection, name)
        mentioned = _mentions(connection, name, jobs)
        if open_jobs := [job.id for job in jobs if job.state in OPEN]:
            raise StoreError(f"Job {open_jobs[0]} of {name!r} has not ended. Wait for it, or cancel it.")
        for job in jobs:
            if _normalise(job.request.get("by", "")) == _normalise(name):
                changed = job.request | {"by": ERASED}
                connection.execute(update(JOB).where(JOB.c.id == job.id).values(request=changed))
        with _unguarded(connection):
            for place in _PLACES:
                spelt = _spelt(connection, place, name)
                connection.execute(update(place.table).where(place.in_(spelt)).values({place.name: ERASED}))
    return mentioned


def _require_person(name: str) -> None:
    if _normalise(name) in {"", THE_APP, ERASED}:
        raise StoreError(f"{name!r} is nobody's name. Name a person.")


def _normalise(name: str) -> str:
    return " ".join(name.split()).casefold()


def _spelt(connection: Connection, place: Column[Any], name: str) -> list[str]:
    """How a name is written in a column: databases differ in what they take for capitals of one letter."""
    return [
        each for each in connection.execute(select(place).distinct()).scalars() if _normalise(each) == _normalise(name)
    ]


def _jobs(connection: Connection, name: str) -> list[Any]:
    rows = connection.execute(select(JOB.c.id, JOB.c.state, JOB.c.visitor, JOB.c.request)).all()
    return [row for row in rows if _normalise(name) in map(_normalise, (row.visitor, row.request.get("by", "")))]


def _mentions(connection: Connection, name: str, jobs: list[Any]) -> Mentions:
    def count(place: Column[Any]) -> int:
        return sum(_normalise(each) == _normalise(name) for each in connection.execute(select(place)).scalars())

    rows = connection.execute(select(PROMOTION.c.at, PROMOTION.c.reason).order_by(PROMOTION.c.id)).all()
    reasons = tuple(f"{row.at:%Y-%m-%d %H:%M}" for row in rows if _normalise(name) in _normalise(row.reason))
    return Mentions(count(PROMOTION.c.by), count(MODEL_VERSION.c.created_by), len(jobs), reasons)


@contextmanager
def _unguarded(connection: Connection) -> Iterator[None]:
    """Lift what keeps promotions from being changed, until the end or the failure of this transaction."""
    if connection.dialect.name == "sqlite":
        guard = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": _GUARD}).scalar()
        connection.exec_driver_sql(f"DROP TRIGGER {_GUARD}")
        yield
        connection.exec_driver_sql(str(guard))
    else:
        connection.exec_driver_sql("ALTER TABLE promotion DISABLE TRIGGER promotion_kept")
        yield
        connection.exec_driver_sql("ALTER TABLE promotion ENABLE TRIGGER promotion_kept")
