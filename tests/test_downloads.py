"""Downloads from replicas whose balancer sends each request to the next one: each comes, or says why it does not."""

import http.client
import re
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urljoin, urlsplit

import pytest

from tests.conftest import end, free_port, start_server
from tests.nginx import running_nginx
from tests.retrain_page import Visitor

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def in_turn(text):
    """Change the shipped configuration into one that knows no visitors."""
    changed = text.replace("http://$replicas", "http://app").replace("    least_conn;\n", "")
    assert changed.count("http://app;") == 1
    return changed


@pytest.fixture
def site(store, tmp_path):
    """Start two replicas with one store behind a balancer without affinity; yield its address."""
    ports, servers = {8501: free_port(), 8502: free_port()}, []
    try:
        with ThreadPoolExecutor(2) as pool:
            log = tmp_path / "log"
            shared = {"STREAMLIT_SERVER_COOKIE_SECRET": "c" * 64}
            servers += pool.map(lambda port: start_server(port=port, log=log, **shared)[0], ports.values())
        with running_nginx(tmp_path, "nginx.scale.conf", ports, edit=in_turn) as url:
            yield url
    finally:
        for server in servers:
            end(server)


def downloaded(page, name):
    """Press a button and return the name and the bytes of the file that comes."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=name, exact=True).click()
    assert coming.value.failure() is None
    return coming.value.suggested_filename, coming.value.path().read_bytes()


def test_whichever_replica_is_asked_each_download_comes_every_time(site, open_page):
    visitor = Visitor(open_page, site).goes_to("/models")
    for _ in range(3):
        name, card = downloaded(visitor.page, "Model card")
        assert name == "model_card_1.md"
        assert card.startswith(b"# Version 1")
        name, packed = downloaded(visitor.page, "Model with its record and rows")
        assert (name, packed[:2]) == ("petrol_model_1.zip", b"PK")
    visitor.page.get_by_role("link", name="Score a file").click()
    visitor.sees("It needs the columns")
    for _ in range(2):
        assert downloaded(visitor.page, "Download a template")[0] == "template.csv"


def test_a_download_that_nobody_has_is_a_file_that_says_so_after_a_dozen_tries(server):
    address, seen = f"{server}/media/none.csv", []
    while len(seen) < 20:
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        connection.request("GET", address[len(server) :])
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        seen.append(answer.status)
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"  # the guard is around it, too
        if answer.status != 307:
            break
        address = urljoin(address, answer.headers["Location"])
    assert seen == [307] * 11 + [200]
    assert answer.headers["Content-Disposition"] == 'attachment; filename="download failed.txt"'
    assert "its balancer must keep each visitor at one replica" in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("tried", ["x", "-1", "999", "12", "%00"])
def test_who_writes_the_number_of_tries_themselves_gets_no_further(server, tried):
    connection = http.client.HTTPConnection(urlsplit(server).netloc)
    connection.request("GET", f"/media/none.csv?try={tried}")
    answer = connection.getresponse()
    assert (answer.status, answer.headers.get("Location")) == (200, None)
    assert b"This is not the file" in answer.read()
    connection.close()
