"""The processes that fit folds on this machine: joblib's, started early and ended with the one that uses them."""

import os
import threading
import time
from contextlib import AbstractContextManager
from typing import Any

from joblib import Parallel, delayed, parallel_config

from model.fitting.deferred import import_estimators

N_PROCESSES = min(4, os.cpu_count() or 1)
_WORTH_STARTING = 1.5  # [s] of fits; the processes take about as long to start


def worthwhile_processes(seconds: float, most: int = N_PROCESSES) -> int:
    """How many processes are worth starting for fits that take ``seconds`` in all."""
    return most if seconds > _WORTH_STARTING else 1


def using_helpers() -> AbstractContextManager[Any]:
    """Return the context in which joblib uses helper processes."""
    return parallel_config("loky", initializer=_end_with_parent, initargs=(os.getpid(),))


def start_helpers() -> None:
    """Start the helpers; they take about as long as this process takes to read the rows."""
    with using_helpers():
        Parallel(n_jobs=N_PROCESSES)(delayed(import_estimators)() for _ in range(N_PROCESSES))


def _end_with_parent(parent: int) -> None:
    """End a helper soon after its parent was killed, not minutes later."""

    def watch_parent() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.name == "posix":
        threading.Thread(target=watch_parent, daemon=True).start()
