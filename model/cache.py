"""A cache that works out each value once, however many threads ask for it, and a back-off from slow failures."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from threading import Lock
from typing import Any

_BACKOFF_FACTOR, _LONGEST_BACKOFF = 5, 30  # times as long as the failure took, but not longer [s]


class Cache:
    """The values last asked for, by their keys; safe to use from several threads.

    Parameters
    ----------
    size
        How many values are kept; those still being worked out do not count.
    """

    def __init__(self, size: int) -> None:
        self._size, self._lock = size, Lock()  # never held while a value is worked out
        self._futures: OrderedDict[Hashable, Future[Any]] = OrderedDict()  # the key last asked for is last

    def get(self, key: Hashable, work: Callable[[], Any]) -> Any:
        """Return the value of a key; the first thread to ask works it out, and all that wait share a failure."""
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
                finished = [old_key for old_key, old_future in self._futures.items() if old_future.done()]
                for oldest_key in finished[: max(len(finished) - self._size, 0)]:
                    del self._futures[oldest_key]
        return future.result()


class Backoff:
    """Does not repeat a slow failure for a while: otherwise each thread that asks would wait for it again."""

    def __init__(self) -> None:
        self._failures: dict[Hashable, tuple[Exception, float]] = {}  # the error, and when to try again

    def ask(self, about: Hashable, question: Callable[[], Any]) -> Any:
        """Return what a question returns; while its last failure is recent, raise that again without asking."""
        error, retry_time = self._failures.get(about, (None, 0.0))
        if error and time.monotonic() < retry_time:
            raise error.with_traceback(None)  # otherwise its traceback would grow each time
        start_time = time.monotonic()
        try:
            return question()
        except Exception as error:
            end_time = time.monotonic()
            recent = {key: failure for key, failure in self._failures.copy().items() if failure[1] > end_time}
            delay = min(_BACKOFF_FACTOR * (end_time - start_time), _LONGEST_BACKOFF)
            self._failures = recent | {about: (error, end_time + delay)}
            raise
