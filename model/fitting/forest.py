"""A fitted forest as tables: which leaf of each tree a row ends in, without walking the trees.

scikit-learn walks 300 small trees in 300 calls, and each releases the interpreter lock and waits for it again. Here
the thresholds of all trees cut each input into intervals. For each interval and tree a bit set says which leaves are
still possible, and the intersection over the inputs leaves exactly one: Lucchese et al. (2015), QuickScorer, SIGIR 73.
The leaves' values are then added in the order of the trees, so the sum is scikit-learn's to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_LEAVES = 64  # the bits of a set
_MAX_BYTES = 2**27  # of all tables; a forest that needs more predicts by itself
_MAX_CODES = 2**62  # that an integer can tell apart
_BLOCK = 128  # rows at a time, few enough for their data to stay in the processor's cache


@cache
def _forest_classes() -> tuple[type, ...]:
    from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor

    return RandomForestRegressor, ExtraTreesRegressor


def is_forest(regressor: Any) -> bool:
    """Whether a regressor is the mean of independent trees."""
    return isinstance(regressor, _forest_classes())


@dataclass(frozen=True)
class BareForest:
    """A pipeline that ends in a forest, fitted for one use: what prepares its rows, and its trees."""

    prepare: Any
    trees: list[Any]

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict rows of shape (n_rows, n_features)."""
        return walk_trees(self.trees, self.prepare.transform(X))


def predict_once(fitted: Any, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict with a fit that is used only once, to the last bit as its own ``predict``.

    For a few rows, tables do not pay; but neither do the wrappers around hundreds of small trees.

    Parameters
    ----------
    X
        Of shape (n_rows, n_features).

    Returns
    -------
    ndarray of shape (n_rows,)
    """
    if not hasattr(fitted, "steps") or not is_forest(fitted[-1]):
        return fitted.predict(X)
    return walk_trees([estimator.tree_ for estimator in fitted[-1].estimators_], fitted[:-1].transform(X))


def walk_trees(trees: Sequence[Any], X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Predict rows, encoded, of shape (n_rows, n_columns), without a forest's wrappers around each of its trees."""
    X = X.astype(np.float32)
    total = np.zeros(len(X))
    for tree in trees:
        total += tree.predict(X)[:, 0]
    return total / len(trees)


class ForestTables:
    """Predicts as the forest that it was made from, to the last bit.

    Parameters
    ----------
    forest : sklearn.ensemble.RandomForestRegressor or ExtraTreesRegressor
        Fitted on one target.
    inputs
        The forest's columns that each input became: one for a number, an indicator for each code of a category. None
        where each column is an input.

    Raises
    ------
    ValueError
        If a tree has more than 64 leaves, or the tables would be too large.
    """

    def __init__(self, forest: Any, inputs: Sequence[Sequence[int]] | None = None) -> None:
        trees = [estimator.tree_ for estimator in forest.estimators_]
        n_leaves = max(tree.n_leaves for tree in trees)
        if n_leaves > _MAX_LEAVES:
            raise ValueError(f"A tree has {n_leaves} leaves, more than {_MAX_LEAVES}.")
        # Half the width is half the memory traffic. The float of the same width gives the position of a single bit.
        wide = n_leaves > _MAX_LEAVES // 2
        dtypes: tuple[Any, Any, Any] = (np.uint64, np.float64, np.int64) if wide else (np.uint32, np.float32, np.int32)
        self._bitset, self._float, self._int = dtypes
        feature, threshold = (
            np.concatenate([getattr(tree, name) for tree in trees]) for name in ("feature", "threshold")
        )
        self._cuts = [np.unique(threshold[feature == i]) for i in range(forest.n_features_in_)]
        n_bytes = sum(len(cuts) + 1 for cuts in self._cuts) * len(trees) * np.dtype(self._bitset).itemsize
        if n_bytes > _MAX_BYTES:
            raise ValueError(f"The tables would take {n_bytes:,} bytes, more than {_MAX_BYTES:,}.")
        self._possible = [np.full((len(cuts) + 1, len(trees)), ~self._bitset(0)) for cuts in self._cuts]
        self._values = np.zeros((len(trees), _MAX_LEAVES))
        self._first_leaf = np.arange(len(trees), dtype=np.int32) * _MAX_LEAVES
        for number, tree in enumerate(trees):
            self._add_tree(number, tree)
        if inputs:
            self._join_indicators(inputs)

    def _join_indicators(self, inputs: Sequence[Sequence[int]]) -> None:
        """Look up a category by its code, not by its indicators: it then costs what a number costs."""
        cuts, possible = [], []
        for positions in inputs:
            if len(positions) == 1:
                cuts.append(self._cuts[positions[0]])
                possible.append(self._possible[positions[0]])
                continue
            codes = np.arange(len(positions))
            by_code = np.full((len(codes), len(self._first_leaf)), ~self._bitset(0))
            for code, position in enumerate(positions):
                indicator = (codes == code).astype(np.float32)
                by_code &= self._possible[position][np.searchsorted(self._cuts[position], indicator)]
            cuts.append(codes[1:] - 0.5)
            possible.append(by_code)
        self._cuts, self._possible = cuts, possible

    def _add_tree(self, number: int, tree: Any) -> None:
        below = np.zeros(tree.node_count, dtype=self._bitset)  # the leaves below a node, as bits
        leaves = np.flatnonzero(tree.children_left < 0)
        below[leaves] = self._bitset(1) << np.arange(len(leaves), dtype=self._bitset)
        self._values[number, : len(leaves)] = tree.value[leaves, 0, 0]
        for node in range(tree.node_count - 1, -1, -1):  # children come after their parent
            left, right, feature = tree.children_left[node], tree.children_right[node], tree.feature[node]
            if left < 0:
                continue
            below[node] = below[left] | below[right]
            last_left = np.searchsorted(self._cuts[feature], tree.threshold[node]) + 1
            self._possible[feature][last_left:, number] &= ~below[left]
            self._possible[feature][:last_left, number] &= ~below[right]
        for possible in self._possible:
            possible[:, number] &= below[0]

    def predict(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predict rows.

        Parameters
        ----------
        X
            Of shape (n_rows, n_inputs), not encoded.

        Returns
        -------
        ndarray of shape (n_rows,)
            Equal to the forest's own ``predict`` to the last bit.
        """
        X = X.astype(np.float32)  # as the trees do
        intervals = [np.searchsorted(cuts, column) for cuts, column in zip(self._cuts, X.T, strict=True)]
        # Rows in the same intervals end in the same leaves: look them up once.
        codes, n_codes = intervals[0], len(self._cuts[0]) + 1
        for interval, cuts in zip(intervals[1:], self._cuts[1:], strict=True):
            if n_codes * (len(cuts) + 1) > _MAX_CODES:  # of many inputs: number those anew that occur
                present, codes = np.unique(codes, return_inverse=True)
                n_codes = len(present)
            codes, n_codes = codes * (len(cuts) + 1) + interval, n_codes * (len(cuts) + 1)
        distinct, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
        distinct_intervals = [interval[first] for interval in intervals]
        blocks = [
            self._predict_intervals([interval[start : start + _BLOCK] for interval in distinct_intervals])
            for start in range(0, len(distinct), _BLOCK)
        ]
        return np.concatenate(blocks)[inverse]

    def _predict_intervals(self, intervals: list[NDArray[np.intp]]) -> NDArray[np.float64]:
        leaf_bit = self._possible[0][intervals[0]]
        for possible, interval in zip(self._possible[1:], intervals[1:], strict=True):
            leaf_bit &= possible[interval]
        float_info = np.finfo(self._float)  # one bit is left: as a float, its exponent is its position
        leaf_number = (leaf_bit.astype(self._float).view(self._int) >> float_info.nmant) - (float_info.maxexp - 1)
        values = self._values.ravel().take(leaf_number + self._first_leaf)
        return np.cumsum(values, axis=1)[:, -1] / len(self._first_leaf)
