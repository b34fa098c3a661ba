"""Fitted models as a few arrays that only predict: hundreds of refits in a megabyte, asked in one call.

Each prediction is a sum of a line, of trees, and of smooth surfaces around rows. So parts of a kind lie side by side:
coefficients as one matrix, trees as flat tables, weights of the rows. Features are inputs as they are encoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fitting.encoding import encode

FloatArray = NDArray[np.float64]
Nodes = tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Compact:
    """Fits that only predict.

    Attributes
    ----------
    intercepts, slopes : ndarray of shape (n_fits,), (n_fits, n_features)
        Of the line in each fit.
    feature, threshold, child, value : ndarray of shape (n_nodes,)
        Of all trees: a row goes to ``child``, or to the node after it where its input is above the threshold. A leaf
        is its own child, and its threshold infinite. ``value`` is what a leaf adds.
    root, depth, fit_of : ndarray of shape (n_trees,)
        First node and depth of each tree, the deepest first, and the fit that it belongs to.
    centres : ndarray of shape (n_surfaces, n_centres, n_features)
        Rows that a smooth surface lies around, in its own lengths.
    weights : ndarray of shape (n_surfaces, n_centres)
    lengths : ndarray of shape (n_surfaces, n_features)
        What an input is divided by before its distance to the centres is taken.
    surface_of : ndarray of shape (n_surfaces,)
        The fit that a surface belongs to.
    """

    intercepts: FloatArray
    slopes: FloatArray
    feature: NDArray[np.int8 | np.int16]
    threshold: NDArray[np.float32]
    child: NDArray[np.int32]
    value: NDArray[np.float32]
    root: NDArray[np.int32]
    depth: NDArray[np.int32]
    fit_of: NDArray[np.int32]
    centres: FloatArray
    weights: FloatArray
    lengths: FloatArray
    surface_of: NDArray[np.int32]

    def predict(self, X: FloatArray) -> FloatArray:
        """Predict rows with every fit.

        Parameters
        ----------
        X
            Of shape (n_rows, n_inputs), in stored units.

        Returns
        -------
        ndarray of shape (n_rows, n_fits)
            To about seven digits: trees are kept in single precision.
        """
        X = encode(X)
        predictions = self.intercepts + X @ self.slopes.T
        if len(self.root):
            order, starts, fits = self._by_fit
            leaves = self.value.take(self._leaves(X.astype(np.float32)).take(order, axis=0))
            predictions[:, fits] += np.add.reduceat(leaves.T.astype(float, order="C"), starts, axis=1)
        if len(self.surface_of):
            Z = X / self.lengths[:, None]  # shape (n_surfaces, n_rows, n_features), and so on
            powers = Z @ self.centres.transpose(0, 2, 1) - (Z**2).sum(axis=2)[:, :, None] / 2 - self._norms[:, None] / 2
            predictions[:, self.surface_of] += (np.exp(powers, out=powers) @ self.weights[:, :, None])[:, :, 0].T
        return predictions

    @cached_property
    def _norms(self) -> NDArray[np.float64]:
        """Squared length of each centre, shape (n_surfaces, n_centres)."""
        return (self.centres**2).sum(axis=2)

    def _leaves(self, X: NDArray[np.float32]) -> NDArray[np.intp]:
        """Node in which each row ends, tree by tree, shape (n_trees, n_rows)."""
        feature, child = self._indices
        columns = np.ascontiguousarray(X.T)

        def is_above(nodes: NDArray[np.intp]) -> NDArray[np.bool_]:
            """Which rows are above the threshold of one node of each tree."""
            return columns.take(feature[nodes], axis=0) > self.threshold[nodes, None]

        # Most trees are shallow: it is faster to compare at both nodes below the root, and then to choose.
        root, low, high = self._first_nodes
        at_root = is_above(root)
        nodes = np.where(at_root, child[high, None], child[low, None]) + np.where(
            at_root, is_above(high), is_above(low)
        )
        values, places, offsets = columns.ravel(), feature * len(X), np.arange(len(X))
        for n_deep in self._n_deeper[2:]:
            current = nodes[:n_deep]
            moves = values.take(places.take(current) + offsets) > self.threshold.take(current)
            np.add(child.take(current), moves, out=current)
        return nodes

    @cached_property
    def _indices(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Feature and child of each node, in the type that numpy would convert them to each time."""
        return self.feature.astype(np.intp), self.child.astype(np.intp)

    @cached_property
    def _first_nodes(self) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
        """Root of each tree, and where rows go that are not above its threshold and that are: a leaf keeps all."""
        root = self.root.astype(np.intp)
        low = self.child[root].astype(np.intp)
        return root, low, low + (low != root)

    @cached_property
    def _n_deeper(self) -> list[int]:
        """How many trees are deeper than each level: the deepest come first."""
        return [int(np.searchsorted(-self.depth, -level)) for level in range(int(self.depth[0]))]

    @cached_property
    def _by_fit(self) -> Any:
        """Order of the trees by fit, where each fit's trees begin in that order, and the fits that have trees."""
        order = np.argsort(self.fit_of, kind="stable")
        starts = np.flatnonzero(np.diff(self.fit_of[order], prepend=-1))
        return order, starts, self.fit_of[order][starts]


@dataclass
class Parts:
    """What one fit adds up."""

    intercept: float
    slopes: FloatArray
    trees: list[tuple[Nodes, int]]
    surfaces: list[tuple[FloatArray, FloatArray, FloatArray]]


PartsOf = Callable[[Any, int], Parts]  # from a fitted regressor and its number of inputs


def take_apart(pipeline: Any, regressor_parts: PartsOf) -> Parts:
    """Return what a fitted `model.fitting.recipe.build_pipeline` adds up, its scaling folded in.

    Parameters
    ----------
    regressor_parts
        The field ``parts_of`` of its algorithm's entry.
    """
    prepare, regressor = pipeline.named_steps["prepare"], pipeline[-1]
    n_features = regressor.n_features_in_
    mean = getattr(prepare, "mean_", np.zeros(n_features))
    scale = getattr(prepare, "scale_", np.ones(n_features))
    parts = regressor_parts(regressor, n_features)
    slopes = parts.slopes / scale
    surfaces = [
        (centres / lengths + mean / (scale * lengths), weights, scale * lengths)
        for centres, weights, lengths in parts.surfaces
    ]
    return Parts(parts.intercept - float(slopes @ mean), slopes, parts.trees, surfaces)


def of_line(line: Any, n_features: int) -> Parts:
    """Parts of a straight line."""
    return Parts(float(line.intercept_), np.ravel(line.coef_), [], [])


def of_forest(forest: Any, n_features: int) -> Parts:
    """Parts of a mean of independent trees."""
    weight = 1 / len(forest.estimators_)
    return Parts(0.0, np.zeros(n_features), [_nodes(tree.tree_, weight) for tree in forest.estimators_], [])


def of_boosting(boosting: Any, n_features: int) -> Parts:
    """Parts of gradient boosting."""
    trees = [_nodes(tree.tree_, boosting.learning_rate) for tree in boosting.estimators_[:, 0]]
    return Parts(float(boosting.init_.constant_.item()), np.zeros(n_features), trees, [])


def of_histograms(boosting: Any, n_features: int) -> Parts:
    """Parts of boosting on binned inputs."""
    trees = []
    for (predictor,) in boosting._predictors:  # noqa: SLF001 - no other way to its trees
        nodes = predictor.nodes
        names = "feature_idx", "num_threshold", "left", "right", "value"
        feature, threshold, left, right, value = (nodes[name] for name in names)
        trees.append(_order_nodes(feature, threshold, left.astype(int), right.astype(int), value, nodes["is_leaf"] > 0))
    return Parts(float(np.ravel(boosting._baseline_prediction)[0]), np.zeros(n_features), trees, [])  # noqa: SLF001


def of_line_and_forest(vote: Any, n_features: int) -> Parts:
    """Parts of the mean of a line and a forest: `model.fitting.algorithms.line_and_forest`."""
    line, forest = vote.estimators_
    parts = [of_line(line, n_features), of_forest(forest, n_features)]
    share = 1 / len(parts)
    return Parts(
        share * sum(part.intercept for part in parts),
        share * np.sum([part.slopes for part in parts], axis=0),
        [
            ((feature, threshold, child, value * share), depth)
            for part in parts
            for (feature, threshold, child, value), depth in part.trees
        ],
        [],
    )


def of_process(process: Any, n_features: int) -> Parts:
    """Parts of a line with a smooth surface: the kernel is that of `model.fitting.algorithms.gaussian_process`."""
    line, smooth = process.kernel_.k1.k1, process.kernel_.k1.k2
    weights = process.alpha_ * process._y_train_std  # noqa: SLF001 - no other way to its scale
    intercept = float(process._y_train_mean + line.sigma_0**2 * weights.sum())  # noqa: SLF001
    lengths = np.full(n_features, smooth.k2.length_scale)
    surface = (process.X_train_, smooth.k1.constant_value * weights, lengths)
    return Parts(intercept, weights @ process.X_train_, [], [surface])


def _nodes(tree: Any, weight: float) -> tuple[Nodes, int]:
    left = tree.children_left
    return _order_nodes(tree.feature, tree.threshold, left, tree.children_right, weight * tree.value[:, 0, 0], left < 0)


def _order_nodes(
    feature: NDArray[np.int64],
    threshold: FloatArray,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    value: FloatArray,
    is_leaf: NDArray[np.bool_],
) -> tuple[Nodes, int]:
    """Order a tree's nodes so that the children of each lie side by side; also return its depth."""
    levels = [np.array([0])]
    while len(levels[-1]):
        inner = levels[-1][~is_leaf[levels[-1]]]
        levels.append(np.column_stack([left[inner], right[inner]]).ravel())
    order = np.concatenate(levels)
    new_index = np.empty(len(feature), int)
    new_index[order] = np.arange(len(order))
    is_leaf = is_leaf[order]
    child = np.where(is_leaf, np.arange(len(order)), new_index[left[order]])
    # Inputs are in single precision: rounded down to it, a threshold separates the same numbers.
    exact = threshold[order]
    rounded = exact.astype(np.float32)
    rounded = np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
    nodes = (
        np.where(is_leaf, 0, feature[order]),
        np.where(is_leaf, np.float32(np.inf), rounded),
        child,
        np.where(is_leaf, value[order], 0.0),
    )
    return nodes, len(levels) - 2


def join_parts(parts: Sequence[Parts]) -> Compact:
    """Lay fits side by side, each from `take_apart`: at least one, and all with the same number of inputs."""
    trees = [(number, *tree) for number, part in enumerate(parts) for tree in part.trees]
    trees.sort(key=lambda tree: -tree[2])  # the deepest first
    roots = np.cumsum([0, *(len(nodes[0]) for _, nodes, _ in trees)])
    no_nodes = [np.empty(0)] * 4  # which are all there are if every fit is a line
    tables = zip(*(no_nodes, *(nodes for _, nodes, _ in trees)), strict=True)
    feature, threshold, child, value = (np.concatenate(table) for table in tables)
    surfaces = [(number, *surface) for number, part in enumerate(parts) for surface in part.surfaces]
    n_centres = max((len(rows) for _, rows, *_ in surfaces), default=0)
    n_features = len(parts[0].slopes)
    centres, weights = np.zeros((len(surfaces), n_centres, n_features)), np.zeros((len(surfaces), n_centres))
    for index, (_, rows, surface_weights, _) in enumerate(surfaces):  # unused centres have no weight
        centres[index, : len(rows)], weights[index, : len(rows)] = rows, surface_weights
    return Compact(
        intercepts=np.array([part.intercept for part in parts]),
        slopes=np.array([part.slopes for part in parts]),
        feature=feature.astype(np.int8 if n_features <= np.iinfo(np.int8).max else np.int16),
        threshold=threshold.astype(np.float32),
        child=(child + np.repeat(roots[:-1], np.diff(roots))).astype(np.int32),
        value=value.astype(np.float32),
        root=roots[:-1].astype(np.int32),
        depth=np.array([depth for *_, depth in trees], np.int32),
        fit_of=np.array([number for number, *_ in trees], np.int32),
        centres=centres,
        weights=weights,
        lengths=np.array([lengths for *_, lengths in surfaces]).reshape(len(surfaces), n_features),
        surface_of=np.array([number for number, *_ in surfaces], np.int32),
    )
