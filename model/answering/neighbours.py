"""The rows nearest to scenarios, and how unusual their distance is."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fitting.train import N_BACKGROUND, Model

LEVELS = ("near", "far", "very far")  # from every row
_PAIRS = 1_000_000  # distances at a time


def nearest(model: Model, X: NDArray[np.float64], k: int = 1) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the rows of a model nearest to scenarios.

    Parameters
    ----------
    X
        Of shape (n, n_features).
        Scenarios in stored units.
    k
        How many rows for each.

    Returns
    -------
    places : ndarray of int, shape (n, k)
        In the model's rows, the nearest first; of equals the first row, while they are few.
    distances : ndarray of shape (n, k)
        [standard deviations of the inputs]
    """
    if len(model.X) > N_BACKGROUND:
        distances, places = model.tree.query(X / model.scale, k=range(1, k + 1))
        return places, distances
    places, distances = [], []
    for start in range(0, len(X), _PAIRS // len(model.X)):
        some = X[start : start + _PAIRS // len(model.X)]
        each = np.linalg.norm((model.X - some[:, None]) / model.scale, axis=2)
        places.append(each.argmin(axis=1)[:, None] if k == 1 else np.argsort(each, axis=1, kind="stable")[:, :k])
        distances.append(np.take_along_axis(each, places[-1], axis=1))
    return np.concatenate(places), np.concatenate(distances)


def support(
    model: Model,
    X: NDArray[np.float64],
    distances: tuple[int, float, float, float, float] | list[Any] | NDArray[np.float64],
) -> NDArray[np.float64]:
    """Say how far from the rows scenarios are, by how far the rows are from each other, and from their middle.

    Parameters
    ----------
    X
        Of shape (n, n_features).
        Scenarios in stored units.
    distances
        Of shape (n,).
        To the nearest row [standard deviations].

    Returns
    -------
    ndarray of str
        "near"; "far" above the 95th percentile of the rows' own distances; "very far" above the largest of them, or
        where the leverage is above that of every row.
    """
    far, very_far = model.far
    distances = np.asarray(distances)
    is_very_far = (distances > very_far) | (model.leverage(X) > model.most_leverage * (1 + 1e-9))
    return np.array(LEVELS)[np.where(is_very_far, 2, distances > far)]
