"""How many moves a second one replica answers, and two: behind nginx, with the store in PostgreSQL."""

import asyncio
import tempfile
from pathlib import Path

import numpy as np
import psutil

from bench import sessions
from model import history
from tests.postgresql import running_postgresql
from tests.replicas import running_replicas

_N_MOVERS = 100  # at two moves a second each: more than two replicas answer on two cores
_SECONDS = 15


def measure():
    """Let many visitors move sliders at one replica and at two.

    Yields
    ------
    tuple of (int, float, float, float)
        Replicas, moves a second, the wait that 95 of 100 moves stay under [s], and CPU of the app per move [ms].
    """
    with running_postgresql() as database, tempfile.TemporaryDirectory() as folder:
        url = database.new()
        history.open_store(url)._engine.dispose()  # noqa: SLF001 - before the server ends
        for names in (("a",), ("a", "b")):
            place = Path(folder) / str(len(names))
            place.mkdir()
            with running_replicas(place, url, names) as replicas:
                apps = [sessions.process_of(replicas.url(name)) for name in names]
                yield len(names), *asyncio.run(_crowd(replicas.address, apps))


async def _crowd(url, apps):
    visitors = await sessions.open_sessions(url, _N_MOVERS)
    before = sum(_cpu(app) for app in apps)
    waits, seconds = await sessions.load(visitors, _SECONDS)
    used = sum(_cpu(app) for app in apps) - before
    for visitor in visitors:
        await visitor.close()
    return len(waits) / seconds, float(np.quantile(waits, 0.95)), 1000 * used / len(waits)


def _cpu(process):
    times = process.cpu_times()
    return times.user + times.system


def main():
    """Print what was measured."""
    print(f"{_N_MOVERS} visitors at two moves a second each, {psutil.cpu_count()} cores for all of it")
    rates = []
    for n, rate, wait, cpu in measure():
        rates.append(rate)
        print(f"  {n} replica{'s' if n > 1 else ' '}  {rate:6.1f} moves/s  p95 {wait:5.2f} s  CPU {cpu:5.1f} ms a move")
    print(f"  ratio       {rates[1] / rates[0]:6.2f}")


if __name__ == "__main__":
    main()
