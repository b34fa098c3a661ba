"""A file that somebody sends: read, or refused with what can be asked: its sheet, and which column is which."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import streamlit as st

from data.matching import Matching, matching
from data.schema import COLUMNS, ROW, DataError
from pages.shared import session, uploads
from pages.shared.wording import plain

T = TypeVar("T")
KINDS = ["csv", "txt", "tsv", "xlsx", "parquet"]
HELP = (
    "Columns in any order. Text: comma, semicolon, tab or blanks between cells; decimal points or commas. "
    "Of Excel, one sheet."
)
_NONE = -1  # in place of a column's place


@dataclass(frozen=True)
class Refusal:
    """Why a file was not read.

    Attributes
    ----------
    text
        Every problem.
    matching
        Which column is which, to be asked; None where that is not what is wrong.
    sheet, sheets
        Of an Excel file: the one that was looked at, and all.
    is_of_rows
        Whether only some of its rows cannot be used.
    """

    text: str
    matching: Matching | None = None
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    is_of_rows: bool = False


def read_file(load: Callable[..., T], content: bytes, wanted: Collection[str], **options: Any) -> T | Refusal:
    """Read a file as its header says, or as somebody in this session has said for such a header.

    Parameters
    ----------
    load
        `data.load.load_rows` or `data.inputs.load_inputs`.
    content
        Of the file.
    wanted
        Names of the columns that it needs.
    options
        For ``load``.
    """
    try:
        uploads.require(content)
        return load(content, **options)
    except DataError as error:
        refused = error
    known = st.session_state.get(session.MATCHED, {}).get(_titles(refused))
    if known:
        try:
            return load(content, columns=known, **options)
        except DataError as error:
            refused = error
    return _refusal(refused, wanted)


def _titles(error: DataError) -> tuple[str, ...]:
    return tuple(map(str, error.file.cells.columns)) if error.file else ()


def _refusal(error: DataError, wanted: Collection[str]) -> Refusal:
    table = error.file
    if table is None:
        return Refusal(str(error))
    needed = [name for name in wanted if name != ROW]
    is_of_header = any(row == 1 for row, _, _ in table.problems)
    has_what_it_takes = len(table.cells) > 0 and table.cells.shape[1] >= len(needed)
    asked = None
    if is_of_header and has_what_it_takes and not {*needed} <= {*table.places}:
        asked = matching(table.cells, wanted, table.places)
    return Refusal(str(error), asked, table.sheet, tuple(table.sheets), not is_of_header)


def choose_sheet(sheets: Collection[str], sheet: str, key: str, on_change: Callable[[], None]) -> None:
    """Offer the sheets of an Excel file, where there is more than one."""
    if len(sheets) > 1:
        st.session_state[key] = sheet
        st.selectbox("Sheet", sheets, key=key, on_change=on_change)


def refuse(name: str, refusal: Refusal, what: str) -> None:
    """Say that a file was not read, and why."""
    st.error(f"{plain(name)} {what}")
    st.code(refusal.text, language=None, wrap_lines=True, height="content" if refusal.text.count("\n") < 5 else 400)


def ask_columns(name: str, asked: Matching, key: str, then: Callable[[], None]) -> None:
    """Draw the form in which somebody says which column is which, the likeliest chosen.

    Parameters
    ----------
    name
        Of the file.
    asked
        What to ask.
    key
        Of the form.
    then
        Called once it is known.
    """
    columns = {column.name: column for column in COLUMNS}
    places = range(len(asked.titles))
    with st.form(key):
        st.markdown(f"**Which column of {plain(name)} is which?**")
        st.caption("Its header does not say. The likeliest are chosen: look at the first values, and correct them.")
        for wanted, likeliest in asked.likeliest.items():
            column, is_optional = columns.get(wanted), wanted in asked.optional
            options = [_NONE, *places] if is_optional else [*places]
            st.selectbox(
                f"{column.label} ({column.unit})" if column else f"{ROW.capitalize()} (name, if there is one)",
                options,
                index=options.index(likeliest) if likeliest in options else 0 if is_optional else None,
                format_func=lambda place: _in_words(asked, place),
                key=session.part(key, wanted),
                placeholder="Choose a column",
            )
        problem = st.container()
        if st.form_submit_button("Use these columns", type="primary"):
            chosen = {wanted: st.session_state[session.part(key, wanted)] for wanted in asked.likeliest}
            if told := _problem(chosen, asked, columns):
                problem.error(told)
            else:
                _remember(asked, chosen)
                then()
                st.rerun()


def _in_words(asked: Matching, place: int) -> str:
    if place == _NONE:
        return "None of them"
    title = asked.titles[place].strip() or f"column {place + 1}, without a title"
    return f"{title}: {', '.join(asked.samples[place])} ..." if asked.samples[place] else f"{title}: empty"


def _problem(chosen: Mapping[str, int | None], asked: Matching, columns: Mapping[str, Any]) -> str:
    """What is wrong with the answers, in words; empty where nothing is."""
    open_ = [columns[wanted].label for wanted, place in chosen.items() if place is None]
    if open_:
        return f"Choose a column for {', '.join(open_)}."
    taken = [place for place in chosen.values() if place != _NONE]
    twice = [asked.titles[place] for place in dict.fromkeys(taken) if taken.count(place) > 1]
    return f"Chosen twice: {', '.join(map(plain, twice))}. Choose another column for one of them." if twice else ""


def _remember(asked: Matching, chosen: Mapping[str, int | None]) -> None:
    """Keep the answers for this session, by the titles; a title that stands there twice by its place."""
    given = {
        wanted: asked.titles[place].strip() if asked.titles.count(asked.titles[place]) == 1 else place
        for wanted, place in chosen.items()
        if place is not None and place != _NONE
    }
    matched = st.session_state.setdefault(session.MATCHED, {})
    st.session_state[session.MATCHED] = matched | {asked.titles: matched.get(asked.titles, {}) | given}
