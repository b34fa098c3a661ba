"""What a request holds, checked: every problem of it names its field, the value received and the cure."""

import math
from collections.abc import Collection
from typing import Any, cast

from starlette.exceptions import HTTPException
from starlette.requests import Request

from data.errors import DataError, Problem
from data.inputs import load_json
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.answering.change import find_row, start_figures
from model.answering.prediction import Scenario
from model.fitting.interval import possible_levels
from model.fitting.train import Model

Located = tuple[int | None, Problem]  # position in the list that was sent, None if it was no list
_USUAL_LEVEL = 0.9


def read_object(content: bytes, required: Collection[str], optional: Collection[str], cure: str) -> dict[str, Any]:
    """Read an object with these keys.

    Raises
    ------
    starlette.exceptions.HTTPException
        400 if it is not JSON, 422 if it is not such an object.
    """
    try:
        body = load_json(content)
    except DataError as error:
        raise HTTPException(400, f"{error} {cure}") from None
    if not isinstance(body, dict) or not set(required) <= body.keys() <= {*required, *optional}:
        raise HTTPException(422, cure)
    return body


def read_level(request: Request, model: Model) -> tuple[float, list[Located]]:
    """Read the level of the interval from the query, which may hold nothing else."""
    if unknown := [name for name in request.query_params if name != "coverage"]:
        cure = "The only parameter is coverage."
        text = f"{unknown[0][:60]!r} is not a parameter. {cure}"
        return _USUAL_LEVEL, [(None, Problem(text, unknown[0][:60], request.query_params[unknown[0]], cure))]
    levels, values = possible_levels(len(model.distinct)), request.query_params.getlist("coverage")
    try:
        (level,) = [float(text) for text in values] or [_USUAL_LEVEL]
    except ValueError:
        level = math.nan
    if level not in levels:
        cure = f"Give one of {', '.join(f'{level:g}' for level in levels)}."
        text = f"coverage: {', '.join(values)[:60]!r} is not a level of the interval. {cure}"
        return _USUAL_LEVEL, [(None, Problem(text, "coverage", ", ".join(values), cure))]
    return level, []


def problems_of(error: DataError) -> list[Problem]:
    """Return the problems of a scenario, each of which names its input."""
    return cast("list[Problem]", error.problems)


def read_scenario(values: Any) -> Scenario:
    """Check one scenario as the pages do; here a number must be sent as a number, and a choice as its label."""
    if not isinstance(values, dict):
        cure = f"Give an object with {', '.join(FEATURE_NAMES)}."
        raise DataError([Problem(f"This is not a scenario. {cure}", "", values, cure)])
    of_other_kind = {
        column: values[column.name]
        for column in FEATURES
        if isinstance(values.get(column.name), (int, float, list, dict) if column.choices else (str, list, dict))
    }
    problems = [
        Problem(
            f"{column.name}: is not sent as {'text' if column.choices else 'a number'}. {column.limits}",
            column.name,
            value,
            column.limits,
        )
        for column, value in of_other_kind.items()
    ]
    try:
        scenario = Scenario(values | {column.name: column.default for column in of_other_kind})
    except DataError as error:
        problems += problems_of(error)
    if problems:
        raise DataError(problems)
    return scenario


def read_start(model: Model, value: Any) -> tuple[Scenario, float | None]:
    """Read where a change starts: its inputs, and the observed target if it is a row."""
    if isinstance(value, str):
        start, observed = start_figures(model, find_row(model, value))
        return Scenario(start), observed
    return read_scenario(value), None


def read_observed(row: Any) -> float:
    """Read what was observed of a row; like inputs, it must be sent as a number."""
    value = row.get(TARGET.name) if isinstance(row, dict) else None
    if isinstance(value, (int, float)):
        return TARGET.check(value)
    text = f"{TARGET.name}: is {'missing' if value is None else 'not sent as a number'}. {TARGET.limits}"
    raise DataError([Problem(text, TARGET.name, value, TARGET.limits)])
