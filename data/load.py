"""Read a file of rows and check every cell: a DataFrame that can be trusted, or a list of all that is wrong."""

import csv
import hashlib
import io
from pathlib import Path

import numpy as np

from data.schema import COLUMNS, FEATURE_NAMES, ROW, TARGET, DataError
from data.table import numbers, read_table
from data.text import MAX_BYTES

EXPECTED = ", ".join((ROW, *(column.name for column in COLUMNS)))
_AT_ONCE = 50_000  # rows
_FIGURES = [*FEATURE_NAMES, TARGET.name]
SHIPPED = Path(__file__).with_name("petrol_consumption.csv")


def load_rows(source=SHIPPED, *, max_bytes=MAX_BYTES):
    """Read rows from a CSV or Parquet file and check them.

    Accepts comma, semicolon or tab as separator, decimal points or commas, thousands separators,
    UTF-8 with or without a byte-order mark, UTF-16, other header spellings, any column order, and
    percentages where the schema has a share (all of a column, never a mix). Of Parquet, columns of numbers or text.

    Parameters
    ----------
    source : path, bytes, or binary file, default=the shipped file
        What to read.
    max_bytes : int, default=64 MB
        The largest file accepted [bytes].

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 6)
        The columns of the schema in its order and units, a row each, index 0 to n_rows - 1.
        ``attrs["warnings"]`` lists in words what was odd, yet usable.

    Raises
    ------
    DataError
        With the problems of the file, the first of each kind and how many more: row (the header is row 1), column,
        value received and cure.
    """
    wanted = (ROW, *(column.name for column in COLUMNS))
    table = read_table(source, wanted, max_bytes=max_bytes, limit=DataError.SHOWN)
    found = {column.name: numbers(table, column) for column in COLUMNS if column.name in table.places}
    if table.problems:
        raise table.problems.error()
    if table.ignored:
        table.remarks.insert(0, f"Ignored columns: {', '.join(table.ignored)[:200]}.")
    return _assemble(table.column(ROW), found, table.remarks)


def distinct(rows):
    """Leave out each row whose figures are all those of an earlier one, whatever its name.

    Parameters
    ----------
    rows : pandas.DataFrame
        As returned by `load_rows`.

    Returns
    -------
    pandas.DataFrame
        With an index of its own.
    """
    return rows.drop_duplicates(_FIGURES, ignore_index=True)


def fingerprint(rows):
    """SHA-256 of the rows themselves: equal for equal figures, whatever file they came in.

    Parameters
    ----------
    rows : pandas.DataFrame
        As returned by `load_rows`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    digest = hashlib.sha256(_lines([rows.columns]))
    for start in range(0, len(rows), _AT_ONCE):
        part = rows.iloc[start : start + _AT_ONCE]
        digest.update(_lines(zip(*(_cells(part[name]) for name in rows), strict=True)))
    return digest.hexdigest()


def _lines(records):
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(records)
    return buffer.getvalue().encode()


def _cells(column):
    """A column's cells as they are written in full; numbers that occur more than once are turned to text once."""
    import pandas as pd

    if column.dtype != float:
        return column
    codes, bits = pd.factorize(column.to_numpy().view(int))  # as bits, for 0 and -0 are equal and not the same text
    return np.array([f"{number:.17g}" for number in bits.view(float).tolist()], dtype=object)[codes]


def _assemble(names, found, remarks):
    """Put the columns together and say in words what is odd about the rows."""
    import pandas as pd

    rows = pd.DataFrame(found)
    unnamed = pd.Series([f"row {row}" for row in rows.index], index=rows.index)
    if names is not None:
        names = names.where(names != "", unnamed)
    else:
        names = unnamed
        remarks.append(f'No column "{ROW}": each row is called by its number in the file.')
    rows.insert(0, ROW, names.astype(object))

    first = pd.Series(rows.index, rows.index).groupby([rows[name] for name in _FIGURES]).transform("first")
    copies = rows.index[first != rows.index]
    times = rows[ROW].value_counts(sort=False)
    times = times[times > 1]
    shown = times.head(DataError.SHOWN)
    named = rows[ROW][rows[ROW].isin(shown.index)].drop_duplicates()
    began = dict(zip(named, named.index, strict=True))
    doubled = [
        f"row {row}: the same figures as row {first[row]}. Kept; remove it if it is a copy."
        for row in copies[: DataError.SHOWN]
    ]
    doubled += [
        f'{ROW} "{name[:60]}" appears {n} times, first in row {began[name]}. All are kept.' for name, n in shown.items()
    ]
    remarks += doubled[: DataError.SHOWN]
    if (n_doubled := len(copies) + len(times)) > DataError.SHOWN:
        remarks.append(f"... and {n_doubled - DataError.SHOWN:,} more rows or names that appear twice.")
    rows = rows.reset_index(drop=True)
    rows.attrs["warnings"] = remarks
    return rows
