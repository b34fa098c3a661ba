"""Many rows: what is kept in less room or worked out once is what it would be otherwise."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from data.load import fingerprint
from data.schema import FEATURE_NAMES, FEATURES, ROW, TARGET
from model.answering.change import predict_change
from model.answering.neighbours import curve_distances, nearest_rows
from model.answering.prediction import curve_rows, predict
from model.fitting import evaluate
from model.fitting.evaluate import groups_of
from model.fitting.importance import losses_of, predictions_and_losses
from model.fitting.interval import LEVELS, half_width
from model.fitting.recipe import make_recipe
from model.fitting.scores import score_predictions
from model.fitting.train import N_SAMPLED, train
from model.store import history, versions
from pages.shared import what_if
from pages.shared.controls import Inputs
from tests.test_survey import many_rows

DEFAULTS = {column.name: column.default for column in FEATURES}


@pytest.fixture(scope="module")
def large():
    return train(many_rows(6000, seed=4), make_recipe("histogram_boosting", {"max_iter": 20}))


@pytest.mark.slow
def test_a_fingerprint_is_of_the_whole_text_however_many_rows():
    """Across the border of a part, with names that need quotation marks, negative zeros and numbers of 17 digits."""
    rows = many_rows(120_001)
    rows[ROW] = [f'a "{i}", b' if i % 7 else "Ü\nx" for i in range(len(rows))]
    rows[FEATURES[0].name] *= np.random.default_rng(0).uniform(0.9, 1.1, len(rows))
    rows.loc[[0, 5, 70_000], FEATURES[1].name] = -0.0
    rows.loc[[1, 6, 70_001], FEATURES[1].name] = 0.0
    for some in (rows, rows.head(50_000), rows.head(3), rows.head(0)):
        text = some.to_csv(index=False, lineterminator="\n", float_format="%.17g")
        assert fingerprint(some) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.slow
@pytest.mark.postgresql
def test_what_is_stored_row_by_row_comes_back_exactly(store, large):
    with store.writing() as connection:
        data_set = versions.add_data_set(connection, large.rows, "many")
        number = versions.add_version(connection, large, data_set, by="a test")
    again = versions.load_version(store, number)
    assert again.predictions.dtype == float
    assert (again.predictions == large.predictions).all()
    for kind, by_input in large.importance.items():
        for name, errors in by_input.items():
            assert (again.importance[kind][name] == errors).all()
    assert score_predictions(again.y, again.predictions, again.groups) == large.metadata.scores["model"]
    history.promote(store, number, "Ann", "more rows")
    assert predict(again, DEFAULTS).to_record() == predict(large, DEFAULTS).to_record()


def test_errors_of_many_rows_are_kept_to_seven_digits_and_of_few_as_a_file_has_them(large, rows):
    kept = predictions_and_losses(large.pipeline, large.X, large.y)[None]
    recorded = losses_of(kept, large.y)
    for name, errors in zip(FEATURE_NAMES, kept[0, :, 1:].T, strict=True):
        assert recorded[name].dtype == np.float32
        np.testing.assert_allclose(recorded[name], errors, rtol=6e-8)
    few = losses_of(kept[:, :48], large.y[:48])
    for losses in few.values():
        assert losses.tolist() == [float(f"{value:.6g}") for value in losses]
        assert json.loads(json.dumps(losses.tolist())) == losses.tolist()


def test_sizes_that_were_sorted_once_give_the_interval_of_the_errors(large):
    errors = large.y - large.predictions
    for level in (0.31, *LEVELS):
        width = half_width(errors, level)
        answer = predict(large, DEFAULTS, level)
        assert (answer.low, answer.high) == (answer.value - width, answer.value + width)


def test_contributions_are_against_a_fixed_sample_of_the_rows_and_add_up(large):
    again = replace(large)
    assert (large.background == again.background).all()
    assert len({tuple(row) for row in large.background}) == N_SAMPLED
    assert {tuple(row) for row in large.background} <= {tuple(row) for row in large.X}
    for x in large.X[::997]:
        answer = predict(large, dict(zip(FEATURE_NAMES, x.tolist(), strict=True)), with_reasons=True)
        assert answer.reasons.base == pytest.approx(large.pipeline.predict(large.background).mean())
        assert sum(answer.reasons.contributions.values()) == pytest.approx(answer.value - answer.reasons.base, abs=1e-9)


def test_the_page_says_how_large_the_sample_is_and_nothing_where_it_is_all_rows(large, model):
    assert what_if._sample(large) == f"The average is over a fixed random sample of {N_SAMPLED} of the 6,000 states."
    assert what_if._sample(model) == ""


def test_a_move_sends_no_more_than_with_the_shipped_rows(large, model, monkeypatch):
    sent = []
    monkeypatch.setattr(what_if, "make_component", lambda _: lambda data, **_: sent.append(len(data)))
    for one in (large, model):
        inputs, answer = Inputs(0, 0, DEFAULTS, "", 0.9), predict(one, DEFAULTS)
        what_if.draw_what_if(one, inputs, answer, predict_change(one, DEFAULTS, DEFAULTS), "", what_if._rows(one)["id"])
    assert sent[0] < 1.1 * sent[1]


def test_the_nearest_rows_are_those_of_every_pair(large):
    rng = np.random.default_rng(2)
    scenarios = np.column_stack([rng.uniform(column.low, column.high, 40) for column in FEATURES])
    places, distances = nearest_rows(large, scenarios, 3)
    apart = np.linalg.norm((large.X - scenarios[:, None]) / large.scale, axis=2)
    np.testing.assert_allclose(distances, np.sort(apart, axis=1)[:, :3])
    np.testing.assert_allclose(np.take_along_axis(apart, places, axis=1), distances)
    answer = predict(large, dict(zip(FEATURE_NAMES, scenarios[0].tolist(), strict=True)))
    assert [near.name for near in answer.nearest] == large.rows[ROW].iloc[places[0]].tolist()
    assert [large.records[near.index][ROW] for near in answer.nearest] == [near.name for near in answer.nearest]


def test_distances_along_a_curve_are_those_of_its_points(large):
    grids = {i: np.array(column.grid) for i, column in enumerate(FEATURES)}
    for x in (large.X[0], large.X.min(axis=0), np.array([column.high for column in FEATURES])):
        for points, distances in zip(curve_rows(x, grids), curve_distances(large, x, grids), strict=True):
            np.testing.assert_allclose(distances, nearest_rows(large, points)[1][:, 0], atol=1e-9)


def test_a_row_is_the_same_dictionary_as_all_rows_at_once(large):
    whole = large.rows.to_dict("records")
    for place in (0, 17, 5999):
        found = large.records[place]
        assert found == whole[place]
        assert {type(value) for value in found.values()} == {str, float}


def test_standard_errors_from_groups_of_rows_are_those_from_rows(monkeypatch):
    rng = np.random.default_rng(8)
    y = rng.normal(500, 100, 20_000)
    predictions = (y + rng.standard_t(5, 20_000) * 40)[None]
    groups = groups_of(y[:, None], y)
    single = score_predictions(y, predictions, groups)
    monkeypatch.setattr("model.fitting.scores._N_GROUPED", 19_999)
    grouped = score_predictions(y, predictions, groups)
    exact = np.abs(y - predictions[0]).std() / np.sqrt(20_000)
    for name in ("mae", "rmse", "r2"):
        assert getattr(grouped, name).value == getattr(single, name).value
        assert getattr(grouped, name).standard_error == pytest.approx(getattr(single, name).standard_error, rel=0.2)
    assert grouped.mae.standard_error == pytest.approx(exact, rel=0.08)


def test_a_target_that_never_varies_has_no_share_explained_in_groups_either(monkeypatch):
    monkeypatch.setattr("model.fitting.scores._N_GROUPED", 2000)
    figures = score_predictions(np.full(3000, 500.0), np.full((1, 3000), 490.0), np.arange(3000))
    assert (figures.mae.value, figures.mae.standard_error) == (10, pytest.approx(0, abs=1e-9))
    assert np.isfinite([figures.r2.value, figures.r2.standard_error]).all()


def test_scores_of_many_rows_are_of_all_of_them(large):
    error = large.y - large.predictions
    assert large.predictions.shape == (evaluate.n_repeats_for(6000), 6000)
    assert large.metadata.scores["model"].mae.value == pytest.approx(np.abs(error).mean())
    assert (large.rows[TARGET.name] == large.y).all()
