"""Production entry: the app, warm before it answers, with its JSON interface, behind a guard.

``uvicorn server:app --host 127.0.0.1 --port 8501``. Health at ``/_stcore/health`` means ready: the server
accepts no connection before the model is loaded and has made a prediction.
"""

import asyncio
import base64
import hashlib
import logging
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.websockets import WebSocket
from streamlit import config

from pages.shared import api, door, uploads, visitors, what_if

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
        if origin is None or _place(origin) == host:
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


def _place(address):
    """Host and port of an address, or None where it is none."""
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None


class Greeting:
    """Give each browser that opens a page a cookie by which the pages say whose a job is; it gives no rights."""

    _AGE = 400 * 24 * 3600  # [s], the longest that browsers keep one

    def __init__(self, app):
        self._app = app
        self._path = f"{_base_path()}/"

    async def __call__(self, scope, receive, send):
        """Answer as ASGI wants it."""
        request = Request(scope) if scope["type"] == "http" else None
        is_page = request and request.method == "GET" and "text/html" in request.headers.get("accept", "")
        if not is_page or visitors.known(request.cookies.get(visitors.COOKIE)):
            await self._app(scope, receive, send)
            return

        async def sending(message):
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                secure = "; Secure" if request.url.scheme == "https" else ""
                cookie = f"{visitors.COOKIE}={visitors.new()}; Max-Age={self._AGE}; Path={self._path}"
                MutableHeaders(scope=message).append("set-cookie", f"{cookie}; HttpOnly; SameSite=Lax{secure}")
            await send(message)

        await self._app(scope, receive, sending)


class Return:
    """Bring whoever signs in or out back to the page they came from; Streamlit leads to the first one.

    Where that failed, the page is told with ``sign_in=failed`` in its address.
    """

    _COOKIE = "petrol_back"

    def __init__(self, app):
        self._app = app
        self._base = _base_path()
        self._ways = {f"{self._base}{path}": path for path in ("/auth/login", "/auth/logout", "/oauth2callback")}

    async def __call__(self, scope, receive, send):
        """Answer as ASGI wants it."""
        way = self._ways.get(scope.get("path")) if scope["type"] == "http" else None
        if not way:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        asked, is_back = request.headers.get("referer", ""), way == "/oauth2callback"
        came_from = urlsplit(asked)._replace(scheme="", netloc="").geturl() if self._is_ours(asked, request) else ""
        back = self._checked(unquote(request.cookies.get(self._COOKIE, "")) if is_back else came_from)

        async def sending(message):
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_broken = way == "/auth/login" and message["status"] >= 400
                is_refused = is_back and {"code", "error"} & set(request.query_params) and not _signs_in(headers)
                if is_broken or is_refused:
                    message["status"] = 303
                    headers["location"] = f"{back}{'&' if '?' in back else '?'}sign_in=failed"
                elif headers.get("location") == f"{self._base}/":
                    headers["location"] = back
                value, age = ("", 0) if is_back else (quote(back, safe="/?=&"), 600)
                secure = "; Secure" if request.url.scheme == "https" else ""
                cookie = f"{self._COOKIE}={value}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax{secure}"
                headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, sending)

    def _is_ours(self, address, request):
        return address.isascii() and _place(address) == request.headers.get("host")

    def _checked(self, path):
        """Return a path of this site, and no way in or out; else the first page."""
        is_path = re.fullmatch(r"/(?![/\\])[!-~]{,2000}", path) and path.partition("?")[0] not in self._ways
        return path if is_path else f"{self._base}/"


def _signs_in(headers):
    """Whether an answer sets Streamlit's cookie of somebody who has signed in."""
    cookies = headers.getlist("set-cookie")
    return any(cookie.startswith("_streamlit_user=") and "Max-Age=0" not in cookie for cookie in cookies)


@asynccontextmanager
async def _warm(app):
    # Imported here and not above: cached functions want the runtime, which starts with the app.
    from pages.shared import choice, goal, links, resources, tray  # noqa: F401 (what pages import, early)

    resources.warm_up()
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # else each file of each visit is a line
    letting_go = asyncio.create_task(uploads.let_go())
    yield
    letting_go.cancel()
    resources.shut_down()


def _name_home() -> None:
    """Name a home for a uid that has none: Streamlit looks for settings there, and would not start."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_SCRIPT.parent)  # nobody else writes there, as they could in a shared folder


def _read_environment():
    """Take settings from the environment as `streamlit run` does, which uvicorn knows nothing of."""
    for option, convert in _FROM_ENVIRONMENT.items():
        name = "STREAMLIT_" + re.sub(r"(?=[A-Z])|\.", "_", option).upper()
        if os.environ.get(name):
            config.set_option(option, convert(os.environ[name]))


def _base_path():
    """Return the path of the site below which the app is, with a slash before it; mostly empty."""
    base = config.get_option("server.baseUrlPath").strip("/")
    if not re.fullmatch(r"([\w.~-]+(/[\w.~-]+)*)?", base, re.ASCII):
        sys.exit(f"STREAMLIT_SERVER_BASE_URL_PATH: {base!r} is no path. Write it like petrol or apps/petrol.")
    return base and f"/{base}"


def _hosts():
    """Return the names under which the app answers, always with those that this machine has for itself."""
    hosts = config.get_option("server.allowedHosts")
    if wrong := [host for host in hosts if not re.fullmatch(r"\*|(\*\.)?[\w.-]+", host, re.ASCII)]:
        sys.exit(
            f"STREAMLIT_SERVER_ALLOWED_HOSTS: {wrong[0]!r} is no name. Write it like example.org or *.example.org."
        )
    if hosts:
        config.set_option("server.allowedHosts", hosts := [*hosts, "localhost", "127.0.0.1"])
    return hosts or ["*"]


async def _failed(request, error):
    """Answer when something is wrong with this program; the log says what."""
    return PlainTextResponse("Something is wrong with this program.\n", 500, security_headers())


_FROM_ENVIRONMENT = {
    "server.baseUrlPath": str,
    "server.allowedHosts": lambda text: re.findall(r"[^\s,]+", text),
    "server.cookieSecret": str,  # replicas that share one accept each other's cookies
}
_name_home()
app = st.App(_SCRIPT)  # from here on Streamlit knows where its configuration is
_read_environment()
if _problem := door.unreadable():
    sys.exit(_problem)  # Streamlit would start, and then answer nothing
app = st.App(
    _SCRIPT,
    lifespan=_warm,
    # Also without the base path: so the health check of the container asks.
    routes=[Mount(f"{path}/api", api.app) for path in {"", _base_path()}] + what_if.routes({"", _base_path()}),
    middleware=[
        Middleware(Guard),
        Middleware(TrustedHostMiddleware, _hosts(), www_redirect=False),
        Middleware(Greeting),
        Middleware(Return),
        Middleware(uploads.Room),
    ],
    exception_handlers={Exception: _failed},
)
