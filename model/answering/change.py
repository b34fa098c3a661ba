"""What changes from one scenario to another, and how sure that is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES, ROW, ROWS, TARGET, DataError, Problem, row_name
from model.answering.explain import coalition_rows, shapley
from model.answering.predict import Scenario, curve_rows, predict_many
from model.fitting.algorithms import OTHERS
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
_BLOCK = 100  # scenarios of which all refits are asked at a time


@dataclass(frozen=True)
class Change:
    """How the prediction changes from a start to a scenario; amounts in the unit of the target.

    Attributes
    ----------
    start, scenario
    start_prediction, prediction
        The active model's.
    value
        Their difference.
    level
        Of the interval [1].
    low, high
        Ends of the interval of the change; None without refits.
    below, above
        Shares of the refits that say less and more [1]; None without refits.
    is_stretched
        Whether the interval was stretched to hold ``value``.
    contributions
        Column name -> Shapley value; they add up to ``value``.
    others
        Name of an algorithm -> what it says of the same change; empty without refits.
    observed
        Target of the row that the change starts from; None where it starts elsewhere.
    """

    start: Scenario
    scenario: Scenario
    start_prediction: float
    prediction: float
    value: float
    level: float
    low: float | None
    high: float | None
    below: float | None
    above: float | None
    is_stretched: bool
    contributions: dict[str, float]
    others: dict[str, float]
    observed: float | None = None

    def to_record(self) -> dict[str, Any]:
        """Write it as plain values for JSON."""
        return {
            "from": dict(self.start),
            "to": dict(self.scenario),
            "from_prediction": self.start_prediction,
            "to_prediction": self.prediction,
            "change": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "is_stretched": self.is_stretched,
            "share_below_zero": self.below,
            "share_above_zero": self.above,
            "contributions": self.contributions,
            "others": self.others,
            "observed": self.observed,
            "unit": TARGET.unit,
        }


def predict_change(
    model: Model,
    start: Mapping[str, float],
    values: Mapping[str, float],
    level: float = 0.9,
    observed: float | None = None,
) -> Change:
    """Say how the prediction changes from a start to a scenario.

    Parameters
    ----------
    model
    start, values
        Column name -> number in the stored unit.
    level
        Of the interval [1], in (0, 1).
    observed
        Target of the row that is the start, if it is one.

    Raises
    ------
    DataError
        If a scenario cannot be used.

    Notes
    -----
    The change is the model's own, the interval percentiles of what the refits say: see `model.fitting.refits`. Where it
    does not hold the model's own change it is stretched to it.
    """
    start, scenario = Scenario(start), Scenario(values)
    one, other = (np.array([each[name] for name in FEATURE_NAMES]) for each in (start, scenario))
    predictions = predict_many(model, coalition_rows(other, one[None]))  # all 2**n ways to go from one to the other
    first, contributions = shapley(predictions, len(one))
    value = float(predictions[-1]) - first
    known: dict[str, Any] = dict.fromkeys(("low", "high", "below", "above")) | {"is_stretched": False, "others": {}}
    if model.refits:
        refits = model.refits.changes(one[None], other[None])
        low, high = (float(end[0]) for end in ends(refits, level))
        others = model.refits.changes_of_others(one[None], other[None])[0].tolist()
        known = {
            "low": min(low, value),
            "high": max(high, value),
            "is_stretched": not low <= value <= high,
            "below": float((refits < 0).mean()),
            "above": float((refits > 0).mean()),
            "others": dict(zip(OTHERS, others, strict=True)),
        }
    return Change(
        start=start,
        scenario=scenario,
        start_prediction=first,
        prediction=float(predictions[-1]),
        value=value,
        level=level,
        contributions=dict(zip(FEATURE_NAMES, contributions.tolist(), strict=True)),
        observed=observed,
        **known,
    )


def predict_changes(
    model: Model, before: FloatArray, after: FloatArray, level: float = 0.9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Say how the prediction changes from many scenarios to others, as `predict_change` does of one.

    Parameters
    ----------
    model
    before, after
        Of shape (n, n_features), in stored units.
    level
        Of the interval [1].

    Returns
    -------
    value, low, high
        Of shape (n,) each [unit of the target]; both ends NaN without refits.
    """
    value = predict_many(model, after) - predict_many(model, before)
    low, high = np.full_like(value, np.nan), np.full_like(value, np.nan)
    if refits := model.refits:
        for start in range(0, len(value), _BLOCK):
            part = slice(start, start + _BLOCK)
            low[part], high[part] = ends(refits.changes(before[part], after[part]), level)
    return value, np.fmin(low, value), np.fmax(high, value)  # stretched to hold the model's own


def amount_in_words(amount: float) -> str:
    """Write a change in whole units without its sign: ``-46.2`` -> ``"46 less"``."""
    rounded = round(amount)
    return f"{abs(rounded):,} {'less' if rounded < 0 else 'more'}" if rounded else "no change"


def agreement_in_words(change: Change) -> str:
    """Say how many of 100 refits say less and more: ``"94 of 100 refits say less, 4 more, 2 no change"``."""
    counted = dict(
        zip(("less", "more", "no change"), refits_either_side(change.below or 0.0, change.above or 0.0), strict=True)
    )
    first, *more = sorted((word for word in counted if counted[word]), key=lambda word: -counted[word])
    says = f"{counted[first]} of 100 refits say {first}"
    return ", ".join([says, *(f"{counted[word]} {word}" for word in more)])


def refits_either_side(below: float, above: float) -> list[int]:
    """How many of 100 refits say less, more, and no change, so that they add up: largest remainders first."""
    exact = [100 * below, 100 * above, 100 * (1 - below - above)]
    counted = [int(share + 1e-9) for share in exact]
    for place in sorted(range(3), key=lambda place: counted[place] - exact[place])[: 100 - sum(counted)]:
        counted[place] += 1
    return counted


class Band(NamedTuple):
    """The interval of the change along a slider, at some of its steps.

    Attributes
    ----------
    steps
        Places on the slider's grid, both ends among them.
    low, high
        Of shape (n_steps,) [unit of the target].
    counts
        Of each step: how many of 100 refits say less, more, and no change.
    """

    steps: list[int]
    low: FloatArray
    high: FloatArray
    counts: list[list[int]]


def bands(model: Model, start: Scenario, scenario: Scenario, level: float, n_steps: int) -> dict[str, Band]:
    """Say how sure the change from a start is along each slider, the other inputs held.

    Parameters
    ----------
    model
        With refits.
    start, scenario
    level
        Of the interval [1].
    n_steps
        At how many steps of each slider, or at all where it has fewer.

    Returns
    -------
    dict
        Column name -> Band.
    """
    x = np.array([scenario[name] for name in FEATURE_NAMES])
    places = [np.unique(np.linspace(0, column.n_steps - 1, n_steps).round().astype(int)) for column in FEATURES]
    rows = [block[steps] for block, steps in zip(curve_rows(x), places, strict=True)]
    before = np.array([[start[name] for name in FEATURE_NAMES]])
    if not model.refits:
        raise ValueError("without refits nothing is known of how sure a change is")
    said = model.refits.changes(before, np.concatenate(rows))
    found, first = {}, 0
    for name, steps in zip(FEATURE_NAMES, places, strict=True):
        of_input = said[first : first + len(steps)]
        below, above = (of_input < 0).mean(axis=1), (of_input > 0).mean(axis=1)
        counted = [refits_either_side(*shares) for shares in zip(below.tolist(), above.tolist(), strict=True)]
        found[name] = Band(steps.tolist(), *ends(of_input, level), counted)
        first += len(steps)
    return found


def ends(changes: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Ends of the interval of each change, shape (n,), from what the refits say of it, shape (n, n_refits)."""
    low, high = np.quantile(changes, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high


def places_by_name(model: Model) -> dict[str, int]:
    """Place of each row by its name and by its code, both in small letters; of equal ones the first."""
    codes = [str(code) for code in model.rows[ROW]]
    places: dict[str, int] = {}
    for name_of in (str, row_name):
        for place, code in enumerate(codes):
            places.setdefault(name_of(code).casefold(), place)
    return places


def find_row(model: Model, name: str) -> int:
    """Return the place of the row of a name, or of its code.

    Raises
    ------
    DataError
        If there is none.
    """
    codes, wanted = model.rows[ROW].to_numpy(), str(name).strip()
    if len(places := np.flatnonzero(codes == wanted)):
        return int(places[0])
    for place, code in enumerate(codes):
        if wanted.casefold() in (str(code).casefold(), row_name(str(code)).casefold()):
            return place
    cure = f"Name one of its {len(model.rows):,} {ROWS}, such as {row_name(str(model.rows[ROW].iloc[0]))}."
    raise DataError([Problem(f"from: {str(name)[:60]!r} is no {ROW} of the active model. {cure}", "from", name, cure)])


def start_figures(model: Model, place: int) -> tuple[dict[str, float], float]:
    """Return the inputs of a row, and its target."""
    row = model.records[place]
    return {name: row[name] for name in FEATURE_NAMES}, row[TARGET.name]
