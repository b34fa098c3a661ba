"""Dask clusters for tests: a real scheduler and real workers, and estimators whose fits are easily told apart."""

import contextlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
from sklearn.base import BaseEstimator, RegressorMixin

from tests.conftest import ROOT, free_port
from tests.stores import wait_until


class Machines:
    """The processes of a cluster on this machine, each started as the README says."""

    def __init__(self, folder):
        folder.mkdir(exist_ok=True)
        self._folder, self._started = folder, []
        self.address = f"tcp://127.0.0.1:{free_port()}"

    def scheduler(self):
        host, port = self.address.removeprefix("tcp://").split(":")
        return self._start(ROOT, "scheduler", "--host", host, "--port", port)

    def worker(self, *options, cwd=ROOT):
        return self._start(cwd, "worker", self.address, "--nthreads", "1", "--local-directory", self._folder, *options)

    def _start(self, cwd, *arguments):
        command = [sys.executable, "-m", "dask", *map(str, arguments), "--no-dashboard"]
        with (self._folder / f"log{len(self._started)}").open("wb") as log:
            process = subprocess.Popen(command, cwd=cwd, stdout=log, stderr=log)
        self._started.append(process)
        return psutil.Process(process.pid)

    def client(self):
        """Return a connection of the test's own, to look at what the cluster has."""
        from distributed import Client

        return contextlib.closing(Client(self.address, timeout=60, set_as_default=False))

    def end(self):
        """End what was started, with what that has started."""
        for process in self._started:
            with contextlib.suppress(psutil.NoSuchProcess):
                family = psutil.Process(process.pid).children(recursive=True)
                process.kill()
                for child in family:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        child.kill()
            process.wait()


def wait_for_workers(client, n):
    def there():
        return len(client.scheduler_info(n_workers=-1)["workers"]) == n

    wait_until(there, what=f"{n} workers")


def tasks_of(client):
    """Return the keys of whatever the scheduler knows of."""
    return client.run_on_scheduler(lambda dask_scheduler: list(dask_scheduler.tasks))


class Gated(RegressorMixin, BaseEstimator):
    """Answers the average; all fits but the first few wait for a file "go" in the folder."""

    def __init__(self, folder, free=0):
        self.folder = folder
        self.free = free

    def fit(self, X, y):
        folder = Path(self.folder)
        number = len(list(folder.glob("begun*")))
        (folder / f"begun{number}").touch()
        if number >= self.free:
            wait_until((folder / "go").exists, what="the leave to go on")
        self.mean_ = y.mean() + 0 * X[0, 0]
        return self

    def predict(self, X):
        return np.full(len(X), self.mean_)


class Unfit(RegressorMixin, BaseEstimator):
    """Cannot be fitted without the value 7."""

    def fit(self, X, y):
        if 7 not in X:
            raise ValueError(f"7 is not among {len(y)} of sum {y.sum():g}")
        return self

    def predict(self, X):
        return X[:, 0]
