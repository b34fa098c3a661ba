"""Around everything: security headers on each answer, and no answer to the scripts of other sites."""

import base64
import hashlib
import json
import logging
import re
from functools import lru_cache
from pathlib import Path

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket
from streamlit.web.server.starlette.starlette_websocket import is_host_allowed

from web import origins
from web.connections import COOKIES, TOO_MANY_COOKIES

_LOG = logging.getLogger(__name__)
_NOBODY = "'none'"
_MAX_REFUSALS, _MAX_LENGTH = 100, 200  # remembered refusals, characters of an address in one
_POLICY_VIOLATION = 1008  # a websocket's close code
_ERROR_SCRIPT = """
document.title = "This app does not know its address";
document.body.replaceChildren(Object.assign(document.createElement("p"), { textContent: TEXT }));
document.documentElement.style.colorScheme = "light dark";
document.body.style =
  "max-width: 40rem; margin: 3rem auto; padding: 0 1rem; font: 1.1rem/1.5 sans-serif; overflow-wrap: anywhere";
"""


def security_headers(ancestors: list[str]) -> dict[str, str]:
    """Return the headers of every answer: they let the browser run, load, embed and send only this app's own.

    Parameters
    ----------
    ancestors
        Sites that may show the app in a frame.
    """
    index = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    inline = re.findall(rb"<script>(.*?)</script>", index, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(script).digest()).decode()}'" for script in inline)
    return {
        "Content-Security-Policy": (
            f"default-src 'none'; base-uri 'none'; form-action 'self'; connect-src 'self'; "
            f"frame-ancestors {' '.join(ancestors) or _NOBODY}; "
            "img-src 'self' data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
            f"worker-src 'self' blob:; script-src 'self' blob: {hashes}"
        ),
        **({} if ancestors else {"X-Frame-Options": "DENY"}),  # which cannot name sites
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
    }


class Guard:
    """Around everything: security headers on each answer, and no answer to the scripts of other sites.

    Streamlit's own check of a foreign origin would ask a host outside for the address of this machine.

    Parameters
    ----------
    others
        Other addresses of this app, whatever a proxy calls it.
    ancestors
        Sites that may show it in a frame.
    """

    def __init__(self, app: ASGIApp, others: list[str], ancestors: list[str]) -> None:
        self._app = app
        self._others = others
        self._headers = security_headers(ancestors)
        self._refused: dict[tuple[str, str], None] = {}  # origins and hosts of the last refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers, guarded_send = Headers(scope=scope), send
        if scope["type"] == "http":
            guarded_send = self._adding_headers(send)
        refusal = _refusal_of_host(headers) or self._refusal_of_origin(scope, headers) or _refusal_of_cookies(scope)
        if not refusal:
            await self._app(self._with_opened_host(scope, headers), receive, guarded_send)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).close(_POLICY_VIOLATION)
        else:
            await refusal(scope, receive, guarded_send)

    def _with_opened_host(self, scope: Scope, headers: Headers) -> Scope:
        """Return a request with the host of the opened page, which a proxy may have changed: Streamlit compares."""
        origin, host = headers.get("origin"), headers.get("host", "")
        opened_host = origins.own_host(origin, host, self._others) if origin is not None else host
        if opened_host is None or opened_host == host:
            return scope
        other_headers = [(name, value) for name, value in scope["headers"] if name != b"host"]
        return {**scope, "headers": [*other_headers, (b"host", opened_host.encode())]}

    def _refusal_of_origin(self, scope: Scope, headers: Headers) -> Response | None:
        origin, host = headers.get("origin"), headers.get("host", "")
        if origin is None:
            return self._reminder(scope, headers, host)
        if origins.own_host(origin, host, self._others):
            return None
        origin, host = origin[:_MAX_LENGTH], host[:_MAX_LENGTH]
        _log_refusal(origin, host)
        self._refused[origin, host] = None
        if len(self._refused) > _MAX_REFUSALS:
            del self._refused[next(iter(self._refused))]
        if re.search(r"/static/js/[^/]+\.js$", scope["path"]):  # without its script, the page would stay white
            script = _ERROR_SCRIPT.replace("TEXT", json.dumps(_explain_other_address(origin, host)))
            return Response(script, media_type="text/javascript", headers={"Cache-Control": "no-store"})
        return PlainTextResponse("This is for pages of this app alone.\n", 403)

    def _reminder(self, scope: Scope, headers: Headers, host: str) -> Response | None:
        """Explain a refused websocket where Streamlit shows it: in Firefox, all scripts have loaded by then."""
        page = "/".join(headers.get("referer", "").split("/")[:3])
        if not page or (page, host) not in self._refused or not scope["path"].endswith("/_stcore/health"):
            return None
        return JSONResponse(_explain_other_address(page, host), 421)

    def _adding_headers(self, send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        return send_with_headers


def _explain_other_address(page: str, host: str) -> str:
    return (
        f"You opened this app at {page}, but a proxy on the way asked it for {host}. So that no other site "
        "can use it in your name, the app answers only to pages of the address that it is asked for. Whoever runs it: "
        f"set {origins.ORIGINS}={page} and start it again, or have the proxy pass the header Host on as it came."
    )


@lru_cache(100)  # once for each pair: a page asks for sixty files
def _log_refusal(origin: str, host: str) -> None:
    _LOG.warning(
        "Refused a request of %.200r for the host %.200r. If both are this app, set %s to the first, or let the proxy "
        "pass the header Host on as it came.",
        origin,
        host,
        origins.ORIGINS,
    )


def _refusal_of_host(headers: Headers) -> Response | None:
    host = headers.get("host", "")
    if is_host_allowed(host):
        return None
    name = f"the name {host}" if re.fullmatch(r"[\w.:-]{1,253}", host, re.ASCII) else "that name"
    text = f"This app does not answer to {name}. Whoever runs it can add the name to STREAMLIT_SERVER_ALLOWED_HOSTS."
    text += " If it is not the name in your address bar, a proxy has changed it: have it pass the header Host on.\n"
    return PlainTextResponse(text, 400)


def _refusal_of_cookies(scope: Scope) -> Response | None:
    """Refuse a page with too many cookies, where a person reads why: its later requests may not get through."""
    headers = Headers(scope=scope)
    size = sum(map(len, headers.getlist("cookie")))
    return PlainTextResponse(TOO_MANY_COOKIES, 431) if is_page(scope, headers) and size > COOKIES else None


def is_page(scope: Scope, headers: Headers) -> bool:
    """Whether a browser asks for a page."""
    is_get = scope["type"] == "http" and scope["method"] == "GET"
    return is_get and "text/html" in headers.get("accept", "")
