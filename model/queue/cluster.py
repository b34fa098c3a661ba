"""A Dask cluster that fits the folds of a training in place of this machine: `PETROL_DASK_SCHEDULER` names it."""

import hashlib
import logging
import os
import queue
import threading
import time
import uuid
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from joblib import hash as hash_of
from numpy.typing import NDArray

from model.fitting import evaluate
from model.fitting.evaluate import FloatArray, Keep
from model.fitting.train import libraries

SCHEDULER_SETTING = "PETROL_DASK_SCHEDULER"
_PATIENCE = 12  # [s] for the scheduler to answer and a worker to be there, also during a training
_BEAT = 1  # [s] without a fold after which the scheduler is asked whether it still has workers
_SLOWEST = 1e6  # [bytes / s] at which data may travel to the workers
_N_TRIES = 3  # in a row that bring no fold
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")


class ClusterError(Exception):
    """The cluster cannot do the work; the message says where, why, and what to do."""


def cluster_address() -> str:
    """Return the address of the scheduler, as set in the environment; empty where this machine fits the folds."""
    return os.environ.get(SCHEDULER_SETTING, "").strip()


class Cluster:
    """A connection to the scheduler of a cluster that has workers; close it after use.

    Parameters
    ----------
    address : str
        ``tcp://host:port``.

    Raises
    ------
    ClusterError
        If it cannot be reached, or has no workers.
    """

    def __init__(self, address: str) -> None:
        self.address, self._scattered = address, dict[str, Any]()
        try:
            from distributed import Client
            from distributed.comm.addressing import get_address_host_port
        except ImportError:
            raise self.error("needs the package distributed", "Install requirements-scale.txt") from None
        _silence_dask()
        try:
            get_address_host_port(address, strict=True)
        except (ValueError, NotImplementedError) as error:
            raise self.error(f"is no address ({error})", "Write it as tcp://host:8786") from None
        self.client: Any = Client.__new__(Client)  # so that it can be closed even where connecting never ends
        try:
            _call_within(_PATIENCE + 1, Client.__init__, self.client, address, timeout=_PATIENCE, set_as_default=False)
        except Exception as error:  # noqa: BLE001 - whatever Dask makes of a network
            self.client.status = "closed"  # else Python would wait for it again at its exit
            reason = (isinstance(error, OSError) and str(error)[:200]) or "what is there does not answer as one"
            raise self.error(f"cannot be reached ({reason})", "Start the scheduler") from None
        try:
            self.require()
        except ClusterError:
            self.close()
            raise

    def error(self, what: str, cure: str) -> "ClusterError":
        """Return the error that says what is wrong with this cluster."""
        return ClusterError(
            f"The Dask scheduler {self.address[:200]} ({SCHEDULER_SETTING}) {what}. {cure}, or train here instead."
        )

    def close(self) -> None:
        """Leave the cluster, which then drops all that it was sent."""
        with suppress(Exception):  # a scheduler that is gone need not be told
            self.client.close(timeout=2)

    def require(self) -> None:
        """Wait a little for the scheduler to answer and have workers; raise a `ClusterError` if it does not."""
        deadline = time.monotonic() + _PATIENCE
        n_workers: int | None = None
        while not n_workers:
            with suppress(Exception):  # what a lost connection raises is not documented; ask again
                scheduler, seconds_left = self.client.scheduler, max(deadline - time.monotonic(), 0.1)
                identity = self.client.sync(scheduler.identity, n_workers=0, callback_timeout=seconds_left)
                n_workers = identity["n_workers"]
            if time.monotonic() > deadline and not n_workers:
                if n_workers is None:
                    raise self.error("was lost", "Start the scheduler")
                raise self.error(f"has had no worker for {_PATIENCE} s", "Start workers")
            time.sleep(0 if n_workers else 0.1)

    def scatter(self, data: tuple[FloatArray, FloatArray], broken: Any = None) -> Any:
        """Send data to every worker once, and again if what was sent is ``broken``: lost with a worker."""
        data_hash = hash_of(data)
        if self._scattered.get(data_hash, broken) is broken:
            self._require_project()
            key = f"petrol-data-{uuid.uuid4().hex}"
            seconds = _PATIENCE + sum(array.nbytes for array in data) / _SLOWEST
            options = {"broadcast": True, "timeout": _PATIENCE}
            self._scattered[data_hash] = _call_within(seconds, self.client.scatter, {key: data}, **options)[key]
        return self._scattered[data_hash]

    def _require_project(self) -> None:
        # A worker that cannot import what it is sent does not say so: it ends.
        package = __name__.partition(".")[0]
        specs = _call_within(_PATIENCE, self.client.run, find_spec, package, on_error="ignore")
        specs["itself"] = _call_within(_PATIENCE, self.client.run_on_scheduler, find_spec, package)
        if lacking := [address for address, spec in specs.items() if not spec]:
            raise self.error(f"and its workers need this project: {', '.join(lacking)}", "Start all in its folder")

    def send(
        self,
        unfitted: Any,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        *,
        n_repeats: int,
        seed: int = 0,
        keep: Keep = evaluate.predict_test_rows,
        nested: bool = False,
    ) -> "_Folds":
        """Send folds to be fitted as `model.fitting.evaluate.out_of_fold` would; the cluster begins at once.

        Parameters
        ----------
        unfitted, X, y, n_repeats, seed, keep
            As in that function.
        nested
            Whether pairs of folds are left out, too, as `model.fitting.evaluate.cross_validate` does.

        Returns
        -------
        iterable of (int, ndarray)
            For ``fits`` of that function: in the order in which they are ready, and complete.
        """
        work = {"unfitted": unfitted, "n_repeats": n_repeats, "seed": seed, "keep": keep, "nested": nested}
        return _Folds(self, work, (X, y), evaluate.n_fits_of(n_repeats, nested=nested))


class _Folds:
    """Folds in a cluster, sent again if they or the data are lost with a worker."""

    def __init__(
        self, cluster: Cluster, work: dict[str, Any], data: tuple[FloatArray, FloatArray], n_folds: int
    ) -> None:
        self._cluster, self._work, self._data = cluster, work, data
        self._scattered: Any = None
        self._futures: dict[int, Any] = {}
        self._send(range(n_folds))

    def _send(self, folds: Sequence[int]) -> None:
        self._futures = dict.fromkeys(folds, None)
        try:
            self._scattered = self._cluster.scatter(self._data, self._scattered)
            key = f"petrol-{uuid.uuid4().hex}"
            futures = self._cluster.client.map(
                _fit, folds, key=[(key, fold) for fold in folds], pure=False, fifo_timeout=0,
                **self._work, data=self._scattered, sender=_versions(),
            )  # fmt: skip
        except ClusterError:
            raise
        except Exception:  # noqa: BLE001 - lost again, whatever Dask raises: `__iter__` tries again
            return
        self._futures = dict(zip(folds, futures, strict=True))

    def __iter__(self) -> Iterator[Any]:
        n_vain, first_error = 0, None
        while self._futures:
            n_vain += 1
            for fold, result in self._yield_ready():
                n_vain = 0
                if isinstance(result, ClusterError):
                    raise self._cluster.error(str(result), "Give all the same requirements and code")
                if not isinstance(result, Exception):
                    yield fold, result
                    continue
                first_error = result  # the first fold's counts, as on one machine, which fits folds in order
                self._drop([later for later in self._futures if later > fold])
            if self._futures:
                if n_vain == _N_TRIES:
                    raise self._cluster.error(f"lost its work {n_vain} times before a fold was done", "Look at its log")
                self._cluster.require()
                self._send(list(self._drop(list(self._futures))))
        if first_error:
            raise first_error

    def _drop(self, folds: list[int]) -> list[int]:
        for fold in folds:
            if future := self._futures.pop(fold):
                future.release()
        return folds

    def _yield_ready(self) -> Iterator[Any]:
        """Yield (fold, result) as folds get ready, until all are or one is lost."""
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        fold_of_key: dict[int, Any] = {}
        for fold, future in self._futures.items():
            if future is None:
                return
            fold_of_key[future.key] = fold
            future.add_done_callback(ready.put)
        while self._futures:
            try:
                future = ready.get(timeout=_BEAT)
            except queue.Empty:
                self._cluster.require()
                continue
            if (fold := fold_of_key[future.key]) not in self._futures:
                continue  # dropped, as it comes after the first fold that cannot be fitted
            try:
                result = future.result(timeout=_PATIENCE)
            except (CancelledError, OSError):
                return
            except Exception as error:  # noqa: BLE001 - not the fold's: its errors are returned
                raise self._cluster.error(*_describe_failure(error)) from None
            self._drop([fold])
            yield fold, result


def _describe_failure(error: Exception) -> tuple[str, str]:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        problem = f"lost {error.allowed_failures + 1} workers at the same fold, perhaps for want of memory"
        return problem, "Give them more, train on fewer rows"
    problem = f"has a worker that cannot begin ({type(error).__name__}: {str(error)[:300]})"
    return problem, "Start workers in this project's folder, with its requirements"


def _fit(
    fold: int,
    unfitted: Any,
    n_repeats: int,
    seed: int,
    keep: Keep,
    nested: bool,
    data: tuple[FloatArray, FloatArray],
    sender: dict[str, str],
) -> Any:
    """Fit a fold on a worker; its errors are returned, so that whatever is raised is the cluster's."""
    from distributed import get_worker

    own = _versions()
    if differing := [name for name in sender if own.get(name) != sender[name]]:
        differences = ", ".join(f"{name} {own.get(name)} instead of {sender[name]}" for name in differing)
        return ClusterError(f"has a worker, {get_worker().address}, with {differences}")
    try:
        return evaluate.fit_split(unfitted, *data, fold, n_repeats, seed, keep, nested=nested)
    except Exception as error:  # noqa: BLE001 - raised again where the training runs
        return error


@cache
def _versions() -> dict[str, str]:
    """What must be equal for equal results: the libraries and this project."""
    return libraries() | {"this project": checksum_of(Path(__file__).parents[2])}


def checksum_of(project: Path) -> str:
    """Return a checksum of the code and the table in a folder that a result depends on."""
    paths = (path for name in ("data", "model") for path in sorted((project / name).rglob("*")))
    texts = (path.read_text(encoding="utf-8") for path in paths if path.suffix in (".py", ".toml"))
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def _call_within(seconds: float, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function that may block; give up after ``seconds``."""
    answer: Future[Any] = Future()

    def call() -> None:
        try:
            answer.set_result(function(*arguments, **options))
        except Exception as error:  # noqa: BLE001 - raised below, by `result`
            answer.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return answer.result(seconds)


def _silence_dask() -> None:
    """Keep Dask's messages out of the log: the job reports what matters of them."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")
