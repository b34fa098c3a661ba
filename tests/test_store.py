"""The store: what it holds, and what keeps it from being opened; most of it of the file of SQLite."""

import codecs
import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from model.answering.prediction import predict_rows
from model.fitting import artifact
from model.judging.card import export_version
from model.queue import jobs
from model.store import history, tables, versions
from model.store.database import Store, StoreError
from tests.stores import fresh, output_of, python, sql, wait_until


@pytest.fixture
def kept(template, tmp_path):
    """Return the path of a store and the store."""
    return fresh(template, tmp_path)


def answers_as(store, model):
    """Ask the store everything; the active model must answer as the shipped one."""
    active, notice, _ = history.load_active_model(store, partial(versions.load_version, store))
    for ask in (
        versions.list_versions,
        versions.list_data_sets,
        history.list_promotions,
        history.list_unpromoted_shipped,
        jobs.list_jobs,
    ):
        ask(store)
    assert (predict_rows(active, model.X) == predict_rows(model, model.X)).all()
    assert active.metadata.scores == model.metadata.scores
    assert (active.residuals == model.residuals).all()
    return notice or active.notice


def refused(path):
    """Opening must fail with the path and a way out; return the message."""
    with pytest.raises(StoreError) as failure:
        history.open_store(f"sqlite:///{path}")
    assert str(path) in str(failure.value)
    return str(failure.value)


def test_a_new_store_has_the_shipped_model_promoted_by_the_app(store_url, model):
    before = datetime.now(UTC)
    store = history.open_store(store_url)
    (version,) = versions.list_versions(store)
    assert (version.id, version.created_by, version.notice, version.broken) == (1, "the app", "", None)
    assert version.data_set.origin == "shipped"
    (promotion,) = history.list_promotions(store)
    assert (promotion.version_id, promotion.by, promotion.reason) == (1, "the app", "Shipped with the app.")
    assert history.find_active(store) == (1, 1)
    assert history.list_unpromoted_shipped(store) == []
    assert answers_as(store, model) == ""
    for moment in (promotion.at, version.data_set.created_at):
        assert moment.utcoffset() == timedelta(0)
        assert before <= moment <= datetime.now(UTC)


def test_version_1_is_the_file_that_was_shipped_with_its_checksum_and_its_date(store):
    shipped = versions.read_version(store, 1)
    content = (artifact.FOLDER / "petrol.joblib").read_bytes()
    record = json.loads((artifact.FOLDER / "petrol.json").read_text(encoding="utf-8"))
    assert versions.read_pipeline(store, 1) == content
    assert shipped.metadata.model_sha256 == record["model_sha256"] == hashlib.sha256(content).hexdigest()
    assert shipped.created_at == datetime.fromisoformat(record["trained_at"])
    packed = export_version(shipped, versions.load_version(store, 1), [], versions.read_pipeline(store, 1))
    assert packed["petrol.joblib"] == content
    assert f"SHA-256 `{record['model_sha256']}`".encode() in packed["model_card.md"]
    assert record["trained_at"][:16].replace("T", " ").encode() in packed["model_card.md"]


def test_a_moment_of_another_zone_comes_back_as_the_same_moment_in_utc(store):
    from datetime import timezone

    from sqlalchemy import insert

    from model.store.tables import PROMOTION

    moment = datetime(2026, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    with store.writing() as connection:
        connection.execute(insert(PROMOTION).values(version_id=1, at=moment, by="a test", reason="zones"))
    assert history.list_promotions(store)[-1].at == moment
    assert history.list_promotions(store)[-1].at.tzinfo == UTC


def test_text_comes_back_as_it_went_in_but_for_what_one_of_the_databases_cannot_hold(store):
    history.promote(store, 1, "名前", "a\0b 'quoted' \\ %s :x é \U0001f600")
    assert history.list_promotions(store)[-1].reason == "a\ufffdb 'quoted' \\ %s :x é \U0001f600"
    with pytest.raises(StoreError, match="surrogates not allowed"):
        history.promote(store, 1, "Ann", "half a sign: \ud83d")


@pytest.mark.parametrize("number", [2**31, 2**63 - 1])
def test_a_number_that_no_version_can_have_is_one_that_is_not_there(store, number):
    with pytest.raises(StoreError, match=f"There is no version {number} in the store"):
        versions.read_version(store, number)


def test_opening_twice_adds_nothing(kept, model):
    before = kept[0].read_bytes()
    again = history.open_store(f"sqlite:///{kept[0]}")
    assert (
        len(versions.list_versions(again))
        == len(history.list_promotions(again))
        == len(versions.list_data_sets(again))
        == 1
    )
    assert answers_as(again, model) == ""
    assert kept[0].read_bytes() == before


@pytest.mark.slow
@pytest.mark.sqlite
def test_the_file_is_beside_the_model_whatever_the_working_directory(project, tmp_path):
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from model.store import history; "
        "print(history.open_store().location)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "PETROL_STORE_URL"}
    location = output_of(python(code, project, cwd=tmp_path, env=environment)).strip()
    assert Path(location) == project / "model" / "store.db"
    assert sql(location, "SELECT version_id, by FROM promotion") == [(1, "the app")]


def test_the_file_is_opened_for_several_processes(kept):
    with kept[1].reading() as connection:
        settings = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        }
    assert settings == {"journal_mode": "wal", "foreign_keys": 1, "busy_timeout": 15_000}


def test_several_may_read_while_one_writes(store):
    with store.writing() as connection:
        connection.execute(text("INSERT INTO schema_version VALUES (99, 'x')"))
        assert len(history.list_promotions(store)) == 1
        assert sql(store, "SELECT count(*) FROM schema_version") == [(1,)]


def test_a_reader_sees_one_moment_whatever_is_written_meanwhile(store):
    with store.reading() as connection:
        before = connection.execute(text("SELECT count(*) FROM promotion")).scalar()
        history.promote(store, 1, "Ann", "meanwhile")
        assert connection.execute(text("SELECT count(*) FROM promotion")).scalar() == before
    assert len(history.list_promotions(store)) == before + 1


def test_an_error_inside_a_transaction_undoes_all_of_it(store):
    with pytest.raises(StoreError, match=r"(?i)foreign key"), store.writing() as connection:  # noqa: PT012 - one transaction
        connection.execute(text("UPDATE data_set SET origin = 'y'"))
        connection.execute(text("UPDATE model_version SET data_set_id = 77"))
    assert [one.origin for one in versions.list_data_sets(store)] == ["shipped"]


def test_a_store_of_another_program_or_version_is_left_alone(kept, tmp_path):
    path = kept[0]
    sql(path, "UPDATE schema_version SET version = 8")
    assert "has schema version 8; this program knows schema version 7" in refused(path)
    sql(path, "UPDATE schema_version SET version = 7, columns = 'speed, weight'")
    assert "has speed, weight; this program knows" in refused(path)
    sql(path, "DELETE FROM schema_version")
    assert "has tables of something else" in refused(path)
    other = tmp_path / "other.db"
    sql(other, "CREATE TABLE songs (title)")
    assert "has tables of something else" in refused(other)
    assert "name another store in PETROL_STORE_URL" in refused(other)
    assert sql(other, "SELECT name FROM sqlite_master") == [("songs",)]


def test_a_folder_in_its_place_and_a_missing_folder_are_told(tmp_path):
    (tmp_path / "store.db").mkdir()
    cure = "Give it a folder that can be: PETROL_STORE_URL=sqlite:////folder/store.db."
    assert cure in refused(tmp_path / "store.db")
    assert cure in refused(tmp_path / "nowhere" / "store.db")
    assert cure in refused("/proc/store.db" if sys.platform == "linux" else tmp_path / "no" / "store.db")
    assert not (tmp_path / "nowhere").exists()


@contextlib.contextmanager
def somebody_else():
    """Be a user whom permissions hold back, which root is not."""
    is_root = os.geteuid() == 0
    if is_root:
        codecs.lookup("cp437")  # of zip archives: who may not read this Python does not find it, and that is remembered
        os.seteuid(65534)
    try:
        yield
    finally:
        if is_root:
            os.seteuid(0)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize(("of_folder", "of_file"), [(0o555, 0o666), (0o555, None), (0o000, 0o666)])
def test_a_folder_or_file_that_cannot_be_written_is_told(template, of_folder, of_file):
    folder = Path(tempfile.mkdtemp(prefix="petrol-readonly-"))
    try:
        path = folder / "store.db"
        if of_file:
            shutil.copy(template, path)
            path.chmod(of_file)
        folder.chmod(of_folder)
        with somebody_else():
            message = refused(path)
        assert "cannot be written" in message
        assert "PETROL_STORE_URL=sqlite:////folder/store.db" in message
    finally:
        folder.chmod(0o700)
        shutil.rmtree(folder)


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_a_file_that_may_only_be_read_answers_and_takes_nothing(template, model):
    folder = Path(tempfile.mkdtemp(prefix="petrol-readonly-"))
    try:
        folder.chmod(0o777)
        path = Path(shutil.copy(template, folder / "store.db"))
        path.chmod(0o444)
        with somebody_else():
            store = history.open_store(f"sqlite:///{path}")
            assert answers_as(store, model) == ""
            with pytest.raises(StoreError, match=r"cannot be written \(attempt to write a readonly"):
                history.promote(store, 1, "Ann", "again")
            store._engine.dispose()
    finally:
        shutil.rmtree(folder)


@pytest.mark.parametrize(
    "url",
    [
        *("nonsense", "sqlite:/x.db", "sqlite://host/x.db", "oracle://x", "http://[", "   "),
        *("sqlite:///x.db?timeout=long", "sqlite+aiosqlite:///x.db"),
    ],
)
def test_an_address_that_is_none_is_told_with_the_variable(monkeypatch, url):
    monkeypatch.setenv("PETROL_STORE_URL", url)
    with pytest.raises(StoreError) as failure:
        history.open_store()
    assert str(failure.value).startswith(f"PETROL_STORE_URL: {url!r} cannot be used (")
    ways = "sqlite:////folder/store.db, or postgresql+psycopg://user:password@host/database"
    assert str(failure.value).endswith(f"Write it as {ways}.")


@pytest.mark.parametrize("url", ["nodriver://me:secret@host/db", "sqlite://me:secret@host/db", "x://me:secret@[/db"])
def test_a_password_in_an_address_is_never_repeated(url):
    with pytest.raises(StoreError, match="PETROL_STORE_URL") as failure:
        Store(url)
    assert "secret" not in str(failure.value)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file::memory:?uri=true"])
def test_a_store_in_memory_is_refused_for_no_worker_could_see_it(url):
    with pytest.raises(StoreError, match="PETROL_STORE_URL"):
        Store(url)


def test_a_store_that_another_program_holds_is_told_to_be_held(kept, monkeypatch):
    monkeypatch.setattr(tables, "_PATIENCE", 0.01)
    impatient = Store(f"sqlite:///{kept[0]}")
    with contextlib.closing(sqlite3.connect(kept[0], isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match=r"is held by another program .* Try again in a moment"):
            history.promote(impatient, 1, "Ann", "again")
        other.execute("ROLLBACK")
    history.promote(impatient, 1, "Ann", "again")


OPENER = """
import sys
from pathlib import Path
from model.fitting import artifact
from model.store import history
ready, begin = map(Path, sys.argv[1:])
ready.touch()
while not begin.exists():
    pass
store = history.open_store()
print(history.find_active(store), len(history.list_promotions(store)), file=sys.stdout)
"""


@pytest.mark.slow
@pytest.mark.postgresql
def test_two_processes_that_open_a_new_store_at_once_make_one(store_url, tmp_path):
    marks = [tmp_path / "one", tmp_path / "two"]
    openers = [python(OPENER, mark, tmp_path / "begin") for mark in marks]
    while not all(mark.exists() for mark in marks):
        assert [opener.poll() for opener in openers] == [None, None]
    (tmp_path / "begin").touch()
    assert [output_of(opener) for opener in openers] == ["(1, 1) 1\n"] * 2
    store = Store(store_url)
    assert [(one.id, one.created_by) for one in versions.list_versions(store)] == [(1, "the app")]
    assert [(one.version_id, one.by) for one in history.list_promotions(store)] == [(1, "the app")]
    assert [one.id for one in versions.list_data_sets(store)] == [1]


def test_a_commit_of_another_process_changes_the_stamp_and_one_just_made_is_not_trusted(kept, monkeypatch):
    path, store = kept
    before = wait_until(store.stamp)
    assert history.find_active(store) == (1, 1)
    assert wait_until(store.stamp) == before  # reading changes nothing
    monkeypatch.setenv("PETROL_STORE_URL", f"sqlite:///{path}")
    output_of(python('from model.store import history; history.promote(history.open_store(), 1, "Ann", "again")'))
    assert store.stamp() != before
    assert wait_until(store.stamp) != before
    history.promote(store, 1, "Ann", "once more")
    assert store.stamp() is None
