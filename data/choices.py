"""Cells of a category: labels read as codes, and codes written as labels."""

from typing import TYPE_CHECKING

from data.cells import unescape_cell
from data.schema import COLUMNS, Column
from data.table import MISSING, Table, read_numbers

if TYPE_CHECKING:
    import pandas as pd

CATEGORIES = tuple(column for column in COLUMNS if column.choices)


def read_values(table: Table, column: Column) -> "pd.Series[float]":
    """Turn a column that the table has into stored values, and add every bad cell to the table's problems.

    Returns
    -------
    pandas.Series of float
        As `data.table.read_numbers`; of a category the codes of its choices.
    """
    if not column.choices:
        return read_numbers(table, column)
    cells = table.column(column.name)
    codes = cells.map({cell: _find_code(column, cell) for cell in cells.unique()}).astype(float)
    bad_cells = cells[codes.isna()]
    is_missing = bad_cells.str.lower().isin(("", *MISSING))

    def describe(row: int) -> str:
        cell = bad_cells[row]
        if not cell:
            return f"the cell is empty. {column.limits}"
        kind = f'the value is missing ("{cell}")' if is_missing[row] else f'"{cell[:60]}" is none of the choices'
        return f"{kind}. {column.limits}"

    table.problems.add_rows(bad_cells.index.tolist(), column.name, describe)
    return codes


def _find_code(column: Column, cell: str) -> float | None:
    code = column.find_code(cell)
    return column.find_code(unescape_cell(cell)) if code is None else code  # as the app writes it to a file


def label_rows(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Return rows with the labels of choices in place of their codes."""
    if not CATEGORIES:
        return rows
    return rows.assign(**{column.name: label_column(column, rows[column.name]) for column in CATEGORIES})


def label_column(column: Column, codes: "pd.Series[float]") -> "pd.Series[str]":
    """Return the labels of a category's codes."""
    return codes.map(dict(enumerate(column.choices))).astype(object)
