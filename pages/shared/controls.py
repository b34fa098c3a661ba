"""The inputs of a scenario and where it starts: what the browser sent, the server wrote, or a link asks for.

The browser owns them. Each of its messages carries the whole scenario with the epoch that it knows and a number that
grows; what the server writes begins another epoch, in which older messages do not count. So nothing that is still on
its way, however slow the line, can take back what was done since.
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
    """What stands on the sliders, with what tells a message that is older."""

    epoch: int
    seq: int
    scenario: dict[str, float]
    start: str  # its code
    level: float  # of the intervals [1]


@lru_cache(maxsize=64)  # of many rows it takes a while to find one
def find_start(model: Model, code: str) -> Start:
    """Return a start by its code; the typical one where there is none of that code.

    Parameters
    ----------
    model
        Its rows are the starts.
    code
        Of a row, or its name; empty for the typical one.
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
    """List the typical start, and of the rows those that the sliders can show, a part of many, by their names."""
    rows = sorted(model.some_records, key=lambda row: row_name(str(row[ROW])))
    listed = {
        str(row[ROW]): Start(str(row[ROW]), row_name(str(row[ROW])), _scenario_of(row), row[TARGET.name])
        for row in reversed(rows)
        if _fits(_scenario_of(row))
    }
    return [Start("", TYPICAL, DEFAULTS, None), *reversed(listed.values())]


def _scenario_of(row: Mapping[str, Any]) -> dict[str, float]:
    return {column.name: row[column.name] for column in FEATURES}


def _fits(scenario: Mapping[str, Any]) -> bool:
    """Whether the sliders can show a scenario."""
    try:
        return all(column.low <= scenario[column.name] <= column.high for column in FEATURES)
    except (KeyError, TypeError):
        return False


def read_address_on_entry(model: Model) -> None:
    """Take what the address asks for when the page is entered; else the inputs are as they were left."""
    state, asked = st.session_state, st.query_params
    names = {session.FROM, session.COVERAGE, *session.INPUT_KEYS.values()}
    if not state.pop(session.ENTERED, False) or (session.INPUTS in state and not names & set(asked)):
        return
    start, problems = find_start(model, code := asked.get(session.FROM, "")), []
    if code and not start.code:
        problems.append(f"The link starts from ` {_as_code(code)} `, which is no {ROW} here that the sliders can show.")
    scenario = dict(start.scenario)
    for column in FEATURES:
        if (text := asked.get(session.INPUT_KEYS[column.name])) is None:
            continue
        if (value := _read_in_link(column, text)) is None:
            problems.append(_out_of_range(column, text))
        else:
            scenario[column.name] = value
    text = asked.get(session.COVERAGE, format_level(DEFAULT_LEVEL))
    spellings = {spelled: level for level in LEVELS for spelled in (f"{level * 100:g}%", f"{level:g}")}
    if (level := spellings.get(text.replace(" ", ""))) is None:
        named = ", ".join(map(format_level, LEVELS))
        problems.append(f"The link asks for the level ` {_as_code(text)} `, which there is not. Choose one of {named}.")
    write_inputs(scenario, start.code, level or DEFAULT_LEVEL)
    state[session.PROBLEM] = problems, scenario


def _read_in_link(column: Column, text: str) -> float | None:
    """Read an input in a link, in the stored unit or the shown one; None where the slider cannot show it."""
    try:
        value = read_number(text)
    except ValueError:
        return None
    readings = (value, round(value / column.scale, 12))
    return next((reading for reading in readings if column.low <= reading <= column.high), None)


def _out_of_range(column: Column, text: str) -> str:
    low, high = (column.text(end) for end in (column.low, column.high))
    return (
        f"{column.label}: the link asks for ` {_as_code(text)} `, which the slider cannot show. Choose a number from "
        f"{low} to {high} ({column.unit})."
    )


def _as_code(text: str) -> str:
    return re.sub(r"[`\s]+", " ", text[:60])  # as code, in which nothing is a link


def find_problems(scenario: Mapping[str, float]) -> list[str]:
    """What was wrong with the link, in Markdown, until the scenario changes."""
    problems, opened_at = st.session_state.get(session.PROBLEM, ([], None))
    return problems if opened_at == scenario else []


def read_inputs() -> Inputs:
    """Return the newest of what the browser sent and the server wrote."""
    state = st.session_state
    written = Inputs(*state.get(session.INPUTS) or (0, 0, dict(DEFAULTS), "", DEFAULT_LEVEL))
    sent = _read_sent()
    if sent and sent.epoch == written.epoch and sent.seq > written.seq:
        state[session.INPUTS] = tuple(sent)
        return sent
    return written


def _read_sent() -> Inputs | None:
    """What the browser sent last, if that can be; a browser may send anything."""
    message = _last_message()
    try:
        scenario = dict(zip(DEFAULTS, map(float, message["values"]), strict=True))
        sent = Inputs(
            int(message["epoch"]), int(message["seq"]), scenario, str(message["start"])[:200], float(message["level"])
        )
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return sent if _fits(scenario) and sent.level in LEVELS else None


def _last_message() -> dict[str, Any]:
    """The last message of the browser, whatever may be in it."""
    message = (st.session_state.get(session.WHAT_IF) or {}).get("scenario")
    return message if isinstance(message, dict) else {}


def rows_known_to_browser() -> str:
    """Which rows the browser has already, by the identity that it was sent."""
    return str(_last_message().get("has", ""))


def write_inputs(scenario: Mapping[str, float], start: str | None = None, level: float | None = None) -> None:
    """Set the inputs, as a link, Show and Apply do.

    Parameters
    ----------
    scenario
        Column name -> number within the slider, in the stored unit.
    start
        Its code; as it was unless given.
    level
        Of the intervals [1]; as it was unless given.
    """
    former = read_inputs()
    start, level = former.start if start is None else start, former.level if level is None else level
    st.session_state[session.INPUTS] = (former.epoch + 1, 0, {name: scenario[name] for name in DEFAULTS}, start, level)


def take_over_start(drawn: Inputs) -> bool:
    """Adopt what a browser sends once its component is drawn; whether that is newer than the inputs that were drawn.

    It is where the session was lost with the connection, or with the server: a new one hears of it no sooner.
    """
    sent = _read_sent()
    if not sent or (sent.epoch, sent.seq) <= (drawn.epoch, drawn.seq):
        return False
    st.session_state[session.INPUTS] = tuple(sent)
    return True


def read_scenario() -> dict[str, float]:
    """Return where the sliders are, or were when the What-if page was left, or their defaults."""
    return read_inputs().scenario


def link_from_row(row: Mapping[str, Any]) -> dict[str, str] | None:
    """Parameters of a link to the What-if page that starts from a row; None where a slider cannot show it."""
    return {session.FROM: str(row[ROW])} if _fits(_scenario_of(row)) else None


def read_level(model: Model) -> float:
    """Return the level of the intervals that was chosen, or the highest below it that a model's rows can set."""
    return nearest_possible_level(len(model.distinct), read_inputs().level)


def format_level(level: float) -> str:
    """Write a level of the interval as the pages and their addresses do: ``0.9`` -> ``"90 %"``."""
    return f"{level * 100:g} %"


def draw_level(model: Model, key: str) -> float:
    """Draw the choice of the interval's level and read it: the share of unseen rows that it is to hold [1]."""
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
    """Lead from an interval to how it is made."""
    st.page_link("pages/method.py", label="Where the interval comes from", icon=":material/functions:")
