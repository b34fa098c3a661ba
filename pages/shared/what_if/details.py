"""Two scenarios: why the prediction moves from one to the other, as signed bars, and both side by side."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from data.schema import FEATURES, TARGET
from model.answering.change import Change
from pages.shared import session

_SCRIPT = Path(__file__).with_name("details.js")


@cache
def _component() -> Any:
    """Register the script; it travels with every answer, so its comments and indentation stay here."""
    lines = (line.strip() for line in _SCRIPT.read_text(encoding="utf-8").splitlines())
    script = "\n".join(line for line in lines if not line.startswith("//"))
    return st.components.v2.component("details", js=script, isolate_styles=False)


def draw_comparison(moved: Change, table: list[list[str]]) -> None:
    """Draw why the prediction moves from one scenario to another, and both side by side.

    The first row and column of ``table`` are headings.
    """
    labels = {}
    for column in FEATURES:
        old, new = (column.text_with_unit(scenario[column.name]) for scenario in (moved.start, moved.scenario))
        labels[column.name] = f"{old}, unchanged" if old == new else f"{old} → {new}"
    title = f"Why {moved.prediction:.0f} and not {moved.start_prediction:.0f}"
    title = "Nothing differs" if moved.start == moved.scenario else title
    data = {
        "why": {
            "title": title,
            "bars": [
                {"label": f"{column.label} {labels[column.name]}", "value": round(moved.contributions[column.name], 1)}
                for column in FEATURES
            ],
            "note": f"Exact Shapley contributions, {TARGET.unit}. Before rounding they add up to the difference.",
        },
        "closest": {"title": "Side by side", "rows": table},
    }
    _component()(key=session.COMPARISON, data=json.dumps(data))
