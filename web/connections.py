"""Connections until a request is complete: how much a browser may send, and how long that may take."""

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http import h11_impl
from websockets import http11

HEAD = 128 * 1024  # bytes of a request line and its headers; browsers put the cookies of a whole host name there
COOKIES = 60_000  # bytes of them with which a page is answered: docs/nginx.conf takes lines of 64 kB
TOO_MANY_COOKIES = (
    "Your browser sends more cookies with each request than this app takes (60 kB). Most of them were set by other "
    "programs under the same host name. Delete the cookies of this site in your browser, or ask whoever runs the app "
    "to give it a host name of its own.\n"
)
_HEAD_TIME = 10  # [s] for a head to arrive whole
_WAITING = 100  # heads that may take that long at the same time
_HURRY = 1  # [s] for the oldest, if there are more
_BODY_TIME = 20  # [s] between two looks at a body
_BODY_RATE = 500  # bytes a second that a body needs; Apache's mod_reqtimeout asks for as many

# Set here, however the app is started: the defaults are 64 kB in uvicorn, and lines of 8 kB in websockets.
h11_impl.DEFAULT_MAX_INCOMPLETE_EVENT_SIZE = HEAD  # type: ignore[attr-defined]  # uvicorn's import of h11's
http11.MAX_LINE_LENGTH = 2 * HEAD  # never less than uvicorn has let through before


class Protocol(h11_impl.H11Protocol):
    """HTTP that drops a request sent a byte at a time, but never an established connection."""

    _waiting: ClassVar[dict["Protocol", None]] = {}  # connections with an incomplete head, the oldest first

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._timer: asyncio.TimerHandle | None = None
        self._expected: object = None  # the client's state for which the timer runs
        self._received = 0  # bytes since the last look at a body
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head."""
        super().connection_made(transport)
        self._expect(h11.IDLE)

    def data_received(self, data: bytes) -> None:
        """Handle what has arrived, and expect what comes next."""
        if self._is_refused:
            return  # discard it: with unread bytes left, the answer would be lost
        super().data_received(data)
        if self._is_refused:
            return
        self._received += len(data)
        is_ours = self.transport.get_protocol() is self  # and not a websocket's by now
        state = self.conn.their_state if is_ours else None
        if state is not self._expected:
            self._expect(state)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._expect(None)
        super().connection_lost(exc)

    def _expect(self, state: object) -> None:
        self._expected = state
        self._waiting.pop(self, None)
        self._close_after(None)
        if state is h11.IDLE:
            self._close_after(_HEAD_TIME)
            self._waiting[self] = None
            if len(self._waiting) > _WAITING:
                oldest = next(iter(self._waiting))
                del self._waiting[oldest]
                oldest._close_after(_HURRY)  # noqa: SLF001 (of the same class)
        elif state is h11.SEND_BODY:
            self._received = 0
            self._timer = self.loop.call_later(_BODY_TIME, self._check_body_rate)

    def _close_after(self, seconds: float | None) -> None:
        if self._timer:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, self.transport.close) if seconds else None

    def _check_body_rate(self) -> None:
        if self._received < _BODY_TIME * _BODY_RATE and not self.flow.read_paused:
            self.transport.close()
        else:
            self._expect(h11.SEND_BODY)

    def send_400_response(self, msg: str) -> None:
        """Refuse a head; if it is too large, say what to do about the cookies in it."""
        if len(self.conn.trailing_data[0]) <= HEAD:
            super().send_400_response(msg)
            return
        text = TOO_MANY_COOKIES.encode()
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"X-Content-Type-Options: nosniff\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%b" % (len(text), text)
        )
        self._expect(None)
        self._is_refused = True
        self._close_after(_HURRY)
