"""How well the active model does on the rows of a file that has the target, and another version beside it."""

import streamlit as st

from model.answering.scoring import ScoredFile, score_scenarios
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.judging.validation import Validation, compare_validations, validate
from model.store.database import StoreError
from pages.shared import resources, session
from pages.shared.pictures.text_tables import to_markdown
from pages.shared.words import validations


def draw_validation(model: Model, result: ScoredFile, level: float) -> None:
    """Draw misses, intervals, worst rows and groups of the rows whose target the file has."""
    st.markdown("## How well it does on these rows")
    try:
        validation = validate(model, result.X, result.y, result.scored, level)
    except ModelError as error:
        st.info(str(error))
        return
    other = _choose_other(model, result, level)
    st.markdown(to_markdown(validations.tabulate_validation(validation, model, other)))
    if other:
        _draw_difference(validation, *other)
    st.markdown(validations.validation_in_words(validation))
    with st.container(horizontal=True):
        with st.popover("Rows it misses most", type="tertiary", icon=":material/table_rows:"):
            st.markdown(to_markdown(validations.tabulate_worst(validation, result)))
        if validation.groups:
            with st.popover("All groups", type="tertiary", icon=":material/table_rows:"):
                st.markdown(to_markdown(validations.tabulate_groups(validation)))


def _draw_difference(validation: Validation, name: str, other: Validation) -> None:
    try:
        st.markdown(validations.difference_in_words(name, compare_validations(validation, other)))
    except ModelError as error:
        st.info(str(error))


def _choose_other(model: Model, result: ScoredFile, level: float) -> tuple[str, Validation] | None:
    """Offer the other versions, and return the chosen one's name and how well it does; None without one."""
    labels = resources.label_other_versions(model)
    if not labels:
        return None
    number = st.selectbox(
        "Beside it",
        [0, *labels],
        format_func=lambda number: labels.get(number, "No other version"),
        key=session.SCORE_BESIDE,
        persist_state="session",
    )
    if not number:
        return None
    try:
        return labels[number], _validate_other(resources.owner.version(number), result, level)
    except (ModelError, StoreError, ValueError) as error:
        st.info(f"{labels[number]}: {error}")
        return None


def _validate_other(other: Model, result: ScoredFile, level: float) -> Validation:
    """Validate another version on a file, once in a session: a rerun must not score all rows again."""
    state = st.session_state
    former_other, former_result, former_level, validation = state.get(session.SCORE_OTHER, (None, None, None, None))
    if not (former_other is other and former_result is result and former_level == level):
        validation = validate(other, result.X, result.y, score_scenarios(other, result.X, level), level)
        state[session.SCORE_OTHER] = other, result, level, validation
    return validation
