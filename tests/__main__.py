"""``python -m tests``: every test, on as many processes as the machine is good for, and what that cost.

Two runs at once, since either alone leaves processors idle: all tests with the stores in files of SQLite, and those in
which a store has a part with PostgreSQL. Arguments go to the former alone: ``python -m tests -k goal``.
"""

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping

import psutil

from tests import programs
from tests.conftest import ROOT

_ADOPT = 36  # Linux's PR_SET_CHILD_SUBREAPER
_PATIENCE = 30  # [s] with processes that a test has told to end
_PROCESSES = str((os.cpu_count() or 1) + 1)  # a browser and its server wait for each other half of the time


def _adopt_orphans() -> None:
    """Become the parent of whatever loses its own, so that its processor time is counted, too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)


def _pytest(*arguments: str, output: int | None = None, **environment: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=output, stderr=output)


def _wait_for(runs: Mapping[str, subprocess.Popen[bytes]]) -> int:
    """Wait for the runs and for what they have left behind; return how many runs failed."""
    n_failed = sum(run.wait() != 0 for run in runs.values())
    _, lasting = psutil.wait_procs(psutil.Process().children(recursive=True), _PATIENCE)
    for process in lasting:
        print(f"Left behind: {process.pid} {' '.join(process.cmdline())[:200]}", flush=True)
        process.kill()
    psutil.wait_procs(lasting)
    return n_failed + len(lasting)


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def main(arguments: list[str]) -> int:
    """Run the tests, print what they say and what they cost, and return how many runs failed."""
    _adopt_orphans()
    programs.main()
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with tempfile.TemporaryFile() as said:
        runs = {"SQLite": _pytest("-n", _PROCESSES, *arguments)}
        if not arguments:
            print(
                "PostgreSQL: the tests in which a store has a part run meanwhile; what they say comes last.", flush=True
            )
            runs["PostgreSQL"] = _pytest("-n", "1", output=said.fileno(), PETROL_TEST_STORE="postgresql")
        n_failed = _wait_for(runs)
        said.seek(0)
        print(said.read().decode(errors="replace"), flush=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"All tests: {_minutes(time.monotonic() - start)} of wall time, {_minutes(cpu)} of processor time.")
    return n_failed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
