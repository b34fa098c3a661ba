"""PostgreSQL as the store: what can go wrong with a server, and the way to it from SQLite and back."""

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import sys
from functools import partial

import pytest
from sqlalchemy import exc, text

from bench.visit import Visit
from model import history, jobs, tables, transfer, versions
from model.predict import predict_rows
from model.store import Store, StoreError
from tests.conftest import ROOT, running_server
from tests.postgresql import PASSWORD, running_postgresql
from tests.stores import add_quick, python, sql, wait_until

pytestmark = pytest.mark.sqlite  # either kind of run has both; once is enough


@pytest.fixture
def url(postgresql):
    made = postgresql.new()
    yield made
    postgresql.drop(made)


@pytest.fixture
def store(url):
    return history.open_store(url)


@pytest.fixture
def file(template, tmp_path, rows):
    """Return the address of a file of SQLite with some history, and gaps in its numbers."""
    shutil.copy(template, tmp_path / "store.db")
    store = history.open_store(f"sqlite:///{tmp_path}/store.db")
    kept, removed = add_quick(store, rows), add_quick(store, rows.iloc[2:].reset_index(drop=True), seed=1)
    history.promote(store, kept, "Zoë", "better on 'these' rows\\ %")
    jobs.cancel(store, jobs.submit(store, "v1", 1, ["ridge"]))
    jobs.submit(store, "v2", 1, ["ridge"], by="名前")
    history.remove_data_set(store, versions.version(store, removed).data_set.id)
    return store.url


def everything(url):
    """All that a store holds, table by table, as the program reads it."""
    store = Store(url)
    with store.reading() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(table.select().order_by(table.c.id)).mappings()]
            for table in tables.METADATA.sorted_tables
            if "id" in table.c
        }


def test_a_store_moves_to_postgresql_and_back_with_all_that_it_holds(file, url, tmp_path, rows, model):
    back = f"sqlite:///{tmp_path}/back.db"
    there = transfer.copy(file, url)
    assert transfer.copy(url, back) == there
    assert everything(file) == everything(url) == everything(back)
    assert {one.table: one.n_rows for one in there} == {"data_set": 1, "model_version": 2, "promotion": 2, "job": 2}
    for address in (file, url, back):
        store = history.open_store(address)
        active, notice = history.active_model(store, partial(versions.load, store))
        assert (active.version, active.notice, notice) == (2, "", "")
        assert (predict_rows(versions.load(store, 1), model.X) == predict_rows(model, model.X)).all()
        assert add_quick(store, rows.iloc[3:].reset_index(drop=True)) == 4  # 3 was removed, and is not given again
        assert versions.data_sets(store)[-1].id == 3
        assert jobs.submit(store, "v3", 1, ["mean"]) == 3
        history.promote(store, 1, "Ann", "back")
        assert history.promotions(store)[-1].id == 3


def test_the_command_says_what_was_copied(file, url):
    command = [sys.executable, "-m", "model", "store", "copy", file, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    expected = [f"{one.table} {one.n_rows} rows SHA-256 {one.sha256}" for one in transfer.copy(url, f"{file}.again")]
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[:-1]] == expected
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert re.search(
        r"error: The store \S+:\*\*\*@\S+ is not empty\. Name a new one; nothing was copied\.", again.stderr
    )


def test_nothing_is_copied_from_nowhere_or_while_a_training_is_under_way(file, url, tmp_path, postgresql):
    with pytest.raises(StoreError, match=r"There is no store .*nowhere\.db\. Check its name\."):
        transfer.copy(f"sqlite:///{tmp_path}/nowhere.db", url)
    assert not (tmp_path / "nowhere.db").exists()
    with pytest.raises(StoreError, match=r"There is no store in postgresql.*Check its name\."):
        transfer.copy(url, f"sqlite:///{tmp_path}/new.db")
    assert sql(Store(file), "SELECT count(*) FROM job WHERE state = 'waiting'") == [(1,)]
    worker = python("import sys; sys.stdin.read()", stdin=subprocess.PIPE)
    busy = Store(file)
    with busy.writing() as connection:
        beating = {"state": "running", "worker": f"{jobs.socket.gethostname()}:{worker.pid}", "heartbeat": tables.now()}
        connection.execute(tables.JOB.update().where(tables.JOB.c.id == 2).values(beating))
    with pytest.raises(StoreError, match="has a training under way"):
        transfer.copy(file, url)
    worker.communicate("")
    assert {one.table: one.n_rows for one in transfer.copy(file, url)}["job"] == 2
    assert jobs.job(Store(url), 2).state == "failed"  # its worker is gone


def test_what_arrives_changed_is_not_kept(file, url):
    Store(url)
    sql(
        Store(url),
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.message = 'x'; RETURN NEW; END $$",
    )
    sql(Store(url), "CREATE TRIGGER spoil BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION spoil()")
    with pytest.raises(StoreError, match=r"What arrived in .* is not what was sent"):
        transfer.copy(file, url)
    assert everything(url) == {"data_set": [], "model_version": [], "promotion": [], "job": []}


def test_not_even_the_whole_record_of_promotions_can_be_emptied(store):
    with pytest.raises(exc.IntegrityError, match="promotions are only ever added"):
        sql(store, "TRUNCATE promotion")
    assert len(history.promotions(store)) == 1


def test_a_database_of_another_program_is_left_alone(url):
    sql(Store(url), "UPDATE schema_version SET version = 7")
    with pytest.raises(StoreError, match="has schema version 7; this program knows schema version 1"):
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
    assert [one.reason for one in history.promotions(store)] == ["Shipped with the app.", "again"]


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
        assert failure.value.hides
        assert ":***@" in message
        assert quoted not in message
        assert PASSWORD not in message


def test_who_may_not_write_is_told(url, store, postgresql):
    name = url.rpartition("/")[2]
    postgresql.ask("CREATE USER reader PASSWORD 'r'")
    postgresql.ask("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", name)
    reader = url.replace(url[: url.index("@")], "postgresql+psycopg://reader:r")
    opened = history.open_store(reader)
    assert history.active(opened) == (1, 1)
    with pytest.raises(StoreError, match=r"cannot be written \(permission denied for table promotion\)"):
        history.promote(opened, 1, "Ann", "again")
    empty = postgresql.new()
    with pytest.raises(StoreError, match=r"cannot be written \(permission denied for schema public\)"):
        history.open_store(reader.replace(name, empty.rpartition("/")[2]))
    opened._engine.dispose()
    postgresql.drop(empty)


@pytest.mark.slow
def test_a_server_that_was_started_anew_is_asked_again_without_a_word():
    with running_postgresql() as server:
        store = history.open_store(server.new())
        history.promote(store, 1, "Ann", "before")
        server.stop()
        with pytest.raises(StoreError, match="cannot be reached"):
            history.active(store)
        server.start()
        assert [one.reason for one in history.promotions(store)] == ["Shipped with the app.", "before"]
        server.stop()
        server.start()  # nobody has asked meanwhile
        history.promote(store, 1, "Ann", "after")
        assert history.promotions(store)[-1].reason == "after"
        store._engine.dispose()


@pytest.mark.slow
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
    code = "import sys; sys.modules['psycopg'] = None; from model.store import Store; Store('postgresql+psycopg://h/d')"
    process = python(code, stderr=subprocess.PIPE)
    _, err = process.communicate(timeout=60)
    assert re.search(
        r"StoreError: PETROL_STORE_URL: .*psycopg.*: python -m pip install -r requirements-scale\.txt", err
    )


def test_with_sqlite_the_driver_is_not_even_imported(tmp_path):
    code = "import sys; from model import history; history.open_store(sys.argv[1]); print('psycopg' in sys.modules)"
    out, _ = python(code, f"sqlite:///{tmp_path}/store.db").communicate(timeout=60)
    assert out == "False\n"


@pytest.mark.slow
def test_a_server_that_never_answers_is_not_waited_for_at_every_move(tmp_path):
    with socket.socket() as silent, running(silent, tmp_path) as url:
        asyncio.run(moves_with_the_shipped_model(url))
        silent.settimeout(1)
        knocks = [silent.accept()[0]]
        with pytest.raises(TimeoutError):
            silent.accept()
        knocks[0].close()
    assert "Traceback" not in (tmp_path / "log").read_text(encoding="utf-8")


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
