"""Recipes: what is built is what the table says, and least squares is the published regression."""

import numpy as np
import pytest
from sklearn.base import clone

from data.schema import FEATURES, TARGET
from model import recipe
from model.recipe import ALGORITHMS, ModelError
from model.train import features


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_recipe_is_unfitted_clones_and_predicts_finite_numbers(algorithm, rows):
    unfitted = recipe.pipeline(algorithm)
    assert not hasattr(unfitted[-1], "n_features_in_")
    fitted = clone(unfitted).fit(features(rows), rows[TARGET.name])
    assert np.isfinite(fitted.predict(features(rows))).all()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_equal_recipes_predict_alike_to_the_last_bit(algorithm, rows):
    X, y = features(rows), rows[TARGET.name]
    first, second = (recipe.pipeline(algorithm, seed=7).fit(X, y).predict(X) for _ in range(2))
    assert (first == second).all()


def test_the_default_is_the_forest_that_was_ordered():
    forest = recipe.pipeline()[-1]
    assert type(forest).__name__ == "RandomForestRegressor"
    ordered = {"n_estimators": 300, "max_features": 3, "min_samples_leaf": 2, "monotonic_cst": [-1, 0, 0, 1]}
    assert {name: forest.get_params()[name] for name in ordered} == ordered
    assert [column.direction for column in FEATURES] == [-1, 0, 0, 1]


def test_least_squares_is_the_regression_that_weisberg_printed(rows):
    """Coefficients and residual s.d. of the 48 rows: Weisberg, Applied Linear Regression."""
    X, y = features(rows), rows[TARGET.name].to_numpy()
    fitted = recipe.pipeline("least_squares").fit(X, y)
    at_zero = fitted.predict(np.zeros((1, 4)))[0]
    slopes = fitted.predict(np.eye(4)) - at_zero
    assert at_zero == pytest.approx(377.2911, abs=5e-5)
    assert slopes == pytest.approx([-34.7901, -0.0665888, -0.00242589, 1336.449], rel=2e-6)
    residual = y - fitted.predict(X)
    assert np.sqrt((residual**2).sum() / 43) == pytest.approx(66.3062, abs=5e-5)
    assert 1 - (residual**2).sum() / ((y - y.mean()) ** 2).sum() == pytest.approx(0.678687, abs=5e-7)


def test_an_unknown_algorithm_or_parameter_is_named_with_what_there_is():
    with pytest.raises(ModelError, match=r"'oracle' is unknown\. Choose one of forest"):
        recipe.pipeline("oracle")
    with pytest.raises(ModelError, match=r"unknown parameter depth\. It takes n_estimators"):
        recipe.pipeline("forest", {"depth": 3})
