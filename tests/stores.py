"""Help for tests of the store: fresh ones, quick models, and waiting with a deadline."""

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
from sqlalchemy import create_engine, text, update

from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.queue import jobs
from model.queue.dispatcher import Dispatcher
from model.store import history
from model.store.tables import OPEN
from model.store.versions import add_data_set, add_version
from tests.conftest import ROOT

N_THREADS = 12  # of `at_once`
_dispatchers = {}  # address of a store -> what starts its workers in this process


def copy_file(source, target):
    """Copy a file of SQLite with whatever its write-ahead log still holds."""
    with contextlib.closing(sqlite3.connect(source)) as one, contextlib.closing(sqlite3.connect(target)) as other:
        one.backup(other)


def sql(where, statement, **values):
    """Do to a store, or to a file of SQLite, what the program never does; return the rows that it gives."""
    engine = create_engine(where.url if hasattr(where, "url") else f"sqlite:///{where}")
    try:
        with engine.begin() as connection:
            answer = connection.execute(text(statement), values)
            return [tuple(row) for row in answer] if answer.returns_rows else []
    finally:
        engine.dispose()


def change(store, table, number, **values):
    """Change a row of a table behind the program's back."""
    with store.writing() as connection:
        connection.execute(update(table).where(table.c.id == number).values(values))


def add_quick(store, rows, algorithm="ridge", parameters=None, *, seed=0, **more):
    """Train something small and keep it; return its number."""
    model = train(rows, make_recipe(algorithm, parameters, seed), n_repeats=1)
    with store.writing() as connection:
        data_set = add_data_set(connection, rows, "a file")
        return add_version(connection, model, data_set, by="a test", **more)


def wait_until(condition, seconds=120, what="it"):
    """Return what the condition returns soon after that is true: whoever works on it needs the processor, too."""
    deadline, pause = time.monotonic() + seconds, 0.01
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(pause)
        pause = min(0.1, 1.2 * pause)
    raise AssertionError(f"{what} did not happen within {seconds} s")


def dispatcher_of(store):
    """Return what starts workers for a store in this process."""
    return _dispatchers.setdefault(store.url, Dispatcher())


def dispatch(store):
    """Have the queue looked after once; return the number of the job that was begun, or None."""
    return dispatcher_of(store).dispatch(store)


def wait_for_processes(store):
    """Wait for the end of all processes that were started for a store."""
    for process in list(dispatcher_of(store)._started):
        process.wait(20)


def ended(store, number, seconds=120):
    """Wait for the end of a job and return it."""

    def look():
        dispatch(store)
        found = jobs.find_job(store, number)
        return found if found.state not in OPEN else None

    return wait_until(look, seconds, f"the end of job {number}")


def run(store, *arguments, **options):
    """Submit a job, have it done, and return it."""
    return ended(store, jobs.submit(store, "visitor", *arguments, **options))


def worker_of(store, number):
    """Wait until a process has taken a job and return it."""

    def look():
        name = jobs.find_job(store, number).worker.rpartition(":")[2]
        return psutil.Process(int(name)) if name else None

    return wait_until(look, what=f"a worker for job {number}")


def worker_process(store):
    """Return the running job and its process, if it has one."""
    for job in jobs.list_open_jobs(store):
        name = job.worker.rpartition(":")[2]
        if job.state == "running" and name and psutil.pid_exists(int(name)):
            return job.id, psutil.Process(int(name))
    return None


def is_over(process):
    """Whether a process does nothing any more; one that nobody has waited for yet may still be listed."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def python(code, *arguments, cwd=ROOT, **options):
    """Start a Python process in the project."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, text=True, **options)


def output_of(process, seconds=120):
    """Wait for a process, require that it went well, and return what it printed."""
    out, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, out
    return out


def fresh(template, folder):
    """Return the path of a store that holds the shipped model, and the open store."""
    path = folder / "store.db"
    shutil.copy(template, path)
    return path, history.open_store(f"sqlite:///{path}")


def at_once(function):
    """Call a function from many threads at the same moment and return what each got."""
    gate = threading.Barrier(N_THREADS)

    def call(_):
        gate.wait()
        return function()

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(call, range(N_THREADS)))
