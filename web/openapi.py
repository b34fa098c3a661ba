"""The description of the JSON interface, derived from the schema of the data: OpenAPI 3.1."""

from collections.abc import Iterable, Sequence
from typing import Any

from data.schema import A_ROW, FEATURE_NAMES, FEATURES, PAST, PERIOD, QUESTION, ROW, ROWS, TARGET, TITLE, Column
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.question import AIMS, CHOICE_KEYS, RANGE_KEYS

Json = dict[str, Any]
MAX_SCENARIOS = 10_000
MAX_BYTES = 4 * 2**20  # of a request

_FIGURES = ("value", "standard_error"), ("value", "low", "high")  # of an estimate, and of a difference


def describe_input(column: Column) -> Json:
    """Describe an input: its meaning, its unit as it is sent, and its limits or choices."""
    if column.choices:
        choices = {"choices": list(column.choices), "default": column.plain(column.default)}
        return {"name": column.name, "label": column.label, **choices, "help": column.help}
    return {
        "name": column.name,
        "label": column.label,
        "unit": "share, 0 to 1" if column.is_share else column.unit,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "slider": {"low": column.low, "high": column.high, "step": column.step, "default": column.default},
        "help": column.help,
    }


def _object_schema(properties: Json, optional: Iterable[str] = ()) -> Json:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _reference(name: str) -> Json:
    return {"$ref": f"#/components/schemas/{name}"}


def _schemas(levels: Sequence[float]) -> Json:
    number: Json = {"type": "number"}
    text: Json = {"type": "string"}
    whole: Json = {"type": "integer", "minimum": 0}
    amount = {"type": "number", "description": TARGET.unit}
    near = _object_schema({"name": text, "distance_sd": number | {"description": "standard deviations of the inputs"}})
    support = {"enum": list(SUPPORT_LEVELS), "description": f"how far from every {ROW}"}
    inputs: Json = {
        column.name: {"enum": list(column.choices), "description": column.help}
        if column.choices
        else {
            "type": "number",
            "minimum": column.minimum,
            "maximum": column.maximum,
            "description": f"{column.help} Unit: {describe_input(column)['unit']}.",
            "examples": [column.default],
        }
        for column in FEATURES
    }
    version = whole | {"description": "of the model that answered; 0 where there is no store of versions"}
    notice = text | {"description": "what is not in order with the model or its store, for people; empty when all is"}
    level = {"enum": list(levels), "description": "share of unseen rows that the interval is to hold"}
    count = {"type": ["number", "null"], "description": f"{ROWS}; null where it was not measured"}
    interval = {
        "level": level,
        "half_width": amount,
        "nested_held": count,
        "n_rows": count,
        "held_expected": count,
        "held_by_chance": {"type": ["array", "null"], "items": whole, "minItems": 2, "maxItems": 2},
    }
    estimate, difference = (dict.fromkeys(names, amount) for names in _FIGURES)
    observed = amount | {"minimum": TARGET.minimum, "maximum": TARGET.maximum, "description": f"what the {ROW} {PAST}"}
    intervals = {"type": "array", "items": _object_schema(interval)}
    ends = {"value": amount, "low": amount, "high": amount}
    contributions = {column.name: amount for column in FEATURES}
    problem = {
        "scenario": {"type": ["integer", "null"], "description": "place in the list that was sent, from 0"},
        "field": text,
        "value": {"type": ["string", "boolean", "null"], "description": "what was received"},
        "problem": text,
        "cure": text,
    }
    model_properties = {
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
    way = (
        {
            "scenario": _reference("Scenario"),
            "cost": {"type": "number", "minimum": 0},
            "value": amount,
            "change": amount,
        }
        | {"change_low": end, "change_high": end, "share_of_refits": share, "is_steady": {"type": ["boolean", "null"]}}
        | {"support": support, "nearest": near}
    )
    return {
        "Scenario": _object_schema(inputs),
        "Inputs": _object_schema(inputs, optional=inputs),
        "Change": _object_schema(
            {"from": _reference("Scenario"), "to": _reference("Scenario")}
            | {"from_prediction": amount, "to_prediction": amount, "change": amount, "low": end, "high": end}
            | {"level": level, "is_stretched": {"type": "boolean", "description": "whether to hold the change"}}
            | {"share_below_zero": share, "share_above_zero": share, "contributions": _object_schema(contributions)}
            | {"others": {"type": "object", "additionalProperties": amount, "description": "algorithm -> its change"}}
            | {"observed": {"type": ["number", "null"], "description": f"of the {ROW} it starts from"}, "unit": text}
            | {"version": version, "notice": notice}
        ),
        "Prediction": _object_schema(
            {"scenario": _reference("Scenario"), **ends, "coverage": level, "intervals": intervals, "unit": text}
            | {"nearest": {"type": "array", "items": near}, "support": support, "average": amount}
            | {"contributions": _object_schema(contributions), "version": version, "notice": notice}
        ),
        "Predictions": _object_schema(
            {"version": version, "notice": notice, "unit": text, "coverage": level}
            | {"predictions": {"type": "array", "items": _object_schema({**ends, "nearest": near, "support": support})}}
        ),
        "FindResult": _object_schema(
            {"from": _reference("Scenario"), "from_prediction": amount, "aim": {"enum": list(AIMS)}}
            | {"goal": {"type": ["number", "null"]}, "is_reached": {"type": "boolean"}, "is_sure": {"type": "boolean"}}
            | {"answers": {"type": "array", "items": _object_schema(way)}, "unit": text}
            | {"version": version, "notice": notice}
        ),
        "Observed": _object_schema(inputs | {TARGET.name: observed}),
        "Validation": _object_schema(
            {"version": version, "n_rows": whole, "n_known": whole, "mae": _object_schema(estimate)}
            | {"bias": _object_schema(difference), "mae_of_average": _object_schema(estimate), "coverage": level}
            | {"held": whole, "held_by_chance": {"type": "array", "items": whole, "minItems": 2, "maxItems": 2}}
            | {"worst": {"type": "array", "items": whole}, "groups": {"type": "array", "items": {"type": "object"}}}
            | {"outstanding": {"type": ["integer", "null"]}, "unit": text, "beside": {"type": "object"}}
            | {"mae_difference": _object_schema(difference)},
            optional=("beside", "mae_difference"),
        ),
        "Model": _object_schema(model_properties),
        "Ready": _object_schema({"ready": {"const": True}, "version": version, "notice": notice, "n_probes": whole}),
        "Error": _object_schema(
            {"error": text, "problems": {"type": "array", "items": _object_schema(problem)}}, ("problems",)
        ),
    }


def _describe_range(column: Column) -> Json:
    """What an input may do where something is sought."""
    cost = {"type": "number", "exclusiveMinimum": 0}
    if column.choices:
        return _object_schema(
            {"choices": {"type": "array", "items": {"enum": list(column.choices)}, "minItems": 1}, "cost": cost},
            CHOICE_KEYS,
        )
    end = {"type": "number", "minimum": column.low, "maximum": column.high}
    about = "a multiple of the slider's"
    step = {"type": "number", "minimum": column.step, "maximum": column.high - column.low, "description": about}
    return _object_schema({"low": end, "high": end, "step": step, "cost": cost}, RANGE_KEYS)


def _describe_answers(schema: Json, *errors: int) -> Json:
    meanings = {
        400: "not JSON",
        408: "the content has not arrived within 30 seconds",
        413: f"more than {MAX_BYTES:,} bytes",
        415: "not declared as JSON",
        422: "every problem with its field, the value received and the cure",
        429: "too much at once from all programs together; ask again after the seconds in Retry-After",
        500: "a mistake of this program",
        503: "no model that could answer, with the reason",
    }
    error: Json = {"content": {"application/json": {"schema": _reference("Error")}}}
    answers: Json = {str(status): {"description": meanings[status]} | error for status in errors}
    if "429" in answers:
        retry_after = {"description": "seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}}
        answers["429"] |= {"headers": {"Retry-After": retry_after}}
    return {"200": {"description": "the answer", "content": {"application/json": {"schema": schema}}}} | answers


def describe_api(levels: Sequence[float], base: str = "") -> Json:
    """Describe the interface below the path `base` of a site, with the levels that the interval can have [1]."""
    scenario = _reference("Scenario")
    scenarios: Json = {"type": "array", "items": scenario}
    body = {"oneOf": [scenario, scenarios | {"minItems": 1, "maxItems": MAX_SCENARIOS}]}
    answer = {"oneOf": [_reference("Prediction"), _reference("Predictions")]}
    level: Json = {
        "name": "coverage",
        "in": "query",
        "description": "Level of the interval.",
        "schema": {"enum": list(levels), "default": 0.9},
    }

    def posting(name: str, summary: str, body: Json, answer: Json) -> Json:
        return {
            "operationId": name,
            "summary": summary,
            "parameters": [level],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": _describe_answers(answer, 400, 408, 413, 415, 422, 429, 500, 503),
        }

    predict_operation = posting("predict", "Predict one scenario, or many at once", body, answer)
    start = {"oneOf": [{"type": "string", "description": f"name or code of {A_ROW}"}, scenario]}
    change_body = _object_schema({"from": start, "to": _reference("Inputs")}, optional=("to",))
    change_operation = posting(
        "change",
        "Say what changes from one scenario to another, and how sure that is",
        change_body,
        _reference("Change"),
    )

    find_body = _object_schema(
        {
            "from": start,
            "aim": {"enum": list(AIMS), "description": "reach: at the goal or past it, seen from the start"},
        }
        | {"goal": {"type": ["number", "null"], "description": f"{TARGET.unit}; not of the highest and the lowest"}}
        | {"fixed": {"type": "array", "items": {"enum": list(FEATURE_NAMES)}}}
        | {"ranges": _object_schema({column.name: _describe_range(column) for column in FEATURES}, FEATURE_NAMES)}
        | {"support": {"enum": list(SUPPORT_LEVELS), "description": "the farthest from the rows that an answer may be"}}
        | {"share": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "description": "of the refits that agree"}},
        optional=("goal", "fixed", "ranges", "support", "share"),
    )
    find_operation = posting(
        "find",
        "Find the cheapest changes that bring the prediction to an aim, several that differ",
        find_body,
        _reference("FindResult"),
    )
    rows = {"type": "array", "items": _reference("Observed"), "minItems": 1, "maxItems": MAX_SCENARIOS}
    validate_body = _object_schema({"rows": rows, "beside": {"type": "integer", "minimum": 0}}, optional=("beside",))
    validate_operation = posting(
        "validate",
        "Say how well the model does on rows that were observed, and another version beside it",
        validate_body,
        _reference("Validation"),
    )

    def reading(name: str, summary: str, schema: str) -> Json:
        return {
            "get": {
                "operationId": name,
                "summary": summary,
                "responses": _describe_answers(_reference(schema), 500, 503),
            }
        }

    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "0.1.0", "description": f"{QUESTION} {PERIOD}.".replace(" .", "")},
        "servers": [{"url": base or "/"}],
        "paths": {
            "/api/predict": {"post": predict_operation},
            "/api/change": {"post": change_operation},
            "/api/find": {"post": find_operation},
            "/api/validate": {"post": validate_operation},
            "/api/model": reading("model", "The model that answers", "Model"),
            "/api/ready": reading("ready", "Whether it still answers as when it was kept, store or no store", "Ready"),
        },
        "components": {"schemas": _schemas(levels)},
    }
