"""Pruning: what is old and not needed goes, and every promotion answers as it did, byte for byte."""

import random
import re
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import select
from streamlit.testing.v1 import AppTest

from model.active import ActiveModel
from model.answering.prediction import predict_rows
from model.judging import evidence
from model.judging.card import export_version
from model.queue import jobs
from model.store import history, pruning, tables, versions
from model.store.database import Store, StoreError
from model.store.stored_refits import add_refits
from tests.conftest import ROOT
from tests.stores import add_quick, change, output_of, python
from tests.test_cli import called
from tests.test_transfer import everything

MONTHS = timedelta(days=90)


def aged(store, table, number, days, **more):
    """Have something be some days old."""
    moment = tables.now() - timedelta(days=days)
    change(store, table, number, created_at=moment, **more)


def upload(store, rows, shift, days, *, algorithm="ridge", promoted=False):
    """Keep a version on rows of its own, both some days old; return their numbers."""
    number = add_quick(store, rows.assign(petrol_tax=rows.petrol_tax + shift), algorithm)
    data_set = versions.read_version(store, number).data_set.id
    aged(store, tables.MODEL_VERSION, number, days)
    aged(store, tables.DATA_SET, data_set, days)
    if promoted:
        history.promote(store, number, "Ann", f"shifted by {shift}")
    return number, data_set


def answered(store, model):
    """What each entry of the record answers and gives to take away."""
    record = history.list_promotions(store)
    loaded = {one.version_id: versions.load_version(store, one.version_id) for one in record}
    taken = {
        number: export_version(
            versions.read_version(store, number), each, record, versions.read_pipeline(store, number)
        )
        for number, each in loaded.items()
    }
    answers = [predict_rows(loaded[one.version_id], model.X).tobytes() for one in record]
    rivals = [
        evidence.gather_evidence(store, one, other).rival
        for one in loaded.values()
        for other in (loaded[1], loaded[record[-2].version_id])
    ]
    return record, answers, taken, [None if rival is None else rival.tobytes() for rival in rivals]


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 6))])
def test_every_promotion_answers_as_before_and_to_prune_twice_is_to_prune_once(store, rows, model, seed):
    chance = random.Random(seed)  # noqa: S311 - the same each time
    for shift in range(1, 6):
        number, _ = upload(store, rows, shift / 4, chance.choice([1, 89, 91, 400]), promoted=chance.random() < 0.4)
        with store.writing() as connection:  # as a training does; or each card would make them anew
            add_refits(connection, versions.read_version(store, number).metadata.data.sha256, model.refits)
    history.promote(store, 1, "Bob", "back")
    before, active = answered(store, model), history.find_active(store)
    expected = pruning.find_prunable(store, MONTHS)
    assert pruning.prune(store, MONTHS) == expected
    assert answered(store, model) == before
    assert history.find_active(store) == active
    once = everything(store.url)
    assert pruning.prune(store, MONTHS).counts == dict.fromkeys(expected.counts, 0)
    assert everything(store.url) == once
    promoted = {one.version_id for one in before[0]}
    for each in versions.list_versions(store):
        assert each.id in promoted or each.shipped or tables.now() - each.created_at < MONTHS


def test_only_what_is_old_and_not_needed_goes_with_all_that_hung_on_it(store, rows):
    upload(store, rows, 0.25, 91)
    young, young_rows = upload(store, rows, 0.5, 89)
    promoted, promoted_rows = upload(store, rows, 0.75, 400, promoted=True)
    with store.writing() as connection:
        asked, idle = (
            versions.add_data_set(connection, rows.assign(petrol_tax=rows.petrol_tax + shift), "asked.csv")
            for shift in (2, 3)
        )
    waiting = jobs.submit(store, "v1", asked, ["ridge"])
    ended, recent, of_promoted = (jobs.submit(store, f"v{each}", 1, ["ridge"]) for each in (2, 3, 4))
    for number in (ended, recent, of_promoted):
        jobs.cancel(store, number)
    for number, days in ((waiting, 400), (ended, 91), (recent, 1), (of_promoted, 400)):
        at = tables.now() - timedelta(days=days)
        aged(store, tables.JOB, number, 400, ended_at=None if number == waiting else at)
    for number in (asked, idle):
        aged(store, tables.DATA_SET, number, 400)
    change(store, tables.MODEL_VERSION, promoted, job_id=of_promoted)
    aged(store, tables.MODEL_VERSION, 1, 4000)  # which comes with the app
    removed = pruning.prune(store, MONTHS)
    assert removed.counts == {"version": 1, "job": 1, "data set": 2, "evaluation": 1, "set of refits": 0}
    assert removed.n_bytes > 0
    assert [one.id for one in versions.list_versions(store)] == [1, young, promoted]
    assert [one.id for one in versions.list_data_sets(store)] == [1, young_rows, promoted_rows, asked]
    assert [one.id for one in jobs.list_jobs(store)] == [waiting, recent, of_promoted]
    assert removed.in_words() == "1 version, 1 job, 2 data sets, 1 evaluation"


def test_what_a_job_at_work_has_found_and_what_a_promoted_version_was_compared_with_stay(store, rows):
    """A job does not work out again what the store has; and the best of three is another claim than the best of two."""
    _, their_rows = upload(store, rows, 0.25, 91)
    jobs.submit(store, "v1", their_rows, ["ridge"])
    compared = jobs.submit(store, "v2", 1, ["ridge", "least_squares"])
    jobs.cancel(store, compared)
    chosen, other = (add_quick(store, rows, algorithm) for algorithm in ("ridge", "least_squares"))
    history.promote(store, chosen, "Ann", "the best of them")
    for version in (chosen, other):
        aged(store, tables.MODEL_VERSION, version, 400)
        change(store, tables.MODEL_VERSION, version, job_id=compared)
    removed = pruning.prune(store, MONTHS)
    assert removed.counts == {"version": 1, "job": 0, "data set": 0, "evaluation": 0, "set of refits": 0}
    assert {version.id for version in versions.list_versions(store)} == {1, chosen, other}


@pytest.mark.sqlite
def test_a_file_becomes_smaller_while_an_app_has_it_open_and_that_goes_on(store, rows, model):
    add_quick(store, rows)
    large = rows.loc[rows.index.repeat(2000)].reset_index(drop=True)
    large["petrol_tax"] += large.index / 1e6
    with store.writing() as connection:
        number = versions.add_data_set(connection, large, "large.csv")
    aged(store, tables.DATA_SET, number, 91)
    owner = ActiveModel(store.url)
    answering = owner.current()
    before = pruning.size_of_store(store)
    done = called("store", "prune", "--older-than", "90d", "--yes")
    assert (done.returncode, done.stderr) == (0, "")
    told = re.search(r"1 data set, [\d.]+ MB\.\nThe file is ([\d.]+) MB now\.\n$", done.stdout)
    after = pruning.size_of_store(store)
    assert float(told[1]) == round(after / 1e6, 1) < before / 2e6
    assert sum(Path(f"{store.location}{part}").stat().st_size for part in ("", "-wal")) < before / 2
    assert owner.current() is answering
    history.promote(store, 2, "Ann", "goes on")
    assert owner.current().version == 2


@pytest.mark.sqlite
def test_a_file_that_is_held_is_not_made_smaller_and_that_is_said(store, monkeypatch):
    monkeypatch.setattr(tables, "_PATIENCE", 0.01)
    impatient = Store(store.url)
    with store.writing(), pytest.raises(StoreError, match=r"is held by another program .* Try again in a moment"):
        impatient.compact()
    impatient.compact()


def test_the_command_says_first_and_does_only_what_it_was_told(store, rows):
    upload(store, rows, 0.25, 10)
    before = everything(store.url)
    done = called("store", "prune", "--older-than", "9d")
    assert done.returncode == 0
    assert f"This would remove from the store {store.location}: 1 version, 1 data set, 1 evaluation, 0." in done.stdout
    assert "Nothing was removed: add --yes to do it." in done.stdout
    assert everything(store.url) == before
    done = called("store", "prune", "--older-than", "11d", "--yes")
    assert "is older than 11 days and no longer needed." in done.stdout
    assert everything(store.url) == before
    done = called("store", "prune", "--older-than", "9d", "--yes")
    assert "Removed from the store" in done.stdout
    assert ("VACUUM FULL" in done.stdout) is (not store.is_file)
    assert [one.id for one in versions.list_versions(store)] == [1]


@pytest.mark.parametrize("age", ["90", "d", "-1d", "1.5d", "90 days", "9999999d", ""])
def test_an_age_that_is_none_is_refused_with_how_to_write_it(age, capsys):
    done = called("store", "prune", f"--older-than={age}")
    assert done.returncode == 2
    assert f"{age!r} is no number of days. Write it like 90d." in done.stderr


@pytest.mark.sqlite
def test_a_file_that_is_being_read_still_holds_what_was_removed_and_that_is_said(store, monkeypatch):
    monkeypatch.setattr(tables, "_PATIENCE", 0.1)
    other = Store(store.url)
    with store.reading() as connection:
        connection.execute(select(tables.PROMOTION)).all()
        with pytest.raises(StoreError, match="is being read at this moment, so its file still holds what was removed"):
            other.compact()
    other.compact()


def test_an_age_before_all_time_is_refused(store):
    with pytest.raises(StoreError, match=r"999,999 days are longer than there have been any\. Write fewer"):
        pruning.prune(store, timedelta(days=999_999))


def test_the_size_is_told_on_the_page_which_says_where_a_removed_version_has_gone(store, rows):
    number, _ = upload(store, rows, 0.25, 91)
    size = pruning.in_megabytes(pruning.size_of_store(store))
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=60)
    app.query_params["version"] = str(number)
    app.switch_page("pages/models.py").run()
    assert not app.exception
    assert any(caption.value == f"The store takes up {size}." for caption in app.caption)
    pruning.prune(store, MONTHS)
    app.run()
    assert not app.exception
    told = f"There is no version {number} here, or no longer. Shown is 1."
    assert told in [info.value for info in app.info], app.main


WRITER = """
from model.store import history
store = history.open_store()
for number in range(30):
    history.promote(store, 1, "Bob", str(number))
"""


def compact_while_written(store):
    """Make the file small, or be told that it is in use at this moment, as it can be where a writer never pauses."""
    try:
        store.compact()
    except StoreError as error:
        if "Do this again" not in str(error):
            raise


@pytest.mark.slow
@pytest.mark.postgresql
def test_who_writes_and_reads_meanwhile_notices_nothing(store, rows):
    numbers = [upload(store, rows, shift / 4, 91)[0] for shift in range(1, 6)]
    writer = python(WRITER)
    other, left = Store(store.url), len(numbers)
    while writer.poll() is None or left:
        if left:
            left -= 1
            aged(store, tables.MODEL_VERSION, numbers[left], 200)
            pruning.prune(store, timedelta(days=150))
            compact_while_written(store)
        assert history.load_active_model(other, partial(versions.load_version, other)).model.version == 1
    output_of(writer)
    store.compact()
    assert [one.reason for one in history.list_promotions(store)[1:]] == [str(number) for number in range(30)]
    assert [one.id for one in versions.list_versions(store)] == [1]
