"""What would it take: a form for an aim, the cheapest changes that reach it, and one press to apply or keep each."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from data.errors import DataError
from data.numbers import read_number
from data.schema import FEATURES, ROWS, TARGET, VERB, Column
from model.answering.find import Answer, FindResult, find
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.question import AIMS, read_question
from model.fitting.train import Model
from pages.shared import controls, resources, session
from pages.shared.panels import tray
from pages.shared.words import find_results as words

SURE = 0.8  # share of the refits that must reach the aim where that is asked for [1]
_NUMBERS = [column for column in FEATURES if not column.choices]
_CATEGORIES = [column for column in FEATURES if column.choices]
_AIM_NAMES = dict(zip(AIMS, ("Reach", "At least", "At most", "As high as possible", "As low as possible"), strict=True))
_SUPPORT_NAMES = dict(zip(SUPPORT_LEVELS, (f"Close to real {ROWS}", "Also farther away", "Anywhere"), strict=True))
_INPUT, _ENDS = "Input", {"low": "From", "high": "To", "step": "Step", "cost": "Cost of a step"}


@st.fragment
def draw_find_form(model: Model) -> None:
    """Draw the form and what was found last, as a fragment that a slider move does not run."""
    if resources.active_model() is not model or st.session_state.pop(session.FIND_APPLIED, False):
        st.rerun()
    note_inputs()
    with st.container(border=True, key=session.FIND):
        st.markdown("## What would it take?")
        with st.form(session.FIND_FORM, border=False):
            _draw_fields(model)
        result, version, problem = st.session_state.get(session.FIND_RESULT, (None, 0, ""))
        if problem:
            st.error(problem)
        elif result and version != model.version:
            st.info("Another version answers now. Search again.")
        elif result and is_current():
            _draw_result(model, result)
        elif result:
            st.info("The sliders were moved after this was found. Search again from where they are.")
        st.caption(
            "It starts from where the sliders are when you press the button. One standard deviation of an input costs "
            "1, unless you say otherwise, and costs add up. At the goal the prediction equals it: about half of such "
            f"{ROWS} would {VERB} more."
        )


def _draw_fields(model: Model) -> None:
    aim, number, support, sure = st.columns([0.24, 0.16, 0.28, 0.32], vertical_alignment="bottom")
    aim.selectbox("Aim", AIMS, format_func=_AIM_NAMES.__getitem__, key=session.FIND_AIM)
    number.text_input(f"Goal{TARGET.short_unit_note}", TARGET.text(TARGET.default), key=session.FIND_VALUE)
    support.selectbox("Look", SUPPORT_LEVELS, format_func=_SUPPORT_NAMES.__getitem__, key=session.FIND_SUPPORT)
    sure.checkbox(
        f"Be {SURE:.0%} sure".replace("%", " %"),
        key=session.FIND_SURE,
        disabled=not model.refits,
        help=f"{SURE * 100:.0f} of 100 refits must reach the aim, too. That takes more.",
    )
    held, button = st.columns([0.76, 0.24], vertical_alignment="bottom")
    held.pills(
        "Keep fixed",
        [column.name for column in FEATURES],
        selection_mode="multi",
        format_func={column.name: column.label for column in FEATURES}.__getitem__,
        key=session.FIND_HELD,
        wrap=True,
    )
    button.form_submit_button("Find", on_click=_search, width="stretch")
    with st.expander("Ranges, steps and costs"):
        if _NUMBERS:
            _draw_ranges()
        for column in _CATEGORIES:
            key = session.part(session.FIND_CHOICES, column.name)
            st.multiselect(f"{column.label} may be", column.choices, default=column.choices, key=key)
            st.text_input(
                f"Cost of another {column.label.lower()}", "1", key=session.part(session.FIND_COST, column.name)
            )


def _draw_ranges() -> None:
    import pandas as pd

    figures = [(column.text(column.low), column.text(column.high), column.text(column.step), "") for column in _NUMBERS]
    table = pd.DataFrame(figures, columns=list(_ENDS.values()))
    table.insert(0, _INPUT, [f"{column.label}{column.short_unit_note}" for column in _NUMBERS])
    st.data_editor(
        table,
        key=session.FIND_RANGES,
        hide_index=True,
        disabled=[_INPUT],
        column_config={
            _INPUT: st.column_config.TextColumn(_INPUT, pinned=True),
            **{title: st.column_config.TextColumn(title, alignment="right") for title in _ENDS.values()},
            _ENDS["cost"]: st.column_config.TextColumn(
                _ENDS["cost"], alignment="right", help="Empty: in proportion to a standard deviation, which costs 1."
            ),
        },
        alt="Range, step and cost of a step of each input, to be edited",
    )


def _search() -> None:
    """Search from where the sliders are; a callback, so that the page shows what was found at once."""
    model, state = resources.active_model(), st.session_state
    try:
        question = read_question(
            model,
            controls.read_scenario(),
            state[session.FIND_AIM],
            state[session.FIND_VALUE],
            fixed=state[session.FIND_HELD],
            ranges=_read_ranges(state[session.FIND_HELD]),
            support=state[session.FIND_SUPPORT],
            share=SURE if state[session.FIND_SURE] and model.refits else 0.0,
        )
        level = controls.usable_level(model, controls.read_inputs())
        state[session.FIND_RESULT] = find(model, question, level), model.version, ""
    except DataError as error:
        state[session.FIND_RESULT] = None, 0, str(error)
    state[session.FIND_APPLIED] = bool(state.get(session.CONTOUR_OPEN))  # where the goal is a line


def _read_ranges(held: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Read what was changed in the ranges of inputs that may move, from the shown unit into the stored one."""
    ranges: dict[str, dict[str, Any]] = {}
    state = st.session_state
    edits = (state.get(session.FIND_RANGES) or {}).get("edited_rows", {})
    for position, cells in edits.items():
        column = _NUMBERS[int(position)]
        if column.name not in held:
            ranges[column.name] = {
                figure: _read_cell(column, figure, cells[title])
                for figure, title in _ENDS.items()
                if (cells.get(title) or "").strip()
            }
    for column in _CATEGORIES:
        if column.name not in held:
            cost = state.get(session.part(session.FIND_COST, column.name), "1")
            choices = state.get(session.part(session.FIND_CHOICES, column.name), column.choices)
            ranges[column.name] = {"choices": list(choices)}
            if cost.strip() != "1":
                ranges[column.name]["cost"] = _read_cell(column, "cost", cost)
    return ranges


def _read_cell(column: Column, figure: str, typed: str) -> float:
    try:
        number = read_number(typed)
    except ValueError as error:
        raise DataError([f"{column.label}, {_ENDS[figure].lower()}: {error}"]) from None
    return number if figure == "cost" else round(number / column.scale, 12)


def is_current() -> bool:
    """Whether the sliders are where the last search began, or at what it found; also true without any."""
    result, _, _ = st.session_state.get(session.FIND_RESULT, (None, 0, ""))
    if result is None:
        return True
    return controls.read_scenario() in (result.question.start, *(each.prediction.scenario for each in result.answers))


def current_goal() -> float | None:
    """Return the goal that was sought last [unit of the target]."""
    result, _, _ = st.session_state.get(session.FIND_RESULT, (None, 0, ""))
    return result.question.goal if result else None


def note_inputs() -> None:
    """Note whether the result is current, when the whole page runs or the form is drawn."""
    st.session_state[session.FIND_FITS] = is_current()


def is_behind() -> bool:
    """Whether the result has become current, or outdated, since it was drawn."""
    return st.session_state.get(session.FIND_FITS, True) != is_current()


def _draw_result(model: Model, result: FindResult) -> None:
    st.markdown(words.outcome_in_words(result))
    for number, answer in enumerate(result.answers):
        if not answer.cost:  # where the sliders are
            continue
        text, buttons = st.columns([0.76, 0.24], vertical_alignment="center")
        text.markdown(words.answer_in_words(model, result, answer))
        with buttons, st.container(horizontal=True):
            for label, act, key in (("Apply", _apply, session.FIND_APPLY), ("Keep", _keep, session.FIND_KEEP)):
                st.button(label, key=session.part(key, number), on_click=act, args=(result, answer), width="stretch")


def _apply(result: FindResult, answer: Answer) -> None:
    controls.write_inputs(answer.prediction.scenario)
    st.session_state[session.FIND_APPLIED] = True  # the sliders are elsewhere on the page


def _keep(result: FindResult, answer: Answer) -> None:
    tray.keep_scenario(words.name_of(result, answer), answer.prediction.scenario)
    st.session_state[session.FIND_APPLIED] = True
