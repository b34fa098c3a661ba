"""Files that visitors send: how much room they have, until when, and which one a page had before it was loaded anew."""

import asyncio
import gc
import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.runtime import get_instance
from streamlit.runtime.uploaded_file_manager import UploadedFileRec

from data.errors import DataError
from data.text import MAX_BYTES
from pages.shared import session
from pages.shared.words.wording import escape

ROOM = 8 * MAX_BYTES  # for the files of all visitors
ROOM_OF_ONE = 3 * MAX_BYTES  # of one session: Score's, Retrain's, and one that takes the place of another
_LOOK = 15  # [s] from one look at sessions that have ended to the next
_NO_ROOM = b"\0no room"  # in place of a file for which there was none
_PATH = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)")
_NAME = re.compile(rb'filename="([^"\r\n]{1,200})"')
_SCRIPT = Path(__file__).with_name("uploads.js")


def require_room(content: bytes) -> None:
    """Refuse what stands in place of a file for which there was no room.

    Raises
    ------
    DataError
        With what to do about it.
    """
    if content == _NO_ROOM:
        room, of_one = (size // 2**20 for size in (ROOM, ROOM_OF_ONE))
        text = (
            f"There is no room for it now: this server holds files of {room} MB in all and {of_one} MB for one tab. "
            "Remove files that you no longer need here or in other tabs, or try again in three minutes: those of "
            "closed tabs are gone by then."
        )
        raise DataError([text])


@cache
def _component() -> Any:
    return st.components.v2.component("upload", js=_SCRIPT.read_text(encoding="utf-8"))


def remember(page: str, name: str, way: str = "") -> None:
    """Have the tab remember the name of a page's file, and say which it was where the session has lost it.

    Parameters
    ----------
    page
        Any word for it.
    name
        Of the file; empty where there is none.
    way
        What to do before the file can be chosen again.
    """
    state, key = st.session_state, session.part(session.UPLOAD, page)
    seen = session.part(session.UPLOAD_SEEN, page)
    state[seen] = bool(name) or state.get(seen, False)
    former = (state.get(key) or {}).get("former")
    data = {"page": page, "name": name, "isRemoved": not name and state[seen], "isTold": former is not None}
    _component()(key=key, data=json.dumps(data), on_former_change=lambda: None)
    if former and not state[seen]:
        st.info(
            f"{escape(str(former)[:200])} was here before this page was loaded anew. {way}Choose it again.",
            icon=":material/upload_file:",
        )


class Room:
    """Around the app: a file for which there is no room is read past, and the page says so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._coming: Counter[str] = Counter()  # bytes on their way, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ASGI wants it."""
        is_put = scope["type"] == "http" and scope["method"] == "PUT"
        found = _PATH.search(scope["path"]) if is_put else None
        if not found or not get_instance().is_active_session(found[1]):
            await self._app(scope, receive, send)
            return
        visitor, file = found.groups()
        told = Headers(scope=scope).get("content-length", "")
        size = min(int(told), MAX_BYTES) if told.isascii() and told.isdecimal() else MAX_BYTES
        if self._has_room(visitor, size):
            self._coming[visitor] += size
            try:
                await self._app(scope, receive, send)
            except ClientDisconnect:
                pass  # whoever sent it has hung up: nobody waits for an answer
            finally:
                self._coming[visitor] -= size
                self._coming += Counter()  # without those that have nothing on its way
            return
        name = await _name_of(receive)
        _runtime().uploaded_file_mgr.add_file(visitor, UploadedFileRec(file, name, "", _NO_ROOM))
        await Response(status_code=204)(scope, receive, send)

    def _has_room(self, visitor: str, size: int) -> bool:
        stored = _runtime().uploaded_file_mgr.file_storage
        held = Counter({of: sum(len(file.data) for file in [*files.values()]) for of, files in [*stored.items()]})
        held += self._coming
        return held[visitor] + size <= ROOM_OF_ONE and held.total() + size <= ROOM


def _runtime() -> Any:
    """Return the runtime of Streamlit, of which its types do not say all that is in it."""
    return get_instance()


async def _name_of(receive: Receive) -> str:
    """Read past a file, but for its name."""
    head = b""
    while True:
        message: Message = await receive()
        head += message.get("body", b"")[: 2000 - len(head)]
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            found = _NAME.search(head)
            return found[1].decode(errors="replace") if found else "The file"


async def let_go_of_files() -> None:
    """Let go of sessions whose time is over, with their files; by itself Streamlit does so at some later visit."""
    while True:
        await asyncio.sleep(_LOOK)
        if _end_sessions():
            await asyncio.to_thread(gc.collect)  # what a session held refers to itself


def _end_sessions() -> bool:
    """End those whose visitors have not come back; whether there were any."""
    ended = _runtime()._session_mgr._session_storage._cache.expire()  # noqa: SLF001 (there is no other way)
    for _, info in ended:
        info.session.shutdown()
    return bool(ended)
