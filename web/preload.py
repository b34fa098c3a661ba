"""What the first elements of a page need of scripts, named in the head of its answer: they load beside the others.

Streamlit's browser part asks for the script of a kind of element when it has received the first of them.
"""

from collections.abc import Iterable
from pathlib import Path

import streamlit
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.shared import what_if
from web.guard import is_page

_SCRIPTS = Path(streamlit.__file__).parent / "static" / "static" / "js"
_OF_COMPONENTS = "BidiComponent", "serialization", "recordbatch"
OF_PAGES = {
    "": _OF_COMPONENTS,
    "explore": (*_OF_COMPONENTS, "PlotlyChart", "DataFrame", "arrowFormatUtils"),
}


class Preload:
    """Around pages: a header that names scripts.

    Parameters
    ----------
    base_path
        Of the site below which the app is, with a slash before it; usually empty.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app = app
        own = {"": [what_if.script_address()]}
        self._links = {
            f"{base_path}/{page}": ", ".join(map(_link, [*_find_scripts(names), *own.get(page, ())]))
            for page, names in OF_PAGES.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        links = self._links.get(scope["path"], "") if scope["type"] == "http" else ""

        async def send_with_links(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("Link", links)
            await send(message)

        is_asked = bool(links) and is_page(scope, Headers(scope=scope))
        await self._app(scope, receive, send_with_links if is_asked else send)


def _find_scripts(names: Iterable[str]) -> list[str]:
    """Return where the scripts are that this release of Streamlit has under these names."""
    return [f"static/js/{path.name}" for name in names for path in _SCRIPTS.glob(f"{name}.*.js")]


def _link(address: str) -> str:
    return f'<./{address}>; rel="modulepreload"'
