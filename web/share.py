"""The part of the server that programs get: so many requests at work at once, a few that wait, and no more."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

_REST = 0.001  # [s]


class FullError(Exception):
    """Everything that a share holds is taken; says what, the limit, and the cure."""

    def __init__(self, share: "Share") -> None:
        super().__init__(
            f"{share.n_places:,} {share.what} are being answered or wait already, which is the limit for all programs "
            f"together. Send this again in {share.seconds} s, and the next one after its answer."
        )
        self.seconds = share.seconds


class Share:
    """So many requests of a kind at work at once, and so many more that wait for their turn; the rest is refused.

    Parameters
    ----------
    what
        Kind of requests, as a message calls them.
    n_at_work, n_waiting
        How many are answered at once, and how many may wait besides.
    seconds
        After which whoever was refused may ask again.

    Attributes
    ----------
    turns
        To be had while the work is done, in the order of asking.
    """

    def __init__(self, what: str, n_at_work: int, n_waiting: int, seconds: int) -> None:
        self.what, self.n_places, self.seconds = what, n_at_work + n_waiting, seconds
        self._n_taken, self.turns = 0, asyncio.Semaphore(n_at_work)

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the body runs.

        Raises
        ------
        FullError
            If all are taken.
        """
        if self._n_taken >= self.n_places:
            raise FullError(self)
        self._n_taken += 1
        try:
            yield
        finally:
            self._n_taken -= 1


def in_pieces(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut what takes long into pieces, with a rest of a millisecond after each.

    Python changes threads every 5 ms at best, and an answer to a slider does so a dozen times: beside work without
    rests it would wait at each. Called in a thread of its own, never on the event loop.

    Parameters
    ----------
    things
    size
        How many are worked off in a millisecond.
    """
    for start in range(0, len(things), size):
        if start:
            time.sleep(_REST)
        yield things[start : start + size]
