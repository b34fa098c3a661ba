"""Production entry: the app, warm before it answers, with its JSON interface, behind a guard.

``uvicorn server:app --host 127.0.0.1 --port 8501``. Health at ``/_stcore/health`` means ready: the server
accepts no connection before the model is loaded and has made a prediction.
"""

import base64
import hashlib
import logging
import os
import re
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.websockets import WebSocket
from streamlit import config

from pages.shared import api

_LOG = logging.getLogger(__name__)
_SCRIPT = Path(__file__).with_name("streamlit_app.py")
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
        self._also = set(config.get_option("server.corsAllowedOrigins"))

    async def __call__(self, scope, receive, send):
        """Answer as ASGI wants it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif not self._is_of_this_site(Headers(scope=scope)):
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).close(_CROSS)
            else:
                await PlainTextResponse("This is for pages of this app alone.\n", 403)(scope, receive, send)
        else:
            await self._app(scope, receive, self._adding_headers(send) if scope["type"] == "http" else send)

    def _is_of_this_site(self, headers):
        origin, host = headers.get("origin"), headers.get("host")
        try:
            if origin is None or origin in self._also or urlsplit(origin).netloc == host:
                return True
        except ValueError:  # no address at all
            pass
        _LOG.warning(
            "Refused a request of %.200r for the host %.200r. If both are this app, let the proxy pass the header Host "
            "on as it came, or name the origin in STREAMLIT_SERVER_CORS_ALLOWED_ORIGINS.",
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


class Return:
    """Bring whoever signs in or out back to the page they came from; Streamlit leads to the first one."""

    _COOKIE = "petrol_back"

    def __init__(self, app):
        self._app = app

    async def __call__(self, scope, receive, send):
        """Answer as ASGI wants it."""
        name = scope.get("path", "").rpartition("/")[2]
        if scope["type"] != "http" or name not in ("login", "logout", "oauth2callback"):
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        came_from = urlsplit(request.headers.get("referer", ""))
        back = unquote(request.cookies.get(self._COOKIE, ""))

        async def sending(message):
            if message["type"] == "http.response.start":
                headers, settings = MutableHeaders(scope=message), "Path=/; HttpOnly; SameSite=Lax"
                if name != "oauth2callback" and came_from.netloc == request.headers.get("host"):
                    target = quote(came_from._replace(scheme="", netloc="").geturl(), safe="")
                    headers.append("set-cookie", f"{self._COOKIE}={target}; Max-Age=600; {settings}")
                elif name == "oauth2callback" and re.match(r"/(?![/\\])[!-~]*$", back):  # of this site
                    headers["location"] = back
                    headers.append("set-cookie", f"{self._COOKIE}=; Max-Age=0; {settings}")
            await send(message)

        await self._app(scope, receive, sending)


@asynccontextmanager
async def _warm(app):
    # Imported here and not above: cached functions want the runtime, which starts with the app.
    from pages.shared import choice, goal, links, resources, tray  # noqa: F401 (what pages import, early)

    resources.warm_up()
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # else each file of each visit is a line
    yield
    resources.shut_down()


def _read_environment():
    """Take settings from the environment as `streamlit run` does, which uvicorn knows nothing of."""
    for option, convert in _FROM_ENVIRONMENT.items():
        name = "STREAMLIT_" + re.sub(r"(?=[A-Z])|\.", "_", option).upper()
        if name in os.environ:
            config.set_option(option, convert(os.environ[name]))


_FROM_ENVIRONMENT = {
    "server.baseUrlPath": str,
    "server.allowedHosts": str.split,
    "server.corsAllowedOrigins": str.split,
}
_AROUND = {"lifespan": _warm, "middleware": [Middleware(Guard), Middleware(Return)]}
app = st.App(_SCRIPT, **_AROUND)  # from here on Streamlit knows where its configuration is
_read_environment()
_base = config.get_option("server.baseUrlPath").strip("/")
# Also without the base path: so the health check of the container asks.
app = st.App(_SCRIPT, **_AROUND, routes=[Mount(f"{path}/api", api.app) for path in {"", _base and f"/{_base}"}])
