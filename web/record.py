"""The record of each request, where settings ask for it: a line of JSON in the log, and its duration in the metrics.

``PETROL_LOG=json`` makes every line of the log a line of JSON. Each request has one, with an id that goes back to the
client as ``X-Request-ID``; what the JSON interface logs meanwhile has the same id. Query strings are left out, because
they hold what people look at, and a sign-in's code; so are the page's own files, unless they could not be sent.
"""

import json
import logging
import os
import re
import secrets
import sys
import time
from collections.abc import Sequence
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import streamlit.logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.shared import metrics
from web import api

LOG_SETTING = "PETROL_LOG"
_LOG = logging.getLogger(__name__)
_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_FILES = re.compile(r"/(static|parts)/|/favicon\.\w+$")
_PRIVATE = re.compile(r"(/_stcore/upload_file/|/media/).*")  # paths by which a session's files can be reached
_HUNG_UP = 499  # as nginx writes it: the client has gone
_id: ContextVar[str] = ContextVar("id", default="")


def log_middleware(base: str) -> Sequence[Middleware]:
    """Return the middleware that records requests, if anything is to be recorded.

    Parameters
    ----------
    base
        Path below which the app is, with a slash before it; usually empty.
    """
    form = os.environ.get(LOG_SETTING, "").strip()
    if form not in ("", "text", "json"):
        sys.exit(f"{LOG_SETTING}: {form[:40]!r} is no form of the log. Write json, or text, which it has by itself.")
    if form == "json":
        _write_json()
    return [Middleware(Record, base, form == "json")] if form == "json" or metrics.counters else []


def _write_json() -> None:
    """Have every logger write through one handler, also those with handlers of uvicorn's or Streamlit's."""

    def pass_to_root(logger: logging.Logger) -> None:
        logger.handlers.clear()
        logger.propagate = True

    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for name in list(logging.root.manager.loggerDict):
        pass_to_root(logging.getLogger(name))
    streamlit.logger.setup_formatter = pass_to_root  # or later loggers of Streamlit's would have handlers of their own


class _Line(logging.Formatter):
    """One event as a line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Write time, level, logger, message and id."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {"id": _id.get()} if _id.get() else {}
        line |= getattr(record, "request", {})
        line |= {"error": self.formatException(record.exc_info)} if record.exc_info else {}
        return json.dumps(line)


class Record:
    """Around everything: record each request, and the opening and the end of each websocket."""

    def __init__(self, app: ASGIApp, base: str, is_logged: bool) -> None:
        self._app, self._is_logged = app, is_logged
        self._paths = {f"{root}/api{route.path}": f"/api{route.path}" for root in {"", base} for route in api.routes}
        self._api = tuple({"/api/", f"{base}/api/"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        start_time, status, n_bytes = time.perf_counter(), 0, 0
        sent_id = Headers(scope=scope).get("x-request-id", "")
        # Each request is a task, with values of its own.
        _id.set(sent_id if _ID.fullmatch(sent_id) else secrets.token_hex(8))

        async def send_and_count(message: Message) -> None:
            nonlocal status, n_bytes
            if message["type"] in ("http.response.start", "websocket.accept"):
                status = message.get("status", 101)
                message.setdefault("headers", [])
                MutableHeaders(scope=message)["x-request-id"] = _id.get()
                if status == 101:
                    self._log(scope, "websocket opened", logging.INFO, {"status": status})
            elif message["type"] == "websocket.close" and not status:
                status = 403
            n_bytes += len(message.get("body", b"") or message.get("bytes", b"") or b"")
            await send(message)

        try:
            await self._app(scope, receive, send_and_count)
        except Exception:
            status = 500  # even if the head has been sent: monitoring must see the failure
            raise
        finally:
            seconds = time.perf_counter() - start_time
            status = status or _HUNG_UP
            is_socket = scope["type"] == "websocket"
            if metrics.counters and not is_socket and scope["path"].startswith(self._api):
                path = self._paths.get(scope["path"], "other")
                metrics.counters.requests.labels(path, status).observe(seconds)
            level = logging.ERROR if status >= 500 else logging.INFO
            figures = {"status": status, "duration": round(seconds, 4), "bytes": n_bytes}
            self._log(scope, "websocket closed" if is_socket else "request", level, figures)

    def _log(self, scope: Scope, event: str, level: int, figures: dict[str, Any]) -> None:
        if self._is_logged and not (_FILES.search(scope["path"]) and figures["status"] < 400):
            request = {"method": scope.get("method", "GET"), "path": _PRIVATE.sub(r"\1...", scope["path"])}
            _LOG.log(level, event, extra={"request": request | figures})
