"""The dispatcher: any number of threads may use it, and none of them begins a job twice, loses one, or starts late."""

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import event

from model.queue import jobs
from model.queue.dispatcher import Dispatcher
from model.store import versions
from tests.stores import N_THREADS, at_once, dispatcher_of, ended, wait_for_processes, wait_until


@pytest.mark.slow
@pytest.mark.postgresql
def test_many_threads_begin_one_job_with_one_worker_and_none_is_lost(store):
    numbers = [jobs.submit(store, visitor, 1, ["mean"]) for visitor in "ab"]
    dispatcher = dispatcher_of(store)
    begun = at_once(lambda: dispatcher.dispatch(store))
    assert sorted(begun, key=str) == [numbers[0], *[None] * (N_THREADS - 1)]
    assert list(dispatcher._started.values()) == [numbers[0]]
    assert [ended(store, number).state for number in numbers] == ["done", "done"]
    assert [version.job_id for version in versions.list_versions(store)[1:]] == numbers
    wait_for_processes(store)
    at_once(lambda: dispatcher.dispatch(store))
    assert dispatcher._started == {}


@pytest.mark.sqlite
def test_what_was_about_to_begin_a_job_when_the_app_ended_starts_no_worker_and_the_job_goes_on_waiting(store):
    number, dispatcher = jobs.submit(store, "a", 1, ["mean"]), Dispatcher()
    other = sqlite3.connect(store.location, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    is_deciding = threading.Event()

    def note(_, options):
        if options.get("writes"):
            is_deciding.set()

    event.listen(store._engine, "set_connection_execution_options", note)  # next it waits for whoever writes
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(dispatcher.dispatch, store)
        assert is_deciding.wait(10)
        dispatcher.end_workers(store)
        other.execute("ROLLBACK")
        other.close()
        assert begun.result() is None
    assert dispatcher._started == {}
    (job,) = jobs.list_open_jobs(store)
    assert (job.id, job.state, job.worker, job.started_at) == (number, "waiting", "", None)
    assert dispatcher.dispatch(store) is None


@pytest.mark.slow
def test_who_ends_its_workers_says_so_in_their_jobs_and_leaves_none_behind(store):
    number, dispatcher = jobs.submit(store, "a", 1, ["forest"]), Dispatcher()
    assert dispatcher.dispatch(store) == number
    (process,) = dispatcher._started
    at_once(lambda: dispatcher.end_workers(store))
    wait_until(lambda: process.poll() is not None, what="the end of the worker")
    job = jobs.find_job(store, number)
    assert job.state == "failed"
    assert job.message.startswith("The app was ended ")
