"""Downloads made by another replica: the browser is told to ask again, until it reaches the one that has the file."""

import logging
import re

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TRIES = 12  # browsers follow about twenty; of two replicas at random 1 in 8,192 downloads fails, of three 1 in 195
_TRY = "try"
_LOST = (
    "This is not the file that you asked for: it is not here any more, or another replica of the app has it.\n"
    "Go back to the page and press Download again. If it stays so, tell whoever runs the app: its balancer must keep "
    "each visitor at one replica, as docs/nginx.scale.conf does.\n"
)
_LOG = logging.getLogger(__name__)


class Downloads:
    """Around files that Streamlit keeps in memory: a replica that does not have one redirects the browser.

    Parameters
    ----------
    base_path
        Of the site below which the app is, with a slash before it; usually empty.
    """

    def __init__(self, app: ASGIApp, base_path: str) -> None:
        self._app, self._pattern = app, re.compile(rf"{re.escape(base_path)}/media/[^/]+")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] != "http" or not self._pattern.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        is_here = True

        async def send_if_here(message: Message) -> None:
            nonlocal is_here
            is_here &= message.get("status") != 404
            if is_here:
                await send(message)

        await self._app(scope, receive, send_if_here)
        if not is_here:
            await _redirect_or_refuse(Request(scope))(scope, receive, send)


def _redirect_or_refuse(request: Request) -> RedirectResponse | PlainTextResponse:
    tries = request.query_params.get(_TRY, "0")
    n_tries = int(tries) + 1 if re.fullmatch("[0-9]{1,2}", tries) else _TRIES
    # A connection that is kept open would lead to the same replica again.
    headers = {"Cache-Control": "no-store", "Connection": "close"}
    if n_tries < _TRIES:
        return RedirectResponse(f"?{_TRY}={n_tries}", 307, headers)
    _LOG.info("A download was at none of the replicas that were asked. Does the balancer keep visitors at one?")
    # As a file, because browsers say next to nothing of an error in place of a download.
    return PlainTextResponse(
        _LOST, headers=headers | {"Content-Disposition": 'attachment; filename="download failed.txt"'}
    )
