"""Many visitors of the What-if page at once, without a browser."""

import asyncio
import contextlib
from urllib.parse import urlsplit

import numpy as np
import psutil

from bench.visit import Visit
from data.schema import FEATURES

_PERIOD = 0.5  # [s] between the moves of a visitor


async def open_sessions(url, n_sessions):
    """Open sessions one after the other, as visitors come.

    Parameters
    ----------
    url : str
    n_sessions : int

    Returns
    -------
    list of bench.visit.Visit
    """
    return [await Visit.open(url) for _ in range(n_sessions)]


async def load(sessions, seconds, period=_PERIOD):
    """Let each session move a slider every so often, whatever the others do.

    Parameters
    ----------
    sessions : list of bench.visit.Visit
    seconds : float
    period : float, default=0.5
        Between the moves of a session [s].

    Returns
    -------
    waits : list of float
        From the moment a move was due to its whole answer [s]: a visitor's wait for the answer before counts too.
    seconds : float
        Until the last answer.
    """
    clock = asyncio.get_running_loop().time
    start = clock()
    waits = await asyncio.gather(
        *(_visit(session, start, seconds, period, np.random.default_rng(i)) for i, session in enumerate(sessions))
    )
    return [wait for of_one in waits for wait in of_one], clock() - start


async def _visit(session, start, seconds, period, rng):
    clock, waits = asyncio.get_running_loop().time, []
    due = start + rng.random() * period
    while due < start + seconds:
        await asyncio.sleep(due - clock())
        column = FEATURES[rng.integers(len(FEATURES))]
        await session.move({column.name: column.grid[rng.integers(column.n_steps)]})
        waits.append(clock() - due)
        # Nobody makes up for moves that a slow server left no time for.
        due += period * max(1, (clock() - due) // period)
    return waits


def process_of(url):
    """Find the server that ``running_server`` started, by its port."""
    port = str(urlsplit(url).port)
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that has ended, and that nobody has waited for yet
            if port in (child.environ().get("PORT"), *child.cmdline()):
                return child
    raise LookupError(f"no server of this process listens at {url}")
