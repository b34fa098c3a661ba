"""A training in the background gives what the same training in the foreground gives, or a clear reason."""

import numpy as np
import pytest

from model.answering.prediction import predict_rows
from model.fitting import evaluate
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import features, train
from model.judging.evidence import gather_evidence
from model.queue import jobs
from model.store import history, versions
from model.store.tables import DATA_SET, EVALUATION, MODEL_VERSION
from tests.stores import change, ended, run, sql

pytestmark = pytest.mark.slow
FEW = {"n_estimators": 5}


def keep(store, rows):
    with store.writing() as connection:
        return versions.add_data_set(connection, rows, "a file")


def newest(store):
    return versions.load_version(store, versions.list_versions(store)[-1].id)


def assert_equal(one, other):
    """Every figure is equal to the last bit."""
    for name in ("recipe", "data", "folds", "scores", "mae_difference", "probes"):
        assert getattr(one.metadata, name) == getattr(other.metadata, name), name
    assert (one.predictions == other.predictions).all()
    for kind in one.importance:
        for name, values in one.importance[kind].items():
            assert (np.array(values) == other.importance[kind][name]).all()
    X = np.vstack([one.X, one.X * 1.01])
    assert (predict_rows(one, X) == predict_rows(other, X)).all()


def test_a_training_gives_what_it_gives_in_the_foreground_and_a_second_one_evaluates_nothing(store, rows):
    asked = [jobs.submit(store, by, 1, ["forest"], parameters=FEW, seed=3, by=by) for by in ("Ann", "Bob")]
    job, again = (ended(store, number) for number in asked)  # one process does both
    assert (job.state, job.done, job.total, job.message) == ("done", 70, 70, "")
    assert (again.state, again.done, again.total) == ("done", 0, 0)
    kept = versions.list_versions(store)[1]
    assert (kept.job_id, kept.created_by, kept.rival_id, kept.shipped) == (job.id, "Ann", 1, None)
    assert history.find_active(store) == (1, 1)  # nothing is promoted by being trained
    first, second = versions.load_version(store, kept.id), newest(store)
    assert_equal(first, train(rows, make_recipe("forest", FEW, 3)))
    assert second.version > first.version
    assert_equal(second, first)
    shipped = versions.load_version(store, 1)
    for each in (first, second):
        assert (gather_evidence(store, each, shipped).rival == shipped.predictions).all()
    assert sql(store, "SELECT count(*) FROM evaluation") == [(2,)]


@pytest.mark.postgresql
def test_the_rival_is_the_active_recipe_evaluated_on_the_same_rows(store, rows):
    active = train(rows, make_recipe("extra_trees", FEW, 5), n_repeats=1)
    with store.writing() as connection:
        number = versions.add_version(connection, active, 1, by="Ann")
    history.promote(store, number, "Ann", "smoother")
    with store.writing() as connection:
        broken = versions.add_version(connection, active, 1, by="Ann")
    history.promote(store, broken, "Ann", "which then cannot be used")
    change(store, MODEL_VERSION, broken, broken="Its bytes are not those that were stored.")
    data_set = keep(store, rows.assign(petrol_tax=rows.petrol_tax + 0.25))
    asked = [jobs.submit(store, each, data_set, [each], excluded=(2, 30)) for each in ("ridge", "mean")]
    job, another = (ended(store, number) for number in asked)  # one process does both
    assert (job.state, job.done, job.total) == ("done", 120, 120)
    assert another.total == 70  # the rival is not evaluated again
    kept = versions.list_versions(store)[-2]
    assert (kept.rival_id, kept.excluded, kept.data_set.id) == (number, (2, 30), data_set)
    used = versions.read_rows(store, data_set, (2, 30))
    assert len(used) == 46
    unfitted = build_pipeline(make_recipe("extra_trees", FEW, 5))
    expected = evaluate.out_of_fold(unfitted, features(used), used["petrol_consumption"].to_numpy(float))
    active = versions.load_version(store, number)
    for each in (kept.id, newest(store).version):
        assert (gather_evidence(store, versions.load_version(store, each), active).rival == expected).all()


def test_all_that_are_compared_are_kept(store, rows):
    job = run(store, 1, ["least_squares", "ridge", "mean"])
    assert (job.state, job.done, job.total, job.message) == ("done", 210, 210, "")
    kept = versions.list_versions(store)[1:]
    assert [version.recipe.algorithm for version in kept] == ["least_squares", "ridge", "mean"]
    assert all(version.trained_on == kept[0].trained_on for version in kept)
    assert {version.job_id for version in kept} == {job.id}
    assert_equal(versions.load_version(store, kept[1].id), train(rows, make_recipe("ridge")))


def test_rows_that_nothing_can_be_learned_of_or_that_are_not_what_was_stored_are_told(store, rows):
    constant_target = keep(store, rows.assign(petrol_consumption=500.0))
    constant_input = keep(store, rows.assign(petrol_tax=7.0))
    damaged = keep(store, rows.iloc[1:])
    change(store, DATA_SET, damaged, parquet=b"\0")
    reasons = {  # one worker does all of them, one after the other
        jobs.submit(store, "a", constant_target, ["ridge"]): "petrol_consumption: all 48 states have the value 500",
        jobs.submit(store, "b", constant_input, ["ridge"]): "petrol_tax: all 48 states have the value 7.0",
        jobs.submit(store, "c", 1, ["ridge"], excluded=range(48)): "0 states are too few for 5 folds. Give at least 10",
        jobs.submit(
            store, "d", damaged, ["ridge"]
        ): f"The rows of data set {damaged} are not the ones that were stored.",
    }
    for number, reason in reasons.items():
        job = ended(store, number)
        assert job.state == "failed"
        assert job.message.startswith(reason)
    assert len(versions.list_versions(store)) == 1


def test_a_broken_version_does_not_hinder_a_training_of_its_recipe_or_beside_it(store, rows):
    assert run(store, 1, ["ridge"]).total == 70
    broken = versions.list_versions(store)[-1].id
    history.promote(store, broken, "Ann", "better")
    change(store, MODEL_VERSION, broken, arrays=b"\0")
    change(store, EVALUATION, 2, predictions=b"\0")
    asked = {jobs.submit(store, each, 1, [each]): total for each, total in (("mean", 120), ("ridge", 70))}
    for number, total in asked.items():
        job = ended(store, number)
        assert (job.state, job.total, job.message) == ("done", total, "")
    assert_equal(newest(store), train(rows, make_recipe("ridge")))
