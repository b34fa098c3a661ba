"""Evidence: figures worked out anew from the predictions, and words that follow from them."""

from dataclasses import replace

import numpy as np
import pytest

from data.schema import FEATURE_NAMES, FEATURES
from model.answering.prediction import predict_rows
from model.fitting.algorithms import ALGORITHMS
from model.fitting.evaluate import out_of_fold
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.scores import Difference, compare_mae
from model.fitting.train import features, train
from model.judging.card import export_version, write_card
from model.judging.evidence import Evidence, gather_evidence
from model.judging.ranking import comparable_versions, rank_versions
from model.store import history, versions
from pages.shared.pictures import evidence_charts
from pages.shared.words import verdicts

DEFAULTS = {column.name: column.default for column in FEATURES}


@pytest.fixture(scope="module")
def store(rows, tmp_path_factory):
    """Return a store with version 1 as shipped, a ridge and a line on the same rows, and a ridge on fewer rows."""
    store = history.open_store(f"sqlite:///{tmp_path_factory.mktemp('evidence')}/store.db")
    with store.writing() as connection:
        for algorithm in ("ridge", "least_squares"):
            versions.add_version(connection, train(rows, make_recipe(algorithm)), 1, by="a test", job_id=None)
        fewer = train(rows.iloc[3:].reset_index(drop=True), make_recipe("ridge"))
        versions.add_version(connection, fewer, 1, by="a `test`", excluded=[0, 1, 2])
    return store


@pytest.fixture(scope="module")
def found(store):
    """Return the evidence on the ridge against the shipped forest."""
    return gather_evidence(store, versions.load_version(store, 2), versions.load_version(store, 1))


def test_both_are_judged_on_the_same_rows_and_folds(found, rows, model):
    X, y = features(rows), rows["petrol_consumption"].to_numpy()
    own, rival = out_of_fold(build_pipeline(make_recipe("ridge")), X, y), model.predictions
    np.testing.assert_array_equal(found.own, own)
    np.testing.assert_array_equal(found.rival, rival)
    assert found.scores["candidate"].mae.value == pytest.approx(np.abs(y - own).mean())
    assert found.scores["active"].rmse.value == pytest.approx(np.sqrt(((y - rival) ** 2).mean()))
    assert list(found.scores) == ["candidate", "active", "least_squares", "mean"]
    assert found.difference == compare_mae(y, own, rival, np.arange(48))
    np.testing.assert_allclose(found.residuals["active"], (y - rival).mean(axis=0))


def test_on_other_rows_nothing_is_compared_that_was_not_evaluated_on_them(store):
    other = gather_evidence(store, versions.load_version(store, 4), versions.load_version(store, 1))
    assert other.rival is None
    assert list(other.scores) == ["candidate", "least_squares", "mean"]
    assert "was not evaluated on these 45 states" in verdicts.headline(other)
    assert verdicts.list_objections(other) == [
        "it was never compared with the active model",
        "it was trained on other data, 45 states instead of 48",
    ]


def test_what_would_move_is_what_both_models_answer(found, rows):
    before, after = found.moves
    np.testing.assert_array_equal(before, predict_rows(found.active, features(rows)))
    np.testing.assert_array_equal(after, predict_rows(found.candidate, features(rows)))
    now, then = found.answers(DEFAULTS)
    for name, (grid, old, new) in found.curves(DEFAULTS).items():
        at = int(np.argmin(np.abs(grid - DEFAULTS[name])))
        assert (old[at], new[at]) == pytest.approx((now, then))


def test_a_model_against_itself_changes_nothing(store):
    same = gather_evidence(store, versions.load_version(store, 1), versions.load_version(store, 1))
    assert same.is_active
    assert "nothing to compare it with" in verdicts.headline(same)
    assert same.difference == Difference(0, 0, 0)
    twin = Evidence(versions.load_version(store, 2), versions.load_version(store, 2), same.own)
    assert twin.is_same_model


@pytest.mark.parametrize(
    ("shift", "words", "against"),
    [(-30, "**misses by less**", 0), (0, "**cannot be told apart** on 48 states", 0), (60, "**misses by more**", 1)],
)
def test_the_headline_and_the_tick_follow_the_interval(found, shift, words, against):
    """A candidate whose errors are the active one's, all larger or smaller by nearly the same."""
    y = found.candidate.y
    errors = np.abs(y - found.rival) + shift + np.random.default_rng(1).normal(size=found.rival.shape)
    candidate = replace(found.candidate, predictions=y + np.abs(errors) if shift else found.rival)
    judged = Evidence(candidate, found.active, found.rival)
    assert words in verdicts.headline(judged)
    assert len(verdicts.list_objections(judged)) == against
    assert "gallons per person per year, 90 % interval" in verdicts.headline(judged)


def test_candidates_stand_in_the_order_of_their_miss_and_the_first_ties_with_itself(store, found):
    everything = versions.list_versions(store)
    assert [one.id for one in comparable_versions(everything, 2, 1)] == [1, 2, 3]
    assert [one.id for one in comparable_versions(everything, 4, 1)] == [4]
    judged = rank_versions(store, comparable_versions(everything, 2, 1))
    table = judged.table
    errors = [one.scores.mae.value for one in table]
    assert errors == sorted(errors)
    assert table[0].is_tied
    assert table[0].difference.value == 0
    assert verdicts.tie_in_words(judged, 48).startswith(
        "No clear winner: on 48 states the differences are within chance."
    )
    assert (
        f"Chosen as the best of 3, {ALGORITHMS[table[0].algorithm].label} can be expected to miss by"
        in verdicts.tie_in_words(judged, 48)
    )
    assert judged.preferred(active=1) == 1  # which ties with the best
    figure = evidence_charts.draw_ranking(table)
    assert list(figure.data[0].x) == errors
    assert len(figure.layout.shapes) == 3
    lines = verdicts.tabulate_ranking(judged, 1, versions.read_version(store, 2).metadata.scores["mean"])
    assert [line["Version"].split(",")[0] for line in lines[-2:]] == ["**Version 3**", "Always the average"]
    assert any("(active)" in line["Version"] for line in lines)


def test_pictures_show_every_row_by_name_with_units(found, rows):
    observed = evidence_charts.draw_observed(found)
    assert [trace.name for trace in observed.data] == ["Version 1 (active)", "Version 2"]
    assert list(observed.data[1].y) == rows["petrol_consumption"].tolist()
    np.testing.assert_allclose(observed.data[1].x, found.own.mean(axis=0))
    assert list(observed.data[1].customdata[:2]) == ["Maine", "New Hampshire"]
    assert sum(bool(text) for text in observed.data[1].text) == 4
    errors = evidence_charts.draw_residuals(found)
    np.testing.assert_allclose(errors.data[1].y, found.residuals["candidate"])
    panels = evidence_charts.draw_curves(found, DEFAULTS)
    assert len(panels.data) == 3 * len(FEATURE_NAMES)
    moved = evidence_charts.draw_moves(found)
    np.testing.assert_allclose(sorted(moved.data[0].y), sorted(found.moves[1] - found.moves[0]))
    for picture in (observed, errors, panels, moved):
        assert "gallons per person per year" in picture.to_json()


def test_the_card_says_all_that_the_sidecar_does_in_words(store, found):
    text = write_card(versions.read_version(store, 2), found.candidate, history.list_promotions(store))
    for part in (
        "# Version 2: ridge", "48 states", found.candidate.metadata.data.sha256, "penalty 3 (alpha)", "seed 0",
        "least squares", "always the average", "neither fit nor width it held", "cents per gallon", "scikit-learn",
        "asked for by `a test`",
        found.candidate.metadata.model_sha256, "cannot be told apart from least squares",
        "30 refits each of least squares, gradient boosting, Gaussian process and random forest on resampled states",
        "97 (straight, 48 rows)", "83 (steps, 200 rows) of 100 changes",
    ):  # fmt: skip
        assert part in text, part
    assert "Promoted" not in text
    assert "Promoted" in write_card(versions.read_version(store, 1), found.active, history.list_promotions(store))
    fewer = write_card(versions.read_version(store, 4), versions.load_version(store, 4), [])
    assert "45 states of 48; 3 left out" in fewer
    assert "asked for by `a 'test'`" in fewer


def test_what_is_exported_is_loaded_elsewhere_with_the_same_answers(store, found, tmp_path):
    from data.load import load_rows
    from model.fitting import artifact

    for name, content in export_version(
        versions.read_version(store, 2), found.candidate, [], versions.read_pipeline(store, 2)
    ).items():
        (tmp_path / name).write_bytes(content)
    loaded = artifact.load(load_rows(tmp_path / "rows.csv"), tmp_path)
    assert loaded.notice == ""
    np.testing.assert_array_equal(
        predict_rows(loaded, found.candidate.X), predict_rows(found.candidate, found.candidate.X)
    )


def test_times_and_sizes_are_said_as_people_say_them():
    assert [verdicts.format_duration(s) for s in (0.2, 8.4, 89, 100, 3600, 7200)] == [
        "1 s",
        "8 s",
        "89 s",
        "2 min",
        "60 min",
        "2.0 h",
    ]
    assert [verdicts.format_memory(b) for b in (1000, 5e6, 2.7e9)] == ["1 MB", "5 MB", "2.7 GB"]


def test_the_shipped_model_without_a_store_is_a_yardstick_too(model):
    own = Evidence(model, model, None)
    assert verdicts.scores_table(own)[0]["Model"] == "**Shipped model**, random forest"
    (dots,) = evidence_charts.draw_observed(own).data
    assert dots.name == "Shipped model"
