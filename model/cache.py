"""What was worked out and may be asked for again: each thing once, however many threads ask for it at a time."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

_LEFT_ALONE = 5, 30  # times as long as the failure took, but not longer [s]


class Cache:
    """The last few things that were asked for, by their keys: any number of threads may use it at once.

    Parameters
    ----------
    size
        How many things are kept; what is still being worked out is kept besides.
    """

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, Lock()  # never held while something is worked out
        self._futures: OrderedDict[Hashable, Future[Any]] = OrderedDict()  # what was asked for last stands last

    def get(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """Return what has this key, worked out by whoever asks first; a failure is for those who waited for it."""
        with self._lock:
            future = self._futures.get(key)
            if is_first := future is None:
                future = self._futures[key] = Future()
            self._futures.move_to_end(key)
        if is_first:
            try:
                future.set_result(work())
            except BaseException as error:
                with self._lock:
                    self._futures.pop(key, None)
                future.set_exception(error)
                raise
            with self._lock:
                done = [other for other, waiting in self._futures.items() if waiting.done()]
                for oldest in done[: max(len(done) - self._size, 0)]:
                    del self._futures[oldest]
        return future.result()


class Backoff:
    """Leaves alone for a while what was long in failing, or everybody who asks would wait for it."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, tuple[Exception, float]] = {}  # with when it may be asked again

    def ask(self, about: Hashable, question: Callable[[], Any]) -> Any:
        """Return what a question returns; while the last failure about the same is recent, raise that one again."""
        error, until = self._failures.get(about, (None, 0.0))
        if error and time.monotonic() < until:
            raise error.with_traceback(None)  # each raising would add to it
        begun = time.monotonic()
        try:
            return question()
        except Exception as error:
            times, most = _LEFT_ALONE
            over = time.monotonic()
            recent = {key: failure for key, failure in self._failures.copy().items() if failure[1] > over}
            self._failures = recent | {about: (error, over + min(times * (over - begun), most))}
            raise
