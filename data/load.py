"""Read a file of rows and check every cell: a DataFrame that can be trusted, or a list of all that is wrong."""

import csv
import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from data.cells import unescape_column
from data.choices import label_rows, read_values
from data.errors import DataError
from data.outliers import describe_outliers, describe_summary_rows
from data.schema import COLUMNS, FEATURE_NAMES, FOLDER, ROW, TARGET
from data.table import Source, TableError, read_table
from data.text import MAX_BYTES

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_ROWS_PER_DIGEST = 50_000
_FIGURES = [*FEATURE_NAMES, TARGET.name]
_N_NAMED = 10  # rows listed by number; of more, only how many
SHIPPED = FOLDER / "rows.csv"


def load_rows(
    source: Source = SHIPPED,
    *,
    columns: Mapping[str, str | int] | None = None,
    sheet: str = "",
    leave_out: bool = False,
    max_bytes: int = MAX_BYTES,
) -> "pd.DataFrame":
    """Read rows from a CSV, Excel or Parquet file and check them.

    Accepts comma, semicolon, tab or blanks as separator, decimal points or commas, thousands separators,
    UTF-8 with or without a byte-order mark, UTF-16, other header spellings, units in brackets, lines above the header,
    any column order, and percentages where the schema has a share (all of a column, never a mix). Parquet columns may
    hold numbers or text.

    Parameters
    ----------
    source
        What to read: a path, bytes, or a binary file.
    columns
        Name in the schema -> title or position of its column, where the header does not say.
    sheet
        Of an Excel file; empty for the first that is not empty.
    leave_out
        Whether to leave out rows that cannot be used, rather than refuse the file.
    max_bytes
        The largest file accepted [bytes].

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 6)
        The columns of the schema in its order and units, choices as codes, a row each, index 0 to n_rows - 1.
        ``attrs`` has "warnings", what was odd yet usable, in words; "left_out", the numbers in the file of the rows
        left out; and "sheet" and "sheets" of an Excel file.

    Raises
    ------
    DataError
        With the problems of the file, the first of each kind and how many more: row (the header is row 1), column,
        value received and cure.
    """
    wanted = (ROW, *(column.name for column in COLUMNS))
    table = read_table(source, wanted, columns=columns, sheet=sheet, max_bytes=max_bytes, limit=DataError.SHOWN)
    figures = {column.name: read_values(table, column) for column in COLUMNS if column.name in table.positions}
    usable = table.whole_rows[~np.isnan([*figures.values()]).any(axis=0)] if figures else table.whole_rows
    if table.problems and (table.problems.is_of_header or not (leave_out and len(usable))):
        raise TableError(table)
    unusable = table.cells.index.difference(usable).tolist()
    if table.ignored:
        table.remarks.insert(0, f"Ignored columns: {', '.join(table.ignored)[:200]}.")
    if unusable:
        table.remarks.insert(0, f"Left out: {list_row_numbers(unusable)}, which cannot be used.")
    names = table.column(ROW) if ROW in table.positions else None
    rows = assemble(
        None if names is None else names[usable],
        {name: values[usable] for name, values in figures.items()},
        table.remarks,
    )
    rows.attrs |= {"left_out": tuple(unusable), "sheet": table.sheet, "sheets": table.sheets}
    return rows


def list_row_numbers(numbers: Sequence[int]) -> str:
    """Name rows by their numbers in the file: ``"rows 3, 7 and 12 more"``."""
    listed = ", ".join(map(str, numbers[:_N_NAMED]))
    remainder = f" and {len(numbers) - _N_NAMED:,} more" if len(numbers) > _N_NAMED else ""
    return f"row{'s' if len(numbers) > 1 else ''} {listed}{remainder}"


def drop_copies(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Drop each row with the same figures as an earlier one, whatever its name, and renumber the index."""
    return rows.drop_duplicates(_FIGURES, ignore_index=True)


def fingerprint(rows: "pd.DataFrame") -> str:
    """SHA-256 of the rows themselves, in 64 hexadecimal digits: equal for equal rows, whatever file they came in."""
    digest = hashlib.sha256(_csv_bytes([rows.columns]))
    for start in range(0, len(rows), _ROWS_PER_DIGEST):
        part = label_rows(rows.iloc[start : start + _ROWS_PER_DIGEST])  # codes depend on how choices are ordered
        digest.update(_csv_bytes(zip(*(_format_cells(part[name]) for name in rows), strict=True)))
    return digest.hexdigest()


def _csv_bytes(records: Iterable[Iterable[object]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(records)
    return buffer.getvalue().encode()


def _format_cells(column: "pd.Series[Any]") -> "pd.Series[Any] | NDArray[np.object_]":
    """Write a column's cells in full; a number that occurs more than once is formatted once."""
    import pandas as pd

    if column.dtype != float:
        return column
    codes, bits = pd.factorize(column.to_numpy().view(int))  # as bits: 0 and -0 are equal, but not as text
    return np.array([f"{number:.17g}" for number in bits.view(float).tolist()], dtype=object)[codes]


def assemble(names: "pd.Series | None", figures: "Mapping[str, pd.Series]", remarks: list[str]) -> "pd.DataFrame":
    """Put columns together as rows, and say in words what is odd about them.

    Parameters
    ----------
    names
        Of the rows, indexed by their numbers in the file; None where they have none.
    figures
        Name of each column of figures -> its values, all of them possible [stored unit].
    remarks
        What was odd about the file; what is odd about the rows is added.

    Returns
    -------
    pandas.DataFrame
        As `load_rows` returns it.
    """
    import pandas as pd

    rows = pd.DataFrame(figures)
    fallback_names = pd.Series([f"row {row}" for row in rows.index], index=rows.index)
    if names is not None:
        names = unescape_column(names.where(names != "", fallback_names))
    else:
        names = fallback_names
        remarks.append(f'No column "{ROW}": each row is called by its number in the file.')
    rows.insert(0, ROW, names.astype(object))

    first_equal_row = pd.Series(rows.index, rows.index).groupby([rows[name] for name in _FIGURES]).transform("first")
    copies = rows.index[first_equal_row != rows.index]
    times = rows[ROW].value_counts(sort=False)
    times = times[times > 1]
    shown_counts = times.head(DataError.SHOWN)
    first_occurrences = rows[ROW][rows[ROW].isin(shown_counts.index)].drop_duplicates()
    first_row_of = dict(zip(first_occurrences, first_occurrences.index, strict=True))
    doubled = [
        f"row {row}: the same figures as row {first_equal_row[row]}. Kept; remove it if it is a copy."
        for row in copies[: DataError.SHOWN]
    ]
    doubled += [
        f'{ROW} "{name[:60]}" appears {n_rows} times, first in row {first_row_of[name]}. All are kept.'
        for name, n_rows in shown_counts.items()
    ]
    remarks += doubled[: DataError.SHOWN]
    if (n_doubled := len(copies) + len(times)) > DataError.SHOWN:
        remarks.append(f"... and {n_doubled - DataError.SHOWN:,} more rows or names that appear twice.")
    remarks += describe_summary_rows(rows)
    remarks += describe_outliers(rows)
    rows = rows.reset_index(drop=True)
    rows.attrs["warnings"] = remarks
    return rows
