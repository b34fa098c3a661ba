"""Many rows: pictures draw a part of them, figures are of all, and a prediction stays as quick."""

import json

import numpy as np
import pandas as pd
import pytest

from data.schema import FEATURES, ROW, TARGET
from model.answering.prediction import average_response, predict
from model.fitting.recipe import make_recipe
from model.fitting.train import N_BACKGROUND, N_SAMPLED, train
from model.judging.survey import N_DRAWN, Survey

DEFAULTS = {column.name: column.default for column in FEATURES}


def many_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    figures = {column.name: rng.choice(column.grid, n) for column in FEATURES}
    target = 300 + 500 * figures[FEATURES[3].name] + rng.normal(0, 60, n)
    return pd.DataFrame({ROW: [f"R{i}" for i in range(n)], **figures, TARGET.name: target.round()})


@pytest.fixture(scope="module")
def large():
    return train(many_rows(4 * N_BACKGROUND), make_recipe("least_squares"), n_repeats=1)


def test_few_rows_are_all_drawn_and_listed(model):
    assert Survey(model, model.rows).sample.tolist() == list(range(48))
    assert model.listed_records == model.rows.to_dict("records")


def test_of_many_rows_lists_and_the_readout_show_a_part(large):
    some = large.listed_records
    assert len(some) == N_SAMPLED
    assert some[1] == large.records[len(large.rows) // N_SAMPLED] == large.rows.to_dict("records")[40]
    assert json.dumps(some[1]) == json.dumps(large.records[40])


def test_of_many_rows_a_part_is_drawn_always_with_those_that_pull_the_line(large):
    survey = Survey(large, large.rows)
    assert len(survey.at_random) == N_DRAWN
    assert N_DRAWN <= len(survey.sample) <= N_DRAWN + 10
    assert len(set(survey.sample)) == len(survey.sample)
    assert set(np.argsort(survey.regression.cook)[-10:]) <= set(survey.sample)
    assert survey.sample.tolist() == Survey(large, large.rows).sample.tolist()
    assert survey.statistics.loc[TARGET.name, "mean"] == pytest.approx(large.rows[TARGET.name].mean())


def test_the_average_response_of_a_straight_line_is_a_straight_line(large):
    at = np.linspace(5, 10, 7)
    response = average_response(large, large.X[:50], 0, at)
    slope = large.pipeline[-1].coef_[0] / large.pipeline[0].scale_[0]
    np.testing.assert_allclose(np.diff(response), slope * np.diff(at))
    rows = large.X[:50].copy()
    rows[:, 0] = at[3]
    assert response[3] == pytest.approx(large.pipeline.predict(rows).mean())


def test_settings_are_as_far_apart_as_every_pair_of_them_says(large):
    """Of copies one counts: their nearest other is not at 0."""
    Z = np.unique(np.vstack([large.X, large.X[:50]]), axis=0) / large.scale
    apart = np.sqrt(((Z[:, None] - Z) ** 2).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    np.testing.assert_allclose(np.sort(large.spacing), np.sort(apart.min(axis=1)))


def test_contributions_still_add_up_against_a_part_of_many_rows(large):
    answer = predict(large, DEFAULTS, with_reasons=True)
    assert sum(answer.reasons.contributions.values()) == pytest.approx(answer.value - answer.reasons.base)
    assert len(large.background) == N_SAMPLED
    assert answer.reasons.base == pytest.approx(large.pipeline.predict(large.background).mean())
