"""Trees grown without scikit-learn's wrappers are the trees that it grows."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder

from model.fitting.evaluate import fit_quietly, out_of_fold, splits_of
from model.fitting.forest import predict_once
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import features, target
from model.fitting.trees import can_grow, grow_trees

PARTS = ("feature", "threshold", "children_left", "children_right", "value", "impurity", "weighted_n_node_samples")
CHOICES = [
    ("forest", {}, {}),
    ("forest", {"max_features": 1, "min_samples_leaf": 1, "max_samples": 0.5}, {}),
    ("forest", {"min_samples_leaf": 5}, {"max_leaf_nodes": 8, "monotonic_cst": None}),
    ("forest", {}, {"max_samples": None}),
    *(("forest", {"max_samples": share}, {}) for share in (0.1, 0.3, 0.6, 0.7, 0.999)),
    ("extra_trees", {"min_samples_leaf": 1}, {}),
    ("extra_trees", {"max_features": 2}, {"max_leaf_nodes": 8}),
]


def unfitted(algorithm, parameters, more, seed):
    forest = build_pipeline(make_recipe(algorithm, {"n_estimators": 12} | parameters, seed))[-1]
    return forest.set_params(**more)


@pytest.mark.parametrize(("algorithm", "parameters", "more"), CHOICES)
@pytest.mark.parametrize("n_rows", [12, 28, 29, 38, 39, 48, 300])
def test_they_are_equal_to_the_last_bit(rows, algorithm, parameters, more, n_rows):
    generator = np.random.default_rng(n_rows)
    drawn = generator.integers(0, len(rows), n_rows)  # with copies, and so with ties
    X, y = features(rows)[drawn], target(rows)[drawn] + generator.normal(0, 1, n_rows)
    forest = unfitted(algorithm, parameters, more, n_rows)
    assert can_grow(forest)
    for grown, fitted in zip(grow_trees(forest, X, y), fit_quietly(clone(forest), X, y).estimators_, strict=True):
        for part in PARTS:
            assert np.array_equal(getattr(grown, part), getattr(fitted.tree_, part)), part


def test_what_it_does_not_know_is_left_to_scikit_learn():
    for other in ({"criterion": "absolute_error"}, {"max_depth": 3}, {"max_features": "sqrt"}, {"max_samples": 20}):
        assert not can_grow(unfitted("forest", {}, other, 0))


def encoded(forest):
    """A pipeline like that of a table whose first column is a category."""
    kinds = [("choices", OneHotEncoder(sparse_output=False, handle_unknown="ignore"), [0])]
    prepare = ColumnTransformer(kinds, remainder="passthrough")
    return Pipeline([("prepare", prepare), ("regressor", forest.set_params(monotonic_cst=None))])


@pytest.mark.parametrize("has_category", [False, True])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_out_of_fold_is_what_scikit_learns_own_fits_predict(rows, share, has_category):
    X, y = features(rows), target(rows)
    pipeline = build_pipeline(make_recipe("forest", {"n_estimators": 20, "max_samples": share}, 3))
    pipeline = encoded(pipeline[-1]) if has_category else pipeline
    expected = np.empty((1, len(y)))
    for fitted_rows, test in splits_of(np.arange(len(y)), 1)[:5]:
        fitted = fit_quietly(clone(pipeline), X[fitted_rows], y[fitted_rows])
        expected[0, test] = fitted.predict(X[test])
    assert np.array_equal(out_of_fold(pipeline, X, y, n_repeats=1), expected)
    assert np.array_equal(predict_once(fitted, X), fitted.predict(X))


@pytest.mark.filterwarnings("ignore:overflow")  # where such a row is only predicted, before a fold is fitted with it
def test_figures_beyond_single_precision_are_refused_as_by_scikit_learn(rows):
    pipeline = build_pipeline(make_recipe("forest", {"n_estimators": 5}))
    X = features(rows).copy()
    for wrong in (1e39, np.inf):
        X[5, 2] = wrong
        with pytest.raises(ValueError, match="infinity or a value too large"):
            out_of_fold(pipeline, X, target(rows), n_repeats=1)
