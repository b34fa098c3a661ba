"""A report of what the sliders say, as a file; it is written when it is asked for, and never in a move."""

from functools import partial
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from data.schema import FEATURES
from model.answering.change import predict_with_change
from model.fitting.train import Model
from model.judging.report import write_report
from pages.shared import controls, session


def note_shown(inputs: controls.Inputs, level: float) -> None:
    """Note what the page shows at the moment: whoever writes the report later has no session to look into."""
    st.session_state.setdefault(session.REPORT, {}).update(inputs=inputs, level=level)


def draw_report_button(model: Model) -> None:
    """Draw the button that downloads the report."""
    shown = st.session_state.setdefault(session.REPORT, {})
    st.download_button(
        "Download report",
        partial(_write, model, shown, (st.context.url or "").partition("?")[0].rstrip("/")),
        "report.html",
        "text/html",
        type="tertiary",
        icon=":material/description:",
        on_click="ignore",
        help="One file with the scenario, its change and how sure that is. It opens without the app, and prints.",
    )


def _write(model: Model, shown: dict[str, Any], address: str) -> str:
    inputs, level = shown["inputs"], shown["level"]
    start = controls.find_start(model, inputs.start)
    answer, change = predict_with_change(model, start.scenario, inputs.scenario, level, start.observed)
    link = {session.FROM: inputs.start} if inputs.start else {}
    link |= {session.COVERAGE: controls.format_level(level)}
    link |= {session.INPUT_KEYS[column.name]: str(column.plain(inputs.scenario[column.name])) for column in FEATURES}
    link |= {session.VERSION: str(model.version)} if model.version else {}
    name = start.name if start.code else f"the {start.name.lower()}"
    return write_report(model, answer, change, name, f"{address}/?{urlencode(link)}" if address else "")
