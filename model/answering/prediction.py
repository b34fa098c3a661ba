"""From a scenario to an answer: the number, its interval, its reasons, its neighbours and its response curves."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, Problem
from data.schema import FEATURE_NAMES, FEATURES, ROW, TARGET, row_name
from model.answering.explain import Question, Reasons, reason_rows, share_difference
from model.answering.neighbours import classify_support, curve_distances, nearest_rows
from model.fitting.encoding import ENCODED, encode
from model.fitting.forest import ForestTables, is_forest, walk_trees
from model.fitting.interval import Interval
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
N_NEAREST = 3
_MAX_SCANNED = 100_000  # figures of rows that a move may look at; of more, each point of a curve is searched for
ALL_INPUTS = range(len(FEATURES))
_ROWS_PER_BLOCK = 8_000  # a dozen milliseconds of the shipped forest
_PREDICT_LOCK = Lock()  # threads that predict at once would compete for the interpreter and all be slower


class Scenario(dict[str, float]):
    """One setting of the inputs: column name -> checked number in the stored unit, or code of a choice.

    Parameters
    ----------
    values
        Every input of the schema, a choice by its label or its code; other keys are refused.

    Raises
    ------
    DataError
        With every problem: what is wrong, the value received, and the cure.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        problems: list[str] = []
        checked: dict[str, float] = {}
        for column in FEATURES:
            if column.name not in values:
                text = f"{column.name}: is missing. {column.limits}"
                problems.append(Problem(text, column.name, None, column.limits))
                continue
            try:
                checked[column.name] = column.check(values[column.name])
            except DataError as error:
                problems += error.problems
        for name in values:
            if name not in FEATURE_NAMES:
                cure = f"The inputs are {', '.join(FEATURE_NAMES)}."
                problems.append(
                    Problem(f"{str(name)[:60]!r} is not an input. {cure}", str(name)[:60], values[name], cure)
                )
        if problems:
            raise DataError(problems)
        super().__init__(checked)

    def to_record(self) -> dict[str, float | str]:
        """Return what files and programs get: numbers, and labels of choices."""
        return {column.name: column.plain(self[column.name]) for column in FEATURES}


@dataclass(frozen=True)
class Neighbour:
    """A real row near a scenario: its index in the rows, its name, and how far away it is."""

    index: int
    name: str
    distance: float  # [standard deviations of the inputs]


@dataclass(frozen=True)
class Prediction:
    """The answer to a scenario; amounts in the unit of the target.

    Attributes
    ----------
    value, low, high
        The prediction and the ends of its interval.
    level
        Share of unseen rows that the interval is to hold [1].
    intervals
        What is promised and what was measured at each level: see `model.fitting.interval.intervals`.
    nearest
        The closest first.
    support
        "near", "far" or "very far" from every row.
    leverage
        In a straight line through the rows [1].
    curves
        Column name -> response curve of shape (n_steps,): predictions at the slider's own steps, the other inputs
        held.
    reasons
        Why it is not the average over the model's background rows; None where that was not asked.
    """

    scenario: Scenario
    value: float
    low: float
    high: float
    level: float
    intervals: list[Interval]
    nearest: tuple[Neighbour, ...]
    support: str
    leverage: float
    curves: dict[str, FloatArray]
    reasons: Reasons | None = None

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON, without the curves."""
        record = {
            "scenario": self.scenario.to_record(),
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "coverage": self.level,
            "intervals": [interval.to_record() for interval in self.intervals],
            "unit": TARGET.unit,
            "nearest": [{"name": row_name(row.name), "distance_sd": row.distance} for row in self.nearest],
            "support": self.support,
        }
        return record if self.reasons is None else record | self.reasons.to_record("average")


def predict(
    model: Model,
    values: Mapping[str, object],
    level: float = 0.9,
    *,
    with_reasons: bool = False,
    curves_of: Collection[int] = ALL_INPUTS,
) -> Prediction:
    """Answer a scenario in one batched call of the model.

    Parameters
    ----------
    values
        Column name -> number in the stored unit.
    level
        Share of unseen rows that the interval is to hold [1], in (0, 1).
    with_reasons
        Whether to say why it is not the average, too: that may cost more than all the rest.
    curves_of
        Indices of the inputs whose response curves are wanted.

    Raises
    ------
    DataError
        If the scenario cannot be used.
    ValueError
        If there are too few rows for ``level``.
    """
    asked = ask(model, Scenario(values), with_reasons=with_reasons, curves_of=curves_of)
    with _PREDICT_LOCK:
        predictions = predict_rows(model, asked.rows)
    return compose_prediction(model, asked, predictions, level)


class Asked(NamedTuple):
    """What must be predicted to answer a scenario: the scenario itself, its curves, and what its reasons need."""

    scenario: Scenario
    blocks: list[FloatArray]  # of shape (n, n_features) each
    curves_of: Collection[int]
    question: Question | None

    @property
    def rows(self) -> FloatArray:
        """All of it as one array of shape (n_rows, n_features)."""
        return np.concatenate(self.blocks)


def ask(
    model: Model, scenario: Scenario, *, with_reasons: bool = False, curves_of: Collection[int] = ALL_INPUTS
) -> Asked:
    """List what must be predicted: the arguments are those of `predict`."""
    x = np.array([scenario[name] for name in FEATURE_NAMES])
    question = reason_rows(x, model.background) if with_reasons else None
    blocks: list[FloatArray] = [x[None], *curve_rows(x, curves_of), question.rows if question else x[None][:0]]
    return Asked(scenario, blocks, curves_of, question)


def compose_prediction(model: Model, asked: Asked, predictions: FloatArray, level: float) -> Prediction:
    """Compose the answer from the predictions of `Asked.rows`, of shape (n_rows,) [unit of the target]."""
    scenario, blocks, curves_of, question = asked
    x = blocks[0][0]
    point, *curves, of_question = np.split(predictions, np.cumsum([len(block) for block in blocks])[:-1])
    value, width = float(point[0]), model.half_width(level)
    indices, distances = nearest_rows(model, x[None], N_NEAREST)
    neighbours = [
        Neighbour(int(index), str(model.records[index][ROW]), float(distance))
        for index, distance in zip(indices[0], distances[0], strict=True)
    ]
    return Prediction(
        scenario=scenario,
        value=value,
        low=value - width,
        high=value + width,
        level=level,
        intervals=model.intervals,
        nearest=tuple(neighbours),
        support=str(classify_support(model, x[None], distances[:, 0])[0]),
        leverage=float(model.leverage(x[None])[0]),
        curves=dict(zip((FEATURE_NAMES[i] for i in curves_of), curves, strict=True)),
        reasons=share_difference(question, of_question) if question else None,
    )


def curve_support(model: Model, x: FloatArray, curves_of: Collection[int] = ALL_INPUTS) -> dict[str, NDArray[np.str_]]:
    """Classify how far a scenario is from every row at each step of each slider, with the other inputs held.

    Parameters
    ----------
    x
        The scenario, of shape (n_features,), in stored units.
    curves_of
        Indices of the inputs.

    Returns
    -------
    dict
        Column name -> result of `classify_support` at each of its steps, shape (n_steps,).
    """
    blocks = list(curve_rows(x, curves_of))
    X = np.concatenate(blocks)
    if model.X.size <= _MAX_SCANNED:
        distances = np.concatenate(curve_distances(model, x, {i: _slider_grids()[i] for i in curves_of}))
    else:
        distances = nearest_rows(model, X)[1][:, 0]
    support = classify_support(model, X, distances)
    parts = np.split(support, np.cumsum([len(block) for block in blocks])[:-1])
    return dict(zip((FEATURE_NAMES[i] for i in curves_of), parts, strict=True))


def predict_rows(model: Model, X: FloatArray) -> FloatArray:
    """Predict many rows at once, bit for bit like the pipeline's own ``predict``, but faster for forests.

    Parameters
    ----------
    X
        Of shape (n_rows, n_features), in the order of the schema and in stored units.
    """
    return _fastest_predict(model.pipeline)(X)


def predict_many(model: Model, X: FloatArray) -> FloatArray:
    """Predict like `predict_rows`, but a block at a time, so that slider moves need not wait for all rows."""
    blocks = []
    for start in range(0, len(X), _ROWS_PER_BLOCK):
        with _PREDICT_LOCK:
            blocks.append(predict_rows(model, X[start : start + _ROWS_PER_BLOCK]))
    return np.concatenate(blocks)


def average_response(model: Model, X: FloatArray, feature: int, values: FloatArray) -> FloatArray:
    """Return the mean prediction with one input of all rows set to each value (partial dependence).

    Parameters
    ----------
    X
        The rows to average over, of shape (n_rows, n_features).
    feature
        Index of the input to set.
    values
        Of shape (n_values,) [stored unit].

    Returns
    -------
    response
        Of shape (n_values,) [unit of the target].

    Notes
    -----
    Friedman (2001), Annals of Statistics 29(5).
    """
    rows = np.tile(X, (len(values), 1))
    rows[:, feature] = np.repeat(values, len(X))
    return predict_many(model, rows).reshape(len(values), len(X)).mean(axis=1)


@lru_cache(maxsize=8)
def _fastest_predict(pipeline: Any) -> Callable[[FloatArray], FloatArray]:
    """Return the fastest function that predicts like a fitted pipeline."""
    prepare, regressor = pipeline.named_steps["prepare"], pipeline[-1]
    if prepare == "passthrough":
        return _fastest_of(regressor)
    return lambda X: regressor.predict(prepare.transform(encode(X)))


def _fastest_of(regressor: Any) -> Callable[[FloatArray], FloatArray]:
    """Return the fastest function that predicts like a fitted regressor: a forest's tables, if they can hold it."""
    from sklearn.ensemble import HistGradientBoostingRegressor, VotingRegressor

    if isinstance(regressor, VotingRegressor):
        members = [_fastest_of(member) for member in regressor.estimators_]
        return lambda X: np.average(np.array([predict_member(X) for predict_member in members]).T, axis=1)
    if is_forest(regressor):
        with contextlib.suppress(ValueError):
            return ForestTables(regressor, ENCODED).predict
        trees = [estimator.tree_ for estimator in regressor.estimators_]
        return lambda X: walk_trees(trees, encode(X))
    if isinstance(regressor, HistGradientBoostingRegressor):
        return _single_threaded_predict(regressor)
    return lambda X: regressor.predict(encode(X))


def _single_threaded_predict(regressor: Any) -> Callable[[FloatArray], FloatArray]:
    """Return a ``predict`` that starts no threads: for a slider move they cost twice what they save."""
    from threadpoolctl import ThreadpoolController

    threads = ThreadpoolController()

    def predict(X: FloatArray) -> FloatArray:
        with threads.limit(limits=1, user_api="openmp"):
            return regressor.predict(encode(X))

    return predict


@lru_cache(maxsize=1)
def _slider_grids() -> list[FloatArray]:
    return [np.array(column.grid) for column in FEATURES]


def curve_rows(x: FloatArray, curves_of: Collection[int]) -> Iterator[FloatArray]:
    """Yield, for each of these inputs, the scenario with that input at each step of its slider."""
    for i in curves_of:
        grid = _slider_grids()[i]
        rows = np.tile(x, (len(grid), 1))
        rows[:, i] = grid
        yield rows
