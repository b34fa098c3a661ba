"""The JSON interface: the same answers as the pages, from the same model; it changes nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from functools import wraps
from itertools import chain
from typing import Any

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
from model.answering.change import predict_change
from model.answering.find import find
from model.answering.prediction import Scenario, predict, predict_rows
from model.answering.question import AIMS, read_question
from model.answering.scoring import score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import possible_levels
from model.fitting.train import Model
from model.judging.validation import validate_beside
from model.store.database import StoreError
from pages.shared import resources
from web.bodies import (
    Located,
    problems_of,
    read_level,
    read_object,
    read_observed,
    read_scenario,
    read_start,
)
from web.openapi import MAX_BYTES, MAX_SCENARIOS, describe_api, describe_input
from web.share import FullError, Share, cut_with_rests

_LOG = logging.getLogger(__name__)
_LONG_ANSWERS = "/find"  # a second's work, however short the request
_SHORT = 8 * 2**10  # bytes of a short request: some 70 scenarios, answered within milliseconds
SHORT_REQUESTS = Share("requests", 64, seconds=1)
LONG_REQUESTS = Share("long lists and searches", 5, seconds=2)
_CHECKED, _ANSWERED = 250, 50  # scenarios in about a millisecond
_ARRIVAL = 30  # [s] for a body to arrive, which holds a place meanwhile
_REFUSAL_DELAY = 1.0  # [s] before a 429, so that programs which retry at once cannot keep the server busy
_ROWS_BESIDE = 'Send {"rows": scenarios, each with what was observed, "beside": number of another version, if any}.'
_FIND_KEYS = ("goal", "fixed", "ranges", "support", "share")
_FROM_AIM = (
    f'Send {{"from": name of a row or a scenario, "aim": one of {", ".join(AIMS)}}}, with what openapi.json lists.'
)
_FROM_TO = 'Send {"from": name of a row or a scenario, "to": a scenario, or only the inputs that change}.'


def _refusal(
    status: int, error: str, problems: Sequence[Located] = (), headers: Mapping[str, str] | None = None
) -> Response:
    shown = [
        {"scenario": position, "field": problem.field, "value": _shortened(problem.value), "problem": str(problem)}
        | {"cure": problem.cure}
        for position, problem in problems[: DataError.SHOWN]
    ]
    body = {"error": error} | ({"problems": shown} if problems else {})
    return _Answer(body, status, headers)


def _to_json(content: Any) -> bytes:
    """Write JSON in ASCII: what was received may hold lone surrogates, which no encoding can write."""
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class _Answer(JSONResponse):
    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else _to_json(content)


def _shortened(value: object) -> str | bool | None:
    """Shorten a value that was received, so that it can be sent back."""
    if isinstance(value, bool) or value is None:
        return value
    return str(value)[:60] if isinstance(value, (int, float, str)) else f"a {type(value).__name__}"


def _answering_in_json(endpoint: Callable[[Request, Any], Response]) -> Callable[[Request], Awaitable[Response]]:
    """Answer in JSON whatever happens, off the event loop; only the log says what went wrong inside."""

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
    """Read the body of a request, if it has one, and wait for its turn."""
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
    """Read a body up to the limit; a long one takes its place before its end, because it fills memory until then."""
    share, content = SHORT_REQUESTS, bytearray()
    is_long = request.url.path.endswith(_LONG_ANSWERS)
    refusal: FullError | None = None
    try:
        async with asyncio.timeout(_ARRIVAL):
            async for chunk in request.stream():
                if refusal:
                    continue  # read on: a client that is still sending might not hear the answer
                content += chunk
                if len(content) > MAX_BYTES:
                    message = f"The content is larger than {MAX_BYTES:,} bytes. Send fewer scenarios at once."
                    raise HTTPException(413, message)
                if share is SHORT_REQUESTS and (is_long or len(content) > _SHORT):
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


@_answering_in_json
def _predict(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    try:
        body = load_json(content)
    except DataError as error:
        return _refusal(400, f"{error} Send a scenario, or a list of them.")
    is_list = isinstance(body, list)
    if is_list and not 1 <= len(body) <= MAX_SCENARIOS:
        cure = f"Send from 1 to {MAX_SCENARIOS:,} scenarios at once."
        return _refusal(422, cure, [(None, Problem(f"{len(body):,} scenarios. {cure}", "", len(body), cure))])
    level, problems = read_level(request, model)
    scenarios = []
    for position, values in enumerate(chain.from_iterable(cut_with_rests(body if is_list else [body], _CHECKED))):
        try:
            scenarios.append(read_scenario(values))
        except DataError as error:
            problems += [(position if is_list else None, problem) for problem in problems_of(error)]
    if problems:
        listing_note = f" The first {DataError.SHOWN} are listed." if len(problems) > DataError.SHOWN else ""
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.{listing_note}", problems)
    if not is_list:
        answer = predict(model, scenarios[0], level, with_reasons=True).to_record()
        return _Answer(answer | {"version": model.version, "notice": model.notice})
    head = {"version": model.version, "notice": model.notice, "unit": TARGET.unit, "coverage": level}
    predictions = b",".join(
        _to_json(_answer_list(model, piece, level))[1:-1] for piece in cut_with_rests(scenarios, _ANSWERED)
    )
    return _Answer(_to_json(head)[:-1] + b',"predictions":[' + predictions + b"]}")


def _answer_list(model: Model, scenarios: Sequence[Scenario], level: float) -> list[dict[str, Any]]:
    """Predict scenarios of a list, a record each."""
    answers = score_scenarios(
        model, np.array([[scenario[name] for name in FEATURE_NAMES] for scenario in scenarios]), level
    )
    names = {index: row_name(str(model.records[index][ROW])) for index in set(answers.nearest.tolist())}
    parts = (answers.value, answers.low, answers.high, answers.nearest, answers.distance, answers.support)
    return [
        {
            "value": value,
            "low": low,
            "high": high,
            "nearest": {"name": names[index], "distance_sd": distance},
            "support": support,
        }
        for value, low, high, index, distance, support in zip(*(part.tolist() for part in parts), strict=True)
    ]


@_answering_in_json
def _change(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    body = read_object(content, ("from",), ("to",), _FROM_TO)
    level, problems = read_level(request, model)
    try:
        start, observed = read_start(model, body["from"])
        end = body.get("to", {})
        scenario = read_scenario(start.to_record() | end if isinstance(end, dict) else end)
    except DataError as error:
        problems += [(None, problem) for problem in problems_of(error)]
    if problems:
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.", problems)
    answer = predict_change(model, start, scenario, level, observed).to_record()
    return _Answer(answer | {"version": model.version, "notice": model.notice})


@_answering_in_json
def _find(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    body = read_object(content, ("from", "aim"), _FIND_KEYS, _FROM_AIM)
    level, problems = read_level(request, model)
    try:
        start, _ = read_start(model, body["from"])
        if isinstance(body.get("goal"), str):
            raise DataError(
                [Problem("goal: is not sent as a number. " + TARGET.limits, "goal", body["goal"], TARGET.limits)]
            )
        question = read_question(model, start, **{key: body[key] for key in ("aim", *_FIND_KEYS) if key in body})
    except DataError as error:
        problems += [(None, problem) for problem in problems_of(error)]
    if problems:
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.", problems)
    return _Answer(find(model, question, level).to_record() | {"version": model.version, "notice": model.notice})


@_answering_in_json
def _validate(request: Request, content: bytes) -> Response:
    model = resources.owner.current()
    body = read_object(content, ("rows",), ("beside",), _ROWS_BESIDE)
    rows, number = body["rows"], body.get("beside", 0)
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_SCENARIOS or not is_number:
        return _refusal(422, _ROWS_BESIDE)
    level, problems = read_level(request, model)
    scenarios, observed = list[Scenario](), list[float]()
    for position, row in enumerate(chain.from_iterable(cut_with_rests(rows, _CHECKED))):
        values = {name: row[name] for name in row if name != TARGET.name} if isinstance(row, dict) else row
        try:
            scenarios.append(read_scenario(values))
        except DataError as error:
            problems += [(position, problem) for problem in problems_of(error)]
        try:
            observed.append(read_observed(row))
        except DataError as error:
            problems += [(position, problem) for problem in problems_of(error)]
    if problems:
        return _refusal(422, f"{len(problems):,} problem{'s' * (len(problems) > 1)}.", problems)
    X = np.array([[scenario[name] for name in FEATURE_NAMES] for scenario in scenarios])
    try:
        other = resources.owner.version(number) if number else None
        return _Answer(validate_beside(model, X, np.array(observed), level, other))
    except (ModelError, StoreError) as error:
        return _refusal(422, str(error))


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
    """Say whether the active model still predicts what it predicted when it was stored, asked as the pages ask it.

    Also if something else is not in order, such as a store that is gone: the notice says so, and the replica stays.
    """
    model = resources.owner.current()
    probes = model.metadata.probes
    deviation = np.abs(predict_rows(model, np.array(probes.inputs)) - probes.predictions).max()
    if not deviation <= 1e-6:  # also if it is not a number
        return _refusal(
            503, f"The model is off by {deviation:.3g} {TARGET.unit} on rows whose predictions were kept with it."
        )
    answers = {"ready": True, "version": model.version, "notice": model.notice}
    return _Answer(answers | {"n_probes": len(probes.predictions)})


@_answering_in_json
def _openapi(request: Request, content: None) -> Response:
    base_path = request.scope.get("root_path", "").removesuffix("/api")
    return _Answer(describe_api(possible_levels(len(resources.owner.current().distinct)), base_path))


async def _answer_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 (what it is registered for)
    return _refusal(error.status_code, f"{error.detail}. See openapi.json for what there is.", headers=error.headers)


routes = [
    Route("/predict", _predict, methods=["POST"]),
    Route("/change", _change, methods=["POST"]),
    Route("/find", _find, methods=["POST"]),
    Route("/validate", _validate, methods=["POST"]),
    Route("/model", _model),
    Route("/ready", _ready),
    Route("/openapi.json", _openapi),
]
app = Starlette(
    routes=routes,
    exception_handlers={HTTPException: _answer_http_error},
)
