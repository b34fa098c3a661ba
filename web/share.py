"""The part of the server that programs get: one request at work, some that wait, and no more."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

_REST = 0.001  # [s]


class FullError(Exception):
    """All places of a share are taken; the message names the requests, the limit and the cure."""

    def __init__(self, share: "Share") -> None:
        super().__init__(
            f"{share.n_places:,} {share.what} are being answered or wait already, which is the limit for all programs "
            f"together. Send this again in {share.seconds} s, and the next one after its answer."
        )
        self.seconds = share.seconds


class Share:
    """One request of a kind at work, and a limited number that wait for their turn; the rest are refused.

    Parameters
    ----------
    what
        Kind of requests, as a message calls them.
    n_places
        How many requests it holds: one is answered, and the others wait.
    seconds
        After which a client that was refused may ask again.

    Attributes
    ----------
    turn
        Lock to hold while working, granted in the order of asking: two that work at once only take the interpreter from
        each other, and finish no sooner.
    """

    def __init__(self, what: str, n_places: int, seconds: int) -> None:
        self.what, self.n_places, self.seconds = what, n_places, seconds
        self._n_taken, self.turn = 0, asyncio.Lock()

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place while the body runs.

        Raises
        ------
        FullError
            If all places are taken.
        """
        if self._n_taken >= self.n_places:
            raise FullError(self)
        self._n_taken += 1
        try:
            yield
        finally:
            self._n_taken -= 1


def cut_with_rests(things: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Cut long work into pieces, with a rest of a millisecond between them.

    Python switches threads every 5 ms at best, and an answer to a slider needs a dozen switches: beside work without
    rests it would wait at each. Call it in a thread of its own, never on the event loop.

    Parameters
    ----------
    size
        How many are done in a millisecond.
    """
    for start in range(0, len(things), size):
        if start:
            time.sleep(_REST)
        yield things[start : start + size]
