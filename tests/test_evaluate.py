"""Scores and what tells two models apart: laws, hand-worked figures, and an independent oracle."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.base import BaseEstimator, RegressorMixin

from data.schema import TARGET
from model.fitting.evaluate import n_repeats_for, out_of_fold
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.scores import Difference, compare_mae, score_predictions
from model.fitting.train import features

RANDOM = np.random.default_rng(5)


class Memory(RegressorMixin, BaseEstimator):
    """Answers what it has seen to the last bit, and nan for what it has not."""

    def fit(self, X, y):
        self.seen_ = {tuple(x): value for x, value in zip(X, y, strict=True)}
        return self

    def predict(self, X):
        return np.array([self.seen_.get(tuple(x), math.nan) for x in X])


def test_no_row_is_predicted_by_a_fit_that_has_seen_it(rows):
    predictions = out_of_fold(Memory(), features(rows), rows[TARGET.name].to_numpy(), n_repeats=3)
    assert predictions.shape == (3, 48)
    assert np.isnan(predictions).all()


@pytest.mark.slow
def test_equal_seeds_give_equal_folds_however_many_processes_work(rows):
    X, y = features(rows), rows[TARGET.name].to_numpy()
    unfitted = build_pipeline(make_recipe("forest", {"n_estimators": 5}))
    alone, together = (out_of_fold(unfitted, X, y, n_repeats=2, n_jobs=n_jobs) for n_jobs in (1, 2))
    assert (alone == together).all()
    assert (alone != out_of_fold(unfitted, X, y, n_repeats=2, seed=1)).any()


def test_progress_is_told_after_every_fold(rows):
    told = []
    out_of_fold(
        build_pipeline(make_recipe("mean")),
        features(rows),
        rows[TARGET.name].to_numpy(),
        n_repeats=2,
        progress=lambda *a: told.append(a),
    )
    assert told == [(done, 10) for done in range(1, 11)]


def test_scores_of_a_hand_worked_case():
    y = np.array([1.0, 2.0, 3.0, 6.0])
    figures = score_predictions(y, np.array([[1.0, 2.0, 3.0, 2.0], [1.0, 2.0, 3.0, 10.0]]), np.arange(4))
    assert figures.mae.value == 1
    assert figures.rmse.value == 2
    assert figures.r2.value == pytest.approx(1 - 4 / 3.5)


def test_the_standard_error_of_the_mean_error_is_the_textbook_one():
    y = RANDOM.normal(size=400)
    figures = score_predictions(y, np.zeros((1, 400)), np.arange(400))
    assert figures.mae.standard_error == pytest.approx(np.abs(y).std(ddof=1) / 20, rel=0.05)


def test_perfect_predictions_score_perfectly_and_a_difference_has_a_sign():
    y = RANDOM.normal(size=20)
    perfect, poor, groups = np.tile(y, (2, 1)), np.tile(y + 1, (2, 1)), np.arange(20)
    assert score_predictions(y, perfect, groups).r2.value == 1
    assert compare_mae(y, perfect, poor, groups).value == pytest.approx(-1)
    assert compare_mae(y, poor, perfect, groups).value == pytest.approx(1)


def test_the_interval_of_a_difference_is_nadeau_and_bengios():
    """Worked from the paper's formula for J = 50 folds and n2 / n1 = 1 / 4, fold by fold."""
    from sklearn.model_selection import RepeatedKFold

    y, one, other = RANDOM.normal(size=40), *RANDOM.normal(size=(2, 10, 40))
    by_fold = [
        np.mean(np.abs(y[test] - one[i // 5, test]) - np.abs(y[test] - other[i // 5, test]))
        for i, (_, test) in enumerate(RepeatedKFold(n_splits=5, n_repeats=10, random_state=0).split(y))
    ]
    error = np.sqrt((1 / 50 + 8 / 32) * np.var(by_fold, ddof=1))
    found = compare_mae(y, one, other, np.arange(40))
    assert found.value == pytest.approx(np.mean(by_fold))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.9, 49, np.mean(by_fold), error))
    swapped = compare_mae(y, other, one, np.arange(40))
    assert [swapped.value, swapped.low, swapped.high] == pytest.approx([-found.value, -found.high, -found.low])


def test_the_verdict_needs_the_whole_interval_on_one_side():
    for low, high, expected in ((-2, -1, -1), (-2, 1, 0), (1, 2, 1), (0, 0, 0)):
        assert Difference(0, low, high).verdict == expected


def test_many_rows_are_split_anew_less_often():
    assert [n_repeats_for(n) for n in (10, 48, 2000, 4000, 20_000, 10**6)] == [10, 10, 10, 5, 1, 1]
