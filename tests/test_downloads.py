"""Downloads that none of several replicas has say why they do not come; test_replicas.py has those that come."""

import http.client
import re
from urllib.parse import urljoin, urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
