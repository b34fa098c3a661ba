"""Turn rows into text in shown units, or labels, for people to edit, and back; write rows as a file to download."""

from typing import TYPE_CHECKING

from data.cells import escape_column
from data.choices import CATEGORIES, label_rows
from data.errors import DataError, FileProblems
from data.load import assemble
from data.numbers import read_number
from data.schema import COLUMNS, ROW, Column

if TYPE_CHECKING:
    import pandas as pd


def to_shown(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Write rows as text in the shown units, with every digit, or as labels.

    Parameters
    ----------
    rows
        As `data.load.load_rows` returns them.

    Returns
    -------
    pandas.DataFrame of str
        The same columns; the index is each row's number as in a file, whose header is row 1.
    """
    table = rows.copy()
    table.attrs = {}
    for column in COLUMNS:
        table[column.name] = [
            column.text(value) if column.choices else f"{column.shown(value):.12g}" for value in rows[column.name]
        ]
    table.index += 2
    return table


def from_shown(table: "pd.DataFrame", rows: "pd.DataFrame") -> "pd.DataFrame":
    """Read edited rows; cells that were not edited keep their values to the last bit.

    Parameters
    ----------
    table
        From `to_shown`, then edited; it may have more columns.
    rows
        The rows that the table was made from.

    Returns
    -------
    pandas.DataFrame
        As `data.load.load_rows` returns them.

    Raises
    ------
    DataError
        With every problem: row, column, value received and cure.
    """
    shown = to_shown(rows)
    problems = FileProblems()
    figures = rows[[column.name for column in COLUMNS]].set_axis(shown.index)
    for column in COLUMNS:
        for row in shown.index[table[column.name] != shown[column.name]]:
            cell = table.loc[row, column.name]
            try:
                figures.loc[row, column.name] = _read_cell(column, cell)
            except DataError as error:
                problems.add(row, str(error), column.name)
    if problems:
        raise DataError(problems.sentences())
    return assemble(rows[ROW].set_axis(shown.index), dict(figures.items()), [])


def _read_cell(column: Column, cell: object) -> float:
    """Read an edited cell, which is in the shown unit, as a number in the stored unit, or as a code."""
    text = "" if cell is None else str(cell).strip()
    if column.choices and text:
        if (code := column.find_code(text)) is None:
            raise DataError([f"{text[:60]!r} is none of the choices. {column.limits}"])
        return code
    if column.is_share:
        text = text.removesuffix("%").strip()
    if not text:
        raise DataError([f"the cell is empty. {column.shown_limits}"])
    try:
        number = read_number(text)
    except ValueError as error:
        raise DataError([f"{error} {column.shown_limits}"]) from None
    stored = round(number / column.scale, 12) if column.scale != 1 else number
    if not column.minimum <= stored <= column.maximum:
        raise DataError([f"{text[:60]!r} is not possible. {column.shown_limits}"])
    return stored


def write_rows(rows: "pd.DataFrame") -> str:
    """Write rows as CSV without formulas; `data.load.load_rows` reads the same rows back."""
    rows = label_rows(rows)
    texts = [ROW, *(column.name for column in CATEGORIES)]
    return rows.assign(**{name: escape_column(rows[name]) for name in texts}).to_csv(index=False)


def write_template(rows: "pd.DataFrame", n_rows: int = 3) -> str:
    """Write a file to fill in: the header and a few rows as examples."""
    return write_rows(rows.head(n_rows))
