"""The positions that inputs may take, what each costs, and whether an aim holds beside them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES, TARGET
from model.answering.prediction import predict_many
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Range:
    """What an input may do.

    Attributes
    ----------
    values
        It may take, in order [stored unit], or the codes of choices; its start is added.
    cost
        Of one ``step``, or of another choice.
    step
        [stored unit]; 1 for a category.
    """

    values: tuple[float, ...]
    cost: float
    step: float = 1.0


class Space:
    """The positions that scenarios may take, as indices of each input's values."""

    def __init__(self, model: Model, start: FloatArray, ranges: Mapping[int, Range]) -> None:
        self.model, self.start = model, start
        self.values = [np.array([x]) for x in start]
        self.costs = [np.zeros(1)] * len(start)
        self.free = sorted(ranges)
        for i in self.free:
            values = self.values[i] = np.union1d(ranges[i].values, start[i])
            moved = (values != start[i]) if FEATURES[i].choices else np.abs(values - start[i]) / ranges[i].step
            self.costs[i] = moved * ranges[i].cost
        self.home = np.array([np.searchsorted(values, x) for values, x in zip(self.values, start, strict=True)])
        self.sizes = np.array([len(values) for values in self.values])

    def rows(self, positions: IntArray) -> FloatArray:
        """Turn positions, shape (n, n_features), into inputs [stored units]."""
        return np.stack([values[positions[:, i]] for i, values in enumerate(self.values)], axis=1)

    def cost(self, positions: IntArray) -> FloatArray:
        """Cost of each position, shape (n,)."""
        return sum((self.costs[i][positions[:, i]] for i in self.free), np.zeros(len(positions)))

    def axis(self, i: int, n: int, at: int | None = None) -> IntArray:
        """Pick about n values of an input: its whole range, its start, and what lies about a position."""
        size = int(self.sizes[i])
        if size <= n or FEATURES[i].choices:
            return np.arange(size)
        if at is None:
            return np.union1d(np.linspace(0, size - 1, n - 1).round().astype(int), self.home[i])
        reach = max(1, n // 4)
        about = np.arange(max(0, at - reach), min(size, at + reach + 1))
        whole = np.linspace(0, size - 1, max(2, n - len(about) - 1)).round().astype(int)
        return np.unique(np.concatenate([about, whole, [self.home[i]]]))

    def grid(self, axes: Mapping[int, IntArray], at: IntArray) -> IntArray:
        """All combinations of positions of some inputs, the others where they are at a position."""
        mesh = np.meshgrid(*axes.values(), indexing="ij")
        positions = np.tile(at, (mesh[0].size, 1))
        for i, along in zip(axes, mesh, strict=True):
            positions[:, i] = along.ravel()
        return positions


def steadiness(space: Space, positions: IntArray, shortfall: Callable[[FloatArray], FloatArray]) -> Mask:
    """Whether the aim still holds with any one of the moved numbers a slider step further, and back."""
    rows = space.rows(positions)
    neighbours, owners = [], []
    for i, column in enumerate(FEATURES):
        moved = np.flatnonzero(positions[:, i] != space.home[i])
        if column.choices or not len(moved):
            continue
        low, high = min(column.low, space.start[i]), max(column.high, space.start[i])
        for step in (-column.step, column.step):
            beside = rows[moved]
            beside[:, i] = np.clip(np.round(beside[:, i] + step, 9), low, high)
            neighbours.append(beside)
            owners.append(moved)
    steady = np.ones(len(positions), bool)
    if neighbours:
        missing = shortfall(TARGET.round(predict_many(space.model, np.concatenate(neighbours))))
        steady[np.concatenate(owners)[missing > 0]] = False
    return steady
