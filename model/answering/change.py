"""What changes from one scenario to another, and how sure that is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, Problem
from data.schema import FEATURE_NAMES, FEATURES, ROW, ROWS, TARGET, row_name
from model.answering.explain import Question, Reasons, reason_rows, share_difference
from model.answering.prediction import (
    ALL_INPUTS,
    Prediction,
    Scenario,
    ask,
    compose_prediction,
    curve_rows,
    predict_many,
)
from model.fitting.algorithms import OTHERS
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
_SCENARIOS_PER_BLOCK = 100


@dataclass(frozen=True)
class Change:
    """How the prediction changes from a start to a scenario; amounts in the unit of the target.

    Attributes
    ----------
    start, scenario
    start_prediction, prediction
        The active model's.
    value
        The change: the difference of the two predictions.
    level
        Of the interval [1].
    low, high
        Ends of the interval of the change; None without refits.
    below, above
        Shares of the refits that predict less and more [1]; None without refits.
    is_stretched
        Whether the interval was stretched to hold ``value``.
    reasons
        What each input contributes; they add up to ``value``.
    others
        Name of an algorithm -> its prediction of the same change; empty without refits.
    observed
        Target of the row that the change starts from; None if it does not start from a row.
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
    reasons: Reasons
    others: dict[str, float]
    observed: float | None = None

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "from": self.start.to_record(),
            "to": self.scenario.to_record(),
            "from_prediction": self.start_prediction,
            "to_prediction": self.prediction,
            "change": self.value,
            "low": self.low,
            "high": self.high,
            "level": self.level,
            "is_stretched": self.is_stretched,
            "share_below_zero": self.below,
            "share_above_zero": self.above,
            **{name: value for name, value in self.reasons.to_record("start").items() if name != "start"},
            "others": self.others,
            "observed": self.observed,
            "unit": TARGET.unit,
        }


def predict_change(
    model: Model,
    start_values: Mapping[str, object],
    values: Mapping[str, object],
    level: float = 0.9,
    observed: float | None = None,
) -> Change:
    """Predict the change from a start to a scenario.

    Parameters
    ----------
    start_values, values
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
    The change is the model's own; the ends of the interval are percentiles of the refits' changes: see
    `model.fitting.refits`. If the interval does not hold the model's own change, it is stretched to hold it.
    """
    start, scenario = Scenario(start_values), Scenario(values)
    question = _ask_change(start, scenario)
    return _compose_change(model, start, scenario, question, predict_many(model, question.rows), level, observed)


def predict_with_change(
    model: Model,
    start_values: Mapping[str, object],
    values: Mapping[str, object],
    level: float = 0.9,
    observed: float | None = None,
    *,
    with_reasons: bool = False,
    curves_of: Collection[int] = ALL_INPUTS,
) -> tuple[Prediction, Change]:
    """Do what `model.answering.prediction.predict` and `predict_change` do, in one batched call of the model."""
    start, scenario = Scenario(start_values), Scenario(values)
    asked = ask(model, scenario, with_reasons=with_reasons, curves_of=curves_of)
    question = _ask_change(start, scenario)
    predictions = predict_many(model, np.concatenate([*asked.blocks, question.rows]))
    of_answer, of_change = np.split(predictions, [len(predictions) - len(question.rows)])
    change = _compose_change(model, start, scenario, question, of_change, level, observed)
    return compose_prediction(model, asked, of_answer, level), change


def _ask_change(start: Scenario, scenario: Scenario) -> Question:
    before, after = (np.array([inputs[name] for name in FEATURE_NAMES]) for inputs in (start, scenario))
    return reason_rows(after, before[None])


def _compose_change(
    model: Model,
    start: Scenario,
    scenario: Scenario,
    question: Question,
    predictions: FloatArray,
    level: float,
    observed: float | None,
) -> Change:
    """Compose the change from the predictions of its question, in which none of the inputs is moved first, all last."""
    before, after = (np.array([inputs[name] for name in FEATURE_NAMES]) for inputs in (start, scenario))
    start_prediction, prediction = float(predictions[0]), float(predictions[-1])
    value = prediction - start_prediction
    low = high = below = above = None
    is_stretched, others = False, {}
    if model.refits:
        refit_changes = model.refits.changes(before[None], after[None])
        refit_low, refit_high = (float(end[0]) for end in interval_ends(refit_changes, level))
        low, high = min(refit_low, value), max(refit_high, value)
        is_stretched = not refit_low <= value <= refit_high
        below, above = float((refit_changes < 0).mean()), float((refit_changes > 0).mean())
        other_changes = model.refits.changes_of_others(before[None], after[None])[0].tolist()
        others = dict(zip(OTHERS, other_changes, strict=True))
    return Change(
        start=start,
        scenario=scenario,
        start_prediction=start_prediction,
        prediction=prediction,
        value=value,
        level=level,
        low=low,
        high=high,
        below=below,
        above=above,
        is_stretched=is_stretched,
        reasons=share_difference(question, predictions),
        others=others,
        observed=observed,
    )


def predict_changes(
    model: Model, before: FloatArray, after: FloatArray, level: float = 0.9
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Predict the changes from many starts to as many scenarios, as `predict_change` does for one.

    Parameters
    ----------
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
    if model.refits:
        for first in range(0, len(value), _SCENARIOS_PER_BLOCK):
            block = slice(first, first + _SCENARIOS_PER_BLOCK)
            low[block], high[block] = interval_ends(model.refits.changes(before[block], after[block]), level)
    return value, np.fmin(low, value), np.fmax(high, value)  # stretched to hold the model's own change


def amount_in_words(amount: float) -> str:
    """Write a change as it is shown, without its sign: ``-46.2`` -> ``"46 less"``."""
    if not TARGET.round(amount):
        return "no change"
    return f"{TARGET.estimate(abs(amount))} {'less' if amount < 0 else 'more'}"


def agreement_in_words(change: Change) -> str:
    """Say how many of 100 refits say less and more: ``"94 of 100 refits say less, 4 more, 2 no change"``."""
    if change.below is None or change.above is None:
        raise ValueError("The model of this change has no refits.")
    counts = dict(zip(("less", "more", "no change"), refits_either_side(change.below, change.above), strict=True))
    most_common, *rarer = sorted((word for word in counts if counts[word]), key=lambda word: -counts[word])
    majority = f"{counts[most_common]} of 100 refits say {most_common}"
    return ", ".join([majority, *(f"{counts[word]} {word}" for word in rarer)])


def refits_either_side(below: float, above: float) -> list[int]:
    """Count how many of 100 refits say less, more and no change, rounded by largest remainder to add up to 100."""
    percentages = [100 * below, 100 * above, 100 * (1 - below - above)]
    counts = [int(percentage + 1e-9) for percentage in percentages]
    for i in sorted(range(3), key=lambda i: counts[i] - percentages[i])[: 100 - sum(counts)]:
        counts[i] += 1
    return counts


class ChangeBand(NamedTuple):
    """The interval of the change along a slider, at some of its steps.

    Attributes
    ----------
    steps
        Indices on the slider's grid, both ends among them.
    low, high
        Of shape (n_steps,) [unit of the target].
    counts
        For each step, how many of 100 refits say less, more and no change.
    """

    steps: list[int]
    low: FloatArray
    high: FloatArray
    counts: list[list[int]]


def bands(
    model: Model,
    start: Scenario,
    scenario: Scenario,
    level: float,
    n_steps: int,
    curves_of: Collection[int] = ALL_INPUTS,
) -> dict[str, ChangeBand]:
    """Return the band of the change from a start along each slider, with the other inputs held.

    Parameters
    ----------
    model
        With refits.
    level
        Of the interval [1].
    n_steps
        Number of steps of each slider to use; all if it has fewer, or is a category.
    curves_of
        Indices of the inputs.
    """
    if not model.refits:
        raise ValueError("The model has no refits.")
    x = np.array([scenario[name] for name in FEATURE_NAMES])
    columns = [FEATURES[i] for i in curves_of]
    steps_by_input = [
        np.arange(column.n_steps)
        if column.choices
        else np.unique(np.linspace(0, column.n_steps - 1, n_steps).round().astype(int))
        for column in columns
    ]
    rows = [block[steps] for block, steps in zip(curve_rows(x, curves_of), steps_by_input, strict=True)]
    before = np.array([[start[name] for name in FEATURE_NAMES]])
    refit_changes = model.refits.changes(before, np.concatenate(rows))
    low, high = interval_ends(refit_changes, level)
    below, above = (refit_changes < 0).mean(axis=1), (refit_changes > 0).mean(axis=1)
    counts = [refits_either_side(*shares) for shares in zip(below.tolist(), above.tolist(), strict=True)]
    ends = np.cumsum([len(steps) for steps in steps_by_input]).tolist()
    band_by_input: dict[str, ChangeBand] = {}
    for column, steps, end in zip(columns, steps_by_input, ends, strict=True):
        part = slice(end - len(steps), end)
        band_by_input[column.name] = ChangeBand(steps.tolist(), low[part], high[part], counts[part])
    return band_by_input


def interval_ends(changes: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Return the interval ends of each change, shape (n,) each, from its changes in the refits, shape (n, n_refits)."""
    low, high = np.quantile(changes, [(1 - level) / 2, (1 + level) / 2], axis=1)
    return low, high


def index_rows(model: Model) -> dict[str, int]:
    """Map the casefolded name and code of each row to its index; the first row wins if several are equal."""
    codes = [str(code) for code in model.rows[ROW]]
    indices: dict[str, int] = {}
    for to_text in (str, row_name):
        for index, code in enumerate(codes):
            indices.setdefault(to_text(code).casefold(), index)
    return indices


def find_row(model: Model, name: str) -> int:
    """Return the index of the row with a name or code.

    Raises
    ------
    DataError
        If there is no such row.
    """
    codes, wanted_name = model.rows[ROW].to_numpy(), str(name).strip()
    if len(exact_matches := np.flatnonzero(codes == wanted_name)):
        return int(exact_matches[0])
    for index, code in enumerate(codes):
        if wanted_name.casefold() in (str(code).casefold(), row_name(str(code)).casefold()):
            return index
    cure = f"Name one of its {len(model.rows):,} {ROWS}, such as {row_name(str(model.rows[ROW].iloc[0]))}."
    raise DataError([Problem(f"from: {str(name)[:60]!r} is no {ROW} of the active model. {cure}", "from", name, cure)])


def start_figures(model: Model, index: int) -> tuple[dict[str, float], float]:
    """Return the inputs of a row, and its target."""
    row = model.records[index]
    return {name: row[name] for name in FEATURE_NAMES}, row[TARGET.name]
