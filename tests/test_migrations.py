"""A store of an older release: brought up when it is opened, with all that it held and every figure as it was."""

import contextlib
import io
import json
import shutil
import sqlite3
import sys
from functools import partial

import numpy as np
import pytest
from sqlalchemy import func, inspect, select, text

from model.fitting.errors import DamagedError
from model.judging import evidence
from model.queue import jobs, transfer
from model.store import history, tables, versions
from model.store.database import Store, StoreError
from tests.conftest import ROOT
from tests.stores import output_of, python, sql

OLD = ROOT / "tests" / "stores_of" / "0.1.0.db"  # see `write_0_1_0.py` beside it for what it holds
SOUND, DAMAGED, BRANDED = range(1, 9), 9, 8


def asked(statement, *values):
    """Ask the old file itself."""
    with contextlib.closing(sqlite3.connect(f"file:{OLD}?mode=ro&immutable=1", uri=True)) as connection:
        return connection.execute(statement, values).fetchall()


def fill_postgresql(url):
    """Make the tables as the old release did, and put the same rows there."""
    engine = tables.engine_of(url).execution_options(writes=True)
    with engine.begin() as connection:
        connection.exec_driver_sql(OLD.with_suffix(".sql").read_text())
        known = inspect(connection)
        for table in tables.METADATA.sorted_tables:
            if not known.has_table(table.name):
                continue
            names = [column["name"] for column in known.get_columns(table.name)]
            for values in asked(f"SELECT {', '.join(names)} FROM {table.name} ORDER BY 1"):  # noqa: S608
                places = ", ".join(f":{name}" for name in names)
                put = text(f"INSERT INTO {table.name} VALUES ({places})")  # noqa: S608
                connection.execute(put, dict(zip(names, values, strict=True)))
            if table is not tables.SCHEMA:
                transfer._continue_numbers(connection, table.name, asked(f"SELECT max(id) FROM {table.name}")[0][0])  # noqa: S608
    engine.dispose()


@pytest.fixture
def old_url(store_url, databases, tmp_path):
    """Return the address of a store as release 0.1.0 left it."""
    if databases:
        fill_postgresql(store_url)
    else:
        shutil.copy(OLD, tmp_path / "store.db")
    return store_url


@pytest.fixture
def migrated(old_url):
    return Store(old_url)


def old_arrays(number):
    """What the old release kept of a version row by row."""
    return dict(np.load(io.BytesIO(asked("SELECT arrays FROM model_version WHERE id = ?", number)[0][0])))


def described(store):
    """Tables, columns, keys and indexes."""
    found = inspect(store._engine)
    return {
        name: (
            {column["name"]: (str(column["type"]), column["nullable"]) for column in found.get_columns(name)},
            sorted((key["constrained_columns"], key["referred_table"]) for key in found.get_foreign_keys(name)),
            sorted((index["column_names"], bool(index["unique"])) for index in found.get_indexes(name)),
            sorted(unique["column_names"] for unique in found.get_unique_constraints(name)),
        )
        for name in found.get_table_names()
    }


def test_a_store_that_was_brought_up_has_the_tables_of_a_new_one(migrated, tmp_path, request, databases):
    new = Store(databases.new() if databases else f"sqlite:///{tmp_path}/new.db")
    assert described(migrated) == described(new)
    both = [sql(store, "SELECT * FROM schema_version") for store in (migrated, new)]
    assert both[0] == both[1] == [(tables.SCHEMA_VERSION, both[0][0][1])]
    new._engine.dispose()


def test_nothing_that_the_old_store_held_is_lost_or_changed(migrated):
    for name in ("data_set", "model_version", "promotion", "job"):
        columns = [row[1] for row in asked(f"PRAGMA table_info({name})")]
        moved = {"arrays", "record_sha256", "broken"} if name == "model_version" else set()
        same = ", ".join(column for column in columns if column not in moved)
        kept = sql(migrated, f"SELECT {same} FROM {name} ORDER BY id")  # noqa: S608
        before = asked(f"SELECT {same} FROM {name} ORDER BY id")  # noqa: S608
        assert [[plain(value) for value in row] for row in kept] == [[plain(value) for value in row] for row in before]
    history.promote(migrated, 1, "Ann", "back")
    assert history.list_promotions(migrated)[-1].id == 6
    with pytest.raises(Exception, match="promotions are only ever added"):
        sql(migrated, "DELETE FROM promotion")


def plain(value):
    """A value as it is whichever driver read it: PostgreSQL's knows JSON and times, SQLite's does not."""
    if isinstance(value, str) and value.startswith(("[", "{")):
        return json.loads(value)
    return f"{value:%Y-%m-%d %H:%M:%S.%f}" if hasattr(value, "strftime") else value


@pytest.mark.parametrize("number", SOUND)
def test_each_version_keeps_its_predictions_and_importance_to_the_last_bit(migrated, number):
    known, before = versions.read_kept(migrated, number), old_arrays(number)
    np.testing.assert_array_equal(known.predictions, before["predictions/model"])
    for kind, by_input in known.importance.items():
        for name, values in by_input.items():
            np.testing.assert_array_equal(values, before[f"importance/{kind}/{name}"])
    kept = json.loads(asked("SELECT record FROM model_version WHERE id = ?", number)[0][0])
    kept.pop("model_sha256", None)  # of the shipped file, not of what was kept of it
    record = json.loads(json.dumps(known.metadata.to_record()))
    assert {name: record[name] for name in kept} == kept


@pytest.mark.slow
@pytest.mark.postgresql
def test_the_evidence_on_each_version_is_what_it_was_to_the_last_bit(migrated):
    load = partial(versions.load_version, migrated)
    models = {number: load(number) for number in SOUND}
    rivals = dict(asked("SELECT id, rival_id FROM model_version"))
    n_held_against = 0
    for number in SOUND:
        before = old_arrays(number)
        for other in SOUND:
            found = evidence.gather_evidence(migrated, models[number], models[other])
            np.testing.assert_array_equal(found.own, before["predictions/model"])
            recipe_of = {n: versions.read_version(migrated, n).recipe for n in (other, rivals[number]) if n}
            judged, against = models[number].metadata, models[other].metadata
            if (judged.data, judged.folds) == (against.data, against.folds):
                rival = old_arrays(other)["predictions/model"]
            elif rivals[number] and recipe_of[rivals[number]] == recipe_of[other] and "predictions/rival" in before:
                rival = before["predictions/rival"]
            else:
                continue  # the old release knew nothing to hold it against
            np.testing.assert_array_equal(found.rival, rival)
            if other == rivals[number]:
                then = evidence.Evidence(models[number], models[other], rival)
                assert (found.scores, found.difference, found.half_widths) == (
                    then.scores,
                    then.difference,
                    then.half_widths,
                )
                n_held_against += 1
    assert n_held_against == 6


def test_what_several_versions_held_is_kept_once(migrated):
    twins = [versions.read_version(migrated, number).evaluation_sha256 for number in (2, 5)]
    assert twins[0] == twins[1]
    # Own ones of 1 to 8 but for the twin; the ridge on the rows of 3 and 4, and on those of 6 and 7.
    assert sql(migrated, "SELECT count(*) FROM evaluation") == [(7 + 2,)]


def test_who_was_called_broken_answers_again_unless_a_checksum_says_so(migrated):
    assert asked("SELECT id FROM model_version WHERE broken IS NOT NULL") == [(BRANDED,), (DAMAGED,)]
    assert {one.id: one.broken for one in versions.list_versions(migrated) if one.broken} == {
        DAMAGED: f"The record of version {DAMAGED} is not the one that was stored."
    }
    model, notice, _ = history.load_active_model(migrated, partial(versions.load_version, migrated))
    assert (model.version, notice) == (BRANDED, "")
    with pytest.raises(DamagedError, match=f"record of version {DAMAGED}"):
        versions.load_version(migrated, DAMAGED)


def test_the_last_job_that_ended_is_the_newest_whatever_the_clock_said(migrated):
    at = "SELECT id FROM job ORDER BY ended_at DESC LIMIT 1"
    assert asked(at) == [(2,)]
    assert jobs.find_last_ended(migrated).id == 7
    jobs.cancel(migrated, jobs.submit(migrated, "v1", 1, ["ridge"]))
    assert jobs.find_last_ended(migrated).id == 8


def change_old(url, statement, **values):
    engine = tables.engine_of(url).execution_options(writes=True)
    with engine.begin() as connection:
        connection.execute(text(statement), values)
    engine.dispose()


def test_rows_that_were_damaged_before_are_found_to_be_so(old_url):
    broken = bytearray(asked("SELECT parquet FROM data_set WHERE id = 2")[0][0])
    broken[len(broken) // 6] ^= 1
    change_old(old_url, "UPDATE data_set SET parquet = :broken WHERE id = 2", broken=bytes(broken))
    change_old(old_url, "UPDATE data_set SET parquet = :broken WHERE id = 3", broken=b"PAR1")
    store = Store(old_url)
    assert len(versions.read_rows(store, 1)) == 48
    for number in (2, 3):
        with pytest.raises(DamagedError, match=f"The rows of data set {number} are not the ones that were stored"):
            versions.read_rows(store, number)


def test_where_the_rows_cannot_be_read_for_lack_of_a_library_the_store_stays_old_and_is_tried_again(
    old_url, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(
            StoreError, match=r"brought up to this release at the moment \(ImportError: .*\)\. Try again"
        ):
            Store(old_url)
    assert len(versions.read_rows(Store(old_url), 1)) == 48


def test_a_step_that_fails_changes_nothing(old_url, monkeypatch):
    from model.store import migrations

    def step(connection):
        migrations._to_2(connection)
        raise ValueError("the power failed")

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_STEPS", [step, *migrations._STEPS[1:]])
        with pytest.raises(StoreError, match="the power failed"):
            Store(old_url)
    engine = tables.engine_of(old_url)
    with engine.connect() as connection:
        assert not inspect(connection).has_table("evaluation")
        assert connection.execute(select(tables.SCHEMA.c.version)).all() == [(1,)]
        columns = {column["name"] for column in inspect(connection).get_columns("model_version")}
    engine.dispose()
    assert "evaluation_sha256" not in columns
    assert len(versions.list_versions(Store(old_url))) == 9


def test_a_store_of_the_release_before_gets_the_table_of_ended_sign_ins_and_keeps_the_rest(store):
    before, shape = [sql(store, f"SELECT * FROM {name}") for name in ("promotion", "model_version")], described(store)  # noqa: S608
    sql(store, "DROP TABLE ended_sign_in")
    sql(store, "ALTER TABLE job DROP COLUMN failure")
    sql(store, "UPDATE schema_version SET version = 5")
    opened = Store(store.url)
    assert described(opened) == shape
    assert [sql(opened, f"SELECT * FROM {name}") for name in ("promotion", "model_version")] == before  # noqa: S608


OPENER = """
import sys
from pathlib import Path
from model.store import migrations
from model.store.database import Store
first = migrations._STEPS[0]
migrations._STEPS[0] = lambda connection: (first(connection), print("brought up"))
ready, begin = map(Path, sys.argv[1:])
ready.touch()
while not begin.exists():
    pass
Store()
"""


@pytest.mark.slow
@pytest.mark.postgresql
def test_two_processes_that_open_it_at_once_bring_it_up_once(old_url, tmp_path):
    marks = [tmp_path / "one", tmp_path / "two"]
    openers = [python(OPENER, mark, tmp_path / "begin") for mark in marks]
    while not all(mark.exists() for mark in marks):
        assert [opener.poll() for opener in openers] == [None, None]
    (tmp_path / "begin").touch()
    assert sorted(output_of(opener) for opener in openers) == ["", "brought up\n"]
    store = Store(old_url)
    with store.reading() as connection:
        assert connection.execute(select(func.count()).select_from(tables.EVALUATION)).scalar() == 9


@pytest.mark.sqlite
def test_a_copy_of_an_old_store_is_one_of_today(tmp_path):
    shutil.copy(OLD, tmp_path / "old.db")
    copied = transfer.copy_store(f"sqlite:///{tmp_path}/old.db", f"sqlite:///{tmp_path}/copy.db")
    assert {one.table: one.n_rows for one in copied} == {
        "data_set": 3, "ended_sign_in": 0, "evaluation": 9, "job": 7, "model_version": 9, "promotion": 5, "refits": 0,
    }  # fmt: skip
    store = Store(f"sqlite:///{tmp_path}/copy.db")
    assert versions.load_version(store, 3).version == 3
    assert len(jobs.list_jobs(store)) == 7
