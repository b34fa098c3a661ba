"""Uploaded files: read, or refused with questions that may help: which sheet, and which column is which."""

import zlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from data.errors import DataError
from data.matching import Matching, match_columns
from data.schema import COLUMNS, ROW
from data.table import TableError
from pages.shared import session
from pages.shared.panels import uploads
from pages.shared.words.wording import escape

T = TypeVar("T")
KINDS = ["csv", "txt", "tsv", "xlsx", "parquet"]
HELP = (
    "Columns in any order. Text: comma, semicolon, tab or blanks between cells; decimal points or commas. "
    "Of Excel, one sheet."
)
_NONE = -1  # in place of a column's position


@dataclass(frozen=True)
class Refusal:
    """Why a file was not read.

    Attributes
    ----------
    text
        Every problem.
    matching
        Columns to be matched by hand; None if that is not the problem.
    sheet, sheets
        Of an Excel file: the sheet that was read, and all of them.
    is_of_rows
        Whether only some of its rows cannot be used.
    """

    text: str
    matching: Matching | None = None
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    is_of_rows: bool = False


def read_file(
    load: Callable[..., T], name: str, content: bytes, wanted: Collection[str], **options: Any
) -> T | Refusal:
    """Read a file by its header, or by the columns that were chosen in this session for the same header.

    Parameters
    ----------
    load
        `data.load.load_rows` or `data.inputs.load_inputs`.
    wanted
        Names of the columns that it needs.
    options
        For ``load``.
    """
    read_as = st.session_state.get(session.READ_AS, {})
    st.session_state[session.READ_AS] = {file: titles for file, titles in read_as.items() if file != name}
    try:
        uploads.require_room(content)
        return load(content, **options)
    except DataError as error:
        failure = error
    titles = tuple(map(str, failure.table.cells.columns)) if isinstance(failure, TableError) else ()
    st.session_state[session.READ_AS] = st.session_state.get(session.READ_AS, {}) | {name: titles}
    if columns := st.session_state.get(session.MATCHED, {}).get(titles):
        try:
            return load(content, columns=columns, **options)
        except DataError as error:
            failure = error
    return _make_refusal(failure, wanted)


def is_by_hand(name: str) -> bool:
    """Whether a file was read by columns chosen by hand, and not by its header."""
    state = st.session_state
    return state.get(session.READ_AS, {}).get(name) in state.get(session.MATCHED, {})


def draw_matched(name: str, key: str, then: Callable[[], None]) -> None:
    """Say which columns were chosen by hand for a file, and offer to choose again.

    Parameters
    ----------
    then
        Called once the choice is forgotten.
    """
    if not is_by_hand(name):
        return
    titles = st.session_state[session.READ_AS][name]
    columns = st.session_state[session.MATCHED][titles]
    labels = {ROW: ROW.capitalize()} | {column.name: column.label for column in COLUMNS}
    matches = (
        f"{labels[column_name]} is {escape(title if isinstance(title, str) else f'column {title + 1}')}"
        for column_name, title in columns.items()
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Read as was said for a file with this header: {', '.join(matches)}.", width="content")
        st.button("Change the columns", key=key, on_click=_forget_columns, args=(titles, then))


def _forget_columns(titles: tuple[str, ...], then: Callable[[], None]) -> None:
    matched = st.session_state[session.MATCHED]
    st.session_state[session.MATCHED] = {header: columns for header, columns in matched.items() if header != titles}
    then()


def _make_refusal(error: DataError, wanted: Collection[str]) -> Refusal:
    if not isinstance(error, TableError):
        return Refusal(str(error), None, error.sheet, tuple(error.sheets))
    needed = [name for name in wanted if name != ROW]
    table = error.table
    is_of_header = table.problems.is_of_header
    has_enough_cells = len(table.cells) > 0 and table.cells.shape[1] >= len(needed)
    matching = None
    if is_of_header and has_enough_cells and not {*needed} <= {*table.positions}:
        matching = match_columns(table.cells, wanted, table.positions)
    return Refusal(str(error), matching, table.sheet, tuple(table.sheets), not is_of_header)


def draw_sheet_choice(sheets: Collection[str], sheet: str, key: str, on_change: Callable[[], None]) -> None:
    """Offer the sheets of an Excel file, where there is more than one."""
    if len(sheets) < 2:
        return
    widget_key = session.part(key, "list")

    def choose_sheet() -> None:
        st.session_state[key] = st.session_state[widget_key]  # survives a visit to another page
        on_change()

    st.session_state[widget_key] = sheet
    st.selectbox("Sheet", sheets, key=widget_key, on_change=choose_sheet)


def draw_refusal(name: str, refusal: Refusal, what: str) -> None:
    """Say that a file was not read, and why."""
    st.error(f"{escape(name)} {what}")
    st.code(refusal.text, language=None, wrap_lines=True, height="content" if refusal.text.count("\n") < 5 else 400)


def draw_columns_form(name: str, asked: Matching, key: str, then: Callable[[], None]) -> None:
    """Draw the form that asks which column is which, with the likeliest chosen.

    Parameters
    ----------
    asked
        The columns to match, and the likeliest for each.
    then
        Called once the columns are chosen.
    """
    columns = {column.name: column for column in COLUMNS}
    positions = range(len(asked.titles))
    key = session.part(key, f"{zlib.crc32(repr(asked).encode()):x}")  # other columns get widgets of their own
    with st.form(key):
        st.markdown(f"**Which column of {escape(name)} is which?**")
        st.caption("Its header does not say. The likeliest are chosen: look at the first values, and correct them.")
        for column_name, likeliest in asked.likeliest.items():
            column, is_optional = columns.get(column_name), column_name in asked.optional
            options = [_NONE, *positions] if is_optional else [*positions]
            st.selectbox(
                f"{column.label}{column.unit_note}" if column else f"{ROW.capitalize()} (name, if there is one)",
                options,
                index=options.index(likeliest) if likeliest in options else 0 if is_optional else None,
                format_func=lambda position: _describe_column(asked, position),
                key=session.part(key, column_name),
                placeholder="Choose a column",
            )
        problem = st.container()
        if st.form_submit_button("Use these columns", type="primary"):
            chosen = {column_name: st.session_state[session.part(key, column_name)] for column_name in asked.likeliest}
            if message := _describe_problem(chosen, asked, columns):
                problem.error(message)
            else:
                _remember_columns(asked, chosen)
                then()
                st.rerun()


def _describe_column(matching: Matching, position: int) -> str:
    if position == _NONE:
        return "None of them"
    title = matching.titles[position].strip() or f"column {position + 1}, without a title"
    return f"{title}: {', '.join(matching.samples[position])} ..." if matching.samples[position] else f"{title}: empty"


def _describe_problem(chosen: Mapping[str, int | None], matching: Matching, columns: Mapping[str, Any]) -> str:
    """Say what is wrong with the choice; empty if nothing is."""
    unanswered = [columns[column_name].label for column_name, position in chosen.items() if position is None]
    if unanswered:
        return f"Choose a column for {', '.join(unanswered)}."
    positions = [position for position in chosen.values() if position is not None and position != _NONE]
    doubled = [matching.titles[position] for position in dict.fromkeys(positions) if positions.count(position) > 1]
    return f"Chosen twice: {', '.join(map(escape, doubled))}. Choose another column for one of them." if doubled else ""


def _remember_columns(matching: Matching, chosen: Mapping[str, int | None]) -> None:
    """Keep the choice for this session: each column by its title, or by its position if the title is not unique."""
    titles = [title.strip() for title in matching.titles]
    columns = {
        column_name: titles[position] if titles.count(titles[position]) == 1 else position
        for column_name, position in chosen.items()
        if position is not None and position != _NONE
    }
    matched = st.session_state.setdefault(session.MATCHED, {})
    st.session_state[session.MATCHED] = matched | {matching.titles: matched.get(matching.titles, {}) | columns}
