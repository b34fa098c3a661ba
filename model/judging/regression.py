"""The straight line that every model is compared with, and the rows that pull it."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES, ROWS, TARGET, Column
from model.fitting.errors import ModelError

if TYPE_CHECKING:
    import pandas as pd


class Term(NamedTuple):
    """A term of the line; codes of a choice and of the one it is held against, None for a number."""

    column: Column
    code: int | None = None
    reference: int | None = None


@dataclass(frozen=True)
class Regression:
    """Least squares of the target on all inputs.

    Attributes
    ----------
    terms
        Of the line beside the intercept: an input, or a choice of one, which is held against the first that occurs.
    coefficients, standard_errors, t, p : ndarray of shape (1 + n_terms,)
        Intercept first, then the terms [unit of the target per stored unit]; p is two-sided.
    vif : ndarray of shape (n_terms,)
        Variance inflation factors: 1 if an input is uncorrelated with the others.
    r2, adjusted_r2, f : float
    deviation : float
        Standard deviation of the residuals [unit of the target].
    n_rows, df : int
        Number of rows, and the residual degrees of freedom.
    leverage, studentised, cook : ndarray of shape (n_rows,)
        Pull of a row on its own fitted value; residual over its standard error with the row left out; Cook's distance.
        The last two are NaN for a row of leverage 1, without which no line can be fitted.
    """

    terms: tuple[Term, ...]
    coefficients: np.ndarray
    standard_errors: np.ndarray
    t: np.ndarray
    p: np.ndarray
    vif: np.ndarray
    r2: float
    adjusted_r2: float
    f: float
    deviation: float
    n_rows: int
    df: int
    leverage: np.ndarray
    studentised: np.ndarray
    cook: np.ndarray

    @property
    def high_leverage(self) -> float:
        """Twice the average leverage: Belsley, Kuh and Welsch (1980)."""
        return 2 * len(self.coefficients) / self.n_rows

    @property
    def outlying(self) -> float:
        """Absolute studentised residual that some row exceeds by chance in 5 % of data sets (Bonferroni)."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df - 1, 1 - 0.025 / self.n_rows))


def fit_regression(rows: "pd.DataFrame") -> Regression:
    """Regress the target on all inputs.

    Raises
    ------
    ModelError
        If there are too few rows, a column never varies, one input is a mix of the others, or the fit is exact.

    Notes
    -----
    Weisberg, Applied Linear Regression, chapters 2 and 9. Solved by QR of the standardised inputs.
    """
    from scipy.special import stdtr

    terms, X = _list_terms(rows)
    y = rows[TARGET.name].to_numpy(float)
    n_rows, n_coefficients = len(y), X.shape[1] + 1
    if n_rows < n_coefficients + 2:
        raise ModelError(
            f"A line through {n_coefficients - 1} inputs needs at least {n_coefficients + 2} {ROWS}; "
            f"there are {n_rows}."
        )
    for column in (*FEATURES, TARGET):
        values = rows[column.name].to_numpy(float)
        if np.ptp(values) == 0:
            raise ModelError(
                f"{column.label} is {column.text_with_unit(values[0])} in all {n_rows} {ROWS}, so no line."
            )
    mean, spread = X.mean(axis=0), X.std(axis=0)
    Q, R = np.linalg.qr(np.column_stack([np.ones(n_rows), (X - mean) / spread]))
    if np.linalg.cond(R) > 1e8:
        raise ModelError("One input is a mix of the others in these rows, so their effects cannot be told apart.")
    to_stored_units = np.diag([1, *1 / spread])
    to_stored_units[0, 1:] = -mean / spread
    unscaled = to_stored_units @ np.linalg.inv(R)

    residuals = y - Q @ (Q.T @ y)
    leverage = (Q**2).sum(axis=1)
    df, rss = n_rows - n_coefficients, float(residuals @ residuals)
    variance, tss = rss / df, float(((y - y.mean()) ** 2).sum())
    if rss <= 1e-18 * tss:
        raise ModelError(f"All {n_rows} {ROWS} lie exactly on a straight line, so there is no error to judge by.")
    coefficients = unscaled @ (Q.T @ y)
    standard_errors = np.sqrt(variance * (unscaled**2).sum(axis=1))
    t = coefficients / standard_errors
    one_minus_leverage = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)
    variance_without_row = np.maximum(rss - residuals**2 / one_minus_leverage, 1e-18 * tss) / (df - 1)
    studentised = residuals / np.sqrt(variance_without_row * one_minus_leverage)
    cook = residuals**2 * leverage / (n_coefficients * variance * one_minus_leverage**2)
    return Regression(
        terms=terms,
        coefficients=coefficients,
        standard_errors=standard_errors,
        t=t,
        p=2 * stdtr(df, -np.abs(t)),
        vif=np.diag(np.linalg.inv(R[1:, 1:].T @ R[1:, 1:])) * n_rows,
        r2=1 - rss / tss,
        adjusted_r2=1 - variance / (tss / (n_rows - 1)),
        f=(tss - rss) / (n_coefficients - 1) / variance,
        deviation=math.sqrt(variance),
        n_rows=n_rows,
        df=df,
        leverage=leverage,
        studentised=studentised,
        cook=cook,
    )


def _list_terms(rows: "pd.DataFrame") -> tuple[tuple[Term, ...], NDArray[np.float64]]:
    """Terms of the line, and their values of shape (n_rows, n_terms): an indicator for each choice but the first."""
    terms: list[Term] = []
    values: list[NDArray[np.float64]] = []
    for column in FEATURES:
        of_column = rows[column.name].to_numpy(float)
        if not column.choices:
            terms.append(Term(column))
            values.append(of_column)
            continue
        first, *others = np.unique(of_column).astype(int).tolist() or [0]
        terms += [Term(column, code, first) for code in others]
        values += [(of_column == code).astype(float) for code in others]
    return tuple(terms), np.reshape(values, (len(terms), len(rows))).T


def choice_means(
    codes: NDArray[np.float64], y: NDArray[np.float64], n_choices: int, coverage: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean of each choice, and half of the interval that holds the true one: `line_with_band` of a category.

    Parameters
    ----------
    codes, y
        Of shape (n_rows,).

    Returns
    -------
    means, half_width : ndarray of shape (n_choices,)
        In the unit of y; NaN for a choice that no row has.

    Raises
    ------
    ModelError
        If there are not two rows more than choices, or all rows have one.

    Notes
    -----
    Least squares on indicators, with one variance for all: Weisberg, Applied Linear Regression, section 6.1.
    """
    from scipy.special import stdtrit

    counts = np.bincount(codes.astype(int), minlength=n_choices)
    df = len(y) - int((counts > 0).sum())
    if (counts > 0).sum() < 2:
        raise ModelError(f"All {len(y)} {ROWS} have the same choice here, so there is nothing to compare.")
    if df < 2:
        raise ModelError(f"Means with intervals need more {ROWS} than choices; there are {len(y)}.")
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.bincount(codes.astype(int), y, n_choices) / counts
        deviation = math.sqrt(float(((y - means[codes.astype(int)]) ** 2).sum()) / df)
        return means, np.where(counts, stdtrit(df, (1 + coverage) / 2) * deviation / np.sqrt(counts), np.nan)


def line_with_band(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64], coverage: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a straight line to one input, with the band that holds the true line.

    Parameters
    ----------
    x, y
        Of shape (n_rows,).
    at
        Where to read the line, of shape (n_points,).
    coverage
        Level of the band at each point [1].

    Returns
    -------
    fitted, half_width : ndarray of shape (n_points,)
        In the unit of y.

    Raises
    ------
    ModelError
        If there are fewer than three rows, or x never varies.

    Notes
    -----
    Weisberg, Applied Linear Regression, section 2.8: the mean response, not a single new row.
    """
    from scipy.special import stdtrit

    n_rows = len(x)
    if n_rows < 3:
        raise ModelError(f"A line with a band needs at least 3 {ROWS}; there are {n_rows}.")
    dx = x - x.mean()
    sxx = float(dx @ dx)
    if np.ptp(x) == 0:
        raise ModelError(f"All {n_rows} {ROWS} have the same value here, so there is no line.")
    slope = float(dx @ y) / sxx
    residuals = y - y.mean() - slope * dx
    deviation = math.sqrt(float(residuals @ residuals) / (n_rows - 2))
    offset = at - x.mean()
    half_width = stdtrit(n_rows - 2, (1 + coverage) / 2) * deviation * np.sqrt(1 / n_rows + offset**2 / sxx)
    return y.mean() + slope * offset, half_width
