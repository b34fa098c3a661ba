"""By what a visitor is known again: a cookie with a random number, which gives no rights."""

import re
import secrets

import streamlit as st

from pages.shared import session

COOKIE = "petrol_visitor"
_PATTERN = re.compile(r"[0-9a-f]{16}")


def new_visitor() -> str:
    """Return what tells a new visitor from others."""
    return secrets.token_hex(8)


def known_visitor(text: str | None) -> str:
    """Return what a cookie says, or nothing where it is none of this app's."""
    return text if text and _PATTERN.fullmatch(text) else ""


def visitor_of_session() -> str:
    """Return what tells this visitor from others: of the browser, or of the session where the server set no cookie."""
    return known_visitor(st.context.cookies.get(COOKIE)) or st.session_state.setdefault(session.VISITOR, new_visitor())
