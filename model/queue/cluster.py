"""A Dask cluster that fits the folds of a training in the place of processes here: `PETROL_DASK_SCHEDULER` names it."""

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
from joblib import hash as content_of
from numpy.typing import NDArray

from model.fitting import evaluate
from model.fitting.evaluate import FloatArray, Keep
from model.fitting.train import libraries

SCHEDULER_SETTING = "PETROL_DASK_SCHEDULER"
_PATIENCE = 12  # [s] for the scheduler to answer and a worker to be there, also in the middle of a training
_BEAT = 1  # [s] without a fold, after which the scheduler is asked whether it still has workers
_SLOWEST = 1e6  # [bytes / s] at which data may travel
_N_TRIES = 3  # that bring no fold at all
_LOGGERS = ("distributed", "distributed.client", "tornado", "tornado.application", "asyncio")


class ClusterError(Exception):
    """The cluster cannot do it; the message says where, why, and what to do."""


def cluster_address() -> str:
    """Return the address of the scheduler that is set; empty where folds are fitted here."""
    return os.environ.get(SCHEDULER_SETTING, "").strip()


class Cluster:
    """A connection to the scheduler of a cluster that has workers; to be closed.

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
        self.client: Any = Client.__new__(Client)  # at hand also where its beginning never ends
        try:
            _call_within(_PATIENCE + 1, Client.__init__, self.client, address, timeout=_PATIENCE, set_as_default=False)
        except Exception as error:  # noqa: BLE001 - whatever Dask makes of a network
            self.client.status = "closed"  # else Python would wait for it again when it ends
            why = (isinstance(error, OSError) and str(error)[:200]) or "what is there does not answer as one"
            raise self.error(f"cannot be reached ({why})", "Start the scheduler") from None
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
        with suppress(Exception):  # a scheduler that is gone is left already
            self.client.close(timeout=2)

    def require(self) -> None:
        """Wait a little until the scheduler answers and has workers; raise a `ClusterError` where it does not."""
        deadline = time.monotonic() + _PATIENCE
        n_workers: int | None = None
        while not n_workers:
            with suppress(Exception):  # what a lost connection raises is not documented; it is asked again
                ask, left = self.client.scheduler.identity, deadline - time.monotonic()
                n_workers = self.client.sync(ask, n_workers=0, callback_timeout=max(left, 0.1))["n_workers"]
            if time.monotonic() > deadline and not n_workers:
                if n_workers is None:
                    raise self.error("was lost", "Start the scheduler")
                raise self.error(f"has had no worker for {_PATIENCE} s", "Start workers")
            time.sleep(0 if n_workers else 0.1)

    def scattered(self, data: tuple[FloatArray, FloatArray], broken: Any = None) -> Any:
        """Bring data to every worker, once; again where what was brought broke with a worker."""
        content = content_of(data)
        if self._scattered.get(content, broken) is broken:
            self._require_project()
            key = f"petrol-data-{uuid.uuid4().hex}"
            seconds = _PATIENCE + sum(part.nbytes for part in data) / _SLOWEST
            options = {"broadcast": True, "timeout": _PATIENCE}
            self._scattered[content] = _call_within(seconds, self.client.scatter, {key: data}, **options)[key]
        return self._scattered[content]

    def _require_project(self) -> None:
        # One that cannot import what it is sent does not say so: it ends itself.
        package = __name__.partition(".")[0]
        found = _call_within(_PATIENCE, self.client.run, find_spec, package, on_error="ignore")
        found["itself"] = _call_within(_PATIENCE, self.client.run_on_scheduler, find_spec, package)
        if lacking := [where for where, spec in found.items() if not spec]:
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
        """Have folds fitted, as `model.fitting.evaluate.out_of_fold` would; the cluster begins at once.

        Parameters
        ----------
        unfitted, X, y, n_repeats, seed, keep
            As there.
        nested
            Whether pairs of folds are left out, too, as `model.fitting.evaluate.cross_validate` does.

        Returns
        -------
        iterable of (int, ndarray)
            For its ``fits``: in the order in which they are ready, and complete.
        """
        work = {"unfitted": unfitted, "n_repeats": n_repeats, "seed": seed, "keep": keep, "nested": nested}
        return _Folds(self, work, (X, y), evaluate.n_fits_of(n_repeats, nested=nested))


class _Folds:
    """Folds in a cluster, sent anew where they or the data are lost with a worker."""

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
            self._scattered = self._cluster.scattered(self._data, self._scattered)
            key = f"petrol-{uuid.uuid4().hex}"
            futures = self._cluster.client.map(
                _fit, folds, key=[(key, fold) for fold in folds], pure=False, fifo_timeout=0,
                **self._work, data=self._scattered, sender=_versions(),
            )  # fmt: skip
        except ClusterError:
            raise
        except Exception:  # noqa: BLE001 - lost again, whatever Dask makes of it: it is tried anew
            return
        self._futures = dict(zip(folds, futures, strict=True))

    def __iter__(self) -> Iterator[Any]:
        n_vain, first_error = 0, None
        while self._futures:
            n_vain += 1
            for fold, values in self._ready():
                n_vain = 0
                if isinstance(values, ClusterError):
                    raise self._cluster.error(str(values), "Give all the same requirements and code")
                if not isinstance(values, Exception):
                    yield fold, values
                    continue
                first_error = values  # as here, where folds are taken in order: that of the first fold counts
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

    def _ready(self) -> Iterator[Any]:
        """Yield what is ready until all is, or something was lost."""
        ready: queue.SimpleQueue[Any] = queue.SimpleQueue()
        folds: dict[int, Any] = {}
        for fold, future in self._futures.items():
            if future is None:
                return
            folds[future.key] = fold
            future.add_done_callback(ready.put)
        while self._futures:
            try:
                future = ready.get(timeout=_BEAT)
            except queue.Empty:
                self._cluster.require()
                continue
            if (fold := folds[future.key]) not in self._futures:
                continue  # a later one than the first that cannot be fitted
            try:
                values = future.result(timeout=_PATIENCE)
            except (CancelledError, OSError):
                return
            except Exception as error:  # noqa: BLE001 - of a fold's own errors, none is raised
                raise self._cluster.error(*_unfit(error)) from None
            self._drop([fold])
            yield fold, values


def _unfit(error: Exception) -> tuple[str, str]:
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        what = f"lost {error.allowed_failures + 1} workers at the same fold, perhaps for want of memory"
        return what, "Give them more, train on fewer rows"
    what = f"has a worker that cannot begin ({type(error).__name__}: {str(error)[:300]})"
    return what, "Start workers in this project's folder, with its requirements"


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
    """Fit a fold on a worker; what stands against that is returned, so that what is raised is the cluster's."""
    from distributed import get_worker

    own = _versions()
    if differing := [f"{name} {own.get(name)} instead of {it}" for name, it in sender.items() if own.get(name) != it]:
        return ClusterError(f"has a worker, {get_worker().address}, with {', '.join(differing)}")
    try:
        return evaluate.fit_split(unfitted, *data, fold, n_repeats, seed, keep, nested=nested)
    except Exception as error:  # noqa: BLE001 - raised again where the training is
        return error


@cache
def _versions() -> dict[str, str]:
    """What must be equal for equal results: the libraries and this project."""
    return libraries() | {"this project": checksum_of(Path(__file__).parents[2])}


def checksum_of(project: Path) -> str:
    """Return a checksum of the code in a folder that a result depends on."""
    files = (path for name in ("data", "model") for path in sorted((project / name).rglob("*.py")))
    texts = (path.read_text(encoding="utf-8") for path in files)
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:8]


def _call_within(seconds: float, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Call a function that may block; give up after ``seconds``."""
    answer: Future[Any] = Future()

    def call() -> None:
        try:
            answer.set_result(function(*arguments, **options))
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            answer.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return answer.result(seconds)


def _silence_dask() -> None:
    """Keep Dask's talk from the log: what matters of it is said by the job."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed")
