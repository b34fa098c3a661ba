"""Behind a real nginx, below a path of its site: pages, the websocket, uploads, names, frames, the JSON interface."""

import contextlib
import http.server
import json
import re
import threading
import urllib.request as web

import pytest
from playwright.sync_api import expect

from model.answering.prediction import predict
from tests.conftest import free_port, running_server
from tests.nginx import answers, running_nginx
from tests.retrain_page import Visitor
from tests.test_guard import ask
from tests.what_if_page import DEFAULTS, position, slider

pytestmark = [pytest.mark.browser, pytest.mark.door, pytest.mark.slow]
BASE = "/petrol"
TABLE = "\n".join(["petrol_tax,average_income,paved_highways,driver_licence_share", *["9,3571,1976,0.525"] * 50])


class Site:
    """The app behind three proxies, and another site that shows it in a frame.

    Attributes
    ----------
    url : str
        Behind nginx as it is shipped.
    renamed : str
        Behind one that asks the app for another host; PETROL_ORIGINS names it.
    unknown : str
        Behind another such, which nothing names.
    portal : str
        The other site.
    """


def asking_for(host):
    """Return what makes of a configuration one whose proxy asks the app for another host than it was asked for."""
    return lambda text: text.replace("Host $http_host;", f"Host {host};")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Start the app, the proxies and the other site."""
    folder, port, named, found = tmp_path_factory.mktemp("proxied"), free_port(), free_port(), Site()
    with portal() as (portal_url, pages), contextlib.ExitStack() as stack:
        more = {
            "PETROL_STORE_URL": f"sqlite:///{folder}/store.db",
            "PETROL_ORIGINS": f"http://127.0.0.1:{named}",
            "PETROL_FRAME_ANCESTORS": portal_url,
            "STREAMLIT_SERVER_BASE_URL_PATH": BASE.strip("/"),
        }
        stack.enter_context(running_server(log=folder / "log", port=port, base=BASE, **more))
        assert answers(f"http://127.0.0.1:{port}/api/ready")  # as the container's health check asks

        def proxy(name, **options):
            running = running_nginx(folder / name, "nginx.conf", {8501: port}, **options)
            return f"{stack.enter_context(running)}{BASE}"

        found.url = proxy("shipped")
        found.renamed = proxy("renamed", port=named, edit=asking_for("localhost:8501"))
        found.unknown = proxy("unknown", edit=asking_for("x`'y"))
        found.portal, found.log = portal_url, folder / "log"
        pages["/"] = f'<iframe src="{found.url}/score" width="1200" height="900"></iframe>'
        yield found


@contextlib.contextmanager
def portal():
    """Start another site, yield its address and its pages, which can be added to."""
    pages = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            content = pages.get(self.path, "").encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}", pages  # to a browser another site than 127.0.0.1
        server.shutdown()


def moves(page, number, model):
    slider(page, "petrol_tax").press("ArrowRight")
    tax = position("petrol_tax", DEFAULTS["petrol_tax"], 1)
    expect(page).to_have_url(re.compile(rf"{BASE}/\?petrol_tax={tax:.10g}\b"))
    expect(number).to_have_text(f"{predict(model, DEFAULTS | {'petrol_tax': tax}).value:.0f}")


def test_all_of_the_app_works_behind_nginx_below_a_path(site, open_page, model):
    visitor = Visitor(open_page, site.url).goes_to("/")
    page = visitor.page
    expect(visitor.number).to_have_text(f"{predict(model, DEFAULTS).value:.0f}")
    moves(page, visitor.number, model)

    page.get_by_role("link", name="Score a file").click()
    expect(page).to_have_url(re.compile(f"{BASE}/score"))
    line = "9,3571,1976,0.525," + "x" * 1000
    table = "\n".join(["petrol_tax,average_income,paved_highways,driver_licence_share,note", *[line] * 2000])
    visitor.uploads(table.encode())  # 2 MB: more than nginx takes unless it is told
    visitor.sees("2,000 of 2,000 rows scored")
    expect(
        page.locator(".st-key-app-score_picture .main-svg").first
    ).to_be_visible()  # closed before, it would complain
    page.close()

    drawn = {"/explore?view=Columns": "explore_spread", "/models": "models_timeline"}
    for address in (*drawn, "/retrain"):
        page = Visitor(open_page, site.url).goes_to(address).page
        if address in drawn:
            expect(page.locator(f".st-key-app-{drawn[address]} .main-svg").first).to_be_visible()
        page.close()

    with web.urlopen(f"{site.url}?petrol_tax=9") as reply:
        assert reply.url == f"{site.url}/?petrol_tax=9"
    request = web.Request(
        f"{site.url}/api/predict", json.dumps(DEFAULTS).encode(), {"Content-Type": "application/json"}
    )
    with web.urlopen(request) as reply:
        assert json.load(reply)["value"] == predict(model, DEFAULTS).value
    with web.urlopen(f"{site.url}/api/openapi.json") as reply:
        assert json.load(reply)["servers"] == [{"url": BASE}]
    assert "Refused" not in site.log.read_text(encoding="utf-8")


def test_cookies_of_other_programs_come_through_the_proxy_or_are_told_of(site, page_with_cookies):
    page = page_with_cookies(f"{site.url}/", 32_000)
    expect(page.get_by_test_id("live-prediction")).to_be_visible()
    page = page_with_cookies(f"{site.url}/", 72_000)
    expect(page.get_by_text("Delete the cookies of this site in your browser")).to_be_visible()


def test_an_address_that_is_named_is_the_apps_own_whatever_a_proxy_calls_it(site, open_page, model):
    visitor = Visitor(open_page, site.renamed).goes_to("/")
    moves(visitor.page, visitor.number, model)
    visitor.page.goto(f"{site.renamed}/score")  # anew: the page before has a field for files, too
    visitor.uploads(TABLE.encode())
    visitor.sees("50 of 50 rows scored")
    visitor.page.close()
    _, answered, _ = ask(site.renamed, f"{BASE}/auth/login", Referer=f"{site.renamed}/models?version=2")
    assert answered["Location"] == f"{BASE}/models?version=2"


def test_whoever_opens_an_address_that_is_not_named_reads_what_to_set(site, browser):
    page = browser.new_page()
    page.goto(f"{site.unknown}/models")
    expect(page.get_by_text(f"set PETROL_ORIGINS={site.unknown.removesuffix(BASE)} and start it again")).to_be_visible()
    expect(page.get_by_text("a proxy on the way asked it for x`'y.")).to_be_visible()  # what it says is text, no code
    page.close()


def test_a_site_that_is_named_shows_the_app_in_a_frame_with_all_that_it_can(site, browser):
    page = browser.new_page()
    page.goto(site.portal)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    frame.locator("input[type=file]").set_input_files(
        {"name": "rows.csv", "mimeType": "text/csv", "buffer": TABLE.encode()}
    )
    expect(frame.get_by_text("50 of 50 rows scored").first).to_be_visible()
    assert "petrol_visitor" in {cookie["name"] for cookie in page.context.cookies()}
    page.close()
    _, headers, _ = ask(site.url, f"{BASE}/")
    assert headers["X-Frame-Options"] is None
    assert f"frame-ancestors {site.portal};" in headers["Content-Security-Policy"]
