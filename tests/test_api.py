"""The JSON interface of a running server: the pages' answers, every problem told, and nothing that breaks it."""

import asyncio
import contextlib
import http.client
import json
import shlex
import urllib.error
import urllib.request
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode

from bench.visit import Visit
from data.schema import FEATURE_NAMES, FEATURES, row_name
from model.answering.change import predict_change
from model.answering.prediction import predict
from model.answering.scoring import score_scenarios
from model.fitting.interval import LEVELS
from model.fitting.scores import score_predictions
from model.store import history
from pages.shared import resources
from tests.conftest import ROOT, running_server
from tests.stores import add_quick
from web import api

DEFAULTS = {column.name: column.default for column in FEATURES}
OHIO = {"petrol_tax": 7.0, "average_income": 4512, "paved_highways": 8507, "driver_licence_share": 0.552}
JSON = {"Content-Type": "application/json"}


def ask(url, body=None, headers=JSON, method=None):
    """Return status, headers and content; nothing but JSON may come."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers if data is not None else {}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:
            status, head, content = reply.status, reply.headers, reply.read()
    except urllib.error.HTTPError as error:
        with error:
            status, head, content = error.code, error.headers, error.read()
    assert head["Content-Type"] == "application/json"
    assert b"Traceback" not in content
    assert b'File "' not in content
    return status, head, json.loads(content)


def refused(url, body, **options):
    """Return the status of a refusal, and its problems as (scenario, field, value)."""
    status, _, content = ask(url, body, **options)
    for problem in content.get("problems", ()):
        assert problem["cure"]
        assert problem["problem"].endswith(problem["cure"])
    assert content["error"]
    return status, [(p["scenario"], p["field"], p["value"]) for p in content.get("problems", ())]


@pytest.mark.parametrize("level", LEVELS)
def test_one_scenario_gets_the_pages_answer_to_the_last_bit(server, model, level):
    status, _, content = ask(f"{server}/api/predict?coverage={level}", DEFAULTS)
    answer = predict(model, DEFAULTS, level, with_reasons=True)
    assert status == 200
    assert content == answer.to_record() | {"version": 1, "notice": ""}
    assert content["average"] + sum(content["contributions"].values()) == pytest.approx(content["value"], abs=1e-9)


def test_all_states_at_once_get_what_each_would_get_alone(server, model):
    X = model.X.tolist()
    _, _, content = ask(f"{server}/api/predict", [dict(zip(FEATURE_NAMES, x, strict=True)) for x in X])
    answers = score_scenarios(model, model.X)
    assert content["unit"] == "gallons per person per year"
    assert [one["value"] for one in content["predictions"]] == model.pipeline.predict(model.X).tolist()
    assert [one["low"] for one in content["predictions"]] == answers.low.tolist()
    assert [one["nearest"]["name"] for one in content["predictions"]] == [row_name(c) for c in model.rows["state"]]
    assert len({one["value"] for one in content["predictions"]}) == 48


def test_ten_thousand_scenarios_are_answered_and_one_more_is_not(server):
    _, _, content = ask(f"{server}/api/predict", [DEFAULTS] * 10_000)
    assert len(content["predictions"]) == 10_000
    assert refused(f"{server}/api/predict", [DEFAULTS] * 10_001) == (422, [(None, "", "10001")])
    assert refused(f"{server}/api/predict", []) == (422, [(None, "", "0")])


BAD = {
    "text": (DEFAULTS | {"petrol_tax": "7.5"}, [(None, "petrol_tax", "7.5")]),
    "true": (DEFAULTS | {"petrol_tax": True}, [(None, "petrol_tax", True)]),
    "null": (DEFAULTS | {"petrol_tax": None}, [(None, "petrol_tax", None)]),
    "list": (DEFAULTS | {"petrol_tax": [1]}, [(None, "petrol_tax", "a list")]),
    "too much": (DEFAULTS | {"average_income": 50_001}, [(None, "average_income", "50001")]),
    "a percentage": (DEFAULTS | {"driver_licence_share": 56.5}, [(None, "driver_licence_share", "56.5")]),
    "huge": (b'{"petrol_tax": 1e999}', [(None, "petrol_tax", "inf"), *((None, n, None) for n in FEATURE_NAMES[1:])]),
    "long": (DEFAULTS | {"petrol_tax": 10**4000}, [(None, "petrol_tax", "1" + "0" * 59)]),
    "missing": ({}, [(None, name, None) for name in FEATURE_NAMES]),
    "unknown": (DEFAULTS | {"tax": 1}, [(None, "tax", "1")]),
    "several": (
        {"petrol_tax": "x", "average_income": -1, "paved_highways": 1, "more": 2},
        [
            (None, "petrol_tax", "x"),
            (None, "average_income", "-1"),
            (None, "driver_licence_share", None),
            (None, "more", "2"),
        ],
    ),
    "of many": ([DEFAULTS, 3, DEFAULTS | {"petrol_tax": -1}], [(1, "", "3"), (2, "petrol_tax", "-1")]),
    "half a letter": (
        b'{"\\ud800": "\\ud83d"}',
        [*((None, n, None) for n in FEATURE_NAMES), (None, "\ud800", "\ud83d")],
    ),
    "a long name": (DEFAULTS | {"k" * 3_000_000: 1}, [(None, "k" * 60, "1")]),
    "number": (b"7", [(None, "", "7")]),
    "word": (b'"x"', [(None, "", "x")]),
}


@pytest.mark.parametrize(("body", "problems"), BAD.values(), ids=BAD)
def test_every_problem_is_told_with_its_field_its_value_and_the_cure(server, body, problems):
    assert refused(f"{server}/api/predict", body) == (422, problems)


@pytest.mark.parametrize("asked", ["0.7", "x", "", "0.9&coverage=0.8", "nan", "90%20%25"])
def test_a_level_that_the_band_cannot_have_is_told(server, asked):
    status, ((_, field, _),) = refused(f"{server}/api/predict?coverage={asked}", DEFAULTS)
    assert (status, field) == (422, "coverage")


def test_a_parameter_that_is_not_known_is_told(server):
    assert refused(f"{server}/api/predict?covrage=0.8", DEFAULTS) == (422, [(None, "covrage", "0.8")])


@pytest.mark.parametrize(
    "body",
    [b"{", b"", b"\xff", b'{"petrol_tax": NaN}', b'{"a": 1, "a": 2}', b"[" * 50_000, b"1" * 5000, b"\x00"],
    ids=["open", "empty", "no text", "NaN", "twice", "deep", "long", "zero"],
)  # fmt: skip
def test_what_is_not_json_is_told(server, body):
    assert refused(f"{server}/api/predict", body) == (400, [])


def test_a_body_over_the_limit_is_refused_also_without_a_length(server):
    assert refused(f"{server}/api/predict", b" " * (4 * 2**20 + 1)) == (413, [])
    host = server.removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(host, timeout=30)) as connection:
        connection.request("POST", "/api/predict", iter([b" " * 2**20] * 4 + [b" "]), JSON, encode_chunked=True)
        assert connection.getresponse().status == 413


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data", "x"])
def test_a_form_of_another_site_is_refused(server, kind):
    assert refused(f"{server}/api/predict", DEFAULTS, headers={"Content-Type": kind}) == (415, [])


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("predict", "GET", 405),
        ("predict", "DELETE", 405),
        ("model", "PUT", 405),
        ("ready", "PATCH", 405),
        ("nothing", "GET", 404),
        ("", "GET", 404),
        ("promote", "GET", 404),
    ],
)
def test_there_is_nothing_else_and_no_way_to_change_anything(server, path, method, status):
    got, head, _ = ask(f"{server}/api/{path}", method=method)
    assert got == status
    assert status == 404 or head["Allow"]


def test_the_model_is_described_with_units_ranges_and_scores(server, model):
    _, _, content = ask(f"{server}/api/model")
    assert [one["name"] for one in content["features"]] == list(FEATURE_NAMES)
    for one, column in zip(content["features"], FEATURES, strict=True):
        assert (one["minimum"], one["maximum"]) == (column.minimum, column.maximum)
        assert one["unit"]
    assert content["scores"]["model"] == asdict(score_predictions(model.y, model.predictions, model.groups))
    assert content["version"] == 1
    assert content["data"]["n_rows"] == 48
    assert content["intervals"] == [each.to_record() for each in model.intervals]
    for one in content["intervals"]:
        assert set(one) == {"level", "half_width", "nested_held", "n_rows", "held_expected", "held_by_chance"}
        assert (one["n_rows"], one["held_expected"]) == (48, pytest.approx(48 * one["level"]))
        assert one["held_by_chance"][0] <= one["held_expected"] <= one["held_by_chance"][1]
        assert (2 * one["nested_held"]).is_integer()  # the mean of two repeats


def test_ready_means_that_the_active_model_still_answers_as_when_it_was_kept(server):
    assert ask(f"{server}/api/ready")[::2] == (200, {"ready": True, "version": 1, "notice": "", "n_probes": 6})


@pytest.mark.slow
@pytest.mark.sqlite
def test_the_interface_follows_a_promotion_and_says_with_every_answer_that_the_store_is_gone(store, rows, tmp_path):
    number = add_quick(store, rows, "least_squares")
    path, told = Path(store.location), "was moved or removed while it was open"

    def answers(url):
        return [ask(f"{url}/api/{what}", body)[2] for what, body in WHATS.items()]

    with running_server(log=tmp_path / "log") as url:
        first, *_ = answers(url)
        history.promote(store, number, "a test", "to see it, and to miss it")
        before = answers(url)
        assert (first["version"], before[0]["version"], before[1]["version"]) == (1, number, number)
        assert first["value"] != before[0]["value"]

        content = path.read_bytes()
        path.unlink()
        after = answers(url)
        assert [told in answer["notice"] for answer in after] == [True] * 3
        assert [answer | {"notice": ""} for answer in after] == before
        assert ask(f"{url}/api/ready")[0] == 200  # it answers: who takes it out for that may have no other
        page, retrain = asyncio.run(texts(url, "", "retrain"))
        assert told in page
        assert "Version 2: least squares" in page
        assert "Retraining is off." in retrain
        assert not path.exists()
        path.write_bytes(content)
        assert answers(url) == before
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


WHATS = {"predict": DEFAULTS, "model": None, "ready": None}


async def texts(url, *pages):
    """Return all that pages say to a visitor."""
    found = []
    for page in pages:
        visit = await Visit.open(url, page)
        found.append(visit.text)
        await visit.close()
    return found


def test_a_model_that_answers_otherwise_than_it_was_kept_is_not_ready(model, monkeypatch):
    probes = model.metadata.probes
    wrong = replace(probes, predictions=tuple(value + 0.01 for value in probes.predictions))
    changed = replace(model, metadata=replace(model.metadata, probes=wrong))
    monkeypatch.setattr(resources.owner, "current", lambda: changed)
    sent = []

    async def receive():
        return {"type": "http.request", "body": b""}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/ready", "headers": [], "query_string": b"", "root_path": ""}
    asyncio.run(api.app(scope, receive, send))
    assert sent[0]["status"] == 503
    assert b"The model is off by 0.01 gallons per person per year" in sent[1]["body"]


def test_a_list_that_does_not_arrive_gives_its_place_up(monkeypatch):
    monkeypatch.setattr(api, "_ARRIVAL", 0.1)
    sent, pieces = [], [b"[" * 10_000]

    async def receive():
        if not pieces:
            await asyncio.Event().wait()  # for ever
        return {"type": "http.request", "body": pieces.pop(), "more_body": True}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/predict", "query_string": b"", "root_path": ""}
    asyncio.run(api.app(scope | {"headers": [(b"content-type", b"application/json")]}, receive, send))
    assert sent[0]["status"] == 408
    assert b"The content has not arrived within" in sent[1]["body"]
    with contextlib.ExitStack() as places:
        for _ in range(api.LONG_REQUESTS.n_places):
            places.enter_context(api.LONG_REQUESTS.place())


@pytest.mark.slow
def test_without_data_there_is_no_answer_but_a_reason(project, tmp_path):
    (project / "data" / "petrol" / "rows.csv").write_text("nothing\n1\n")
    with running_server(cwd=project, log=tmp_path / "log") as url:
        for path, body in (("predict", DEFAULTS), ("model", None), ("ready", None), ("openapi.json", None)):
            status, _, content = ask(f"{url}/api/{path}", body)
            assert status == 503
            assert "the first line is one cell, 'nothing'. Put commas" in content["error"]


def test_the_commands_of_the_documents_work(server, model):
    text = (ROOT / "docs" / "programs.md").read_text(encoding="utf-8").replace("\\\n", " ")
    answers = {}
    for line in (line for line in text.splitlines() if line.strip().startswith("curl ")):
        _, address, _, header, _, body = shlex.split(line)
        name, _, value = header.partition(": ")
        answers[address[-7:]] = ask(address.replace("http://localhost:8501", server), body.encode(), {name: value})[2]
    maine = dict(zip(FEATURE_NAMES, (9, 3571, 1976, 0.525), strict=True))
    assert answers["predict"]["value"] == predict(model, maine).value
    assert answers["/change"]["change"] == predict_change(model, OHIO, OHIO | {"petrol_tax": 9}).value


@pytest.fixture(scope="module")
def description(server):
    return schemathesis.openapi.from_url(f"{server}/api/openapi.json")


def test_the_description_is_valid(description):
    description.validate()
    assert description.raw_schema["openapi"].startswith("3.1")


REQUESTS = (
    ("/api/predict", "POST", GenerationMode.POSITIVE, {200}),
    ("/api/predict", "POST", GenerationMode.NEGATIVE, {400, 422}),
    ("/api/find", "POST", GenerationMode.NEGATIVE, {400, 422}),
    ("/api/model", "GET", GenerationMode.POSITIVE, {200}),
    ("/api/ready", "GET", GenerationMode.POSITIVE, {200}),
)


def fuzz(description, path, method, mode, n):
    """Send so many requests of a kind, each of which must be answered as described; return the codes of the answers."""
    seen = set()

    @settings(max_examples=n, suppress_health_check=list(HealthCheck))
    @given(case=description[path][method].as_strategy(generation_mode=mode))
    def send(case):
        seen.add(case.call_and_validate().status_code)

    send()
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(("path", "method", "mode", "expected"), REQUESTS)
def test_whatever_the_description_allows_or_forbids_is_answered_as_it_says(description, path, method, mode, expected):
    seen = fuzz(description, path, method, mode, 80)  # three hundred in `make soak`
    assert seen >= expected
    assert max(seen) < 500
