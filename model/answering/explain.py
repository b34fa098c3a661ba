"""Why this prediction and not the average: exact Shapley values against the rows as background."""

from functools import cache
from math import factorial

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@cache
def _coalitions(n_features: int) -> NDArray[np.bool_]:
    """All subsets of the inputs, as a boolean array of shape (2**n, n): row c holds the bits of c."""
    return (np.arange(2**n_features)[:, None] >> np.arange(n_features) & 1).astype(bool)


def coalition_rows(x: FloatArray, background: FloatArray) -> FloatArray:
    """Rows whose mean prediction, coalition by coalition, is what that coalition alone is worth.

    Parameters
    ----------
    x
        The scenario, of shape (n_features,).
    background
        The rows that stand for "not known", of shape (n_rows, n_features).

    Returns
    -------
    rows
        Of shape (2**n_features * n_rows, n_features), coalition by coalition: inputs in it from ``x``, the others from
        the background.
    """
    inside = _coalitions(len(x))
    rows = np.where(inside[:, None, :], x, background)
    return rows.reshape(-1, len(x))


def shapley_values(predictions: FloatArray, n_features: int) -> tuple[float, FloatArray]:
    """Share the difference between a prediction and the average one among the inputs.

    Parameters
    ----------
    predictions
        Of `coalition_rows`, shape (2**n_features * n_rows,) [unit of the target].

    Returns
    -------
    average
        Mean prediction over the background.
    contributions
        Of shape (n_features,); they add up to the scenario's prediction minus ``average``.

    Notes
    -----
    Exact, all 2**n coalitions: Shapley (1953); the interventional form of Lundberg and Lee (2017).
    """
    values = predictions.reshape(2**n_features, -1).mean(axis=1)
    inside = _coalitions(n_features)
    size = inside.sum(axis=1)
    contributions = np.zeros(n_features)
    for feature in range(n_features):
        without = np.flatnonzero(~inside[:, feature])
        weight = [factorial(s) * factorial(n_features - s - 1) / factorial(n_features) for s in size[without]]
        contributions[feature] = np.dot(weight, values[without + 2**feature] - values[without])
    return float(values[0]), contributions
