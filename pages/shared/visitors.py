"""How the app recognises a visitor: by a cookie with a random number, which gives no rights."""

import re
import secrets

import streamlit as st

from pages.shared import session

COOKIE = "petrol_visitor"
_PATTERN = re.compile(r"[0-9a-f]{16}")


def new_visitor() -> str:
    """Return a random number for a new visitor."""
    return secrets.token_hex(8)


def known_visitor(text: str | None) -> str:
    """Return the number in a cookie, or an empty string if the cookie is not this app's."""
    return text if text and _PATTERN.fullmatch(text) else ""


def visitor_of_session() -> str:
    """Return this visitor's number: from the browser's cookie or, if the server set none, from the session."""
    return known_visitor(st.context.cookies.get(COOKIE)) or st.session_state.setdefault(session.VISITOR, new_visitor())
