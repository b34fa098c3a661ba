"""Measure what the app promises: ``python -m bench`` prints a table and writes ``bench/results.json``.

A missed target is a result and no failure; what could not be measured is one.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import platform
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from bench import browser, decide, explore, programs, retrain, sessions
from data.load import load_rows
from data.schema import FEATURES
from model.answering.prediction import predict
from model.fitting import artifact
from pages.shared.session import INPUT_KEYS
from tests.conftest import running_server

_RESULTS = Path(__file__).with_name("results.json")
_N_STARTS = 5
_N_VISITS = 7
_N_SESSIONS = 60  # held open, for their memory
_N_MOVERS = 40  # of them, at two moves a second
_LOAD_SECONDS = 15
_SEED = 1972


@dataclass(frozen=True)
class Figure:
    """One measured figure; ``target`` is what it may be at the most, or at the least, or nothing."""

    what: str
    measured: float
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    n: int = 1

    @property
    def target(self):
        """The target in words."""
        if self.at_least is not None:
            return f">= {self.at_least:g}"
        return "" if self.at_most is None else f"<= {self.at_most:g}"

    @property
    def verdict(self):
        """Whether the target is met, where there is one."""
        if not self.target:
            return ""
        is_met = self.measured >= self.at_least if self.at_least is not None else self.measured <= self.at_most
        return "ok" if is_met else "over" if self.at_least is None else "under"


def measure():
    """Measure everything, in the order in which nothing disturbs what follows.

    Yields
    ------
    Figure
    """
    model = artifact.load(load_rows())
    milliseconds = prediction_times(model)
    yield Figure("predict, curves and contributions: CPU, p50", np.median(milliseconds), "ms", 10, n=len(milliseconds))

    starts, firsts, residents = [], [], []
    with tempfile.TemporaryDirectory() as logs, contextlib.ExitStack() as last:
        with browser.chrome() as chrome:
            for i in range(_N_STARTS):
                is_last = i == _N_STARTS - 1
                with contextlib.ExitStack() as this:
                    begin = time.perf_counter()
                    url = (last if is_last else this).enter_context(running_server(log=Path(logs) / str(i)))
                    starts.append(time.perf_counter() - begin)
                    process = sessions.process_of(url)
                    with browser.Visit(chrome, url) as visit:
                        firsts.append(visit.seconds)
                        residents.append(_megabytes(process))
                    if i == 0:
                        pages = list(page_figures(chrome, url))
                        explored = list(explore.explore_figures(Figure, chrome, url, model.rows))
            explored += explore.large_figures(Figure, chrome, Path(logs))
        yield Figure("start of the process to ready, p50", np.median(starts), "s", 1.8, n=len(starts))
        yield Figure("first visit of a new server to the number, p50", np.median(firsts), "s", 1.0, n=len(firsts))
        yield from pages
        yield from explored
        yield Figure("server's memory after its first page, p50", np.median(residents), "MB", 240, n=len(residents))
        # The browser is gone: it would have taken its share of the two cores.
        yield from asyncio.run(session_figures(model, url, process))
        yield from asyncio.run(programs.figures(Figure, url))
        yield from programs.scrape_figures(Figure, Path(logs))
    yield from decide.figures(Figure)
    yield from retrain.figures(Figure)


def prediction_times(model, n_calls=300, n_warm_up=20):
    """CPU time of the call behind each move, for random scenarios that the sliders can show.

    Parameters
    ----------
    model : model.fitting.train.Model
    n_calls, n_warm_up : int

    Returns
    -------
    list of float
        One for each of ``n_calls`` [ms].
    """
    rng, times = np.random.default_rng(_SEED), []
    for _ in range(n_warm_up + n_calls):
        scenario = {column.name: rng.choice(column.grid) for column in FEATURES}
        begin = time.process_time()
        predict(model, scenario)
        times.append((time.process_time() - begin) * 1000)
    return times[n_warm_up:]


def page_figures(chrome, url):
    """What a visitor of a warm server waits for.

    Yields
    ------
    Figure
    """
    visits = []
    for _ in range(_N_VISITS):
        with browser.Visit(chrome, url) as visit:
            visits.append(visit.seconds)
    yield Figure("opened page to the number, p50", np.median(visits), "s", 1.7, n=len(visits))
    with browser.Visit(chrome, url) as visit:
        pointer, n_frames = browser.drag_delays(visit)
        keys = browser.key_delays(visit)
        releases = browser.release_delays(visit, FEATURES[-1])
    for name, delays in (("pointer", pointer), ("key", keys)):
        event, delivery, n = delays["event"], delays["delivery"], len(delays["event"])
        yield Figure(f"{name} event to the new number, p50", np.median(event), "ms", 5, n=n)
        yield Figure(f"{name} event to the new number, p95", np.quantile(event, 0.95), "ms", 16.7, n=n)
        # The browser holds moves of the pointer back until the next frame; this part is the page's own.
        yield Figure("  of it after delivery to the page, p50", np.median(delivery), "ms", n=n)
        yield Figure("  of it after delivery to the page, p95", np.quantile(delivery, 0.95), "ms", n=n)
    yield Figure("websocket frames while dragging", n_frames, "frames", 0, n=len(pointer["event"]))
    yield Figure("release to everything agreeing, p50", np.median(releases), "ms", 50, n=len(releases))


async def session_figures(model, url, process):
    """What many visitors cost, and how long they wait.

    Yields
    ------
    Figure
    """
    before = _megabytes(process)
    opened = await sessions.open_sessions(url, _N_SESSIONS)
    each = (_megabytes(process) - before) / len(opened)
    figures = [Figure("memory for one more session", each, "MB", 0.3, n=len(opened))]
    for session in opened[_N_MOVERS:]:
        await session.close()
    movers = opened[:_N_MOVERS]
    cpu_before = _cpu_seconds(process)
    waits, seconds = await sessions.load(movers, _LOAD_SECONDS)
    cpu = _cpu_seconds(process) - cpu_before
    for session in movers:
        told = session.what_if
        number = predict(model, dict(zip(INPUT_KEYS, told["values"], strict=True))).value
        if told["answer"]["now"]["value"] != number:
            raise RuntimeError(f"{told['values']} was answered with {told['answer']['now']['value']}, not {number}")
        await session.close()
    n = len(waits)
    what = f"{_N_MOVERS} sessions, 2 moves a second each"
    return [
        *figures,
        Figure(f"{what}: moves served", n / seconds, "1/s", at_least=60, n=n),
        Figure(f"{what}: move to answer, p50", np.median(waits) * 1000, "ms", n=n),
        Figure(f"{what}: move to answer, p95", np.quantile(waits, 0.95) * 1000, "ms", 500, n=n),
        Figure(f"{what}: server CPU a move", cpu / n * 1000, "ms", 7, n=n),
        Figure(f"{what}: server's memory after", _megabytes(process), "MB"),
    ]


def _megabytes(process):
    return process.memory_info().rss / 1e6


def _cpu_seconds(process):
    times = process.cpu_times()
    return times.user + times.system


def _print(figures):
    """One aligned table."""
    rows = [("what", "measured", "unit", "n", "target", "")]
    rows += [(f.what, f"{f.measured:.4g}", f.unit, str(f.n), f.target, f.verdict) for f in figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if i in {1, 3} else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def main():
    """Measure, print, and keep the figures."""
    figures = list(measure())
    _print(figures)
    record = {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "n_cores": os.cpu_count(),
        "figures": [
            asdict(figure) | {"measured": float(figure.measured), "verdict": figure.verdict} for figure in figures
        ],
    }
    _RESULTS.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
