"""What would it take: a form for a goal, the smallest change that reaches it, and one click to apply it."""

from typing import Any

import streamlit as st

from data.errors import DataError
from data.schema import FEATURES, ROWS, TARGET, VERB, Column
from model.answering.change import Change, predict_change
from model.answering.goal import GoalResult, find_smallest_change
from model.answering.prediction import Prediction, predict
from model.fitting.train import Model
from pages.shared import controls, resources, session
from pages.shared.panels.fields import read_field
from pages.shared.words import wording


@st.fragment
def draw_goal_form(model: Model) -> None:
    """Draw the form and the last result, as a fragment that a slider move does not run."""
    if resources.active_model() is not model or st.session_state.pop(session.GOAL_APPLIED, False):
        st.rerun()
    note_inputs()
    with st.container(border=True, key=session.GOAL):
        st.markdown("## What would it take?")
        with st.form(session.GOAL_FORM, border=False):
            left, middle, right = st.columns([0.16, 0.6, 0.24], vertical_alignment="bottom")
            left.text_input(
                f"Goal{TARGET.short_unit_note}",
                TARGET.text(TARGET.default),
                key=session.GOAL_VALUE,
            )
            middle.pills(
                "Keep fixed",
                [column.name for column in FEATURES],
                selection_mode="multi",
                format_func={column.name: column.label for column in FEATURES}.__getitem__,
                key=session.GOAL_HELD,
                wrap=True,
            )
            right.form_submit_button("Find the smallest change", on_click=_search, width="stretch")
        outcome, problem = st.session_state.get(session.GOAL_FOUND, (None, ""))
        if problem:
            st.error(problem)
        elif outcome and is_current():
            _draw_result(model, *outcome)
        elif outcome:
            st.info("The sliders were moved after this was found. Search again from where they are.")
        st.caption(
            "It starts from where the sliders are when you press the button. The change is measured in standard "
            "deviations of the inputs. At the goal the prediction equals it: about half of such "
            f"{ROWS} would {VERB} more."
        )


def _search() -> None:
    """Search from where the sliders are; a callback, so that the page shows the result at once."""
    model, state = resources.active_model(), st.session_state
    try:
        level = controls.read_level(model)
        goal, problem = read_field(
            state[session.GOAL_VALUE], (TARGET.minimum, TARGET.maximum), is_whole=not TARGET.decimals
        )
        if goal is None:
            raise DataError([problem])
        result = find_smallest_change(model, controls.read_scenario(), goal, state[session.GOAL_HELD])
        answer = predict(model, result.scenario, level)
        change = predict_change(model, result.start, result.scenario, level)
        state[session.GOAL_FOUND] = (result, answer, change, model.version), ""
    except DataError as error:
        state[session.GOAL_FOUND] = None, str(error)


def is_current() -> bool:
    """Whether the sliders are where the last search began or ended; also true without a result."""
    outcome, _ = st.session_state.get(session.GOAL_FOUND, (None, ""))
    return outcome is None or controls.read_scenario() in (outcome[0].start, outcome[0].scenario)


def note_inputs() -> None:
    """Note whether the result is current, when the whole page runs or the form is drawn."""
    st.session_state[session.GOAL_FITS] = is_current()


def is_behind() -> bool:
    """Whether the result has become current, or outdated, since it was drawn."""
    return st.session_state.get(session.GOAL_FITS, True) != is_current()


def _draw_result(model: Model, result: Any, answer: Prediction, change: Change, version: int) -> None:
    if version != model.version:
        st.info("Another version answers now. Search again.")
        return
    st.markdown(describe_result(result))
    if result.scenario == result.start:
        return
    st.markdown(f"{wording.change_in_words(change)} {wording.answer_in_words(model, answer)}")
    st.button("Apply to the sliders", key=session.GOAL_APPLY, on_click=_apply, args=(result.scenario,))


def _apply(scenario: dict[str, float]) -> None:
    controls.write_inputs(scenario)
    st.session_state[session.GOAL_APPLIED] = True  # the sliders are elsewhere on the page


def _figure(column: Column, value: float) -> str:
    return wording.escape(column.text(value)) if column.choices else column.text_with_unit(value)


def describe_result(result: GoalResult) -> str:
    """Say what it would take, as Markdown."""
    changes = [
        f"**{column.label.lower()}** {_figure(column, old)} → **{_figure(column, new)}**".replace(
            " ", "\N{NO-BREAK SPACE}"
        )
        for column in FEATURES
        if (old := result.start[column.name]) != (new := result.scenario[column.name])
    ]
    goal = TARGET.estimate(result.goal)
    total = f"Total change from {TARGET.estimate(result.start_prediction)}: {result.distance:.2f} standard deviations."
    summary = f"{', '.join(changes)}. {total}".replace("$", r"\$")
    if result.is_reached:
        side = "more" if result.goal > result.start_prediction else "less"
        return f"To reach {goal} or {side}: {summary}" if changes else f"It is {goal} already."
    closest = f"**{goal} cannot be reached** within the sliders; the closest is {TARGET.estimate(result.prediction)}"
    return f"{closest}: {summary}" if changes else f"{closest}, which is where they are."
