"""What comes before a request: cookies of other programs on the host name, and heads and bodies that do not arrive."""

import asyncio
import contextlib
import select
import socket
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from bench.visit import Visit
from tests.conftest import run_aside
from tests.test_guard import ask

pytestmark = pytest.mark.slow
HEAD = b"GET /api/ready HTTP/1.1\r\nHost: x\r\n"
BODY = b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n["
PATIENCE = 90  # [s]


@pytest.mark.browser
def test_cookies_of_other_programs_stand_in_nobodys_way_up_to_32_kb(server, page_with_cookies):
    page = page_with_cookies(server, 32_000)
    expect(page.get_by_test_id("live-prediction")).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("size", [64_000, 400_000])  # the pages refuse the one, and no request gets in with the other
def test_of_more_cookies_a_page_says_what_to_do(server, page_with_cookies, size):
    page = page_with_cookies(server, size)
    expect(page.get_by_text("Delete the cookies of this site in your browser")).to_be_visible()


def test_a_head_that_is_no_http_is_no_matter_of_cookies(server):
    with opened(server, 1, b"\r\nno http at all\r\n\r\n") as (line,):
        assert line.recv(1000).startswith(b"HTTP/1.1 400 ")


@contextlib.contextmanager
def opened(url, n_lines, sent):
    """Open connections, and send on each what is no whole request."""
    place = urlsplit(url)
    with contextlib.ExitStack() as lines:
        made = [lines.enter_context(socket.create_connection((place.hostname, place.port), 20)) for _ in range(n_lines)]
        for line in made:
            line.sendall(sent)
        yield made


def closed_of(lines, n_lines):
    """Wait until so many are closed, and return those."""
    closed = set()
    while len(closed) < n_lines:
        readable, _, _ = select.select(set(lines) - closed, [], [], PATIENCE)
        assert readable, f"{len(closed)} of {n_lines} were closed"
        assert all(line.recv(1) == b"" for line in readable)
        closed |= set(readable)
    return closed


def test_of_more_than_a_hundred_heads_that_do_not_arrive_the_oldest_give_way_and_nobody_else_does(server):
    async def look():
        visit = await Visit.open(server)
        with opened(server, 1, BODY) as (sends,), opened(server, 130, HEAD) as lines:
            assert closed_of(lines, 30) == set(lines[:30])
            lines[-1].sendall(b"\r\n")
            assert lines[-1].recv(1000).startswith(b"HTTP/1.1 200 ")
            assert ask(server, "/api/ready")[0] == 200
            sends.sendall(b" " * 98)
            assert sends.recv(1000).startswith(b"HTTP/1.1 400 ")  # it was heard to its end
        answer = await visit.move({"petrol_tax": 8.0})
        await visit.close()
        return answer

    assert run_aside(look())["now"]["value"] > 0


@pytest.mark.soak
@pytest.mark.parametrize("sent", [HEAD, b"", BODY], ids=["head", "nothing", "body"])
@pytest.mark.parametrize("heard", [False, True], ids=["first", "second"])
def test_a_head_or_a_body_of_which_nothing_more_comes_is_given_up(server, sent, heard):
    with opened(server, 3, HEAD + b"\r\n" if heard else sent) as lines:
        for line in lines if heard else ():
            answer = b""
            while not answer.endswith(b"}"):
                answer += line.recv(10_000)
            line.sendall(sent)
        closed_of(lines, 3)


@pytest.mark.soak
def test_two_hundred_visitors_at_once_are_all_heard(server):
    async def visit():
        visits = await asyncio.gather(*(Visit.open(server) for _ in range(200)))
        await asyncio.gather(*(one.close() for one in visits))
        return len(visits)

    assert run_aside(visit()) == 200
