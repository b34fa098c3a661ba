"""Links that keep their meaning: all inputs, the level of the interval, and the version that gave the number."""

from urllib.parse import urlencode

import streamlit as st

from data.schema import TARGET
from model.answering.prediction import Prediction, predict
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.store.database import StoreError
from pages.shared import resources, session
from pages.shared.words.wording import escape


def link_parameters(model: Model) -> str:
    """Write what a link holds beside start, inputs and level: the version that gave the number."""
    return urlencode({session.VERSION: model.version} if model.version else {})


def note_of_link(model: Model, answer: Prediction) -> str:
    """Say what the version in the page's address predicted, if another one answers now.

    Returns
    -------
    str
        Markdown; empty if there is nothing to say, and once the sliders have moved.
    """
    text = st.query_params.get(session.VERSION)
    if not text:
        return ""
    if st.session_state.setdefault(session.LINK_OPENED_AT, answer.scenario) != answer.scenario:
        return ""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None
    if number == model.version:
        return ""
    now = f"{_model_name(model)} says **{TARGET.estimate(answer.value)}**"
    try:
        if number is None:
            raise StoreError("that is not a number")
        former = predict(resources.owner.version(number), answer.scenario).value
    except (ModelError, StoreError):
        return f"The link was made with version {escape(text[:20])}, which is not known here or cannot be used. {now}."
    return f"The link was made with version {number}, which said **{TARGET.estimate(former)}**. {now}."


def _model_name(model: Model) -> str:
    return f"Version {model.version}" if model.version else "The shipped model"
