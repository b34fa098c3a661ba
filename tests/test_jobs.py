"""The queue: what it takes and refuses, in which order it is worked off, and who may work."""

import os
import re
import socket
import subprocess
from datetime import timedelta
from itertools import pairwise

import pytest
from sqlalchemy import update

from model.fitting.errors import ModelError
from model.queue import jobs
from model.queue.dispatcher import STALE
from model.store import history, versions
from model.store.database import StoreError
from model.store.tables import JOB, now
from tests.conftest import running_server
from tests.stores import (
    change,
    dispatch,
    dispatcher_of,
    ended,
    is_over,
    output_of,
    python,
    run,
    sql,
    wait_for_processes,
    wait_until,
    worker_of,
    worker_process,
)

LONG = {"n_estimators": 1000}


@pytest.fixture
def store(store):
    yield store
    running = worker_process(store)  # it may have been started by another process than this one
    for job in jobs.list_open_jobs(store):
        jobs.cancel(store, job.id)
    wait_for_processes(store)
    if running and running[1].pid != os.getpid():
        wait_until(lambda: is_over(running[1]), what="the end of the worker")


def set_running(store, number, worker, heartbeat):
    with store.writing() as connection:
        values = {"state": "running", "worker": worker, "started_at": heartbeat, "heartbeat": heartbeat}
        connection.execute(update(JOB).where(JOB.c.id == number).values(values))


def test_a_job_waits_with_all_that_was_asked_for(store):
    number = jobs.submit(
        store, "v1", 1, ["forest"], parameters={"n_estimators": 7}, seed=3, excluded=(5, 2, 5), by="Ann"
    )
    (job,) = jobs.list_open_jobs(store)
    assert (job.id, job.state, job.visitor, job.worker, job.done, job.total) == (number, "waiting", "v1", "", 0, 0)
    assert job.request == jobs.JobRequest(1, ("forest",), {"n_estimators": 7}, seed=3, excluded=(2, 5), by="Ann")
    assert job.created_at <= now()
    assert (job.started_at, job.heartbeat, job.ended_at) == (None, None, None)
    assert jobs.find_job(store, number + 1) is None


@pytest.mark.parametrize(
    ("algorithms", "options", "reason"),
    [
        (["forest"], {"parameters": {"n_estimators": 0}}, r"n_estimators: 0 is not possible\. Give a whole number"),
        (["forest"], {"parameters": {"trees": 5}}, "unknown parameter trees"),
        (["oracle"], {}, "'oracle' is unknown"),
        (["ridge", "oracle"], {}, "'oracle' is unknown"),
        (["forest"], {"seed": -1}, "seed: '-1' is not possible|seed: -1"),
        ([], {}, "nothing to train"),
        (["ridge"], {"excluded": [48]}, "no row 48 to leave out"),
    ],
)
def test_a_job_that_cannot_be_done_is_refused(store, algorithms, options, reason):
    with pytest.raises((ModelError, StoreError), match=reason):
        jobs.submit(store, "v1", 1, algorithms, **options)
    assert jobs.list_jobs(store) == []


def test_a_job_without_data_or_with_too_many_is_refused(store, rows):
    with pytest.raises(StoreError, match=r"Data set 9 is not in the store .*Choose another"):
        jobs.submit(store, "v1", 9, ["forest"])
    from sqlalchemy import insert

    from model.store.tables import DATA_SET

    with store.writing() as connection:
        many = {"sha256": "0" * 64, "origin": "many", "n_rows": 10**6, "parquet": b""}
        connection.execute(insert(DATA_SET).values(many))
    with pytest.raises(ModelError, match=r"would have about .* MB, more than the 200 MB .*lower trees"):
        jobs.submit(store, "v1", 2, ["forest"])
    assert jobs.submit(store, "v1", 2, ["forest", "ridge"])  # of several, what is too large is left out


def test_a_visitor_has_one_job_waiting_and_the_queue_is_not_endless(store):
    first = jobs.submit(store, "v0", 1, ["ridge"])
    with pytest.raises(StoreError, match=f"Your job {first} is still waiting"):
        jobs.submit(store, "v0", 1, ["mean"])
    for number in range(1, jobs.MAX_WAITING):
        jobs.submit(store, f"v{number}", 1, ["ridge"])
    with pytest.raises(StoreError, match=f"{jobs.MAX_WAITING} jobs are waiting already"):
        jobs.submit(store, "one more", 1, ["ridge"])
    assert jobs.cancel(store, first)
    assert jobs.submit(store, "one more", 1, ["ridge"])
    assert [job.visitor for job in jobs.list_open_jobs(store)] == [*(f"v{n}" for n in range(1, 20)), "one more"]


def test_a_waiting_job_is_cancelled_once_and_never_begins(store):
    number = jobs.submit(store, "v1", 1, ["ridge"])
    assert jobs.cancel(store, number)
    assert not jobs.cancel(store, number)
    assert not jobs.cancel(store, 99)
    assert dispatch(store) is None
    job = jobs.find_job(store, number)
    assert (job.state, job.message, job.worker) == ("cancelled", "Cancelled.", "")
    assert job.ended_at >= job.created_at


def test_the_job_that_ended_last_is_the_last_one_whatever_the_clock_says(store):
    first, second, third, fourth = (jobs.submit(store, f"v{n}", 1, ["mean"]) for n in range(4))
    assert jobs.find_last_ended(store) is None
    jobs.cancel(store, third)
    change(store, JOB, third, ended_at=now() + timedelta(days=1))  # then the clock was set back
    jobs.cancel(store, second)
    assert jobs.find_last_ended(store).id == second
    set_running(store, first, f"{socket.gethostname()}:{2**22 + 1}", now())  # a process that cannot be
    dispatcher_of(store).dispatch(store, starting=False)
    assert jobs.find_last_ended(store).id == first
    jobs.cancel(store, fourth)
    assert jobs.find_last_ended(store).id == fourth
    assert not jobs.cancel(store, second)  # an end that is over takes no number
    assert sql(store, "SELECT id, end_number FROM job ORDER BY id") == [(1, 3), (2, 2), (3, 1), (4, 4)]


@pytest.mark.slow
@pytest.mark.postgresql
def test_the_worker_of_another_computer_is_believed_until_it_is_silent(store):
    number, following = jobs.submit(store, "v1", 1, ["ridge"]), jobs.submit(store, "v2", 1, ["ridge"])
    set_running(store, number, "elsewhere:1", now())
    assert dispatch(store) is None
    assert jobs.claim_job(store, following) == ""
    set_running(store, number, "elsewhere:1", now() - STALE - timedelta(seconds=1))
    assert dispatch(store) is None  # perhaps the store was away, and it beats again in a moment
    assert jobs.find_job(store, number).state == "running"
    wait_until(lambda: dispatch(store) == following, what="its end")
    lost = jobs.find_job(store, number)
    assert lost.state == "failed"
    assert lost.message.startswith("The worker was ended from outside before its first fit. Nothing was kept")
    assert not jobs.send_heartbeat(store, number, "elsewhere:1")


@pytest.mark.slow
def test_a_new_server_goes_on_with_the_queue_of_one_that_is_gone_before_anybody_comes(store, tmp_path):
    number, following = jobs.submit(store, "v1", 1, ["ridge"]), jobs.submit(store, "v2", 1, ["ridge"])
    set_running(store, number, "elsewhere:1", now() - STALE - timedelta(seconds=1))
    with running_server(log=tmp_path / "log"):
        wait_until(lambda: jobs.find_job(store, following).state == "done", what="the next training")
    assert jobs.find_job(store, number).state == "failed"
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_a_worker_of_this_computer_that_is_gone_is_noticed_at_once(store):
    number = jobs.submit(store, "v1", 1, ["ridge"])
    gone = python("pass")
    gone.communicate()
    set_running(store, number, f"{socket.gethostname()}:{gone.pid}", now())
    assert dispatch(store) is None
    assert jobs.find_job(store, number).state == "failed"


def test_a_job_is_taken_by_one_worker(store):
    number = jobs.submit(store, "v1", 1, ["ridge"])
    worker = jobs.claim_job(store, number)
    assert worker == f"{socket.gethostname()}:{os.getpid()}"
    assert jobs.claim_job(store, number) == ""
    assert jobs.send_heartbeat(store, number, worker, done=3, total=5)
    assert jobs.send_heartbeat(store, number, "somebody:1") is False
    assert (jobs.find_job(store, number).done, jobs.find_job(store, number).total) == (3, 5)


DISPATCHER = """
import sys
from pathlib import Path
from model.store import history
from model.queue.dispatcher import Dispatcher
store, ready, begin = history.open_store(), *map(Path, sys.argv[1:])
ready.touch()
while not begin.exists():
    pass
print(Dispatcher().dispatch(store), flush=True)
"""


@pytest.mark.slow
@pytest.mark.postgresql
def test_of_several_processes_that_dispatch_at_once_one_begins_one_job(store, tmp_path):
    numbers = [jobs.submit(store, visitor, 1, ["gradient_boosting"], parameters=LONG) for visitor in "abc"]
    marks = [tmp_path / name for name in "xyz"]
    dispatchers = [python(DISPATCHER, mark, tmp_path / "begin") for mark in marks]
    wait_until(lambda: all(mark.exists() for mark in marks))
    (tmp_path / "begin").touch()
    said = sorted(output_of(dispatcher).strip() for dispatcher in dispatchers)  # a worker holds no pipe of theirs
    assert said == sorted([str(numbers[0]), "None", "None"])
    assert [job.state for job in jobs.list_open_jobs(store)] == ["running", "waiting", "waiting"]


@pytest.mark.slow
@pytest.mark.postgresql
def test_jobs_are_worked_off_one_after_another_in_their_order_without_further_calls(store):
    numbers = [jobs.submit(store, visitor, 1, ["ridge"], seed=seed) for seed, visitor in enumerate("abc")]
    assert dispatch(store) == numbers[0]

    def done():
        states = [job.state for job in jobs.list_jobs(store)]  # all of one moment
        assert states.count("running") <= 1
        assert "failed" not in states
        return states == ["done"] * 3

    wait_until(done)
    found = [jobs.find_job(store, number) for number in numbers]
    assert all(one.ended_at <= other.started_at for one, other in pairwise(found))
    assert [version.job_id for version in versions.list_versions(store)[1:]] == numbers


def helpers_of(store, number):
    """Wait until the worker of a job has helpers; return all of them with the worker."""
    worker = worker_of(store, number)
    wait_until(lambda: jobs.find_job(store, number).done > 0, what="the first fold")
    found = [worker, *worker.children(recursive=True)]
    assert len(found) > 1
    return found


@pytest.mark.slow
@pytest.mark.skipif(os.cpu_count() == 1, reason="with one processor there are no helpers")
@pytest.mark.parametrize("how", ["cancelled", "killed"])
def test_a_job_that_is_ended_leaves_no_process_and_no_shared_memory_behind(store, how):
    number, following = (
        jobs.submit(store, visitor, 1, [algorithm], parameters=parameters)
        for visitor, algorithm, parameters in (("a", "gradient_boosting", LONG), ("b", "mean", {}))
    )
    dispatch(store)
    processes = helpers_of(store, number)
    assert shared_memory(processes[0].pid)
    assert jobs.cancel(store, number) if how == "cancelled" else processes[0].kill() is None
    wait_until(lambda: all(is_over(process) for process in processes), 20, "the end of the processes")
    assert ended(store, following).state == "done"
    job = jobs.find_job(store, number)
    if how == "cancelled":
        assert (job.state, job.message) == ("cancelled", "Cancelled.")
    else:
        assert job.state == "failed"
        assert job.message.startswith("The worker was ended from outside after fit ")
        assert job.message.endswith("Nothing was kept; start it again.")
    assert [version.job_id for version in versions.list_versions(store)] == [None, following]
    wait_until(lambda: not shared_memory(processes[0].pid), 20, "the end of the shared memory")


def shared_memory(process):
    """Return what joblib and its helpers have put into shared memory for a process; both name it by its number."""
    from pathlib import Path

    names = [path.name for path in Path("/dev/shm").glob("*")]  # noqa: S108 - shared memory, not a folder for files
    return [name for name in names if re.search(rf"(loky|joblib).*[-_]{process}[-_]", name)]


@pytest.mark.slow
def test_a_job_of_a_store_named_by_a_relative_path_is_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PETROL_STORE_URL", "sqlite:///here.db")
    job = run(history.open_store(), 1, ["mean"])
    assert job.state == "done", job.message


def test_a_worker_of_a_job_that_is_not_waiting_says_so_and_does_nothing(store):
    worker = python("import sys; from model.queue import worker; sys.exit(worker.main(99))", stderr=subprocess.PIPE)
    _, err = worker.communicate(timeout=60)
    assert (worker.returncode, err) == (2, "Job 99 is not waiting.\n")
    assert jobs.list_jobs(store) == []
