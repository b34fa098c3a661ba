"""Real servers: ready when healthy, the same page by either way of starting it, and alive with damaged files."""

import itertools
import re
import urllib.request
from urllib.parse import quote, urljoin

import pytest
from playwright.sync_api import expect

from bench import addresses
from bench.visit import Visit
from data.schema import FEATURES
from model.answering.prediction import predict
from tests.conftest import run_aside, running_server
from tests.test_explore_browser import drawn_page, picture
from web.preload import OF_PAGES

pytestmark = [pytest.mark.browser, pytest.mark.slow]
DEFAULTS = {column.name: column.default for column in FEATURES}
STREAMLIT = ["streamlit", "run", "streamlit_app.py", "--server.port", "{port}"]


def shown(page):
    return page.get_by_test_id("live-prediction").inner_text()


@pytest.mark.parametrize("command", [STREAMLIT, ["streamlit", "run", "server.py", "--server.port", "{port}"]], ids=str)
def test_the_page_is_the_same_however_it_is_started(command, open_page, model, tmp_path, usual_port):
    with running_server(command, log=tmp_path / "log", port=usual_port) as url:
        page = open_page(url)
        assert shown(page) == f"{predict(model, DEFAULTS).value:.0f}"
        page.close()  # before its server, or it would complain of having lost it
        if "server.py" in command:
            run_aside(visits(url, cookie="x=" + "y" * 32_000))  # which another program on this host name has set


async def visits(url, **options):
    visit = await Visit.open(url, **options)
    await visit.close()


def test_a_deep_link_is_answered_by_a_cold_server_and_its_log_holds_no_warning(open_page, tmp_path, usual_port):
    log = tmp_path / "log"
    with running_server(log=log, port=usual_port) as url:
        page = drawn_page(open_page, url, "All pairs")
        expect(picture(page, "pairs").locator("path.point").first).to_be_visible()
        page.close()
    assert re.findall(r"(?i)warning|error|exception|traceback|deprecat", log.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("damage", "notice"),
    [
        (lambda folder: (folder / "petrol.joblib").write_bytes(b"not a model"), "SHA-256 differs"),
        pytest.param(
            lambda folder: [path.unlink() for path in folder.glob("petrol.*")],
            "petrol.json is missing",
            marks=pytest.mark.soak,  # trains the default; test_artifact.py looks at what comes of it
        ),
    ],
    ids=["another file", "no model and no record"],
)
def test_a_damaged_model_is_refitted_before_anybody_asks_and_the_page_and_the_log_say_so(
    project, open_page, model, tmp_path, usual_port, damage, notice
):
    damage(project / "model")
    log = tmp_path / "log"
    with running_server(cwd=project, log=log, port=usual_port) as url:
        told = log.read_text(encoding="utf-8")  # healthy means that the model was loaded, and nobody has opened a page
        assert told.index(notice) < told.index("Application startup complete")
        page = open_page(url)
        assert shown(page) == f"{predict(model, DEFAULTS).value:.0f}"
        expect(page.get_by_text(notice)).to_be_visible()
        page.close()


def test_damaged_data_end_in_a_message_and_not_in_a_stack_trace(project, browser, tmp_path):
    file = project / "data" / "petrol" / "rows.csv"
    file.write_text(file.read_text().replace("ME,9,", "ME,nine,"))
    with running_server(cwd=project, log=tmp_path / "log") as url:
        page = browser.new_page()
        page.goto(url)
        expect(page.get_by_text("The shipped data cannot be used")).to_be_visible()
        expect(page.get_by_text('row 2, petrol_tax: "nine" is not a number.')).to_be_visible()
        assert "Traceback" not in page.content()
        page.close()


def test_a_page_names_scripts_that_are_there(server):
    """Of another release of Streamlit the names may be others; then they are to be looked up anew."""
    for page, names in OF_PAGES.items():
        asked = urllib.request.Request(f"{server}/{page}", headers={"Accept": "text/html"})
        with urllib.request.urlopen(asked) as reply:
            addresses = re.findall('<([^>]+)>; rel="modulepreload"', reply.headers["Link"])
        assert len(addresses) == len(names) + (page == "")  # and the app's own
        for address in addresses:
            with urllib.request.urlopen(urljoin(f"{server}/{page}", address)) as reply:
                assert "javascript" in reply.headers["Content-Type"], address
    with urllib.request.urlopen(f"{server}/_stcore/health") as reply:
        assert "Link" not in reply.headers


def test_sliders_bring_their_styles_and_do_not_wait_for_elements_that_may_come_later(server, open_page):
    """Else, on a slow machine, they move away from under the pointer."""
    note = """window.styled = [];
    new MutationObserver(() => {
      const page = document.querySelector(".wi");
      if (page) styled.push(document.querySelector("#wi-styles") !== null && getComputedStyle(page).display);
    }).observe(document, { childList: true, subtree: true });"""
    page = open_page(server, init_script=note)
    assert set(page.evaluate("styled")) == {"grid"}


def test_scripts_in_an_address_are_shown_or_forgotten_and_never_run(server, open_page):
    scripts = itertools.cycle(value for value in addresses.VALUES if "pwned" in value)
    for page, names in addresses.PAGES.items():
        query = "&".join(f"{name}={quote(next(scripts))}" for name in names)
        shown = open_page(f"{server}/{page}?{query}", ready="stHeading")
        expect(shown.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        expect(shown.get_by_test_id("stException")).to_have_count(0)
        assert shown.evaluate("window.pwned") is None
        shown.close()
