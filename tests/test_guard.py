"""Around a real server: what it tells browsers, whom it refuses, whom it asks, and how it ends."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import os
import re
import time
from urllib.parse import urlsplit

import pytest
import websockets

from bench.sessions import Session
from model import history, jobs
from tests.conftest import running_server
from tests.stores import ended, is_over, wait_until, worker_of

pytestmark = pytest.mark.slow
SLOW = {"n_estimators": 1000}


def ask(url, path, method="GET", **headers):
    """Return status, headers and content, whatever the status."""
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)) as connection:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        reply = connection.getresponse()
        return reply.status, reply.headers, reply.read()


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/explore", 200), ("/_stcore/health", 200), ("/api/ready", 200), ("/api/no", 404), ("//no", 400)],
)
def test_every_answer_tells_the_browser_what_it_may_do(server, path, status):
    found, headers, _ = ask(server, path)
    assert found == status
    policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["connect-src"] == policy["form-action"] == "'self'"
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "http:", "https:"} & set(policy["script-src"].split())
    kept = {"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}
    assert {name: headers[name] for name in kept} == kept
    assert headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert "clipboard-write=(self)" in headers["Permissions-Policy"]


def test_the_one_script_that_the_policy_names_is_that_of_the_page(server):
    _, headers, page = ask(server, "/")
    (script,) = re.findall(rb"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script).digest()).decode()
    assert re.findall(r"'sha256-(.*?)'", headers["Content-Security-Policy"]) == [digest]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://[", "http://127.0.0.1:1", "", "file://"])
def test_pages_of_other_sites_are_refused(server, origin):
    for method, path in (
        ("GET", "/"),
        ("GET", "/_stcore/health"),
        ("POST", "/api/predict"),
        ("PUT", "/_stcore/upload_file/a/b"),
    ):
        assert ask(server, path, method, Origin=origin)[0] == 403

    refuses_socket(server, origin)


def refuses_socket(url, origin):
    async def connect():
        await websockets.connect(
            url.replace("http", "ws") + "/_stcore/stream", subprotocols=["streamlit"], origin=origin
        )

    with pytest.raises(websockets.InvalidStatus, match="403"):
        asyncio.run(connect())


def test_its_own_pages_are_not(server):
    assert ask(server, "/api/ready", Origin=server)[0] == 200

    async def move():
        session = await Session.open(server)
        await session.move("petrol_tax", 8.0)
        await session.close()
        return session.words

    assert any("gallons per person per year" in words for words in asyncio.run(move()))


def test_programs_can_drive_no_page(server):
    status, _, content = ask(server, "/_stcore/agent/interact", "POST", Content_Type="application/json")
    assert (status, b"not_available" in content) == (403, True)


AUDIT = """
import os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        with open(os.environ["AUDIT"], "a") as file:
            print(event, *arguments[-1:] if event == "socket.connect" else arguments[:2], file=file)
sys.addaudithook(note)
"""


def test_the_server_and_its_workers_ask_nobody_outside(store, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(AUDIT)
    noted = tmp_path / "noted"
    noted.touch()
    with running_server(log=tmp_path / "log", PYTHONPATH=str(tmp_path), AUDIT=str(noted)) as url:

        async def visit():
            session = await Session.open(url)
            await session.move("petrol_tax", 8.0)
            await session.close()

        asyncio.run(visit())
        refuses_socket(url, "http://evil.example")  # Streamlit would look up the address of this machine outside
        assert ask(url, "/api/ready", Host="evil.example")[0] == 200
        number = jobs.submit(store, "visitor", 1, ["ridge"])
        wait_until(lambda: ask(url, "/api/ready")[0] == 200)
    with running_server(log=tmp_path / "log2", PYTHONPATH=str(tmp_path), AUDIT=str(noted)):
        assert wait_until(
            lambda: jobs.job(store, number).state not in jobs.OPEN, what="the job"
        )  # it goes on by itself
    assert jobs.job(store, number).state == "done"
    lines = noted.read_text().splitlines()
    foreign = [line for line in lines if not re.search(r"127\.0\.0\.1|localhost|::1|^socket.connect /|None", line)]
    assert foreign == []


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_told_to_end_it_ends_within_five_seconds_and_says_so_in_the_job(store, tmp_path):
    history.open_store()
    number = jobs.submit(store, "visitor", 1, ["forest"], parameters=SLOW, seed=5)
    waiting = jobs.submit(store, "another", 1, ["mean"])
    visit = asyncio.new_event_loop()
    with running_server(log=tmp_path / "log") as url:
        worker = worker_of(store, number)
        wait_until(lambda: jobs.job(store, number).done >= 1, what="a fold")
        helpers = worker.children(recursive=True)
        session = visit.run_until_complete(Session.open(url))  # of a visitor who then says nothing more
        start = time.monotonic()
    assert time.monotonic() - start < 5  # since the end of the block, where it is told
    visit.run_until_complete(session.close())
    visit.close()
    lost = jobs.job(store, number)
    assert lost.state == "failed"
    assert re.fullmatch(r"The app was ended after fold \d+ of 50\. Nothing was kept; start it again\.", lost.message)
    wait_until(lambda: all(is_over(process) for process in [worker, *helpers]), 10, "the end of the worker")
    assert jobs.job(store, waiting).state == "waiting"
    with running_server(log=tmp_path / "log2"):  # whose start goes on with the queue
        assert ended(store, waiting).state == "done"
