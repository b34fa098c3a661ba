"""Who may change the model: everybody, nobody, or whoever has signed in and is allowed. Checked at every change."""

import logging
import os
import re
import string
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import streamlit as st

from model.store import sign_ins
from model.store.database import StoreError
from pages.shared import resources, session
from pages.shared.mode import RETRAIN_SETTING, retrain_mode
from pages.shared.words.wording import escape

ALLOWED = "PETROL_ALLOWED"  # addresses, and domains that stand for all of their addresses
_LOG = logging.getLogger(__name__)
_CURE = "Whoever runs this app finds in docs/deploy.md what to write, “Signing in”."
_MIN_SECRET_LENGTH = 32  # characters; nobody guesses so many
_EXPIRED = "Your sign-in has expired. Sign in again."
_EXPOSABLE_TOKENS = {"id", "access"}
_LOWERCASE = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_T = TypeVar("_T")
Claims = Mapping[str, Any]  # what the identity provider says about a person
# Sign-ins that ended while the store could not be written, so that only this server knows.
_local_sign_outs: set[tuple[str, str]] = set()


class NotAllowedError(StoreError):
    """The visitor may not change the model; the message says why, and what to do."""


def change(function: Callable[..., _T], *arguments: Any, **options: Any) -> _T:
    """Call a function that changes the store, if this visitor may do so now.

    Raises
    ------
    NotAllowedError
        If the visitor may not.
    """
    if reason := refusal():
        raise NotAllowedError(reason)
    return function(*arguments, **options)


def change_and_report(key: str, done: str, function: Callable[..., object], *arguments: Any) -> None:
    """Change the store when a button is pressed; the next run finds in the session that it is done, or why not."""
    try:
        change(function, *arguments)
        st.session_state[key] = done
    except StoreError as error:
        st.session_state[key] = str(error)


def refusal() -> str:
    """Say why this visitor may change nothing; empty if they may."""
    if (setting := retrain_mode()) == "login":
        user = st.user.to_dict()
        reason = configuration_problem() or _refusal_of(user, os.environ.get(ALLOWED, ""), time.time())
        return reason or _refusal_of_ended(user)
    if setting == "off":
        return f"Changes are switched off here ({RETRAIN_SETTING}=off). What was trained and promoted can be looked at."
    if setting != "open":
        return f"Nothing can be changed here: {RETRAIN_SETTING} is {setting[:40]!r}, which is not open, off or login."
    return ""


def _refusal_of(user: Claims, allowed: str, now: float) -> str:
    """Say why a person may change nothing, judged by the provider's claims; empty if they may."""
    if not user.get("is_logged_in"):
        return "Sign in to train, promote, roll back or remove."
    # Streamlit's cookie lives for 30 days, beyond the provider's expiry and beyond a sign-out elsewhere.
    expires = user.get("exp")
    if not (isinstance(expires, (int, float)) and expires > now):
        return _EXPIRED
    address = _address(user)
    if not re.fullmatch(r"[!-?A-~]+@[!-?A-~]+", address) or user.get("email_verified", True) not in (True, "true"):
        return "Your sign-in vouches for no mail address, so nobody here can tell who you are."
    allowed_names = {entry.strip().lstrip("@").translate(_LOWERCASE) for entry in allowed.split(",")}
    if not {address, address.partition("@")[2]} & allowed_names:
        return f"{escape(address)} may not change the model here. Whoever runs this app can allow it in {ALLOWED}."
    return ""


def _refusal_of_ended(user: Claims) -> str:
    """Say that a sign-in has ended, here or at another server, though a copy of its cookie lives on; empty if not."""
    sign_in = _sign_in_of(user)
    try:
        return _EXPIRED if sign_in in _local_sign_outs or sign_ins.has_ended(resources.owner.store(), *sign_in) else ""
    except StoreError as error:  # without the store nothing can be changed anyway
        return str(error)


def _address(user: Claims) -> str:
    # Only A to Z: the lower case of some other letters makes one domain look like another.
    return str(user.get("email") or "").translate(_LOWERCASE)


def _sign_in_of(user: Claims) -> tuple[str, str]:
    return str(user.get("sub")), str(user.get("iat"))


def author_name(typed: str) -> str:
    """Return the name for the record: the address signed in with, where that is required, else what was typed."""
    return _address(st.user.to_dict()) if retrain_mode() == "login" else typed


def _sign_in_settings() -> Mapping[str, Any] | None:
    """Return the settings of the sign-in, or None if there are none."""
    return st.secrets.get("auth") if st.secrets.load_if_toml_exists() else None


def secrets_problem() -> str:
    """Say why Streamlit would fail at each request because of its secrets; empty if it would not."""
    try:
        for path in map(Path, st.get_option("secrets.files")):
            if path.is_file():
                tomllib.loads(path.read_text(encoding="utf-8"))  # Streamlit treats a broken file as missing
        section = _sign_in_settings()
        tokens = section.get("expose_tokens", []) if section is not None else []
        is_usable = {tokens} <= _EXPOSABLE_TOKENS if isinstance(tokens, str) else set(tokens) <= _EXPOSABLE_TOKENS
        reason = "" if is_usable else "expose_tokens may name id and access alone"
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a file
        reason = f"{type(error).__name__}: {str(error)[:200]}"
    return reason and f".streamlit/secrets.toml cannot be used ({reason}). Mend it, or take it away."


def _base_path() -> str:
    base = st.get_option("server.baseUrlPath").strip("/")
    return base and f"/{base}"


def _host_of_app(section: Mapping[str, Any]) -> str | None:
    """Return the host that the provider sends people back to, or None if that is not this app."""
    match = re.fullmatch(rf"https?://([^/\s]+){re.escape(_base_path())}/oauth2callback", section["redirect_uri"])
    return match and match[1]


def configuration_problem() -> str:
    """Say what the settings of the sign-in lack; empty if it can work, and nobody can forge its cookie."""
    section = _sign_in_settings()
    if section is None:
        return f"Nobody can sign in here: there is no .streamlit/secrets.toml with a section [auth]. {_CURE}"
    for name in ("redirect_uri", "cookie_secret", "client_id", "client_secret", "server_metadata_url"):
        if not (isinstance(section.get(name), str) and section[name]):
            return f"Nobody can sign in here: {name} is missing in the section [auth] of the secrets. {_CURE}"
    if not _host_of_app(section):
        path = f"{_base_path()}/oauth2callback"
        return f"Nobody can sign in here: redirect_uri is not like https://example.org{path}. {_CURE}"
    if len(section["cookie_secret"]) < _MIN_SECRET_LENGTH:
        return f"Nobody can sign in here: cookie_secret is shorter than {_MIN_SECRET_LENGTH} characters. {_CURE}"
    return ""


def draw_door() -> bool:
    """Draw who may change the model, with buttons to sign in or out; return whether this visitor may."""
    reason = refusal()
    if retrain_mode() != "login":
        if reason:
            st.info(reason, icon=":material/lock:")
        else:
            st.caption(
                f"Anyone who opens this page can train, promote, roll back and remove models ({RETRAIN_SETTING}=open)."
            )
        return not reason
    if st.query_params.pop(session.SIGN_IN, None):
        st.error("Signing in did not work. Try again; if it stays so, the app’s log says why.")
    is_signed_in, problem = st.user.get("is_logged_in") and reason != _EXPIRED, configuration_problem()
    with st.container(horizontal=True, vertical_alignment="center"):
        if reason:
            st.info(reason, icon=":material/lock:")
        else:
            st.caption(f"Signed in as {escape(author_name(''))}.", width="content")
        with st.container(horizontal=True, width="content"):
            if is_signed_in:
                st.button("Sign out", on_click=_sign_out, key=session.DOOR_OUT)
            elif not problem:
                st.button("Sign in", type="primary", on_click=_sign_in, key=session.DOOR_IN)
    if reason and not is_signed_in and not problem:
        app_host = _host_of_app(_sign_in_settings() or {})
        if app_host != st.context.headers.get("Host"):
            st.caption(f"Signing in leads to this app at {escape(app_host)}: open it there.")
        if st.session_state.get(session.TRAY) and st.session_state.get(session.TRAY_REFUSED):
            st.caption("Signing in opens the page anew: download the scenarios that you keep first.")
    return not reason


def _sign_in() -> None:
    try:
        st.login()
    except Exception:  # noqa: BLE001 - whatever is wrong with the settings, a visitor sees only that it failed
        _LOG.exception("signing in")
        st.query_params[session.SIGN_IN] = "failed"


def _sign_out() -> None:
    user = st.user.to_dict()
    sign_in, expires = _sign_in_of(user), user.get("exp")
    try:
        expires_at = expires if isinstance(expires, (int, float)) else 0
        sign_ins.end_sign_in(resources.owner.store(), *sign_in, expires_at)
    except StoreError as error:
        _local_sign_outs.add(sign_in)
        _LOG.warning("Until it expires, a copy of a cookie that has signed out counts at other servers. %s", error)
    st.logout()
