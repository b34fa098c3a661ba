"""What whoever runs the app gets to see: figures for Prometheus, and a line of JSON for each request."""

import asyncio
import json
import logging
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bench.visit import Visit
from data.schema import FEATURES
from model.queue import jobs
from model.store.database import FAILURES, StoreError
from model.store.tables import STATES
from tests.conftest import running_server
from tests.stores import wait_until
from tests.test_guard import ask
from web import record
from web.metrics_endpoint import METRICS_SETTING, routes

KEY = "0123456789abcdef"
TAX = FEATURES[0]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """Return the address of a server that records, and its log."""
    log = tmp_path_factory.mktemp("recorded") / "log"
    with running_server(log=log, PETROL_METRICS=KEY, PETROL_LOG="json") as url:
        yield url, log


def figures(url):
    """Read all figures: (name, labels) -> value."""
    status, headers, content = ask(url, "/metrics", Authorization=f"Bearer {KEY}")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    families = text_string_to_metric_families(content.decode())
    return {(each.name, *each.labels.values()): each.value for family in families for each in family.samples}


def lines(log, **parts):
    """Read the lines of a log that say all of this."""
    every = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]  # each is JSON
    return [line for line in every if parts.items() <= line.items()]


def line_of(log, number):
    """Return the only line of a request, which is written when its answer has been sent."""
    (line,) = wait_until(lambda: lines(log, id=number))
    return line


@pytest.mark.slow
def test_the_figures_count_moves_requests_and_sessions_and_say_what_is_active(recorded):
    url, _ = recorded

    async def visit():
        visit = await Visit.open(url)
        during = await asyncio.to_thread(figures, url)
        for value in TAX.grid[3:6]:
            await visit.move({TAX.name: value})
        await visit.run()  # the whole page, which is no move
        await visit.close()
        return during

    before, during = figures(url), asyncio.run(visit())
    for _ in range(2):
        assert ask(url, "/api/ready")[0] == 200
    assert ask(url, "/api/nobody")[0] == 404
    after = figures(url)
    assert during[("petrol_sessions",)] == before[("petrol_sessions",)] + 1
    assert after[("petrol_move_seconds_count",)] == before[("petrol_move_seconds_count",)] + 3
    assert after[("petrol_api_request_seconds_count", "/api/ready", "200")] == 2
    assert after[("petrol_api_request_seconds_count", "other", "404")] == 1  # whatever people ask for, labels stay few
    assert (after[("petrol_active_version",)], after[("petrol_notice",)], after[("petrol_store_up",)]) == (1, 0, 1)
    assert {state for name, *labels in after for state in labels if name == "petrol_jobs"} == set(STATES)
    assert after[("process_resident_memory_bytes",)] > 10**8


@pytest.mark.slow
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer 0123456789abcdeF"}, {"Authorization": KEY}], ids=str)
def test_without_the_key_there_are_no_figures(recorded, headers):
    status, found, content = ask(recorded[0], "/metrics", **headers)
    assert (status, found["WWW-Authenticate"]) == (401, "Bearer")
    assert b"petrol_" not in content


@pytest.mark.slow
def test_where_nobody_asked_for_figures_there_are_none_and_answers_have_no_id(server):
    assert b"petrol_" not in ask(server, "/metrics")[2]
    assert ask(server, "/api/ready")[1]["X-Request-ID"] is None


@pytest.mark.slow
def test_each_request_is_one_line_with_an_id_that_the_answer_has_too(recorded):
    url, log = recorded
    _, headers, content = ask(url, "/api/model?name=Ohio")
    line = line_of(log, headers["X-Request-ID"])
    assert {"message": "request", "level": "info", "method": "GET", "path": "/api/model", "status": 200}.items() <= (
        line.items()
    )
    assert line["bytes"] == len(content)
    assert line["duration"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])
    assert ask(url, "/api/model", X_Request_ID="proxy-7.a")[1]["X-Request-ID"] == "proxy-7.a"
    assert line_of(log, "proxy-7.a")["status"] == 200
    for wrong in ("a b", "x" * 65, '{"id": 1}'):
        assert re.fullmatch("[0-9a-f]{16}", ask(url, "/api/model", X_Request_ID=wrong)[1]["X-Request-ID"])
    assert ask(url, "/favicon.png")[0] == 200
    assert ask(url, "//static/nothing.js", X_Request_ID="no-file")[0] == 400
    assert line_of(log, "no-file")["status"] == 400
    assert lines(log, path="/favicon.png") == []
    assert "Ohio" not in log.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_websocket_has_a_line_when_it_opens_and_one_when_it_closes(recorded):
    url, log = recorded

    async def come_and_go():
        await (await Visit.open(url)).close()

    before = len(lines(log, message="websocket closed"))
    asyncio.run(come_and_go())
    wait_until(lambda: len(lines(log, message="websocket closed")) > before)
    closed = lines(log, message="websocket closed")[-1]
    assert (closed["path"], closed["status"], closed["bytes"] > 1000) == ("/_stcore/stream", 101, True)
    assert len(lines(log, message="websocket opened", id=closed["id"])) == 1


def test_what_goes_wrong_is_logged_with_the_id_of_its_request(caplog):
    async def app(scope, receive, send):
        logging.getLogger("a library").warning("Something is odd.")
        raise ValueError("no\nreason")

    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"x-request-id", b"this-one")]}

    async def request():
        with pytest.raises(ValueError, match="reason"):
            await record.Record(app, "", is_logged=True)(scope, None, None)
        try:
            raise ValueError("no\nreason")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
        return [json.loads(record._Line().format(each)) for each in caplog.records]

    with caplog.at_level(logging.INFO):
        odd, line, failure = asyncio.run(request())
    assert [each["id"] for each in (odd, line, failure)] == ["this-one"] * 3
    assert (line["status"], line["level"]) == (500, "error")
    assert "Traceback" in failure["error"]


def test_files_of_a_session_cannot_be_reached_by_the_log(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204})

    async def send(message):
        pass

    for place, method in (("_stcore/upload_file", "PUT"), ("media", "GET")):
        caplog.clear()
        scope = {"type": "http", "method": method, "path": f"/petrol/{place}/secret.7", "headers": []}
        with caplog.at_level(logging.INFO):
            asyncio.run(record.Record(app, "/petrol", is_logged=True)(scope, None, send))
        assert json.loads(record._Line().format(caplog.records[0]))["path"] == f"/petrol/{place}/..."


def test_what_fails_when_its_head_has_gone_is_a_failure_all_the_same(caplog):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200})
        raise OSError("the rest")

    async def send(message):
        pass

    scope = {"type": "http", "method": "GET", "path": "/api/model", "headers": []}
    with pytest.raises(OSError, match="the rest"):
        asyncio.run(record.Record(app, "", is_logged=True)(scope, None, send))
    line = json.loads(record._Line().format(caplog.records[0]))
    assert (line["status"], line["level"]) == (500, "error")


def test_a_setting_that_cannot_be_understood_is_told(monkeypatch):
    monkeypatch.setenv(METRICS_SETTING, "on")
    with pytest.raises(SystemExit, match=r"PETROL_METRICS: 'on'... is neither off nor open nor a key of at least 16"):
        routes()
    monkeypatch.setenv(record.LOG_SETTING, "xml")
    with pytest.raises(SystemExit, match=r"PETROL_LOG: 'xml' is no form of the log. Write json, or text"):
        record.log_middleware("")


@pytest.mark.parametrize("told", ["", "off"])
def test_by_itself_nothing_is_counted(monkeypatch, told):
    monkeypatch.setenv(METRICS_SETTING, told)
    assert routes() == []
    assert record.log_middleware("") == []


@pytest.mark.sqlite
def test_a_store_that_is_gone_is_counted(store):
    assert jobs.count_states(store) == {}
    before = FAILURES.total()
    Path(store.location).unlink()
    with pytest.raises(StoreError):
        jobs.count_states(store)
    assert FAILURES.total() == before + 1
