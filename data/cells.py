"""Escape cells that leave the app in a file, so that no spreadsheet takes one for a formula, and unescape them."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

# OWASP, CSV injection: what makes a cell a formula is its first character.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_ESCAPE = re.compile(rf"'+(?={_FORMULA.pattern})")
_FIGURE = re.compile(r"[0-9+\-\s.,;:()/%]*")  # numbers, coordinates, telephone numbers: none can call a function
_EXPONENT = re.compile(r"[+-]?[0-9][0-9.,]*[eE][+-]?[0-9]+")


def escape_cell(cell: str) -> str:
    """Put an apostrophe before a cell that a spreadsheet would take for a formula."""
    return f"'{cell}" if _FORMULA.match(cell) and not (_FIGURE.fullmatch(cell) or _EXPONENT.fullmatch(cell)) else cell


def unescape_cell(cell: str) -> str:
    """Take off the apostrophe that `escape_cell` adds."""
    return _ESCAPE.sub("", cell, count=1) if cell.startswith("'") else cell


def unescape_column(cells: "pd.Series") -> "pd.Series":
    """Return a column of text without the apostrophes that `escape_cell` adds."""
    is_marked = cells.str.startswith("'").fillna(False).astype(bool)
    return cells.where(~is_marked, cells[is_marked].map(unescape_cell)) if is_marked.any() else cells


def escape_column(cells: "pd.Series") -> "pd.Series":
    """Return a column in which no cell is a formula; numbers and missing values stay as they are."""
    if cells.dtype.kind in "fiub":
        return cells
    is_suspect = cells.astype("str").str.match(_FORMULA.pattern).fillna(False).astype(bool)
    return cells.where(~is_suspect, cells[is_suspect].map(escape_cell)) if is_suspect.any() else cells


def escape_table(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return a table in which neither a cell nor a title is a formula."""
    import pandas as pd

    columns = [escape_column(table.iloc[:, index]) for index in range(table.shape[1])]
    titles = [escape_cell(str(title)) for title in table.columns]
    return pd.concat(columns, axis=1).set_axis(titles, axis=1) if columns else table
