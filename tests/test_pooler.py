"""PostgreSQL behind a real PgBouncer in transaction mode: each transaction may be of another session."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from bench.visit import Visit
from model.queue import jobs, transfer
from model.store import history, tables, versions
from model.store.database import Store, StoreError
from tests.conftest import run_aside, running_server
from tests.pgbouncer import running_pgbouncer
from tests.postgresql import running_postgresql
from tests.stores import add_quick, output_of, python, run, wait_until

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]  # either kind of run has a PostgreSQL; once is enough


@pytest.fixture(scope="module")
def through(postgresql):
    """Return what makes an address of PostgreSQL one that goes through PgBouncer."""
    with running_pgbouncer(postgresql) as through:
        yield through


@pytest.fixture
def pooled(url, through):
    """Return the address of an empty database behind PgBouncer."""
    return through(url)


PROMOTER = """
import sys
from model.store import history
store = history.open_store()
for number in range(20):
    history.promote(store, 1, sys.argv[1], f"for the {number}th time")
    assert history.find_active(store) == (1, 1)
"""


def test_processes_that_write_and_read_in_between_see_what_they_wrote_and_lose_nothing(pooled, monkeypatch):
    store = history.open_store(pooled)
    monkeypatch.setenv("PETROL_STORE_URL", pooled)
    promoters = [python(PROMOTER, name) for name in ("Ann", "Bob")]
    while any(promoter.poll() is None for promoter in promoters):
        with ThreadPoolExecutor(4) as pool:  # several sessions of the server
            assert set(pool.map(lambda _: history.find_active(store), range(20))) == {(1, 1)}
    assert [output_of(promoter) for promoter in promoters] == ["", ""]
    for name in ("Ann", "Bob"):
        kept = [one.reason for one in history.list_promotions(store) if one.by == name]
        assert kept == [f"for the {number}th time" for number in range(20)]
    assert Store(pooled).is_new is False
    store.close()


def test_a_transaction_leaves_nothing_behind_in_a_session_that_others_use_too(pooled, url):
    store = history.open_store(pooled)
    history.list_promotions(store)
    history.promote(store, 1, "Ann", "again")
    names = "lock_timeout", "idle_in_transaction_session_timeout", "tcp_user_timeout", "default_transaction_isolation"
    names += ("default_transaction_read_only",)

    def settings(address):
        with psycopg.connect(address.replace("+psycopg", ""), autocommit=True) as connection:
            return {name: connection.execute(f"SHOW {name}").fetchone() for name in names}

    assert settings(pooled) == settings(url)
    with store.reading() as connection:  # but within one they hold
        limits = [connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names[:2]]
        assert [*limits, connection.exec_driver_sql("SHOW transaction_read_only").scalar()] == ["15s", "1min", "on"]
    store.close()


def test_a_store_that_another_program_holds_is_told_to_be_held_and_who_stands_still_is_let_go(pooled, monkeypatch):
    store, impatient = history.open_store(pooled), Store(pooled)
    monkeypatch.setattr(tables, "_PATIENCE", 1)
    ended = r"terminating connection|cannot be reached"
    with pytest.raises(StoreError, match=ended), store.writing() as connection:  # noqa: PT012 - one transaction
        with pytest.raises(StoreError, match=r"is held by another program .* Try again in a moment"):
            history.promote(impatient, 1, "Ann", "again")
        wait_until(lambda: promoted(impatient), 30, "a promotion")
        connection.exec_driver_sql("SELECT 1")
    assert [one.reason for one in history.list_promotions(store)] == ["Shipped with the app.", "in spite of it"]
    for each in (store, impatient):
        each.close()


def promoted(store):
    with contextlib.suppress(StoreError):
        history.promote(store, 1, "Ann", "in spite of it")
        return True


def test_a_server_that_is_away_behind_it_is_told_and_asked_again(monkeypatch):
    monkeypatch.setattr(tables, "_REACH", 1)
    waits = {"query_wait_timeout": 0, "server_login_retry": 1}  # for ever, and [s]
    with running_postgresql() as server, running_pgbouncer(server, **waits) as through:
        store = history.open_store(through(server.new()))
        assert history.find_active(store) == (1, 1)
        server.stop()
        for _ in range(2):
            with pytest.raises(StoreError, match=r"cannot be reached \(.*\)\. Start its server"):
                history.find_active(store)
        server.start()
        wait_until(lambda: promoted(store), 60, "a promotion")
        assert [one.reason for one in history.list_promotions(store)] == ["Shipped with the app.", "in spite of it"]
        store.close()


@pytest.mark.soak
def test_a_training_a_copy_and_a_backup_go_through_it(pooled, through, postgresql, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("PETROL_STORE_URL", pooled)
    store = history.open_store(pooled)
    number = add_quick(store, rows)
    job = run(store, 1, ["ridge"], by="Ann")
    assert job.state == "done", job.message
    assert [one.id for one in versions.list_versions_of_job(store, job.id)] == [number + 1]
    assert not jobs.list_open_jobs(store)
    copied = transfer.copy_store(pooled, through(postgresql.new()))
    transfer.write_backup(store, tmp_path / "backup.db")
    assert transfer.copy_store(f"sqlite:///{tmp_path}/backup.db", through(postgresql.new())) == copied
    store.close()


@pytest.mark.soak
def test_the_app_answers_promotes_and_trains_through_it(pooled, rows, tmp_path):
    store = history.open_store(pooled)
    number = add_quick(store, rows, "least_squares")

    async def looks(url):
        visit = await Visit.open(url, "models", f"version={number}")
        visit.write("Reason", "has seen it")
        visit.write("Your name", "Ann")
        visit.tick("I have seen that")
        await visit.press(f"Promote version {number}")
        await visit.go("")
        for tax in (8.0, 8.1, 8.2):
            await visit.move({"petrol_tax": tax})
        assert "least squares" in visit.text
        await visit.go("retrain")
        await visit.choose("Algorithm", "Ridge")
        await visit.press("Retrain")
        assert visit.exceptions() == []
        await visit.close()

    with running_server(log=tmp_path / "log", PETROL_STORE_URL=pooled) as url:
        run_aside(looks(url))  # the soak has it beside browser tests
        wait_until(lambda: len(versions.list_versions(store)) == number + 1, what="the training")
    assert [one.by for one in history.list_promotions(store)] == ["the app", "Ann"]
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")
    store.close()
