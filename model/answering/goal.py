"""What would it take: the smallest change of the free sliders that brings the prediction to a goal."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.definition import MAX_CHOICES
from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.answering.prediction import Scenario, predict_many
from model.fitting.encoding import subtract
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
_GLOBAL_BUDGET = 150_000  # slider combinations tried over the full ranges: 0.2 s with the shipped forest
_LOCAL_BUDGET = 15_000  # tried around the best candidate


@dataclass(frozen=True)
class GoalResult:
    """The nearest scenario that reaches a goal, or the one that comes closest to it.

    Attributes
    ----------
    start, scenario
        Where the search began and ended.
    goal
        [unit of the target]
    start_prediction, prediction
        At both [unit of the target].
    distance
        From start to scenario [standard deviations of the inputs].
    """

    start: Scenario
    scenario: Scenario
    goal: float
    start_prediction: float
    prediction: float
    is_reached: bool
    distance: float


def find_smallest_change(
    model: Model, values: Mapping[str, object], goal: object, fixed: Collection[str] = ()
) -> GoalResult:
    """Find the smallest change of the sliders that brings the prediction to a goal, or past it.

    Parameters
    ----------
    values
        Column name -> number in the stored unit: the start, which may lie beyond the sliders.
    goal
        With as many decimals as a prediction is shown with [unit of the target].
    fixed
        Names of the inputs that must not move.

    Raises
    ------
    DataError
        If the scenario, the goal or a name cannot be used, or nothing is free to move.

    Notes
    -----
    One or two free sliders are searched in full. With more, a coarse grid is tried, then all steps around the best,
    then a finer grid nearer to the start, until nothing better turns up; a smaller change may then be missed.
    """
    start = Scenario(values)
    rounded_goal = float(TARGET.round(TARGET.check(goal)))
    if unknown := [name for name in fixed if name not in FEATURE_NAMES]:
        raise DataError([f"{unknown[0]!r} is not an input. The inputs are {', '.join(FEATURE_NAMES)}."])
    if set(fixed) == set(FEATURE_NAMES):
        raise DataError(["Every input is kept fixed, so nothing can change. Let at least one move."])
    search = _Search(model, start, rounded_goal, fixed)
    best = search.run()
    row = search.rows_at(np.array([best.positions]))[0]
    return GoalResult(
        start=start,
        scenario=Scenario(dict(zip(FEATURE_NAMES, row.tolist(), strict=True))),
        goal=rounded_goal,
        start_prediction=search.start_prediction,
        prediction=float(predict_many(model, row[None])[0]),
        is_reached=best.shortfall == 0,
        distance=best.distance,
    )


class _Candidate(NamedTuple):
    """A combination of slider positions; of two candidates the smaller is better."""

    shortfall: float  # of the prediction from the goal
    distance: float  # from the start
    positions: tuple[int, ...]  # index on each slider's grid


class _Search:
    """Tries combinations of slider positions, the nearest to the start first."""

    def __init__(self, model: Model, start: Scenario, goal: float, fixed: Collection[str]) -> None:
        self.model, self.goal = model, goal
        self.start_row = np.array([start[name] for name in FEATURE_NAMES])
        self.grids = [  # the start itself may lie between the steps
            np.array([x]) if column.name in fixed else np.union1d(column.grid, x)
            for column, x in zip(FEATURES, self.start_row, strict=True)
        ]
        self.sizes = np.array([len(grid) for grid in self.grids])
        self.start_positions = np.array(
            [np.searchsorted(grid, x) for grid, x in zip(self.grids, self.start_row, strict=True)]
        )
        self.start_prediction = float(predict_many(model, self.start_row[None])[0])
        self.is_number = np.array([not column.choices for column in FEATURES])
        self.direction = 1 if goal > TARGET.round(self.start_prediction) else -1

    def run(self) -> _Candidate:
        """Return the best candidate."""
        worst = _Candidate(np.inf, np.inf, ())
        best = self.search_window(self.start_positions, self.sizes, _GLOBAL_BUDGET, worst)
        if math.prod(self.sizes.tolist()) <= _GLOBAL_BUDGET:
            return best
        while True:
            previous = best
            best = self.climb(best)
            if best.shortfall == 0:  # any smaller change lies in a box around the start
                steps = np.array([column.step for column in FEATURES])
                reach = best.distance * self.model.scale / steps + 1
                reach[~self.is_number] = MAX_CHOICES  # every other choice is as near
                box = np.where(self.sizes > 1, reach, 0).astype(int)
                best = self.search_window(self.start_positions, box, _GLOBAL_BUDGET, best)
            if best == previous:
                return best

    def climb(self, best: _Candidate) -> _Candidate:
        """Search around the best candidate until nothing better turns up."""
        while True:
            previous = best
            for reach in (20, 5):
                window = np.minimum(self.sizes - 1, np.where(self.is_number, reach, MAX_CHOICES))
                best = self.search_window(np.array(best.positions), window, _LOCAL_BUDGET, best)
            if best == previous:
                return best

    def rows_at(self, positions: IntArray) -> FloatArray:
        """Turn positions on the sliders, shape (n_rows, n_features), into inputs [stored units]."""
        return np.stack([grid[positions[:, i]] for i, grid in enumerate(self.grids)], axis=1)

    def search_window(self, centre: IntArray, reach: IntArray, budget: int, best: _Candidate) -> _Candidate:
        """Try positions up to ``reach`` from a centre, as many as the budget allows; return the best, old or new."""
        axes = self.thin_out(centre, reach, budget)
        positions = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        rows = self.rows_at(positions)
        distance = np.linalg.norm(subtract(rows, self.start_row, self.model.scale), axis=1)
        order = np.argsort(distance, kind="stable")
        if best.shortfall == 0:
            order = order[distance[order] < best.distance]
        for chunk in np.array_split(order, range(4_000, len(order), 4_000)):
            if not len(chunk):
                break
            predictions = TARGET.round(predict_many(self.model, rows[chunk]))
            shortfall = np.maximum(self.direction * (self.goal - predictions), 0)
            smallest = int(np.argmin(shortfall))  # the nearest among equals
            row_index = chunk[smallest]
            candidate = _Candidate(
                float(shortfall[smallest]), float(distance[row_index]), tuple(positions[row_index].tolist())
            )
            best = min(best, candidate)
            if candidate.shortfall == 0:
                break  # all later ones are farther away
        return best

    def thin_out(self, centre: IntArray, reach: IntArray, budget: int) -> list[IntArray]:
        """Pick positions on each slider, few enough for their combinations to stay within a budget."""
        stride = np.ones(len(centre), int)
        while True:
            axes = [
                np.unique(np.clip(np.arange(-(span // step) * step, span + step, step) + middle, 0, size - 1))
                for middle, span, step, size in zip(centre, reach, stride, self.sizes, strict=True)
            ]
            lengths = np.array([len(axis) for axis in axes])
            if math.prod(lengths.tolist()) <= budget:
                return axes
            if lengths.max() <= 2:  # of very many inputs only the first can move at once
                n_moving = budget.bit_length() - 1
                return axes[:n_moving] + [np.array([middle]) for middle in centre[n_moving:]]
            stride[lengths.argmax()] += 1
