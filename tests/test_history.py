"""The record of promotions: only added to, in one order, and the newest one answers."""

import json
from dataclasses import replace
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.queue import jobs
from model.store import history, versions
from model.store.database import StoreError
from tests.stores import add_quick, output_of, python, sql


@pytest.mark.parametrize(
    ("by", "reason", "missing"), [("", "why", "a name"), (" \n\t", "why", "a name"), ("Ann", "  ", "a reason")]
)
def test_a_promotion_needs_a_name_and_a_reason(store, by, reason, missing):
    with pytest.raises(StoreError, match=f"Version 1 was not promoted: the record needs {missing}"):
        history.promote(store, 1, by, reason)
    assert len(history.list_promotions(store)) == 1


@pytest.mark.parametrize("number", [0, -1, 2])
def test_a_version_that_is_not_there_cannot_be_promoted(store, number):
    with pytest.raises(StoreError, match=f"There is no version {number} in the store"):
        history.promote(store, number, "Ann", "why")


def test_name_and_reason_are_kept_tidy(store):
    history.promote(store, 1, "  Ann\n Lee ", "a\tb  c")
    kept = history.list_promotions(store)[-1]
    assert (kept.by, kept.reason) == ("Ann Lee", "a b c")


def test_a_name_or_a_reason_too_long_to_keep_is_refused_with_its_length(store):
    with pytest.raises(StoreError, match=r"The name has 101 characters; 100 are kept\."):
        history.promote(store, 1, "x" * 101, "why")
    with pytest.raises(StoreError, match=r"The reason has 1,001 characters; 1,000 are kept\."):
        history.promote(store, 1, "Ann", "x" * 1001)
    assert len(history.list_promotions(store)) == 1


def test_a_promotion_decided_on_against_another_version_is_refused(store, rows):
    number = add_quick(store, rows)
    history.promote(store, number, "Ann", "first", instead_of=1)
    with pytest.raises(StoreError, match=rf"Version {number} became active meanwhile\."):
        history.promote(store, 1, "Bob", "has not seen it", instead_of=1)
    history.promote(store, 1, "Bob", "has seen it", instead_of=number)
    assert history.find_active(store) == (1, 1)


def test_the_newest_promotion_answers_and_an_older_version_can_come_back(store, rows):
    number = add_quick(store, rows)
    assert history.find_active(store) == (1, 1)
    answers = []
    for version in (number, 1, number, number, 1):
        history.promote(store, version, "Ann", f"to {version}")
        model, notice, _ = history.load_active_model(store, partial(versions.load_version, store))
        assert (notice, model.notice) == ("", "")
        answers.append(model.version)
    assert answers == [number, 1, number, number, 1]
    record = history.list_promotions(store)
    assert [one.version_id for one in record] == [1, *answers]
    assert [one.at for one in record] == sorted(one.at for one in record)


REPLACED = "INSERT OR REPLACE INTO promotion VALUES (1, 1, '2026-01-01 00:00:00.000000', 'Eve', 'never happened')"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE promotion SET reason = 'other'",
        "DELETE FROM promotion",
        "DELETE FROM promotion WHERE id = 1",
        pytest.param(REPLACED, marks=pytest.mark.sqlite),
        "INSERT INTO promotion VALUES (1, 1, '2026-01-01', 'Eve', 'x') ON CONFLICT (id) DO UPDATE SET by = 'Eve'",
    ],
)
def test_a_promotion_is_never_rewritten_even_by_sql(store, statement):
    before = history.list_promotions(store)
    with pytest.raises(IntegrityError, match="promotions are only ever added"):
        sql(store, statement)
    assert history.list_promotions(store) == before


def test_a_version_is_removed_only_if_it_was_never_promoted(store, rows):
    first, second = add_quick(store, rows, seed=1), add_quick(store, rows, seed=2)
    third = add_quick(store, rows, seed=3, rival_id=second)
    history.promote(store, first, "Ann", "better")
    history.promote(store, 1, "Ann", "back")
    for number in (1, first):
        with pytest.raises(StoreError, match=f"Version {number} stays: it was promoted, or comes with the app"):
            history.remove_version(store, number)
    history.remove_version(store, second)
    assert [one.id for one in versions.list_versions(store)] == [1, first, third]
    assert versions.read_version(store, third).rival_id is None
    history.remove_version(store, third)
    assert add_quick(store, rows) == third + 1


def test_removing_a_version_that_is_not_there_is_told(store):
    with pytest.raises(StoreError, match="There is no version 9"):
        history.remove_version(store, 9)


def test_data_are_removed_with_their_versions_unless_one_must_stay(store, rows):
    fewer, more = rows.iloc[2:].reset_index(drop=True), rows.iloc[1:].reset_index(drop=True)
    one, other = add_quick(store, fewer), add_quick(store, more)
    history.promote(store, other, "Ann", "better")
    for data_set, staying in ((1, 1), (3, other)):
        with pytest.raises(StoreError, match=f"Version {staying} stays"):
            history.remove_data_set(store, data_set)
    history.remove_data_set(store, 2)
    assert [found.id for found in versions.list_data_sets(store)] == [1, 3]
    assert [found.id for found in versions.list_versions(store)] == [1, other]
    assert sql(store, "SELECT count(*) FROM evaluation") == [(2,)]
    again = add_quick(store, fewer)
    assert versions.read_version(store, again).data_set.id == 4
    assert again > other > one


def test_data_that_a_job_is_about_to_use_are_not_removed(store, rows):
    with store.writing() as connection:
        data_set = versions.add_data_set(connection, rows.iloc[2:], "a file")
    number = jobs.submit(store, "Ann", data_set, ["ridge"])
    with pytest.raises(StoreError, match=r"about to be used by a job\. Cancel it first"):
        history.remove_data_set(store, data_set)
    assert jobs.cancel(store, number)
    history.remove_data_set(store, data_set)
    assert len(versions.list_data_sets(store)) == 1


UPGRADED = """
import json
from functools import partial
from model.store import history, versions
for _ in range(2):
    store = history.open_store()
model, notice, _ = history.load_active_model(store, partial(versions.load_version, store))
print(json.dumps([model.version, notice, [one.id for one in versions.list_versions(store)],
    [one.id for one in history.list_unpromoted_shipped(store)], len(history.list_promotions(store))]))
"""


@pytest.mark.slow
def test_an_upgraded_app_brings_its_model_and_leaves_the_choice(store, project, model):
    from model.fitting import artifact

    artifact.save(replace(train(model.rows, make_recipe("ridge"), n_repeats=1), refits=model.refits), project / "model")
    answer = json.loads(output_of(python(UPGRADED, cwd=project)))
    assert answer == [1, "", [1, 2], [2], 1]
    assert versions.read_version(store, 2).recipe.algorithm == "ridge"
    assert [one.id for one in history.list_unpromoted_shipped(store)] == [2]
    with pytest.raises(StoreError, match="Version 2 stays"):
        history.remove_version(store, 2)
    history.promote(store, 2, "Ann", "the new one")
    assert history.list_unpromoted_shipped(store) == []
    assert versions.list_versions(history.open_store())[-1].id == 2


PROMOTER = """
import sys
from model.store import history
store = history.open_store()
for number in range(40):
    history.promote(store, 1 + number % 2, sys.argv[1], str(number))
"""


@pytest.mark.slow
@pytest.mark.postgresql
def test_promotions_of_two_processes_at_once_stand_in_one_order_and_none_is_lost(store, rows):
    add_quick(store, rows)
    promoters = [python(PROMOTER, name) for name in ("Ann", "Bob")]
    for promoter in promoters:
        output_of(promoter)
    record = history.list_promotions(store)[1:]
    assert [one.id for one in record] == list(range(2, 82))
    for name in ("Ann", "Bob"):
        assert [int(one.reason) for one in record if one.by == name] == list(range(40))
    assert history.find_active(store)[0] == record[-1].version_id
