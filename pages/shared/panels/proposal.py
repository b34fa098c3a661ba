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
UPLOAD = 0  # in place of a data set's id
_MAX_EDITED = 1000  # rows that a page can show for editing
_USE, _NAME = "row.use", "row.name"  # in the table to edit; names of the schema have no dot
_SLOW = 60  # [s] of training from which the page warns
_BYTES_A_ROW = 800  # of memory, whatever is trained


def draw_rows(store: Store, below: DeltaGenerator) -> "tuple[pd.DataFrame | None, tuple[int, ...], str]":
    """Draw the choice of the rows and read it.

    Parameters
    ----------
    below
        Container that is wide enough for a table to edit.

    Returns
    -------
    pandas.DataFrame or None
        The rows, edited; None if there are none to use.
    tuple of int
        Positions of rows that are left out.
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
        table, origin = _draw_upload()
    else:
        try:
            table, origin = resources.owner.rows_of(choice), sets[choice].origin
        except ModelError as error:
            st.error(f"{error} Choose other rows.")
            table, origin = None, ""
    if table is None:
        return None, (), origin
    edited, excluded = _draw_editor(table, choice, below)
    if edited is not table:
        origin = f"{origin.removesuffix(', edited')}, edited"
    return edited, excluded, origin


def _draw_upload() -> "tuple[pd.DataFrame | None, str]":
    """Draw the uploader and what is wrong with its last file; return the table to use and where it comes from."""
    st.file_uploader(
        f"CSV, Excel or Parquet file, at most {MAX_BYTES // 2**20} MB and {MAX_ROWS:,} rows",
        type=reading.KINDS,
        key=session.RETRAIN_FILE,
        on_change=_accept_file,
        help=reading.HELP,
    )
    st.download_button(
        "Download a template", lambda: write_template(load_rows()), "template.csv", "text/csv", type="tertiary",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    name, table, refusal, n_copies = st.session_state.get(session.RETRAIN_UPLOADED, ("", None, None, 0))
    if refusal:
        reading.draw_sheet_choice(refusal.sheets, refusal.sheet, session.RETRAIN_SHEET, _read_upload)
        reading.draw_matched(name, session.RETRAIN_CHANGE, _read_upload)
        if refusal.matching:
            reading.draw_columns_form(name, refusal.matching, session.RETRAIN_MATCHING, _read_upload)
            return None, name
        message_area = st.container()
        if table is None or not _draw_leave_out(table):
            with message_area:
                reading.draw_refusal(
                    name, refusal, "was rejected. Nothing was stored, and the active model is unchanged."
                )
            return None, name
        name = f"{name}, without {list_row_numbers(table.attrs.get('left_out'))}"
    elif table is not None:
        reading.draw_sheet_choice(
            table.attrs.get("sheets"), table.attrs.get("sheet"), session.RETRAIN_SHEET, _read_upload
        )
        reading.draw_matched(name, session.RETRAIN_CHANGE, _read_upload)
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


def _draw_leave_out(table: "pd.DataFrame") -> bool:
    """Offer to go on without the rows that cannot be used; return whether to."""
    left_out = table.attrs.get("left_out")
    return st.checkbox(
        f"Leave out {list_row_numbers(left_out)}, which cannot be used: {len(table):,} {ROWS} stay",
        key=session.RETRAIN_LEFT_OUT,
        help=f"Nothing is filled in. The version’s record will name {'them' if len(left_out) > 1 else 'it'}.",
    )


def _accept_file() -> None:
    file = st.session_state[session.RETRAIN_FILE]
    if file is None:
        return  # the former file stays until another one comes
    st.session_state[session.RETRAIN_SENT] = file.name, file.getvalue()
    st.session_state[session.RETRAIN_SHEET] = ""
    _read_upload()


def _read_upload() -> None:
    """Read the uploaded file: at first, when another sheet is chosen, and when its columns are matched."""
    state = st.session_state
    state[session.RETRAIN_LEFT_OUT] = state[session.RETRAIN_DISTINCT] = False
    sheet = state.get(session.RETRAIN_SHEET, "")
    name, content = state[session.RETRAIN_SENT]
    wanted_columns = (ROW, *(column.name for column in COLUMNS))
    table: Any = reading.read_file(load_rows, name, content, wanted_columns, sheet=sheet)
    refusal = table if isinstance(table, reading.Refusal) else None
    if refusal:
        table = None
        if refusal.is_of_rows:
            table = reading.read_file(load_rows, name, content, wanted_columns, sheet=sheet, leave_out=True)
            table = None if isinstance(table, reading.Refusal) else table
    sheets = refusal.sheets if refusal else table.attrs.get("sheets")
    if not ((refusal and refusal.matching) or reading.is_by_hand(name) or len(sheets) > 1):
        del state[session.RETRAIN_SENT]  # no question about it is left
    n_copies = 0 if table is None else len(table) - len(drop_copies(table))
    state[session.RETRAIN_UPLOADED] = name, table, refusal, n_copies


def _draw_editor(table: "pd.DataFrame", source: int, below: Any) -> "tuple[pd.DataFrame | None, tuple[int, ...]]":
    """Let rows be changed or left out; return the same table object if no figure was changed."""
    if len(table) > _MAX_EDITED:
        st.caption(f"Up to {_MAX_EDITED:,} {ROWS} can be edited here. Edit the file instead.")
        return table, ()
    name = f"{source}_{fingerprint(table)[:12]}"
    editor_key, edited_key, start_key = (
        session.part(prefix, name) for prefix in (session.RETRAIN_TABLE, session.RETRAIN_EDITED, session.RETRAIN_START)
    )
    shown = to_shown(table)
    if not st.toggle(f"Edit or leave out {ROWS}", key=session.RETRAIN_EDITS, persist_state="session"):
        return table, ()
    if editor_key not in st.session_state:  # first seen, or seen again after another page
        start = st.session_state.get(edited_key)
        if start is None:
            start = shown.assign(**{_USE: True})
        st.session_state[start_key] = start
    start = st.session_state[start_key]
    shown_rows = start.assign(**{_NAME: [escape_cell(row_name(code)) for code in start[ROW]]})
    edited = below.data_editor(
        shown_rows,
        key=editor_key,
        height=320,
        column_order=[_USE, _NAME, *(column.name for column in COLUMNS)],
        disabled=[_NAME],
        column_config={
            "_index": st.column_config.NumberColumn("Row", help="As in a file, where the header is row 1."),
            _USE: st.column_config.CheckboxColumn("Use", default=True, pinned=True),
            _NAME: st.column_config.TextColumn(ROW.capitalize(), pinned=True),
        }
        | {  # as text: Streamlit's own number cells would read 4,5 as 45
            column.name: st.column_config.SelectboxColumn(
                text_tables.SHORT_TITLES[column.name], help=column.help, options=list(column.choices), required=True
            )
            if column.choices
            else st.column_config.TextColumn(text_tables.SHORT_TITLES[column.name], help=column.help, alignment="right")
            for column in COLUMNS
        },
        alt=f"{len(table):,} {ROWS}, to be edited",
    ).drop(columns=_NAME)
    st.session_state[edited_key] = edited
    excluded = tuple(position for position, is_used in enumerate(edited[_USE]) if not is_used)
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
    """Draw the choice of the recipe and read it: algorithm, parameters and seed, None for what cannot be used."""
    algorithm = st.selectbox(
        "Algorithm",
        OFFERED,
        format_func=lambda option: verdicts.capitalise(ALGORITHMS[option].label),
        key=session.RETRAIN_ALGORITHM,
        persist_state="session",
    )
    entry = ALGORITHMS[algorithm]
    st.caption(entry.help)
    cells = [cell for _ in range(3) for cell in st.columns(2)]
    parameters = {p.name: _draw_parameter(cell, algorithm, p) for cell, p in zip(cells, entry.parameters, strict=False)}
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
    return algorithm, (usable if len(usable) == len(parameters) else None), None if seed is None else int(seed)


def _draw_parameter(cell: Any, algorithm: str, parameter: Parameter) -> float | None:
    return draw_number_field(
        cell,
        parameter.label,
        parameter.default,
        (parameter.low, parameter.high),
        key=_parameter_key(algorithm, parameter),
        persist_state="session",
        help=f"{parameter.help} From {parameter.low:g} to {parameter.high:g}, usually {parameter.default:g}.",
    )


def _parameter_key(algorithm: str, parameter: Parameter) -> str:
    return session.part(session.RETRAIN_PARAMETER, algorithm, parameter.name)


def draw_cost(recipe: Recipe, n_rows: int) -> bool:
    """Warn of a training that takes long, and say how much memory it needs.

    Returns
    -------
    bool
        Whether it can be trained; if the model would be too large, a value that fits is offered.
    """
    try:
        cost = estimate_cost(recipe, n_rows)
    except ModelError as error:
        st.error(str(error))
        if remedy := largest_that_fits(recipe, n_rows):
            parameter, value = remedy
            smaller = replace(recipe, parameters={**recipe.parameters, parameter.name: value})
            seconds = duration.estimate_duration(smaller, n_rows)
            st.button(
                f"Take {parameter.label.lower()} {value:g}, about {verdicts.format_duration(seconds)}",
                icon=":material/fit_screen:",
                on_click=_set_parameter,
                args=(_parameter_key(recipe.algorithm, parameter), value),
            )
        return False
    seconds = duration.estimate_duration(recipe, n_rows)
    if seconds > _SLOW:
        memory = verdicts.format_memory(4 * cost.memory + _BYTES_A_ROW * n_rows + 4e8)
        st.warning(
            f"This takes about {verdicts.format_duration(seconds)} and {memory} of memory on "
            f"{n_rows:,} {ROWS}. Histogram boosting, fewer trees or a smaller share of rows per tree are faster.",
            icon=":material/hourglass_top:",
        )
    return True


def _set_parameter(key: str, value: float) -> None:
    st.session_state[key] = f"{value:.10g}"
