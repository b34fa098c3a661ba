"""The answer: equal to the trained pipeline, monotone where it must be, and honest about its distance from data."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.answering.neighbours import classify_support
from model.answering.prediction import Scenario, predict, predict_rows
from model.fitting.algorithms import DEFAULT
from model.fitting.forest import ForestTables, predict_once
from model.fitting.interval import LEVELS, half_width
from model.fitting.recipe import make_recipe
from model.fitting.train import features, fit

DEFAULTS = {column.name: column.default for column in FEATURES}
RANDOM = np.random.default_rng(11)


def scenarios(n):
    low, high = (np.array([getattr(column, end) for column in FEATURES]) for end in ("low", "high"))
    return RANDOM.uniform(low, high, size=(n, len(FEATURES)))


def named(x):
    return dict(zip(FEATURE_NAMES, x.tolist(), strict=True))


@pytest.fixture(scope="session", params=["least_squares", "mean"])
def other_model(request, rows, model):
    recipe = make_recipe(request.param)
    return replace(model, pipeline=fit(recipe, rows), metadata=replace(model.metadata, recipe=recipe))


def test_many_rows_are_predicted_to_the_last_bit_as_by_the_pipeline(model):
    X = np.vstack([scenarios(500), model.X, model.X])
    assert (predict_rows(model, X) == model.pipeline.predict(X)).all()


def test_values_on_a_threshold_fall_on_the_same_side_as_in_the_trees(model):
    trees = [member.tree_ for member in model.pipeline[-1].estimators_[:40]]
    X = np.repeat(scenarios(1), 3000, axis=0)
    cuts = [(f, t) for tree in trees for f, t in zip(tree.feature, tree.threshold, strict=True) if f >= 0]
    for row, (feature, threshold) in zip(X, cuts, strict=False):
        row[feature] = RANDOM.choice([threshold, np.nextafter(threshold, -1), np.nextafter(threshold, 1e9)])
    assert (predict_rows(model, X) == model.pipeline.predict(X)).all()


@pytest.mark.parametrize("min_samples_leaf", [1, 2, 20])
@pytest.mark.parametrize("n_rows", [48, 90, 400])
def test_forests_of_any_size_are_predicted_to_the_last_bit(model, rows, n_rows, min_samples_leaf):
    """Up to 32 leaves a tree, up to 64, and more than the tables hold."""
    many = rows.sample(n_rows, replace=True, random_state=0, ignore_index=True)
    for name in FEATURE_NAMES:
        many[name] *= RANDOM.uniform(0.95, 1.05, n_rows)
    many[TARGET.name] += RANDOM.normal(0, 30, n_rows)
    parameters = {"n_estimators": 20, "min_samples_leaf": min_samples_leaf}
    forest = replace(model, pipeline=fit(make_recipe("forest", parameters, 0), many), rows=many)
    X = np.vstack([scenarios(200), forest.X])
    assert (predict_rows(forest, X) == forest.pipeline.predict(X)).all()


@pytest.mark.parametrize("x", [*scenarios(5), np.array([6.58, 3802, 7834, 0.629])], ids=str)
def test_the_answer_is_the_pipelines_and_its_curves_are_exact_at_every_step(model, x):
    answer = predict(model, named(x))
    assert answer.value == model.pipeline.predict(x[None])[0]
    for i, column in enumerate(FEATURES):
        moved = np.tile(x, (column.n_steps, 1))
        moved[:, i] = column.grid
        assert (answer.curves[column.name] == model.pipeline.predict(moved)).all()


def test_another_pipeline_is_answered_by_its_own_predict(other_model):
    answer = predict(other_model, DEFAULTS, with_reasons=True)
    x = np.array([list(DEFAULTS.values())])
    assert answer.value == pytest.approx(other_model.pipeline.predict(x)[0], rel=1e-12)
    assert sum(answer.reasons.contributions.values()) == pytest.approx(answer.value - answer.reasons.base, abs=1e-9)


@pytest.mark.parametrize("x", scenarios(5), ids=str)
def test_contributions_add_up_to_the_prediction(model, x):
    answer = predict(model, named(x), with_reasons=True)
    assert answer.reasons.base == pytest.approx(model.pipeline.predict(model.X).mean())
    assert answer.reasons.base + sum(answer.reasons.contributions.values()) == pytest.approx(answer.value, abs=1e-9)
    assert predict(model, named(x)).value == answer.value


def test_more_tax_never_raises_and_more_drivers_never_lower_the_answer_in_any_state(model):
    for x in model.X:
        curves = predict(model, named(x)).curves
        assert (np.diff(curves["petrol_tax"]) <= 0).all()
        assert (np.diff(curves["driver_licence_share"]) >= 0).all()


def test_the_48_states_are_told_apart(model):
    """The app that this one descends from answered nearly the same number for every state."""
    values = [predict(model, named(x)).value for x in model.X]
    assert len(set(values)) == 48
    assert np.std(values) > 60
    assert np.corrcoef(values, model.rows[TARGET.name])[0, 1] > 0.9


@pytest.mark.parametrize("level", LEVELS)
def test_the_interval_is_as_wide_as_the_errors_of_unseen_rows_ask(model, level):
    answer = predict(model, DEFAULTS, level)
    width = half_width(model.y - model.predictions, level)
    assert (answer.value - answer.low, answer.high - answer.value) == pytest.approx((width, width))


def test_the_nearest_state_of_a_states_own_figures_is_that_state(model):
    for i, x in enumerate(model.X):
        nearest = predict(model, named(x)).nearest
        assert (nearest[0].index, nearest[0].distance) == (i, 0)
        assert [n.distance for n in nearest] == sorted(n.distance for n in nearest)


def test_distance_counts_standard_deviations(model):
    x = model.X[9].copy()
    x[1] += 0.01 * model.rows["average_income"].std()
    nearest = predict(model, named(x)).nearest[0]
    assert nearest.name == "OH"
    assert nearest.distance == pytest.approx(0.01)


def test_the_levels_of_support_are_those_of_the_reference(model):
    assert np.quantile(model.spacing, 0.95) == pytest.approx(1.69, abs=0.005)
    assert model.spacing.max() == pytest.approx(3.05, abs=0.005)
    ordinary = np.tile(model.X.mean(axis=0), (5, 1))
    found = classify_support(model, ordinary, (0, 1.68, 1.70, 3.05, 3.06)).tolist()
    assert found == ["near", "near", "far", "far", "very far"]


def test_what_is_more_unusual_than_every_row_is_very_far_however_near_a_row_is(model):
    """At or below the least of each input: leverage 0.84 by the hat matrix; the largest of a state is 0.32, Texas's."""
    lowest = np.array([[5, 3000, 400, 0.45]])
    A = np.column_stack([np.ones(48), model.X])
    hat = np.linalg.inv(A.T @ A)
    own = np.einsum("ij,jk,ik->i", A, hat, A)
    x = np.concatenate([[1], lowest[0]])
    assert model.leverage(model.X) == pytest.approx(own)
    assert model.leverage(lowest)[0] == pytest.approx(x @ hat @ x) == pytest.approx(0.84, abs=0.005)
    assert (model.rows["state"][own.argmax()], own.max()) == ("TX", pytest.approx(0.315, abs=0.005))
    answer = predict(model, named(lowest[0]))
    assert model.far_distances[0] < answer.nearest[0].distance < model.far_distances[1]
    assert answer.support == "very far"
    assert set(classify_support(model, model.X, np.zeros(48))) == {"near"}


@pytest.mark.parametrize("value", [math.nan, math.inf, "text", None, -1, 10**9])
@pytest.mark.parametrize("name", FEATURE_NAMES)
def test_a_bad_value_is_an_error_and_never_a_number(model, name, value):
    with pytest.raises(DataError, match=name):
        predict(model, DEFAULTS | {name: value})


def test_all_problems_of_a_scenario_are_told_at_once():
    with pytest.raises(DataError) as caught:
        Scenario({"petrol_tax": "x", "average_income": math.nan, "paved_highways": 1, "speed": 55})
    starts = [problem.split(":")[0] for problem in caught.value.problems]
    assert starts == ["petrol_tax", "average_income", "driver_licence_share", caught.value.problems[3]]
    assert caught.value.problems[3].startswith("'speed' is not an input")


def test_numbers_written_as_text_are_numbers(model):
    assert (
        predict(model, {name: str(value) for name, value in DEFAULTS.items()}).value == predict(model, DEFAULTS).value
    )


def test_threads_that_ask_at_once_get_the_answers_of_one_that_asks_alone(model):
    from concurrent.futures import ThreadPoolExecutor

    asked = [named(x) for x in scenarios(40)]
    with ThreadPoolExecutor(8) as pool:
        together = [answer.value for answer in pool.map(lambda values: predict(model, values), asked)]
    assert together == [predict(model, values).value for values in asked]


@pytest.mark.parametrize("algorithm", ["forest", "extra_trees", "line_and_forest"])
def test_forests_are_predicted_to_the_last_bit_as_scikit_learn_does(algorithm, model, rows):
    parameters = {"n_estimators": 20} | ({"max_samples": 0.8} if algorithm == "forest" else {})
    pipeline = fit(make_recipe(algorithm, parameters, 3), rows)
    X = scenarios(200)
    expected = pipeline.predict(X)
    assert (predict_rows(replace(model, pipeline=pipeline), X) == expected).all()
    assert (predict_once(pipeline, X) == expected).all()


def test_an_input_that_never_varies_divides_nothing_by_zero(model, rows):
    flat = rows.assign(paved_highways=5000.0)
    pipeline = fit(make_recipe(DEFAULT, {"n_estimators": 5}), flat)
    model = replace(model, pipeline=pipeline, rows=flat, predictions=np.full((1, 48), 500.0))
    answer = predict(model, DEFAULTS, with_reasons=True)
    assert np.isfinite([answer.value, answer.nearest[0].distance]).all()
    assert answer.reasons.contributions["paved_highways"] == pytest.approx(0, abs=1e-9)
    assert features(flat).shape == (48, 4)


@pytest.mark.parametrize("n_inputs", [1, 7, 20])
def test_tables_of_a_forest_hold_any_number_of_inputs_and_refuse_what_is_too_large(n_inputs, monkeypatch):
    random = np.random.default_rng(n_inputs)
    X, y = random.normal(size=(60, n_inputs)), random.normal(size=60)
    regressor = RandomForestRegressor(100, random_state=0).fit(X, y)
    asked = random.normal(size=(3000, n_inputs))
    assert (ForestTables(regressor).predict(asked) == regressor.predict(asked)).all()
    monkeypatch.setattr("model.fitting.forest._MAX_BYTES", 10_000)
    with pytest.raises(ValueError, match=r"The tables would take [\d,]+ bytes, more than 10,000\."):
        ForestTables(regressor)
