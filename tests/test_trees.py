"""Trees grown without scikit-learn's wrappers are the trees that it grows."""

import numpy as np
import pytest
from sklearn.base import clone

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
    ("extra_trees", {"min_samples_leaf": 1}, {}),
    ("extra_trees", {"max_features": 2}, {"max_leaf_nodes": 8}),
]


def unfitted(algorithm, parameters, more, seed):
    forest = build_pipeline(make_recipe(algorithm, {"n_estimators": 12} | parameters, seed))[-1]
    return forest.set_params(**more)


@pytest.mark.parametrize(("algorithm", "parameters", "more"), CHOICES)
@pytest.mark.parametrize("n_rows", [12, 48, 300])
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


def test_out_of_fold_is_what_scikit_learns_own_fits_predict(rows):
    X, y = features(rows), target(rows)
    pipeline = build_pipeline(make_recipe("forest", {"n_estimators": 20}, 3))
    expected = np.empty((1, len(y)))
    for fitted_rows, test in splits_of(np.arange(len(y)), 1)[:5]:
        expected[0, test] = clone(pipeline).fit(X[fitted_rows], y[fitted_rows]).predict(X[test])
    assert np.array_equal(out_of_fold(pipeline, X, y, n_repeats=1), expected)
    assert np.array_equal(predict_once(clone(pipeline).fit(X, y), X), clone(pipeline).fit(X, y).predict(X))
