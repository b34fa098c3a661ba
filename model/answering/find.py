"""Find: the cheapest changes of the inputs that bring the prediction to an aim, several that differ from each other."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.answering.change import Change, predict_change
from model.answering.prediction import Prediction, Scenario, predict, predict_many
from model.answering.question import Question
from model.answering.search import Demands, Search
from model.answering.space import Space, steadiness
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
_ROWS_PER_BLOCK = 200  # of the refits


@dataclass(frozen=True)
class Answer:
    """One way to the aim.

    Attributes
    ----------
    cost
        In the unit of the inputs' costs: standard deviations, unless others were given.
    prediction, change
        At its scenario, and from the start.
    share
        Of the refits that reach the aim, or move as it says [1]; None without refits.
    is_steady
        Whether the aim still holds with any one of the moved inputs a slider step further, and back; None where the
        aim is no number, or the answer does not reach it.
    """

    cost: float
    prediction: Prediction
    change: Change
    share: float | None
    is_steady: bool | None

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "scenario": self.prediction.scenario.to_record(),
            "cost": self.cost,
            "value": self.prediction.value,
            "change": self.change.value,
            "change_low": self.change.low,
            "change_high": self.change.high,
            "share_of_refits": self.share,
            "is_steady": self.is_steady,
            "support": self.prediction.support,
            "nearest": {"name": self.prediction.nearest[0].name, "distance_sd": self.prediction.nearest[0].distance},
        }


@dataclass(frozen=True)
class FindResult:
    """The ways to an aim.

    Attributes
    ----------
    start_prediction
        [unit of the target]
    answers
        The cheapest first, of the highest and the lowest the best; any two differ in one input at least, by half a
        standard deviation or another choice. If the aim is not reached, the closest; none if nothing in the ranges is
        as near to the rows as was asked.
    is_reached
        Whether they reach the aim; the highest and the lowest always do.
    is_sure
        Whether as many refits reach it as was asked for.
    n_tried
        How many scenarios the model was asked for.
    """

    question: Question
    start_prediction: float
    answers: tuple[Answer, ...]
    is_reached: bool
    is_sure: bool
    n_tried: int

    @property
    def aim_in_words(self) -> str:
        """The aim: ``"500 or less"``."""
        return self.question.aim_in_words(self.start_prediction)

    def to_record(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "from": self.question.start.to_record(),
            "from_prediction": self.start_prediction,
            "aim": self.question.aim,
            "goal": self.question.goal,
            "is_reached": self.is_reached,
            "is_sure": self.is_sure,
            "answers": [answer.to_record() for answer in self.answers],
            "unit": TARGET.unit,
        }


def find(model: Model, question: Question, level: float = 0.9) -> FindResult:
    """Find the cheapest scenarios that reach an aim, near to real rows, and steady against a slider step.

    Parameters
    ----------
    level
        Of the intervals [1].

    Notes
    -----
    Costs add up over the inputs. A hundred thousand positions are all tried, or a third of that with hundreds of rows;
    of more, a cheaper answer may be missed. Where no answer is steady, or as sure as was asked, that is given up, and
    said. A refit reaches the aim if its own change from the start, added to the active model's prediction there, does.
    """
    start = np.array([question.start[name] for name in FEATURE_NAMES])
    start_prediction = float(predict_many(model, start[None])[0])
    side, goal = question.side(start_prediction), question.goal

    def shortfall(predictions: FloatArray) -> FloatArray:
        return -side * predictions if goal is None else np.maximum(side * (goal - predictions), 0)

    def share(rows: FloatArray) -> FloatArray:
        if not model.refits:
            raise ValueError("The model has no refits.")
        shares = [np.empty(0)]
        for begin in range(0, len(rows), _ROWS_PER_BLOCK):
            changes = model.refits.changes(start[None], rows[begin : begin + _ROWS_PER_BLOCK])
            reached = side * changes > 0 if goal is None else shortfall(TARGET.round(start_prediction + changes)) == 0
            shares.append(reached.mean(axis=1))
        return np.concatenate(shares)

    space = Space(model, start, {FEATURE_NAMES.index(name): given for name, given in question.ranges.items()})
    search = Search(space, shortfall, share, has_number=goal is not None)
    *relaxed, last = _relax(Demands(question.support, question.share), has_number=goal is not None)
    for demands in (*relaxed, last):
        ways = search.run(demands, is_last=demands is last)
        is_reached = bool(ways) and (goal is None or search.is_reached(ways[0][0]))
        if is_reached:
            break
    positions = np.array([position for _, position in ways], int).reshape(len(ways), len(start))
    rows = space.rows(positions)
    is_asked = is_reached and goal is not None
    steady = steadiness(space, positions, shortfall).tolist() if is_asked else [None] * len(ways)
    shares = share(rows).tolist() if model.refits else [None] * len(ways)
    answers = []
    for (key, _), row, of_refits, is_steady in zip(ways, rows.tolist(), shares, steady, strict=True):
        scenario = Scenario(dict(zip(FEATURE_NAMES, row, strict=True)))
        answer = predict(model, scenario, level, curves_of=())
        answers.append(
            Answer(key[1], answer, predict_change(model, question.start, scenario, level), of_refits, is_steady)
        )
    is_sure = demands.share == question.share
    return FindResult(question, start_prediction, tuple(answers), is_reached, is_sure, search.n_tried)


def _relax(demands: Demands, *, has_number: bool) -> Iterator[Demands]:
    """Yield demands in the order in which they are given up; the support never is."""
    for share in dict.fromkeys((demands.share, 0.0)):
        yield replace(demands, share=share)
        if has_number:
            yield replace(demands, share=share, is_steady=False)


def moves_in_words(result: FindResult, answer: Answer) -> list[tuple[str, str, str]]:
    """List what an answer moves: label of an input, its value at the start, and its new one."""
    start, scenario = result.question.start, answer.prediction.scenario
    return [
        (column.label.lower(), column.text_with_unit(start[column.name]), column.text_with_unit(scenario[column.name]))
        for column in FEATURES
        if start[column.name] != scenario[column.name]
    ]
