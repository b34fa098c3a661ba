"""Find values that are possible, but so far from all others in their column that they may be mistakes."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.schema import COLUMNS, ROW, ROWS

if TYPE_CHECKING:
    import pandas as pd

_MIN_ROWS = 8
_FENCE = 3  # interquartile ranges beyond a quartile: "far out" in Tukey (1977), Exploratory Data Analysis, p. 44
_RARE = 0.05  # of the rows; more frequent values are normal for the column
_N_SHOWN = 5  # per column
_SUMMARIES = {
    "mean", "average", "avg", "median", "total", "sum", "std", "stdev", "min", "minimum", "max", "maximum", "count",
}  # fmt: skip


def describe_outliers(rows: "pd.DataFrame") -> Iterator[str]:
    """Say which values are far out, both as they are and, where a column is positive, in their logarithms.

    A long tail is far out as it is but not in its logarithms, and so is not reported; nor is a column of which more
    than half is one value.

    Parameters
    ----------
    rows
        Of shape (n_rows, n_columns), the columns of the schema; the index is each row's number in the file.

    Yields
    ------
    str
        A sentence for each value, the first few of a column.
    """
    if len(rows) < _MIN_ROWS:
        return
    for column in COLUMNS:
        if column.choices:
            continue
        values = rows[column.name].to_numpy(float)
        low, high = np.quantile(values, (0.25, 0.75))
        is_far = _is_beyond(values, low, high)
        if low > 0:
            positive = values > 0
            is_far[positive] &= _is_beyond(np.log(values[positive]), np.log(low), np.log(high))
        if not 0 < is_far.sum() <= max(1, _RARE * len(rows)):
            continue
        usual = f"half of the {ROWS} have {column.text(low)} to {column.text_with_unit(high)}"
        outliers = np.flatnonzero(is_far)
        for index in outliers[:_N_SHOWN]:
            value = column.text_with_unit(values[index])
            yield f"row {rows.index[index]}, {column.name}: {value} is far from all others: {usual}. Taken; check it."
        if len(outliers) > _N_SHOWN:
            yield f"{column.name}: {len(outliers) - _N_SHOWN:,} more are as far."


def describe_summary_rows(rows: "pd.DataFrame") -> Iterator[str]:
    """Say which rows are named like a summary, as spreadsheets have them below a table."""
    names = rows[ROW].str.strip().str.rstrip(".:").str.lower()
    for row in rows.index[names.isin(_SUMMARIES)][:_N_SHOWN]:
        name = rows[ROW][row][:60]
        yield f'row {row}, {ROW}: "{name}" looks like a summary of the other rows. Kept; leave it out if it is.'


def _is_beyond(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.bool_]:
    reach = _FENCE * (high - low)
    return ((values < low - reach) | (values > high + reach)) & (high > low)
