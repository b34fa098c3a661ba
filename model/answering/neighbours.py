"""The rows nearest to a scenario, and how unusual their distance is."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from model.fitting.encoding import locate, subtract
from model.fitting.train import N_BACKGROUND, Model

FloatArray = NDArray[np.float64]
SUPPORT_LEVELS = ("near", "far", "very far")  # distance from every row
_MAX_PAIRS = 1_000_000  # distances computed at once


def nearest_rows(model: Model, X: FloatArray, k: int = 1) -> tuple[NDArray[np.intp], FloatArray]:
    """Find the k rows of a model nearest to each scenario.

    Parameters
    ----------
    X
        Scenarios of shape (n, n_features) in stored units.

    Returns
    -------
    indices
        In the model's rows, of shape (n, k), nearest first; among up to `N_BACKGROUND` rows, ties go to the first.
    distances
        Of shape (n, k) [standard deviations of the inputs].
    """
    if len(model.X) > N_BACKGROUND:
        distances, indices = model.search_tree.query(locate(X, model.scale), k=range(1, k + 1))
        return indices, distances
    index_blocks: list[NDArray[np.intp]] = []
    distance_blocks: list[FloatArray] = []
    block_size = _MAX_PAIRS // len(model.X)
    for begin in range(0, len(X), block_size):
        block = X[begin : begin + block_size]
        distances = np.linalg.norm(subtract(model.X, block[:, None], model.scale), axis=2)
        index_blocks.append(
            distances.argmin(axis=1)[:, None] if k == 1 else np.argsort(distances, axis=1, kind="stable")[:, :k]
        )
        distance_blocks.append(np.take_along_axis(distances, index_blocks[-1], axis=1))
    return np.concatenate(index_blocks), np.concatenate(distance_blocks)


def classify_support(model: Model, X: FloatArray, distances: ArrayLike) -> NDArray[np.str_]:
    """Classify scenarios by their distance from the rows, compared with the rows' own distances and leverage.

    Parameters
    ----------
    X
        Scenarios of shape (n, n_features) in stored units.
    distances
        To the nearest row, of shape (n,) [standard deviations].

    Returns
    -------
    support
        Of shape (n,): "near"; "far" above the 95th percentile of the rows' own distances; "very far" above the
        largest of them, or where the leverage is above that of every row.
    """
    far, very_far = model.far_distances
    distances = np.asarray(distances)
    is_very_far = (distances > very_far) | (model.leverage(X) > model.most_leverage * (1 + 1e-9))
    return np.array(SUPPORT_LEVELS)[np.where(is_very_far, 2, distances > far)]
