"""The interval of a level: how wide it is, and how many rows it held that had no part in setting it."""

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from data.schema import FEATURE_NAMES
from model.fitting.encoding import NUMBERS
from model.fitting.evaluate import N_SPLITS, fold_numbers

LEVELS = (0.8, 0.9, 0.95)
_N_BEYOND = 5000  # rows to fit without those at an end: more would take time, and say the same
_CHANCE = 0.95  # that the count of rows held lies in the range given for it


@dataclass(frozen=True)
class Held:
    """How many rows the interval of a level held: a mean over repeats."""

    level: float
    held: float


@dataclass(frozen=True)
class Beyond:
    """What intervals held of rows beyond those of the fit: ``n_rows`` with the "least" or the "most" of an input."""

    input: str
    end: str
    n_rows: int
    held: tuple[Held, ...]


@dataclass(frozen=True)
class Coverage:
    """What intervals held of ``n_rows`` that neither fit nor width had seen: a mean over ``n_repeats``."""

    n_repeats: int
    n_rows: int
    held: tuple[Held, ...]
    beyond: Beyond | None = None


@dataclass(frozen=True)
class Interval:
    """What a level promises and what was measured of it; what an earlier release did not measure is None.

    Attributes
    ----------
    half_width
        [unit of the target]
    nested_held, held_expected
        Of ``n_rows`` that had no part in fit or width, how many it held, and how many the level promises.
    held_by_chance
        The counts between which 95 of 100 tables of so many rows lie if the true share is ``level``.
    """

    level: float
    half_width: float
    nested_held: float | None
    n_rows: int | None
    held_expected: float | None
    held_by_chance: tuple[int, int] | None

    def to_record(self) -> dict[str, Any]:
        """Return it as plain values, for programs."""
        return asdict(self) | {"held_by_chance": self.held_by_chance and list(self.held_by_chance)}


def possible_levels(n_rows: int) -> tuple[float, ...]:
    """Levels whose width so many rows can set: half of it is the size of one of their errors."""
    return tuple(level for level in LEVELS if rank(n_rows, level) <= n_rows)


def nearest_possible_level(n_rows: int, wanted: float) -> float:
    """Return ``wanted``, perhaps of a model with more rows, or the highest level below it that so many rows can set."""
    return max(level for level in possible_levels(n_rows) if level <= wanted)


def rank(n_rows: int, level: float) -> int:
    """Which of the sizes of so many errors, the smallest first, is half the width: Lei et al. (2018), JASA 113(523).

    Raises
    ------
    ValueError
        If ``level`` is outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level: {level} is not between 0 and 1.")
    return math.ceil(round((n_rows + 1) * level, 9))  # 0.1 * 30 is a little more than 3


def sorted_sizes(residuals: ArrayLike) -> NDArray[np.float64]:
    """Sizes of the errors of each repeat, the smallest first: all that widths depend on."""
    return np.sort(np.abs(np.atleast_2d(np.asarray(residuals, dtype=float))), axis=1)


def half_width(residuals: ArrayLike, level: float = 0.9) -> float:
    """Half the width of the interval that is promised to hold a share of new rows.

    Parameters
    ----------
    residuals
        Out-of-fold errors of shape (n_repeats, n_rows), observed minus predicted [unit of the target].
    level
        Share to hold, in (0, 1).

    Raises
    ------
    ValueError
        If ``level`` is outside (0, 1), or needs more rows than there are.

    Notes
    -----
    Mean over the repeats of the k-th smallest absolute residual, k = ceil((n + 1) * level):
    Lei et al. (2018), JASA 113(523). Averaging a row's residuals first would narrow it.
    """
    return half_width_of(sorted_sizes(residuals), level)


def half_width_of(sizes: NDArray[np.float64], level: float) -> float:
    """As `half_width`, but from `sorted_sizes`, which takes no time."""
    n_rows = sizes.shape[1]
    if (k := rank(n_rows, level)) > n_rows:
        raise ValueError(f"level: {level} needs more than {n_rows} residuals.")
    return float(sizes[:, k - 1].mean())


def measure_coverage(
    y: NDArray[np.float64], predictions: NDArray[np.float64], pairs: NDArray[np.float64], groups: NDArray[np.intp]
) -> Coverage:
    """Count how many rows intervals held that neither fit nor width had seen: nested cross-validation.

    For each fold, the width is set by the errors of other folds' rows, in fits that also lacked this fold; the
    prediction is that of the fit that lacked it. Of equal rows, one is counted.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions
        Out of fold, of shape (n_repeats, n_rows) [unit of y].
    pairs
        From `model.fitting.evaluate.cross_validate`: shape (n_nested, N_SPLITS, n_rows).
    groups
        From `model.fitting.evaluate.groups_of`.

    Returns
    -------
    Coverage
        Of each level that the other folds can set.
    """
    distinct_rows = np.unique(groups, return_index=True)[1]
    folds, tallies = fold_numbers(groups, len(predictions)), []
    for repeat, pair_predictions in enumerate(pairs):
        tally = dict.fromkeys(LEVELS, 0.0)
        for fold in range(N_SPLITS):
            other_rows = distinct_rows[~np.isnan(pair_predictions[fold, distinct_rows])]
            sizes = sorted_sizes(y[other_rows] - pair_predictions[fold, other_rows])
            own_rows = distinct_rows[folds[repeat, distinct_rows] == fold]
            errors = np.abs(y[own_rows] - predictions[repeat, own_rows])
            for level in LEVELS:
                is_possible = rank(sizes.shape[1], level) <= sizes.shape[1]
                tally[level] += (errors <= half_width_of(sizes, level)).sum() if is_possible else math.nan
        tallies.append(tally)
    means = {level: float(np.mean([tally[level] for tally in tallies])) for level in LEVELS}
    held = tuple(Held(level, mean) for level, mean in means.items() if not math.isnan(mean))
    return Coverage(len(pairs), len(distinct_rows), held)


def measure_beyond(
    fit: Callable[[NDArray[np.float64], NDArray[np.float64]], Any],
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    predictions: NDArray[np.float64],
) -> Beyond | None:
    """Count what intervals hold of rows beyond those of the fit: a sixth of them, at an end of one input.

    Parameters
    ----------
    fit
        From inputs and target to a fitted model with ``predict``.
    X
        Of shape (n_rows, n_features), in the order of the schema.
    y
        Of shape (n_rows,).
    predictions
        Out of fold, of shape (n_repeats, n_rows) [unit of y]: the errors of the other rows set the width.

    Returns
    -------
    Beyond or None
        For the number most correlated with the target, at the end that lies farther out; None if all are categories.
    """
    if not NUMBERS:
        return None
    with np.errstate(invalid="ignore", divide="ignore"):
        feature = NUMBERS[int(np.nanargmax([abs(np.corrcoef(X[:, i], y)[0, 1]) for i in NUMBERS]))]
    order, n_rows = np.argsort(X[:, feature], kind="stable"), max(2, len(y) // 6)
    ends = {"least": order[:n_rows], "most": order[-n_rows:]}
    end = max(ends, key=lambda name: abs(X[ends[name], feature].mean() - X[:, feature].mean()))
    other_rows = np.setdiff1d(order, ends[end])
    fitted_rows = other_rows[:: -(-len(other_rows) // _N_BEYOND)]
    errors = np.abs(y[ends[end]] - fit(X[fitted_rows], y[fitted_rows]).predict(X[ends[end]]))
    sizes = sorted_sizes((y - predictions)[:, other_rows])
    held = tuple(
        Held(level, int((errors <= half_width_of(sizes, level)).sum())) for level in possible_levels(len(other_rows))
    )
    return Beyond(FEATURE_NAMES[feature], end, n_rows, held)


def intervals(sizes: NDArray[np.float64], coverage: Coverage | None) -> list[Interval]:
    """Say what each level promises and what was measured of it.

    Parameters
    ----------
    sizes
        Of the errors of distinct rows, from `sorted_sizes`.
    coverage
        What was measured, if anything was.
    """
    n_rows, held = (coverage.n_rows, {entry.level: entry.held for entry in coverage.held}) if coverage else (0, {})
    return [
        Interval(
            level,
            half_width_of(sizes, level),
            held.get(level),
            n_rows if level in held else None,
            round(level * n_rows, 9) if level in held else None,
            held_by_chance(n_rows, level) if level in held else None,
        )
        for level in possible_levels(sizes.shape[1])
    ]


def held_by_chance(n_rows: int, level: float) -> tuple[int, int]:
    """The counts between which 95 of 100 tables of so many rows lie by chance if the true share is ``level``."""
    from scipy.special import bdtrik

    low, high = (bdtrik(share, n_rows, level) for share in ((1 - _CHANCE) / 2, (1 + _CHANCE) / 2))
    return math.ceil(round(low, 9)), math.ceil(round(high, 9))
