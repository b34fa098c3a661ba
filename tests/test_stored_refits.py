"""Refits in the store: one set for equal rows, whoever trained on them, and made where there are none."""

import pytest

from data.load import fingerprint
from model.active import ActiveModel
from model.fitting.errors import DamagedError
from model.fitting.refits import make_refits
from model.queue import jobs
from model.store import history, versions
from model.store.check import list_damages
from model.store.stored_refits import add_refits, read_refits
from model.store.tables import REFITS, THE_APP
from pages.shared import resources
from tests.stores import add_quick, change, dispatcher_of, ended, run, sql


def test_a_new_store_has_the_shipped_refits_and_each_version_on_those_rows_shares_them(store, rows, model):
    number = add_quick(store, rows)
    for each in (1, number):
        loaded = versions.load_version(store, each).refits
        assert (loaded.pool.predict(model.X) == model.refits.pool.predict(model.X)).all()
    assert sql(store, "SELECT count(*) FROM refits") == [(1,)]


def test_damaged_refits_are_told_and_none_are_used(store, rows):
    change(store, REFITS, 1, content=b"others")
    with pytest.raises(DamagedError, match="are not the ones that were stored"):
        read_refits(store, fingerprint(rows))
    assert versions.load_version(store, 1).refits is None
    assert len(list_damages(store)) == 1


def test_refits_of_other_settings_are_none_and_give_way(store, rows, model):
    change(store, REFITS, 1, settings={"kinds": {"mean": {}}})
    assert read_refits(store, fingerprint(rows)) is None
    with store.writing() as connection:
        add_refits(connection, fingerprint(rows), model.refits)
    assert read_refits(store, fingerprint(rows)) is not None
    assert sql(store, "SELECT count(*) FROM refits") == [(1,)]


@pytest.mark.slow
def test_a_training_makes_the_refits_of_its_rows_and_a_second_one_makes_none(store, rows):
    some = rows.drop(index=[3, 7]).reset_index(drop=True)
    history.promote(store, add_quick(store, rows, "mean"), "Ann", "evaluated on other rows in no time")
    job = run(store, 1, ["ridge"], excluded=[3, 7])
    assert job.state == "done"
    (version,) = versions.list_versions_of_job(store, job.id)
    made, expected = versions.load_version(store, version.id), make_refits(*_figures(some))
    assert made.refits.pool.predict(made.X) == pytest.approx(expected.pool.predict(made.X), abs=1e-3)
    before = sql(store, "SELECT id, sha256 FROM refits")
    assert len(before) == 2
    run(store, 1, ["least_squares"], excluded=[3, 7])
    assert sql(store, "SELECT id, sha256 FROM refits") == before
    for each in versions.list_versions(store)[2:]:
        history.remove_version(store, each.id)
    assert sql(store, "SELECT id FROM refits") == [(1,)]


def _figures(rows):
    from model.fitting.train import features

    return features(rows), rows["petrol_consumption"].to_numpy(float)


@pytest.mark.slow
@pytest.mark.sqlite
def test_a_version_without_refits_gets_them_by_a_job_that_gives_way(store, model, monkeypatch):
    """As of an older release: the job waits for people's, and what answers then has them without a promotion."""
    sql(store, "DELETE FROM refits")
    owner = ActiveModel(store.url)
    monkeypatch.setattr(resources, "owner", owner)
    monkeypatch.setattr(owner, "dispatcher", dispatcher_of(store))
    monkeypatch.setattr(resources, "dispatch_jobs", lambda _: None)  # nothing begins before all have asked
    without = owner.current()
    assert without.refits is None
    resources.request_refits(without)
    resources.request_refits(without)
    asked = jobs.submit(store, "Ann", 1, ["mean"])
    mine, apps = jobs.list_open_jobs(store)
    assert (mine.id, apps.visitor, apps.request.algorithms) == (asked, THE_APP, ())
    assert ended(store, apps.id).state == "done"
    assert jobs.find_last_ended(store).id == apps.id
    answering = owner.current()
    assert answering.version == without.version
    assert answering.refits.pool.predict(model.X) == pytest.approx(model.refits.pool.predict(model.X), abs=1e-3)
    assert owner.current() is answering
