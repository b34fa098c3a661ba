"""Ended sign-ins in the store: known to every server, also after a restart, without a name, until they expire."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from bench.visit import Visit
from model.store import sign_ins, tables
from model.store.database import Store
from tests.conftest import end, free_port, run_aside, start_server
from tests.stores import change, sql
from tests.test_sign_in import SECRET, SECRETS, cookie

PAGE = ("models", "version=1")
ANN = ("ann's number", "1700000000")


def test_an_ended_sign_in_is_known_to_all_who_open_the_store_and_no_other_is(store):
    assert not sign_ins.has_ended(store, *ANN)
    sign_ins.end_sign_in(store, *ANN, time.time() + 60)
    sign_ins.end_sign_in(store, *ANN, time.time() + 60)  # pressed in two windows
    for each in (store, Store(store.url)):
        assert sign_ins.has_ended(each, *ANN)
        for other in (("bob", ANN[1]), (ANN[0], "1700000001"), (ANN[1], ANN[0]), ("None", "None")):
            assert not sign_ins.has_ended(each, *other)


def test_what_is_kept_of_it_names_nobody(store):
    sign_ins.end_sign_in(store, "ann@example.org", "17", time.time() + 60)
    ((number, sha256, expires),) = sql(store, "SELECT * FROM ended_sign_in")
    assert (number, len(sha256)) == (1, 64)
    assert "ann" not in f"{sha256}{expires}"


@pytest.mark.parametrize("expires", [0, -1e300, float("nan"), float("inf"), 1e18, -1])
def test_whatever_a_provider_writes_as_its_end_the_sign_in_is_remembered_as_long_as_streamlits_cookie(store, expires):
    sign_ins.end_sign_in(store, *ANN, expires)
    assert sign_ins.has_ended(store, *ANN)
    with store.reading() as connection:
        kept = connection.execute(tables.ENDED_SIGN_IN.select()).one().expires_at
    assert kept <= tables.now() + timedelta(days=32)


def test_expired_ones_are_forgotten_when_another_is_written(store):
    for number in range(3):
        sign_ins.end_sign_in(store, f"visitor {number}", "1", time.time() + 60)
    for number in (1, 3):
        change(store, tables.ENDED_SIGN_IN, number, expires_at=tables.now() - timedelta(seconds=1))
    assert sql(store, "SELECT count(*) FROM ended_sign_in") == [(3,)]
    sign_ins.end_sign_in(store, *ANN, time.time() + 60)
    assert sql(store, "SELECT id FROM ended_sign_in ORDER BY id") == [(2,), (4,)]


@pytest.mark.slow
def test_a_copied_cookie_is_refused_by_all_servers_and_after_a_restart_once_its_sign_in_was_ended(
    store, project_of, tmp_path
):
    project, ports = project_of(tmp_path), [free_port() for _ in range(2)]
    urls, now = [f"http://127.0.0.1:{port}" for port in ports], int(time.time())
    secrets = SECRETS.format(app=urls[0], provider="http://127.0.0.1:9", secret=SECRET)
    (project / ".streamlit" / "secrets.toml").write_text(secrets)
    settings = {"cwd": project, "PETROL_STORE_URL": store.url, "PETROL_RETRAIN": "login"}
    settings |= {"PETROL_ALLOWED": "example.org", "log": tmp_path / "log"}

    async def seen(url, name, press=""):
        # A cookie names the site that it is of, which all servers behind one proxy have in common.
        copied = "=".join(cookie([url], SECRET, sub=name, iat=now, email=f"{name}@example.org"))
        visit = await Visit.open(url, *PAGE, cookie=copied)
        if press:
            await visit.press(press)
        await visit.close()
        return visit.text

    with ThreadPoolExecutor(2) as pool:
        servers = list(pool.map(lambda port: start_server(port=port, **settings)[0], ports))
    try:
        for url in urls:
            assert "Signed in as ann" in run_aside(seen(url, "ann"))
        run_aside(seen(urls[0], "ann", press="Sign out"))
        end(servers[0])
        servers[0], _ = start_server(port=ports[0], **settings)
        for url in urls:
            text = run_aside(seen(url, "ann"))
            assert "Your sign-in has expired. Sign in again." in text
            assert "Signed in as" not in text
            assert "Signed in as bob" in run_aside(seen(url, "bob"))
    finally:
        for server in servers:
            end(server)
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
