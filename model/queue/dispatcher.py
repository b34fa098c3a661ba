"""Starts a worker for the next job in the queue, and closes the jobs of workers that are gone."""

import os
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from sqlalchemy import ColumnElement, and_, or_, update

from data.schema import FOLDER, TABLE_SETTING
from model.queue.jobs import (
    EXIT_NOT_SAVED,
    Job,
    ending_values,
    is_owned_by,
    list_jobs,
    list_open_jobs,
    read_jobs,
    sort_by_turn,
    update_jobs,
)
from model.store.database import STORE_SETTING, Store
from model.store.tables import JOB, OPEN, now

STALE = timedelta(seconds=20)  # a worker sends a heartbeat every half second; one silent for so long is gone
STARTUP_PATIENCE = timedelta(seconds=60)  # a starting worker may have to read its libraries from a slow disk
SILENCE_GRACE = 3  # [s] before a silent worker counts as gone: perhaps the store was away, and none could write


class Dispatcher:
    """The workers that this process has started, for one store; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()  # never held while waiting for the store, which would hold up the other threads
        self._started: dict[subprocess.Popen[bytes], int] = {}  # process whose end was not seen yet -> its first job
        self._silent: dict[tuple[str, datetime], float] = {}  # worker and heartbeat -> when that silence was first seen
        self._is_closed = False

    def dispatch(self, store: Store, *, starting: bool = True) -> int | None:
        """Close jobs whose worker is gone; if no job runs, start a worker for the next one and return its number.

        Any process may call this at any time: one transaction decides. Without ``starting``, no worker is started.
        """
        if self._is_closed:
            return None
        self._reap(store)
        open_jobs = list_open_jobs(store)
        if not open_jobs or (open_jobs[0].state == "running" and self._is_alive(open_jobs[0])):
            return None
        with store.writing() as connection:
            open_jobs = sort_by_turn(read_jobs(connection, JOB.c.state.in_(OPEN)))
            for running_job in (job for job in open_jobs if job.state == "running"):
                if self._is_alive(running_job):
                    return None
                values = _lost_values(running_job, "The worker was ended from outside")
                connection.execute(update(JOB).where(JOB.c.id == running_job.id).values(values))
            next_number = next((job.id for job in open_jobs if job.state == "waiting"), None)
            if next_number is None or not starting:
                return None
            running_values = {"state": "running", "worker": _unclaimed(), "started_at": now(), "heartbeat": now()}
            connection.execute(update(JOB).where(JOB.c.id == next_number).values(running_values))
        return self._start(store, next_number)

    def _start(self, store: Store, number: int) -> int | None:
        command = [sys.executable, "-m", "model.queue.worker", str(number)]
        project_folder = Path(__file__).parents[2]
        environment = {**os.environ, STORE_SETTING: store.url, TABLE_SETTING: str(FOLDER)}
        with self._lock:
            if not self._is_closed:
                try:
                    process = subprocess.Popen(  # noqa: S603 - our own module and a number
                        command,
                        cwd=project_folder,
                        env=environment,
                        start_new_session=True,
                        stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL,
                    )
                except OSError as error:
                    reason = error.strerror
                else:
                    self._started[process] = number
                    return number
        if self._is_closed:  # since this call began: the job waits for the next start of the app
            waiting = {"state": "waiting", "worker": "", "started_at": None, "heartbeat": None}
            update_jobs(store, is_owned_by(number, _unclaimed()), **waiting)
        else:
            _fail_unclaimed(store, number, f"No worker could be started ({reason}). Try again in a moment.")
        return None

    def _reap(self, store: Store) -> None:
        """Close the jobs that ended workers could not close themselves, as far as their exit code says why."""
        with self._lock:
            ended_workers = {process: number for process, number in self._started.items() if process.poll() is not None}
        for process, number in ended_workers.items():  # a job that it had claimed is found by its silence
            _fail_unclaimed(store, number, f"Its worker ended before it began (exit code {process.returncode}).")
            if process.returncode == EXIT_NOT_SAVED:
                reason = "the disk is full, or another program held it. Start it again when that is over."
                message = f"What was trained could not be written to the store: {reason}"
                update_jobs(store, _is_run_by(process), **ending_values("failed", message))
            with self._lock:  # only once that is written: a full disk must not leave the job open
                self._started.pop(process, None)

    def end_workers(self, store: Store) -> None:
        """End the workers that were started and say so in their jobs; this process, about to end, starts no more.

        Raises
        ------
        StoreError
            If the jobs cannot be written; the workers are ended all the same.
        """
        with self._lock:
            self._is_closed = True  # else a page that is being drawn would start the next job
            workers, self._started = self._started, {}
        for process in workers:
            process.kill()  # its helpers follow, and what it was writing is rolled back
        for process, number in workers.items():
            process.wait()
            for job in list_jobs(store, or_(is_owned_by(number, _unclaimed()), _is_run_by(process))):
                is_running = and_(JOB.c.id == job.id, JOB.c.state == "running")
                update_jobs(store, is_running, **_lost_values(job, "The app was ended"))

    def _is_alive(self, job: Job) -> bool:
        """Whether the worker of a running job sends heartbeats and, if it is on this machine, its process exists."""
        host, _, process_id = job.worker.rpartition(":")
        heartbeat = job.heartbeat or job.created_at
        silence, patience = now() - heartbeat, STALE if process_id else STARTUP_PATIENCE
        is_local = host == socket.gethostname() and process_id and os.name == "posix"
        if is_local and not _process_exists(int(process_id)):
            return False
        if silence > patience or (silence < -patience and not is_local):  # from the future: the clock was set back
            with self._lock:
                first_seen = self._silent.setdefault((job.worker, heartbeat), time.monotonic())
            return time.monotonic() - first_seen < SILENCE_GRACE
        return True


def _unclaimed() -> str:
    """Worker of a job that was set running on this machine, and that no process has claimed yet."""
    return f"{socket.gethostname()}:"


def _fail_unclaimed(store: Store, number: int, message: str) -> None:
    """Close a job whose worker never claimed it."""
    update_jobs(store, is_owned_by(number, _unclaimed()), **ending_values("failed", message))


def _is_run_by(process: subprocess.Popen[bytes]) -> ColumnElement[bool]:
    """Condition on the job table: the job is running in this process."""
    return and_(JOB.c.state == "running", JOB.c.worker == f"{_unclaimed()}{process.pid}")


def _lost_values(job: Job, reason: str) -> dict[str, object]:
    progress = f"after fit {job.done} of {job.total}" if job.total else "before its first fit"
    return ending_values("failed", f"{reason} {progress}. Nothing was kept; start it again.")


def _process_exists(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
