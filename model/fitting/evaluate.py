"""Honest accuracy: predictions of rows that the fit has not seen, and the scores of them."""

import inspect
import itertools
import math
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fitting.forest import predict_once

N_REPEATS, N_SPLITS = 10, 5
N_ENOUGH = 2000  # rows above which one round of folds says nearly what ten say
_N_NESTED = 2  # repeats in which pairs of folds are left out, too
_N_NEEDED = 6  # repeats up to which all pairs of two would add more than half to the time
_ALL_PAIRS = tuple(itertools.combinations(range(N_SPLITS), 2))
_FEW_PAIRS = ((0, 1), (2, 3), (0, 4))  # of many rows: each fold in one at least
_N_GROUPED = 20_000  # rows above which a bootstrap of single rows takes seconds

FloatArray = NDArray[np.float64]
Groups = NDArray[np.intp]
Keep = Callable[[Any, FloatArray, FloatArray], FloatArray]


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
    """By how much an error exceeds another, and between what with the confidence that was asked for."""

    value: float
    low: float
    high: float

    @property
    def verdict(self) -> int:
        """-1 where the interval says better, 1 worse, and 0 where the two cannot be told apart."""
        return -1 if self.high < 0 else 1 if self.low > 0 else 0


@dataclass(frozen=True)
class Folds:
    """What settles the folds of as many rows: equal ones give equal folds."""

    n_repeats: int
    n_splits: int = N_SPLITS
    seed: int = 0


def n_repeats_for(n_rows: int) -> int:
    """How often the rows are split anew: ten times, and less often when they are many."""
    return max(1, min(N_REPEATS, N_REPEATS * N_ENOUGH // n_rows))


def pairs_of(n_repeats: int) -> list[tuple[int, int, int]]:
    """Which folds are left out two at a time: repeat, and the numbers of both.

    All pairs of two repeats cost a third of ten repeats with the fit on all rows; where there are few repeats, some
    pairs do, for their rows are many.
    """
    pairs = _ALL_PAIRS if n_repeats > _N_NEEDED else _FEW_PAIRS
    return [(repeat, *pair) for repeat in range(min(_N_NESTED, n_repeats)) for pair in pairs]


def n_fits_of(n_repeats: int, *, nested: bool) -> int:
    """How many fits `cross_validate` takes, or `out_of_fold`, which leaves out no pairs."""
    return n_repeats * N_SPLITS + nested * len(pairs_of(n_repeats))


def groups_of(X: FloatArray, y: FloatArray) -> Groups:
    """Number the distinct rows from 0 as they come: copies, equal in inputs and target, have the same number."""
    import pandas as pd

    table = pd.DataFrame(np.column_stack([X, y]) + 0.0)  # to which -0 is 0
    return pd.factorize(pd.util.hash_pandas_object(table, index=False))[0]


def predictions_of(fitted: Any, X: FloatArray, y: FloatArray) -> FloatArray:
    """Predict rows: what is kept of a fold where nothing more is asked for."""
    return predict_once(fitted, X)


def out_of_fold(
    unfitted: Any,
    X: FloatArray,
    y: FloatArray,
    *,
    n_repeats: int = N_REPEATS,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    keep: Keep = predictions_of,
    fits: Iterable[tuple[int, FloatArray]] | None = None,
) -> FloatArray:
    """Predict every row from fits that have not seen it, in repeated 5-fold cross-validation.

    Parameters
    ----------
    unfitted
        An estimator, cloned for each fold.
    X
        Of shape (n_rows, n_features).
    y
        Of shape (n_rows,).
    n_repeats
        How often the rows are split anew.
    seed
        Of the splits: equal seeds give equal folds, whatever the estimator. Copies of a row are in the same fold.
    n_jobs
        Processes at work; the result does not depend on it.
    progress
        Called with (fits done, fits in all) after each.
    keep
        What to keep of each fit, from (fitted, X_test, y_test) to an array of shape (n_test, ...);
        its predictions unless told otherwise.
    fits
        Number of each fold and what was kept of it, in any order, where they are fitted elsewhere, as by
        `model.cluster`; else they are fitted here, in ``n_jobs`` processes.

    Returns
    -------
    ndarray of shape (n_repeats, n_rows, ...)
        What was kept, row by row; predictions are in the unit of ``y``.

    Raises
    ------
    ValueError
        If there are fewer distinct rows than folds.
    """
    splits = _splits(groups_of(X, y), n_repeats, seed)
    results = fits or _fits_here(unfitted, X, y, splits, keep, n_repeats * N_SPLITS, n_jobs)
    kept, _ = _collect(results, splits, n_repeats, len(y), progress)
    return kept


def cross_validate(
    unfitted: Any,
    X: FloatArray,
    y: FloatArray,
    *,
    n_repeats: int = N_REPEATS,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    keep: Keep = predictions_of,
    fits: Iterable[tuple[int, FloatArray]] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Do what `out_of_fold` does, and predict rows from fits that lack another fold beside their own.

    Returns
    -------
    kept
        As `out_of_fold` returns it.
    pairs
        Of shape (n_nested, N_SPLITS, n_rows) [unit of y]: for each fold of a repeat, what the rows of others are
        predicted by fits that lacked both; NaN for its own rows, and where no such fit was made.
    """
    splits = _splits(groups_of(X, y), n_repeats, seed, nested=True)
    results = fits or _fits_here(unfitted, X, y, splits, keep, n_repeats * N_SPLITS, n_jobs)
    return _collect(results, splits, n_repeats, len(y), progress)


def _collect(results, splits, n_repeats, n_rows, progress):
    n_folds, left_out = n_repeats * N_SPLITS, pairs_of(n_repeats)
    pairs = np.full((min(_N_NESTED, n_repeats), N_SPLITS, n_rows), np.nan)
    kept: Any = None
    for done, (number, values) in enumerate(results, 1):
        _, test = splits[number]
        if number < n_folds:
            if kept is None:
                kept = np.empty((n_repeats, n_rows, *values.shape[1:]))
            kept[number // N_SPLITS, test] = values
        else:
            repeat, first, second = left_out[number - n_folds]
            for fold, other in ((first, second), (second, first)):
                is_others = np.isin(test, splits[repeat * N_SPLITS + other][1])
                pairs[repeat, fold, test[is_others]] = values[is_others]
        if progress:
            progress(done, len(splits))
    return kept, pairs


def _fits_here(unfitted, X, y, splits, keep, n_folds, n_jobs):
    from joblib import Parallel, delayed

    return enumerate(
        Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_fit_keep)(unfitted, X, y, train, test, keep if number < n_folds else predictions_of)
            for number, (train, test) in enumerate(splits)
        )
    )


def fit_split(unfitted, X, y, number, n_repeats, seed, keep, *, nested):
    """Do one fit of `cross_validate` or of `out_of_fold` by its number, and return what is to be kept of it."""
    train, test = _splits(groups_of(X, y), n_repeats, seed, nested=nested)[number]
    return _fit_keep(unfitted, X, y, train, test, keep if number < n_repeats * N_SPLITS else predictions_of)


def _splits(groups: Groups, n_repeats: int, seed: int = 0, *, nested: bool = False) -> list[tuple[Any, Any]]:
    """Places of the rows to fit on and to test on: fold by fold, then with two folds left out."""
    splits = _splits_of_distinct(int(groups.max()) + 1, n_repeats, seed, nested)
    if len(groups) == groups.max() + 1:
        return splits
    followed = []
    for _, test in splits:
        is_test = np.isin(groups, test)
        followed.append((np.flatnonzero(~is_test), np.flatnonzero(is_test)))
    return followed


@lru_cache(maxsize=1)  # a process that fits folds by their numbers asks for the same splits again and again
def _splits_of_distinct(n_rows, n_repeats, seed, nested):
    from sklearn.model_selection import RepeatedKFold

    rows = np.empty(n_rows)
    splits = list(RepeatedKFold(n_splits=N_SPLITS, n_repeats=n_repeats, random_state=seed).split(rows))
    for repeat, first, second in pairs_of(n_repeats) if nested else ():
        test = np.union1d(*(splits[repeat * N_SPLITS + fold][1] for fold in (first, second)))
        splits.append((np.setdiff1d(np.arange(n_rows), test), test))
    return splits


def fold_numbers(groups: Groups, n_repeats: int) -> Groups:
    """Number of the fold that each row is in, of shape (n_repeats, n_rows)."""
    numbers = np.empty((n_repeats, len(groups)), int)
    for number, (_, test) in enumerate(_splits(groups, n_repeats)):
        numbers[number // N_SPLITS, test] = number % N_SPLITS
    return numbers


def _fit_keep(unfitted, X, y, train, test, keep):
    from sklearn.base import clone

    with one_of_many():
        return keep(fit(clone(unfitted), X[train], y[train]), X[test], y[test])


@contextmanager
def one_of_many() -> Iterator[None]:
    """Fit as one of hundreds of small fits: on one thread, and without what scikit-learn checks anew each time."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

    for tree in (DecisionTreeRegressor, ExtraTreeRegressor):
        # scikit-learn asks for the constructor's signature three times a tree, a sixth of the time of a small forest;
        # a function that carries its own is not taken apart anew.
        vars(tree.__init__).setdefault("__signature__", inspect.signature(tree.__init__))
    # Sums of many rows differ in their last bits with the number of threads that share them, and that number with the
    # machine. The fit on all rows has checked the parameters.
    with _pools().limit(limits=1), config_context(skip_parameter_validation=True):
        yield


@cache
def _pools():
    import sklearn  # noqa: F401 - brings the libraries that have threads
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def fit(unfitted, X, y):
    """Fit, without the warnings that a bound holds a Gaussian process, or that a tree gets as few rows as asked."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Using the fractional value")
        return unfitted.fit(X, y)


def scores(y: FloatArray, predictions: FloatArray, groups: Groups) -> Scores:
    """Score out-of-fold predictions, each score with a standard error from resampling the rows.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions
        Of shape (n_repeats, n_rows).
    groups
        From `groups_of`: copies of a row are drawn together, or they would pass for more than was measured.

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


def _errors_by_group(generator, y, absolute, squared, groups):
    """Standard errors from resampling groups of rows, whose sums are all that the scores need."""
    n_distinct = groups.max() + 1
    n_groups = min(n_distinct, N_ENOUGH)
    drawn_together = (generator.permutation(n_distinct) * n_groups // n_distinct)[groups]
    away = y - y.mean()
    sums = [np.bincount(drawn_together, weights) for weights in (absolute, squared, away, away**2, np.ones(len(y)))]
    drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=2000)  # how often each group
    *totals, n = (drawn @ np.column_stack(sums)).T
    mae, mse, mean, square = (total / n for total in totals)
    variance = square - mean**2
    return np.std([mae, np.sqrt(mse), 1 - mse / np.where(variance > 0, variance, np.inf)], axis=1, ddof=1)


def _scores_of(rows, y, absolute, squared):
    variance = y[rows].var()
    mse = squared[rows].mean()
    return absolute[rows].mean(), math.sqrt(mse), 1 - mse / variance if variance else 0.0


def mae_difference(
    y: FloatArray, predictions: FloatArray, other: FloatArray, groups: Groups, level: float = 0.9
) -> Difference:
    """By how much the mean absolute error exceeds another model's on the same rows and folds.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions, other
        Of shape (n_repeats, n_rows), from `out_of_fold` with its own seed of the splits.
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
    half = float(stdtrit(df, (1 + level) / 2)) * error
    return Difference(value, value - half, value + half)


def excess_of_mae(
    y: FloatArray, predictions: FloatArray, other: FloatArray, groups: Groups
) -> tuple[float, float, int]:
    """As `mae_difference`: its value, its standard error, and the degrees of freedom of that.

    Notes
    -----
    The corrected resampled t interval: folds share rows to fit on, so the variance of the folds' mean is
    (1 / n_folds + n_test / n_train) times that of the folds. Nadeau and Bengio (2003), Machine Learning 52.
    """
    excess = np.abs(y - predictions) - np.abs(y - other)
    splits = _splits(groups, len(excess))
    by_fold = [excess[number // N_SPLITS, test].mean() for number, (_, test) in enumerate(splits)]
    correction = 1 / len(splits) + 1 / (N_SPLITS - 1)  # n_test / n_train
    return float(excess.mean()), math.sqrt(correction * np.var(by_fold, ddof=1)), len(splits) - 1
