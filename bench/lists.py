"""Programs that ask the JSON interface for long lists without pause, and what a visitor beside them waits for."""

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
from urllib.parse import urlsplit

import numpy as np

from bench.visit import Visit
from data.schema import FEATURES

_N_CLIENTS = 8
_N_SCENARIOS = 10_000  # of a list: the most that one may hold
_N_MOVES = 150
_PAUSE = 0.05  # [s] between the answer to a move and the next one


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
    command = [sys.executable, "-m", "bench.lists", url, str(n_clients)]
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
