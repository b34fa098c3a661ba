"""Behind a real nginx, below a path of its site: pages, the websocket, uploads and the JSON interface."""

import contextlib
import json
import os
import re
import subprocess
import urllib.error
import urllib.request as web

import pytest
from playwright.sync_api import expect

from model.predict import predict
from tests import programs
from tests.conftest import ROOT, free_port, running_server
from tests.retrain_page import Visitor
from tests.stores import wait_until
from tests.what_if_page import DEFAULTS, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]
BASE = "/petrol"


@contextlib.contextmanager
def running_nginx(folder, to_port):
    """Start nginx with the configuration that is shipped, but for its ports; yield its address."""
    port = free_port()
    text = (ROOT / "docs" / "nginx.conf").read_text(encoding="utf-8")
    text = re.sub(r"listen 8080;", f"listen 127.0.0.1:{port};", text).replace("127.0.0.1:8501", f"127.0.0.1:{to_port}")
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root; " if os.geteuid() == 0 else ""  # its workers write into a folder of ours
    whole = folder / "nginx.conf"
    whole.write_text(f"{user}pid {folder}/pid; daemon off; events {{}} http {{ access_log off; {paths}\n{text}}}")
    command = [programs.required(programs.nginx(), "nginx"), "-e", folder / "error.log", "-c", whole, "-p", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}{BASE}"
    try:
        wait_until(lambda: answers(f"{url}/_stcore/health"), 20, "nginx")
        yield url
        assert process.poll() is None, (folder / "error.log").read_text()
    finally:
        process.terminate()
        process.wait(10)


def answers(url):
    with contextlib.suppress(urllib.error.URLError), web.urlopen(url, timeout=5) as reply:
        return reply.status == 200


@pytest.fixture
def proxied(store_url, tmp_path):
    port = free_port()
    more = {"port": port, "base": BASE, "STREAMLIT_SERVER_BASE_URL_PATH": BASE.strip("/")}
    with running_server(log=tmp_path / "log", **more), running_nginx(tmp_path, port) as url:
        assert answers(f"http://127.0.0.1:{port}/api/ready")  # as the container's health check asks
        yield url
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
    page.context.close()

    for address in ("/explore?view=Columns", "/retrain", "/models"):
        Visitor(open_page, proxied).goes_to(address).page.context.close()

    with web.urlopen(f"{proxied}?petrol_tax=9") as reply:
        assert reply.url == f"{proxied}/?petrol_tax=9"
    request = web.Request(f"{proxied}/api/predict", json.dumps(DEFAULTS).encode(), {"Content-Type": "application/json"})
    with web.urlopen(request) as reply:
        assert json.load(reply)["value"] == predict(model, DEFAULTS).value
    with web.urlopen(f"{proxied}/api/openapi.json") as reply:
        assert json.load(reply)["servers"] == [{"url": BASE}]
