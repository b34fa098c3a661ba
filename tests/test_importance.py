"""Permutation importance: scikit-learn's own on the same folds, and what must hold for any model."""

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import RepeatedKFold

from data.schema import FEATURE_NAMES, TARGET
from model.fitting.evaluate import out_of_fold
from model.fitting.importance import KINDS, importances, losses_of, predictions_and_losses
from model.fitting.scores import Estimate
from model.fitting.train import features


@pytest.fixture(scope="module")
def data(rows):
    return features(rows), rows[TARGET.name].to_numpy(float)


@pytest.mark.slow
def test_the_mean_loss_is_scikit_learns_on_the_same_folds(data):
    """Its random exchanges leave a row its own value once in n_test times: hence the factor."""
    X, y = data
    rises = np.zeros(len(FEATURE_NAMES))
    for train, test in RepeatedKFold(n_splits=5, n_repeats=2, random_state=0).split(X):
        fitted = LinearRegression().fit(X[train], y[train])
        found = permutation_importance(
            fitted, X[test], y[test], scoring="neg_mean_squared_error", n_repeats=100, random_state=1
        )
        rises += found.importances_mean * len(test) * len(test) / (len(test) - 1) / (2 * len(y))
    kept = out_of_fold(LinearRegression(), X, y, n_repeats=2, keep=predictions_and_losses)
    recorded = losses_of(kept, y)
    for name, rise in zip(FEATURE_NAMES, rises, strict=True):
        ours = np.mean(recorded[name]) - np.mean(recorded["plain"])
        assert ours == pytest.approx(rise, rel=0.05, abs=100)


def test_up_to_fifty_rows_it_is_every_exchange(data):
    X, y = data
    fitted = LinearRegression().fit(X, y)
    losses = predictions_and_losses(fitted, X, y)[:, 1:]
    for feature in range(X.shape[1]):
        for row in (0, 31, 47):
            others = np.tile(X[row], (47, 1))
            others[:, feature] = np.delete(X[:, feature], row)
            assert losses[row, feature] == pytest.approx(((y[row] - fitted.predict(others)) ** 2).mean())


def test_an_input_that_the_model_ignores_matters_exactly_nothing(data):
    X, y = data
    fitted = LinearRegression().fit(X * [1, 1, 0, 1], y)
    recorded = losses_of(predictions_and_losses(fitted, X * [1, 1, 0, 1], y)[None], y)
    assert importances(recorded, np.arange(48))[FEATURE_NAMES[2]] == Estimate(0, 0)


def test_the_record_of_the_kept_model_is_judged_the_same_way(model, data):
    """In sample: the pipeline's own predictions with one column exchanged, by brute force."""
    X, y = data
    plain = np.sqrt(((y - model.pipeline.predict(X)) ** 2).mean())
    found = importances(model.importance["in_sample"], np.arange(48))
    feature = 3
    versions = np.repeat(X, 48, axis=0).reshape(48, 48, 4)
    versions[:, :, feature] = X[:, feature]
    errors = (y[:, None] - model.pipeline.predict(versions.reshape(-1, 4)).reshape(48, 48)) ** 2
    np.fill_diagonal(errors, 0)
    shuffled = np.sqrt(errors.sum() / (48 * 47))
    assert found[FEATURE_NAMES[feature]].value == pytest.approx(shuffled - plain, rel=1e-4)


def test_held_out_it_is_the_rise_of_the_recorded_score(model):
    recorded, scored = model.importance["held_out"], model.metadata.scores["model"].rmse.value
    assert np.sqrt(np.mean(recorded["plain"])) == pytest.approx(scored, rel=1e-5)


def test_the_model_leans_most_on_licences_and_least_on_highways(model):
    for kind in KINDS:
        rises = {name: rise.value for name, rise in importances(model.importance[kind], range(48)).items()}
        assert max(rises, key=rises.get) == FEATURE_NAMES[3]
        assert min(rises, key=rises.get) == FEATURE_NAMES[2]


def test_the_standard_error_is_the_bootstraps(model):
    recorded = model.importance["held_out"]
    found = importances(recorded, np.arange(48))
    rng = np.random.default_rng(0)
    draws = [importances(recorded, rng.integers(48, size=48)) for _ in range(600)]
    for name in FEATURE_NAMES:
        spread = np.std([draw[name].value for draw in draws])
        assert found[name].standard_error == pytest.approx(spread, rel=0.15)


def test_a_choice_of_rows_is_judged_by_those_rows_alone(model):
    recorded = model.importance["held_out"]
    places = [3, 8, 40]
    chosen = {name: errors[places] for name, errors in recorded.items()}
    assert importances(recorded, places) == importances(chosen, range(3))


def test_a_target_that_never_varies_has_importances_of_nought(data):
    X, y = data
    recorded = losses_of(predictions_and_losses(LinearRegression().fit(X, y * 0), X, y * 0)[None], y * 0)
    rises = importances({name: np.zeros(48) for name in recorded}, range(48))
    assert all(rise == Estimate(0, 0) for rise in rises.values())
