"""What retraining costs: the trainings themselves, what it does to somebody's sliders, and many rows."""

import asyncio
import contextlib
import os
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from bench.explore import many_rows
from bench.visit import Visit
from data.load import load_rows
from data.schema import FEATURES
from model.fitting.algorithms import OFFERED
from model.queue import jobs
from model.queue.dispatcher import Dispatcher
from model.store import history, versions
from model.store.tables import OPEN
from tests.conftest import running_server

_PATIENCE = 600  # [s] for one training


@contextlib.contextmanager
def new_store():
    """Open a store of its own, also for the processes that are started."""
    with tempfile.TemporaryDirectory() as folder:
        before = os.environ.get("PETROL_STORE_URL")
        os.environ["PETROL_STORE_URL"] = f"sqlite:///{folder}/store.db"
        try:
            yield history.open_store()
        finally:
            os.environ.pop("PETROL_STORE_URL")
            if before is not None:
                os.environ["PETROL_STORE_URL"] = before


def trained(store, algorithms, *, data_set=1, seed=0):
    """Train through the queue.

    Returns
    -------
    seconds : float
        From asking for it to its end.
    memory : float
        The most that the worker and its helpers held together, shared pages counted once each [bytes].
    """
    start, memory, dispatcher = time.perf_counter(), 0, Dispatcher()
    number = jobs.submit(store, "bench", data_set, list(algorithms), seed=seed)
    dispatcher.dispatch(store)
    while (job := jobs.find_job(store, number)).state in OPEN:
        memory = max(memory, _memory_of(job.worker))
        if time.perf_counter() - start > _PATIENCE:
            raise TimeoutError(f"job {number} still {job.state}: {job.message}")
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    dispatcher.dispatch(store)
    if job.state != "done":
        raise RuntimeError(f"job {number} {job.state}: {job.message}")
    return seconds, memory


def _memory_of(worker):
    process = worker.rpartition(":")[2]
    if not process:
        return 0
    with contextlib.suppress(psutil.Error):
        leader = psutil.Process(int(process))
        return sum(one.memory_full_info().pss for one in (leader, *leader.children(recursive=True)))
    return 0


def durations():
    """How long trainings on the shipped rows take.

    Returns
    -------
    dict
        What was trained -> seconds.
    """
    with new_store() as store:
        found = {"usual settings": trained(store, ["forest"])[0]}
        found["another seed, active recipe known"] = trained(store, ["forest"], seed=1)[0]
        rows = load_rows().iloc[1:].reset_index(drop=True)
        with store.writing() as connection:
            fewer = versions.add_data_set(connection, rows, "one row fewer")
        found["other rows, active recipe evaluated too"] = trained(store, ["forest"], data_set=fewer, seed=1)[0]
        found["compare all"] = trained(store, OFFERED, data_set=fewer, seed=2)[0]
    return found


def with_many_rows(n_rows):
    """Train histogram boosting on many rows: seconds and bytes."""
    with new_store() as store:
        with store.writing() as connection:
            many = versions.add_data_set(connection, many_rows(n_rows), "many rows")
        return trained(store, ["histogram_boosting"], data_set=many)


def read_time(n=500):
    """How long the read of the active version takes that each run of a page begins with: median [s]."""
    with new_store() as store:
        taken = []
        for _ in range(n):
            start = time.perf_counter()
            history.find_active(store)
            taken.append(time.perf_counter() - start)
    return float(np.median(taken))


async def moves_beside(store, url, n_idle=60, n_rounds=2):
    """How moves of a slider fare while all algorithms are trained and while nothing is, in turns.

    Parameters
    ----------
    store : model.store.database.Store
        That the server uses, too.
    url : str
    n_idle : int, default=60
        Moves without a training, each round.
    n_rounds : int, default=2

    Returns
    -------
    idle, busy : list of float
        From a move to its whole answer [s].
    """
    idle, busy, rng = [], [], np.random.default_rng(1972)
    visit = await Visit.open(url)

    async def move():
        await asyncio.sleep(0.1)
        column = FEATURES[rng.integers(len(FEATURES))]
        start = time.perf_counter()
        await visit.move({column.name: column.grid[rng.integers(column.n_steps)]})
        return time.perf_counter() - start

    for seed in range(n_rounds):
        idle += [await move() for _ in range(n_idle)]
        training = asyncio.create_task(asyncio.to_thread(trained, store, OFFERED, seed=seed + 10))
        while not any(job.done for job in jobs.list_open_jobs(store)):  # noqa: ASYNC110 - another process does it
            await asyncio.sleep(0.1)
        while not training.done():
            busy.append(await move())
        await training
    await visit.close()
    return idle, busy


def figures(figure):
    """Measure all of it.

    Parameters
    ----------
    figure : callable
        Makes a figure of the bench from (what, measured, unit, at_most, n=).

    Yields
    ------
    Figure
    """
    limits = {"usual settings": 6, "another seed": 6, "other rows": 10, "compare all": 90}
    for what, seconds in durations().items():
        yield figure(f"Retrain: {what}", seconds, "s", next(v for name, v in limits.items() if what.startswith(name)))
    yield figure("Retrain: read of the active version at each run, p50", read_time() * 1000, "ms", 1, n=500)
    seconds, memory = with_many_rows(100_000)
    yield figure("Retrain: histogram boosting on 100,000 rows", seconds, "s", 20)
    yield figure("  memory of its worker and helpers", memory / 1e6, "MB", 1000)
    with new_store() as store, running_server(log=Path(store.location).with_name("log")) as url:
        idle, busy = asyncio.run(moves_beside(store, url))
    yield figure("Retrain: move to answer while idle, p50", np.median(idle) * 1000, "ms", n=len(idle))
    ratio = np.median(busy) / np.median(idle)
    yield figure("  while all algorithms are trained, times that", ratio, "1", 1.5, n=len(busy))


if __name__ == "__main__":
    for one in figures(lambda *figure, n=1: (*figure, n)):
        print(*one)
