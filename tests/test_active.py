"""The owner of what is active: one load a version, the active one never lost, and trouble of this process told."""

import gc
import shutil
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from model.active import ActiveModel
from model.fitting.errors import ModelError
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.queue import jobs
from model.store import history, versions
from model.store.database import StoreError
from model.store.tables import MODEL_VERSION
from tests.stores import add_quick, at_once, change, copy_file, output_of, python, sql, wait_until


@pytest.fixture
def owner(store):
    """Return the owner of a store, as a server has it."""
    return ActiveModel(store.url)


@pytest.fixture
def others(store, rows):
    """Return the numbers of six more versions."""
    model = train(rows, make_recipe("mean"), n_repeats=1)
    with store.writing() as connection:
        return [versions.add_version(connection, model, 1, by="a test") for _ in range(6)]


def promote(store, number):
    history.promote(store, number, "Ann", "a test")


def test_many_threads_that_ask_at_once_get_one_load_of_each_version(store, owner, others):
    first = at_once(owner.current)
    assert {model.version for model in first} == {1}
    assert all(model is first[0] for model in first)
    looked_at = at_once(lambda: owner.version(others[0]))
    assert all(model is looked_at[0] for model in looked_at)
    promote(store, others[1])
    promoted = at_once(owner.current)
    assert {model.version for model in promoted} == {others[1]}
    assert all(model is promoted[0] for model in promoted)


def test_a_slow_load_of_another_version_holds_nobody_up_who_asks_for_the_active_one(store, owner, others, monkeypatch):
    active, is_loading, may_end, load = owner.current(), threading.Event(), threading.Event(), versions.load_version

    def slowly(*arguments):
        is_loading.set()
        assert may_end.wait(60)
        return load(*arguments)

    monkeypatch.setattr(versions, "load_version", slowly)
    with ThreadPoolExecutor(1) as pool:
        looked_at = pool.submit(owner.version, others[0])
        assert is_loading.wait(60)
        assert owner.current() is active
        promote(store, 1)  # so that the store is asked again
        assert owner.current() is active
        assert not looked_at.done()
        may_end.set()
        assert looked_at.result().version == others[0]


def test_the_active_version_stays_whatever_is_looked_at_beside_it(store, owner, others):
    active = owner.current()
    for number in others:
        assert owner.version(number).version == number
    promote(store, 1)  # so that the store is asked again
    assert owner.current() is active
    assert owner.version(1) is active


def test_the_version_that_was_active_before_is_not_loaded_again_for_links_that_name_it(store, owner, others):
    before = owner.current()
    promote(store, others[0])
    assert owner.current().version == others[0]
    assert owner.version(1) is before


def test_garbage_at_the_load_of_a_version_is_not_kept_for_ever(owner, others):
    owner.current()
    n_frozen = gc.get_freeze_count()
    for number in others[:2]:
        owner.version(number)
        assert gc.get_freeze_count() <= n_frozen


def test_what_was_worked_out_from_one_model_is_never_shown_for_another(owner):
    """Also where the other is where the first one was in memory, as each of these is."""
    model = owner.current()
    for version in range(100):
        other = replace(model, version=version)
        noticed = owner._with(other, "Something is not in order.")
        assert (noticed.version, noticed.notice) == (version, "Something is not in order.")
        del other, noticed
    for version in range(40):
        other = replace(model, version=version)
        assert owner.survey(other, (), ()).model is other
        assert owner.survey(other, (), ()) is owner.survey(other, (), ())
        del other


def test_a_library_that_is_missing_here_brands_no_version_and_what_answered_before_goes_on(
    store, owner, others, monkeypatch
):
    active = owner.current()
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pyarrow.parquet", None)  # as where it is not installed
        promote(store, others[0])
        troubled = owner.current()
        assert (troubled.version, troubled.rows) == (1, active.rows)
        assert troubled.notice.startswith(f"Version {others[0]} cannot be loaded at the moment (")
        assert "pyarrow" in troubled.notice
        assert troubled.notice.endswith("). It is tried again; until then version 1 answers.")
        assert owner.current() is troubled  # or each page would be drawn again and again
        with pytest.raises(ModelError, match=r"^The rows of data set 1 cannot be read at the moment \(ModuleNot"):
            owner.version(others[1])
    assert [each.broken for each in versions.list_versions(store)] == [None] * 7
    model = wait_until(lambda: model if (model := owner.current()).version == others[0] else None)
    assert model.notice == ""


def test_a_fresh_start_with_such_trouble_answers_as_the_version_promoted_before(store, others, monkeypatch):
    for number in others[:2]:
        promote(store, number)
    load = versions.load_version

    def hardly(store, number):
        if number == others[1]:
            raise OSError(24, "Too many open files")
        return load(store, number)

    owner = ActiveModel(store.url)
    with monkeypatch.context() as patch:
        patch.setattr(versions, "load_version", hardly)
        model = owner.current()
        assert model.version == others[0]
        assert model.notice == (
            f"Version {others[1]} cannot be loaded at the moment ([Errno 24] Too many open files). It is tried again; "
            f"until then version {others[0]} answers."
        )
        assert owner.current() is model
    assert wait_until(lambda: owner.current().version == others[1])
    assert versions.read_version(store, others[1]).broken is None


TOO_MANY = """
import os, resource, time
from model.store import history, versions
from model.active import ActiveModel
from data.errors import DataError
from model.fitting.errors import ModelError
owner, (soft, hard) = ActiveModel(), resource.getrlimit(resource.RLIMIT_NOFILE)
store = owner.store()


def allow(n_more):
    n = soft if n_more is None else len(os.listdir("/proc/self/fd")) - 1 + n_more
    resource.setrlimit(resource.RLIMIT_NOFILE, (n, hard))


def answer():
    try:
        model = owner.current()
    except (DataError, ModelError) as error:
        return f"nobody: {error}"
    return f"{model.version}: {model.notice}"


def until(version):
    deadline = time.monotonic() + 60
    while not (told := answer()).startswith(str(version)) and time.monotonic() < deadline:
        pass
    return told


allow(0)
print(answer())
allow(None)
print(until(1))
history.promote(store, 2, "Ann", "a test")
allow(0)
print(answer())
allow(None)
print(until(2))
print([each.broken for each in versions.list_versions(store)])
"""


@pytest.mark.slow
@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform != "linux", reason="/proc and limits of Linux")
def test_too_many_open_files_brand_no_version_and_pass(store, rows):
    add_quick(store, rows, "histogram_boosting")
    nobody, first, troubled, second, broken = output_of(python(TOO_MANY)).splitlines()
    assert nobody.startswith("nobody: ")
    assert "Too many open files" in nobody
    assert troubled.startswith("1: Version 2 cannot be loaded at the moment (")
    assert "Too many open files" in troubled
    assert (first, second, broken) == ("1: ", "2: ", "[None, None]")


def test_a_damaged_version_is_branded_for_everybody_and_its_answer_is_the_one_before(store, owner, others):
    change(store, MODEL_VERSION, others[0], arrays=b"\0")
    promote(store, others[0])
    model = owner.current()
    assert model.version == 1
    assert model.notice.startswith(f"Version {others[0]} cannot be used: The record of version {others[0]} is not")
    assert versions.read_version(store, others[0]).broken


@pytest.fixture
def path(store, owner, others):
    """Return where the store of an owner is that answers with its second version."""
    promote(store, others[0])
    assert owner.current().version == others[0]
    return Path(store.location)


GONE = "was moved or removed while it was open. Put it back, or a backup in its place."


def assert_gone(owner, path, version):
    """Say that the store is gone, and answer all the same, without making another."""
    for _ in range(2):
        model = owner.current()
        assert model.version == version
        assert model.notice.startswith(f"The store {path} {GONE}")
        assert model.notice.endswith("Until then the version answers that did before.")
        assert owner.current() is model
    assert not path.exists()


@pytest.mark.sqlite
def test_while_the_file_is_away_the_version_goes_on_and_nothing_else_does(owner, path, others, tmp_path):
    active, opened = owner.current(), owner.store()
    path.rename(tmp_path / "elsewhere.db")
    assert_gone(owner, path, others[0])
    for ask in (
        owner.store,
        lambda: owner.rows_of(1),
        lambda: promote(opened, 1),
        lambda: jobs.submit(opened, "Ann", 1, ["mean"]),
        lambda: owner.dispatcher.dispatch(opened),
    ):
        with pytest.raises(StoreError, match=GONE):
            ask()
    assert not path.exists()
    (tmp_path / "elsewhere.db").rename(path)
    assert owner.current() is active
    promote(owner.store(), 1)
    assert (owner.current().version, owner.current().notice) == (1, "")


@pytest.mark.sqlite
def test_a_backup_in_the_place_of_the_file_answers_as_it_was_when_it_was_made(store, owner, others, tmp_path):
    path = Path(store.location)
    copy_file(path, tmp_path / "backup.db")
    promote(store, others[0])
    assert owner.current().version == others[0]
    path.unlink()
    assert_gone(owner, path, others[0])
    shutil.copy(tmp_path / "backup.db", path)
    assert (owner.current().version, owner.current().notice) == (1, "")
    assert (
        len(history.list_promotions(owner.store())) == 1
    )  # what the log of the former file holds is not in the backup
    promote(owner.store(), others[1])
    assert owner.current().version == others[1]


@pytest.mark.sqlite
@pytest.mark.parametrize("is_seen", [True, False], ids=["after somebody came", "before anybody came"])
def test_a_copy_of_the_file_alone_has_all_that_was_promoted(owner, path, others, is_seen):
    content = path.read_bytes()
    path.unlink()
    if is_seen:
        assert_gone(owner, path, others[0])
    path.write_bytes(content)
    model = owner.current()
    assert (model.version, model.notice) == (others[0], "")
    assert len(history.list_promotions(owner.store())) == 2


@pytest.mark.sqlite
def test_a_file_in_its_place_that_is_no_store_is_told_and_left_alone(owner, path, others, template):
    path.unlink()
    sql(path, "CREATE TABLE songs (title)")
    model = owner.current()
    assert model.version == others[0]
    assert "has tables of something else" in model.notice
    assert sql(path, "SELECT name FROM sqlite_master") == [("songs",)]
    shutil.copy(template, path.with_name("other.db"))
    path.with_name("other.db").replace(path)
    model = wait_until(lambda: model if not (model := owner.current()).notice else None)
    assert model.version == 1


@pytest.mark.sqlite
def test_a_new_start_without_the_file_makes_a_new_store_and_says_so(owner, path, caplog):
    path.unlink()
    again = ActiveModel(owner._url)
    assert (again.current().version, again.store().is_new) == (1, True)
    assert f"There was no store {path}, so a new one was made" in caplog.text
    assert not ActiveModel(again._url).store().is_new


@pytest.mark.sqlite
def test_a_damaged_store_that_is_moved_away_is_not_replaced_before_the_next_start(template, tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"shopping list\n" * 500)
    owner = ActiveModel(f"sqlite:///{path}")
    assert owner.current().notice.startswith(f"The store {path} cannot be read (")
    path.unlink()
    model = wait_until(lambda: model if "There is no store" in (model := owner.current()).notice else None)
    assert model.notice == f"There is no store {path}. Check its name. Until then the shipped model answers."
    assert not path.exists()
    shutil.copy(template, path)
    assert wait_until(lambda: owner.current().version == 1)
    assert owner.current().notice == ""
