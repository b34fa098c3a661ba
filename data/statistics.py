"""Statistics of a table of rows: filtered rows, summaries of columns, correlations, histograms."""

import math
from collections.abc import Collection, Iterable
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.schema import COLUMNS, ROW, Column, row_name

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
NUMBERS = tuple(column for column in COLUMNS if not column.choices)  # the target last
_NAMES = [column.name for column in NUMBERS]


def filter_rows(
    rows: "pd.DataFrame", limits: Iterable[tuple[str, float, float]] = (), names: Collection[str] = ()
) -> "pd.DataFrame":
    """Return the rows within all limits that have one of the names; they keep their index.

    Parameters
    ----------
    rows
        As `data.load.load_rows` returns them.
    limits
        Column name, lowest and highest value [stored unit]; of several for one column, a row is within one.
    names
        Names or codes of rows; if empty, all match.
    """
    is_match = np.ones(len(rows), dtype=bool)
    for column, ends in groupby(sorted(limits), key=itemgetter(0)):
        is_match &= np.any([rows[column].between(low, high) for _, low, high in ends], axis=0)
    if names:
        is_match &= np.array([code in names or row_name(code) in names for code in rows[ROW]], dtype=bool)
    return rows[is_match]


def describe_columns(rows: "pd.DataFrame") -> "pd.DataFrame":
    """Summarise each column of numbers.

    Returns
    -------
    pandas.DataFrame of shape (n_numbers, 8)
        Minimum, quartiles, maximum, mean and standard deviation (over n - 1) [stored unit] and skewness
        (adjusted Fisher-Pearson) [1]; NaN where there are too few rows for one.
    """
    figures = rows[_NAMES]
    table = figures.quantile([0, 0.25, 0.5, 0.75, 1]).T
    table.columns = ["minimum", "lower quartile", "median", "upper quartile", "maximum"]
    return table.assign(mean=figures.mean(), deviation=figures.std(), skewness=figures.skew())


def correlations(rows: "pd.DataFrame") -> tuple[FloatArray, FloatArray]:
    """Correlate the columns of numbers, pair by pair.

    Returns
    -------
    pearson, spearman : ndarray of shape (n_numbers, n_numbers)
        From -1 to 1; NaN for a column that never varies.
    """
    figures = rows[_NAMES]
    pearson, spearman = (figures.corr(method).to_numpy(copy=True) for method in ("pearson", "spearman"))
    return _with_unit_diagonal(pearson), _with_unit_diagonal(spearman)


def variance_inflation(pearson: FloatArray) -> FloatArray:
    """By how much correlation with the other inputs inflates the variance of each input's coefficient.

    Parameters
    ----------
    pearson
        Correlations of the inputs, of shape (n_inputs, n_inputs).

    Returns
    -------
    ndarray of shape (n_inputs,)
        1 if an input has nothing in common with the others, infinite if it follows from them, NaN if it never varies.

    Notes
    -----
    1 / (1 - R²) of each input on the others: Weisberg, Applied Linear Regression, section 9.
    """
    inflation = np.full(len(pearson), np.nan)
    varying = np.flatnonzero(~np.isnan(np.diagonal(pearson)))
    for i in varying:
        rest = varying[varying != i]
        r_squared = pearson[i, rest] @ np.linalg.pinv(pearson[np.ix_(rest, rest)]) @ pearson[rest, i]
        inflation[i] = 1 / (1 - r_squared) if r_squared < 1 - 1e-12 else np.inf
    return inflation


def count_choices(column: Column, rows: "pd.DataFrame") -> NDArray[np.intp]:
    """Count the rows with each choice of a category, of shape (n_choices,)."""
    return np.bincount(rows[column.name].to_numpy(int), minlength=len(column.choices))


def _with_unit_diagonal(matrix: FloatArray) -> FloatArray:
    """Set each column's correlation with itself to exactly 1; rounding leaves it a hair off."""
    diagonal = np.diagonal(matrix)
    np.fill_diagonal(matrix, np.where(np.isnan(diagonal), np.nan, 1.0))
    return matrix


def histogram(values: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
    """Count values of shape (n_values,) in bins of equal width.

    Returns
    -------
    counts : ndarray of shape (n_bins,)
    edges : ndarray of shape (n_bins + 1,)

    Notes
    -----
    About 2 n^(1/3) bins (Rice's rule), 30 at most, with round ends; one narrow bin for values that never vary.
    """
    low, high = float(values.min()), float(values.max())
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        margin = 0.01 * abs(low) or 0.01
        return np.array([len(values)]), np.array([low - margin, high + margin])
    ideal_width = (high - low) / min(30, math.ceil(2 * len(values) ** (1 / 3)))
    power = 10.0 ** math.floor(math.log10(ideal_width))
    width = next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= ideal_width * (1 - 1e-9))
    first, last = math.floor(low / width + 1e-9), math.ceil(high / width - 1e-9)
    edges = np.array([float(f"{multiple * width:.12g}") for multiple in range(first, last + 1)])
    edges[0], edges[-1] = min(edges[0], low), max(edges[-1], high)  # rounding may have moved them inwards
    return np.histogram(values, edges)


def commonest(values: "pd.Series[float]") -> tuple[float, int]:
    """Find the value that most rows share, the smallest of equally common ones, and how many rows have it."""
    counts = values.value_counts().sort_index(kind="stable")
    return float(counts.idxmax()), int(counts.max())
