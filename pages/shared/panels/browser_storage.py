"""Kept scenarios in the browser's storage, one entry each: a tab that writes or removes one leaves the rest alone."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import streamlit as st

from data.errors import DataError
from model.answering.scenarios import MAX_KEPT, KeptScenario, ReadScenario, clean_name, read_stored, write_stored
from pages.shared import session
from pages.shared.words.wording import escape

_MAX_ID = 64  # characters
_N_LISTED_UNREADABLE = 3


class _Stored(NamedTuple):
    """An entry of the browser's storage: what was read, and the text itself."""

    id: str
    scenario: ReadScenario
    position: int
    text: str


def with_ids(more: list[KeptScenario], tray: list[KeptScenario]) -> list[KeptScenario]:
    """Give each of more scenarios an id, and a position after those of the tray."""
    first = max((kept.position for kept in tray), default=-1) + 1
    return [replace(kept, id=secrets.token_hex(8), position=position) for position, kept in enumerate(more, first)]


def message_to_browser() -> dict[str, Any]:
    """Write what the browser is to store and to remove."""
    state = st.session_state
    restored = state.get(session.TRAY_AS_READ, {})

    def text_to_store(kept: KeptScenario) -> str:
        as_restored, text = restored.get(kept.id, (None, ""))
        return text if as_restored == kept else write_stored(kept)  # even where another version had to answer

    return {
        "session": state.setdefault(session.TRAY_SESSION, secrets.token_hex(8)),
        "records": {kept.id: text_to_store(kept) for kept in state[session.TRAY]},
        "removed": state.get(session.TRAY_REMOVED, []),
    }


def remove_stored(*ids: str) -> None:
    """Have the browser remove the entries with these ids from its storage."""
    st.session_state[session.TRAY_REMOVED] = [*st.session_state.get(session.TRAY_REMOVED, []), *ids]


def restore_from_browser(
    message: Any, predict_kept: Callable[[ReadScenario, list[KeptScenario], set[int]], KeptScenario]
) -> None:
    """Restore stored scenarios that this session does not know, and follow what another tab has changed.

    Parameters
    ----------
    message
        From the browser; it may be anything.
    predict_kept
        Predicts a scenario that was read, beside those in the tray; adds versions that cannot be used to the set.
    """
    state = st.session_state
    if not isinstance(message, dict) or message.get("session") != state.get(session.TRAY_SESSION):
        return
    state[session.TRAY_REFUSED] = message.get("isRefused") is True
    gone, changed = message.get("gone"), message.get("changed")
    gone = {id_ for id_ in gone if isinstance(id_, str)} if isinstance(gone, list) else set()
    tray = {kept.id: kept for kept in state[session.TRAY] if kept.id not in gone}
    n_before, unusable, n_beyond = len(tray), set[int](), 0
    unreadable = dict(state.get(session.TRAY_UNREADABLE, {}))
    for stored in _read_entries(changed if isinstance(changed, dict) else {}, unreadable):
        id_ = stored.id
        if id_ in tray:
            tray[id_] = _adopt_name_and_place(tray[id_], stored, tray)
        elif len(tray) >= MAX_KEPT:
            n_beyond += 1
        else:
            try:
                predicted = predict_kept(stored.scenario, list(tray.values()), unusable)
            except DataError as error:
                unreadable[id_] = error.problems[0]
                continue
            tray[id_] = replace(predicted, id=id_, position=stored.position)
            state.setdefault(session.TRAY_AS_READ, {})[id_] = tray[id_], stored.text
    state[session.TRAY] = sorted(tray.values(), key=lambda kept: kept.position)
    state[session.TRAY_UNREADABLE] = unreadable
    if text := _restored_in_words(
        len(tray) - n_before, n_beyond, unusable, is_other_tab=message.get("isOther") is True
    ):
        kind = "warning" if unusable or n_beyond else "success"
        state[session.TRAY_RESTORED] = kind, text, [kept.id for kept in state[session.TRAY]]


def _read_entries(changed: Mapping[str, Any], unreadable: dict[str, str]) -> list[_Stored]:
    """Read entries, in the order of their places; note those that cannot be read in `unreadable`."""
    removed, entries = set(st.session_state.get(session.TRAY_REMOVED, [])), []
    for id_, text in changed.items():
        if id_ in removed:
            continue
        try:
            if not isinstance(text, str) or not 0 < len(id_) <= _MAX_ID:
                raise DataError(["It is no text."])
            entries.append(_Stored(id_, *read_stored(text), text))
            unreadable.pop(id_, None)
        except DataError as error:
            unreadable[id_] = error.problems[0]
    return sorted(entries, key=lambda entry: (entry.position, entry.id))


def _adopt_name_and_place(kept: KeptScenario, stored: _Stored, tray: Mapping[str, KeptScenario]) -> KeptScenario:
    """Take name and position from the storage, but no name that another scenario has."""
    taken_names = [session.NOW, *(scenario.name for scenario in tray.values() if scenario is not kept)]
    stored_name = stored.scenario.name
    name = clean_name(stored_name, taken_names, kept.name)
    return replace(kept, position=stored.position, name=name if name == stored_name else kept.name)


def _restored_in_words(n_restored: int, n_beyond: int, unusable: set[int], *, is_other_tab: bool) -> str:
    parts = []
    if n_restored > 0:
        restored = f"{n_restored} scenario{'s' * (n_restored > 1)}"
        parts.append(f"{restored} kept in another tab." if is_other_tab else f"{restored} restored from this browser.")
    if unusable:
        numbers = ", ".join(map(str, sorted(unusable)))
        parts.append(f"Not known here or not usable: version {numbers}. The active one answered.")
    if n_beyond:
        parts.append(f"{n_beyond} more {'are' if n_beyond > 1 else 'is'} stored in this browser, and there is room for "
                     f"{MAX_KEPT}. Remove some and reload the page.")  # fmt: skip
    return " ".join(parts)


def draw_messages() -> None:
    """Say what was restored, until the list changes, and what cannot be read, until the visitor removes it."""
    state = st.session_state
    kind, text, ids = state.get(session.TRAY_RESTORED, ("", "", []))
    if text and ids == [kept.id for kept in state[session.TRAY]]:
        getattr(st, kind)(text)
    unreadable = state.get(session.TRAY_UNREADABLE)
    if not unreadable:
        return
    n = len(unreadable)
    listed = "\n".join(f"- {escape(reason[:200])}" for reason in list(unreadable.values())[:_N_LISTED_UNREADABLE])
    subject = f"{n} scenarios that this browser stores" if n > 1 else "One scenario that this browser stores"
    st.warning(f"{subject} cannot be read here. Nothing of it was removed.\n{listed}")
    st.button("Remove what cannot be read", key=session.TRAY_FORGET, on_click=_remove_unreadable)


def _remove_unreadable() -> None:
    remove_stored(*st.session_state.pop(session.TRAY_UNREADABLE, {}))


def storage_note() -> str:
    """Say how long kept scenarios stay, which depends on what the browser lets the page store."""
    if st.session_state.get(session.TRAY_REFUSED):
        return (
            "This browser does not let the page store what you keep, so it is gone when you close or reload the page. "
            "Download it to keep it longer."
        )
    return (
        "What you keep stays in this browser until you remove it (in a private window: until you close that), and "
        "anyone who uses this browser can see it. Download it to use it elsewhere."
    )
