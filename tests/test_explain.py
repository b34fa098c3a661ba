"""Contributions: the axioms of Shapley values, a closed form, and an independent oracle."""

from functools import cache
from itertools import permutations

import numpy as np
import pytest

from data.schema import FEATURE_NAMES
from model.answering import explain
from model.answering.explain import MAX_EXACT, reason_rows, share_difference
from model.answering.prediction import predict_rows

RANDOM = np.random.default_rng(3)
BACKGROUND = RANDOM.normal(size=(30, 4))
POINT = RANDOM.normal(size=4)


def contributions_of(function, x=POINT, background=BACKGROUND):
    """Share a function's difference; return what is against, and an array of contributions."""
    question = reason_rows(x, background)
    reasons = share_difference(question, function(question.rows))
    return reasons.base, np.array([*reasons.contributions.values()])


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
    average, contributions = contributions_of(lambda X: predict_rows(model, X), x, model.X)
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
    average, contributions = contributions_of(lambda X: predict_rows(model, X), x, model.X)
    assert average == pytest.approx(float(np.ravel(oracle.base_values)[0]))
    assert contributions == pytest.approx(oracle.values[0], abs=1e-9)


def many(X):
    """Twelve inputs that act in pairs, in threes, and one that does nothing."""
    return X[:, 0] * X[:, 1] + np.sin(X[:, 2] * X[:, 3] * X[:, 4]) + X[:, 5:11] @ np.arange(1, 7) + 0 * X[:, 11]


@pytest.fixture
def twelve(monkeypatch):
    """Have a table of twelve inputs."""
    names = tuple(f"input_{number}" for number in range(12))
    monkeypatch.setattr(explain, "FEATURE_NAMES", names)
    return names


@pytest.mark.parametrize("n_others", [1, 7, 50])
def test_of_many_inputs_sampled_contributions_add_up_and_say_how_far_off_they_are(twelve, monkeypatch, n_others):
    x, others = RANDOM.normal(size=12), RANDOM.normal(size=(n_others, 12))
    question = reason_rows(x, others)
    sampled = share_difference(question, many(question.rows))
    monkeypatch.setattr(explain, "MAX_EXACT", 12)
    question = reason_rows(x, others)
    exact = share_difference(question, many(question.rows))
    difference = many(x[None])[0] - many(others).mean()
    for reasons in (sampled, exact):
        assert reasons.base == pytest.approx(many(others).mean())
        assert sum(reasons.contributions.values()) == pytest.approx(difference, abs=1e-9)
    assert exact.sampling_error == 0
    off = [abs(sampled.contributions[name] - exact.contributions[name]) for name in twelve]
    assert 0 < max(off) < 4 * sampled.sampling_error
    assert sampled.contributions["input_11"] == pytest.approx(0, abs=1e-12)


def test_only_the_inputs_that_differ_are_asked_about(twelve):
    x = RANDOM.normal(size=12)
    start = x.copy()
    start[[0, 1, 6]] += 1
    question = reason_rows(x, start[None])
    assert len(question.rows) == 2**3
    reasons = share_difference(question, many(question.rows))
    assert reasons.sampling_error == 0
    assert {name for name, value in reasons.contributions.items() if value} == {"input_0", "input_1", "input_6"}
    assert len(reason_rows(x, x[None]).rows) == 1


def test_a_record_names_the_sampling_error_only_where_there_is_one():
    question = reason_rows(POINT, BACKGROUND)
    record = share_difference(question, wild(question.rows)).to_record("average")
    assert set(record) == {"average", "contributions"}
    assert set(record["contributions"]) == set(FEATURE_NAMES)
    assert MAX_EXACT == 8
