"""The description of the JSON interface, derived from the schema of the data: OpenAPI 3.1."""

from collections.abc import Iterable
from typing import Any

from data.schema import FEATURES, PERIOD, QUESTION, ROW, ROWS, TARGET, Column
from model.answering.neighbours import SUPPORT_LEVELS

MAX_SCENARIOS = 10_000
MAX_BYTES = 4 * 2**20  # of a request


def feature(column: Column) -> dict[str, Any]:
    """Describe an input: its meaning, its unit as it is sent, and what it may be."""
    return {
        "name": column.name,
        "label": column.label,
        "unit": "share, 0 to 1" if column.is_share else column.unit,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "slider": {"low": column.low, "high": column.high, "step": column.step, "default": column.default},
        "help": column.help,
    }


def _object(properties: dict[str, Any], optional: Iterable[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _reference(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(levels: Iterable[float]) -> dict[str, Any]:
    number, text = {"type": "number"}, {"type": "string"}
    whole = {"type": "integer", "minimum": 0}
    amount = {"type": "number", "description": TARGET.unit}
    near = _object({"name": text, "distance_sd": number | {"description": "standard deviations of the inputs"}})
    support = {"enum": list(SUPPORT_LEVELS), "description": f"how far from every {ROW}"}
    inputs = {
        column.name: {
            "type": "number",
            "minimum": column.minimum,
            "maximum": column.maximum,
            "description": f"{column.help} Unit: {feature(column)['unit']}.",
            "examples": [column.default],
        }
        for column in FEATURES
    }
    version = whole | {"description": "of the model that answered; 0 where there is no store of versions"}
    notice = text | {"description": "what is not in order with the model or its store, for people; empty when all is"}
    level = {"enum": list(levels), "description": "share of unseen rows that the interval is to hold"}
    counted = {"type": ["number", "null"], "description": f"{ROWS}; null where it was not measured"}
    of_level = {
        "level": level,
        "half_width": amount,
        "nested_held": counted,
        "n_rows": counted,
        "held_expected": counted,
        "held_by_chance": {"type": ["array", "null"], "items": whole, "minItems": 2, "maxItems": 2},
    }
    intervals = {"type": "array", "items": _object(of_level)}
    ends = {"value": amount, "low": amount, "high": amount}
    contributions = {column.name: amount for column in FEATURES}
    problem = {
        "scenario": {"type": ["integer", "null"], "description": "place in the list that was sent, from 0"},
        "field": text,
        "value": {"type": ["string", "boolean", "null"], "description": "what was received"},
        "problem": text,
        "cure": text,
    }
    described = {
        "version": version,
        "label": text,
        "notice": notice,
        "features": {"type": "array", "items": {"type": "object"}},
        "target": {"type": "object"},
        "intervals": intervals,
        "algorithm": text,
        "parameters": {"type": "object"},
        "seed": whole,
        "data": {"type": "object"},
        "scores": {"type": "object"},
        "folds": {"type": "object"},
        "trained_at": text,
        "libraries": {"type": "object"},
    }
    share = {"type": ["number", "null"], "minimum": 0, "maximum": 1}
    end = {"type": ["number", "null"], "description": f"{TARGET.unit}; null while the model has no refits"}
    return {
        "Scenario": _object(inputs),
        "Inputs": _object(inputs, optional=inputs),
        "Change": _object(
            {"from": _reference("Scenario"), "to": _reference("Scenario")}
            | {"from_prediction": amount, "to_prediction": amount, "change": amount, "low": end, "high": end}
            | {"level": level, "is_stretched": {"type": "boolean", "description": "whether to hold the change"}}
            | {"share_below_zero": share, "share_above_zero": share, "contributions": _object(contributions)}
            | {"others": {"type": "object", "additionalProperties": amount, "description": "algorithm -> its change"}}
            | {"observed": {"type": ["number", "null"], "description": f"of the {ROW} it starts from"}, "unit": text}
            | {"version": version, "notice": notice}
        ),
        "Prediction": _object(
            {"scenario": _reference("Scenario"), **ends, "coverage": level, "intervals": intervals, "unit": text}
            | {"nearest": {"type": "array", "items": near}, "support": support, "average": amount}
            | {"contributions": _object(contributions), "version": version, "notice": notice}
        ),
        "Predictions": _object(
            {"version": version, "notice": notice, "unit": text, "coverage": level}
            | {"predictions": {"type": "array", "items": _object({**ends, "nearest": near, "support": support})}}
        ),
        "Model": _object(described),
        "Ready": _object({"ready": {"const": True}, "version": version, "notice": notice, "n_probes": whole}),
        "Error": _object({"error": text, "problems": {"type": "array", "items": _object(problem)}}, ("problems",)),
    }


def _answers(schema: dict[str, Any], *errors: Any) -> dict[str, Any]:
    told = {
        400: "not JSON",
        408: "the content has not arrived within 30 seconds",
        413: f"more than {MAX_BYTES:,} bytes",
        415: "not declared as JSON",
        422: "every problem with its field, the value received and the cure",
        429: "too much at once from all programs together; ask again after the seconds in Retry-After",
        500: "a mistake of this program",
        503: "no model that could answer, with the reason",
    }
    error = {"content": {"application/json": {"schema": _reference("Error")}}}
    answers: dict[str, dict[str, Any]] = {str(status): {"description": told[status], **error} for status in errors}
    if "429" in answers:
        after = {"description": "seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}}
        answers["429"] |= {"headers": {"Retry-After": after}}
    return {"200": {"description": "the answer", "content": {"application/json": {"schema": schema}}}} | answers


def document(levels: Iterable[float], base: str = "") -> dict[str, Any]:
    """Describe the interface.

    Parameters
    ----------
    levels
        Levels that the interval can have [1].
    base
        Path below which the app is served.

    Returns
    -------
    dict
        An OpenAPI 3.1 document.
    """
    one, many = _reference("Scenario"), {"type": "array", "items": _reference("Scenario")}
    body = {"oneOf": [one, many | {"minItems": 1, "maxItems": MAX_SCENARIOS}]}
    either = {"oneOf": [_reference("Prediction"), _reference("Predictions")]}
    level = {
        "name": "coverage",
        "in": "query",
        "description": "Level of the interval.",
        "schema": {"enum": list(levels), "default": 0.9},
    }
    asking = {
        "operationId": "predict",
        "summary": "Predict one scenario, or many at once",
        "parameters": [level],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": _answers(either, 400, 408, 413, 415, 422, 429, 500, 503),
    }
    start = {"oneOf": [{"type": "string", "description": f"name or code of a {ROW}"}, one]}
    between = _object({"from": start, "to": _reference("Inputs")}, optional=("to",))
    changing = {
        "operationId": "change",
        "summary": "Say what changes from one scenario to another, and how sure that is",
        "parameters": [level],
        "requestBody": {"required": True, "content": {"application/json": {"schema": between}}},
        "responses": _answers(_reference("Change"), 400, 408, 413, 415, 422, 429, 500, 503),
    }

    def reading(name: str, summary: str, schema: str) -> dict[str, Any]:
        return {"get": {"operationId": name, "summary": summary, "responses": _answers(_reference(schema), 500, 503)}}

    return {
        "openapi": "3.1.0",
        "info": {"title": "Petrol what-if", "version": "0.1.0", "description": f"{QUESTION} {PERIOD}."},
        "servers": [{"url": base or "/"}],
        "paths": {
            "/api/predict": {"post": asking},
            "/api/change": {"post": changing},
            "/api/model": reading("model", "The model that answers", "Model"),
            "/api/ready": reading("ready", "Whether it still answers as when it was kept, store or no store", "Ready"),
        },
        "components": {"schemas": _schemas(levels)},
    }
