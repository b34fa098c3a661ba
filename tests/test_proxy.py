"""Behind a real nginx, below a path of its site: pages, the websocket, uploads and the JSON interface."""

import json
import re
import urllib.request as web

import pytest
from playwright.sync_api import expect

from model.predict import predict
from tests.conftest import free_port, running_server
from tests.nginx import answers, running_nginx
from tests.retrain_page import Visitor
from tests.what_if_page import DEFAULTS, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BASE = "/petrol"


@pytest.fixture
def proxied(store_url, tmp_path):
    port = free_port()
    more = {"port": port, "base": BASE, "STREAMLIT_SERVER_BASE_URL_PATH": BASE.strip("/")}
    with running_server(log=tmp_path / "log", **more), running_nginx(tmp_path, "nginx.conf", {8501: port}) as url:
        assert answers(f"http://127.0.0.1:{port}/api/ready")  # as the container's health check asks
        yield f"{url}{BASE}"
    assert "Refused" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_all_of_the_app_works_behind_nginx_below_a_path(proxied, open_page, model):
    visitor = Visitor(open_page, proxied).goes_to("/")
    page = visitor.page
    expect(visitor.number).to_have_text(f"{predict(model, DEFAULTS).value:.0f}")
    slider(page, "petrol_tax").press("ArrowRight")
    moved = DEFAULTS | {"petrol_tax": DEFAULTS["petrol_tax"] + 0.1}
    expect(page).to_have_url(re.compile(rf"{BASE}/\?petrol_tax=7\.\d+"))
    expect(visitor.number).to_have_text(f"{predict(model, moved).value:.0f}")

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
        page = Visitor(open_page, proxied).goes_to(address).page
        if address in drawn:
            expect(page.locator(f".st-key-app-{drawn[address]} .main-svg").first).to_be_visible()
        page.close()

    with web.urlopen(f"{proxied}?petrol_tax=9") as reply:
        assert reply.url == f"{proxied}/?petrol_tax=9"
    request = web.Request(f"{proxied}/api/predict", json.dumps(DEFAULTS).encode(), {"Content-Type": "application/json"})
    with web.urlopen(request) as reply:
        assert json.load(reply)["value"] == predict(model, DEFAULTS).value
    with web.urlopen(f"{proxied}/api/openapi.json") as reply:
        assert json.load(reply)["servers"] == [{"url": BASE}]
