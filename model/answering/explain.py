"""Why this prediction and not the average: exact Shapley values against the rows as background."""

from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray


@cache
def _coalitions(n_features: int) -> NDArray[np.bool_]:
    """All subsets of the inputs, as a boolean array of shape (2**n, n): row c holds the bits of c."""
    return (np.arange(2**n_features)[:, None] >> np.arange(n_features) & 1).astype(bool)


def coalition_rows(x: NDArray[np.float64], background: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows whose mean prediction, coalition by coalition, is what that coalition alone is worth.

    Parameters
    ----------
    x
        Of shape (n_features,).
        The scenario.
    background
        Of shape (n_rows, n_features).
        The rows that stand for "not known".

    Returns
    -------
    ndarray of shape (2**n_features * n_rows, n_features)
        Coalition by coalition: inputs in it from ``x``, the others from the background.
    """
    inside = _coalitions(len(x))
    rows = np.where(inside[:, None, :], x, background)
    return rows.reshape(-1, len(x))


def shapley(predictions: NDArray[np.float64], n_features: int) -> tuple[float, NDArray[np.float64]]:
    """Share the way from the average prediction to this one among the inputs.

    Parameters
    ----------
    predictions
        Of shape (2**n_features * n_rows,).
        Of `coalition_rows` [unit of the target].

    Returns
    -------
    average : float
        Mean prediction over the background.
    contributions : ndarray of shape (n_features,)
        They add up to the scenario's prediction minus ``average``.

    Notes
    -----
    Exact, all 2**n coalitions: Shapley (1953); the interventional form of Lundberg and Lee (2017).
    """
    worth = predictions.reshape(2**n_features, -1).mean(axis=1)
    inside = _coalitions(n_features)
    size = inside.sum(axis=1)
    contributions = np.zeros(n_features)
    for feature in range(n_features):
        without = np.flatnonzero(~inside[:, feature])
        weight = [factorial(s) * factorial(n_features - s - 1) / factorial(n_features) for s in size[without]]
        contributions[feature] = np.dot(weight, worth[without + 2**feature] - worth[without])
    return float(worth[0]), contributions
