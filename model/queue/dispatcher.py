"""Who has the queue worked off: starts a worker for the next job, and closes the jobs of workers that are gone."""

import os
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from sqlalchemy import ColumnElement, and_, or_, update

from model.queue.jobs import (
    EXIT_NOT_SAVED,
    Job,
    change,
    ending_values,
    is_owned_by,
    list_jobs,
    list_open_jobs,
    read_jobs,
    sort_by_turn,
)
from model.store.database import STORE_SETTING, Store
from model.store.tables import JOB, OPEN, now

STALE = timedelta(seconds=20)  # a worker beats every half second; one silent for so long is gone
TO_BEGIN = timedelta(seconds=60)  # and one that is just starting may have to read its libraries from a slow disk
AGAIN = 3  # [s] after which who seemed silent is looked at again: perhaps the store was away, and nobody could beat


class Dispatcher:
    """The workers that this process has started, for one store; any number of threads may use it at once."""

    def __init__(self) -> None:
        self._lock = Lock()  # held for what follows alone: who waits for the store must not hold up the others
        self._started: dict[subprocess.Popen[bytes], int] = {}  # process not yet seen to end -> its first job
        self._silent: dict[tuple[str, datetime], float] = {}  # worker and heartbeat -> when that silence was first seen
        self._is_closed = False

    def dispatch(self, store: Store, *, starting: bool = True) -> int | None:
        """Give up jobs whose worker is gone, and start a worker for the next one if none runs.

        Any process may call this at any time: one transaction decides.

        Parameters
        ----------
        store
        starting
            Whether a worker may be started.

        Returns
        -------
        int or None
            The job that was started.
        """
        if self._is_closed:
            return None
        self._reap(store)
        current = list_open_jobs(store)
        if not current or (current[0].state == "running" and self._is_alive(current[0])):
            return None
        with store.writing() as connection:
            current = sort_by_turn(read_jobs(connection, JOB.c.state.in_(OPEN)))
            for lost in (job for job in current if job.state == "running"):
                if self._is_alive(lost):
                    return None
                values = _given_up(lost, "The worker was ended from outside")
                connection.execute(update(JOB).where(JOB.c.id == lost.id).values(values))
            following = next((job.id for job in current if job.state == "waiting"), None)
            if following is None or not starting:
                return None
            begun = {"state": "running", "worker": _nobody(), "started_at": now(), "heartbeat": now()}
            connection.execute(update(JOB).where(JOB.c.id == following).values(begun))
        return self._start(store, following)

    def _start(self, store: Store, number: int) -> int | None:
        command = [sys.executable, "-m", "model.queue.worker", str(number)]
        folder, environment = Path(__file__).parents[2], {**os.environ, STORE_SETTING: store.url}
        with self._lock:
            if not self._is_closed:
                try:
                    process = subprocess.Popen(  # noqa: S603 - our own module and a number
                        command,
                        cwd=folder,
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
        if self._is_closed:  # since this call began: the job goes on waiting, for the next start
            waiting = {"state": "waiting", "worker": "", "started_at": None, "heartbeat": None}
            change(store, is_owned_by(number, _nobody()), **waiting)
        else:
            _not_begun(store, number, f"No worker could be started ({reason}). Try again in a moment.")
        return None

    def _reap(self, store: Store) -> None:
        """Close the jobs of workers that have ended without doing that themselves, where their exit code says why."""
        with self._lock:
            ended = {process: number for process, number in self._started.items() if process.poll() is not None}
        for process, number in ended.items():  # of a job that it has taken, its heart tells
            _not_begun(store, number, f"Its worker ended before it began (exit code {process.returncode}).")
            if process.returncode == EXIT_NOT_SAVED:
                why = "the disk is full, or another program held it. Start it again when that is over."
                message = f"What was trained could not be written to the store: {why}"
                change(store, _of(process), **ending_values("failed", message))
            with self._lock:  # not before that is written: a full disk must not leave the job without an end
                self._started.pop(process, None)

    def end_workers(self, store: Store) -> None:
        """End the workers that were started and say so in their jobs: this process is about to end, and starts no more.

        Raises
        ------
        StoreError
            If that cannot be said; they are ended all the same.
        """
        with self._lock:
            self._is_closed = True  # else a page that is being drawn would begin the next job
            workers, self._started = self._started, {}
        for process in workers:
            process.kill()  # with its helpers, which follow; what it was writing is undone
        for process, number in workers.items():
            process.wait()
            for lost in list_jobs(store, or_(is_owned_by(number, _nobody()), _of(process))):
                is_running = and_(JOB.c.id == lost.id, JOB.c.state == "running")
                change(store, is_running, **_given_up(lost, "The app was ended"))

    def _is_alive(self, running: Job) -> bool:
        """Whether a running job has a worker: it beats, and where it is of this machine its process exists."""
        host, _, process = running.worker.rpartition(":")
        heartbeat = running.heartbeat or running.created_at
        silent, patience = now() - heartbeat, STALE if process else TO_BEGIN
        is_here = host == socket.gethostname() and process and os.name == "posix"
        if is_here and not _exists(int(process)):
            return False
        if silent > patience or (silent < -patience and not is_here):  # from the future: the clock was set back
            with self._lock:
                first_seen = self._silent.setdefault((running.worker, heartbeat), time.monotonic())
            return time.monotonic() - first_seen < AGAIN
        return True


def _nobody() -> str:
    """Name of the worker of a job that was set running here, and that no process has taken yet."""
    return f"{socket.gethostname()}:"


def _not_begun(store: Store, number: int, message: str) -> None:
    """Close a job whose worker never took it."""
    change(store, is_owned_by(number, _nobody()), **ending_values("failed", message))


def _of(process: subprocess.Popen[bytes]) -> ColumnElement[bool]:
    """Condition on the job table: it is running, and this process has it."""
    return and_(JOB.c.state == "running", JOB.c.worker == f"{_nobody()}{process.pid}")


def _given_up(lost: Job, what: str) -> dict[str, object]:
    where = f"after fit {lost.done} of {lost.total}" if lost.total else "before its first fit"
    return ending_values("failed", f"{what} {where}. Nothing was kept; start it again.")


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except OSError as error:
        return not isinstance(error, ProcessLookupError)
    return True
