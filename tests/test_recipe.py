"""Recipes: what is built is what the table says, and least squares is the published regression."""

import numpy as np
import pytest
from sklearn.base import clone

from data.schema import FEATURES, TARGET
from model.fitting import artifact, evaluate
from model.fitting.algorithms import ALGORITHMS, OFFERED
from model.fitting.errors import ModelError
from model.fitting.recipe import MAX_ARTIFACT, build_pipeline, estimate_cost, largest_that_fits, make_recipe
from model.fitting.train import features
from model.queue import duration


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_recipe_is_unfitted_clones_and_predicts_finite_numbers(algorithm, rows):
    unfitted = build_pipeline(make_recipe(algorithm))
    assert not hasattr(unfitted[-1], "n_features_in_")
    fitted = evaluate.fit_quietly(clone(unfitted), features(rows), rows[TARGET.name])
    assert np.isfinite(fitted.predict(features(rows))).all()


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_recipes_predict_alike_to_the_last_bit(algorithm, rows):
    X, y = features(rows), rows[TARGET.name]
    first, second = (
        evaluate.fit_quietly(build_pipeline(make_recipe(algorithm, seed=7)), X, y).predict(X) for _ in range(2)
    )
    assert (first == second).all()


def test_the_default_is_the_forest_that_was_ordered():
    forest = build_pipeline(make_recipe())[-1]
    assert type(forest).__name__ == "RandomForestRegressor"
    ordered = {"n_estimators": 300, "max_features": 3, "min_samples_leaf": 2, "monotonic_cst": [-1, 0, 0, 1]}
    assert {name: forest.get_params()[name] for name in ordered} == ordered
    assert [column.direction for column in FEATURES] == [-1, 0, 0, 1]


def test_least_squares_is_the_regression_that_weisberg_printed(rows):
    """Coefficients and residual s.d. of the 48 rows: Weisberg, Applied Linear Regression."""
    X, y = features(rows), rows[TARGET.name].to_numpy()
    fitted = build_pipeline(make_recipe("least_squares")).fit(X, y)
    at_zero = fitted.predict(np.zeros((1, 4)))[0]
    slopes = fitted.predict(np.eye(4)) - at_zero
    assert at_zero == pytest.approx(377.2911, abs=5e-5)
    assert slopes == pytest.approx([-34.7901, -0.0665888, -0.00242589, 1336.449], rel=2e-6)
    residual = y - fitted.predict(X)
    assert np.sqrt((residual**2).sum() / 43) == pytest.approx(66.3062, abs=5e-5)
    assert 1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(0.678687, abs=5e-7)


def test_an_unknown_algorithm_or_parameter_is_named_with_what_there_is():
    with pytest.raises(ModelError, match=r"'oracle' is unknown\. Choose one of forest"):
        build_pipeline(make_recipe("oracle"))
    with pytest.raises(ModelError, match=r"unknown parameter depth\. It takes n_estimators"):
        build_pipeline(make_recipe("forest", {"depth": 3}))


PARAMETERS = [(name, parameter) for name, entry in ALGORITHMS.items() for parameter in entry.parameters]


@pytest.mark.parametrize(("algorithm", "parameter"), PARAMETERS, ids=lambda value: getattr(value, "name", value))
def test_a_parameter_out_of_bounds_is_refused_with_its_bounds(algorithm, parameter):
    assert parameter.low <= parameter.default <= parameter.high
    for value in (parameter.low - 1, parameter.high + 1, "many", None, True, float("nan"), float("inf")):
        with pytest.raises(ModelError, match=f"^{parameter.name}: .* number from {parameter.low:g} to"):
            build_pipeline(make_recipe(algorithm, {parameter.name: value}))
    for value in (parameter.low, parameter.high):
        assert make_recipe(algorithm, {parameter.name: value}).parameters[parameter.name] == value
    if isinstance(parameter.default, int):
        with pytest.raises(ModelError, match="whole number"):
            build_pipeline(make_recipe(algorithm, {parameter.name: parameter.low + 0.5}))


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "parameter"), PARAMETERS, ids=lambda value: getattr(value, "name", value))
def test_an_algorithm_fits_at_the_ends_of_each_bound(algorithm, parameter, rows):
    for value in {parameter.low, min(parameter.high, 60)}:
        fitted = evaluate.fit_quietly(
            build_pipeline(make_recipe(algorithm, {parameter.name: value})), features(rows), rows[TARGET.name]
        )
        assert np.isfinite(fitted.predict(features(rows))).all()


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, "0", None, True])
def test_an_impossible_seed_is_refused(seed):
    with pytest.raises(ModelError, match=r"^seed: .* whole number from 0 to 4294967295"):
        build_pipeline(make_recipe(seed=seed))


@pytest.mark.slow
def test_known_directions_hold_in_every_algorithm_that_promises_them(rows):
    X, y = features(rows), rows[TARGET.name]
    for algorithm, entry in ALGORITHMS.items():
        if not entry.holds_directions:
            continue
        fitted = evaluate.fit_quietly(build_pipeline(make_recipe(algorithm)), X, y)
        for i, column in enumerate(FEATURES):
            higher = X.copy()
            higher[:, i] += column.step * 20
            assert (column.direction * (fitted.predict(higher) - fitted.predict(X)) >= -1e-9).all()


def test_a_model_too_large_to_keep_is_refused_with_the_way_out():
    with pytest.raises(
        ModelError, match=r"446 MB, more than the 200 MB .* Cure: lower trees \(n_estimators\), or .*gram b"
    ):
        estimate_cost(make_recipe("forest", {}), 100_000)
    assert estimate_cost(make_recipe("forest", {"max_samples": 0.1}), 100_000).artifact < 200e6
    assert estimate_cost(make_recipe("histogram_boosting", {}), 10**6).artifact < 10**6
    with pytest.raises(ModelError, match="Gaussian process on 100,000 rows would have about 80,000 MB"):
        estimate_cost(make_recipe("gaussian_process", {}), 100_000)


SHRINKABLE = [name for name in OFFERED if "n_estimators" in ALGORITHMS[name].defaults]


@pytest.mark.parametrize("n_rows", [100_000, 1_000_000])
@pytest.mark.parametrize("algorithm", SHRINKABLE)
def test_what_is_offered_instead_fits_and_is_nearly_the_largest_that_does(algorithm, n_rows):
    usual = ALGORITHMS[algorithm].defaults
    parameter, value = largest_that_fits(make_recipe(algorithm, usual), n_rows)
    assert parameter.check(value) == value
    assert estimate_cost(make_recipe(algorithm, usual | {parameter.name: value}), n_rows).artifact <= MAX_ARTIFACT
    larger = value * 1.1 + isinstance(parameter.default, int)
    if larger <= parameter.high:
        with pytest.raises(ModelError, match=f"It fits with {parameter.label.lower()} {value:g}"):
            estimate_cost(
                make_recipe(algorithm, usual | {parameter.name: parameter.check(round(larger, 6 - 6 * (larger > 1)))}),
                n_rows,
            )


def test_where_nothing_would_make_it_small_nothing_is_offered():
    assert largest_that_fits(make_recipe("gaussian_process", ALGORITHMS["gaussian_process"].defaults), 100_000) is None


def test_what_takes_long_is_left_out_of_a_comparison_with_its_time():
    with pytest.raises(ModelError, match=r"gradient boosting on 1,000,000 rows would take about [\d,]+ min, more than"):
        duration.require_quick(make_recipe("gradient_boosting", {"n_estimators": 1000}), 10**6)
    for n_rows in (48, 10**6):
        duration.require_quick(make_recipe("least_squares", {}), n_rows)
        duration.require_quick(make_recipe("histogram_boosting", {}), n_rows)


@pytest.mark.parametrize("algorithm", OFFERED)
def test_an_estimated_time_grows_with_the_rows(algorithm):
    times = [duration.estimate_duration(make_recipe(algorithm, {}), n_rows) for n_rows in (20_000, 100_000, 1_000_000)]
    assert times == sorted(times)
    assert times[0] < times[-1]


@pytest.mark.parametrize("algorithm", OFFERED)
def test_the_estimated_file_is_of_the_right_size(algorithm, rows):
    """Within a factor of four of the real one at 2,000 rows (a Gaussian process: 200), if larger than its own name."""
    generator = np.random.default_rng(0)
    place = generator.integers(48, size=2000 if algorithm != "gaussian_process" else 200)
    X = features(rows)[place] * (1 + 0.05 * generator.standard_normal((len(place), 4)))
    y = rows[TARGET.name].to_numpy()[place] * (1 + 0.1 * generator.standard_normal(len(place)))
    parameters = {"n_estimators": 30} if "n_estimators" in ALGORITHMS[algorithm].defaults else {}
    fitted = evaluate.fit_quietly(build_pipeline(make_recipe(algorithm, parameters)), X, y)
    real, estimated = (
        len(artifact.to_bytes(fitted)),
        estimate_cost(make_recipe(algorithm, parameters), len(place)).artifact,
    )
    assert real < 5000 or real / 4 < estimated < real * 4
