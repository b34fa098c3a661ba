"""The inputs of a scenario: presets, four sliders, and a field beside each for an exact value."""

import re
import time
from collections.abc import Mapping
from functools import lru_cache

import streamlit as st

from data.schema import FEATURES, ROW, ROWS, row_name
from model.interval import levels
from pages.shared import session

TYPICAL = f"Typical {ROW}"
_ON_ITS_WAY = 0.5  # [s] in which a browser may still send what a field held before
_N_FORMER = 6  # values of a field that the page has replaced


def scenario(model):
    """Draw the controls and read them.

    Parameters
    ----------
    model : model.train.Model
        The names and figures of its rows are the presets.

    Returns
    -------
    dict
        Column name -> number in the stored unit, as the sliders have it.
    """
    presets = _presets(model)
    _check_link()
    head = st.container(horizontal=True, vertical_alignment="bottom")
    values = {column.name: _input(column) for column in FEATURES}
    # Drawn last and shown first: it names the preset that the sliders are on, wherever they came from.
    st.session_state[session.START_FROM] = next((name for name, preset in presets.items() if preset == values), None)
    head.selectbox(
        "Start from",
        list(presets),
        key=session.START_FROM,
        placeholder=f"Choose a {ROW}",
        on_change=_take_preset,
        args=(presets,),
    )
    head.button("Reset", on_click=set_sliders, args=(presets[TYPICAL],), help=f"Back to the {TYPICAL.lower()}")
    st.session_state[session.ANSWERED] = dict(values)
    return values


def last_scenario():
    """Return where the sliders are, or were when the What-if page was left, or their defaults."""
    answered = st.session_state.get(session.ANSWERED) or {column.name: column.default for column in FEATURES}
    is_drawn = {name: key in st.session_state for name, key in session.INPUT_KEYS.items()}
    return {name: _settled(name) if is_drawn[name] else value for name, value in answered.items()}


def link_to(row):
    """Parameters of a link to the What-if page at a row's own figures; None where a slider cannot show them."""
    if all(column.low <= row[column.name] <= column.high for column in FEATURES):
        return parameters(row)
    return None


def parameters(scenario: Mapping[str, float]) -> dict[str, str]:
    """Write the inputs as parameters of an address."""
    return {key: f"{scenario[name]:.12g}" for name, key in session.INPUT_KEYS.items()}


def level_text(level):
    """Write a level of the interval as the pages and their addresses do: ``0.9`` -> ``"90 %"``."""
    return f"{level * 100:g} %"


def coverage(model, key=session.COVERAGE):
    """Draw the choice of the interval's level and read it: the share of unseen rows that it is to hold [1]."""
    level = st.segmented_control(
        "Level of the interval",
        levels(len(model.distinct)),
        default=0.9,
        format_func=level_text,
        key=key,
        required=True,
        bind="query-params",
        help=f"The share of {ROWS} which the model has not seen that the interval is to hold.",
    )
    method_link()
    return level


def method_link():
    """Lead from an interval to how it is made."""
    st.page_link("pages/method.py", label="Where the interval comes from", icon=":material/functions:")


def _has_moved(*names):
    """Whether one of these sliders moved in the very message that changed a field or the preset.

    The page writes those two after each move. A key held down sends the next move before they arrive, with their
    former values, which look as if somebody had entered them: they must not take the slider back.
    """
    answered = st.session_state[session.ANSWERED]
    return any(st.session_state[session.INPUT_KEYS[name]] != answered[name] for name in names)


def _is_behind():
    """Whether the message was sent before the browser had what the page wrote into the fields last."""
    return any(
        (held := st.session_state.get(session.part(session.TYPED, column.name))) != column.shown(answered)
        and held in st.session_state.get(session.part(session.FORMER, column.name), {})
        for column, answered in zip(FEATURES, st.session_state[session.ANSWERED].values(), strict=True)
    )


def _stay_moved():
    """Let no slider go back that the page has moved: a preset that comes with former values was sent before."""
    for name, key in session.INPUT_KEYS.items():
        old, new, _ = st.session_state.get(session.part(session.MOVED, name), (None, None, 0))
        if st.session_state[key] == old != new:
            st.session_state[session.part(session.MOVED, name)] = old, new, time.monotonic()


def _take_preset(presets):
    """Move the sliders to the chosen preset, unless it is the one that they have just left."""
    if _has_moved(*st.session_state[session.ANSWERED]):
        _stay_moved()
    elif st.session_state[session.START_FROM] and not _is_behind():
        set_sliders(presets[st.session_state[session.START_FROM]])


@lru_cache(maxsize=4)
def _presets(model):
    """Name -> figures: the fixed defaults, then each row, unrounded."""
    presets = {TYPICAL: {column.name: column.default for column in FEATURES}}
    for row in sorted(model.some_records, key=lambda row: row_name(row[ROW])):
        if all(column.low <= row[column.name] <= column.high for column in FEATURES):
            presets.setdefault(row_name(row[ROW]), {column.name: row[column.name] for column in FEATURES})
    return presets


def _check_link():
    """Say what a link asks for that the sliders cannot show; they drop it without a word."""
    if session.ANSWERED in st.session_state:
        return
    for column in FEATURES:
        if (asked := st.query_params.get(session.INPUT_KEYS[column.name])) is not None:
            try:
                is_possible = column.low <= float(asked) <= column.high
            except ValueError:
                is_possible = False
            if not is_possible:
                shown = re.sub(r"[`\s]+", " ", asked[:60])  # as code, in which nothing is a link
                _report(
                    column, column.default, f"the link asks for ` {shown} `, which the slider cannot show", "Choose"
                )


def _report(column, value, problem, cure):
    """Keep a message below the slider while it stays at this value."""
    low, high = (column.text(end) for end in (column.low, column.high))
    in_a_link = f" (in a link from {column.low:g} to {column.high:g})" if column.is_share and cure == "Choose" else ""
    message = f"{column.label}: {problem}. {cure} a number from {low} to {high} ({column.unit}){in_a_link}."
    st.session_state[session.part(session.PROBLEM, column.name)] = message, value


def set_sliders(values):
    """Move the sliders; called back before the page runs, when their state may still be written.

    Parameters
    ----------
    values : mapping
        Column name -> number within the slider, in the stored unit.
    """
    for name, value in values.items():
        key = session.INPUT_KEYS[name]
        st.session_state[session.part(session.MOVED, name)] = st.session_state.get(key), value, time.monotonic()
        st.session_state[key] = value
        st.session_state.pop(session.part(session.PROBLEM, name), None)


def _settled(name):
    """Where a slider is: not where the page has just moved it from."""
    value = st.session_state[session.INPUT_KEYS[name]]
    old, new, moved = st.session_state.get(session.part(session.MOVED, name), (None, None, 0))
    # Another control was used before the browser knew of the move: its message still had the slider where it was.
    return new if old != new and value == old and time.monotonic() - moved < _ON_ITS_WAY else value


def _input(column):
    """One slider and its field; returns the slider's value."""
    name, key = column.name, session.INPUT_KEYS[column.name]
    row, typed, former, problem_key = (
        session.part(of, name) for of in (session.INPUT_ROW, session.TYPED, session.FORMER, session.PROBLEM)
    )
    if key in st.session_state and st.session_state[key] != (value := _settled(name)):
        st.session_state[key] = value
    with st.container(horizontal=True, wrap=False, vertical_alignment="bottom", key=row):
        value = st.slider(
            f"{column.label} ({column.unit})",
            column.low,
            column.high,
            column.default,
            column.step,
            format=column.slider_format,
            key=key,
            bind="query-params",
            help=column.help,
        )
        problem, held_at = st.session_state.get(problem_key, (None, None))
        if held_at != value:
            problem = None
            st.session_state.pop(problem_key, None)
        shown = column.shown(value)
        if not problem or typed not in st.session_state:
            if typed in st.session_state and st.session_state[typed] != shown:
                # What the browser has, and what it is about to have: it may send either once more.
                before = st.session_state.get(session.ANSWERED, {}).get(name, value)
                replaced = dict.fromkeys((st.session_state[typed], column.shown(before)), time.monotonic())
                st.session_state[former] = dict([*st.session_state.get(former, {}).items()][-_N_FORMER:]) | replaced
            st.session_state[typed] = shown
        st.number_input(
            f"{column.label}, exact value, {column.unit}",
            value=shown,  # what a cleared field goes back to
            step=column.shown(column.step),
            format=f"%.{column.n_decimals(value)}f",
            key=typed,
            label_visibility="collapsed",
            width=96,
            on_change=_take_typed,
            args=(column,),
        )
    if problem:
        st.error(problem)
    return value


def _take_typed(column):
    """Move the slider to the typed value, or keep what was typed and say why it cannot."""
    typed = st.session_state[session.part(session.TYPED, column.name)]
    replaced = st.session_state.get(session.part(session.FORMER, column.name), {}).get(typed, 0)
    # A value before the page's own writing, on its way back: not typed by anybody.
    is_stale = time.monotonic() - replaced < _ON_ITS_WAY
    if is_stale or _has_moved(column.name):
        return
    if column.low <= (value := round(typed / column.scale, 12)) <= column.high:
        set_sliders({column.name: value})
    else:
        value = st.session_state[session.INPUT_KEYS[column.name]]
        _report(column, value, f"{typed:,.10g} is outside the slider", "Type")
