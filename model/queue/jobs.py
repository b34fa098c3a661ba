"""The queue of trainings in the store: visitors ask for them, and a worker process does one at a time."""

import os
import socket
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select, update

from model.fitting.errors import ModelError
from model.fitting.recipe import Recipe, estimate_cost, make_recipe
from model.store.database import Store, StoreError
from model.store.tables import DATA_SET, JOB, OPEN, THE_APP, now
from model.store.versions import add_serialised, inserted_number, serialise_rows

if TYPE_CHECKING:
    import pandas as pd

MAX_WAITING = 20  # of all visitors
CLUSTER_FAILED = "cluster"  # why a job failed that this machine could do instead
EXIT_NOT_SAVED = 3  # exit code of a worker that could not save what it trained


@dataclass(frozen=True)
class JobRequest:
    """What a job is to do; without an algorithm it makes the refits of the rows.

    Attributes
    ----------
    algorithms
        One, or several to compare.
    parameters
        Of a single algorithm; those left out have their defaults.
    excluded
        Positions of rows to leave out.
    by
        Name of whoever asks, for the record.
    here
        Whether to train on this machine even if a cluster is set.
    """

    data_set_id: int
    algorithms: tuple[str, ...] = ()
    parameters: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    excluded: tuple[int, ...] = ()
    by: str = ""
    here: bool = False

    def recipe(self, algorithm: str) -> Recipe:
        """Return the recipe of one of its algorithms; the parameters count only if there is no other."""
        return make_recipe(algorithm, self.parameters if len(self.algorithms) == 1 else None, self.seed)

    def to_record(self) -> dict[str, Any]:
        """Return plain values, as the store holds them."""
        values = asdict(self) | {"algorithms": list(self.algorithms), "excluded": list(self.excluded)}
        return {name: value for name, value in values.items() if name != "here" or value}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "JobRequest":
        """Read what `to_record` returned."""
        tuples = {name: tuple(record.get(name, ())) for name in ("algorithms", "excluded")}
        return cls(**{**record, **tuples})


@dataclass(frozen=True)
class Job:
    """A job of the queue; ``done`` and ``total`` count fits."""

    id: int
    request: JobRequest
    visitor: str
    state: str
    done: int
    total: int
    message: str
    failure: str | None
    worker: str
    created_at: datetime
    started_at: datetime | None
    heartbeat: datetime | None
    ended_at: datetime | None


def submit(
    store: Store,
    visitor: str,
    data: "int | tuple[pd.DataFrame, str]",
    algorithms: Sequence[str],
    *,
    parameters: Mapping[str, float] | None = None,
    seed: int = 0,
    excluded: Iterable[int] = (),
    by: str = "a visitor",
    here: bool = False,
) -> int:
    """Put a training at the end of the queue.

    Parameters
    ----------
    visitor
        Who asks; each visitor may have one job waiting.
    data
        Number of a data set; or rows and their origin, which are stored together with the job, or neither is.
    algorithms
        One, or several to compare.
    parameters
        Of a single algorithm.
    excluded
        Positions of rows to leave out.
    by
        Name of whoever asks, for the record.
    here
        Whether to train on this machine even if a cluster is set.

    Returns
    -------
    int
        Number of the job.

    Raises
    ------
    ModelError
        If the only recipe is not possible or would be too large to keep, or a row to leave out does not exist.
    StoreError
        If the data set does not exist, there is no algorithm, or the visitor has to wait first.
    """
    serialised = {} if isinstance(data, int) else serialise_rows(*data)
    with store.writing() as connection:
        data_set_id = data if isinstance(data, int) else add_serialised(connection, serialised)
        n_rows = connection.execute(select(DATA_SET.c.n_rows).where(DATA_SET.c.id == data_set_id)).scalar()
        if n_rows is None:
            raise StoreError(f"Data set {data_set_id} is not in the store {store.location}. Choose another.")
        if not algorithms:
            raise StoreError("There is nothing to train. Choose an algorithm.")
        request = JobRequest(
            data_set_id,
            tuple(dict.fromkeys(algorithms)),
            parameters or {},
            seed,
            tuple(sorted({int(position) for position in excluded})),
            by,
            here,
        )
        recipes = [request.recipe(algorithm) for algorithm in request.algorithms]
        if len(recipes) == 1:
            estimate_cost(recipes[0], n_rows)
        if missing := [position for position in excluded if not 0 <= position < n_rows]:
            raise ModelError(f"There is no row {missing[0]} to leave out: the rows are 0 to {n_rows - 1}.")
        waiting = connection.execute(select(JOB.c.id, JOB.c.visitor).where(JOB.c.state == "waiting")).all()
        if own_waiting := [job.id for job in waiting if job.visitor == visitor]:
            raise StoreError(f"Your job {own_waiting[0]} is still waiting. Cancel it, or let it begin first.")
        if len(waiting) >= MAX_WAITING:
            raise StoreError(f"{len(waiting)} jobs are waiting already. Try again when some have ended.")
        values = {"request": request.to_record(), "visitor": visitor, "state": "waiting"}
        return inserted_number(connection.execute(insert(JOB).values(values)))


def submit_refits(store: Store, data_set_id: int, excluded: tuple[int, ...]) -> None:
    """Queue a job without an algorithm, which makes the refits of rows and gives way to what people ask for."""
    request = JobRequest(data_set_id, excluded=excluded, by=THE_APP).to_record()
    with store.writing() as connection:
        open_requests = connection.execute(select(JOB.c.request).where(JOB.c.state.in_(OPEN))).scalars()
        if request not in open_requests:
            values = {"request": request, "visitor": THE_APP, "state": "waiting"}
            connection.execute(insert(JOB).values(values))


def sort_by_turn(current: list[Job]) -> list[Job]:
    """Order open jobs: first the running one, then what people asked for, then what the app asked for."""
    return sorted(current, key=lambda job: (job.state != "running", not job.request.algorithms, job.id))


def list_jobs(store: Store, *conditions: ColumnElement[bool]) -> list[Job]:
    """List the jobs that meet all conditions on their table, the oldest first."""
    with store.reading() as connection:
        return read_jobs(connection, *conditions)


def read_jobs(connection: Connection, *conditions: ColumnElement[bool]) -> list[Job]:
    """List jobs as `list_jobs` does, in a transaction that has begun."""
    columns = [JOB.c[name] for name in Job.__dataclass_fields__]
    rows = connection.execute(select(*columns).where(*conditions).order_by(JOB.c.id)).mappings()
    return [Job(**{**row, "request": JobRequest.from_record(row["request"])}) for row in rows]


def list_open_jobs(store: Store) -> list[Job]:
    """List the running job, then those waiting, in their turn."""
    return sort_by_turn(list_jobs(store, JOB.c.state.in_(OPEN)))


def count_states(store: Store) -> dict[str, int]:
    """Count the jobs: state -> how many."""
    with store.reading() as connection:
        return dict(connection.execute(select(JOB.c.state, func.count()).group_by(JOB.c.state)).all())


def find_job(store: Store, number: int) -> Job | None:
    """Return one job, or None."""
    return next(iter(list_jobs(store, JOB.c.id == number)), None)


def find_last_ended(store: Store) -> Job | None:
    """Return the job that ended last, or None."""
    last = select(func.max(JOB.c.end_number)).scalar_subquery()
    return next(iter(list_jobs(store, JOB.c.end_number == last)), None)


def ending_values(state: str, message: str, failure: str | None = None) -> dict[str, object]:
    """Return the values that change in a job when it ends."""
    all_jobs = JOB.alias()
    end_number = select(func.coalesce(func.max(all_jobs.c.end_number), 0) + 1).scalar_subquery()
    return {"state": state, "ended_at": now(), "end_number": end_number, "message": message, "failure": failure}


def find_next(store: Store) -> int:
    """Return the number of the job that is next in the queue, or 0."""
    return next((job.id for job in list_open_jobs(store) if job.state == "waiting"), 0)


def cancel(store: Store, number: int) -> bool:
    """End a job and return whether it was still open; its worker notices within a second and ends itself."""
    return update_jobs(
        store, and_(JOB.c.id == number, JOB.c.state.in_(OPEN)), **ending_values("cancelled", "Cancelled.")
    )


def update_jobs(store: Store, condition: ColumnElement[bool], **values: Any) -> bool:
    """Change the jobs that meet a condition on their table, and return whether there were any."""
    with store.writing() as connection:
        return connection.execute(update(JOB).where(condition).values(values)).rowcount > 0


def is_owned_by(number: int, worker: str) -> ColumnElement[bool]:
    """Condition on the job table: this job is running, and belongs to this worker."""
    return and_(JOB.c.id == number, JOB.c.state == "running", JOB.c.worker == worker)


def send_heartbeat(store: Store, number: int, worker: str, **values: Any) -> bool:
    """Record that the worker is alive, and how far it is.

    Return False if the job was cancelled or given up for lost: the worker must stop.
    """
    return update_jobs(store, is_owned_by(number, worker), heartbeat=now(), **values)


def claim_job(store: Store, number: int) -> str:
    """Become the worker of a job that waits, or that was set running for this process to claim.

    Return the worker's name; empty if the job cannot be claimed.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    is_unclaimed = and_(JOB.c.state == "running", JOB.c.worker == f"{socket.gethostname()}:")
    is_due = and_(JOB.c.state == "waiting", ~select(JOB.c.id).where(JOB.c.state == "running").correlate(None).exists())
    running_values = {"state": "running", "worker": worker, "started_at": now(), "heartbeat": now()}
    return worker if update_jobs(store, and_(JOB.c.id == number, or_(is_unclaimed, is_due)), **running_values) else ""
