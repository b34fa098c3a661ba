"""Two scenarios: why the prediction moves from one to the other, as signed bars, and both side by side."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from data.schema import FEATURES, TARGET
from model.answering.change import Change
from pages.shared import session
from pages.shared.words import wording

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
    title = f"Why {TARGET.estimate(moved.prediction)} and not {TARGET.estimate(moved.start_prediction)}"
    title = "Nothing differs" if moved.start == moved.scenario else title
    data = {
        "why": {
            "title": title,
            "least": (TARGET.high - TARGET.low) / 12,  # that the longest bar stands for: a small change has short ones
            "bars": [
                {
                    "label": f"{column.label} {labels[column.name]}",
                    "value": round(moved.reasons.contributions[column.name], TARGET.decimals + 1),
                    "text": TARGET.estimate(moved.reasons.contributions[column.name], "+").replace("-", "−"),
                }
                for column in FEATURES
            ],
            "note": f"{wording.how_reasons_were_found(moved.reasons)}{TARGET.unit_note}. "
            "Before rounding they add up to the difference.",
        },
        "closest": {"title": "Side by side", "rows": table},
    }
    _component()(key=session.COMPARISON, data=json.dumps(data))
