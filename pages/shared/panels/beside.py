"""Another version under the active one on What if: which, and what it says."""

import numpy as np
import streamlit as st

from model.answering.prediction import Prediction, Scenario, predict, predict_many
from model.fitting.errors import ModelError
from model.fitting.interval import nearest_possible_level
from model.fitting.train import Model
from model.store.database import StoreError
from pages.shared import resources, session
from pages.shared.what_if import Beside


def read_address_on_entry() -> None:
    """On entry to the page, take the version that the address names; if it names none, keep the one there was."""
    text = st.query_params.get(session.BESIDE, "")
    if st.session_state.get(session.ENTERED) and text:
        is_number = text.isascii() and text.isdecimal() and len(text) < 10
        st.session_state[session.BESIDE_VERSION] = int(text) if is_number else 0


def ask_beside(model: Model, start: Scenario, answer: Prediction) -> Beside | None:
    """Ask the chosen version what the active one was asked; None without one, told if it cannot be used."""
    number = st.session_state.get(session.BESIDE_VERSION, 0)
    if number in (0, model.version):
        return None
    try:
        other = resources.owner.version(number)
    except (ModelError, StoreError):
        st.info(f"Version {number} is not known here or cannot be used, so nothing is shown beside the active one.")
        return None
    level = nearest_possible_level(len(other.distinct), answer.level)
    curves_of = [i for i, name in enumerate(answer.scenario) if name in answer.curves]
    before = float(predict_many(other, np.array([list(start.values())]))[0])
    return Beside(
        number, f"Version {number} ({other.label})", predict(other, answer.scenario, level, curves_of=curves_of), before
    )


def draw_choice(model: Model) -> None:
    """Draw the choice of the other version, folded."""
    labels = resources.label_other_versions(model)
    if not labels:
        return
    if st.session_state.get(session.BESIDE_VERSION) not in labels:  # asked for by a link, and told of
        st.session_state[session.BESIDE_VERSION] = 0
    with st.popover("Another version beside", type="tertiary", icon=":material/stacked_line_chart:"):
        st.selectbox(
            "Version",
            [0, *labels],
            format_func=lambda number: labels.get(number, "None"),
            key=session.BESIDE_VERSION,
            persist_state="session",
        )
