"""Production entry: the app, warm before it answers, with its JSON interface, behind a guard.

``python server.py``, at PETROL_HOST (127.0.0.1) and PORT (8501). Health at ``/_stcore/health`` means ready: the server
accepts no connection before the model is loaded and has made a prediction.
"""

import asyncio
import logging
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
import uvicorn
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from streamlit import config

from data.schema import FOLDER, IS_SHIPPED
from model.fitting import artifact, location
from pages.shared import door, what_if
from pages.shared.panels import uploads
from web import api, metrics_endpoint, origins, record
from web.connections import Protocol
from web.cookies import Embedded, Greeting, Return
from web.downloads import Downloads
from web.guard import Guard, security_headers
from web.preload import Preload

_SCRIPT = Path(__file__).with_name("streamlit_app.py")


@asynccontextmanager
async def _lifespan(app: st.App) -> AsyncIterator[None]:
    # Imported here and not above: cached functions need the runtime, which starts with the app.
    from pages.shared import resources
    from pages.shared.panels import find_form, links, selection, tray  # noqa: F401 (what pages import, early)

    resources.warm_up()
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # or each file of each visit would be a line
    cleanup = asyncio.create_task(uploads.end_idle_sessions())
    yield
    cleanup.cancel()
    resources.shut_down()


def _set_home() -> None:
    """Set a home for a user without one: Streamlit looks for settings there, and would not start."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = str(_SCRIPT.parent)  # nobody else writes there, as they could in a shared folder


def _read_environment() -> None:
    """Take settings from the environment, as `streamlit run` does and uvicorn does not."""
    for option, convert in _FROM_ENVIRONMENT.items():
        name = "STREAMLIT_" + re.sub(r"(?=[A-Z])|\.", "_", option).upper()
        if os.environ.get(name):
            config.set_option(option, convert(os.environ[name]))


def _base_path() -> str:
    """Return the path of the site below which the app is, with a slash before it; usually empty."""
    base = config.get_option("server.baseUrlPath").strip("/")
    if not re.fullmatch(r"([\w.~-]+(/[\w.~-]+)*)?", base, re.ASCII):
        sys.exit(f"STREAMLIT_SERVER_BASE_URL_PATH: {base!r} is no path. Write it like petrol or apps/petrol.")
    return base and f"/{base}"


def _allow_hosts(sites: list[str]) -> None:
    """Check the names under which the app answers; always allow this machine's own and those of its other addresses."""
    hosts = config.get_option("server.allowedHosts")
    if wrong := [host for host in hosts if not re.fullmatch(r"\*|(\*\.)?[\w.-]+", host, re.ASCII)]:
        sys.exit(
            f"STREAMLIT_SERVER_ALLOWED_HOSTS: {wrong[0]!r} is no name. Write it like example.org or *.example.org."
        )
    if hosts:
        config.set_option("server.allowedHosts", [*hosts, *origins.host_names(sites), "localhost", "127.0.0.1", "::1"])


async def _answer_failure(request: Request, error: Exception) -> PlainTextResponse:
    """Answer when something is wrong with this program; the log says what."""
    return PlainTextResponse("Something is wrong with this program.\n", 500, security_headers(_ancestors))


def _train_first() -> None:
    """Train the model of a table that has none yet, and show how far that is; if it fails, the pages say why, too."""
    if not IS_SHIPPED and not (location.FOLDER / artifact.RECORD).exists():
        print(f"{FOLDER} has no model yet. Training one.", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "model", "train"], cwd=_SCRIPT.parent, check=False)


def main() -> None:
    """Serve the app at PETROL_HOST and PORT until told to end."""
    port = os.environ.get("PORT") or "8501"
    if not re.fullmatch(r"[1-9][0-9]{0,4}", port) or int(port) >= 2**16:
        sys.exit(f"PORT: {port!r} is no port. Write a number from 1 to 65535, such as 8501.")
    _train_first()
    # Not HOST: some shells set it to the machine's name, which would open the app to its network.
    host = os.environ.get("PETROL_HOST") or "127.0.0.1"
    # Streamlit has set up the log; uvicorn would remove its handlers, and log nothing.
    uvicorn.run(app, host=host, port=int(port), http=Protocol, log_config=None, timeout_graceful_shutdown=2)


_FROM_ENVIRONMENT: dict[str, Callable[[str], object]] = {
    "server.baseUrlPath": str,
    "server.allowedHosts": lambda text: re.findall(r"[^\s,]+", text),
    "server.cookieSecret": str,  # replicas that share one accept each other's cookies
}
_set_home()
app = st.App(_SCRIPT)  # from now on, Streamlit knows where its configuration is
_read_environment()
if _problem := door.secrets_problem():
    sys.exit(_problem)  # Streamlit would start, and then answer nothing
_own_sites, _ancestors = origins.read_sites(origins.ORIGINS), origins.read_sites(origins.FRAME_ANCESTORS)
_allow_hosts(_own_sites)
app = st.App(
    _SCRIPT,
    lifespan=_lifespan,
    # Also without the base path, as the container's health check asks.
    routes=[Mount(f"{path}/api", api.app) for path in {"", _base_path()}]
    + what_if.routes({"", _base_path()})
    + [*metrics_endpoint.routes()],
    middleware=[
        *record.log_middleware(_base_path()),
        Middleware(Guard, _own_sites, _ancestors),
        *([Middleware(Embedded)] if _ancestors else []),
        Middleware(Greeting, _base_path()),
        Middleware(Return, _base_path(), _own_sites),
        Middleware(uploads.Room),
        Middleware(Downloads, _base_path()),
        Middleware(Preload, _base_path()),
    ],
    exception_handlers={Exception: _answer_failure},
)

if __name__ == "__main__":
    main()
