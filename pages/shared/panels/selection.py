"""The rows of the Explore page: a filter, and one selection shared by every picture and the table."""

import json
import math
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from data.schema import COLUMNS, FEATURES, ROW, ROWS, TILES, Column, row_name
from model.judging.survey import Survey
from pages.shared import session
from pages.shared.pictures import text_tables
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.mutable_tab_container import TabContainer

_SCRIPT = Path(__file__).with_name("selection.js")
_FILTER_AND_SELECTION = (session.SELECTED, session.BETWEEN, session.ONLY)  # in an address
_MAX_CHARACTERS = 1500  # of an address for selection or filter; a line of a request has 8,000
_N_LISTED = 1000  # rows that a list can offer by name; names of more are typed
_tables: "weakref.WeakKeyDictionary[Survey, pd.DataFrame]" = weakref.WeakKeyDictionary()  # of a million rows, 0.1 GB


class Limit(NamedTuple):
    """The range of a column that a filter keeps [stored unit]; of a category one choice of those it keeps."""

    column: str
    low: float
    high: float


class Filter(NamedTuple):
    """Which rows to keep: only narrowed columns have a limit, and no names means all names."""

    limits: tuple[Limit, ...]
    names: tuple[str, ...]

    @property
    def is_on(self) -> bool:
        """Whether it may leave rows out."""
        return bool(self.limits or self.names)


def draw_filter(rows: "pd.DataFrame", sha256: str) -> Filter:
    """Draw the filter and read it.

    Parameters
    ----------
    sha256
        Fingerprint of the rows: other rows start with no filter and nothing selected.
    """
    state = st.session_state
    if state.get(session.EXPLORE_OF) != sha256:
        _reset_filter_and_selection()
        state[session.EXPLORE_OF] = sha256
    parameters = {name: st.query_params.get_all(name) for name in _FILTER_AND_SELECTION}
    if state.pop(session.ENTERED, False):
        state[session.EXPLORE_NTH_VIEW] = state.get(session.EXPLORE_NTH_VIEW, 0) + 1
        view = st.query_params.get(session.VIEW, "")
        if view or any(parameters.values()):
            state[session.EXPLORE_VIEW] = view
            _apply_address(rows, parameters)
    with st.popover("Filter", icon=":material/filter_alt:", key=session.EXPLORE_FILTER):
        cells = [cell for _ in range(len(COLUMNS) // 2 + 1) for cell in st.columns(2, gap="medium")]
        limits = [
            limit
            for cell, column in zip(cells, COLUMNS, strict=False)
            for limit in (_draw_choices if column.choices else _draw_range)(cell, column, rows[column.name])
        ]
        known_names = sorted({row_name(code) for code in rows[ROW]}) if len(rows) <= _N_LISTED else []
        names = cells[len(COLUMNS)].multiselect(
            f"Only these {ROWS}",
            known_names,
            key=_filter_key(session.EXPLORE_NAMES),
            placeholder=f"All {ROWS}",
            accept_new_options=not known_names,
            persist_state="session",
        )
    return Filter(tuple(limits), tuple(names))


@cache
def _address_writer() -> Any:
    return st.components.v2.component("selection", js=_SCRIPT.read_text(encoding="utf-8"))


def draw_views(labels: Sequence[str]) -> "Sequence[TabContainer]":
    """Draw the views as tabs; open the one in the address first, or else the one that was open last.

    Each visit has tabs of its own: tabs that Streamlit itself writes into the address would open at the first one when
    Back leads here from another page.
    """
    return st.tabs(labels, key=_tabs_key(), default=_open_view(labels), on_change="rerun")


def _tabs_key() -> str:
    return session.part(session.EXPLORE_VIEWS, st.session_state.get(session.EXPLORE_NTH_VIEW, 0))


def _open_view(labels: Sequence[str]) -> str:
    """Return the open view; the first one if none of these is open."""
    state = st.session_state
    view = state.get(_tabs_key()) or state.get(session.EXPLORE_VIEW)
    state[session.EXPLORE_VIEW] = view if view in labels else labels[0]
    return state[session.EXPLORE_VIEW]


def write_address(rows: "pd.DataFrame", row_filter: Filter, labels: Sequence[str]) -> None:
    """Have the browser write filter, selection and view into the address, without those that are too long for it.

    Parameters
    ----------
    rows
        All rows.
    labels
        The views; an address leaves the first one out.
    """
    selected = rows.loc[st.session_state[session.EXPLORE_SELECTED], ROW].tolist()
    between = [_write_limit(limit) for limit in row_filter.limits]
    parameters = {session.SELECTED: selected, session.BETWEEN: between, session.ONLY: list(row_filter.names)}
    parameters = {
        name: values if sum(map(len, values)) <= _MAX_CHARACTERS else [] for name, values in parameters.items()
    }
    parameters[session.VIEW] = [view] if (view := _open_view(labels)) != labels[0] else []
    _address_writer()(key=session.EXPLORE_ADDRESS, data=json.dumps(parameters))
    st.session_state[session.EXPLORE_LINK] = {name: values for name, values in parameters.items() if values}


def _apply_address(rows: "pd.DataFrame", parameters: Mapping[str, list[str]]) -> None:
    """Set filter and selection from the address; leave out what does not exist here, and note it as a problem."""
    state, problems = st.session_state, []
    _reset_filter_and_selection()
    codes = {code[:_MAX_CHARACTERS] for code in parameters[session.SELECTED][:_MAX_CHARACTERS]}
    select_rows(rows.index[rows[ROW].isin(codes)])
    state[session.EXPLORE_FIRST] = state[session.EXPLORE_SELECTED]
    missing = [code for code in sorted(codes.difference(rows[ROW])) if code]
    row_names = {row_name(code) for code in rows[ROW]} if parameters[session.ONLY] else set()
    names = list(dict.fromkeys(parameters[session.ONLY][:_MAX_CHARACTERS]))
    if known_names := [name for name in names if name in row_names]:
        state[_filter_key(session.EXPLORE_NAMES)] = known_names
    missing += [name for name in names if name not in row_names]
    if missing:
        first = ", ".join(escape(name[:40]) for name in missing[:3])
        rest = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        problems.append(f"The link names {first}{rest}, which {'are' if len(missing) > 1 else 'is'} no {ROW} here.")
    columns = {column.name: column for column in COLUMNS}
    for text in parameters[session.BETWEEN][: sum(max(1, len(column.choices)) for column in COLUMNS)]:
        name, *ends = text.split(":")
        try:
            if columns[name].choices:
                label = _read_choice(columns[name], text, rows[name])
                chosen = state.setdefault(_filter_key(session.EXPLORE_RANGE, name), [])
                chosen += [] if label in chosen else [label]
                continue
            low, high = map(float, ends)
            bottom, top, _ = _slider_ends(columns[name], rows[name])
            if not bottom <= low <= high <= top:
                raise ValueError
        except (KeyError, ValueError):
            problems.append(f"The link asks for the range {escape(text[:60])}, which the filter does not have.")
        else:
            state[_filter_key(session.EXPLORE_RANGE, name)] = (low, high)
    state[session.EXPLORE_PROBLEMS] = problems, state[session.EXPLORE_SELECTED]


def list_link_problems() -> list[str]:
    """Return what was wrong with the link, in Markdown, until other rows are selected."""
    problems, selected = st.session_state.get(session.EXPLORE_PROBLEMS, ([], None))
    return problems if selected == st.session_state[session.EXPLORE_SELECTED] else []


def _slider_ends(column: Column, values: "pd.Series[float]") -> tuple[float, float, float]:
    """Return both ends of a column's slider, and its step."""
    low, high = round(float(values.min()), 9), round(float(values.max()), 9)
    step = column.step if column in FEATURES else 10.0**-column.decimals
    return round(math.floor(low / step) * step, 9), round(math.ceil(high / step) * step, 9), step


def _write_limit(limit: Limit) -> str:
    """Write a limit as in an address: ``"name:7:9"``, or ``"name:yes"``."""
    choices = next(column.choices for column in COLUMNS if column.name == limit.column)
    return f"{limit.column}:{choices[int(limit.low)] if choices else f'{limit.low:.10g}:{limit.high:.10g}'}"


def _read_choice(column: Column, text: str, codes: "pd.Series[float]") -> str:
    """Return the label in a limit of an address; ValueError if no row has such a choice."""
    code = column.find_code(text.partition(":")[2])
    if code is None or not (codes == code).any():
        raise ValueError
    return column.text(code)


def _draw_choices(cell: DeltaGenerator, column: Column, codes: "pd.Series[float]") -> list[Limit]:
    """Draw which choices of a category to keep, and read it; none while it keeps all rows."""
    present = [column.text(code) for code in sorted(codes.unique())]
    key = _filter_key(session.EXPLORE_RANGE, column.name)
    labels = cell.multiselect(column.label, present, key=key, placeholder="All", persist_state="session")
    kept = [float(column.choices.index(label)) for label in labels]
    return [Limit(column.name, code, code) for code in kept] if len(kept) < len(present) else []


def _draw_range(cell: DeltaGenerator, column: Column, values: "pd.Series[float]") -> list[Limit]:
    """Draw a range slider and read it; none while it keeps all rows."""
    low, high = round(float(values.min()), 9), round(float(values.max()), 9)
    label = f"{column.label}{column.unit_note}"
    if low == high:
        cell.markdown(f"{label}  \n:gray[{column.text(low)} in all {ROWS}]")
        return []
    bottom, top, step = _slider_ends(column, values)
    ends = cell.slider(
        label,
        bottom,
        top,
        (bottom, top),
        step,
        format=column.slider_format if column in FEATURES else "%,.0f",
        key=_filter_key(session.EXPLORE_RANGE, column.name),
        persist_state="session",
    )
    return [] if ends == (bottom, top) else [Limit(column.name, *ends)]


def _filter_key(key: str, *parts: str) -> str:
    return session.part(key, *parts, st.session_state.get(session.EXPLORE_NTH_FILTER, 0))


def show_all() -> None:
    """Replace the filter by a new one: a browser that does not show the old one would keep its values."""
    st.session_state[session.EXPLORE_NTH_FILTER] = st.session_state.get(session.EXPLORE_NTH_FILTER, 0) + 1


def _reset_filter_and_selection() -> None:
    show_all()
    clear_selection()


def select_rows(indexes: Iterable[int]) -> None:
    """Select the rows with these indexes, and no others."""
    st.session_state[session.EXPLORE_SELECTED] = sorted(set(indexes))


def clear_selection() -> None:
    """Select nothing."""
    select_rows(())
    st.session_state[session.EXPLORE_FIRST] = []


def selecting_from(key: str, hidden: frozenset[int]) -> Callable[[], None]:
    """Make a callback that selects the rows that were picked in the chart with that key.

    A click on the only selected row in sight deselects it; a box or a lasso selects what is in it. Rows that the filter
    hides stay selected. If no row was picked, nothing changes.
    """

    def select_picked() -> None:
        picked = st.session_state[key].selection
        indexes = {point["customdata"] for point in picked.points if point.get("customdata") is not None}
        if not indexes:  # a bar, a star, or a picture that was redrawn and has forgotten its picks
            return
        selected = set(st.session_state[session.EXPLORE_SELECTED])
        if len(indexes) == 1 and not (picked.box or picked.lasso) and indexes | hidden == selected:
            indexes = set()
        select_rows(indexes | hidden)
        st.session_state[session.EXPLORE_FIRST] = sorted(indexes)

    return select_picked


def draw_rows_table(survey: Survey, selected: Sequence[int], doubts: Mapping[int, Sequence[str]]) -> None:
    """Draw the table of rows; its ticks are the selected rows, and ticking selects.

    Rows that were selected in a picture come first, or their ticks might be out of sight.

    Parameters
    ----------
    survey
        Of the rows that the filter keeps.
    selected
        Index of each selected row, filtered out or not.
    doubts
        Index of a row -> reasons to doubt it.
    """
    rows: pd.DataFrame = survey.rows
    if len(first := rows.index.intersection(st.session_state[session.EXPLORE_FIRST])):
        rows = rows.loc[first.append(rows.index.difference(first))]
        table = text_tables.tabulate_rows(rows, doubts)
    else:
        if survey not in _tables:  # shared by all sessions
            _tables[survey] = text_tables.tabulate_rows(rows, doubts)
        table = _tables[survey]
    options: dict[str, Any] = {
        "height": 430,
        "column_config": {
            title: st.column_config.TextColumn(help=f"{column.label}. {column.help}")
            if column.choices
            else st.column_config.NumberColumn(
                format="%.1f" if column.is_share else "%.10g" if column.decimals else "localized",
                help=f"{column.label}, {column.unit}. {column.help}",
                width=min(6 * len(title) + 12, 90 if TILES else 160),  # all columns in sight beside the map
            )
            for title, column in zip(table.columns[1:], COLUMNS, strict=False)
        },
        "hide_index": True,
        "alt": f"{len(rows):,} {ROWS} with all their figures",
    }
    if len(rows) > _N_LISTED:
        st.dataframe(table, lazy=True, **options)  # sends only what is in sight; such a table cannot be ticked
        return
    indexes = rows.index.tolist()
    ticked = [position for position, index in enumerate(indexes) if index in set(selected)]

    def table_key() -> str:
        nth = st.session_state.get(session.EXPLORE_NTH_TABLE, 0)
        return session.part(session.EXPLORE_TABLE, f"{hash(tuple(indexes)):x}", nth)

    # Other rows, or ticks that were not made in it, make another table: what arrives late from the former one, however
    # slow the line, must not count. Its ticks go with each run: a browser may draw it from a later one than the first.
    if st.session_state.get(table_key(), {}).get("selection", {}).get("rows", []) != ticked:
        st.session_state[session.EXPLORE_NTH_TABLE] = st.session_state.get(session.EXPLORE_NTH_TABLE, 0) + 1
    key = table_key()
    ticks: Any = {"selection": {"rows": ticked}}

    def select_ticked() -> None:
        positions = st.session_state[key].selection.rows
        if positions != ticked:
            select_rows([indexes[position] for position in positions] + [i for i in selected if i not in set(indexes)])

    with st.container(key=session.EXPLORE_TABLE):
        st.dataframe(
            table, key=key, on_select=select_ticked, selection_mode="multi-row", selection_default=ticks, **options
        )
