"""Read a file of scenarios to be scored: every row that can be used, and for every other the reason."""

from dataclasses import dataclass

import numpy as np

from data.schema import FEATURE_NAMES, FEATURES, DataError
from data.table import MAX_BYTES, Table, numbers, read_table


@dataclass(frozen=True)
class Inputs:
    """The inputs of a file's rows.

    Attributes
    ----------
    table : data.table.Table
        The file as it stands.
    X : ndarray of shape (n_rows, n_features)
        In the order of the schema and in its stored units; NaN where a cell cannot be used.
    reasons : list of str
        For each row why it cannot be used; empty where it can.
    """

    table: Table
    X: np.ndarray
    reasons: list

    @property
    def usable(self):
        """Which rows can be used, as a boolean array of shape (n_rows,)."""
        return ~np.isnan(self.X).any(axis=1)


def load_inputs(source, *, max_bytes=MAX_BYTES):
    """Read the inputs of many rows, and let no bad row cost a good one.

    Accepts what `data.load.load_rows` accepts; the target may be missing.

    Parameters
    ----------
    source : path, bytes, or binary file
        What to read.
    max_bytes : int, default=25 MB
        The largest file accepted [bytes].

    Returns
    -------
    Inputs

    Raises
    ------
    DataError
        If the file as a whole cannot be used: it is no table, lacks an input, or has no rows.
    """
    table = read_table(source, FEATURE_NAMES, max_bytes=max_bytes)
    if table.problems and table.problems[-1][0] == 1:  # of the header
        raise DataError([text for row, _, text in table.problems if row == 1])
    columns = [numbers(table, column).reindex(table.cells.index) for column in FEATURES]
    reasons = dict.fromkeys(table.cells.index, "")
    for row, column, text in table.problems:
        reasons[row] = " ".join(filter(None, (reasons[row], f"{column}: {text}" if column else text)))
    return Inputs(table, np.column_stack(columns), list(reasons.values()))
