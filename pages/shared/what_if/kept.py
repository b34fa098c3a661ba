"""Kept scenarios in the browser: a table with a row and buttons for each, and the browser's storage of them."""

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
def _component() -> Any:
    return st.components.v2.component("kept", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False)


def draw_kept(
    lines: Sequence[dict[str, str]],
    kept: Sequence[KeptScenario],
    storage: dict[str, Any],
    on_press: Callable[[str, str], None],
    on_stored: Callable[[Any], None],
) -> None:
    """Draw the table if there are scenarios, and read the browser's storage in any case.

    Parameters
    ----------
    lines
        A row each: heading -> text.
    kept
        The same scenarios.
    storage
        What the browser is to store and to remove, as `browser_storage.message_to_browser` writes it.
    on_press
        Called with the action that was pressed, ``"Show"`` or ``"Remove"``, and the name of the scenario.
    on_stored
        Called with what the browser's storage holds beyond what it was told.
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

    def browser_value(name: str) -> Any:
        return st.session_state[session.TRAY_ROWS].get(name)

    def run_action() -> None:
        if pressed := browser_value("pressed"):
            on_press(str(pressed["action"]), str(pressed["name"]))

    def restore() -> None:
        if message := browser_value("stored"):
            on_stored(message)

    _component()(key=session.TRAY_ROWS, data=json.dumps(data), on_pressed_change=run_action, on_stored_change=restore)
