"""Around a real server: what it tells browsers, whom it refuses, whom it asks, and how it ends."""

import asyncio
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from itertools import chain
from urllib.parse import urlsplit

import pytest
import websockets
from starlette.responses import PlainTextResponse

from bench.visit import Visit
from model.queue import jobs
from model.store.tables import OPEN
from tests.conftest import free_port, running_server
from tests.stores import is_over, wait_until, worker_of
from web.guard import Guard

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


def test_a_page_gives_each_browser_a_number_once_and_takes_none_that_it_did_not_give(server):
    def given(path="/retrain", **headers):
        return ask(server, path, **{"Accept": "text/html"} | headers)[1].get_all("Set-Cookie") or []

    (cookie,) = given()
    assert re.fullmatch(r"petrol_visitor=[0-9a-f]{16}; Max-Age=34560000; Path=/; HttpOnly; SameSite=Lax", cookie)
    number = cookie.partition(";")[0]
    assert given(Cookie=number) == given("/api/ready", Accept="*/*") == []
    for odd in ("petrol_visitor=", f"{number}0", f"{number[:-1]}G", "petrol_visitor=<script>", 'petrol_visitor="a b"'):
        (other,) = given(Cookie=odd)
        assert number not in other


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


def test_a_page_whose_websocket_was_refused_hears_why_where_streamlit_shows_it(server):
    """Firefox says of its scripts not which page asks for them, and gets them: the page is there, and stays empty."""
    page = "https://tunnel.example"
    asked = {"Referer": f"{page}/explore?view=x", "Host": urlsplit(server).netloc}
    assert ask(server, "/_stcore/health", **asked)[0] == 200
    refuses_socket(server, page)
    status, _, content = ask(server, "/_stcore/health", **asked)
    assert status == 421
    assert f"set PETROL_ORIGINS={page} and start it again" in json.loads(content)
    assert ask(server, "/_stcore/health", Host=urlsplit(server).netloc)[0] == 200
    assert ask(server, "/_stcore/health", **asked | {"Referer": f"{server}/"})[0] == 200


def test_strangers_do_not_use_up_what_is_remembered_of_refusals():
    async def app(scope, receive, send):
        await PlainTextResponse("ok")(scope, receive, send)

    guard = Guard(app, [], [])

    def answered(path, **headers):
        sent, told = [], [(name.encode(), value.encode()) for name, value in headers.items()]

        async def send(message):
            sent.append(message)

        scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": told}
        asyncio.run(guard(scope, None, send))
        return sent[0]["status"]

    for number in range(1100):
        assert answered("/", origin=f"https://{number}.example/{'x' * 10_000}", host="here") == 403
    assert answered("/", origin="https://tunnel.example", host="here") == 403
    assert answered("/_stcore/health", referer="https://tunnel.example/", host="here") == 421
    assert sum(map(len, chain.from_iterable(guard._refused))) < 100_000


async def move(url):
    """Open the page, move a slider, and return the answer."""
    visit = await Visit.open(url)
    answer = await visit.move({"petrol_tax": 8.0})
    await visit.close()
    return answer


def test_its_own_pages_are_not(server):
    assert ask(server, "/api/ready", Origin=server)[0] == 200
    assert ask(server, "/api/ready", Origin="http://example.org", Host="example.org:80")[0] == 200
    assert asyncio.run(move(server))["now"]["value"] > 0


def test_programs_can_drive_no_page(server):
    status, _, content = ask(server, "/_stcore/agent/interact", "POST", Content_Type="application/json")
    assert (status, b"not_available" in content) == (403, True)


AUDIT = """
import json, os, sys
def note(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[-1] if event in ("socket.connect", "socket.sendto") else arguments
        with open(os.environ["AUDIT"], "a") as file:
            print(json.dumps(address[0] if isinstance(address, tuple) else "a file: " + str(address)), file=file)
sys.addaudithook(note)
import socket
try:
    socket.create_connection(("127.0.0.9", 9), 1)  # so that the test knows that this was here
except OSError:
    pass
"""


def test_the_server_and_its_workers_ask_nobody_outside(store, tmp_path):
    (tmp_path / "sitecustomize.py").write_text(AUDIT)
    noted = tmp_path / "noted"
    audited = {"PYTHONPATH": str(tmp_path), "AUDIT": str(noted)}
    number = jobs.submit(store, "visitor", 1, ["ridge"])
    with running_server(log=tmp_path / "log", **audited) as url:  # whose start goes on with the queue

        async def visit():
            for page in ("", "explore", "retrain", "models", "score"):
                one = await Visit.open(url, page)
                await one.close()

        asyncio.run(visit())
        refuses_socket(url, "http://evil.example")  # Streamlit would look up the address of this machine outside
        wait_until(lambda: jobs.find_job(store, number).state not in OPEN, what="the job, by itself")
    assert jobs.find_job(store, number).state == "done"
    asked = {json.loads(line) for line in noted.read_text().splitlines()}
    assert "127.0.0.9" in asked
    assert {place for place in asked if not str(place).startswith("a file: ")} <= {
        "127.0.0.1",
        "127.0.0.9",
        "::1",
        None,
    }


def test_no_other_host_is_answered_than_those_named_and_a_queue_that_is_switched_off_stands(store, tmp_path):
    number = jobs.submit(store, "visitor", 1, ["mean"])
    settings = {"STREAMLIT_SERVER_ALLOWED_HOSTS": "example.org, *.example.com", "PETROL_RETRAIN": "off"}
    with running_server(log=tmp_path / "log", **settings) as url:
        for host, status in (("example.org", 200), ("a.example.com:8501", 200), ("127.0.0.1", 200), ("evil.org", 400)):
            assert ask(url, "/api/ready", Host=host)[0] == status
            assert ask(url, "/", Host=host)[0] == status
        for host, name in (
            ("evil.org:80", "the name evil.org:80"),
            ("<b>evil</b>", "that name"),
            ("a" * 999, "that name"),
        ):
            told = f"does not answer to {name}. Whoever runs it can add the name to STREAMLIT_SERVER_ALLOWED_HOSTS."
            assert told in ask(url, "/", Host=host)[2].decode()
        asyncio.run(move(url))  # of this machine itself

        async def look():
            visit = await Visit.open(url, "retrain")
            assert "waits, 0 before it" in visit.text
            await visit.close()

        asyncio.run(look())
        assert jobs.find_job(store, number).state == "waiting"


@pytest.mark.parametrize(
    "headers",
    [
        {"Referer": "http://["},
        {"Referer": "http://evil.example/retrain"},
        {"Cookie": "petrol_back=%2Fa%0A"},
        {"Cookie": "petrol_back=//evil.example/"},
        {"Cookie": "petrol_back=/\\evil.example/"},
        {"Cookie": "petrol_back=https%3A//evil.example"},
        {"Cookie": "petrol_back=/auth/logout?x"},
    ],
    ids=str,
)
def test_the_way_back_from_signing_in_leads_to_pages_of_this_app_alone(server, headers):
    for path in ("/auth/login", "/auth/logout", "/oauth2callback"):
        status, answered, _ = ask(server, path, **headers)
        assert (status, answered["Location"]) == (302, "/")
    _, answered, _ = ask(server, "/oauth2callback", Cookie="petrol_back=/models?version=2")
    assert answered["Location"] == "/models?version=2"
    _, answered, _ = ask(server, "/oauth2callback?error=access_denied", Cookie="petrol_back=/models?version=2")
    assert answered["Location"] == "/models?version=2&sign_in=failed"
    _, answered, _ = ask(
        server, "/oauth2callback?code=x&state=y", Cookie="petrol_back=/models"
    )  # which nobody has sent
    assert answered["Location"] == "/models?sign_in=failed"
    status, answered, _ = ask(server, "/no/oauth2callback", Cookie="petrol_back=/models")
    assert answered["Location"] is None


REFUSALS = """
import os, runpy, sys
from pathlib import Path
from pages.shared import door

for setting in sys.argv[1:]:
    name, _, os.environ[name] = setting.partition("=")
    try:
        runpy.run_path("server.py", run_name="__main__")
    except SystemExit as refusal:
        print(refusal)
    del os.environ[name]
secrets = Path(".streamlit") / "secrets.toml"
print(door.secrets_problem())
for content in (b"\\xff\\xfe", b'[auth]\\nexpose_tokens = "foo"\\n', b"[auth"):
    secrets.write_bytes(content)
    print(door.secrets_problem())
secrets.unlink()
secrets.mkdir()
print(door.secrets_problem())
"""
REFUSED = {  # Streamlit keeps some of them, so each is one that is looked at no later than those before it
    "PORT=80a": "PORT: '80a' is no port. Write a number from 1 to 65535, such as 8501.",
    "PETROL_ORIGINS=example.org": (
        "PETROL_ORIGINS: 'example.org' is no site. Write it like https://example.org or https://*.example.org"
    ),
    "STREAMLIT_SERVER_BASE_URL_PATH=a b": (
        "STREAMLIT_SERVER_BASE_URL_PATH: 'a b' is no path. Write it like petrol or apps/petrol."
    ),
    "STREAMLIT_SERVER_ALLOWED_HOSTS=b.org *a.org": (
        "STREAMLIT_SERVER_ALLOWED_HOSTS: '*a.org' is no name. Write it like example.org or *.example.org."
    ),
}


def test_settings_with_which_it_would_answer_nothing_are_told_at_the_start(project):
    secrets = project / ".streamlit" / "secrets.toml"
    told = ".streamlit/secrets.toml cannot be used"
    secrets.write_bytes(b'auth = "yes"')
    environment = os.environ | {"PORT": str(free_port())}
    options = {"cwd": project, "capture_output": True, "text": True, "timeout": 60}
    done = subprocess.run([sys.executable, "server.py"], env=environment, check=False, **options)
    assert done.returncode != 0
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    secrets.unlink()
    # One process for all others: most of a start is what it imports.
    said = subprocess.run([sys.executable, "-c", REFUSALS, *REFUSED], check=True, **options).stdout.splitlines()
    assert [line.partition(" (")[0] for line in said[len(REFUSED) :]] == ["", *[told] * 4], said
    for line, refusal in zip(said, REFUSED.values(), strict=False):
        assert line.startswith(refusal)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_told_to_end_it_ends_within_five_seconds_and_says_so_in_the_job(store, tmp_path):
    number = jobs.submit(store, "visitor", 1, ["gradient_boosting"], parameters=SLOW, seed=5)
    waiting = jobs.submit(store, "another", 1, ["mean"])
    visit = asyncio.new_event_loop()
    with running_server(log=tmp_path / "log") as url:
        worker = worker_of(store, number)
        wait_until(lambda: jobs.find_job(store, number).done >= 1, what="a fold")
        helpers = worker.children(recursive=True)
        session = visit.run_until_complete(Visit.open(url))  # of a visitor who then says nothing more
        half = socket.create_connection(("127.0.0.1", urlsplit(url).port))
        half.sendall(
            b"POST /api/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n["
        )
        start = time.monotonic()
    assert time.monotonic() - start < 5  # since the end of the block, where it is told
    half.close()
    visit.run_until_complete(session.close())
    visit.close()
    lost = jobs.find_job(store, number)
    assert lost.state == "failed"
    assert re.fullmatch(r"The app was ended after fit \d+ of 70\. Nothing was kept; start it again\.", lost.message)
    wait_until(lambda: all(is_over(process) for process in [worker, *helpers]), 10, "the end of the worker")
    assert jobs.find_job(store, waiting).state == "waiting"
