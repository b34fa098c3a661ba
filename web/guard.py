"""What stands around everything: security headers on each answer, and no answer to the script of another site."""

import base64
import hashlib
import logging
import re
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocket

_LOG = logging.getLogger(__name__)
_CROSS = 1008  # a websocket's code for "against the rules"


def security_headers():
    """Return what every answer tells the browser: to run, load, embed and send nothing but this app's own.

    Returns
    -------
    dict of str
    """
    index = (Path(st.__file__).parent / "static" / "index.html").read_bytes()
    inline = re.findall(rb"<script>(.*?)</script>", index, re.DOTALL)
    hashes = " ".join(f"'sha256-{base64.b64encode(hashlib.sha256(each).digest()).decode()}'" for each in inline)
    return {
        "Content-Security-Policy": (
            "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; connect-src 'self'; "
            "img-src 'self' data: blob:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
            f"worker-src 'self' blob:; script-src 'self' blob: {hashes}"
        ),
        "X-Frame-Options": "DENY",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=(), clipboard-write=(self)",
    }


class Guard:
    """Around everything: security headers on each answer, and no answer to the script of another site.

    Streamlit's own check of a foreign origin would ask a host outside for the address of this machine.
    """

    def __init__(self, app):
        self._app = app
        self._headers = security_headers()

    async def __call__(self, scope, receive, send):
        """Answer as ASGI wants it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        sending = self._adding_headers(send) if scope["type"] == "http" else send
        if not self._is_of_this_site(Headers(scope=scope)):
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).close(_CROSS)
            else:
                await PlainTextResponse("This is for pages of this app alone.\n", 403)(scope, receive, sending)
            return
        await self._app(scope, receive, sending)

    def _is_of_this_site(self, headers):
        origin, host = headers.get("origin"), headers.get("host")
        if origin is None or host_of(origin) == host:
            return True
        _LOG.warning(
            "Refused a request of %.200r for the host %.200r. If both are this app, let the proxy pass the header Host "
            "on as it came.",
            origin,
            host,
        )
        return False

    def _adding_headers(self, send):
        async def sending(message):
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        return sending


def host_of(address):
    """Host and port of an address, or None where it is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None
