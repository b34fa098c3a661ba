"""``python -m tests``: every test, and what that cost; arguments are for pytest, as in ``python -m tests -k goal``.

Two rows of runs stand beside each other, since either alone leaves processors idle. Browser tests have processes of
their own: Playwright's event loop runs on in theirs, where no other may begin.
"""

import ctypes
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import psutil

from tests import programs
from tests.conftest import ROOT

_ADOPT = 36  # Linux's PR_SET_CHILD_SUBREAPER
_PATIENCE = 30  # [s] with processes that a test has told to end
_NO_TESTS = 5  # exit code of pytest
ROWS = (  # run one after the other: what keeps the stores, which tests, in how many processes
    (
        ("sqlite", "not browser", 2),
        ("postgresql", "not browser", 2),
        ("postgresql", "browser", 0),
        ("sqlite", "browser and door", 0),  # here, so that both rows end at about the same time
    ),
    (("sqlite", "browser and not door", 0),),
)


def _adopt_orphans() -> None:
    """Become the parent of whatever loses its own, so that its processor time is counted, too."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_ADOPT, 1, 0, 0, 0)


def _run(row: tuple[tuple[str, str, int], ...], arguments: list[str]) -> bool:
    """Do the runs of a row and print what each says, in one piece; return whether all is well."""
    is_well = True
    for store, mark, n in row:
        title, start = f"{mark} tests with their stores in {store}", time.monotonic()
        print(f"Begun: {title}.", flush=True)
        command = [sys.executable, "-m", "pytest", "-n", str(n), "-m", f"{mark} and not soak", *arguments]
        with tempfile.TemporaryFile() as said:
            environment = os.environ | {"PETROL_TEST_STORE": store}
            code = subprocess.run(command, cwd=ROOT, env=environment, stdout=said, stderr=said, check=False).returncode
            said.seek(0)
            text = said.read().decode(errors="replace")
        print(f"\n{text}Ended: {title}, after {_minutes(time.monotonic() - start)}.\n", flush=True)
        is_well &= code == 0 or (code == _NO_TESTS and bool(arguments))
    return is_well


def _end_what_is_left() -> None:
    """Wait for processes that the tests have left behind, and end and name those that stay."""
    _, lasting = psutil.wait_procs(psutil.Process().children(recursive=True), _PATIENCE)
    for process in lasting:
        print(f"Left behind: {process.pid} {' '.join(process.cmdline())[:200]}", flush=True)
        process.kill()
    psutil.wait_procs(lasting)


def _minutes(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def main(arguments: list[str]) -> int:
    """Run the tests, print what they say and what they cost; 0 when all is well."""
    _adopt_orphans()
    programs.main()
    start, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with ThreadPoolExecutor(len(ROWS)) as rows:
        is_well = all(list(rows.map(lambda row: _run(row, arguments), ROWS)))
    _end_what_is_left()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime - before.ru_utime - before.ru_stime
    print(f"All tests: {_minutes(time.monotonic() - start)} of wall time, {_minutes(cpu)} of processor time.")
    return int(not is_well)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
