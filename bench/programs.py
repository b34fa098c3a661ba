"""What programs cost visitors: lists asked for without pause, connections that say nothing, a reader of the figures."""

import asyncio
import contextlib
import http.client
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from bench.visit import Visit
from data.schema import FEATURES
from tests.conftest import running_server

_N_CLIENTS = 8
_N_SCENARIOS = 10_000  # of a list: the most that one may hold
_N_MOVES = 150
_PAUSE = 0.05  # [s] between the answer to a move and the next one
_N_SLOW = 300  # connections
_SLOW_SECONDS = 20
_N_SCRAPES = 200


async def figures(figure: type, url: str) -> list[Any]:
    """Measure a running server beside programs.

    Parameters
    ----------
    figure
        What a figure is made with.
    url
        Of the server.

    Returns
    -------
    list of Figure
    """
    idle = await moves(url, _N_MOVES)
    with clients(url) as answered:
        beside = await moves(url, _N_MOVES)
    ends = [float(np.quantile(waits, 0.95)) for waits in (idle, beside)]
    what, n = f"beside {_N_CLIENTS} programs with lists of {_N_SCENARIOS:,}", _N_MOVES
    return [
        figure("one visitor: move to answer, p95", ends[0] * 1000, "ms", n=n),
        figure(f"{what}: move to answer, p95", ends[1] * 1000, "ms", n=n),
        figure("  of it without them", ends[1] / ends[0], "times", 2, n=n),
        figure("  lists answered", answered["200"] / answered["seconds"], "1/s", n=answered["200"]),
        figure("  lists refused", answered["429"] / answered["seconds"], "1/s", n=answered["429"]),
        figure(f"{_N_SLOW} connections a byte a second: open after {_SLOW_SECONDS} s", await still_open(url), "", 0),
    ]


async def still_open(url: str, n_slow: int = _N_SLOW, seconds: int = _SLOW_SECONDS) -> int:
    """Open connections that send a byte of a head each second; return how many are open after so long."""
    place = urlsplit(url)
    opened = [await asyncio.open_connection(place.hostname, place.port) for _ in range(n_slow)]
    for second in range(seconds):
        for _, writer in (each for each in opened if not each[1].is_closing()):
            writer.write(b"GET / HTTP/1.1\r\nX-Slow: " if not second else b"x")
        await asyncio.sleep(1)
    n_open = sum(not (reader.at_eof() or reader.exception() or writer.is_closing()) for reader, writer in opened)
    for _, writer in opened:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in opened), return_exceptions=True)
    return n_open


def scrape_figures(figure: type, folder: Path) -> Iterator[Any]:
    """Measure what it costs to read the figures of a server of its own.

    Yields
    ------
    Figure
    """
    with running_server(log=folder / "scraped", PETROL_METRICS="open") as url:
        connection, waits, size = http.client.HTTPConnection(urlsplit(url).netloc, timeout=60), [], 0
        with contextlib.closing(connection):
            for _ in range(_N_SCRAPES):
                begun = time.perf_counter()
                connection.request("GET", "/metrics")
                size = len(connection.getresponse().read())
                waits.append(time.perf_counter() - begun)
    yield figure("reading the figures, p50", float(np.median(waits)) * 1000, "ms", n=_N_SCRAPES)
    yield figure("  their size", size / 1000, "kB")


async def moves(url: str, n_moves: int) -> list[float]:
    """Move sliders one after the other, as a visitor does; return how long each answer took [s]."""
    visit, rng, waits = await Visit.open(url), np.random.default_rng(5), []
    for _ in range(n_moves):
        column = FEATURES[rng.integers(len(FEATURES))]
        begun = time.perf_counter()
        await visit.move({column.name: column.grid[rng.integers(column.n_steps)]})
        waits.append(time.perf_counter() - begun)
        await asyncio.sleep(_PAUSE)
    await visit.close()
    return waits


@contextlib.contextmanager
def clients(url: str, n_clients: int = _N_CLIENTS) -> Iterator[Counter[str]]:
    """Have so many programs ask beside the body, in a process of their own; afterwards what they were answered.

    Parameters
    ----------
    url
        Of the server.
    n_clients

    Yields
    ------
    Counter
        Status -> how often, filled when the body has ended; ``"seconds"`` -> how long they asked.
    """
    command = [sys.executable, "-m", "bench.programs", url, str(n_clients)]
    process = subprocess.Popen(
        command, cwd=Path(__file__).parent.parent, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    answered: Counter[str] = Counter()
    try:
        process.stdout.readline()  # each has been answered once
        yield answered
    finally:
        answered.update(json.loads(process.communicate("\n", timeout=120)[0].splitlines()[-1]))


def _ask(url: str, n_clients: int) -> Counter[str]:
    """Ask until a line can be read from the standard input."""
    rng, over, begun = np.random.default_rng(6), threading.Event(), threading.Barrier(n_clients + 1)
    columns = {column.name: rng.choice(column.grid, _N_SCENARIOS).tolist() for column in FEATURES}
    body = json.dumps([dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)])
    answered: Counter[str] = Counter()

    def client() -> None:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=120)
        for number in range(sys.maxsize):
            try:
                connection.request("POST", "/api/predict", body.encode(), {"Content-Type": "application/json"})
                reply = connection.getresponse()
                reply.read()
                answered[str(reply.status)] += 1
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                answered[repr(error)] += 1
            if not number:
                begun.wait()
            if over.is_set():
                return

    threads = [threading.Thread(target=client) for _ in range(n_clients)]
    for thread in threads:
        thread.start()
    begun.wait()
    since = time.monotonic()
    print("all were answered once", flush=True)
    sys.stdin.readline()
    over.set()
    for thread in threads:
        thread.join()
    answered["seconds"] = round(time.monotonic() - since)
    return answered


if __name__ == "__main__":
    print(json.dumps(_ask(sys.argv[1], int(sys.argv[2]))))
