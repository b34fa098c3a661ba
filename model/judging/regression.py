"""The straight line that every model is held against, and which rows pull it."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES, ROWS, TARGET
from model.fitting.errors import ModelError
from model.fitting.train import features

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Regression:
    """Least squares of the target on all inputs.

    Attributes
    ----------
    coefficients, standard_errors, t, p : ndarray of shape (1 + n_features,)
        Intercept first, then the inputs [unit of the target per stored unit]; p is two-sided.
    vif : ndarray of shape (n_features,)
        Variance inflation: 1 where an input has nothing in common with the others.
    r2, adjusted_r2, f : float
    deviation : float
        Standard deviation of the residuals [unit of the target].
    n_rows, df : int
        Rows, and rows beyond the coefficients.
    leverage, studentised, cook : ndarray of shape (n_rows,)
        Pull on the own fitted value; residual over its standard error with the row left out; Cook's distance.
        The last two are NaN for a row of leverage 1, without which there is no line.
    """

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
        """Studentised residual that one of so many rows exceeds by chance in 5 % of data sets (Bonferroni)."""
        from scipy.special import stdtrit

        return float(stdtrit(self.df - 1, 1 - 0.025 / self.n_rows))


def fit_regression(rows: "pd.DataFrame") -> Regression:
    """Regress the target on all inputs.

    Raises
    ------
    ModelError
        If there are too few rows, a column never varies, one input is a mix of the others, or nothing is
        left to explain.

    Notes
    -----
    Weisberg, Applied Linear Regression, chapters 2 and 9. Solved by QR of the standardised inputs.
    """
    from scipy.special import stdtr

    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    n, p = len(y), X.shape[1] + 1
    if n < p + 2:
        raise ModelError(f"A line through {p - 1} inputs needs at least {p + 2} {ROWS}; there are {n}.")
    for column, values in zip((*FEATURES, TARGET), (*X.T, y), strict=True):
        if np.ptp(values) == 0:
            raise ModelError(f"{column.label} is {column.text_with_unit(values[0])} in all {n} {ROWS}, so no line.")
    mean, spread = X.mean(axis=0), X.std(axis=0)
    Q, R = np.linalg.qr(np.column_stack([np.ones(n), (X - mean) / spread]))
    if np.linalg.cond(R) > 1e8:
        raise ModelError("One input is a mix of the others in these rows, so their effects cannot be told apart.")
    back = np.diag([1, *1 / spread])  # from the standardised inputs to the stored units
    back[0, 1:] = -mean / spread
    unscaled = back @ np.linalg.inv(R)

    residuals = y - Q @ (Q.T @ y)
    leverage = (Q**2).sum(axis=1)
    df, rss = n - p, float(residuals @ residuals)
    variance, total = rss / df, float(((y - y.mean()) ** 2).sum())
    if rss <= 1e-18 * total:
        raise ModelError(f"All {n} {ROWS} lie exactly on a straight line, so there is no error to judge by.")
    coefficients = unscaled @ (Q.T @ y)
    standard_errors = np.sqrt(variance * (unscaled**2).sum(axis=1))
    t = coefficients / standard_errors
    free = np.where(leverage < 1 - 1e-9, 1 - leverage, np.nan)
    left_out = np.maximum(rss - residuals**2 / free, 1e-18 * total) / (df - 1)
    studentised = residuals / np.sqrt(left_out * free)
    cook = residuals**2 * leverage / (p * variance * free**2)
    return Regression(
        coefficients=coefficients,
        standard_errors=standard_errors,
        t=t,
        p=2 * stdtr(df, -np.abs(t)),
        vif=np.diag(np.linalg.inv(R[1:, 1:].T @ R[1:, 1:])) * n,
        r2=1 - rss / total,
        adjusted_r2=1 - variance / (total / (n - 1)),
        f=(total - rss) / (p - 1) / variance,
        deviation=math.sqrt(variance),
        n_rows=n,
        df=df,
        leverage=leverage,
        studentised=studentised,
        cook=cook,
    )


def line_with_band(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64], coverage: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fit a straight line to one input, with the band that holds the true line.

    Parameters
    ----------
    x, y
        Of shape (n_rows,).
    at
        Of shape (n_points,).
        Where to read the line.
    coverage
        Of the band at each point [1].

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

    n = len(x)
    if n < 3:
        raise ModelError(f"A line with a band needs at least 3 {ROWS}; there are {n}.")
    dx = x - x.mean()
    sxx = float(dx @ dx)
    if np.ptp(x) == 0:
        raise ModelError(f"All {n} {ROWS} have the same value here, so there is no line.")
    slope = float(dx @ y) / sxx
    residuals = y - y.mean() - slope * dx
    deviation = math.sqrt(float(residuals @ residuals) / (n - 2))
    away = at - x.mean()
    half_width = stdtrit(n - 2, (1 + coverage) / 2) * deviation * np.sqrt(1 / n + away**2 / sxx)
    return y.mean() + slope * away, half_width
