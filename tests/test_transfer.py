"""The way from one database to another and back: all of a store, or nothing."""

import re
import shutil
import subprocess
import sys
import time
from functools import partial

import pytest

from model.answering.prediction import predict_rows
from model.queue import jobs, transfer
from model.store import history, sign_ins, tables, versions
from model.store.database import Store, StoreError
from tests.conftest import ROOT
from tests.stores import add_quick, python, sql

pytestmark = [pytest.mark.sqlite, pytest.mark.slow]  # either kind of run has both; once is enough


@pytest.fixture
def file(template, tmp_path, rows):
    """Return the address of a file of SQLite with some history, and gaps in its numbers."""
    shutil.copy(template, tmp_path / "store.db")
    store = history.open_store(f"sqlite:///{tmp_path}/store.db")
    kept, removed = add_quick(store, rows), add_quick(store, rows.iloc[2:].reset_index(drop=True), seed=1)
    history.promote(store, kept, "Zoë", "better on 'these' rows\\ %")
    jobs.cancel(store, jobs.submit(store, "v1", 1, ["ridge"]))
    jobs.submit(store, "v2", 1, ["ridge"], by="名前")
    history.remove_data_set(store, versions.read_version(store, removed).data_set.id)
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
    there = transfer.copy_store(file, url)
    assert transfer.copy_store(url, back) == there
    assert everything(file) == everything(url) == everything(back)
    n_rows = {
        "data_set": 1,
        "ended_sign_in": 0,
        "evaluation": 2,
        "model_version": 2,
        "promotion": 2,
        "refits": 1,
        "job": 2,
    }
    assert {one.table: one.n_rows for one in there} == n_rows
    for address in (file, url, back):
        store = history.open_store(address)
        active, notice, _ = history.load_active_model(store, partial(versions.load_version, store))
        assert (active.version, active.notice, notice) == (2, "", "")
        assert (predict_rows(versions.load_version(store, 1), model.X) == predict_rows(model, model.X)).all()
        assert add_quick(store, rows.iloc[3:].reset_index(drop=True)) == 4  # 3 was removed, and is not given again
        assert versions.list_data_sets(store)[-1].id == 3
        assert jobs.submit(store, "v3", 1, ["mean"]) == 3
        history.promote(store, 1, "Ann", "back")
        assert history.list_promotions(store)[-1].id == 3
        sign_ins.end_sign_in(store, "ann", "2026-01-01", time.time() + 60)
        with store.reading() as connection:  # in a table in which nothing ever was
            assert connection.execute(tables.ENDED_SIGN_IN.select()).one().id == 1


def test_the_command_says_what_was_copied(file, url):
    command = [sys.executable, "-m", "model", "store", "copy", file, url]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    expected = [
        f"{one.table} {one.n_rows} rows SHA-256 {one.sha256}" for one in transfer.copy_store(url, f"{file}.again")
    ]
    assert [" ".join(line.split()) for line in done.stdout.splitlines()[:-1]] == expected
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert re.search(
        r"error: The store \S+:\*\*\*@\S+ is not empty\. Name a new one; nothing was copied\.", again.stderr
    )


def test_nothing_is_copied_from_nowhere_or_while_a_training_is_under_way(file, url, tmp_path, postgresql):
    with pytest.raises(StoreError, match=r"There is no store .*nowhere\.db\. Check its name\."):
        transfer.copy_store(f"sqlite:///{tmp_path}/nowhere.db", url)
    assert not (tmp_path / "nowhere.db").exists()
    with pytest.raises(StoreError, match=r"There is no store in postgresql.*Check its name\."):
        transfer.copy_store(url, f"sqlite:///{tmp_path}/new.db")
    assert sql(Store(file), "SELECT count(*) FROM job WHERE state = 'waiting'") == [(1,)]
    worker = python("import sys; sys.stdin.read()", stdin=subprocess.PIPE)
    busy = Store(file)
    with busy.writing() as connection:
        beating = {"state": "running", "worker": f"{jobs.socket.gethostname()}:{worker.pid}", "heartbeat": tables.now()}
        connection.execute(tables.JOB.update().where(tables.JOB.c.id == 2).values(beating))
    with pytest.raises(StoreError, match="has a training under way"):
        transfer.copy_store(file, url)
    worker.communicate("")
    assert {one.table: one.n_rows for one in transfer.copy_store(file, url)}["job"] == 2
    assert jobs.find_job(Store(url), 2).state == "failed"  # its worker is gone


def test_what_arrives_changed_is_not_kept(file, url):
    Store(url)
    sql(
        Store(url),
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.message = 'x'; RETURN NEW; END $$",
    )
    sql(Store(url), "CREATE TRIGGER spoil BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION spoil()")
    with pytest.raises(StoreError, match=r"What arrived in .* is not what was sent"):
        transfer.copy_store(file, url)
    assert set(map(str, everything(url).values())) == {"[]"}


def test_what_is_wrong_with_the_source_is_said_of_the_source(file, url):
    sql(Store(file), "UPDATE model_version SET record = '{' WHERE id = 2")
    with pytest.raises(StoreError, match=r"The store .*store\.db cannot be read"):
        transfer.copy_store(file, url)
    assert everything(url)["model_version"] == []


def test_the_address_in_the_environment_need_not_be_said_aloud(file, url, monkeypatch):
    monkeypatch.setenv("PETROL_STORE_URL", url)
    command = [sys.executable, "-m", "model", "store", "copy", file, "-"]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    assert everything(url) == everything(file)
