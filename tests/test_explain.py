"""Contributions: the axioms of Shapley values, a closed form, and an independent oracle."""

from functools import cache
from itertools import permutations

import numpy as np
import pytest

from model.answering.explain import coalition_rows, shapley_values
from model.answering.prediction import predict_rows

RANDOM = np.random.default_rng(3)
BACKGROUND = RANDOM.normal(size=(30, 4))
POINT = RANDOM.normal(size=4)


def contributions_of(function, x=POINT, background=BACKGROUND):
    return shapley_values(function(coalition_rows(x, background)), len(x))


def wild(X):
    return np.sin(X[:, 0] * X[:, 1]) + np.exp(X[:, 2]) * (X[:, 3] > 0)


def test_contributions_add_up_to_the_prediction_minus_the_average():
    average, contributions = contributions_of(wild)
    assert average == pytest.approx(wild(BACKGROUND).mean())
    assert average + contributions.sum() == pytest.approx(wild(POINT[None])[0])


def test_of_a_line_each_contribution_is_its_slope_times_the_distance_from_the_mean():
    slopes = np.array([2.0, -1.0, 0.5, 3.0])
    _, contributions = contributions_of(lambda X: X @ slopes + 7)
    assert contributions == pytest.approx(slopes * (POINT - BACKGROUND.mean(axis=0)))


def test_an_input_that_the_model_ignores_contributes_nothing():
    _, contributions = contributions_of(lambda X: X[:, 0] * X[:, 3])
    assert contributions[1:3] == pytest.approx([0, 0], abs=1e-15)


def test_inputs_that_play_the_same_part_get_the_same_share():
    x = np.array([0.4, 0.4, 1, 2])
    background = BACKGROUND.copy()
    background[:, 1] = background[:, 0]
    _, contributions = contributions_of(lambda X: X[:, 0] * X[:, 1] * X[:, 2], x, background)
    assert contributions[0] == pytest.approx(contributions[1])


def test_contributions_of_a_sum_of_models_are_the_sums():
    first, second = (contributions_of(f)[1] for f in (wild, lambda X: X[:, 0] ** 2))
    _, both = contributions_of(lambda X: wild(X) + X[:, 0] ** 2)
    assert both == pytest.approx(first + second)


def test_the_shipped_models_contributions_are_the_average_over_all_orders(model):
    """Of learning the inputs one after another, which is what defines a Shapley value."""
    x, orders = np.array([9.0, 3571.0, 1976.0, 0.525]), list(permutations(range(4)))

    @cache
    def value(known):
        return model.pipeline.predict(np.where([column in known for column in range(4)], x, model.X)).mean()

    expected = np.zeros(4)
    for order in orders:
        for place, column in enumerate(order):
            before, after = frozenset(order[:place]), frozenset(order[: place + 1])
            expected[column] += (value(after) - value(before)) / len(orders)
    average, contributions = shapley_values(predict_rows(model, coalition_rows(x, model.X)), 4)
    assert average == pytest.approx(value(frozenset()))
    assert contributions == pytest.approx(expected, abs=1e-9)


@pytest.mark.slow
@pytest.mark.soak
def test_the_shipped_models_contributions_are_shaps(model):
    """Oracle: shap's exact explainer with the same 48 rows as background."""
    shap = pytest.importorskip("shap", reason="shap has no wheels for this platform")
    x = np.array([9.0, 3571.0, 1976.0, 0.525])
    explainer = shap.explainers.Exact(model.pipeline.predict, shap.maskers.Independent(model.X, max_samples=48))
    oracle = explainer(x[None])
    average, contributions = shapley_values(predict_rows(model, coalition_rows(x, model.X)), 4)
    assert average == pytest.approx(float(np.ravel(oracle.base_values)[0]))
    assert contributions == pytest.approx(oracle.values[0], abs=1e-9)
