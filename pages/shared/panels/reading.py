"""A file that somebody sends: read, or refused with what can be asked: its sheet, and which column is which."""

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


def read_file(
    load: Callable[..., T], name: str, content: bytes, wanted: Collection[str], **options: Any
) -> T | Refusal:
    """Read a file as its header says, or as somebody in this session has said for such a header.

    Parameters
    ----------
    load
        `data.load.load_rows` or `data.inputs.load_inputs`.
    name, content
        Of the file.
    wanted
        Names of the columns that it needs.
    options
        For ``load``.
    """
    read_as = st.session_state.get(session.READ_AS, {})
    st.session_state[session.READ_AS] = {of: titles for of, titles in read_as.items() if of != name}
    try:
        uploads.require_room(content)
        return load(content, **options)
    except DataError as error:
        refused = error
    titles = tuple(map(str, refused.table.cells.columns)) if isinstance(refused, TableError) else ()
    st.session_state[session.READ_AS] = st.session_state.get(session.READ_AS, {}) | {name: titles}
    if known := st.session_state.get(session.MATCHED, {}).get(titles):
        try:
            return load(content, columns=known, **options)
        except DataError as error:
            refused = error
    return _refusal(refused, wanted)


def is_by_hand(name: str) -> bool:
    """Whether a file was read as somebody has said, and not as its header says."""
    state = st.session_state
    return state.get(session.READ_AS, {}).get(name) in state.get(session.MATCHED, {})


def draw_matched(name: str, key: str, then: Callable[[], None]) -> None:
    """Say how a file was read whose header does not say it, and offer to say it anew.

    Parameters
    ----------
    name
        Of the file.
    key
        Of the button.
    then
        Called once the answers are forgotten.
    """
    if not is_by_hand(name):
        return
    titles = st.session_state[session.READ_AS][name]
    known = st.session_state[session.MATCHED][titles]
    labels = {ROW: ROW.capitalize()} | {column.name: column.label for column in COLUMNS}
    told = (
        f"{labels[of]} is {escape(title if isinstance(title, str) else f'column {title + 1}')}"
        for of, title in known.items()
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f"Read as was said for a file with this header: {', '.join(told)}.", width="content")
        st.button("Change the columns", key=key, on_click=_forget, args=(titles, then))


def _forget(titles: tuple[str, ...], then: Callable[[], None]) -> None:
    matched = st.session_state[session.MATCHED]
    st.session_state[session.MATCHED] = {of: known for of, known in matched.items() if of != titles}
    then()


def _refusal(error: DataError, wanted: Collection[str]) -> Refusal:
    if not isinstance(error, TableError):
        return Refusal(str(error), None, error.sheet, tuple(error.sheets))
    needed = [name for name in wanted if name != ROW]
    table = error.table
    is_of_header = table.problems.is_of_header
    has_what_it_takes = len(table.cells) > 0 and table.cells.shape[1] >= len(needed)
    asked = None
    if is_of_header and has_what_it_takes and not {*needed} <= {*table.positions}:
        asked = match_columns(table.cells, wanted, table.positions)
    return Refusal(str(error), asked, table.sheet, tuple(table.sheets), not is_of_header)


def draw_sheet_choice(sheets: Collection[str], sheet: str, key: str, on_change: Callable[[], None]) -> None:
    """Offer the sheets of an Excel file, where there is more than one."""
    if len(sheets) < 2:
        return
    listed = session.part(key, "list")

    def take() -> None:
        st.session_state[key] = st.session_state[listed]  # stays over a visit to another page
        on_change()

    st.session_state[listed] = sheet
    st.selectbox("Sheet", sheets, key=listed, on_change=take)


def draw_refusal(name: str, refusal: Refusal, what: str) -> None:
    """Say that a file was not read, and why."""
    st.error(f"{escape(name)} {what}")
    st.code(refusal.text, language=None, wrap_lines=True, height="content" if refusal.text.count("\n") < 5 else 400)


def draw_columns_form(name: str, asked: Matching, key: str, then: Callable[[], None]) -> None:
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
    key = session.part(key, f"{zlib.crc32(repr(asked).encode()):x}")  # another question has lists of its own
    with st.form(key):
        st.markdown(f"**Which column of {escape(name)} is which?**")
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
    taken = [place for place in chosen.values() if place is not None and place != _NONE]
    twice = [asked.titles[place] for place in dict.fromkeys(taken) if taken.count(place) > 1]
    return f"Chosen twice: {', '.join(map(escape, twice))}. Choose another column for one of them." if twice else ""


def _remember(asked: Matching, chosen: Mapping[str, int | None]) -> None:
    """Keep the answers for this session, by the titles; a title that stands there twice by its place."""
    titles = [title.strip() for title in asked.titles]
    given = {
        wanted: titles[place] if titles.count(titles[place]) == 1 else place
        for wanted, place in chosen.items()
        if place is not None and place != _NONE
    }
    matched = st.session_state.setdefault(session.MATCHED, {})
    st.session_state[session.MATCHED] = matched | {asked.titles: matched.get(asked.titles, {}) | given}
