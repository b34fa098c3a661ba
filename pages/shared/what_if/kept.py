"""Kept scenarios in the browser: a row each, on one scale, with what can be done to it."""

import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from model.scenarios import Kept
from pages.shared import session

_SCRIPT = Path(__file__).with_name("kept.js")


@cache
def _kept() -> Any:
    return st.components.v2.component("kept", js=_SCRIPT.read_text(encoding="utf-8"), isolate_styles=False)


def draw_kept(lines: Sequence[dict[str, str]], kept: Sequence[Kept], on_press: Callable[[str, str], None]) -> None:
    """Draw the table.

    Parameters
    ----------
    lines
        A row each: heading -> text.
    kept
        The same scenarios.
    on_press
        Called back with what was pressed, ``"Show"`` or ``"Remove"``, and the name of the scenario.
    """
    low, high = min(one.low for one in kept), max(one.high for one in kept)
    rows = [
        {"name": one.name, "cells": list(line.values()), "value": one.value, "low": one.low, "high": one.high}
        for line, one in zip(lines, kept, strict=True)
    ]
    data = {"columns": list(lines[0]), "rows": rows, "scale": [low, max(high, low + 1)]}

    def take() -> None:
        pressed = st.session_state[session.TRAY_ROWS].pressed
        if pressed:
            on_press(str(pressed["action"]), str(pressed["name"]))

    _kept()(key=session.TRAY_ROWS, data=json.dumps(data), on_pressed_change=take)
