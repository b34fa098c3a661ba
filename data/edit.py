"""Rows as people edit them, in shown units, and back through the same checks as a file."""

from data.load import load_rows
from data.schema import COLUMNS, ROW


def to_shown(rows):
    """Turn rows to the shown units.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `data.load.load_rows` returns them.

    Returns
    -------
    pandas.DataFrame
        The same columns; the index is each row's number as in a file, whose header is row 1.
    """
    table = rows.copy()
    table.attrs = {}
    for column in COLUMNS:
        table[column.name] = [column.shown(value) for value in rows[column.name]]
    table.index += 2
    return table


def from_shown(table):
    """Check edited rows as a file is checked.

    Parameters
    ----------
    table : pandas.DataFrame
        As from `to_shown`, with other figures in it.

    Returns
    -------
    pandas.DataFrame
        As `data.load.load_rows` returns them.

    Raises
    ------
    DataError
        With every problem: row, column, value received and cure.
    """
    from pandas import notna

    table = table[[ROW, *(column.name for column in COLUMNS)]].astype(object)
    for column in COLUMNS:
        if column.is_share:  # a percent sign on each, so that 0.6 is 0.6 % and not taken for a share
            table[column.name] = [f"{value}%" if notna(value) else "" for value in table[column.name]]
    return load_rows(table.to_csv(index=False).encode())


def template(rows, n_rows=3):
    """Write a file to fill in: the header, and a few rows to show how it is meant.

    Parameters
    ----------
    rows : pandas.DataFrame
    n_rows : int, default=3

    Returns
    -------
    str
        CSV.
    """
    return rows.head(n_rows).to_csv(index=False)
