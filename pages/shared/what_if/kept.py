"""Kept scenarios in the browser: a row each, on one scale, with what can be done to it; and its storage of them."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from model.answering.scenarios import KeptScenario
from pages.shared import session

_SCRIPT = Path(__file__).with_name("kept.js")


@cache
def _kept() -> Any:
    return st.components.v2.component("kept", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False)


def draw_kept(
    lines: Sequence[dict[str, str]],
    kept: Sequence[KeptScenario],
    storage: dict[str, Any],
    on_press: Callable[[str, str], None],
    on_stored: Callable[[Any], None],
) -> None:
    """Draw the table; of no scenarios none, yet the browser's storage is read.

    Parameters
    ----------
    lines
        A row each: heading -> text.
    kept
        The same scenarios.
    storage
        What the browser is to store and to remove, as `browser_storage.message_to_browser` writes it.
    on_press
        Called back with what was pressed, ``"Show"`` or ``"Remove"``, and the name of the scenario.
    on_stored
        Called back with what the browser's storage holds that it was not told of.
    """
    low, high = min((entry.low for entry in kept), default=0), max((entry.high for entry in kept), default=0)
    rows = [
        {
            "name": scenario.name,
            "cells": list(line.values()),
            "value": scenario.value,
            "low": scenario.low,
            "high": scenario.high,
        }
        for line, scenario in zip(lines, kept, strict=True)
    ]
    data = {"columns": list(lines[0]) if lines else [], "rows": rows, "scale": [low, max(high, low + 1)]} | storage

    def told(what: str) -> Any:
        return st.session_state[session.TRAY_ROWS].get(what)

    def take() -> None:
        if pressed := told("pressed"):
            on_press(str(pressed["action"]), str(pressed["name"]))

    def restore() -> None:
        if message := told("stored"):
            on_stored(message)

    _kept()(key=session.TRAY_ROWS, data=json.dumps(data), on_pressed_change=take, on_stored_change=restore)
