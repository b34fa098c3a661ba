"""Cookies of this app's own: by which a visitor is known again, and which page somebody who signs in came from."""

import re
from urllib.parse import quote, unquote, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request

from pages.shared import visitors
from web.guard import host_of


class Greeting:
    """Give each browser that opens a page a cookie by which the pages say whose a job is; it gives no rights."""

    _AGE = 400 * 24 * 3600  # [s], the longest that browsers keep one

    def __init__(self, app, base):
        self._app = app
        self._path = f"{base}/"

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

    def __init__(self, app, base):
        self._app = app
        self._base = base
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
        return address.isascii() and host_of(address) == request.headers.get("host")

    def _checked(self, path):
        """Return a path of this site, and no way in or out; else the first page."""
        is_path = re.fullmatch(r"/(?![/\\])[!-~]{,2000}", path) and path.partition("?")[0] not in self._ways
        return path if is_path else f"{self._base}/"


def _signs_in(headers):
    """Whether an answer sets Streamlit's cookie of somebody who has signed in."""
    cookies = headers.getlist("set-cookie")
    return any(cookie.startswith("_streamlit_user=") and "Max-Age=0" not in cookie for cookie in cookies)
