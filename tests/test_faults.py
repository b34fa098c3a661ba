"""Processes are killed at any moment: the store stays whole, the same model answers, and the queue goes on."""

import contextlib
import random
from functools import partial

import psutil
import pytest

from model import history, jobs, versions
from model.predict import predict_rows
from tests.stores import ended, python, run, sql, wait_until

pytestmark = pytest.mark.slow
SERVER = """
import sys
from functools import partial
from model import history, jobs, versions
from model.store import StoreError
store = history.open_store()
while True:
    try:
        jobs.submit(store, "visitor", 1, ["forest"], parameters={"n_estimators": 3}, seed=int(sys.argv[1]))
    except StoreError:
        pass  # one of this visitor waits already
    jobs.dispatch(store)
    model, notice = history.active_model(store, partial(versions.load, store))
    history.promote(store, 1, "the server", "as before")
    print(repr(model.pipeline.predict(model.X[:1])[0]), notice, flush=True)
"""


def worker_process(store):
    """Return the running job and its process, if it has one."""
    for job in jobs.open_jobs(store):
        name = job.worker.rpartition(":")[2]
        if job.state == "running" and name and psutil.pid_exists(int(name)):
            return job.id, psutil.Process(int(name))
    return None


def has_come_to(store, number, done):
    """Whether a job has done so many folds, or has ended."""
    job = jobs.job(store, number)
    return job.done >= done or job.state not in jobs.OPEN


@pytest.mark.parametrize("victim", ["worker", "server", "both"])
def test_whoever_is_killed_the_store_is_whole_and_the_queue_goes_on(store_url, model, victim):
    chance = random.Random(victim)  # noqa: S311 - repeatable
    store = history.open_store(store_url)
    expected = repr(model.pipeline.predict(model.X[:1])[0])
    n_promoted = 1
    for number in range(3):
        server = python(SERVER, number + 1)
        try:
            lines = [server.stdout.readline() for _ in range(chance.randrange(1, 4))]
            assert lines == [f"{expected} \n"] * len(lines)
            job, process = wait_until(partial(worker_process, store), what="a worker")
            wait_until(partial(has_come_to, store, job, chance.choice([0, 0, 1, 10, 30, 49, 50])), what="the moment")
            if victim != "server":
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        finally:
            if victim == "worker":
                server.stdout.readline()
            server.kill()
            server.communicate()
        assert sql(store.location, "PRAGMA quick_check") == [("ok",)]
        again = history.open_store(store_url)
        active, notice = history.active_model(again, partial(versions.load, again))
        assert (notice, active.notice) == ("", "")
        assert (predict_rows(active, model.X) == predict_rows(model, model.X)).all()
        promoted = [promotion.id for promotion in history.promotions(again)]
        assert promoted == list(range(1, len(promoted) + 1))
        assert len(promoted) >= n_promoted + len(lines)  # what was acknowledged stays
        n_promoted = len(promoted)
        for job in jobs.open_jobs(again):
            if number < 2 and job.state == "waiting":  # in the last round all are worked off
                jobs.cancel(again, job.id)
                continue
            assert ended(again, job.id, 60).state in ("done", "failed")
        done = {job.id for job in jobs.jobs(again) if job.state == "done"}
        assert {version.job_id for version in versions.versions(again)} - {None} == done  # both, or neither
    assert run(store, 1, ["mean"]).state == "done"
    assert jobs.open_jobs(store) == []
