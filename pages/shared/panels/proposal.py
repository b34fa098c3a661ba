"""What to train: the controls of the Retrain page, from the rows to the seed."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from data.cells import escape_cell
from data.edit import from_shown, to_shown, write_template
from data.errors import DataError
from data.load import drop_copies, fingerprint, list_row_numbers, load_rows
from data.schema import COLUMNS, ROW, ROWS, row_name
from data.text import MAX_BYTES, MAX_ROWS
from model.fitting.algorithms import ALGORITHMS, OFFERED, Parameter
from model.fitting.errors import ModelError
from model.fitting.recipe import Recipe, estimate_cost, largest_that_fits
from model.queue import duration
from model.store import versions
from model.store.database import Store
from pages.shared import resources, session
from pages.shared.panels import reading, uploads
from pages.shared.panels.fields import draw_number_field
from pages.shared.pictures import text_tables
from pages.shared.words import verdicts
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    import pandas as pd

_A_FILE = "A CSV, Excel or Parquet file"
UPLOAD = 0  # in the place of a data set's number
_N_EDITED = 1000  # rows that a page can show for editing
_USE, _NAME = "row.use", "row.name"  # in the table to edit, beside columns, which have no dot
_SLOW = 60  # [s] from which a training is announced
_BYTES_A_ROW = 800  # of memory, whatever is trained


def draw_rows(store: Store, below: DeltaGenerator) -> "tuple[pd.DataFrame | None, tuple[int, ...], str]":
    """Draw the choice of the rows and read it.

    Parameters
    ----------
    below
        Where there is width for a table to edit.

    Returns
    -------
    pandas.DataFrame or None
        The rows, edited; None while there are none to use.
    tuple of int
        Places of rows that are left out.
    str
        Where they come from.
    """
    sets = {data_set.id: data_set for data_set in versions.list_data_sets(store)}
    choice = st.selectbox(
        "Rows",
        [*sets, UPLOAD],
        format_func=lambda number: f"{sets[number].origin} ({sets[number].n_rows:,} {ROWS})" if number else _A_FILE,
        key=session.RETRAIN_ROWS,
        persist_state="session",
    )
    name = st.session_state.get(session.RETRAIN_UPLOADED, ("",))[0]
    uploads.remember("retrain", name, "" if choice == UPLOAD else f"Set Rows to “{_A_FILE}”. ")
    if choice == UPLOAD:
        table, origin = _upload()
    else:
        try:
            table, origin = resources.owner.rows_of(choice), sets[choice].origin
        except ModelError as error:
            st.error(f"{error} Choose other rows.")
            table, origin = None, ""
    if table is None:
        return None, (), origin
    edited, excluded = _edit(table, choice, below)
    if edited is not table:
        origin = f"{origin.removesuffix(', edited')}, edited"
    return edited, excluded, origin


def _upload() -> "tuple[pd.DataFrame | None, str]":
    """Take a file, keep what was in it for this session, and say what is wrong with it."""
    st.file_uploader(
        f"CSV, Excel or Parquet file, at most {MAX_BYTES // 2**20} MB and {MAX_ROWS:,} rows",
        type=reading.KINDS,
        key=session.RETRAIN_FILE,
        on_change=_take_file,
        help=reading.HELP,
    )
    st.download_button(
        "Download a template", lambda: write_template(load_rows()), "template.csv", "text/csv", type="tertiary",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    name, table, refusal, n_copies = st.session_state.get(session.RETRAIN_UPLOADED, ("", None, None, 0))
    if refusal:
        reading.draw_sheet_choice(refusal.sheets, refusal.sheet, session.RETRAIN_SHEET, _read)
        reading.draw_matched(name, session.RETRAIN_CHANGE, _read)
        if refusal.matching:
            reading.draw_columns_form(name, refusal.matching, session.RETRAIN_MATCHING, _read)
            return None, name
        refused = st.container()
        if table is None or not _are_left_out(table):
            with refused:
                reading.draw_refusal(
                    name, refusal, "was rejected. Nothing was stored, and the active model is unchanged."
                )
            return None, name
        name = f"{name}, without {list_row_numbers(table.attrs.get('left_out'))}"
    elif table is not None:
        reading.draw_sheet_choice(table.attrs.get("sheets"), table.attrs.get("sheet"), session.RETRAIN_SHEET, _read)
        reading.draw_matched(name, session.RETRAIN_CHANGE, _read)
    if table is not None:
        st.success(f"{escape(name)}: {len(table):,} {ROWS}, every cell checked.", icon=":material/check:")
        if remarks := table.attrs.get("warnings"):
            st.warning("Odd, yet usable:\n" + "\n".join(f"- {escape(remark)}" for remark in remarks))
        if n_copies and st.checkbox(
            f"Leave out {n_copies:,} {'copies' if n_copies > 1 else 'copy'}: {len(table) - n_copies:,} {ROWS} stay",
            key=session.RETRAIN_DISTINCT,
            help=f"All figures are those of an earlier {ROW}. A copy that stays is never used to test what was fitted "
            "to the other, so scores do not rise by it.",
        ):
            table, name = drop_copies(table), f"{name}, without copies"
        with st.popover("Preview", type="tertiary", icon=":material/table_rows:"):
            st.dataframe(
                text_tables.tabulate_rows(table.head(100), {}), hide_index=True, alt=f"The first {ROWS} of the file"
            )
    return table, name


def _are_left_out(table: "pd.DataFrame") -> bool:
    """Offer to go on without the rows that cannot be used."""
    n, places = len(table.attrs.get("left_out")), list_row_numbers(table.attrs.get("left_out"))
    return st.checkbox(
        f"Leave out {places}, which cannot be used: {len(table):,} {ROWS} stay",
        key=session.RETRAIN_LEFT_OUT,
        help=f"Nothing is filled in. The version’s record will name {'them' if n > 1 else 'it'}.",
    )


def _take_file() -> None:
    file = st.session_state[session.RETRAIN_FILE]
    if file is None:
        return  # what was taken stays until another file comes
    st.session_state[session.RETRAIN_SENT] = file.name, file.getvalue()
    st.session_state[session.RETRAIN_SHEET] = ""
    _read()


def _read() -> None:
    """Read what was sent: at first, when another sheet is chosen, and when it is said which column is which."""
    state = st.session_state
    state[session.RETRAIN_LEFT_OUT] = state[session.RETRAIN_DISTINCT] = False
    sheet = state.get(session.RETRAIN_SHEET, "")
    name, content = state[session.RETRAIN_SENT]
    wanted = (ROW, *(column.name for column in COLUMNS))
    table: Any = reading.read_file(load_rows, name, content, wanted, sheet=sheet)
    refusal = table if isinstance(table, reading.Refusal) else None
    if refusal:
        table = None
        if refusal.is_of_rows:
            table = reading.read_file(load_rows, name, content, wanted, sheet=sheet, leave_out=True)
            table = None if isinstance(table, reading.Refusal) else table
    sheets = refusal.sheets if refusal else table.attrs.get("sheets")
    if not ((refusal and refusal.matching) or reading.is_by_hand(name) or len(sheets) > 1):
        del state[session.RETRAIN_SENT]  # nothing is to be asked about it
    n_copies = 0 if table is None else len(table) - len(drop_copies(table))
    state[session.RETRAIN_UPLOADED] = name, table, refusal, n_copies


def _edit(table: "pd.DataFrame", source: int, below: Any) -> "tuple[pd.DataFrame | None, tuple[int, ...]]":
    """Let rows be changed or left out; returns the very rows where no figure was changed."""
    if len(table) > _N_EDITED:
        st.caption(f"Up to {_N_EDITED:,} {ROWS} can be edited here. Edit the file instead.")
        return table, ()
    name = f"{source}_{fingerprint(table)[:12]}"
    key, kept, started = (
        session.part(of, name) for of in (session.RETRAIN_TABLE, session.RETRAIN_EDITED, session.RETRAIN_START)
    )
    shown = to_shown(table)
    if not st.toggle(f"Edit or leave out {ROWS}", key=session.RETRAIN_EDITS, persist_state="session"):
        return table, ()
    if key not in st.session_state:  # first seen, or seen again after another page
        start = st.session_state.get(kept)
        if start is None:
            start = shown.assign(**{_USE: True})
        st.session_state[started] = start
    start = st.session_state[started]
    shown_rows = start.assign(**{_NAME: [escape_cell(row_name(code)) for code in start[ROW]]})
    edited = below.data_editor(
        shown_rows,
        key=key,
        height=320,
        column_order=[_USE, _NAME, *(column.name for column in COLUMNS)],
        disabled=[_NAME],
        column_config={
            "_index": st.column_config.NumberColumn("Row", help="As in a file, where the header is row 1."),
            _USE: st.column_config.CheckboxColumn("Use", default=True, pinned=True),
            _NAME: st.column_config.TextColumn(ROW.capitalize(), pinned=True),
        }
        | {  # text: the numbers of Streamlit's own editor are read otherwise than they are written, 4,5 as 45
            column.name: st.column_config.TextColumn(
                text_tables.SHORT_TITLES[column.name], help=column.help, alignment="right"
            )
            for column in COLUMNS
        },
        alt=f"{len(table):,} {ROWS}, to be edited",
    ).drop(columns=_NAME)
    st.session_state[kept] = edited
    excluded = tuple(i for i, use in enumerate(edited[_USE]) if not use)
    names = [column.name for column in COLUMNS]
    n_changed = int((edited[names] != shown[names]).any(axis=1).sum())
    left_out = f"{len(excluded):,} of {len(table):,} {ROWS} left out"
    st.caption(f"{left_out}; {n_changed:,} changed." if excluded or n_changed else "Nothing changed yet.")
    if not n_changed:
        return table, excluded
    try:
        changed = from_shown(edited, table)
    except DataError as error:
        st.error(str(error))
        return None, excluded
    st.markdown(text_tables.to_markdown(text_tables.tabulate_edits(table, changed)))
    if remarks := changed.attrs.get("warnings"):
        st.warning("Odd, yet usable:\n" + "\n".join(f"- {escape(remark)}" for remark in remarks))
    return changed, excluded


def draw_recipe() -> tuple[str, dict[str, float] | None, int | None]:
    """Draw the choice of the recipe and read it: algorithm, parameters, seed; None for what cannot be used."""
    name = st.selectbox(
        "Algorithm",
        OFFERED,
        format_func=lambda one: verdicts.capitalise(ALGORITHMS[one].label),
        key=session.RETRAIN_ALGORITHM,
        persist_state="session",
    )
    entry = ALGORITHMS[name]
    st.caption(entry.help)
    cells = [cell for _ in range(3) for cell in st.columns(2)]
    parameters = {p.name: _parameter(cell, name, p) for cell, p in zip(cells, entry.parameters, strict=False)}
    seed = draw_number_field(
        cells[len(entry.parameters)],
        "Seed",
        0,
        (0, 2**32 - 1),
        key=session.RETRAIN_SEED,
        persist_state="session",
        help="Of whatever is random: equal seeds give equal models.",
    )
    usable = {parameter: value for parameter, value in parameters.items() if value is not None}
    return name, (usable if len(usable) == len(parameters) else None), None if seed is None else int(seed)


def _parameter(cell: Any, algorithm: str, parameter: Parameter) -> float | None:
    return draw_number_field(
        cell,
        parameter.label,
        parameter.default,
        (parameter.low, parameter.high),
        key=_key(algorithm, parameter),
        persist_state="session",
        help=f"{parameter.help} From {parameter.low:g} to {parameter.high:g}, usually {parameter.default:g}.",
    )


def _key(algorithm: str, parameter: Parameter) -> str:
    return session.part(session.RETRAIN_PARAMETER, algorithm, parameter.name)


def draw_cost(recipe: Recipe, n_rows: int) -> bool:
    """Say how long it will take and how much memory, where that is much.

    Returns
    -------
    bool
        Whether it can be trained; where its model would be too large, what would fit is offered instead.
    """
    try:
        cost = estimate_cost(recipe, n_rows)
    except ModelError as error:
        st.error(str(error))
        if way := largest_that_fits(recipe, n_rows):
            parameter, value = way
            smaller = replace(recipe, parameters={**recipe.parameters, parameter.name: value})
            seconds = duration.estimate_duration(smaller, n_rows)
            st.button(
                f"Take {parameter.label.lower()} {value:g}, about {verdicts.format_duration(seconds)}",
                icon=":material/fit_screen:",
                on_click=_take,
                args=(_key(recipe.algorithm, parameter), value),
            )
        return False
    seconds = duration.estimate_duration(recipe, n_rows)
    if seconds > _SLOW:
        needed = verdicts.format_memory(4 * cost.memory + _BYTES_A_ROW * n_rows + 4e8)
        st.warning(
            f"This takes about {verdicts.format_duration(seconds)} and {needed} of memory on "
            f"{n_rows:,} {ROWS}. Histogram boosting, fewer trees or a smaller share of rows per tree are faster.",
            icon=":material/hourglass_top:",
        )
    return True


def _take(key: str, value: float) -> None:
    st.session_state[key] = f"{value:.10g}"
