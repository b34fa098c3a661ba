"""Who may change the model: everybody, nobody, or whoever has signed in and is allowed. Asked at every change."""

import os
import time

import streamlit as st
from streamlit.errors import StreamlitAuthError

from model.store import StoreError
from pages.shared.wording import plain

VARIABLE = "PETROL_RETRAIN"
ALLOWED = "PETROL_ALLOWED"  # addresses, and domains whose every address is meant


class NotAllowedError(StoreError):
    """Whoever asks may not change the model; the message says why, and what to do."""


def change(function, *arguments, **options):
    """Do what changes the store, if this visitor may at this moment.

    Parameters
    ----------
    function : callable
        Of the model, with its arguments and options.

    Returns
    -------
    object
        What the function returns.

    Raises
    ------
    NotAllowedError
        If the visitor may not.
    """
    if reason := refusal():
        raise NotAllowedError(reason)
    return function(*arguments, **options)


def refusal():
    """Say why this visitor may change nothing; empty where they may."""
    mode = _mode()
    if mode == "login":
        return _refusal_of(st.user.to_dict(), os.environ.get(ALLOWED, ""), time.time())
    if mode == "off":
        return f"Changes are switched off here ({VARIABLE}=off). What was trained and promoted can be looked at."
    if mode != "open":
        return f"Nothing can be changed here: {VARIABLE} is {mode[:40]!r}, which is not open, off or login."
    return ""


def _mode():
    return os.environ.get(VARIABLE, "").strip().lower() or "open"


def _refusal_of(user, allowed, now):
    """Say what keeps somebody out, by what the provider says of them."""
    if not user.get("is_logged_in"):
        return "Sign in to train, promote, roll back or remove."
    # Streamlit's cookie lives for 30 days, whatever the provider has signed.
    expires = user.get("exp")
    if not (isinstance(expires, (int, float)) and expires > now):
        return "Your sign-in has expired. Sign in again."
    address = str(user.get("email") or "").casefold()
    name, _, domain = address.partition("@")
    if not name or not domain or "@" in domain or user.get("email_verified", True) is not True:
        return "Your sign-in vouches for no mail address, so nobody here can tell who you are."
    if not {address, domain} & {entry.strip().lstrip("@").casefold() for entry in allowed.split(",")}:
        return f"{plain(address)} may not change the model here. Whoever runs this app can allow it in {ALLOWED}."
    return ""


def author(typed):
    """Return the name for the record: who has signed in, where that is asked for, else what was typed."""
    return str(st.user.get("email")).casefold() if _mode() == "login" else typed


def draw():
    """Say who may change the model, with what this visitor can do about it.

    Returns
    -------
    bool
        Whether they may.
    """
    reason = refusal()
    if _mode() != "login":
        if reason:
            st.info(reason, icon=":material/lock:")
        else:
            st.caption(f"Whoever opens this page can train, promote, roll back and remove ({VARIABLE}=open).")
        return not reason
    with st.container(horizontal=True, vertical_alignment="center"):
        if reason:
            st.info(reason, icon=":material/lock:")
            if st.session_state.get("tray"):
                st.caption("Signing in opens the page anew: download the scenarios that you keep first.")
        else:
            st.caption(f"Signed in as {plain(author(''))}.", width="content")
        if st.user.get("is_logged_in"):
            st.button("Sign out", on_click=st.logout, key="door_out")
        if reason:
            st.button("Sign in", type="primary", on_click=_sign_in, key="door_in")
    if problem := st.session_state.pop("door_problem", None):
        st.error(problem)
    return not reason


def _sign_in():
    try:
        st.login()
    except StreamlitAuthError as error:
        told = str(error).strip().split("\n")[0]
        st.session_state.door_problem = (
            f"Nobody can sign in here: .streamlit/secrets.toml does not say where. Whoever runs this app finds what to "
            f"write in the README, “Run it for others”. ({told})"
        )
