"""Uploaded files: how much room they get, how long they stay, and which one a page had before it was reloaded."""

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
ROOM_OF_ONE = 3 * MAX_BYTES  # of one session: Score's, Retrain's, and one that replaces another
_LOOK = 15  # [s] between two looks for sessions that have ended
_NO_ROOM = b"\0no room"  # in place of a file for which there was none
_PATH = re.compile(r"/_stcore/upload_file/([^/]+)/([^/]+)")
_NAME = re.compile(rb'filename="([^"\r\n]{1,200})"')
_SCRIPT = Path(__file__).with_name("uploads.js")


def require_room(content: bytes) -> None:
    """Refuse the content that stands in for a file for which there was no room.

    Raises
    ------
    DataError
        With what to do about it.
    """
    if content == _NO_ROOM:
        room, tab_room = (size // 2**20 for size in (ROOM, ROOM_OF_ONE))
        text = (
            f"There is no room for it now: this server holds files of {room} MB in all and {tab_room} MB for one tab. "
            "Remove files that you no longer need here or in other tabs, or try again in three minutes: those of "
            "closed tabs are gone by then."
        )
        raise DataError([text])


def keep_sent() -> None:
    """Keep the file that Score was given for the session, so that it outlasts a visit to another page."""
    uploaded_file = st.session_state[session.SCORE_FILE]
    st.session_state[session.SCORE_SHEET] = ""
    if uploaded_file is None:  # removed by the visitor; visiting another page does not call this
        st.session_state.pop(session.SCORE_SENT, None)
        st.session_state.pop(session.SCORE_DONE, None)
    else:
        st.session_state[session.SCORE_SENT] = uploaded_file.name, uploaded_file.getvalue(), uploaded_file.file_id


def forget_scores() -> None:
    """Forget the result of Score, because another sheet or other columns were chosen."""
    st.session_state.pop(session.SCORE_DONE, None)


@cache
def _component() -> Any:
    return st.components.v2.component("upload", js=_SCRIPT.read_text(encoding="utf-8"))


def remember(page: str, name: str, way: str = "") -> None:
    """Have the tab remember the name of a page's file, and show it if the session has lost the file.

    Parameters
    ----------
    page
        Any word for the page.
    name
        Of the file; empty if there is none.
    way
        What to do before the file can be chosen again.
    """
    state, key = st.session_state, session.part(session.UPLOAD, page)
    seen_key = session.part(session.UPLOAD_SEEN, page)
    state[seen_key] = bool(name) or state.get(seen_key, False)
    former = (state.get(key) or {}).get("former")
    data = {"page": page, "name": name, "isRemoved": not name and state[seen_key], "isTold": former is not None}
    _component()(key=key, data=json.dumps(data), on_former_change=lambda: None)
    if former and not state[seen_key]:
        st.info(
            f"{escape(str(former)[:200])} was here before this page was loaded anew. {way}Choose it again.",
            icon=":material/upload_file:",
        )


class Room:
    """Around the app: read past a file for which there is no room, so that the page can say so."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._arriving: Counter[str] = Counter()  # bytes on their way, by session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as ASGI defines it."""
        is_put = scope["type"] == "http" and scope["method"] == "PUT"
        match = _PATH.search(scope["path"]) if is_put else None
        if not match or not get_instance().is_active_session(match[1]):
            await self._app(scope, receive, send)
            return
        session_id, file_id = match.groups()
        length = Headers(scope=scope).get("content-length", "")
        size = min(int(length), MAX_BYTES) if length.isascii() and length.isdecimal() else MAX_BYTES
        if self._has_room(session_id, size):
            self._arriving[session_id] += size
            try:
                await self._app(scope, receive, send)
            except ClientDisconnect:
                pass  # the sender has hung up: nobody waits for an answer
            finally:
                self._arriving[session_id] -= size
                self._arriving += Counter()  # drops sessions with nothing on its way
            return
        name = await _read_name(receive)
        _runtime().uploaded_file_mgr.add_file(session_id, UploadedFileRec(file_id, name, "", _NO_ROOM))
        await Response(status_code=204)(scope, receive, send)

    def _has_room(self, session_id: str, size: int) -> bool:
        stored = _runtime().uploaded_file_mgr.file_storage
        held = Counter({owner: sum(len(file.data) for file in [*files.values()]) for owner, files in [*stored.items()]})
        held += self._arriving
        return held[session_id] + size <= ROOM_OF_ONE and held.total() + size <= ROOM


def _runtime() -> Any:
    """Return Streamlit's runtime, whose types leave out what is used here."""
    return get_instance()


async def _read_name(receive: Receive) -> str:
    """Read an upload to its end, and return the name of its file."""
    head = b""
    while True:
        message: Message = await receive()
        head += message.get("body", b"")[: 2000 - len(head)]
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            match = _NAME.search(head)
            return match[1].decode(errors="replace") if match else "The file"


async def end_idle_sessions() -> None:
    """End expired sessions, and drop their files; by itself Streamlit waits for a later visit."""
    while True:
        await asyncio.sleep(_LOOK)
        if _end_expired_sessions():
            await asyncio.to_thread(gc.collect)  # a session's objects refer to each other


def _end_expired_sessions() -> bool:
    """End sessions whose visitors have not come back; return whether there were any."""
    ended = _runtime()._session_mgr._session_storage._cache.expire()  # noqa: SLF001 (there is no other way)
    for _, info in ended:
        info.session.shutdown()
    return bool(ended)
