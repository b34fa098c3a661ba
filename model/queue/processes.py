"""The processes that fit folds on this machine: joblib's, started early and ended with the one that uses them."""

import os
import threading
import time
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

from joblib import Parallel, delayed, parallel_config

N_PROCESSES = min(4, os.cpu_count() or 1)
_WORTH_THEM = 1.5  # [s] of fits; they take about as long to start


def worthwhile_processes(seconds: float, most: int = N_PROCESSES) -> int:
    """How many processes are worth their start for fits that take so long in all [s]."""
    return most if seconds > _WORTH_THEM else 1


def using_helpers() -> AbstractContextManager[Any]:
    """Return the context in which joblib uses them."""
    return parallel_config("loky", initializer=_follow, initargs=(os.getpid(),))


def start_helpers() -> None:
    """Start them, which takes them as long as reading the rows takes this one."""
    with using_helpers():
        Parallel(n_jobs=N_PROCESSES)(delayed(import_module)("sklearn.ensemble") for _ in range(N_PROCESSES))


def _follow(parent: int) -> None:
    """Let a process end when this one is killed, instead of waiting for it for minutes."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    if os.name == "posix":
        threading.Thread(target=watch, daemon=True).start()
