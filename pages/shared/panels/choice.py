"""Which rows the Explore page is about: a filter, and one list of selected rows for every picture and the table."""

import json
import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from streamlit.delta_generator import DeltaGenerator

from data.schema import COLUMNS, FEATURES, ROW, ROWS, Column, row_name
from model.judging.survey import Survey
from pages.shared import session
from pages.shared.pictures import text_tables
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    import pandas as pd
    from streamlit.elements.lib.mutable_tab_container import TabContainer

_SCRIPT = Path(__file__).with_name("choice.js")
_LONGEST = 1500  # characters of what an address holds of the rows, and of the filter; a line of a request has 8,000
_N_LISTED = 1000  # names that a list can offer; above that they are typed
_drawn: weakref.WeakKeyDictionary[Survey, Any] = (
    weakref.WeakKeyDictionary()
)  # survey -> its table, for all sessions: of a million rows, 0.1 GB


def draw_filters(rows: "pd.DataFrame", of: str) -> Any:
    """Draw the filter and read it.

    Parameters
    ----------
    rows
        All rows.
    of
        Their fingerprint: other rows start with no filter and nothing selected.

    Returns
    -------
    limits : tuple of (str, float, float)
        Column, lowest and highest value to keep [stored unit]; only columns that are narrowed.
    names : tuple of str
        Names of rows to keep; empty for all.
    """
    state = st.session_state
    if state.get(session.EXPLORE_OF) != of:
        _forget()
        state[session.EXPLORE_OF] = of
    asked = {name: st.query_params.get_all(name) for name in _ASKED}
    if state.pop(session.ENTERED, False):
        state[session.EXPLORE_NTH_VIEW] = state.get(session.EXPLORE_NTH_VIEW, 0) + 1
        view = st.query_params.get(session.VIEW, "")
        if view or any(asked.values()):
            state[session.EXPLORE_VIEW] = view
            _open(rows, asked)
    with st.popover("Filter", icon=":material/filter_alt:", key=session.EXPLORE_FILTER):
        cells = [cell for _ in range(3) for cell in st.columns(2, gap="medium")]
        limits = [_range(cell, column, rows[column.name]) for cell, column in zip(cells, COLUMNS, strict=False)]
        known = sorted({row_name(code) for code in rows[ROW]}) if len(rows) <= _N_LISTED else []
        names = cells[len(COLUMNS)].multiselect(
            f"Only these {ROWS}",
            known,
            key=_key(session.EXPLORE_NAMES),
            placeholder=f"All {ROWS}",
            accept_new_options=not known,
            persist_state="session",
        )
    return tuple(limit for limit in limits if limit), tuple(names)


_ASKED = (session.SELECTED, session.BETWEEN, session.ONLY)


@cache
def _address() -> Any:
    return st.components.v2.component("choice", js=_SCRIPT.read_text(encoding="utf-8"))


def draw_views(labels: Sequence[str]) -> "Sequence[TabContainer]":
    """Draw the views as tabs; at first the one that the address asks for, or else that was open last.

    Each visit has tabs of its own: those that Streamlit writes into the address open at the first one where Back leads
    here from another page.
    """
    return st.tabs(labels, key=_key_of_views(), default=_view(labels), on_change="rerun")


def _key_of_views() -> str:
    return session.part(session.EXPLORE_VIEWS, st.session_state.get(session.EXPLORE_NTH_VIEW, 0))


def _view(labels: Sequence[str]) -> str:
    """Return the view that is open, the first where another is asked for."""
    state = st.session_state
    view = state.get(_key_of_views()) or state.get(session.EXPLORE_VIEW)
    state[session.EXPLORE_VIEW] = view if view in labels else labels[0]
    return state[session.EXPLORE_VIEW]


def write_address(
    rows: "pd.DataFrame", limits: Iterable[tuple[str, float, float]], names: Iterable[str], labels: Sequence[str]
) -> None:
    """Have the browser write into the address what is chosen; what is too much for one is left out.

    Parameters
    ----------
    rows
        All rows.
    limits, names
        The filter, as `draw_filters` read it.
    labels
        The views; an address leaves the first one out.
    """
    selected = rows.loc[st.session_state[session.EXPLORE_SELECTED], ROW].tolist()
    between = [f"{name}:{low:.10g}:{high:.10g}" for name, low, high in limits]
    chosen = {session.SELECTED: selected, session.BETWEEN: between, session.ONLY: list(names)}
    chosen = {name: values if sum(map(len, values)) <= _LONGEST else [] for name, values in chosen.items()}
    chosen[session.VIEW] = [view] if (view := _view(labels)) != labels[0] else []
    _address()(key=session.EXPLORE_ADDRESS, data=json.dumps(chosen))
    st.session_state[session.EXPLORE_LINK] = {name: values for name, values in chosen.items() if values}


def _open(rows: "pd.DataFrame", asked: Mapping[str, list[str]]) -> None:
    """Choose what an address asks for; what is not there is left out, and told."""
    state, problems = st.session_state, []
    _forget()
    codes = {code[:_LONGEST] for code in asked[session.SELECTED][:_LONGEST]}
    select_rows(rows.index[rows[ROW].isin(codes)])
    state[session.EXPLORE_FIRST] = state[session.EXPLORE_SELECTED]
    missing = [code for code in sorted(codes.difference(rows[ROW])) if code]
    known = {row_name(code) for code in rows[ROW]} if asked[session.ONLY] else set()
    if only := [name for name in dict.fromkeys(asked[session.ONLY][:_LONGEST]) if name in known]:
        state[_key(session.EXPLORE_NAMES)] = only
    missing += [name for name in dict.fromkeys(asked[session.ONLY][:_LONGEST]) if name not in known]
    if missing:
        shown = ", ".join(escape(name[:40]) for name in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        problems.append(f"The link names {shown}{more}, which {'are' if len(missing) > 1 else 'is'} no {ROW} here.")
    columns = {column.name: column for column in COLUMNS}
    for text in asked[session.BETWEEN][: len(columns)]:
        name, *ends = text.split(":")
        try:
            low, high = map(float, ends)
            bottom, top, _ = _ends(columns[name], rows[name])
            if not bottom <= low <= high <= top:
                raise ValueError
        except (KeyError, ValueError):
            problems.append(f"The link asks for the range {escape(text[:60])}, which the filter does not have.")
        else:
            state[_key(session.EXPLORE_RANGE, name)] = (low, high)
    state[session.EXPLORE_PROBLEMS] = problems, state[session.EXPLORE_SELECTED]


def draw_problems() -> list[str]:
    """Return what was wrong with the link, in Markdown, until other rows are selected."""
    told, selected = st.session_state.get(session.EXPLORE_PROBLEMS, ([], None))
    return told if selected == st.session_state[session.EXPLORE_SELECTED] else []


def _ends(column: Column, values: "pd.Series") -> tuple[float, float, float]:
    """Both ends of a slider for a column, and its step."""
    low, high = round(float(values.min()), 9), round(float(values.max()), 9)
    step = column.step if column in FEATURES else 10.0**-column.decimals
    return round(math.floor(low / step) * step, 9), round(math.ceil(high / step) * step, 9), step


def _range(cell: DeltaGenerator, column: Column, values: NDArray[np.float64]) -> Any:
    """A slider with two ends; None while it keeps everything."""
    low, high = round(float(values.min()), 9), round(float(values.max()), 9)
    label = f"{column.label} ({column.unit})"
    if low == high:
        cell.markdown(f"{label}  \n:gray[{column.text(low)} in all {ROWS}]")
        return None
    bottom, top, step = _ends(column, values)
    chosen = cell.slider(
        label,
        bottom,
        top,
        (bottom, top),
        step,
        format=column.slider_format if column in FEATURES else "%,.0f",
        key=_key(session.EXPLORE_RANGE, column.name),
        persist_state="session",
    )
    return None if chosen == (bottom, top) else (column.name, *chosen)


def _key(key: str, *parts: str) -> str:
    """Key of a part of the filter."""
    return session.part(key, *parts, st.session_state.get(session.EXPLORE_NTH_FILTER, 0))


def show_all() -> None:
    """Take the filter away, by a new one: a browser that does not show the old one keeps what it held."""
    st.session_state[session.EXPLORE_NTH_FILTER] = st.session_state.get(session.EXPLORE_NTH_FILTER, 0) + 1


def _forget() -> None:
    show_all()
    clear_selection()


def select_rows(places: Iterable[int]) -> None:
    """Make these rows the selected ones.

    Parameters
    ----------
    places
        Index of the rows.
    """
    st.session_state[session.EXPLORE_SELECTED] = sorted(set(places))


def clear_selection() -> None:
    """Select nothing."""
    select_rows(())
    st.session_state[session.EXPLORE_FIRST] = []


def select_picked(key: str, hidden: Any) -> Any:
    """Make a callback that takes what was picked in the chart of that key.

    A click on the only row selected in sight lets it go; a box or a lasso selects what is in it. What the filter
    hides stays selected, and where no row was picked nothing changes.
    """

    def take() -> None:
        picked = st.session_state[key].selection
        places = {point["customdata"] for point in picked.points if point.get("customdata") is not None}
        if not places:  # a bar, a star, or a picture that was drawn anew and has forgotten what was picked in it
            return
        selected = set(st.session_state[session.EXPLORE_SELECTED])
        if len(places) == 1 and not (picked.box or picked.lasso) and places | hidden == selected:
            places = set()
        select_rows(places | hidden)
        st.session_state[session.EXPLORE_FIRST] = sorted(places)

    return take


def draw_rows_table(survey: Survey, selected: list[int], doubts: Any) -> None:
    """Draw the table of rows; its ticks are the selected rows, and ticking selects.

    Rows that were selected in a picture come first, else a tick may be out of sight.

    Parameters
    ----------
    survey
        Of the rows shown.
    selected
        Places of the selected rows, shown or not.
    doubts
        Place -> list of what is to be doubted.
    """
    rows = survey.rows
    if len(first := rows.index.intersection(st.session_state[session.EXPLORE_FIRST])):
        rows = rows.loc[first.append(rows.index.difference(first))]
        table = text_tables.tabulate_rows(rows, doubts)
    else:
        if survey not in _drawn:
            _drawn[survey] = text_tables.tabulate_rows(rows, doubts)
        table = _drawn[survey]
    numbers = zip(table.columns[1:], COLUMNS, strict=False)
    options: dict[str, Any] = {
        "height": 430,
        "column_config": {
            name: st.column_config.NumberColumn(
                format=_number_format(column),
                help=f"{column.label}, {column.unit}. {column.help}",
                width=min(6 * len(name) + 12, 90),  # all columns in sight beside the map
            )
            for name, column in numbers
        },
        "hide_index": True,
        "alt": f"{len(rows):,} {ROWS} with all their figures",
    }
    if len(rows) > _N_LISTED:
        st.dataframe(table, lazy=True, **options)  # sends what is in sight; such a table cannot be ticked
        return
    places = rows.index.tolist()
    ticked = [i for i, place in enumerate(places) if place in set(selected)]

    def key() -> str:
        nth = st.session_state.get(session.EXPLORE_NTH_TABLE, 0)
        return session.part(session.EXPLORE_TABLE, f"{hash(tuple(places)):x}", nth)

    # Other rows, or ticks that were not made in it, are another table: whatever is still on its way from the former
    # one, over a line however slow, must not count.
    if st.session_state.get(key(), {}).get("selection", {}).get("rows", []) != ticked:
        st.session_state[session.EXPLORE_NTH_TABLE] = st.session_state.get(session.EXPLORE_NTH_TABLE, 0) + 1
        st.session_state[key()] = {"selection": {"rows": ticked}}
    drawn = key()

    def take() -> None:
        now = st.session_state[drawn].selection.rows
        if now != ticked:
            select_rows([places[i] for i in now] + [place for place in selected if place not in set(places)])

    with st.container(key=session.EXPLORE_TABLE):
        st.dataframe(table, key=drawn, on_select=take, selection_mode="multi-row", **options)


def _number_format(column: Column) -> Any:
    return "%.1f" if column.is_share else "%.10g" if column.decimals else "localized"
