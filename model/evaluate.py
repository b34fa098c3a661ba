"""Honest accuracy: predictions of rows that the fit has not seen, the scores of them, and the band they earn."""

import inspect
import math
import warnings
from functools import cache, lru_cache

import numpy as np

from model.forest import predict_once

N_REPEATS, N_SPLITS = 10, 5
N_ENOUGH = 2000  # rows above which one round of folds says nearly what ten say
_N_GROUPED = 20_000  # rows above which a bootstrap of single rows takes seconds


def n_repeats_for(n_rows):
    """How often the rows are split anew: ten times, and less often when they are many."""
    return max(1, min(N_REPEATS, N_REPEATS * N_ENOUGH // n_rows))


def folds_of(n_repeats: int) -> dict[str, int]:
    """What settles the folds of as many rows: equal ones give equal folds."""
    return {"n_repeats": n_repeats, "n_splits": N_SPLITS, "seed": 0}


def predictions_of(fitted, X, y):
    """Predict rows: what is kept of a fold where nothing more is asked for."""
    return predict_once(fitted, X)


def out_of_fold(
    unfitted, X, y, *, n_repeats=N_REPEATS, seed=0, n_jobs=1, progress=None, keep=predictions_of, fits=None
):
    """Predict every row from fits that have not seen it, in repeated 5-fold cross-validation.

    Parameters
    ----------
    unfitted : sklearn estimator
        Cloned for each fold.
    X : ndarray of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    n_repeats : int, default=10
        How often the rows are split anew.
    seed : int, default=0
        Of the splits: equal seeds give equal folds, whatever the estimator.
    n_jobs : int, default=1
        Processes at work; the result does not depend on it.
    progress : callable, optional
        Called with (folds done, folds in all) after each.
    keep : callable, optional
        What to keep of each fit, from (fitted, X_test, y_test) to an array of shape (n_test, ...);
        its predictions unless told otherwise.
    fits : iterable of (int, ndarray), optional
        Number of each fold and what was kept of it, in any order, where they are fitted elsewhere, as by
        `model.cluster`; else they are fitted here, in ``n_jobs`` processes.

    Returns
    -------
    ndarray of shape (n_repeats, n_rows, ...)
        What was kept, row by row; predictions are in the unit of ``y``.

    Raises
    ------
    ValueError
        If there are fewer rows than folds.
    """
    folds = _folds(len(y), n_repeats, seed)
    for done, (fold, values) in enumerate(fits or _fits_here(unfitted, X, y, folds, keep, n_jobs), 1):
        if done == 1:
            kept = np.empty((n_repeats, len(y), *values.shape[1:]))
        kept[fold // N_SPLITS, folds[fold][1]] = values
        if progress:
            progress(done, len(folds))
    return kept


def _fits_here(unfitted, X, y, folds, keep, n_jobs):
    from joblib import Parallel, delayed

    return enumerate(
        Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_fit_keep)(unfitted, X, y, train, test, keep) for train, test in folds
        )
    )


def fit_fold(unfitted, X, y, fold, n_repeats, seed, keep):
    """Fit one fold of `out_of_fold` by its number, and return what is to be kept of it."""
    return _fit_keep(unfitted, X, y, *_folds(len(y), n_repeats, seed)[fold], keep)


@lru_cache(maxsize=1)  # a process that fits folds by their numbers asks for the same splits again and again
def _folds(n_rows, n_repeats, seed=0):
    """Places of the rows to fit on and to test on, fold by fold."""
    from sklearn.model_selection import RepeatedKFold

    return list(RepeatedKFold(n_splits=N_SPLITS, n_repeats=n_repeats, random_state=seed).split(np.empty(n_rows)))


def _fit_keep(unfitted, X, y, train, test, keep):
    from sklearn import config_context
    from sklearn.base import clone
    from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

    for tree in (DecisionTreeRegressor, ExtraTreeRegressor):
        # scikit-learn asks for the constructor's signature three times a tree, a sixth of the time of a small forest;
        # a function that carries its own is not taken apart anew.
        vars(tree.__init__).setdefault("__signature__", inspect.signature(tree.__init__))
    # Sums of many rows differ in their last bits with the number of threads that share them, and that number with the
    # machine. The fit on all rows has checked the parameters.
    with _pools().limit(limits=1, user_api="blas"), config_context(skip_parameter_validation=True):
        return keep(fit(clone(unfitted), X[train], y[train]), X[test], y[test])


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


def scores(y, predictions):
    """Score out-of-fold predictions, each score with a standard error from resampling the rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    predictions : ndarray of shape (n_repeats, n_rows)

    Returns
    -------
    dict
        ``mae`` and ``rmse`` [unit of y] and ``r2`` [1]; each ``{"value": float, "standard_error": float}``.

    Notes
    -----
    2,000 bootstrap samples of the rows, always the same ones; of many rows, samples of 2,000 random groups of them.
    """
    absolute = np.abs(y - predictions).mean(axis=0)
    squared = ((y - predictions) ** 2).mean(axis=0)
    mae, rmse, r2 = _scores_of(slice(None), y, absolute, squared)
    generator = np.random.default_rng(0)
    if len(y) > _N_GROUPED:
        errors = _errors_by_group(generator, y, absolute, squared)
    else:
        n_resamples = max(100, min(2000, 2000 * N_ENOUGH // len(y)))
        samples = (generator.integers(len(y), size=len(y)) for _ in range(n_resamples))
        errors = np.std([_scores_of(rows, y, absolute, squared) for rows in samples], axis=0, ddof=1)
    return {
        name: {"value": float(value), "standard_error": float(error)}
        for name, value, error in zip(("mae", "rmse", "r2"), (mae, rmse, r2), errors, strict=True)
    }


def _errors_by_group(generator, y, absolute, squared):
    """Standard errors from resampling groups of rows, whose sums are all that the scores need."""
    order = generator.permutation(len(y))
    away = y - y.mean()
    starts = np.linspace(0, len(y), N_ENOUGH, endpoint=False).astype(int)
    sums = [np.add.reduceat(values[order], starts) for values in (absolute, squared, away, away**2)]
    sums.append(np.diff(starts, append=len(y)))
    drawn = generator.multinomial(N_ENOUGH, np.full(N_ENOUGH, 1 / N_ENOUGH), size=2000)  # how often each group
    *totals, n = (drawn @ np.column_stack(sums)).T
    mae, mse, mean, square = (total / n for total in totals)
    variance = square - mean**2
    return np.std([mae, np.sqrt(mse), 1 - mse / np.where(variance > 0, variance, np.inf)], axis=1, ddof=1)


def _scores_of(rows, y, absolute, squared):
    variance = y[rows].var()
    mse = squared[rows].mean()
    return absolute[rows].mean(), math.sqrt(mse), 1 - mse / variance if variance else 0.0


def mae_difference(y, predictions, other, coverage=0.9):
    """By how much the mean absolute error exceeds another model's on the same rows and folds.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    predictions, other : ndarray of shape (n_repeats, n_rows)
        From `out_of_fold` with its own seed of the splits.
    coverage : float, default=0.9
        Of the interval [1].

    Returns
    -------
    dict
        ``value``, ``low`` and ``high`` [unit of y]; negative is better. Where the interval holds 0 the two
        cannot be told apart.

    Notes
    -----
    The corrected resampled t interval: folds share rows to fit on, so the variance of the folds' mean is
    (1 / n_folds + n_test / n_train) times that of the folds. Nadeau and Bengio (2003), Machine Learning 52.
    """
    from scipy.stats import t

    excess = np.abs(y - predictions) - np.abs(y - other)
    folds = _folds(len(y), len(excess))
    by_fold = [excess[fold // N_SPLITS, test].mean() for fold, (_, test) in enumerate(folds)]
    correction = 1 / len(folds) + 1 / (N_SPLITS - 1)  # n_test / n_train
    error = math.sqrt(correction * np.var(by_fold, ddof=1))
    value, half = float(excess.mean()), float(t.ppf((1 + coverage) / 2, len(folds) - 1) * error)
    return {"value": value, "low": value - half, "high": value + half}


def verdict(difference):
    """-1 where the interval of a difference says better, 1 worse, and 0 where the two cannot be told apart."""
    return -1 if difference["high"] < 0 else 1 if difference["low"] > 0 else 0


def in_order(residuals):
    """Sizes of residuals, the smallest first: all that the band needs of them."""
    return np.sort(np.abs(residuals))


def half_width(residuals, coverage=0.9, sizes=None):
    """Half-width of the band that held the asked share of held-out errors.

    Parameters
    ----------
    residuals : array_like of shape (n_rows,)
        Out-of-fold errors, observed minus predicted [unit of y].
    coverage : float, default=0.9
        Share of the errors to hold [1], in (0, 1).
    sizes : ndarray of shape (n_rows,), optional
        Them `in_order`, where that is known: the answer then takes no time.

    Returns
    -------
    float
        Half-width >= 0 [unit of y].

    Raises
    ------
    ValueError
        If ``coverage`` is outside (0, 1) or there are too few residuals for it.

    Notes
    -----
    The k-th smallest absolute residual, k = ceil((n + 1) * coverage): Lei et al. (2018), JASA 113(523).
    """
    rank = _rank(len(residuals), coverage)
    return float((in_order(residuals) if sizes is None else sizes)[rank - 1])


def n_held(residuals, coverage=0.9, sizes=None):
    """How many rows lie in the band when the other rows alone set its width.

    Parameters
    ----------
    residuals : array_like of shape (n_rows,)
        Out-of-fold errors [unit of y].
    coverage : float, default=0.9
        Share of the errors to hold [1], in (0, 1).
    sizes : ndarray of shape (n_rows,), optional
        As for `half_width`.

    Returns
    -------
    int
        Out of ``len(residuals)``. With a width that the row itself helped to set it would be k by construction.

    Raises
    ------
    ValueError
        As `half_width`, for one row fewer.
    """
    rank = _rank(len(residuals) - 1, coverage)
    sizes = in_order(residuals) if sizes is None else sizes
    # Without a row, the k-th smallest of the others is the k-th of all, or the next one if the row stands before it:
    # the row is held if it does, and it is not if it is larger than the k-th.
    return int(np.searchsorted(sizes, sizes[rank - 1], side="right"))


def _rank(n, coverage):
    if not 0 < coverage < 1:
        raise ValueError(f"coverage: {coverage} is not between 0 and 1.")
    rank = math.ceil(round((n + 1) * coverage, 9))  # 0.1 * 30 is a little more than 3
    if rank > n:
        raise ValueError(f"coverage: {coverage} needs more than {n} residuals.")
    return rank
