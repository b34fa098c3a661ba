"""Production entry: the app, warm before it answers, with its JSON interface, behind a guard.

``uvicorn server:app --host 127.0.0.1 --port 8501``. Health at ``/_stcore/health`` means ready: the server
accepts no connection before the model is loaded and has made a prediction.
"""

import asyncio
import logging
import os
import re
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from streamlit import config

from pages.shared import door, uploads, what_if
from web import api, metrics, record
from web.cookies import Greeting, Return
from web.guard import Guard, security_headers

_SCRIPT = Path(__file__).with_name("streamlit_app.py")


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
    routes=[Mount(f"{path}/api", api.app) for path in {"", _base_path()}]
    + what_if.routes({"", _base_path()})
    + [*metrics.routes()],
    middleware=[
        *record.middleware(_base_path()),
        Middleware(Guard),
        Middleware(TrustedHostMiddleware, _hosts(), www_redirect=False),
        Middleware(Greeting, _base_path()),
        Middleware(Return, _base_path()),
        Middleware(uploads.Room),
    ],
    exception_handlers={Exception: _failed},
)
