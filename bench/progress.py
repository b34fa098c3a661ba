"""What became faster: an earlier commit and this project in turns, in one run: ``python -m bench.progress``.

It needs the history of the repository, which an archive or a shallow clone lacks.
"""

import asyncio
import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np

from bench import browser, crowd, explore, sessions
from bench.visit import Visit
from data.schema import FEATURES
from tests.conftest import ROOT, running_server
from tests.what_if_page import number, slider

FORMER = "d4fbe1b"  # the last commit before speed was looked after
_N_TURNS = 5
_N_MOVES, _N_KEYS = 200, 30
_N_VISITORS, _PERIOD, _SECONDS = 40, 0.34, 10  # each moves so often [s], if it is answered by then
_CROWD, _CROWD_SECONDS, _ALL_SEEN = 100, 660, 360  # in the first minutes most pages are new to each session
_SEED = 1972
_MEMORY = "memory after the first page [MB]"
WANTED = {  # the most that each may be, but for what ends in "1/s": the least
    "start of the process to ready [s]": 1.8,
    "opened page to number, first visit after the start [s]": 1.0,
    _MEMORY: 240,  # or 15 % less than formerly: since the figure was set, refits have come
    "CPU of the server a move [ms]": 7,
    "bytes of an answer, before compression [kB]": 8,
    "release to everything agreeing [ms]": 50,
    "key to number, from outside the browser [ms]": 12,
    "40 visitors: moves [1/s]": 110,
    "40 visitors: move to answer, p95 [ms]": 250,
    "Explore opened to its pictures [s]": 1.6,
    "retraining, another seed [s]": 6,
    "retraining, other rows [s]": 10,
}
_IS_OTHER = "(before) => document.querySelector('[data-testid=live-prediction]').textContent !== before"
_RETRAIN = """
import json
from bench.retrain import *
with new_store() as store:
    trained(store, ["forest"])
    found = {"retraining, another seed [s]": trained(store, ["forest"], seed=1)[0]}
    with store.writing() as connection:
        fewer = versions.add_data_set(connection, load_rows().iloc[1:].reset_index(drop=True), "one row fewer")
    found["retraining, other rows [s]"] = trained(store, ["forest"], data_set=fewer, seed=1)[0]
print(json.dumps(found))
"""


def former_project(folder):
    """Unpack the project as it was.

    Parameters
    ----------
    folder : pathlib.Path

    Returns
    -------
    pathlib.Path
    """
    packed = subprocess.run(["git", "archive", FORMER], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(folder, filter="data")
    return folder


class _CountedVisit(Visit):
    """A visitor who counts the bytes of what it is told."""

    n_bytes = 0

    async def _receive(self):
        message = await super()._receive()
        self.n_bytes += message.ByteSize()
        return message


async def _move(url, process):
    """One visitor's moves: CPU of the server [ms] and bytes [kB] a move."""
    visit, rng = await _CountedVisit.open(url), np.random.default_rng(_SEED)
    for i in range(_N_MOVES + 20):
        if i == 20:  # those before are its warm-up
            before, visit.n_bytes = sum(process.cpu_times()[:2]), 0
        column = FEATURES[rng.integers(len(FEATURES))]
        await visit.move({column.name: column.grid[rng.integers(column.n_steps)]})
    cpu = sum(process.cpu_times()[:2]) - before
    await visit.close()
    return cpu / _N_MOVES * 1000, visit.n_bytes / _N_MOVES / 1000


async def _load(url):
    visitors = await sessions.open_sessions(url, _N_VISITORS)
    waits, seconds = await sessions.load(visitors, _SECONDS, _PERIOD)
    for visitor in visitors:
        await visitor.close()
    return len(waits) / seconds, np.quantile(waits, 0.95) * 1000


def _keys(visit):
    """From pressing a key that takes a slider to its other end to being told of another number [ms]."""
    page, delays = visit.page, []
    slider(page, FEATURES[-1].name).focus()
    for i in range(_N_KEYS):
        visit.settle()
        before = number(page).inner_text()
        start = time.perf_counter()
        page.keyboard.press("Home" if i % 2 else "End")
        page.wait_for_function(_IS_OTHER, arg=before)
        delays.append((time.perf_counter() - start) * 1000)
    return delays


def measure(project, folder):
    """Measure a project once; return what stands in `WANTED` but for the trainings, which `retrain` measures."""
    start = time.perf_counter()
    with running_server(cwd=project, log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        ready, process = time.perf_counter() - start, sessions.process_of(url)
        with browser.chrome() as chrome:
            with browser.Visit(chrome, url) as visit:
                first, memory = visit.seconds, process.memory_info().rss / 1e6
                releases = browser.release_delays(visit, FEATURES[-1])
                keys = _keys(visit)
            with explore.Visit(chrome, url) as visit:
                explored = visit.seconds
        cpu, size = asyncio.run(_move(url, process))
        moves, slow = asyncio.run(_load(url))
    figures = (ready, first, memory, cpu, size, np.median(releases), np.median(keys), moves, slow, explored)
    return dict(zip(WANTED, figures, strict=False))


def retrain(project):
    """Train twice in a project, whose own bench says how."""
    done = subprocess.run([sys.executable, "-c", _RETRAIN], cwd=project, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main():
    """Measure both in turns, print the table, and then let a crowd visit this one."""
    turns = {FORMER: [], "now": []}
    with tempfile.TemporaryDirectory() as scratch:
        projects = {FORMER: former_project(Path(scratch) / "former"), "now": ROOT}
        for n in range(_N_TURNS):
            for name, project in list(projects.items())[:: 1 if n % 2 else -1]:
                folder = Path(scratch) / f"{name}-{n}"
                folder.mkdir()
                turns[name].append(measure(project, folder) | retrain(project))
        print(f"{'median of ' + str(_N_TURNS) + ' turns':60}{FORMER:>10}{'now':>10}{'wanted':>10}")
        for what, limit in WANTED.items():
            former, now = (np.median([figures[what] for figures in turns[name]]) for name in turns)
            wanted = max(limit, 0.85 * former) if what == _MEMORY else limit
            is_met = now >= wanted if what.endswith("[1/s]") else now <= wanted
            print(f"{what:60}{former:10.4g}{now:10.4g}{wanted:10.4g}  {'ok' if is_met else 'missed'}")
        with running_server(log=Path(scratch) / "log", PETROL_STORE_URL=f"sqlite:///{scratch}/store.db") as url:
            outcome = crowd.run(url, _CROWD, _CROWD_SECONDS, algorithm="Least squares")
        for what, slope in (
            ("after a minute", outcome.slope(until=_ALL_SEEN)),
            ("when all have seen each page", outcome.slope(since=_ALL_SEEN)),
        ):
            title = f"{_CROWD} visitors who change pages, {what} [MB/min]"
            print(f"{title:60}{'':10}{slope:10.4g}{0.5:10.4g}  {'ok' if slope <= 0.5 else 'missed'}")
        print(f"{len(outcome.errors)} errors")


if __name__ == "__main__":
    os.environ.pop("PETROL_STORE_URL", None)
    main()
