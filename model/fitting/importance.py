"""What matters to a model: how much worse it predicts when one input is taken from other rows."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.schema import FEATURE_NAMES
from model.fitting.forest import predict_once
from model.fitting.scores import Estimate

KINDS = ("held_out", "in_sample")  # judged by rows that the fit has not seen, or by its own rows
_N_PREDICTED = 2500  # rows to predict for each input; up to 50 rows it is every row with every other's value
_N_LISTED = 1000  # rows up to which losses are recorded with six digits, for people to read

Losses = dict[str, NDArray[np.floating]]  # "plain" and each input -> squared error of each row, shape (n_rows,)


def predictions_and_losses(fitted: Any, X: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict rows as they are, and score them with each input in turn taken from other rows.

    Parameters
    ----------
    fitted
        Estimator.
    X
        Of shape (n_rows, n_features).
    y
        Of shape (n_rows,).

    Returns
    -------
    ndarray of shape (n_rows, 1 + n_features)
        The prediction [unit of y], then for each input the mean squared error of the row over the
        exchanges [unit of y, squared].

    Notes
    -----
    Permutation importance by cyclic shifts of the rows in a random order: with all n - 1 shifts it is the
    exact mean over all exchanges, e_switch of Fisher, Rudin and Dominici (2019), JMLR 20(177).
    """
    n_rows, n_features = X.shape
    n_shifts = min(n_rows - 1, max(1, _N_PREDICTED // n_rows))
    order = np.random.default_rng(0).permutation(n_rows)
    variants = np.tile(X, (1 + n_features * n_shifts, 1, 1))
    shuffled_variants = iter(variants[1:])
    for feature in range(n_features):
        for shift in range(1, n_shifts + 1):
            next(shuffled_variants)[order, feature] = X[np.roll(order, shift), feature]
    predictions = predict_once(fitted, variants.reshape(-1, n_features)).reshape(len(variants), n_rows)
    losses = ((y - predictions[1:]) ** 2).reshape(n_features, n_shifts, n_rows).mean(axis=1)
    return np.column_stack([predictions[0], *losses])


def losses_of(kept: NDArray[np.float64], y: NDArray[np.float64]) -> Losses:
    """Mean squared errors row by row, so that a model can be judged by any choice of its rows.

    Parameters
    ----------
    kept
        From `predictions_and_losses`, of shape (n_repeats, n_rows, 1 + n_features).
    y
        Of shape (n_rows,).

    Returns
    -------
    Losses
        [unit of y, squared]: with six digits, of many rows in single precision, which holds more.
    """
    losses = [((y - kept[:, :, 0]) ** 2).mean(axis=0), *kept[:, :, 1:].mean(axis=0).T]
    if len(y) > _N_LISTED:
        rounded = [errors.astype(np.float32) for errors in losses]
    else:
        rounded = [np.array([float(f"{loss:.6g}") for loss in errors]) for errors in losses]
    return dict(zip(("plain", *FEATURE_NAMES), rounded, strict=True))


def importances(losses: Losses, positions: ArrayLike) -> dict[str, Estimate]:
    """By how much the root mean square error of some rows rises without each input [unit of the target].

    Parameters
    ----------
    losses
        From `losses_of`.
    positions
        Positions of the model's rows to judge by, at least two.

    Notes
    -----
    The standard error is over the rows, by the delta method.
    """
    rows = np.asarray(positions)
    plain = losses["plain"][rows].astype(float)
    plain_rmse = np.sqrt(plain.mean())
    rises = {}
    for name in FEATURE_NAMES:
        shuffled = losses[name][rows].astype(float)
        shuffled_rmse = np.sqrt(shuffled.mean())
        slopes = shuffled / (shuffled_rmse or 1) - plain / (plain_rmse or 1)
        standard_error = np.std(slopes / 2, ddof=1) / np.sqrt(len(plain))
        rises[name] = Estimate(float(shuffled_rmse - plain_rmse), float(standard_error))
    return rises
