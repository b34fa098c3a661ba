"""What tests share: the shipped rows and model, real servers on free ports, and a real Chromium."""

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import settings

settings.register_profile("same each time", derandomize=True, deadline=None)
settings.load_profile("same each time")

ROOT = Path(__file__).parent.parent
KIND = os.environ.get("PETROL_TEST_STORE", "sqlite")  # or "postgresql": what keeps the stores of the tests
assert KIND in ("sqlite", "postgresql"), f"PETROL_TEST_STORE={KIND}: neither sqlite nor postgresql"


def pytest_ignore_collect(collection_path, config):
    """Where browser tests alone are asked for, do not even import a file that has none."""
    is_aside = config.option.markexpr.startswith("browser") and collection_path.name.startswith("test_")
    return (is_aside and "mark.browser" not in collection_path.read_text(encoding="utf-8")) or None


def pytest_collection_modifyitems(config, items):
    """Begin with what takes long; of PostgreSQL ask what reaches its SQL, once."""

    def reaches_sql(item):
        asked = item.fixturenames
        is_aside = "project" in asked and "store" not in asked  # a copy of the app, which gets a store anyhow
        is_costly = item.get_closest_marker("slow") or item.get_closest_marker("browser")
        return "store_url" in asked and not (is_aside or is_costly or item.get_closest_marker("sqlite"))

    def is_asked(item):
        if KIND == "postgresql":
            return reaches_sql(item) or item.get_closest_marker("postgresql")
        return not (item.get_closest_marker("postgresql") and item.get_closest_marker("browser"))  # there, and once

    asked = [item for item in items if is_asked(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in asked])
    items[:] = asked
    costly = {(item.path, item.function) for item in items if item.get_closest_marker("slow")}
    costs = Counter(path for path, _ in costly)  # of a file: its tests share what they start, and stay in one process
    items.sort(key=lambda item: -costs[item.path])


@pytest.fixture(scope="session")
def postgresql():
    """Return a PostgreSQL server for all tests."""
    from tests.postgresql import running_postgresql

    with running_postgresql() as server:
        yield server


@pytest.fixture
def url(postgresql):
    """Return the address of an empty database of PostgreSQL, whatever keeps the stores of the others."""
    made = postgresql.new()
    yield made
    postgresql.drop(made)


@pytest.fixture(scope="session")
def databases(request):
    """Return the server that keeps the tests' stores, or None where each is a file."""
    return request.getfixturevalue("postgresql") if KIND == "postgresql" else None


@pytest.fixture(scope="session", autouse=True)
def _usual_store(databases, tmp_path_factory):
    """Name a store for the servers that tests share."""
    folder = tmp_path_factory.mktemp("usual")
    os.environ["PETROL_STORE_URL"] = databases.new() if databases else f"sqlite:///{folder}/store.db"


@pytest.fixture(scope="session")
def rows():
    from data.load import load_rows

    return load_rows()


@pytest.fixture(scope="session")
def model(rows):
    from model.fitting import artifact

    loaded = artifact.load(rows)
    assert not loaded.notice
    return loaded


@pytest.fixture(scope="module")
def js(tmp_path_factory):
    """Return a function that says what an expression is, written with the names of the What-if page's modules."""
    from tests.javascript import asking_modules

    with asking_modules(tmp_path_factory.mktemp("modules")) as ask:
        yield ask


@pytest.fixture(scope="session")
def rows_told(model):
    """Return what the What-if page is told of the rows."""
    from pages.shared import what_if

    return what_if._rows(model)


@pytest.fixture(autouse=True)
def _let_go_of_the_store(request):
    """Have pages that run in this process open the store of their own test, and not that of one before."""
    yield
    loaded = sys.modules.get("pages.shared.resources")
    if loaded and "store_url" in request.fixturenames:
        loaded.owner = loaded.ActiveModel()


@pytest.fixture
def store_url(request, databases, tmp_path, monkeypatch):
    """Name a new store of its own for a test and the processes that it starts."""
    if databases:  # at once what `store` opens, for a database costs more than many a test
        url = databases.new(request.getfixturevalue("filled") if "store" in request.fixturenames else "template1")
    else:
        url = f"sqlite:///{tmp_path}/store.db"
    monkeypatch.setenv("PETROL_STORE_URL", url)
    yield url
    if databases:
        databases.drop(url)


@pytest.fixture(scope="session")
def template(tmp_path_factory):
    """Return a closed file of SQLite with the shipped model: what a test may copy and damage."""
    from model.store import history
    from tests.stores import copy_file

    folder = tmp_path_factory.mktemp("template")
    history.open_store(f"sqlite:///{folder}/open.db")
    copy_file(folder / "open.db", folder / "store.db")
    return folder / "store.db"


@pytest.fixture(scope="session")
def filled(databases):
    """Return the name of a database that holds what `template` does."""
    from model.store import history

    if not databases:
        return None
    url = databases.new()
    history.open_store(url)._engine.dispose()
    return url.rpartition("/")[2]


@pytest.fixture
def store(databases, template, store_url, tmp_path):
    """Return an open store of its own for a test, which the processes that it starts open too."""
    from model.store import history

    if not databases:
        shutil.copy(template, tmp_path / "store.db")
    return history.open_store(store_url)


@pytest.fixture(scope="session")
def project_of():
    """Return a function that copies the project to a folder, where a test may damage it."""
    keep = shutil.ignore_patterns(".git", ".venv", "tests", "bench", "__pycache__", ".*_cache", "store.db*")
    return lambda folder: Path(shutil.copytree(ROOT, folder / "project", ignore=keep))


@pytest.fixture
def project(project_of, tmp_path, store_url):
    """Return a copy of the project that a test may damage, with a store of its own."""
    return project_of(tmp_path)


def free_port():
    """Return a port that nobody has at the moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextlib.contextmanager
def running_server(command=None, cwd=ROOT, log=None, port=None, base="", **environment):
    """Start the app as the README does, yield its address when it is healthy, and end it by its process id."""
    process, url = start_server(command, cwd, log, port, base, **environment)
    try:
        yield url
        assert process.poll() is None, f"the server died:\n{log.read_text(errors='replace')[-4000:]}"
    finally:
        end(process)


def start_server(command=None, cwd=ROOT, log=None, port=None, base="", **environment):
    """Start the app as the README does; return its process and its address when it is healthy."""
    port = port or free_port()
    module = ["-m", *(part.format(port=port) for part in command)] if command else ["server.py"]
    whole = _environment() | {"PETROL_HOST": "127.0.0.1", "PORT": str(port)} | environment
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *module], cwd=cwd, stdout=output, stderr=subprocess.STDOUT, env=whole
        )
    url = f"http://127.0.0.1:{port}{base}"
    try:
        _wait_until_healthy(process, url, log)
    except BaseException:
        end(process)
        raise
    return process, url


def run_aside(coroutine):
    """Run a coroutine in another thread: Playwright's event loop runs on in that of its tests."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def end(process):
    """End a process that was started here, with a word first."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment():
    return {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}


def _wait_until_healthy(process, url, log):
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the server did not start:\n{log.read_text(errors='replace')[-4000:]}"
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/_stcore/health", timeout=5) as reply:
            if reply.status == 200:
                return
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
    pytest.fail(f"the server was not healthy within two minutes:\n{log.read_text(errors='replace')[-4000:]}")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Return the address of one warm server for all browser tests."""
    with running_server(log=tmp_path_factory.mktemp("server") / "log") as url:
        yield url


@pytest.fixture(scope="session")
def browser():
    """Return a real Chromium."""
    from playwright.sync_api import expect, sync_playwright

    from tests import chromium, programs

    expect.set_options(timeout=30_000)  # on a machine that has other things to do

    path = programs.required(chromium.find(), "Chromium")
    with sync_playwright() as playwright:
        chrome = playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        yield chrome
        chrome.close()


@pytest.fixture(scope="session")
def window(browser):
    """Return a window whose pages share what the browser has loaded and compiled: that is half the work of a page."""
    context = browser.new_context(reduced_motion="reduce")  # less to draw; other tests have things move
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@contextlib.contextmanager
def opening_pages(browser, window):
    """Yield a function that opens an address; afterwards no page may have logged an error."""
    pages, opened, complaints = [], [], []

    def note(message):
        # On any page but the first, Streamlit's browser part looks for its server below that page, then above.
        is_lookup = "/_stcore/" in message.location["url"] and "404" in message.text
        if message.type == "error" and not is_lookup:
            complaints.append(message.text)

    def note_foreign(asked, url):
        home, there = urlsplit(url), urlsplit(asked)
        if there.scheme not in ("data", "blob") and there.netloc != home.netloc:
            complaints.append(f"the page asked {asked}")

    def open_page(
        url, *, ready="live-prediction", width=1280, height=900, init_script=None, on_socket=None, media=None, **device
    ):
        page = browser.new_page(**device) if device else window.new_page()
        pages.append(page)
        opened.append(url)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media or {})
        page.on("request", lambda request: note_foreign(request.url, url))
        page.on("console", note)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        if init_script:
            page.add_init_script(init_script)
        if on_socket:
            page.on("websocket", on_socket)
        page.goto(url)
        page.get_by_test_id(ready).first.wait_for(timeout=60_000)
        return page

    yield open_page
    for page in pages:
        page.close()
    forget(window, {urlsplit(url).netloc for url in opened})
    assert complaints == []


@pytest.fixture
def page_with_cookies(browser):
    """Return a function that opens an address where other programs have set so many bytes of cookies."""
    with contextlib.ExitStack() as windows:

        def page_with_cookies(url, size):
            window = browser.new_context()
            windows.callback(window.close)
            window.add_cookies([{"name": f"x{i}", "value": "x" * 3990, "url": url} for i in range(size // 4000)])
            page = window.new_page()
            page.goto(url)
            return page

        yield page_with_cookies


def forget(window, hosts):
    """Empty what a window has stored for these hosts, whose servers may be gone; the next test begins as a newcomer."""
    page = window.new_page()
    page.route("**/*", lambda route: route.fulfill(body=""))
    for host in hosts:
        page.goto(f"http://{host}/")
        page.evaluate("localStorage.clear()")
    page.close()


@pytest.fixture
def open_page(browser, window):
    """Return a function that opens an address for this test."""
    with opening_pages(browser, window) as open_page:
        yield open_page
    window.clear_cookies()


@pytest.fixture(scope="session")
def usual_port():
    """Return a port for one server after the other, so that the browser loads the same files once."""
    return free_port()


@pytest.fixture
def visitor(store_url, open_page, tmp_path, usual_port):
    """Return a function that brings another visitor to a server with a store of its own."""
    from tests.retrain_page import Visitor

    with running_server(log=tmp_path / "log", port=usual_port) as url:
        arrived = []

        def visitor(address):
            arrived.append(Visitor(open_page, url).goes_to(address))
            return arrived[-1]

        yield visitor
        for one in arrived:
            one.page.close()  # before its server, or it would complain of having lost it
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
