"""The queue of trainings in the store: asked for by visitors, worked off one at a time, each by its own process."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import and_, insert, or_, select, update

from model import recipe
from model.recipe import ModelError
from model.store import VARIABLE, StoreError
from model.tables import DATA_SET, JOB, now
from model.versions import add_packed, packed

STALE = timedelta(seconds=20)  # a worker beats every half second; one silent for so long is gone
TO_BEGIN = timedelta(seconds=60)  # and one that is just starting may have to read its libraries from a slow disk
MAX_WAITING = 20  # over all visitors
UNWRITTEN = 3  # exit code of a worker that could not keep what it has trained
OPEN = ("waiting", "running")
AGAIN = 3  # [s] after which who seemed silent is looked at again: perhaps the store was away, and nobody could beat
_silent = {}  # worker and heartbeat -> when this process first saw that silence
_closed = set()  # stores for which this process starts no worker any more
_started = {}  # process that this one has started and not yet seen end -> store and job


@dataclass(frozen=True)
class Job:
    """A training that was asked for; ``done`` and ``total`` count folds."""

    id: int
    request: dict
    visitor: str
    state: str
    done: int
    total: int
    message: str
    worker: str
    created_at: datetime
    started_at: datetime | None
    heartbeat: datetime | None
    ended_at: datetime | None


def submit(store, visitor, data, algorithms, *, parameters=None, seed=0, excluded=(), by="a visitor", here=False):
    """Put a training at the end of the queue.

    Parameters
    ----------
    store : model.store.Store
    visitor : str
        Who asks; one visitor has at most one job waiting.
    data : int or (pandas.DataFrame, str)
        Number of a data set; or rows and where they come from, which are then kept with the job or not at all.
    algorithms : list of str
        One, or several to compare.
    parameters : dict, optional
        Of the algorithm, where it is one.
    seed : int, default=0
    excluded : iterable of int
        Places of rows to leave out.
    by : str
        What to call who asks, for the record.
    here : bool, default=False
        Whether to train on this machine also where a cluster is set.

    Returns
    -------
    int
        Number of the job.

    Raises
    ------
    ModelError
        If a single recipe is not possible, or would be too large to keep.
    StoreError
        If the data are not there, or somebody has to wait first.
    """
    values = None if isinstance(data, int) else packed(*data)
    with store.writing() as connection:
        data_set_id = add_packed(connection, values) if values else data
        n_rows = connection.execute(select(DATA_SET.c.n_rows).where(DATA_SET.c.id == data_set_id)).scalar()
        if n_rows is None:
            raise StoreError(f"Data set {data_set_id} is not in the store {store.location}. Choose another.")
        if not algorithms:
            raise StoreError("There is nothing to train. Choose an algorithm.")
        for algorithm in algorithms:
            recipe.pipeline(algorithm, parameters if len(algorithms) == 1 else None, seed)
        if len(algorithms) == 1:
            recipe.cost(algorithms[0], parameters, n_rows)
        if missing := [place for place in excluded if not 0 <= place < n_rows]:
            raise ModelError(f"There is no row {missing[0]} to leave out: the rows are 0 to {n_rows - 1}.")
        waiting = connection.execute(select(JOB.c.id, JOB.c.visitor).where(JOB.c.state == "waiting")).all()
        if mine := [job.id for job in waiting if job.visitor == visitor]:
            raise StoreError(f"Your job {mine[0]} is still waiting. Cancel it, or let it begin first.")
        if len(waiting) >= MAX_WAITING:
            raise StoreError(f"{len(waiting)} jobs are waiting already. Try again when some have ended.")
        request = {
            "data_set_id": data_set_id,
            "algorithms": list(dict.fromkeys(algorithms)),
            "parameters": parameters or {},
            "seed": seed,
            "excluded": sorted({int(place) for place in excluded}),
            "by": by,
        } | ({"here": True} if here else {})
        values = {"request": request, "visitor": visitor, "state": "waiting"}
        return connection.execute(insert(JOB).values(values)).inserted_primary_key[0]


def jobs(store, *conditions):
    """List the jobs that meet all conditions on their table, the oldest first."""
    columns = [JOB.c[name] for name in Job.__dataclass_fields__]
    with store.reading() as connection:
        return [Job(*row) for row in connection.execute(select(*columns).where(*conditions).order_by(JOB.c.id))]


def open_jobs(store):
    """List the running job and those that wait, in their order."""
    return jobs(store, JOB.c.state.in_(OPEN))


def job(store, number):
    """Return one job, or None."""
    return next(iter(jobs(store, JOB.c.id == number)), None)


def last_ended(store):
    """Return the job that ended last, or None."""
    ended = JOB.c.ended_at
    newest = select(JOB.c.id).where(ended.is_not(None)).order_by(ended.desc(), JOB.c.id.desc()).limit(1)
    return next(iter(jobs(store, JOB.c.id == newest.scalar_subquery())), None)


def following(store):
    """Return the number of the job that is next in the queue, or 0."""
    return next((job.id for job in open_jobs(store) if job.state == "waiting"), 0)


def cancel(store, number):
    """End a job that waits or runs; its worker finds out within a second and ends itself.

    Returns
    -------
    bool
        False where it had ended already.
    """
    change = {"state": "cancelled", "ended_at": now(), "message": "Cancelled."}
    return _change(store, and_(JOB.c.id == number, JOB.c.state.in_(OPEN)), **change)


def _change(store, condition, **values):
    with store.writing() as connection:
        return connection.execute(update(JOB).where(condition).values(values)).rowcount > 0


def own(number, worker):
    """Condition on the job table: this job is running, and this worker has it."""
    return and_(JOB.c.id == number, JOB.c.state == "running", JOB.c.worker == worker)


def beat(store, number, worker, **values):
    """Say that the worker is alive, and how far it is.

    Returns
    -------
    bool
        False where the job was cancelled or given up for lost: the worker must stop.
    """
    return _change(store, own(number, worker), heartbeat=now(), **values)


def take(store, number):
    """Become the worker of a job that waits, or that was set running for this process to take.

    Returns
    -------
    str
        The worker's name; empty where the job is not to be had.
    """
    worker = f"{socket.gethostname()}:{os.getpid()}"
    mine = and_(JOB.c.state == "running", JOB.c.worker == f"{socket.gethostname()}:")
    nobody = and_(JOB.c.state == "waiting", ~select(JOB.c.id).where(JOB.c.state == "running").correlate(None).exists())
    taken = {"state": "running", "worker": worker, "started_at": now(), "heartbeat": now()}
    return worker if _change(store, and_(JOB.c.id == number, or_(mine, nobody)), **taken) else ""


def dispatch(store, *, starting=True):
    """Give up jobs whose worker is gone, and start a worker for the next one if none runs.

    Any process may call this at any time: one transaction decides.

    Parameters
    ----------
    store : model.store.Store
    starting : bool, default=True
        Whether a worker may be started.

    Returns
    -------
    int or None
        The job that was started.
    """
    if store.url in _closed:
        return None
    _reap(store)
    current = open_jobs(store)
    if not current or (current[0].state == "running" and _is_alive(current[0])):
        return None
    with store.writing() as connection:
        columns = [JOB.c[name] for name in Job.__dataclass_fields__]
        query = select(*columns).where(JOB.c.state.in_(OPEN)).order_by(JOB.c.id)
        current = [Job(*row) for row in connection.execute(query)]
        for lost in (one for one in current if one.state == "running"):
            if _is_alive(lost):
                return None
            values = _given_up(lost, "The worker was ended from outside")
            connection.execute(update(JOB).where(JOB.c.id == lost.id).values(values))
        following = next((one.id for one in current if one.state == "waiting"), None)
        if following is None or not starting:
            return None
        begun = {"state": "running", "worker": f"{socket.gethostname()}:", "started_at": now(), "heartbeat": now()}
        connection.execute(update(JOB).where(JOB.c.id == following).values(begun))
    command = [sys.executable, "-m", "model.worker", str(following)]
    options = {"cwd": Path(__file__).parent.parent, "env": os.environ | {VARIABLE: store.url}}
    try:
        process = subprocess.Popen(  # noqa: S603 - our own module and a number
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, **options
        )
    except OSError as error:
        _not_begun(store, following, f"No worker could be started ({error.strerror}). Try again in a moment.")
        return None
    _started[process] = store.url, following
    return following


def _reap(store):
    """Close the jobs of workers that have ended without doing that themselves, where their exit code says why."""
    for process in list(_started):
        if process.poll() is None:
            continue
        url, number = _started.get(process, ("", 0))
        if url == store.url:  # of a job that it has taken, its heart tells
            _not_begun(store, number, f"Its worker ended before it began (exit code {process.returncode}).")
            if process.returncode == UNWRITTEN:
                why = "the disk is full, or another program held it. Start it again when that is over."
                told = f"What was trained could not be written to the store: {why}"
                _change(store, _of(process), state="failed", ended_at=now(), message=told)
        _started.pop(process, None)  # not before that is written: a full disk must not leave the job without an end


def _not_begun(store, number, message):
    """Close a job whose worker never took it."""
    _change(store, own(number, f"{socket.gethostname()}:"), state="failed", ended_at=now(), message=message)


def end_workers(store):
    """End the workers that this process has started and say so in their jobs: it is about to end itself."""
    _closed.add(store.url)  # else a page that is being drawn would begin the next job
    ending = [(process, number) for process, (url, number) in list(_started.items()) if url == store.url]
    for process, _ in ending:
        process.kill()  # with its helpers, which follow; what it was writing is undone
    for process, number in ending:
        process.wait()
        _started.pop(process, None)
        for lost in jobs(store, or_(own(number, f"{socket.gethostname()}:"), _of(process))):
            _change(store, and_(JOB.c.id == lost.id, JOB.c.state == "running"), **_given_up(lost, "The app was ended"))


def _of(process):
    """Condition on the job table: it is running, and this process has it."""
    return and_(JOB.c.state == "running", JOB.c.worker == f"{socket.gethostname()}:{process.pid}")


def _given_up(lost, what):
    where = f"after fold {lost.done} of {lost.total}" if lost.total else "before its first fold"
    return {"state": "failed", "ended_at": now(), "message": f"{what} {where}. Nothing was kept; start it again."}


def _is_alive(running):
    """Whether a running job has a worker: it beats, and where it is of this machine its process exists."""
    host, _, process = running.worker.rpartition(":")
    silent, patience = now() - running.heartbeat, STALE if process else TO_BEGIN
    is_here = host == socket.gethostname() and process and os.name == "posix"
    if is_here and not _is_there(int(process)):
        return False
    if silent > patience or (silent < -patience and not is_here):  # from the future: the clock was set back
        return time.monotonic() - _silent.setdefault((running.worker, running.heartbeat), time.monotonic()) < AGAIN
    return True


def _is_there(process):
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
