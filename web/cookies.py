"""Cookies of this app's own: by which a visitor is known again, and which page somebody who signs in came from."""

import re
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.web.server.starlette import starlette_auth_routes
from streamlit.web.server.starlette.starlette_server_config import XSRF_COOKIE_NAME

from pages.shared import visitors
from web import origins
from web.guard import is_page

_CLAIMS = {"provider", "origin", "is_logged_in", "sub", "iat", "exp", "email", "email_verified"}  # that are used here
_TOKEN = 2500  # bytes of one that fit into one cookie, signed
_write = starlette_auth_routes._set_auth_cookie  # noqa: SLF001 (there is no other way)


async def _write_what_is_used(response: Response, user_info: dict[str, Any], tokens: dict[str, Any]) -> None:
    """Write down of who signs in what is used here alone: with all their groups it would fit into no request.

    The identity token serves to sign out at the provider, which asks its user where it gets none.
    """
    claims = {name: value for name, value in user_info.items() if name in _CLAIMS}
    short_tokens = {name: token for name, token in tokens.items() if name == "id_token" and len(token) <= _TOKEN}
    await _write(response, claims, short_tokens)


starlette_auth_routes._set_auth_cookie = _write_what_is_used  # noqa: SLF001


class Greeting:
    """Give each browser that opens a page a cookie by which the pages say whose a job is; it gives no rights."""

    _AGE = 400 * 24 * 3600  # [s], the longest that browsers keep one

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._path = f"{base}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        request = Request(scope) if scope["type"] == "http" and is_page(scope, Headers(scope=scope)) else None
        if not request or visitors.known_visitor(request.cookies.get(visitors.COOKIE)):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                secure = "; Secure" if request.url.scheme == "https" else ""
                cookie = f"{visitors.COOKIE}={visitors.new_visitor()}; Max-Age={self._AGE}; Path={self._path}"
                MutableHeaders(scope=message).append("set-cookie", f"{cookie}; HttpOnly; SameSite=Lax{secure}")
            await send(message)

        await self._app(scope, receive, sending)


class Embedded:
    """Where other sites may show the app in a frame: cookies without which an upload there would be refused.

    Browsers send them from a frame only over an encrypted connection, which is where they send Sec-Fetch-Site, too (and
    to this very machine); for each site that shows the app they keep others.
    """

    _NEEDED = (visitors.COOKIE, XSRF_COOKIE_NAME)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        if scope["type"] != "http" or "sec-fetch-site" not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self._for_frames(name, value)) for name, value in message["headers"]]
            await send(message)

        await self._app(scope, receive, sending)

    def _for_frames(self, name: bytes, value: bytes) -> bytes:
        is_needed = name.lower() == b"set-cookie" and value.decode("latin-1").partition("=")[0] in self._NEEDED
        if not is_needed:
            return value
        rest = re.sub(rb"(?i); *(secure|samesite=\w+)", b"", value)
        return rest + b"; SameSite=None; Secure; Partitioned"


class Return:
    """Bring whoever signs in or out back to the page they came from; Streamlit leads to the first one.

    Where that failed, the page is told with ``sign_in=failed`` in its address.
    """

    _COOKIE = "petrol_back"

    def __init__(self, app: ASGIApp, base: str, others: list[str]) -> None:
        self._app = app
        self._base = base
        self._others = others
        self._ways = {f"{self._base}{path}": path for path in ("/auth/login", "/auth/logout", "/oauth2callback")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        way = self._ways.get(scope["path"]) if scope["type"] == "http" else None
        if not way:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        asked, is_back = request.headers.get("referer", ""), way == "/oauth2callback"
        came_from = urlsplit(asked)._replace(scheme="", netloc="").geturl() if self._is_ours(asked, request) else ""
        back = self._checked(unquote(request.cookies.get(self._COOKIE, "")) if is_back else came_from)

        async def sending(message: Message) -> None:
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

    def _is_ours(self, address: str, request: Request) -> bool:
        host = request.headers.get("host", "")
        return address.isascii() and origins.own_host(address, host, self._others) is not None

    def _checked(self, path: str) -> str:
        """Return a path of this site, and no way in or out; else the first page."""
        is_path = re.fullmatch(r"/(?![/\\])[!-~]{,2000}", path) and path.partition("?")[0] not in self._ways
        return path if is_path else f"{self._base}/"


def _signs_in(headers: MutableHeaders) -> bool:
    """Whether an answer sets Streamlit's cookie of somebody who has signed in."""
    cookies = headers.getlist("set-cookie")
    return any(cookie.startswith("_streamlit_user=") and "Max-Age=0" not in cookie for cookie in cookies)
