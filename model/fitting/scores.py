"""Scores of out-of-fold predictions, each with its standard error, and differences of scores with an interval."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fitting.evaluate import N_ENOUGH, N_SPLITS, FloatArray, Groups, splits_of

_N_GROUPED = 20_000  # rows above which a bootstrap of single rows takes seconds


@dataclass(frozen=True)
class Estimate:
    """A figure with its standard error."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class Scores:
    """How good predictions are: ``mae`` and ``rmse`` in the unit of the target, ``r2`` without one."""

    mae: Estimate
    rmse: Estimate
    r2: Estimate


@dataclass(frozen=True)
class Difference:
    """By how much one error exceeds another, with its interval of the level that was asked for."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> int:
        """-1 where the interval says better, 1 worse, and 0 where the two cannot be told apart."""
        return -1 if self.high < 0 else 1 if self.low > 0 else 0


def score_predictions(y: FloatArray, predictions: FloatArray, groups: Groups) -> Scores:
    """Score out-of-fold predictions, each score with a standard error from resampling the rows.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions
        Of shape (n_repeats, n_rows).
    groups
        From `groups_of`: copies of a row are drawn together, or they would count as independent measurements.

    Notes
    -----
    2,000 bootstrap samples of the rows, always the same ones; of many rows, samples of 2,000 random groups of them.
    """
    absolute = np.abs(y - predictions).mean(axis=0)
    squared = ((y - predictions) ** 2).mean(axis=0)
    mae, rmse, r2 = _scores_of(slice(None), y, absolute, squared)
    generator = np.random.default_rng(0)
    n_distinct = int(groups.max()) + 1
    if n_distinct < len(y) or len(y) > _N_GROUPED:
        errors = _errors_by_group(generator, y, absolute, squared, groups)
    else:
        n_resamples = max(100, min(2000, 2000 * N_ENOUGH // len(y)))
        samples = (generator.integers(len(y), size=len(y)) for _ in range(n_resamples))
        errors = np.std([_scores_of(rows, y, absolute, squared) for rows in samples], axis=0, ddof=1)
    return Scores(*(Estimate(float(value), float(error)) for value, error in zip((mae, rmse, r2), errors, strict=True)))


def _errors_by_group(
    generator: Any,
    y: NDArray[np.float64],
    absolute: NDArray[np.float64],
    squared: NDArray[np.float64],
    groups: Groups,
) -> NDArray[np.float64]:
    """Standard errors from resampling groups of rows, whose sums are all that the scores need."""
    n_distinct = groups.max() + 1
    n_groups = min(n_distinct, N_ENOUGH)
    group_of_row = (generator.permutation(n_distinct) * n_groups // n_distinct)[groups]
    centred = y - y.mean()
    sums = [np.bincount(group_of_row, weights) for weights in (absolute, squared, centred, centred**2, np.ones(len(y)))]
    times_drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=2000)
    *totals, n_rows = (times_drawn @ np.column_stack(sums)).T
    mae, mse, mean, mean_square = (total / n_rows for total in totals)
    variance = mean_square - mean**2
    return np.std([mae, np.sqrt(mse), 1 - mse / np.where(variance > 0, variance, np.inf)], axis=1, ddof=1)


def _scores_of(
    rows: Any, y: NDArray[np.float64], absolute: NDArray[np.float64], squared: NDArray[np.float64]
) -> tuple[float, float, float]:
    variance = y[rows].var()
    mse = squared[rows].mean()
    return absolute[rows].mean(), math.sqrt(mse), 1 - mse / variance if variance else 0.0


def compare_mae(
    y: FloatArray, predictions: FloatArray, other: FloatArray, groups: Groups, level: float = 0.9
) -> Difference:
    """By how much the mean absolute error exceeds another model's on the same rows and folds.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions, other
        Of shape (n_repeats, n_rows), from `out_of_fold` with its default seed of the splits.
    groups
        From `groups_of`.
    level
        Of the interval [1].

    Returns
    -------
    Difference
        [unit of y]; negative is better. Where the interval holds 0 the two cannot be told apart.
    """
    from scipy.special import stdtrit

    value, error, df = excess_of_mae(y, predictions, other, groups)
    half_width = float(stdtrit(df, (1 + level) / 2)) * error
    return Difference(value, value - half_width, value + half_width)


def excess_of_mae(
    y: FloatArray, predictions: FloatArray, other: FloatArray, groups: Groups
) -> tuple[float, float, int]:
    """Return the value of `compare_mae`, its standard error, and the degrees of freedom of that error.

    Notes
    -----
    The corrected resampled t interval: folds share rows to fit on, so the variance of the folds' mean is
    (1 / n_folds + n_test / n_train) times that of the folds. Nadeau and Bengio (2003), Machine Learning 52.
    """
    excess = np.abs(y - predictions) - np.abs(y - other)
    splits = splits_of(groups, len(excess))
    by_fold = [excess[number // N_SPLITS, test].mean() for number, (_, test) in enumerate(splits)]
    correction = 1 / len(splits) + 1 / (N_SPLITS - 1)  # n_test / n_train
    return float(excess.mean()), math.sqrt(correction * np.var(by_fold, ddof=1)), len(splits) - 1
