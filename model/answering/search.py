"""The cheapest positions of some sliders that bring a prediction to an aim, and others that differ from them.

The cost of a position is the sum of what each input costs, so each search first tries one input alone, then two, then
a coarse grid of all; from the best of these on, it trades inputs for each other until nothing is cheaper, at first in
pairs and a few together, then by crossing many good positions.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from data.schema import FEATURES, TARGET
from model.answering.neighbours import SUPPORT_LEVELS, classify_support, nearest_rows
from model.answering.prediction import predict_many
from model.answering.space import FloatArray, IntArray, Mask, Space, steadiness
from model.fitting.encoding import subtract

Key = tuple[float, float]  # shortfall and cost of a position; of two the smaller is better

N_ANSWERS = 5
DIFFERENCE = 0.5  # [standard deviations] by which one input at least differs between two answers
_N_SEEDS = 12  # positions that are improved; the best of those that are no detours are given
_COARSE, _PLANES, _SWEEP, _BLOCK, _BALL = 40_000, 40_000, 24_000, 8_000, 60_000  # positions tried at once: see `Search`
_FEW = 4  # inputs, of which such grids are fine enough to be of use
_FULL = 150_000  # positions that are all tried
_N_PARENTS, _N_CHILDREN, _N_GENERATIONS = 400, 4_000, 20  # of positions that are crossed
# Prices of what a position misses, as multiples of what the best has paid for it; for few inputs the first.
_PRICES = (2.0, 3.0, 5.0)
_N_ALIKE = 25  # parents that move the same inputs
_MOST_TRIED = 500_000  # before no further position is improved
_N_ROWS_FAST, _MOST_SLOWNESS = 150, 4  # a forest of so many rows more takes as many times longer, up to this
_MOST_TESTED = 2_000  # of one trial, by what takes longer than a prediction
_N_PROBES = 100  # of a trial, by the refits, before those between two of them
_FIRST_CHUNK = 32  # positions that are tested at once, doubled until one passes


@dataclass(frozen=True)
class Demands:
    """What an answer must hold besides its aim.

    Attributes
    ----------
    support
        The farthest of `SUPPORT_LEVELS` that it may have.
    share
        Of the refits that must reach the aim [1], or 0.
    is_steady
        Whether the aim must still hold with any moved input a slider step further, or back.
    """

    support: str = SUPPORT_LEVELS[0]
    share: float = 0.0
    is_steady: bool = True


class Search:
    """Finds positions of a space by their shortfall from an aim, then by their cost.

    Parameters
    ----------
    shortfall
        From predictions, rounded as they are shown, to what is missing: 0 where the aim is reached. Of an aim
        without a number it only orders.
    share
        From rows to the share of the refits that reach the aim.
    has_number
        Whether the aim is a number to reach.
    """

    def __init__(
        self,
        space: Space,
        shortfall: Callable[[FloatArray], FloatArray],
        share: Callable[[FloatArray], FloatArray],
        *,
        has_number: bool,
    ) -> None:
        self.space, self.shortfall, self.share, self.has_number = space, shortfall, share, has_number
        self.n_tried = 0
        # A forest of more rows has deeper trees; other algorithms slow down in their own ways.
        self._slowness = min(_MOST_SLOWNESS, max(1, len(space.model.X) // _N_ROWS_FAST))
        trials = list(self._explore())
        self._positions = np.concatenate([tried for tried, _ in trials])
        self._shortfalls = np.concatenate([missing for _, missing in trials])

    def _share_of(self, n: int) -> int:
        """How many positions take as long as n of a small model."""
        return n // self._slowness

    def is_reached(self, key: Key) -> bool:
        """Whether a position with this key reaches the aim."""
        return self.has_number and key[0] == 0

    def run(self, demands: Demands, *, is_last: bool) -> list[tuple[Key, IntArray]]:
        """Return the best positions that hold demands and differ from each other, the best first.

        If none reaches the aim, one comes closest to it; if none has the support, there is none.

        Parameters
        ----------
        is_last
            Whether nothing less will be demanded, so that what comes closest counts.
        """
        self.demands = demands
        ways: list[tuple[Key, IntArray]] = []
        taken: list[IntArray] = []
        limit = self.n_tried + self._share_of(_MOST_TRIED)
        while len(taken) < _N_SEEDS and len(ways) < N_ANSWERS and self.n_tried < limit:
            seed = self._first(self._positions, self._shortfalls, taken)
            if seed is None:
                break
            if self.is_reached(seed[0]) and seed[0][1] == 0:  # where it starts: no move costs nothing
                return [seed]
            best = self._improve(seed, taken)
            is_of_use = is_last or not self.has_number or self.is_reached(best[0])
            if not taken and is_of_use:  # the best of all is worth more
                for price in _PRICES[: 1 if len(self.space.free) <= _FEW else None]:
                    best = self._improve(self._evolve(best, price), taken)
            if self.has_number and not self.is_reached(best[0]):
                return ways or [best]
            if not taken or not self._is_detour(best):
                ways.append(best)
            taken.append(best[1])
        return sorted(ways, key=lambda each: each[0])[:N_ANSWERS]

    def _is_detour(self, best: tuple[Key, IntArray]) -> bool:
        """Whether a moved input could as well go back: the position then differs from the others for nothing."""
        return any(self._first(*self._try(self.space.grid(axes, best[1])), [], best[0]) for axes in self._back(best[1]))

    def _back(self, at: IntArray) -> Iterator[dict[int, IntArray]]:
        """Positions with one moved input nearer to its start, or there."""
        for i in self.space.free:
            home, here = int(self.space.home[i]), int(at[i])
            if FEATURES[i].choices and home != here:
                yield {i: np.array([home])}
            elif home != here:
                yield {i: np.arange(home, here, 1 if here > home else -1)}

    def _explore(self) -> Iterator[tuple[IntArray, FloatArray]]:
        """Try all positions if they are few; else each input alone, all pairs, and a coarse grid of all."""
        space, free = self.space, self.space.free
        if math.prod(space.sizes.tolist()) <= self._share_of(_FULL):
            yield self._try(space.grid({i: np.arange(space.sizes[i]) for i in free}, space.home))
            return
        for i in free:
            yield self._try(space.grid({i: np.arange(space.sizes[i])}, space.home))
        pairs = list(combinations(free, 2))
        per_input = max(8, int(math.sqrt(self._share_of(_PLANES) / max(1, len(pairs)))))
        for i, j in pairs:
            yield self._try(space.grid({i: space.axis(i, per_input), j: space.axis(j, per_input)}, space.home))
        if len(free) > 2:
            yield self._try(space.grid(self._coarse(), space.home))

    def _coarse(self) -> dict[int, IntArray]:
        """Values of as many inputs as a grid of all has room for."""
        space = self.space
        most = self._share_of(_COARSE)
        moving = space.free[: int(math.log(most, 3))]
        n = max(3, int(most ** (1 / len(moving))))
        return {i: space.axis(i, n)[:n] if FEATURES[i].choices else space.axis(i, n) for i in moving}

    def _try(self, positions: IntArray) -> tuple[IntArray, FloatArray]:
        self.n_tried += len(positions)
        predictions = TARGET.round(predict_many(self.space.model, self.space.rows(positions)))
        return positions, self.shortfall(predictions)

    def _first(
        self,
        positions: IntArray,
        shortfalls: FloatArray,
        taken: Sequence[IntArray],
        below: Key = (math.inf, math.inf),
    ) -> tuple[Key, IntArray] | None:
        """Return the best position below a key that holds all demands and differs from those taken."""
        costs = self.space.cost(positions)
        is_better = (shortfalls < below[0]) | ((shortfalls == below[0]) & (costs < below[1] - 1e-12))
        candidates = np.flatnonzero(is_better)
        candidates = candidates[np.lexsort((costs[candidates], shortfalls[candidates]))]
        rest = candidates[_MOST_TESTED:]
        candidates = np.concatenate([candidates[:_MOST_TESTED], rest[:: len(rest) // _MOST_TESTED + 1]])
        stride = len(candidates) // _N_PROBES if self.demands.share else 0
        if stride > 1:  # the refits cost much, and what costs more reaches the aim in more of them
            probe = self._first_passing(positions, shortfalls, candidates[::stride], taken)
            if probe is None:
                return None
            candidates = candidates[max(0, probe - 1) * stride : probe * stride + 1]
        first = self._first_passing(positions, shortfalls, candidates, taken)
        if first is None:
            return None
        best = candidates[first]
        return (float(shortfalls[best]), float(costs[best])), positions[best]

    def _first_passing(
        self, positions: IntArray, shortfalls: FloatArray, candidates: IntArray, taken: Sequence[IntArray]
    ) -> int | None:
        """Return which of the candidates is the first that passes."""
        begin, size = 0, _FIRST_CHUNK
        while begin < len(candidates):
            chunk = candidates[begin : begin + size]
            passing = self._passes(positions[chunk], shortfalls[chunk], taken)
            if passing.any():
                return begin + int(passing.argmax())
            begin, size = begin + size, 2 * size
        return None

    def _differs(self, positions: IntArray, taken: Sequence[IntArray]) -> Mask:
        rows, differs = self.space.rows(positions), np.ones(len(positions), bool)
        for each in self.space.rows(np.array(taken)) if taken else ():
            apart = np.abs(subtract(rows, each, self.space.model.scale)).max(axis=1)
            differs &= apart >= DIFFERENCE - 1e-9
        return differs

    def _passes(self, positions: IntArray, shortfalls: FloatArray, taken: Sequence[IntArray]) -> Mask:
        """Whether each position differs from those taken and holds the demands; the cheap ones are asked first."""
        passes = self._differs(positions, taken)
        for test in (self._is_supported, self._is_steady, self._is_sure):
            left = np.flatnonzero(passes)
            if len(left):
                passes[left] = test(positions[left], shortfalls[left])
        return passes

    def _is_supported(self, positions: IntArray, _: FloatArray) -> Mask:
        if self.demands.support == SUPPORT_LEVELS[-1]:
            return np.ones(len(positions), bool)
        model, rows = self.space.model, self.space.rows(positions)
        levels = classify_support(model, rows, nearest_rows(model, rows)[1][:, 0])
        allowed = SUPPORT_LEVELS[: SUPPORT_LEVELS.index(self.demands.support) + 1]
        return np.isin(levels, allowed)

    def _is_steady(self, positions: IntArray, shortfalls: FloatArray) -> Mask:
        steady = np.ones(len(positions), bool)
        if self.demands.is_steady and self.has_number:
            reached = shortfalls == 0
            steady[reached] = steadiness(self.space, positions[reached], self.shortfall)
        return steady

    def _is_sure(self, positions: IntArray, shortfalls: FloatArray) -> Mask:
        sure = np.ones(len(positions), bool)
        if self.demands.share:
            asked = (shortfalls == 0) | (not self.has_number)
            sure[asked] = self.share(self.space.rows(positions[asked])) >= self.demands.share - 1e-9
        return sure

    def _improve(self, best: tuple[Key, IntArray], taken: Sequence[IntArray]) -> tuple[Key, IntArray]:
        """Trade inputs for each other until nothing better is found: one at a time, in pairs, a few together."""
        steps = (self._singles, self._pairs, self._together, *([] if taken else [self._cheaper]))
        while True:
            for step in steps:
                positions = step(best)
                if self.is_reached(best[0]):  # only what is cheaper is of use
                    positions = positions[self.space.cost(positions) < best[0][1] - 1e-12]
                better = self._first(*self._try(positions), taken, below=best[0]) if len(positions) else None
                if better:
                    best = better
                    break
            else:
                return best

    def _evolve(self, best: tuple[Key, IntArray], price: float) -> tuple[Key, IntArray]:
        """Cross the best positions tried so far and change them at random, many times over.

        That finds trades between several inputs at once, which pairs do not.
        """
        space, random = self.space, np.random.default_rng(0)
        free, home, sizes = np.array(space.free), space.home, space.sizes
        if len(free) < 3:
            return best
        missing = max(float(self._try(home[None])[1][0]), 1e-9)
        population, shortfalls = self._positions, self._shortfalls
        for _ in range(_N_GENERATIONS):
            order = np.argsort(self._unfitness(population, shortfalls, best[0], price / missing), kind="stable")
            order = order[_rank_alike(population[order] != home) < _N_ALIKE][:_N_PARENTS]
            population, shortfalls = population[order], shortfalls[order]
            n = self._share_of(_N_CHILDREN)
            children, others = (population[(len(population) * random.random(n) ** 2).astype(int)] for _ in range(2))
            children = np.where(random.random(children.shape) < 0.3, others, children)
            for _ in range(2):
                each, kind = np.arange(n), random.random(n)
                i = free[random.integers(len(free), size=n)]
                at = children[each, i]
                nearer = home[i] + np.round((at - home[i]) * random.random(n)).astype(int)
                beside = at + random.choice([-1, 1], n) * random.geometric(0.2, n)
                anywhere = random.integers(sizes[i])
                children[each, i] = np.clip(
                    np.select([kind < 0.35, kind < 0.85], [nearer, beside], anywhere), 0, sizes[i] - 1
                )
            children = np.unique(children, axis=0)
            if self.is_reached(best[0]):
                children = children[space.cost(children) < best[0][1] - 1e-12]
            if not len(children):
                break
            of_children = self._try(children)[1]
            best = self._first(children, of_children, [], below=best[0]) or best
            population, shortfalls = np.concatenate([population, children]), np.concatenate([shortfalls, of_children])
        return best

    def _unfitness(self, positions: IntArray, shortfalls: FloatArray, best: Key, price: float) -> FloatArray:
        """Cost of each position, with what it misses at a multiple of what the best has paid for it."""
        return self.space.cost(positions) + price * best[1] * shortfalls if self.is_reached(best) else shortfalls

    def _singles(self, best: tuple[Key, IntArray]) -> IntArray:
        """Positions with one input anywhere."""
        space, (_, at) = self.space, best
        return np.concatenate([space.grid({i: np.arange(space.sizes[i])}, at) for i in space.free])

    def _pairs(self, best: tuple[Key, IntArray]) -> IntArray:
        """Positions with two inputs about where they are and over their ranges; one is moved if the aim is reached."""
        space, (_, at) = self.space, best
        moved = {i for i in space.free if at[i] != space.home[i]}
        pairs = [pair for pair in combinations(space.free, 2) if not self.is_reached(best[0]) or moved & set(pair)]
        n = max(12, int(math.sqrt(self._share_of(_SWEEP) / max(1, len(pairs)))))
        grids = [space.grid({i: space.axis(i, n, int(at[i])) for i in pair}, at) for pair in pairs]
        return np.concatenate([at[None], *grids])

    def _together(self, best: tuple[Key, IntArray]) -> IntArray:
        """Positions with up to six inputs, the moved ones first, close to where they are."""
        space, (_, at) = self.space, best
        together = sorted(space.free, key=lambda i: at[i] == space.home[i])[:6]
        reach = max(1, int(self._share_of(_BLOCK) ** (1 / len(together))) // 2)
        axes = {i: np.arange(max(0, at[i] - reach), min(space.sizes[i], at[i] + reach + 1)) for i in together}
        return space.grid(axes, at)

    def _cheaper(self, best: tuple[Key, IntArray]) -> IntArray:
        """Positions of few inputs all over the ranges that cost less."""
        space, ((_, limit), _) = self.space, best
        k = len(space.free)
        if not self.is_reached(best[0]) or k > _FEW:
            return space.home[None]
        n = max(3, int((self._share_of(_BALL) * math.factorial(k)) ** (1 / k)))
        positions, costs = space.home[None], np.zeros(1)
        for i in space.free:
            within = np.flatnonzero(space.costs[i] < limit)
            along = within[np.unique(np.linspace(0, len(within) - 1, n).round().astype(int))]
            totals = costs[:, None] + space.costs[i][np.union1d(along, space.home[i])]
            old, new = np.nonzero(totals < limit)
            positions, costs = positions[old], totals[old, new]
            positions[:, i] = np.union1d(along, space.home[i])[new]
        return positions[:: len(positions) // (2 * _BALL) + 1]  # there are more where costs reach the ends of ranges


def _rank_alike(moved: Mask) -> IntArray:
    """How many rows above each move the same inputs, shape (n,): of ways that differ, none crowds out the others."""
    kind = np.unique(moved, axis=0, return_inverse=True)[1].ravel()
    order = np.argsort(kind, kind="stable")
    begins = np.flatnonzero(np.diff(kind[order], prepend=-1))
    rank = np.empty(len(kind), int)
    rank[order] = np.arange(len(kind)) - np.repeat(begins, np.diff([*begins, len(kind)]))
    return rank
