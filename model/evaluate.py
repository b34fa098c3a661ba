"""Honest accuracy: predictions of rows that the fit has not seen, the scores of them, and the band they earn."""

import math

import numpy as np

N_REPEATS, N_SPLITS = 10, 5


def _predictions(fitted, X, y):
    return fitted.predict(X)


def out_of_fold(unfitted, X, y, *, n_repeats=N_REPEATS, seed=0, n_jobs=1, progress=None, keep=_predictions):
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

    Returns
    -------
    ndarray of shape (n_repeats, n_rows, ...)
        What was kept, row by row; predictions are in the unit of ``y``.

    Raises
    ------
    ValueError
        If there are fewer rows than folds.
    """
    from joblib import Parallel, delayed
    from sklearn.model_selection import RepeatedKFold

    folds = list(RepeatedKFold(n_splits=N_SPLITS, n_repeats=n_repeats, random_state=seed).split(X))
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_keep)(unfitted, X, y, train, test, keep) for train, test in folds
    )
    for fold, ((_, test), values) in enumerate(zip(folds, fits, strict=True)):
        if fold == 0:
            kept = np.empty((n_repeats, len(y), *values.shape[1:]))
        kept[fold // N_SPLITS, test] = values
        if progress:
            progress(fold + 1, len(folds))
    return kept


def _fit_keep(unfitted, X, y, train, test, keep):
    from sklearn.base import clone

    return keep(clone(unfitted).fit(X[train], y[train]), X[test], y[test])


def scores(y, predictions, n_resamples=2000):
    """Score out-of-fold predictions, each score with a standard error from resampling the rows.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    predictions : ndarray of shape (n_repeats, n_rows)
    n_resamples : int, default=2000
        Bootstrap samples of the rows, always the same ones, so that two calls can be compared.

    Returns
    -------
    dict
        ``mae`` and ``rmse`` [unit of y] and ``r2`` [1]; each ``{"value": float, "standard_error": float}``.
    """
    absolute = np.abs(y - predictions).mean(axis=0)
    squared = ((y - predictions) ** 2).mean(axis=0)
    mae, rmse, r2 = _scores_of(slice(None), y, absolute, squared)
    samples = np.random.default_rng(0).integers(len(y), size=(n_resamples, len(y)))
    spread = np.std([_scores_of(rows, y, absolute, squared) for rows in samples], axis=0, ddof=1)
    return {
        name: {"value": float(value), "standard_error": float(error)}
        for name, value, error in zip(("mae", "rmse", "r2"), (mae, rmse, r2), spread, strict=True)
    }


def _scores_of(rows, y, absolute, squared):
    variance = y[rows].var()
    mse = squared[rows].mean()
    return absolute[rows].mean(), math.sqrt(mse), 1 - mse / variance if variance else 0.0


def mae_difference(y, predictions, other):
    """By how much the mean absolute error exceeds another model's on the same rows and folds.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
    predictions, other : ndarray of shape (n_repeats, n_rows)

    Returns
    -------
    dict
        ``value`` and ``standard_error`` (paired over the rows) [unit of y]; negative is better.
    """
    difference = (np.abs(y - predictions) - np.abs(y - other)).mean(axis=0)
    return {
        "value": float(difference.mean()),
        "standard_error": float(difference.std(ddof=1) / math.sqrt(len(y))),
    }


def half_width(residuals, coverage=0.9):
    """Half-width of the band that held the asked share of held-out errors.

    Parameters
    ----------
    residuals : array_like of shape (n_rows,)
        Out-of-fold errors, observed minus predicted [unit of y].
    coverage : float, default=0.9
        Share of the errors to hold [1], in (0, 1).

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
    n = len(residuals)
    return float(np.sort(np.abs(residuals))[_rank(n, coverage) - 1])


def n_held(residuals, coverage=0.9):
    """How many rows lie in the band when the other rows alone set its width.

    Parameters
    ----------
    residuals : array_like of shape (n_rows,)
        Out-of-fold errors [unit of y].
    coverage : float, default=0.9
        Share of the errors to hold [1], in (0, 1).

    Returns
    -------
    int
        Out of ``len(residuals)``. With a width that the row itself helped to set it would be k by construction.

    Raises
    ------
    ValueError
        As `half_width`, for one row fewer.
    """
    sizes = np.abs(residuals)
    rank = _rank(len(sizes) - 1, coverage)
    ordered = np.sort(sizes)
    # Without a row, the k-th smallest of the others is the k-th of all, or the next one if the row stands before it.
    width = np.where(sizes <= ordered[rank - 1], ordered[rank], ordered[rank - 1])
    return int((sizes <= width).sum())


def _rank(n, coverage):
    if not 0 < coverage < 1:
        raise ValueError(f"coverage: {coverage} is not between 0 and 1.")
    rank = math.ceil(round((n + 1) * coverage, 9))  # 0.1 * 30 is a little more than 3
    if rank > n:
        raise ValueError(f"coverage: {coverage} needs more than {n} residuals.")
    return rank
