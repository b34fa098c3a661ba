"""The inputs of a scenario and its start: as the browser sent them, the server wrote them, or a link asks for them.

The browser owns them. Each of its messages carries the whole scenario, the epoch that it knows and a growing number;
each write of the server begins a new epoch, in which older messages do not count. So a message that arrives late,
however slow the line, cannot undo what was done since.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import streamlit as st

from data.errors import DataError
from data.numbers import read_number
from data.schema import FEATURES, ROW, ROWS, TARGET, Column, row_name
from model.answering.change import find_row, start_figures
from model.fitting.interval import LEVELS, nearest_possible_level, possible_levels
from model.fitting.train import Model
from pages.shared import session
from pages.shared.words.wording import escape

TYPICAL = f"Typical {ROW}"
DEFAULT_LEVEL = 0.9
DEFAULTS = {column.name: column.default for column in FEATURES}


class Start(NamedTuple):
    """Where a change starts: a row by its code, or the typical one, whose code is empty."""

    code: str
    name: str
    scenario: Mapping[str, float]
    observed: float | None  # what the row had [unit of the target]


class Inputs(NamedTuple):
    """The values on the sliders, with the epoch and number that tell an older message from a newer one."""

    epoch: int
    seq: int
    scenario: dict[str, float]
    start: str  # code of the start
    level: float  # of the intervals [1]


@lru_cache(maxsize=64)  # finding one of many rows takes a while
def find_start(model: Model, code: str) -> Start:
    """Return the start with this code; the typical one if no row has it, or the sliders cannot show that row.

    Parameters
    ----------
    model
        Its rows are the starts.
    code
        Code or name of a row; empty for the typical one.
    """
    try:
        index = find_row(model, code)
    except DataError:
        return Start("", TYPICAL, DEFAULTS, None)
    scenario, observed = start_figures(model, index)
    code = str(model.records[index][ROW])
    return Start(code, row_name(code), scenario, observed) if _fits(scenario) else Start("", TYPICAL, DEFAULTS, None)


@lru_cache(maxsize=4)
def list_starts(model: Model) -> list[Start]:
    """List the typical start, then by name the rows that the sliders can show; if there are many, a part of them."""
    rows = sorted(model.listed_records, key=lambda row: row_name(str(row[ROW])))
    starts = {
        str(row[ROW]): Start(str(row[ROW]), row_name(str(row[ROW])), _scenario_of(row), row[TARGET.name])
        for row in reversed(rows)
        if _fits(_scenario_of(row))
    }
    return [Start("", TYPICAL, DEFAULTS, None), *reversed(starts.values())]


def _scenario_of(row: Mapping[str, Any]) -> dict[str, float]:
    return {column.name: row[column.name] for column in FEATURES}


def _fits(scenario: Mapping[str, Any]) -> bool:
    """Whether the sliders can show a scenario."""
    try:
        return all(
            column.low <= scenario[column.name] <= column.high
            and not (column.choices and scenario[column.name] % 1)  # no code lies between two choices
            for column in FEATURES
        )
    except (KeyError, TypeError):
        return False


def read_address_on_entry(model: Model) -> None:
    """On entry to the page, set the inputs to what the address asks for; if it asks for nothing, keep them."""
    state, parameters = st.session_state, st.query_params
    names = {session.FROM, session.COVERAGE, *session.INPUT_KEYS.values()}
    if not state.pop(session.ENTERED, False) or (session.INPUTS in state and not names & set(parameters)):
        return
    code = parameters.get(session.FROM, "")
    start, problems = find_start(model, code), []
    if code and not start.code:
        problems.append(f"The link starts from ` {_as_code(code)} `, which is no {ROW} here that the sliders can show.")
    scenario = dict(start.scenario)
    for column in FEATURES:
        if (text := parameters.get(session.INPUT_KEYS[column.name])) is None:
            continue
        if (value := _read_in_link(column, text)) is None:
            problems.append(_range_problem(column, text))
        else:
            scenario[column.name] = value
    text = parameters.get(session.COVERAGE, format_level(DEFAULT_LEVEL))
    spellings = {spelling: level for level in LEVELS for spelling in (f"{level * 100:g}%", f"{level:g}")}
    if (level := spellings.get(text.replace(" ", ""))) is None:
        levels = ", ".join(map(format_level, LEVELS))
        problems.append(
            f"The link asks for the level ` {_as_code(text)} `, which there is not. Choose one of {levels}."
        )
    write_inputs(scenario, start.code, level or DEFAULT_LEVEL)
    state[session.PROBLEM] = problems, scenario


def _read_in_link(column: Column, text: str) -> float | None:
    """Read an input of a link, in the stored unit or the shown one, or a label; None if the slider cannot show it."""
    if column.choices:
        return column.find_code(text)
    try:
        value = read_number(text)
    except ValueError:
        return None
    readings = (value, round(value / column.scale, 12))
    return next((reading for reading in readings if column.low <= reading <= column.high), None)


def _range_problem(column: Column, text: str) -> str:
    if column.choices:
        asked = f"the link asks for ` {_as_code(text)} `, which is none of the choices"
        return f"{column.label}: {asked}. {escape(column.limits)}"
    low, high = (column.text(end) for end in (column.low, column.high))
    return (
        f"{column.label}: the link asks for ` {_as_code(text)} `, which the slider cannot show. Choose a number from "
        f"{low} to {high}{column.unit_note}."
    )


def _as_code(text: str) -> str:
    return re.sub(r"[`\s]+", " ", text[:60])  # to be shown as code, in which nothing becomes a link


def find_problems(scenario: Mapping[str, float]) -> list[str]:
    """List what was wrong with the link, in Markdown, until the scenario changes."""
    problems, linked_scenario = st.session_state.get(session.PROBLEM, ([], None))
    return problems if linked_scenario == scenario else []


def read_inputs() -> Inputs:
    """Return the newer of what the browser sent last and what the session holds."""
    state = st.session_state
    stored_inputs = Inputs(*state.get(session.INPUTS) or (0, 0, dict(DEFAULTS), "", DEFAULT_LEVEL))
    browser_inputs = _read_browser_inputs()
    if browser_inputs and browser_inputs.epoch == stored_inputs.epoch and browser_inputs.seq > stored_inputs.seq:
        state[session.INPUTS] = tuple(browser_inputs)
        return browser_inputs
    return stored_inputs


def _read_browser_inputs() -> Inputs | None:
    """Return what the browser sent last, or None if that is not valid: a browser may send anything."""
    message = _last_message()
    try:
        scenario = dict(zip(DEFAULTS, map(float, message["values"]), strict=True))
        inputs = Inputs(
            int(message["epoch"]), int(message["seq"]), scenario, str(message["start"])[:200], float(message["level"])
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return inputs if _fits(scenario) and inputs.level in LEVELS else None


def _last_message() -> dict[str, Any]:
    """Return the browser's last message, unchecked."""
    message = (st.session_state.get(session.WHAT_IF) or {}).get("scenario")
    return message if isinstance(message, dict) else {}


class Shown(NamedTuple):
    """What the browser has and shows of the page."""

    known_rows: str  # identity of the rows that it has, as it was sent with them
    is_average_open: bool  # whether it shows why a prediction is not the average
    is_rest_open: bool  # whether it shows all inputs, also those that are folded at first because there are many


def read_shown() -> Shown:
    """Return what the browser said last that it has and shows."""
    message = _last_message()
    return Shown(str(message.get("has", "")), bool(message.get("why")), bool(message.get("all")))


def write_inputs(scenario: Mapping[str, float], start: str | None = None, level: float | None = None) -> None:
    """Set the inputs, as a link, Show and Apply do.

    Parameters
    ----------
    scenario
        Column name -> number within the slider, in the stored unit.
    start
        Code of the start; unchanged by default.
    level
        Of the intervals [1]; unchanged by default.
    """
    former = read_inputs()
    start, level = former.start if start is None else start, former.level if level is None else level
    st.session_state[session.INPUTS] = (former.epoch + 1, 0, {name: scenario[name] for name in DEFAULTS}, start, level)


def adopt_browser_inputs(drawn: Inputs) -> bool:
    """Adopt what the browser sends once its component is drawn; return whether it is newer than what was drawn.

    It is newer if the session was lost with the connection or the server: a new session hears of it no sooner.
    """
    browser_inputs = _read_browser_inputs()
    if not browser_inputs or (browser_inputs.epoch, browser_inputs.seq) <= (drawn.epoch, drawn.seq):
        return False
    st.session_state[session.INPUTS] = tuple(browser_inputs)
    return True


def read_scenario() -> dict[str, float]:
    """Return where the sliders are, or were when the What-if page was left, or their defaults."""
    return read_inputs().scenario


def link_from_row(row: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the parameters of a link to the What-if page that starts from a row; None if a slider cannot show it."""
    return {session.FROM: str(row[ROW])} if _fits(_scenario_of(row)) else None


def usable_level(model: Model, inputs: Inputs) -> float:
    """Return the chosen level of the intervals, or the highest below it that the model has enough rows for."""
    return nearest_possible_level(len(model.distinct), inputs.level)


def format_level(level: float) -> str:
    """Write a level of the interval as in the pages and their addresses: ``0.9`` -> ``"90 %"``."""
    return f"{level * 100:g} %"


def draw_level(model: Model, key: str) -> float:
    """Draw the choice of the interval's level, and return it: the share of unseen rows that it promises to hold [1]."""
    level = st.segmented_control(
        "Level of the interval",
        possible_levels(len(model.distinct)),
        default=DEFAULT_LEVEL,
        format_func=format_level,
        key=key,
        required=True,
        bind="query-params",
        help=f"The share of {ROWS} which the model has not seen that the interval is to hold.",
    )
    draw_method_link()
    return level


def draw_method_link() -> None:
    """Draw the link from an interval to how it is made."""
    st.page_link("pages/method.py", label="Where the interval comes from", icon=":material/functions:")
