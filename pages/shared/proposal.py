"""What to train: the controls of the Retrain page, from the rows to the seed."""

import streamlit as st

from data.edit import from_shown, template, to_shown
from data.load import distinct, fingerprint, load_rows
from data.schema import COLUMNS, ROW, ROWS, DataError, row_name
from data.text import MAX_BYTES, MAX_ROWS
from model import duration, recipe, versions
from model.recipe import ModelError
from pages.shared import resources, session, tables, uploads, verdicts
from pages.shared.wording import plain

_A_FILE = "A CSV or Parquet file"
UPLOAD = 0  # in the place of a data set's number
_N_EDITED = 1000  # rows that a page can show for editing
_USE, _NAME = "row.use", "row.name"  # in the table to edit, beside columns, which have no dot
_SLOW = 60  # [s] from which a training is announced
_BYTES_A_ROW = 800  # of memory, whatever is trained


def rows(store, below):
    """Draw the choice of the rows and read it.

    Parameters
    ----------
    store : model.store.Store
    below : streamlit container
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
    sets = {one.id: one for one in versions.data_sets(store)}
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
        found, origin = _upload()
    else:
        try:
            found, origin = resources.owner.rows_of(choice), sets[choice].origin
        except ModelError as error:
            st.error(f"{error} Choose other rows.")
            found, origin = None, ""
    if found is None:
        return None, (), origin
    edited, excluded = _edit(found, choice, below)
    if edited is not found:
        origin = f"{origin.removesuffix(', edited')}, edited"
    return edited, excluded, origin


def _upload():
    """Take a file, keep what was in it for this session, and say what is wrong with it."""
    st.file_uploader(
        f"CSV or Parquet file, at most {MAX_BYTES // 2**20} MB and {MAX_ROWS:,} rows",
        type=["csv", "txt", "tsv", "parquet"],
        key=session.RETRAIN_FILE,
        on_change=_take_file,
        help="Columns in any order. CSV: comma, semicolon or tab; decimal points or commas.",
    )
    st.download_button(
        "Download a template", lambda: template(load_rows()), "template.csv", "text/csv", type="tertiary",
        icon=":material/download:", on_click="ignore",
    )  # fmt: skip
    name, found, problem, n_copies = st.session_state.get(session.RETRAIN_UPLOADED, ("", None, "", 0))
    if problem:
        st.error(f"{plain(name)} was rejected. Nothing was stored, and the active model is unchanged.")
        st.code(problem, language=None, wrap_lines=True, height="content" if problem.count("\n") < 5 else 400)
    if found is not None:
        st.success(f"{plain(name)}: {len(found):,} {ROWS}, every cell checked.", icon=":material/check:")
        if remarks := found.attrs.get("warnings"):
            st.warning("Odd, yet usable:\n" + "\n".join(f"- {plain(remark)}" for remark in remarks))
        if n_copies and st.checkbox(
            f"Leave out {n_copies:,} {'copies' if n_copies > 1 else 'copy'}: {len(found) - n_copies:,} {ROWS} stay",
            key=session.RETRAIN_DISTINCT,
            help=f"All figures are those of an earlier {ROW}. A copy that stays is never used to test what was fitted "
            "to the other, so scores do not rise by it.",
        ):
            found, name = distinct(found), f"{name}, without copies"
        with st.popover("Preview", type="tertiary", icon=":material/table_rows:"):
            st.dataframe(tables.of_rows(found.head(100), {}), hide_index=True, alt=f"The first {ROWS} of the file")
    return found, name


def _take_file():
    file = st.session_state[session.RETRAIN_FILE]
    if file is None:
        return  # what was taken stays until another file comes
    try:
        uploads.require(file.getvalue())
        found = load_rows(file)
        n_copies = len(found) - len(distinct(found))
        st.session_state[session.RETRAIN_UPLOADED] = file.name, found, "", n_copies
    except DataError as error:
        st.session_state[session.RETRAIN_UPLOADED] = file.name, None, str(error), 0


def _edit(found, source, below):
    """Let rows be changed or left out; returns the very rows where no figure was changed."""
    if len(found) > _N_EDITED:
        st.caption(f"Up to {_N_EDITED:,} {ROWS} can be edited here. Edit the file instead.")
        return found, ()
    name = f"{source}_{fingerprint(found)[:12]}"
    key, kept, started = (
        session.part(of, name) for of in (session.RETRAIN_TABLE, session.RETRAIN_EDITED, session.RETRAIN_START)
    )
    shown = to_shown(found)
    if not st.toggle(f"Edit or leave out {ROWS}", key=session.RETRAIN_EDITS, persist_state="session"):
        return found, ()
    if key not in st.session_state:  # first seen, or seen again after another page
        start = st.session_state.get(kept)
        if start is None:
            start = shown.assign(**{_USE: True})
        st.session_state[started] = start
    start = st.session_state[started]
    table = start.assign(**{_NAME: [row_name(code) for code in start[ROW]]})
    edited = below.data_editor(
        table,
        key=key,
        height=320,
        column_order=[_USE, _NAME, *(column.name for column in COLUMNS)],
        disabled=[_NAME],
        column_config={
            "_index": st.column_config.NumberColumn("Row", help="As in a file, where the header is row 1."),
            _USE: st.column_config.CheckboxColumn("Use", default=True, pinned=True),
            _NAME: st.column_config.TextColumn(ROW.capitalize(), pinned=True),
        }
        | {
            column.name: st.column_config.NumberColumn(tables.SHORT[column.name], help=column.help, format="%.10g")
            for column in COLUMNS
        },
        alt=f"{len(found):,} {ROWS}, to be edited",
    ).drop(columns=_NAME)
    st.session_state[kept] = edited
    excluded = tuple(i for i, use in enumerate(edited[_USE]) if not use)
    names = [column.name for column in COLUMNS]
    n_changed = int((edited[names].to_numpy(float) != shown[names].to_numpy(float)).any(axis=1).sum())
    left_out = f"{len(excluded):,} of {len(found):,} {ROWS} left out"
    st.caption(f"{left_out}; {n_changed:,} changed." if excluded or n_changed else "Nothing changed yet.")
    if not n_changed:
        return found, excluded
    try:
        return from_shown(edited), excluded
    except DataError as error:
        st.error(str(error))
        return None, excluded


def algorithm():
    """Draw the choice of the recipe and read it: algorithm, parameters, seed."""
    name = st.selectbox(
        "Algorithm",
        recipe.OFFERED,
        format_func=lambda one: verdicts.capital(recipe.ALGORITHMS[one].label),
        key=session.RETRAIN_ALGORITHM,
        persist_state="session",
    )
    entry = recipe.ALGORITHMS[name]
    st.caption(entry.help)
    cells = [cell for _ in range(3) for cell in st.columns(2)]
    parameters = {p.name: _parameter(cell, name, p) for cell, p in zip(cells, entry.parameters, strict=False)}
    seed = cells[len(entry.parameters)].number_input(
        "Seed",
        0,
        2**32 - 1,
        0,
        key=session.RETRAIN_SEED,
        persist_state="session",
        help="Of whatever is random: equal seeds give equal models.",
    )
    return name, parameters, int(seed)


def _parameter(cell, algorithm, parameter):
    is_whole = isinstance(parameter.default, int)
    return cell.number_input(
        parameter.label,
        parameter.low,
        parameter.high,
        parameter.default,
        step=1 if is_whole else 0.05 if parameter.high <= 1 else parameter.default / 10,
        format="%d" if is_whole else "%.10g",
        key=_key(algorithm, parameter),
        persist_state="session",
        help=f"{parameter.help} From {parameter.low:g} to {parameter.high:g}, usually {parameter.default:g}.",
    )


def _key(algorithm, parameter):
    return session.part(session.RETRAIN_PARAMETER, algorithm, parameter.name)


def announce(name, parameters, n_rows):
    """Say how long it will take and how much memory, where that is much.

    Parameters
    ----------
    name : str
        Of the algorithm.
    parameters : dict
    n_rows : int

    Returns
    -------
    bool
        Whether it can be trained; where its model would be too large, what would fit is offered instead.
    """
    try:
        cost = recipe.cost(name, parameters, n_rows)
    except ModelError as error:
        st.error(str(error))
        if way := recipe.fitting(name, parameters, n_rows):
            parameter, value = way
            seconds = duration.estimate(name, parameters | {parameter.name: value}, n_rows)
            st.button(
                f"Take {parameter.label.lower()} {value:g}, about {verdicts.duration(seconds)}",
                icon=":material/fit_screen:",
                on_click=_take,
                args=(_key(name, parameter), value),
            )
        return False
    seconds = duration.estimate(name, parameters, n_rows)
    if seconds > _SLOW:
        needed = verdicts.memory(4 * cost.memory + _BYTES_A_ROW * n_rows + 4e8)
        st.warning(
            f"This takes about {verdicts.duration(seconds)} and {needed} of memory on "
            f"{n_rows:,} {ROWS}. Histogram boosting, fewer trees or a smaller share of rows per tree are faster.",
            icon=":material/hourglass_top:",
        )
    return True


def _take(key, value):
    st.session_state[key] = value
