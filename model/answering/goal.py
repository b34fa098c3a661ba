"""What would it take: the smallest change of the free sliders that brings the prediction to a goal."""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES, TARGET, DataError
from model.answering.predict import Scenario, predict_many
from model.fitting.train import Model

_WIDE = 150_000  # combinations at a look over the sliders: 0.2 s of the shipped forest
_CLOSE = 15_000  # and at one around the best so far


@dataclass(frozen=True)
class GoalResult:
    """What a search for a goal has found.

    Attributes
    ----------
    start, scenario : Scenario
        Where it began, and the nearest scenario that reaches the goal, or else comes closest to it.
    goal : float
        [unit of the target]
    before, value : float
        Predictions at both [unit of the target].
    reached : bool
    change : float
        Length of the way from start to scenario [standard deviations of the inputs].
    """

    start: Scenario
    scenario: Scenario
    goal: float
    before: float
    value: float
    reached: bool
    change: float


def find_smallest_change(model: Model, values: dict[str, float], goal: float, held: Collection[str] = ()) -> GoalResult:
    """Find the smallest change of the sliders that brings the prediction to a goal, or past it.

    Parameters
    ----------
    values
        Column name -> number in the stored unit: where to begin, also beyond the sliders.
    goal
        In whole units, as a prediction is shown [unit of the target].
    held
        Names of the inputs that must not move.

    Raises
    ------
    DataError
        If the scenario, the goal or a name cannot be used, or nothing is free to move.

    Notes
    -----
    One or two free sliders are searched in full. With more, every so many steps of each are tried, then all steps
    around the best, then finer ones nearer to the start, until nothing better turns up. What is found reaches the
    goal; that no smaller change does is not certain then.
    """
    start = Scenario(values)
    goal = float(round(TARGET.check(goal)))
    if unknown := [name for name in held if name not in FEATURE_NAMES]:
        raise DataError([f"{unknown[0]!r} is not an input. The inputs are {', '.join(FEATURE_NAMES)}."])
    if set(held) == set(FEATURE_NAMES):
        raise DataError(["Every input is kept fixed, so nothing can change. Let at least one move."])
    search = _Search(model, start, goal, held)
    shortfall, change, place = search.run()
    row = search.rows(np.array([place]))[0]
    return GoalResult(
        start=start,
        scenario=Scenario(dict(zip(FEATURE_NAMES, row.tolist(), strict=True))),
        goal=goal,
        before=search.before,
        value=float(predict_many(model, row[None])[0]),
        reached=shortfall == 0,
        change=change,
    )


Found = tuple[float, float, tuple[int, ...] | None]  # shortfall, length of the change, place on each slider


class _Search:
    """Tries combinations of slider positions, the nearest to the start first.

    What it has found is a tuple that sorts: how far the prediction stays short of the goal, the length of the
    change, and the place on each slider.
    """

    def __init__(self, model: Model, start: Scenario, goal: float, held: Collection[str]) -> None:
        self.model, self.goal = model, goal
        self.x = np.array([start[name] for name in FEATURE_NAMES])
        self.positions = [  # the start itself may lie between the steps
            np.array([x]) if column.name in held else np.union1d(column.grid, x)
            for column, x in zip(FEATURES, self.x, strict=True)
        ]
        self.sizes = np.array([len(grid) for grid in self.positions])
        self.home = np.array([np.searchsorted(grid, x) for grid, x in zip(self.positions, self.x, strict=True)])
        self.before = float(predict_many(model, self.x[None])[0])
        self.side = 1 if goal > np.rint(self.before) else -1

    def run(self) -> Found:
        """Return the best that was found."""
        nothing = (np.inf, np.inf, None)
        best = self.look(self.home, self.sizes, _WIDE, nothing)
        if np.prod(self.sizes) <= _WIDE:
            return best
        while True:
            former = best
            best = self.climb(best)
            if best[0] == 0:  # in the box around the start that a smaller change cannot leave
                steps = np.array([column.step for column in FEATURES])
                box = np.where(self.sizes > 1, best[1] * self.model.scale / steps + 1, 0).astype(int)
                best = self.look(self.home, box, _WIDE, best)
            if best == former:
                return best

    def climb(self, best: Found) -> Found:
        """Try all steps around the best until it stays the best."""
        while True:
            former = best
            for reach in (20, 5):
                best = self.look(np.array(best[2]), np.minimum(self.sizes - 1, reach), _CLOSE, best)
            if best == former:
                return best

    def rows(self, places: NDArray[np.float64]) -> NDArray[np.float64]:
        """Turn places on the sliders, shape (n_rows, n_features), to inputs [stored units]."""
        return np.stack([grid[places[:, i]] for i, grid in enumerate(self.positions)], axis=1)

    def look(
        self,
        centre: NDArray[np.float64],
        reach: NDArray[np.float64],
        budget: int,
        best: Found,
    ) -> Found:
        """Try every so many places around a centre, and return the best of them and of what is known."""
        windows = self.windows(centre, reach, budget)
        places = np.stack([axis.ravel() for axis in np.meshgrid(*windows, indexing="ij")], axis=1)
        rows = self.rows(places)
        change = np.linalg.norm((rows - self.x) / self.model.scale, axis=1)
        order = np.argsort(change, kind="stable")
        if best[0] == 0:
            order = order[change[order] < best[1]]
        for chunk in np.array_split(order, range(4_000, len(order), 4_000)):
            if not len(chunk):
                break
            y = np.rint(predict_many(self.model, rows[chunk]))
            shortfall = np.maximum(self.side * (self.goal - y), 0)
            first = int(np.argmin(shortfall))  # the nearest among equals
            found = (float(shortfall[first]), float(change[chunk[first]]), tuple(places[chunk[first]].tolist()))
            best = min(best, found)
            if found[0] == 0:
                break  # whatever follows is farther
        return best

    def windows(
        self, centre: NDArray[np.float64], reach: NDArray[np.float64], budget: int
    ) -> list[NDArray[np.float64]]:
        """Places on each slider, every so many, so that all combinations stay within a budget."""
        stride = np.ones(len(centre), int)
        while True:
            windows = [
                np.unique(np.clip(np.arange(-(far // step) * step, far + step, step) + at, 0, size - 1))
                for at, far, step, size in zip(centre, reach, stride, self.sizes, strict=True)
            ]
            lengths = np.array([len(window) for window in windows])
            if lengths.prod() <= budget:
                return windows
            stride[lengths.argmax()] += 1
