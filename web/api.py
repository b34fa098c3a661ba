"""The JSON interface: the same answers as the pages, from the same model; nothing can be changed through it."""

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import wraps
from itertools import chain
from typing import Any, cast

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from data.errors import DataError, Problem
from data.inputs import load_json
from data.schema import FEATURE_NAMES, FEATURES, ROW, TARGET, row_name
from model.answering.change import find_row, predict_change, start_figures
from model.answering.prediction import Scenario, predict, predict_rows
from model.answering.scoring import score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import possible_levels
from model.fitting.train import Model
from pages.shared import resources
from web.openapi import MAX_BYTES, MAX_SCENARIOS, describe_api, describe_input
from web.share import FullError, Share, cut_with_rests

Located = tuple[int | None, Problem]  # place in the list that was sent, None where there is none
_LOG = logging.getLogger(__name__)
_SHORT = 8 * 2**10  # bytes of a request: some 70 scenarios, answered within milliseconds
_USUAL_LEVEL = 0.9
SHORT_REQUESTS = Share("requests", 64, seconds=1)
LONG_REQUESTS = Share("long lists", 5, seconds=2)
_CHECKED, _ANSWERED = 250, 50  # scenarios in about a millisecond
_ARRIVAL = 30  # [s] for a body: a place is held for it
_REFUSAL_DELAY = 1.0  # [s] before a 429, so that programs which retry at once cannot keep the server busy
_FROM_TO = 'Send {"from": name of a row or a scenario, "to": a scenario, or only the inputs that change}.'


def _refusal(
    status: int, error: str, problems: Sequence[Located] = (), headers: Mapping[str, str] | None = None
) -> Response:
    shown = [
        {"scenario": number, "field": problem.field, "value": _shortened(problem.value), "problem": str(problem)}
        | {"cure": problem.cure}
        for number, problem in problems[: DataError.SHOWN]
    ]
    body = {"error": error} | ({"problems": shown} if problems else {})
    return _Answer(body, status, headers)


def _to_json(content: Any) -> bytes:
    """Write with ASCII alone: what was received may hold halves of characters, which no encoding can write."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class _Answer(JSONResponse):
    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else _to_json(content)


def _shortened(value: object) -> str | bool | None:
    """What was received, in a form and a length that can be sent back."""
    if isinstance(value, bool) or value is None:
        return value
    return str(value)[:60] if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"


def _answering_in_json(endpoint: Callable[[Request, Any], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Answer in JSON whatever happens, off the event loop, and keep what went wrong inside for the log."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        try:
            async with _admit(request) as content:
                return await run_in_threadpool(endpoint, request, content)
        except ClientDisconnect:
            return Response(status_code=499)  # to nobody
        except FullError as error:
            await asyncio.sleep(_REFUSAL_DELAY)
            return _refusal(429, str(error), headers={"Retry-After": str(error.seconds)})
        except HTTPException as error:
            return _refusal(error.status_code, error.detail)
        except (DataError, ModelError) as error:
            return _refusal(503, f"There is no model that could answer: {error}")
        except Exception:  # noqa: BLE001 - whatever it is, a caller must not see it, and the log must
            _LOG.exception("%s %s", request.method, request.url.path)
            return _refusal(500, "Something is wrong with this program. Its log says what.")

    return answer


@asynccontextmanager
async def _admit(request: Request) -> AsyncIterator[bytes | None]:
    """Read the body of a request, if it has one, and wait until it is its turn."""
    if request.method != "POST":
        yield None
        return
    # Another site's form cannot send this type without asking the browser first.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "The content is not declared as JSON. Send the header Content-Type: application/json.")
    with ExitStack() as places:
        share, content = await _read_body(request, places)
        async with share.turn:
            if await request.is_disconnected():
                raise ClientDisconnect
            yield content


async def _read_body(request: Request, places: ExitStack) -> tuple[Share, bytes]:
    """Read a body, but not more than is allowed; a long one has its place before its end, for it is kept until then."""
    share, content = SHORT_REQUESTS, bytearray()
    refusal: FullError | None = None
    try:
        async with asyncio.timeout(_ARRIVAL):
            async for chunk in request.stream():
                if refusal:
                    continue  # read past: who is still sending might not hear the answer
                content += chunk
                if len(content) > MAX_BYTES:
                    message = f"The content is larger than {MAX_BYTES:,} bytes. Send fewer scenarios at once."
                    raise HTTPException(413, message)
                if share is SHORT_REQUESTS and len(content) > _SHORT:
                    share = LONG_REQUESTS
                    try:
                        places.enter_context(share.place())
                    except FullError as error:
                        content, refusal = bytearray(), error
    except TimeoutError:
        message = f"The content has not arrived within {_ARRIVAL} s. Send fewer scenarios at once."
        raise HTTPException(408, message) from None
    if refusal:
        raise refusal
    if share is SHORT_REQUESTS:
        places.enter_context(share.place())
    return share, bytes(content)


def _read_level(request: Request, model: Model) -> tuple[float, list[Located]]:
    """Read the level of the interval from the address, which may hold nothing else."""
    if unknown := [name for name in request.query_params if name != "coverage"]:
        cure = "The only parameter is coverage."
        text = f"{unknown[0][:60]!r} is not a parameter. {cure}"
        return _USUAL_LEVEL, [(None, Problem(text, unknown[0][:60], request.query_params[unknown[0]], cure))]
    possible, asked = possible_levels(len(model.distinct)), request.query_params.getlist("coverage")
    try:
        (level,) = [float(text) for text in asked] or [_USUAL_LEVEL]
    except ValueError:
        level = math.nan
    if level not in possible:
        cure = f"Give one of {', '.join(f'{level:g}' for level in possible)}."
        text = f"coverage: {', '.join(asked)[:60]!r} is not a level of the interval. {cure}"
        return _USUAL_LEVEL, [(None, Problem(text, "coverage", ", ".join(asked), cure))]
    return level, []


def _problems_of(error: DataError) -> list[Problem]:
    return cast("list[Problem]", error.problems)  # all that is wrong with a scenario says which input is meant


def _read_scenario(values: Any) -> Scenario:
    """Check one scenario as the pages do; here a number must be sent as a number."""
    if not isinstance(values, dict):
        cure = f"Give an object with {', '.join(FEATURE_NAMES)}."
        raise DataError([Problem(f"This is not a scenario. {cure}", "", values, cure)])
    text = {
        column: values[column.name] for column in FEATURES if isinstance(values.get(column.name), (str, list, dict))
    }
    problems = [
        Problem(f"{column.name}: is not sent as a number. {column.limits}", column.name, value, column.limits)
        for column, value in text.items()
    ]
    try:
        scenario = Scenario(values | {column.name: column.default for column in text})
    except DataError as error:
        problems += _problems_of(error)
    if problems:
        raise DataError(problems)
    return scenario


@_answering_in_json
def _predict(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    try:
        sent = load_json(content)
    except DataError as error:
        return _refusal(400, f"{error} Send a scenario, or a list of them.")
    is_list = isinstance(sent, list)
    if is_list and not 1 <= len(sent) <= MAX_SCENARIOS:
        cure = f"Send from 1 to {MAX_SCENARIOS:,} scenarios at once."
        return _refusal(422, cure, [(None, Problem(f"{len(sent):,} scenarios. {cure}", "", len(sent), cure))])
    coverage, problems = _read_level(request, model)
    scenarios = []
    for number, values in enumerate(chain.from_iterable(cut_with_rests(sent if is_list else [sent], _CHECKED))):
        try:
            scenarios.append(_read_scenario(values))
        except DataError as error:
            problems += [(number if is_list else None, problem) for problem in _problems_of(error)]
    if problems:
        more = f" The first {DataError.SHOWN} are listed." if len(problems) > DataError.SHOWN else ""
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.{more}", problems)
    if not is_list:
        answer = predict(model, scenarios[0], coverage).to_record()
        return _Answer(answer | {"version": model.version, "notice": model.notice})
    head = {"version": model.version, "notice": model.notice, "unit": TARGET.unit, "coverage": coverage}
    listed = b",".join(
        _to_json(_answer_list(model, piece, coverage))[1:-1] for piece in cut_with_rests(scenarios, _ANSWERED)
    )
    return _Answer(_to_json(head)[:-1] + b',"predictions":[' + listed + b"]}")


def _answer_list(model: Model, scenarios: Sequence[Scenario], coverage: float) -> list[dict[str, Any]]:
    """Answer scenarios of a list."""
    answers = score_scenarios(
        model, np.array([[scenario[name] for name in FEATURE_NAMES] for scenario in scenarios]), coverage
    )
    names = {index: row_name(str(model.records[index][ROW])) for index in set(answers.nearest.tolist())}
    parts = (answers.value, answers.low, answers.high, answers.nearest, answers.distance, answers.support)
    return [
        {
            "value": value,
            "low": low,
            "high": high,
            "nearest": {"name": names[index], "distance_sd": distance},
            "support": level,
        }
        for value, low, high, index, distance, level in zip(*(part.tolist() for part in parts), strict=True)
    ]


def _read_start(model: Model, sent: Any) -> tuple[dict[str, float], float | None]:
    """Read where a change starts: figures, and the target where it is a row."""
    if isinstance(sent, str):
        return start_figures(model, find_row(model, sent))
    return _read_scenario(sent), None


@_answering_in_json
def _change(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    try:
        sent = load_json(content)
    except DataError as error:
        return _refusal(400, f"{error} {_FROM_TO}")
    if not isinstance(sent, dict) or not {"from"} <= sent.keys() <= {"from", "to"}:
        return _refusal(422, _FROM_TO)
    level, problems = _read_level(request, model)
    try:
        start, observed = _read_start(model, sent["from"])
        to = sent.get("to", {})
        scenario = _read_scenario(start | to if isinstance(to, dict) else to)
    except DataError as error:
        problems += [(None, problem) for problem in _problems_of(error)]
    if problems:
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.", problems)
    answer = predict_change(model, start, scenario, level, observed).to_record()
    return _Answer(answer | {"version": model.version, "notice": model.notice})


@_answering_in_json
def _model(request: Request, content: None) -> Response:
    model = resources.owner.current()
    record = model.metadata.to_record()
    shown = ("algorithm", "parameters", "seed", "data", "scores", "folds", "trained_at", "libraries")
    return _Answer(
        {
            "version": model.version,
            "label": model.label,
            "notice": model.notice,
            "features": [describe_input(column) for column in FEATURES],
            "target": {"name": TARGET.name, "label": TARGET.label, "unit": TARGET.unit},
            "intervals": [interval.to_record() for interval in model.intervals],
        }
        | {name: record[name] for name in shown}
    )


@_answering_in_json
def _ready(request: Request, content: None) -> Response:
    """Say whether the model that answers still answers as when it was kept, the way that the pages ask it.

    Also where something is not in order, such as a store that is gone: it is told, and a replica that answers stays.
    """
    model = resources.owner.current()
    probes = model.metadata.probes
    off = np.abs(predict_rows(model, np.array(probes.inputs)) - probes.predictions).max()
    if not off <= 1e-6:  # also where it is no number
        return _refusal(
            503, f"The model is off by {off:.3g} {TARGET.unit} on rows whose predictions were kept with it."
        )
    answers = {"ready": True, "version": model.version, "notice": model.notice}
    return _Answer(answers | {"n_probes": len(probes.predictions)})


@_answering_in_json
def _openapi(request: Request, content: None) -> Response:
    outer = request.scope.get("root_path", "").removesuffix("/api")
    return _Answer(describe_api(possible_levels(len(resources.owner.current().distinct)), outer))


async def _not_here(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (what it is registered for)
    return _refusal(error.status_code, f"{error.detail}. See openapi.json for what there is.", headers=error.headers)


routes = [
    Route("/predict", _predict, methods=["POST"]),
    Route("/change", _change, methods=["POST"]),
    Route("/model", _model),
    Route("/ready", _ready),
    Route("/openapi.json", _openapi),
]
app = Starlette(
    routes=routes,
    exception_handlers={HTTPException: _not_here},
)
