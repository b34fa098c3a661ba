"""A hundred visitors at once for minutes: moves, other pages, uploads, and one retraining among them."""

import asyncio
import math
import time
from dataclasses import dataclass, field

import numpy as np

from bench.sessions import process_of
from bench.visit import Visit
from data.schema import FEATURES

_PERIOD = 4.0  # [s] between what a visitor does
_PAGES = ("explore", "models", "retrain", "score", "")
_TABLE = (
    "petrol_tax,average_income,paved_highways,driver_licence_share\n" + "9,3571,1976,0.525\n7.5,4092,1250,0.572\n" * 20
)
_SETTLED = 60  # [s] after which the memory should not grow any more


@dataclass
class Outcome:
    """What a crowd saw; waits [s], memory [MB] by time [s]."""

    waits: list = field(default_factory=list)
    moves: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    memory: list = field(default_factory=list)
    trained: bool = False

    def slope(self, since=_SETTLED, until=math.inf):
        """Growth of the memory of the server between two times [s], by least squares [MB per minute]."""
        settled = [(at, size) for at, size in self.memory if since <= at < until]
        return float(np.polyfit(*zip(*settled, strict=True), 1)[0] * 60) if len(settled) > 1 else 0.0


async def _visit(url, number, until, outcome):
    """Do what visitors do, at their pace, until it is time to leave."""
    rng, clock = np.random.default_rng(number), time.monotonic
    await asyncio.sleep(rng.random() * _PERIOD)
    visit, page = await Visit.open(url), ""
    while clock() < until:
        start, kind = clock(), rng.random()
        if kind < 0.85 and page == "":
            column = FEATURES[rng.integers(len(FEATURES))]
            await visit.move({column.name: column.grid[rng.integers(column.n_steps)]})
            outcome.moves.append(clock() - start)
        elif kind > 0.9 and page == "score":
            await visit.upload("rows.csv", _TABLE.encode())
            if "40 of 40 rows scored" not in visit.text:
                outcome.errors.append(f"not scored: {visit.text[-200:]}")
        else:
            page = _PAGES[rng.integers(len(_PAGES))] if page == "" else ""
            await visit.go(page)
        outcome.waits.append(clock() - start)
        outcome.errors += visit.exceptions()
        await asyncio.sleep(max(0.0, _PERIOD - (clock() - start)) * rng.uniform(0.5, 1.5))
    await visit.close()


async def _retrain(url, outcome, algorithm):
    """Train in the middle of it, and wait for its end."""
    visit = await Visit.open(url, "retrain")
    await visit.choose("Algorithm", algorithm)
    await visit.count("Seed", 77)
    await visit.press("Retrain")
    async with asyncio.timeout(180):
        while "candidate=" not in visit.query:
            await asyncio.sleep(0.5)
            await visit.run()
    outcome.errors += visit.exceptions()
    outcome.trained = True
    await visit.close()


async def _watch(url, until, outcome):
    server, start = process_of(url), time.monotonic()
    while time.monotonic() < until:
        outcome.memory.append((time.monotonic() - start, server.memory_info().rss / 1e6))
        await asyncio.sleep(2)


async def _all(url, n_visitors, seconds, algorithm, outcome):
    until = time.monotonic() + seconds
    tasks = [_visit(url, number, until, outcome) for number in range(n_visitors)]
    for done in await asyncio.gather(
        *tasks, _watch(url, until, outcome), _retrain(url, outcome, algorithm), return_exceptions=True
    ):
        if isinstance(done, BaseException):
            outcome.errors.append(repr(done)[:300])


def run(url, n_visitors, seconds, algorithm="Random forest"):
    """Let so many visitors work for so long.

    Parameters
    ----------
    url : str
        Of a server that this process has started.
    n_visitors : int
    seconds : float
    algorithm : str, default="Random forest"
        What one of them trains.

    Returns
    -------
    Outcome
    """
    outcome = Outcome()
    asyncio.run(_all(url, n_visitors, seconds, algorithm, outcome))
    return outcome
