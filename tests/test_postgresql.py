"""PostgreSQL as the store: what can go wrong with a server and its address, and what is said then."""

import asyncio
import contextlib
import re
import socket
import subprocess
import time
from datetime import timedelta

import pytest
from sqlalchemy import exc, text

from bench.visit import Visit
from model.queue import dispatcher, jobs
from model.store import history, tables
from model.store.database import Store, StoreError
from tests.conftest import running_server
from tests.postgresql import PASSWORD, running_postgresql
from tests.stores import add_quick, dispatch, python, sql, wait_until

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]  # either kind of run has both; once is enough


@pytest.fixture
def store(url):
    return history.open_store(url)


def test_not_even_the_whole_record_of_promotions_can_be_emptied(store):
    with pytest.raises(exc.IntegrityError, match="promotions are only ever added"):
        sql(store, "TRUNCATE promotion")
    assert len(history.list_promotions(store)) == 1


def test_a_database_of_another_program_is_left_alone(url):
    sql(Store(url), "UPDATE schema_version SET version = 8")
    with pytest.raises(StoreError, match="has schema version 8; this program knows schema version 7"):
        history.open_store(url)


def test_tables_of_another_program_are_left_alone(url, postgresql):
    name = url.rpartition("/")[2]
    postgresql.ask("CREATE TABLE songs (title text)", name)
    with pytest.raises(StoreError, match=r"has tables of something else.*name another store in PETROL_STORE_URL"):
        history.open_store(url)
    assert postgresql.ask("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", name) == [("songs",)]


def test_a_store_that_another_program_holds_is_told_to_be_held(url, store, monkeypatch, postgresql):
    monkeypatch.setattr(tables, "_PATIENCE", 1)
    impatient = Store(url)
    with store.writing(), pytest.raises(StoreError, match=r"is held by another program .* Try again in a moment"):
        history.promote(impatient, 1, "Ann", "again")
    history.promote(impatient, 1, "Ann", "again")
    assert [one.reason for one in history.list_promotions(store)] == ["Shipped with the app.", "again"]


def test_a_server_that_cannot_be_reached_or_refuses_is_told_without_the_password(url, postgresql):
    quoted = url.split(":")[2].split("@")[0]
    wrong = {
        url.replace(f":{postgresql.port}/", ":1/"): "Connection refused",
        url.replace(quoted, "no"): "password authentication failed",
        f"{url}-not": 'database ".*-not" does not exist',
        url.replace("127.0.0.1", "nowhere.invalid"): "resolve host",
    }
    for address, reason in wrong.items():
        with pytest.raises(StoreError, match=f"cannot be reached .*{reason}") as failure:
            history.open_store(address)
        message = str(failure.value)
        assert message.endswith("Start its server, or correct PETROL_STORE_URL.")
        assert failure.value.may_hide_promotions
        assert ":***@" in message
        assert quoted not in message
        assert PASSWORD not in message


def test_who_may_not_write_is_told(url, store, postgresql):
    name = url.rpartition("/")[2]
    postgresql.ask("CREATE USER reader PASSWORD 'r'")
    postgresql.ask("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    reader = url.replace(url[: url.index("@")], "postgresql+psycopg://reader:r")
    opened = history.open_store(reader)
    assert history.find_active(opened) == (1, 1)
    with pytest.raises(StoreError, match=r"cannot be written \(permission denied for table promotion\)"):
        history.promote(opened, 1, "Ann", "again")
    empty = postgresql.new()
    with pytest.raises(StoreError, match=r"cannot be written \(permission denied for schema public\)"):
        history.open_store(reader.replace(name, empty.rpartition("/")[2]))
    opened._engine.dispose()
    postgresql.drop(empty)


SECRET = "s3cr3t"  # noqa: S105 - of nobody


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://me:s3@s3cr3t@127.0.0.1:1/db",
        "postgresql+psycopg://me@127.0.0.1:1/db?password=s3cr3t",
        "postgresql+psycopg://me@127.0.0.1:1/db?sslpassword=s3cr3t&sslmode=disable",
        "host=127.0.0.1 user=me password=s3cr3t",
        "me:s3cr3t@h/d",
        "postgresql:/me:s3cr3t@h/d",
        "postgres://me@corp:s3cr3t@h/d",
        "postgresql+psycopg://me:s3cr3t",
        "postgresql+psycopg://me:s3cr3t@h:x/d",
        f"postgresql+psycopg://me:{'s3cr3t' * 50}@127.0.0.1:1/d",
        "postgresql://me:s3cr3t@h/d",
        "mysql://me:s3cr3t@h/d",
    ],
)
def test_a_password_is_never_repeated_however_the_address_is_written(url):
    with pytest.raises(StoreError, match="PETROL_STORE_URL") as failure:
        Store(url)
    assert SECRET not in str(failure.value)


def test_another_driver_is_refused_with_those_that_are_known():
    reason = r"postgresql://\.\.\. cannot be used \(postgresql is not one of sqlite, postgresql\+psycopg\)"
    with pytest.raises(StoreError, match=reason):
        Store("postgresql://me@host/db")


def test_a_database_that_cannot_hold_all_names_is_refused_with_the_cure(postgresql):
    postgresql.ask("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    postgresql.ask("CREATE DATABASE plain ENCODING 'SQL_ASCII' LOCALE 'C' TEMPLATE template0")
    for name, encoding in (("latin", "LATIN1"), ("plain", "SQL_ASCII")):
        with pytest.raises(StoreError, match=f"keeps text as {encoding}.*ENCODING 'UTF8' TEMPLATE template0"):
            history.open_store(postgresql.url(name))


def test_a_server_that_was_started_anew_is_asked_again_without_a_word():
    with running_postgresql() as server:
        store = history.open_store(server.new())
        history.promote(store, 1, "Ann", "before")
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            history.find_active(store)
        server.start()
        assert [one.reason for one in history.list_promotions(store)] == ["Shipped with the app.", "before"]
        server.stop()
        server.start()  # nobody has asked meanwhile
        history.promote(store, 1, "Ann", "after")
        assert history.list_promotions(store)[-1].reason == "after"
        store._engine.dispose()


def test_a_worker_that_could_not_beat_while_the_server_was_away_is_not_given_up(monkeypatch):
    monkeypatch.setattr(dispatcher, "STALE", timedelta(seconds=0.5))
    with running_postgresql() as server:
        store = history.open_store(server.new())
        number = jobs.submit(store, "v1", 1, ["ridge"])
        beating = jobs.claim_job(store, number)
        server.stop()
        started = time.monotonic()
        wait_until(lambda: time.monotonic() - started > 1, what="a second away")
        server.start()
        assert dispatch(store) is None
        assert jobs.send_heartbeat(store, number, beating)
        assert jobs.find_job(store, number).state == "running"
        store._engine.dispose()


def test_who_stands_still_in_the_middle_of_writing_does_not_hold_the_others_for_ever(url, monkeypatch):
    monkeypatch.setattr(tables, "_PATIENCE", 1)  # [s]; a quarter of what one that stands still is given
    history.open_store(url)
    still, other = Store(url), Store(url)
    with pytest.raises(StoreError, match=r"terminating connection|cannot be reached"), still.writing() as connection:  # noqa: PT012
        wait_until(lambda: promoted(other), 30, "a promotion")
        connection.execute(text("SELECT 1"))


def promoted(store):
    with contextlib.suppress(StoreError):
        history.promote(store, 1, "Ann", "in spite of it")
        return True


def test_the_driver_is_asked_for_where_it_is_missing():
    code = "import sys; sys.modules['psycopg'] = None; from model.store.database import Store; Store('postgresql+psycopg://h/d')"
    process = python(code, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=60)
    assert re.search(
        r"StoreError: PETROL_STORE_URL: .*psycopg.*: python -m pip install -r requirements-scale\.txt", err
    )


def test_with_sqlite_the_driver_is_not_even_imported(tmp_path):
    code = (
        "import sys; from model.store import history; history.open_store(sys.argv[1]); print('psycopg' in sys.modules)"
    )
    out, _ = python(code, f"sqlite:///{tmp_path}/store.db").communicate(timeout=60)
    assert out == "False\n"


def test_a_server_that_never_answers_is_not_waited_for_at_every_move(tmp_path):
    with socket.socket() as silent, running(silent, tmp_path) as url:
        asyncio.run(moves_with_the_shipped_model(url))
        silent.settimeout(1)
        knocks = [silent.accept()[0]]
        with pytest.raises(TimeoutError):
            silent.accept()
        knocks[0].close()
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


def test_while_the_server_is_away_the_version_answers_that_did_before(tmp_path, rows):
    with running_postgresql() as server:
        url = server.new()
        store = history.open_store(url)
        history.promote(store, add_quick(store, rows, "least_squares"), "Ann", "straight")
        store._engine.dispose()
        with running_server(log=tmp_path / "log", PETROL_STORE_URL=url) as app:
            asyncio.run(loses_the_server_for_a_while(app, server))
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


async def loses_the_server_for_a_while(app, server):
    visit = await Visit.open(app)
    assert "least squares" in visit.text
    server.stop()
    await visit.go("")
    assert "least squares" in visit.text
    assert "cannot be reached" in visit.text
    assert "Until then the version answers that did before." in visit.text
    await visit.move({"petrol_tax": 8.0})
    await visit.go("retrain")
    assert visit.exceptions() == []
    server.start()
    while "cannot be reached" in visit.text:
        await visit.go("")
    assert "least squares" in visit.text
    await visit.close()


def running(silent, folder):
    silent.bind(("127.0.0.1", 0))
    silent.listen()
    where = f"postgresql+psycopg://me@127.0.0.1:{silent.getsockname()[1]}/db"
    return running_server(log=folder / "log", PETROL_STORE_URL=where)


async def moves_with_the_shipped_model(url):
    visit = await Visit.open(url)
    for tax in (8.0, 8.1, 8.2):
        await visit.move({"petrol_tax": tax})
    assert "cannot be reached" in visit.text
    assert "Until then the shipped model answers." in visit.text
    await visit.close()
