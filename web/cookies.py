"""The app's own cookies: one to recognise a visitor, one to lead back to the page where somebody signed in or out."""

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
_TOKEN = 2500  # bytes of a token that still fits into one cookie, signed
_set_full_cookie = starlette_auth_routes._set_auth_cookie  # noqa: SLF001 (there is no other way)


async def _set_short_cookie(response: Response, user_info: dict[str, Any], tokens: dict[str, Any]) -> None:
    """Store only those claims that are used here: with all groups of a user, the cookies would fit into no request.

    The identity token serves to sign out at the provider, which asks its user if it gets none.
    """
    claims = {name: value for name, value in user_info.items() if name in _CLAIMS}
    short_tokens = {name: token for name, token in tokens.items() if name == "id_token" and len(token) <= _TOKEN}
    await _set_full_cookie(response, claims, short_tokens)


starlette_auth_routes._set_auth_cookie = _set_short_cookie  # noqa: SLF001


class Greeting:
    """Give each browser that opens a page a cookie by which the pages tell whose a job is; it gives no rights."""

    _AGE = 400 * 24 * 3600  # [s], the longest that browsers keep a cookie

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._path = f"{base}/"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        request = Request(scope) if scope["type"] == "http" and is_page(scope, Headers(scope=scope)) else None
        if not request or visitors.known_visitor(request.cookies.get(visitors.COOKIE)):
            await self._app(scope, receive, send)
            return

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] in (200, 304):
                secure = "; Secure" if request.url.scheme == "https" else ""
                cookie = f"{visitors.COOKIE}={visitors.new_visitor()}; Max-Age={self._AGE}; Path={self._path}"
                MutableHeaders(scope=message).append("set-cookie", f"{cookie}; HttpOnly; SameSite=Lax{secure}")
            await send(message)

        await self._app(scope, receive, send_with_cookies)


class Embedded:
    """Where other sites may show the app in a frame: let it set the cookies that an upload needs there.

    Browsers send them from a frame only over an encrypted connection or to their own machine, which is also where they
    send Sec-Fetch-Site. For each site that shows the app they keep separate ones.
    """

    _NEEDED = (visitors.COOKIE, XSRF_COOKIE_NAME)

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        if scope["type"] != "http" or "sec-fetch-site" not in Headers(scope=scope):
            await self._app(scope, receive, send)
            return

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self._allow_in_frames(name, value)) for name, value in message["headers"]]
            await send(message)

        await self._app(scope, receive, send_with_cookies)

    def _allow_in_frames(self, name: bytes, value: bytes) -> bytes:
        is_needed = name.lower() == b"set-cookie" and value.decode("latin-1").partition("=")[0] in self._NEEDED
        if not is_needed:
            return value
        rest = re.sub(rb"(?i); *(secure|samesite=\w+)", b"", value)
        return rest + b"; SameSite=None; Secure; Partitioned"


class Return:
    """Bring people who sign in or out back to the page they came from; Streamlit leads to the first one.

    If that failed, the address has ``sign_in=failed``, so that the page can say so.
    """

    _COOKIE = "petrol_back"

    def __init__(self, app: ASGIApp, base: str, others: list[str]) -> None:
        self._app = app
        self._base = base
        self._others = others
        self._paths = {f"{self._base}{path}": path for path in ("/auth/login", "/auth/logout", "/oauth2callback")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        path = self._paths.get(scope["path"]) if scope["type"] == "http" else None
        if not path:
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        referer, is_callback = request.headers.get("referer", ""), path == "/oauth2callback"
        page = urlsplit(referer)._replace(scheme="", netloc="").geturl() if self._is_ours(referer, request) else ""
        return_path = self._safe_path(unquote(request.cookies.get(self._COOKIE, "")) if is_callback else page)

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                is_broken = path == "/auth/login" and message["status"] >= 400
                is_refused = is_callback and {"code", "error"} & set(request.query_params) and not _signs_in(headers)
                if is_broken or is_refused:
                    message["status"] = 303
                    headers["location"] = f"{return_path}{'&' if '?' in return_path else '?'}sign_in=failed"
                elif headers.get("location") == f"{self._base}/":
                    headers["location"] = return_path
                value, age = ("", 0) if is_callback else (quote(return_path, safe="/?=&"), 600)
                secure = "; Secure" if request.url.scheme == "https" else ""
                cookie = f"{self._COOKIE}={value}; Max-Age={age}; Path=/; HttpOnly; SameSite=Lax{secure}"
                headers.append("set-cookie", cookie)
            await send(message)

        await self._app(scope, receive, send_with_cookies)

    def _is_ours(self, address: str, request: Request) -> bool:
        host = request.headers.get("host", "")
        return address.isascii() and origins.own_host(address, host, self._others) is not None

    def _safe_path(self, path: str) -> str:
        """Return the path if it is on this site and does not sign in or out; else the first page."""
        is_path = re.fullmatch(r"/(?![/\\])[!-~]{,2000}", path) and path.partition("?")[0] not in self._paths
        return path if is_path else f"{self._base}/"


def _signs_in(headers: MutableHeaders) -> bool:
    """Whether an answer sets Streamlit's cookie of somebody who has signed in."""
    cookies = headers.getlist("set-cookie")
    return any(cookie.startswith("_streamlit_user=") and "Max-Age=0" not in cookie for cookie in cookies)
