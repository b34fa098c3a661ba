"""Kept scenarios in the browser's storage, an entry each: what one tab writes or removes is no other's entry."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import streamlit as st

from data.errors import DataError
from model.answering.scenarios import MAX_KEPT, KeptScenario, ReadScenario, clean_name, read_stored, write_stored
from pages.shared import session
from pages.shared.words.wording import escape

_MAX_ID = 64  # characters
_SHOWN = 3  # of what cannot be read


def with_ids(more: list[KeptScenario], kept: list[KeptScenario]) -> list[KeptScenario]:
    """Give scenarios that are kept from now on an id each, and a place after those before."""
    after = max((entry.place for entry in kept), default=-1) + 1
    return [replace(one, id=secrets.token_hex(8), place=after + i) for i, one in enumerate(more)]


def messages_to_browser() -> dict[str, Any]:
    """Return what the browser is to store and to remove."""
    state = st.session_state
    as_read = state.get(session.TRAY_AS_READ, {})

    def text(entry: KeptScenario) -> str:
        former, stored = as_read.get(entry.id, (None, ""))
        return (
            stored if former == entry else write_stored(entry)
        )  # one that another version had to answer stays as it was

    return {
        "session": state.setdefault(session.TRAY_SESSION, secrets.token_hex(8)),
        "records": {entry.id: text(entry) for entry in state[session.TRAY]},
        "removed": state.get(session.TRAY_REMOVED, []),
    }


def remove_stored(*ids: str) -> None:
    """Have the browser remove these from its storage."""
    st.session_state[session.TRAY_REMOVED] = [*st.session_state.get(session.TRAY_REMOVED, []), *ids]


def take_from_browser(
    told: Any, answered: Callable[[ReadScenario, list[KeptScenario], set[int]], KeptScenario]
) -> None:
    """Restore what the browser stores and this session does not know yet, and follow what another tab has done.

    Parameters
    ----------
    told
        The browser's message, which may be anything.
    answered
        Makes of what was read, beside others, a scenario with its figures; adds versions that cannot be used to a set.
    """
    state = st.session_state
    if not isinstance(told, dict) or told.get("session") != state.get(session.TRAY_SESSION):
        return
    state[session.TRAY_REFUSED] = told.get("isRefused") is True
    gone, changed = told.get("gone"), told.get("changed")
    gone = {id_ for id_ in gone if isinstance(id_, str)} if isinstance(gone, list) else set()
    kept = {entry.id: entry for entry in state[session.TRAY] if entry.id not in gone}
    n_before, unknown, n_beyond = len(kept), set[int](), 0
    unreadable = dict(state.get(session.TRAY_UNREADABLE, {}))
    for id_, (read, place), text in _read(changed if isinstance(changed, dict) else {}, unreadable):
        if id_ in kept:
            kept[id_] = _followed(kept[id_], read, place, kept)
        elif len(kept) >= MAX_KEPT:
            n_beyond += 1
        else:
            try:
                one = replace(answered(read, list(kept.values()), unknown), id=id_, place=place)
            except DataError as error:
                unreadable[id_] = error.problems[0]
                continue
            kept[id_] = one
            state.setdefault(session.TRAY_AS_READ, {})[id_] = one, text
    state[session.TRAY] = sorted(kept.values(), key=lambda one: one.place)
    state[session.TRAY_UNREADABLE] = unreadable
    if words := _words(len(kept) - n_before, n_beyond, unknown, is_other=told.get("isOther") is True):
        kind = "warning" if unknown or n_beyond else "success"
        state[session.TRAY_RESTORED] = kind, words, [entry.id for entry in state[session.TRAY]]


def _read(changed: Mapping[str, Any], unreadable: dict[str, str]) -> list[tuple[str, tuple[ReadScenario, int], str]]:
    """Read entries, in their order; what cannot be read is noted."""
    removed, found = set(st.session_state.get(session.TRAY_REMOVED, [])), []
    for id_, text in changed.items():
        if id_ in removed:
            continue
        try:
            if not isinstance(text, str) or not 0 < len(id_) <= _MAX_ID:
                raise DataError(["It is no text."])
            found.append((id_, read_stored(text), text))
            unreadable.pop(id_, None)
        except DataError as error:
            unreadable[id_] = error.problems[0]
    return sorted(found, key=lambda entry: (entry[1][1], entry[0]))


def _followed(entry: KeptScenario, read: ReadScenario, place: int, kept: Mapping[str, KeptScenario]) -> KeptScenario:
    """Take name and place from what another tab wrote of the same scenario; a name that another has stays with it."""
    taken = [session.NOW, *(other.name for other in kept.values() if other is not entry)]
    name = clean_name(read.name, taken, entry.name)
    return replace(entry, place=place, name=name if name == read.name else entry.name)


def _words(n: int, n_beyond: int, unknown: set[int], *, is_other: bool) -> str:
    parts = []
    if n > 0:
        what = f"{n} scenario{'s' * (n > 1)}"
        parts.append(f"{what} kept in another tab." if is_other else f"{what} restored from this browser.")
    if unknown:
        numbers = ", ".join(map(str, sorted(unknown)))
        parts.append(f"Not known here or not usable: version {numbers}. The active one answered.")
    if n_beyond:
        parts.append(f"{n_beyond} more {'are' if n_beyond > 1 else 'is'} stored in this browser, and there is room for "
                     f"{MAX_KEPT}. Remove some and reload the page.")  # fmt: skip
    return " ".join(parts)


def draw_messages() -> None:
    """Say what was restored, until the list changes, and what cannot be read, until the visitor removes it."""
    state = st.session_state
    kind, words, ids = state.get(session.TRAY_RESTORED, ("", "", []))
    if words and ids == [entry.id for entry in state[session.TRAY]]:
        getattr(st, kind)(words)
    unreadable = state.get(session.TRAY_UNREADABLE)
    if not unreadable:
        return
    n = len(unreadable)
    listed = "\n".join(f"- {escape(why[:200])}" for why in list(unreadable.values())[:_SHOWN])
    what = f"{n} scenarios that this browser stores" if n > 1 else "One scenario that this browser stores"
    st.warning(f"{what} cannot be read here. Nothing of it was removed.\n{listed}")
    st.button("Remove what cannot be read", key=session.TRAY_FORGET, on_click=_forget)


def _forget() -> None:
    remove_stored(*st.session_state.pop(session.TRAY_UNREADABLE, {}))


def where_kept() -> str:
    """Say how long what is kept stays, as far as the browser lets the page store it."""
    if st.session_state.get(session.TRAY_REFUSED):
        return (
            "This browser does not let the page store what you keep, so it is gone when you close or reload the page. "
            "Download it to keep it longer."
        )
    return (
        "What you keep stays in this browser until you remove it (in a private window: until you close that), and "
        "anyone who uses this browser can see it. Download it to use it elsewhere."
    )
