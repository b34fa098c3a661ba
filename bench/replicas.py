"""How many moves a second visitors get: of one replica as they become more, then of two and of three replicas.

Behind nginx, with the store in PostgreSQL. The third replica is asked directly: the shipped configuration knows two.
"""

import asyncio
import contextlib
import tempfile
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import psutil

from bench import sessions
from model.store import history
from tests.postgresql import running_postgresql
from tests.replicas import LISTENS, running_replicas

_N_VISITORS = (10, 40, 100)  # at two moves a second each; the last are more than two cores answer
_SECONDS = 15


@dataclass(frozen=True)
class Load:
    """What visitors got of replicas."""

    n_replicas: int
    n_visitors: int
    rate: float  # [moves / s]
    p95: float  # [s] that 95 of 100 moves waited at the most
    cpu: float  # [ms] of the replicas, a move
    memory: float  # [MB] of the replicas, resident

    def __str__(self):
        """As a line of a table."""
        return (
            f"{self.n_replicas:>10}{self.n_visitors:>10}{self.rate:>10.1f}{1000 * self.p95:>10,.0f}"
            f"{self.cpu:>10.1f}{self.memory:>10.0f}"
        )


HEADER = f"{'replicas':>10}{'visitors':>10}{'moves/s':>10}{'p95 [ms]':>10}{'CPU [ms]':>10}{'MB':>10}"


def measure():
    """Let visitors move sliders.

    Yields
    ------
    Load
    """
    with running_postgresql() as database, tempfile.TemporaryDirectory() as folder:
        url = database.new()
        history.open_store(url)._engine.dispose()  # noqa: SLF001 - before the server ends
        for names in (("a",), ("a", "b"), ("a", "b", "c")):
            place = Path(folder) / str(len(names))
            place.mkdir()
            with running_replicas(place, url, names) as replicas:
                apps = [sessions.process_of(replicas.url(name)) for name in names]
                where = [replicas.address if name in LISTENS else replicas.url(name) for name in names]
                for n_visitors in _N_VISITORS if len(names) == 1 else _N_VISITORS[-1:]:
                    yield Load(len(names), n_visitors, *asyncio.run(_crowd(where, n_visitors, apps)))


async def _crowd(where, n_visitors, apps):
    async with contextlib.AsyncExitStack() as leaving:
        visitors = []
        for url in islice(cycle(where), n_visitors):
            visitors += await sessions.open_sessions(url, 1)
            leaving.push_async_callback(visitors[-1].close)
        before = sum(_cpu(app) for app in apps)
        waits, seconds = await sessions.load(visitors, _SECONDS)
        used = sum(_cpu(app) for app in apps) - before
        memory = sum(app.memory_info().rss for app in apps) / 2**20
    return len(waits) / seconds, float(np.quantile(waits, 0.95)), 1000 * used / len(waits), memory


def _cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def main():
    """Print what was measured."""
    print(
        f"Visitors at two moves a second each; {psutil.cpu_count()} cores for them, nginx, PostgreSQL and the replicas"
    )
    print(HEADER)
    found = []
    for load in measure():
        print(load, flush=True)
        found.append(load)
    one, two = (next(load for load in reversed(found) if load.n_replicas == n) for n in (1, 2))
    print(f"2 replicas answer {two.rate / one.rate:.2f} times as many moves a second as 1.")


if __name__ == "__main__":
    main()
