"""The rows nearest to a scenario, and how unusual their distance is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.schema import FEATURES
from model.fitting.encoding import locate, subtract
from model.fitting.train import N_BACKGROUND, Model

FloatArray = NDArray[np.float64]
SUPPORT_LEVELS = ("near", "far", "very far")  # distance from every row
_MAX_PAIRS = 1_000_000  # distances computed at once
_N_FIRST = 30  # rows that limit which others can be nearest


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


def curve_distances(model: Model, x: FloatArray, grids: Mapping[int, FloatArray]) -> list[FloatArray]:
    """Distances to the nearest row, as from `nearest_rows`, of a scenario with one input set to each of some values.

    All scenarios of a curve share their distances in the other inputs, so a curve costs little more than one of them.

    Parameters
    ----------
    x
        The scenario, of shape (n_features,), in stored units.
    grids
        Index of an input -> values to set it to, of shape (n_steps,).

    Returns
    -------
    list of ndarray of shape (n_steps,)
        A curve for each of ``grids`` [standard deviations of the inputs].
    """
    squares = subtract(model.X, x, model.scale) ** 2
    return [_distances_along(model, squares, feature, grid) for feature, grid in grids.items()]


def _distances_along(model: Model, squares: FloatArray, feature: int, grid: FloatArray) -> FloatArray:
    others, values = squares[:, :feature].sum(axis=1) + squares[:, feature + 1 :].sum(axis=1), model.X[:, feature]
    if FEATURES[feature].choices:
        nearest = np.full(len(grid), np.inf)  # among the rows with each choice
        np.minimum.at(nearest, values.astype(np.intp), others)
        return np.sqrt(np.minimum(nearest, others.min() + 1))

    def nearest_of(rows: Any) -> FloatArray:
        of_others, of_feature = others[rows], values[rows]
        n_steps = max(1, _MAX_PAIRS // len(of_others))  # at once
        parts = [
            (of_others + ((grid[step : step + n_steps, None] - of_feature) / model.scale[feature]) ** 2).min(axis=1)
            for step in range(0, len(grid), n_steps)
        ]
        return np.concatenate(parts)

    if len(values) <= N_BACKGROUND:
        return np.sqrt(nearest_of(slice(None)))
    # Of many rows only those can be nearest that are nearer in the other inputs alone than some few are in all.
    reach = nearest_of(np.argpartition(others, _N_FIRST)[:_N_FIRST]).max()
    return np.sqrt(nearest_of(others <= reach))


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
