"""The share of the server that programs get: a few long lists at once, and the rest is told when to ask again."""

import asyncio
import contextlib
import http.client
import json

import pytest

from tests.test_api import DEFAULTS, JSON, ask
from web import api
from web.share import FullError, Share

LONG = json.dumps([DEFAULTS] * 200).encode()


@contextlib.contextmanager
def half_sent(server):
    """Send the first half of a long list, for which the server keeps a place; yield what sends the rest."""
    with contextlib.closing(http.client.HTTPConnection(server.removeprefix("http://"), timeout=30)) as connection:
        connection.putrequest("POST", "/api/predict")
        for name, value in (JSON | {"Content-Length": str(len(LONG))}).items():
            connection.putheader(name, value)
        connection.endheaders(LONG[:10_000])

        def answer():
            connection.send(LONG[10_000:])
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

        yield answer


def answers_until(server, status):
    """Ask for a long list until it is answered so; return that answer."""
    asked = (ask(f"{server}/api/predict", LONG) for _ in range(1000))
    return next(answer for answer in asked if answer[0] == status)


def test_a_long_list_beside_as_many_as_there_may_be_is_refused_and_everything_else_is_answered(server):
    with contextlib.ExitStack() as coming:
        rests = [coming.enter_context(half_sent(server)) for _ in range(api.LONG_REQUESTS.n_places)]
        _, head, content = answers_until(server, 429)
        assert int(head["Retry-After"]) >= 1
        assert content == {
            "error": "5 long lists and searches are being answered or wait already, which is the limit for all "
            "programs together. "
            f"Send this again in {head['Retry-After']} s, and the next one after its answer."
        }
        assert ask(f"{server}/api/ready")[0] == 200
        assert ask(f"{server}/api/predict", DEFAULTS)[0] == 200
        assert ask(f"{server}/api/predict", [DEFAULTS] * 20)[0] == 200
        assert ask(f"{server}/api/change", {"from": "OH", "to": {"petrol_tax": 9}})[0] == 200
        for rest in rests:  # who has a place keeps it, and is answered
            status, content = rest()
            assert (status, len(content["predictions"])) == (200, 200)
    assert ask(f"{server}/api/predict", LONG)[0] == 200


def test_a_program_that_hangs_up_leaves_its_place(server):
    with contextlib.ExitStack() as coming:
        for _ in range(api.LONG_REQUESTS.n_places):
            coming.enter_context(half_sent(server))
        answers_until(server, 429)
    assert answers_until(server, 200)[0] == 200


def test_requests_are_at_work_one_at_a_time_and_in_the_order_in_which_they_came():
    share, at_work, order = Share("requests", 3, seconds=1), [], []

    async def work(number):
        with share.place():
            async with share.turn:
                at_work.append(number)
                order.append((number, len(at_work)))
                await asyncio.sleep(0)
                at_work.remove(number)

    async def all_at_once():
        return await asyncio.gather(*(work(number) for number in range(4)), return_exceptions=True)

    *done, refused = asyncio.run(all_at_once())
    assert done == [None] * 3
    assert order == [(0, 1), (1, 1), (2, 1)]
    assert isinstance(refused, FullError)


def test_nothing_is_worked_out_for_a_program_that_hung_up_while_it_waited(monkeypatch):
    messages = iter([{"type": "http.request", "body": json.dumps(DEFAULTS).encode()}])
    headers = [(name.lower().encode(), value.encode()) for name, value in JSON.items()]
    scope = {"type": "http", "method": "POST", "path": "/predict", "headers": headers, "query_string": b""}
    monkeypatch.setattr(api, "predict", lambda *_: pytest.fail("was worked out"))

    async def receive():
        return next(messages, {"type": "http.disconnect"})

    async def send(message):
        assert message.get("body", b"") == b""

    asyncio.run(api.app(scope | {"root_path": ""}, receive, send))
