"""What would it take: a form for a goal, the smallest change that reaches it, and one click to apply it."""

from typing import Any

import streamlit as st

from data.errors import DataError
from data.schema import FEATURES, ROWS, TARGET
from model.answering.change import Change, predict_change
from model.answering.goal import GoalResult, find_smallest_change
from model.answering.prediction import Prediction, predict
from model.fitting.train import Model
from pages.shared import controls, resources, session
from pages.shared.panels.fields import read_field
from pages.shared.words import wording


@st.fragment
def draw_goal_form(model: Model) -> None:
    """Draw the form and what was found last; it runs alone, and a slider move does not run it."""
    if resources.active_model() is not model or st.session_state.pop(session.GOAL_APPLIED, False):
        st.rerun()
    note_inputs()
    with st.container(border=True, key=session.GOAL):
        st.markdown("## What would it take?")
        with st.form(session.GOAL_FORM, border=False):
            left, middle, right = st.columns([0.16, 0.6, 0.24], vertical_alignment="bottom")
            left.text_input(f"Goal ({TARGET.short_unit})", "500", key=session.GOAL_VALUE)
            middle.pills(
                "Keep fixed",
                [column.name for column in FEATURES],
                selection_mode="multi",
                format_func={column.name: column.label for column in FEATURES}.__getitem__,
                key=session.GOAL_HELD,
                wrap=True,
            )
            right.form_submit_button("Find the smallest change", on_click=_seek, width="stretch")
        found, problem = st.session_state.get(session.GOAL_FOUND, (None, ""))
        if problem:
            st.error(problem)
        elif found and is_current():
            _draw_result(model, *found)
        elif found:
            st.info("The sliders were moved after this was found. Search again from where they are.")
        st.caption(
            "It starts from where the sliders are when you press the button. The change is measured in standard "
            f"deviations of the inputs. At the goal the prediction equals it: about half of such {ROWS} would use more."
        )


def _seek() -> None:
    """Search from where the sliders are; called back, so that the page shows it at once."""
    model, state = resources.active_model(), st.session_state
    try:
        level = controls.read_level(model)
        goal, problem = read_field(state[session.GOAL_VALUE], (TARGET.minimum, TARGET.maximum), is_whole=True)
        if goal is None:
            raise DataError([problem])
        sought = find_smallest_change(model, controls.read_scenario(), goal, state[session.GOAL_HELD])
        answer, moved = (
            predict(model, sought.scenario, level),
            predict_change(model, sought.start, sought.scenario, level),
        )
        state[session.GOAL_FOUND] = (sought, answer, moved, model.version), ""
    except DataError as error:
        state[session.GOAL_FOUND] = None, str(error)


def is_current() -> bool:
    """Whether the sliders are where the search began, or where its answer is; a result belongs to its start."""
    found, _ = st.session_state.get(session.GOAL_FOUND, (None, ""))
    return found is None or controls.read_scenario() in (found[0].start, found[0].scenario)


def note_inputs() -> None:
    """Note whether they are, when the whole page runs or what is found is drawn."""
    st.session_state[session.GOAL_FITS] = is_current()


def is_behind() -> bool:
    """Whether what the page shows of a search does not suit where the sliders are by now."""
    return st.session_state.get(session.GOAL_FITS, True) != is_current()


def _draw_result(model: Model, sought: Any, answer: Prediction, moved: Change, version: int) -> None:
    if version != model.version:
        st.info("Another version answers now. Search again.")
        return
    st.markdown(in_words(sought))
    if sought.scenario == sought.start:
        return
    st.markdown(f"{wording.change_in_words(moved)} {wording.answer_in_words(model, answer)}")
    st.button("Apply to the sliders", key=session.GOAL_APPLY, on_click=_apply, args=(sought.scenario,))


def _apply(scenario: dict[str, float]) -> None:
    controls.write_inputs(scenario)
    st.session_state[session.GOAL_APPLIED] = True  # the sliders are elsewhere on the page


def in_words(sought: GoalResult) -> str:
    """Say what it would take, as Markdown."""
    moves = [
        f"**{column.label.lower()}** {column.text_with_unit(old)} → **{column.text_with_unit(new)}**".replace(
            " ", "\N{NO-BREAK SPACE}"
        )
        for column in FEATURES
        if (old := sought.start[column.name]) != (new := sought.scenario[column.name])
    ]
    total = f"Total change from {sought.start_prediction:.0f}: {sought.distance:.2f} standard deviations."
    way = f"{', '.join(moves)}. {total}".replace("$", r"\$")
    if sought.is_reached:
        side = "more" if sought.goal > sought.start_prediction else "less"
        return f"To reach {sought.goal:.0f} or {side}: {way}" if moves else f"It is {sought.goal:.0f} already."
    closest = f"**{sought.goal:.0f} cannot be reached** within the sliders; the closest is {sought.prediction:.0f}"
    return f"{closest}: {way}" if moves else f"{closest}, which is where they are."
