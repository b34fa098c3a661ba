"""How well a model does on rows with a known target that it was not trained on: its misses, and where they lie."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES, ROWS, TARGET
from model.answering.scoring import ScoredRows, score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import possible_levels, rank
from model.fitting.scores import Difference, Estimate
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
_LEVEL = 0.9  # of the interval of a mean error, and of a difference
_SIGNIFICANT = 0.05  # chance that any group stands out where none is different
_MIN_ROWS = 5  # of a group, and of the rows beside it


@dataclass(frozen=True)
class Group:
    """Rows with a third of an input's values, or with one choice: how their errors differ from those of the others.

    Attributes
    ----------
    input
        Its name.
    low, high
        Ends of its values [stored unit]; both the code of a choice.
    n_rows
    mae
        Mean absolute error [unit of the target].
    excess
        Mean of observed minus predicted, minus the mean of the other rows [unit of the target], with an interval that
        is wide enough for all groups that were looked at.
    """

    input: str
    low: float
    high: float
    n_rows: int
    mae: float
    excess: Difference


@dataclass(frozen=True, eq=False)
class Validation:
    """Errors of predictions, observed minus predicted [unit of the target].

    Attributes
    ----------
    n_known
        How many rows more there were that the model was trained on; they do not count.
    positions, errors
        Of the rows that count: which of those given, and their errors, of shape (n_rows,).
    mae, bias
        Mean absolute error with its standard error, and mean error with its interval.
    mae_of_average
        Mean absolute error of the training rows' average.
    level, held, held_by_chance
        Of the interval [1]; how many rows it held; the counts between which 95 of 100 such files lie if these rows are
        like those of the training.
    groups
        All that were looked at.
    """

    n_known: int
    positions: NDArray[np.intp]
    errors: FloatArray
    mae: Estimate
    bias: Difference
    mae_of_average: Estimate
    level: float
    held: int
    held_by_chance: tuple[int, int]
    groups: tuple[Group, ...]

    @property
    def n_rows(self) -> int:
        """How many rows count."""
        return len(self.errors)

    @property
    def outstanding(self) -> Group | None:
        """The group whose errors differ most clearly from those of the other rows; None if none differs clearly."""
        clear = [group for group in self.groups if group.excess.verdict]
        return max(clear, key=_clearness, default=None)

    def worst(self, n: int) -> NDArray[np.intp]:
        """Places of the n largest errors, the largest first."""
        return np.argsort(-np.abs(self.errors), kind="stable")[:n]

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        columns = {column.name: column for column in FEATURES}
        groups = [
            asdict(group)
            | {"low": columns[group.input].plain(group.low), "high": columns[group.input].plain(group.high)}
            for group in self.groups
        ]
        return {
            "n_rows": self.n_rows,
            "n_known": self.n_known,
            "mae": asdict(self.mae),
            "bias": asdict(self.bias),
            "mae_of_average": asdict(self.mae_of_average),
            "coverage": self.level,
            "held": self.held,
            "held_by_chance": list(self.held_by_chance),
            "worst": self.positions[self.worst(5)].tolist(),
            "groups": groups,
            "outstanding": self.groups.index(self.outstanding) if self.outstanding else None,
            "unit": TARGET.unit,
        }


def _clearness(group: Group) -> tuple[float, float]:
    """How clearly a group differs; of two that are each other's rest, the one with the larger misses is the clearer."""
    return round(abs(group.excess.value) / ((group.excess.high - group.excess.low) or math.inf), 9), group.mae


def validate(model: Model, X: FloatArray, y: FloatArray, scored: ScoredRows, level: float) -> Validation:
    """Hold predictions against what was observed.

    Parameters
    ----------
    X, y
        Inputs of shape (n, n_features) and target of shape (n,); NaN where it is not known.
    scored
        The predictions of these rows at ``level``.

    Raises
    ------
    ModelError
        If fewer than two rows count: with the reason.

    Notes
    -----
    Groups are held against all other rows by Welch's t, with Bonferroni's correction for their number.
    """
    is_observed = ~np.isnan(y)
    is_known = _is_in_training(model, X, y) & is_observed
    positions = np.flatnonzero(is_observed & ~is_known)
    n_known = int(is_known.sum())
    if len(positions) < 2:
        known = (
            f"; {n_known:,} are of those that the model was trained on, and say nothing of new ones" if n_known else ""
        )
        raise ModelError(
            f"Of {is_observed.sum():,} {ROWS} with {TARGET.label.lower()}, {len(positions)} can tell how well it does"
            f"{known}. Give at least two others."
        )
    errors, observed = y[positions] - scored.value[positions], y[positions]
    half_width = (scored.high - scored.value)[positions]
    return Validation(
        n_known=n_known,
        positions=positions,
        errors=errors,
        mae=_estimate(np.abs(errors)),
        bias=_mean_with_interval(errors),
        mae_of_average=_estimate(np.abs(observed - model.y.mean())),
        level=level,
        held=int((np.abs(errors) <= half_width).sum()),
        held_by_chance=_held_by_chance(len(errors), len(model.distinct), level),
        groups=tuple(_compare_groups(X[positions], errors)),
    )


def compare_validations(validation: Validation, other: Validation) -> Difference:
    """By how much the mean absolute error exceeds another model's on the rows that count for both, with its interval.

    Raises
    ------
    ModelError
        If fewer than two rows count for both.
    """
    shared, own, others = np.intersect1d(validation.positions, other.positions, return_indices=True)
    if len(shared) < 2:
        raise ModelError(f"Fewer than two {ROWS} are new to both versions, so they cannot be compared here.")
    return _mean_with_interval(np.abs(validation.errors[own]) - np.abs(other.errors[others]))


def validate_beside(model: Model, X: FloatArray, y: FloatArray, level: float, other: Model | None) -> dict[str, Any]:
    """Validate a model, and another one beside it on the same rows, as plain values for programs.

    Raises
    ------
    ModelError
        As `validate` and `compare_validations`.
    """
    validation = validate(model, X, y, score_scenarios(model, X, level), level)
    record = {"version": model.version} | validation.to_record()
    if other is None:
        return record
    if level not in (levels := possible_levels(len(other.distinct))):
        known = ", ".join(f"{each:g}" for each in levels)
        raise ModelError(f"Version {other.version} has too few {ROWS} for the level {level:g}. Ask for one of {known}.")
    others = validate(other, X, y, score_scenarios(other, X, level), level)
    difference = asdict(compare_validations(validation, others))
    return record | {"beside": {"version": other.version} | others.to_record(), "mae_difference": difference}


def _held_by_chance(n_rows: int, n_trained: int, level: float) -> tuple[int, int]:
    """Counts between which 95 of 100 files of rows like those of the training lie.

    Notes
    -----
    The width is the k-th smallest of n errors, so the share that it holds of new rows is itself a draw, from
    Beta(k, n + 1 - k), and the count is beta-binomial: Vovk (2012), Conditional validity, ACML.
    """
    from scipy.stats import betabinom

    k = rank(n_trained, level)
    low, high = betabinom.ppf([0.025, 0.975], n_rows, k, n_trained + 1 - k)
    return int(low), int(high)


def _is_in_training(model: Model, X: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """Whether each row is one of those that a model was trained on: equal in all inputs and the target."""
    import pandas as pd

    known, asked = (
        pd.util.hash_pandas_object(pd.DataFrame(np.column_stack(parts).round(9) + 0.0), index=False)
        for parts in ((model.X, model.y), (X, y))
    )
    return asked.isin(known).to_numpy()


def _estimate(values: FloatArray) -> Estimate:
    return Estimate(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)))


def _mean_with_interval(values: FloatArray) -> Difference:
    from scipy.special import stdtrit

    mean = _estimate(values)
    reach = float(stdtrit(len(values) - 1, (1 + _LEVEL) / 2)) * mean.standard_error
    return Difference(mean.value, mean.value - reach, mean.value + reach)


def _list_groups(X: FloatArray) -> Iterator[tuple[str, float, float, NDArray[np.bool_]]]:
    """Name, ends and rows of each group that is large enough, as are the rows beside it."""
    for i, column in enumerate(FEATURES):
        values = X[:, i]
        if column.choices:
            parts = [(float(code), float(code), values == code) for code in range(len(column.choices))]
        else:
            first, second = np.quantile(values, [1 / 3, 2 / 3])
            masks = (values <= first, (values > first) & (values <= second), values > second)
            parts = [(float(values[mask].min()), float(values[mask].max()), mask) for mask in masks if mask.any()]
        for low, high, mask in parts:
            if min(mask.sum(), (~mask).sum()) >= _MIN_ROWS:
                yield column.name, low, high, mask


def _compare_groups(X: FloatArray, errors: FloatArray) -> Iterator[Group]:
    from scipy.special import stdtrit

    groups = list(_list_groups(X))
    for name, low, high, mask in groups:
        inside, outside = _estimate(errors[mask]), _estimate(errors[~mask])
        variances = inside.standard_error**2, outside.standard_error**2
        error = math.sqrt(sum(variances))
        freedom = (
            error**4
            / sum(variance**2 / (n - 1) for variance, n in zip(variances, (mask.sum(), (~mask).sum()), strict=True))
            if error
            else 1.0
        )
        value, reach = inside.value - outside.value, float(stdtrit(freedom, 1 - _SIGNIFICANT / 2 / len(groups))) * error
        excess = Difference(value, value - reach, value + reach)
        yield Group(name, low, high, int(mask.sum()), float(np.abs(errors[mask]).mean()), excess)
