"""What is to be found: an aim of the prediction, and what each input may do for it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import DataError, Problem
from data.schema import FEATURE_NAMES, FEATURES, TARGET, Column
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.prediction import Scenario
from model.answering.space import Range
from model.fitting.train import Model

AIMS = ("reach", "at_least", "at_most", "highest", "lowest")
RANGE_KEYS = ("low", "high", "step", "cost")  # of a number
CHOICE_KEYS = ("choices", "cost")  # of a category
_SIDES = {"at_least": 1, "highest": 1, "at_most": -1, "lowest": -1}
_MAX_COST = 1e9


@dataclass(frozen=True)
class Question:
    """A checked question: see `read_question`.

    Attributes
    ----------
    goal
        As a prediction is shown [unit of the target]; None for the highest and the lowest.
    ranges
        Name of each input that may move -> what it may do.
    has_usual_costs
        Whether a standard deviation of a number costs 1, and so does another choice.
    """

    start: Scenario
    aim: str
    goal: float | None
    ranges: dict[str, Range]
    support: str
    share: float
    has_usual_costs: bool

    def side(self, start_prediction: float) -> int:
        """Return 1 where the prediction is to rise from the start, -1 where it is to fall."""
        is_above = self.goal is not None and self.goal > TARGET.round(start_prediction)
        return _SIDES.get(self.aim, 1 if is_above else -1)

    def aim_in_words(self, start_prediction: float) -> str:
        """Write the aim: ``"500 or less"``, ``"As low as possible"``."""
        is_up = self.side(start_prediction) > 0
        if self.goal is None:
            return f"As {'high' if is_up else 'low'} as possible"
        return f"{TARGET.estimate(self.goal)} or {'more' if is_up else 'less'}"


def read_question(
    model: Model,
    start: Mapping[str, object],
    aim: object = "reach",
    goal: object = None,
    *,
    fixed: Any = (),
    ranges: Any = None,
    support: object = SUPPORT_LEVELS[0],
    share: object = 0.0,
) -> Question:
    """Check what is to be found.

    Parameters
    ----------
    start
        Column name -> number in the stored unit: where the changes begin, which may lie beyond the sliders.
    aim
        One of `AIMS`. "reach" is at the goal or past it, seen from the start.
    goal
        [unit of the target]
    fixed
        Names of the inputs that must not move.
    ranges
        Name of an input -> what differs from its whole slider: ``low`` and ``high`` (its own two ends), ``step``
        [stored unit], ``cost`` of a step (a standard deviation costs 1 otherwise); of a category ``choices`` that are
        allowed (labels) and ``cost`` of another choice (1 otherwise).
    support
        The farthest from the rows that an answer may be, one of `SUPPORT_LEVELS`.
    share
        Of the refits that must reach the aim [1], below 1; 0 if that does not matter.

    Raises
    ------
    DataError
        With every problem.
    """
    problems: list[str] = []
    fixed = _read_names("fixed", fixed, (list, tuple), problems)
    _read_names("ranges", given := {} if ranges is None else ranges, Mapping, problems)
    given = given if isinstance(given, Mapping) else {}

    def attempt(read: Callable[..., Any], *arguments: object) -> Any:
        try:
            return read(*arguments)
        except DataError as error:
            problems.extend(error.problems)

    attempt(_require_one_of, "aim", aim, AIMS)
    attempt(_require_one_of, "support", support, SUPPORT_LEVELS)
    wanted_share = attempt(_read_share, model, share)
    scenario = attempt(Scenario, start)
    number = attempt(_read_goal, goal) if aim in AIMS[:3] else None
    if set(fixed) >= set(FEATURE_NAMES):
        text = "Every input is kept fixed, so nothing can change. Let at least one move."
        problems.append(Problem(text, "fixed", None, "Let at least one move."))
    free = {
        column: scale for column, scale in zip(FEATURES, model.scale.tolist(), strict=True) if column.name not in fixed
    }
    checked = {
        column.name: attempt(_read_range, column, scale, given.get(column.name, {})) for column, scale in free.items()
    }
    if problems:
        raise DataError(problems)
    has_usual_costs = not any("cost" in given.get(name, {}) for name in checked)
    return Question(scenario, str(aim), number, checked, str(support), wanted_share, has_usual_costs)


def _refusal(field: str, value: object, cure: str) -> DataError:
    return DataError([Problem(f"{field}: {str(value)[:60]!r} cannot be used. {cure}", field, value, cure)])


def _require_one_of(field: str, value: object, known: Collection[str]) -> None:
    if value not in known:
        raise _refusal(field, value, f"Give one of {', '.join(known)}.")


def _read_names(field: str, names: Any, kind: Any, problems: list[str]) -> list[str]:
    """Return the inputs among names, and note what is none."""
    cure = f"The inputs are {', '.join(FEATURE_NAMES)}."
    is_list = isinstance(names, kind)
    unknown = [name for name in names if name not in FEATURE_NAMES] if is_list else [names]
    problems += [Problem(f"{field}: {str(name)[:60]!r} is not an input. {cure}", field, name, cure) for name in unknown]
    return [name for name in names if name in FEATURE_NAMES] if is_list else []


def _read_goal(goal: object) -> float:
    try:
        return float(TARGET.round(TARGET.check(goal)))
    except DataError:
        raise _refusal("goal", goal, TARGET.shown_limits) from None


def _read_share(model: Model, share: object) -> float:
    if isinstance(share, bool) or not isinstance(share, (int, float)) or not 0 <= share < 1:
        raise _refusal("share", share, "Give a share of the refits from 0 to below 1.")
    if share and not model.refits:
        raise _refusal("share", share, "This model has no refits yet: leave it out.")
    return float(share)


def _read_range(column: Column, scale: float, given: Any) -> Range:
    """Check what one input may do; its problems name it."""
    keys = CHOICE_KEYS if column.choices else RANGE_KEYS
    if not isinstance(given, Mapping) or not given.keys() <= set(keys):
        raise _refusal(column.name, given, f"Give some of {', '.join(keys)}.")
    if column.choices:
        labels = given.get("choices", column.choices)
        if not isinstance(labels, (list, tuple)) or not labels or any(label not in column.choices for label in labels):
            cure = f"Give some of {', '.join(map(repr, column.choices))}."
            raise _refusal(f"{column.name}, choices", labels, cure)
        codes = sorted({float(column.choices.index(label)) for label in labels})
        return Range(tuple(codes), _read_cost(column, given, 1.0))
    low = _read_shown(column, "low", given, column.low, (column.low, column.high))
    high = _read_shown(column, "high", given, column.high, (low, column.high))
    step = _read_shown(column, "step", given, column.step, (column.step, column.high - column.low))
    n_each = round(step / column.step)
    if abs(step / column.step - n_each) > 1e-6:
        cure = f"Give a multiple of the slider's step, {column.shown(column.step):.10g}."
        raise _refusal(f"{column.name}, step", f"{column.shown(step):.10g}", cure)
    values = [value for value in column.grid if low - 1e-9 <= value <= high + 1e-9][::n_each]
    return Range(tuple(values), _read_cost(column, given, step / scale), step)


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and low - 1e-9 <= value <= high + 1e-9


def _read_shown(column: Column, key: str, given: Mapping[str, Any], usual: float, ends: tuple[float, float]) -> float:
    """Read a figure in the stored unit; its refusal is in the shown one."""
    value = given.get(key, usual)
    if not _is_number(value, *ends):
        shown = f"{column.shown(value):,.10g}" if isinstance(value, float) else value
        low, high = (f"{column.shown(end):,.10g}" for end in ends)
        raise _refusal(
            f"{column.name}, {key}", shown, f"Give a number from {low} to {high} {column.unit}".rstrip() + "."
        )
    return float(value)


def _read_cost(column: Column, given: Mapping[str, Any], usual: float) -> float:
    value = given.get("cost", usual)
    if not _is_number(value, 0, _MAX_COST) or value <= 0:
        raise _refusal(f"{column.name}, cost", value, f"Give a number above 0, up to {_MAX_COST:,.0f}.")
    return float(value)
