"""The interval of a level: hand-worked figures, laws, independent computations, and that its figures can differ."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone
from sklearn.model_selection import RepeatedKFold
from sklearn.tree import DecisionTreeRegressor

from data.schema import FEATURE_NAMES, TARGET
from model.fitting.evaluate import cross_validate, fold_numbers, groups_of, n_fits_of, n_repeats_for, pairs_of
from model.fitting.interval import (
    LEVELS,
    half_width,
    held_by_chance,
    measure_beyond,
    measure_coverage,
    nearest_possible_level,
    possible_levels,
)
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import features, train

RANDOM = np.random.default_rng(5)


@pytest.fixture(scope="module")
def data(rows):
    return features(rows), rows[TARGET.name].to_numpy(float)


def test_half_width_is_the_mean_over_the_repeats_of_the_kth_smallest_size():
    residuals = [-5, 1, -2, 4, 3, -6, 7, 8, -9]  # nine of them: k = ceil(10 c)
    for level, expected in ((0.1, 1), (0.5, 5), (0.51, 6), (0.9, 9)):
        assert half_width(residuals, level) == expected
    assert half_width([residuals, [0] * 9, [3] * 9], 0.5) == (5 + 0 + 3) / 3


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, math.nan, 0.95])
def test_an_impossible_level_is_refused(level):
    with pytest.raises(ValueError, match=f"level: {level}"):
        half_width([-5, 1, -2, 4, 3, -6, 7, 8, -9], level)


def test_a_higher_level_never_narrows_the_interval(model):
    widths = [model.half_width(level) for level in np.linspace(0.05, 0.97, 60)]
    assert widths == sorted(widths)


def test_the_interval_follows_the_unit_and_not_the_sign_or_order():
    residuals = RANDOM.normal(size=(3, 48))
    width = half_width(residuals, 0.9)
    assert half_width(-residuals[::-1, ::-1], 0.9) == pytest.approx(width)
    assert half_width(residuals * 3, 0.9) == pytest.approx(3 * width)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
def test_the_half_width_is_mapies(level):
    """Oracle: MAPIE's split conformal interval around a model that always says zero."""
    from mapie.regression import SplitConformalRegressor
    from sklearn.dummy import DummyRegressor

    residuals = RANDOM.normal(size=48) * 100
    X = np.zeros((48, 1))
    zero = DummyRegressor(strategy="constant", constant=0.0).fit(X, residuals)
    mapie = SplitConformalRegressor(zero, confidence_level=level, prefit=True).conformalize(X, residuals)
    _, interval = mapie.predict_interval(X[:1])
    assert interval.ravel() == pytest.approx([-half_width(residuals, level), half_width(residuals, level)])


def test_errors_averaged_over_the_repeats_would_narrow_it(model):
    """Reference: 131 gallons for the shipped forest at 90 %, and 126 of averaged errors."""
    assert model.half_width(0.9) == pytest.approx(131, abs=1)
    assert half_width(model.residuals, 0.9) == pytest.approx(126, abs=1)


def test_levels_are_those_that_the_rows_can_set():
    assert [possible_levels(n) for n in (8, 9, 18, 19, 48)] == [(0.8,), (0.8, 0.9), (0.8, 0.9), LEVELS, LEVELS]
    assert [nearest_possible_level(12, level) for level in LEVELS] == [0.8, 0.9, 0.9]
    for n_rows in range(5, 60):
        for level in possible_levels(n_rows):
            half_width(RANDOM.normal(size=n_rows), level)


@pytest.mark.parametrize("algorithm", ["least_squares", "forest"])
def test_what_was_held_is_counted_without_any_row_that_set_fit_or_width(data, algorithm):
    """The same by a loop over every fold and every other fold, each with a fit of its own."""
    X, y = data
    unfitted = build_pipeline(make_recipe(algorithm, {"n_estimators": 5} if algorithm == "forest" else None))
    folds = [test for _, test in RepeatedKFold(n_splits=5, n_repeats=2, random_state=0).split(X)]
    totals = np.zeros((2, len(LEVELS)))
    for repeat, outer in itertools.product(range(2), range(5)):
        here = folds[5 * repeat : 5 * repeat + 5]

        def answer(out, asked):
            inside = np.setdiff1d(np.arange(48), np.concatenate(out))
            return clone(unfitted).fit(X[inside], y[inside]).predict(X[asked])

        sizes = [np.abs(y[test] - answer([here[outer], test], test)) for i, test in enumerate(here) if i != outer]
        sizes = np.sort(np.concatenate(sizes))
        errors = np.abs(y[here[outer]] - answer([here[outer]], here[outer]))
        for place, level in enumerate(LEVELS):
            width = sizes[math.ceil(round(level * (len(sizes) + 1), 9)) - 1]
            totals[repeat, place] += (errors <= width).sum()
    kept, pairs = cross_validate(unfitted, X, y)
    found = measure_coverage(y, kept, pairs, groups_of(X, y))
    assert (found.n_repeats, found.n_rows) == (2, 48)
    assert [(each.level, each.held) for each in found.held] == list(zip(LEVELS, totals.mean(axis=0), strict=True))


def test_a_width_from_a_trees_own_rows_holds_far_fewer_than_promised(data):
    """The figure can come out otherwise: a deep tree misses none of its own rows, and so sets no width at all."""
    X, y = data
    tree = DecisionTreeRegressor(random_state=0)
    kept, pairs = cross_validate(tree, X, y)
    own = np.where(np.isnan(pairs), np.nan, tree.fit(X, y).predict(X))
    honest, blind = (
        {each.level: each.held for each in measure_coverage(y, kept, used, groups_of(X, y)).held}
        for used in (pairs, own)
    )
    assert honest[0.9] >= 39
    assert blind[0.9] < 10


def test_beyond_the_rows_fewer_are_held_than_promised(data):
    """Of the eight states with the most drivers, predicted by a line through the others: five, with their width."""
    X, y = data
    unfitted = build_pipeline(make_recipe("least_squares"))
    kept, _ = cross_validate(unfitted, X, y)
    found = measure_beyond(lambda X, y: clone(unfitted).fit(X, y), X, y, kept)
    drivers = FEATURE_NAMES.index("driver_licence_share")
    block = np.argsort(X[:, drivers], kind="stable")[-8:]
    rest = np.setdiff1d(np.arange(48), block)
    A = np.column_stack([np.ones(48), X])
    coefficients, *_ = np.linalg.lstsq(A[rest], y[rest], rcond=None)
    held = (np.abs(y[block] - A[block] @ coefficients) <= half_width((y - kept)[:, rest], 0.9)).sum()
    assert (found.input, found.end, found.n_rows) == ("driver_licence_share", "most", 8)
    assert {each.level: each.held for each in found.held}[0.9] == held == 5


def test_what_chance_alone_gives_is_the_binomials():
    assert held_by_chance(48, 0.9) == (39, 47)
    for n_rows, level in itertools.product((10, 48, 1000), LEVELS):
        assert held_by_chance(n_rows, level) == tuple(int(end) for end in stats.binom.interval(0.95, n_rows, level))


def test_pairs_cost_at_most_half_as_much_again():
    """In units of a fit on all rows; a fit that leaves out two folds of five takes three fifths of it."""
    for n_rows in (10, 48, 2000, 2300, 3000, 3400, 4100, 5100, 6700, 10_000, 10_001, 20_000, 10**6):
        n_repeats = n_repeats_for(n_rows)
        beyond_the_rows = min(5 / 6, 5000 / n_rows)
        before, more = 1 + n_repeats * 5 * 0.8, len(pairs_of(n_repeats)) * 0.6 + beyond_the_rows
        assert more <= before / 2, n_rows
        assert n_fits_of(n_repeats, nested=True) == n_repeats * 5 + len(pairs_of(n_repeats))
        assert {fold for _, *both in pairs_of(n_repeats) for fold in both} == set(range(5))


def test_copies_stay_in_one_fold_and_without_any_the_folds_are_as_they_were(data):
    X, y = data
    groups = groups_of(X, y)
    numbers = fold_numbers(groups, 2)
    for number, (_, test) in enumerate(RepeatedKFold(n_splits=5, n_repeats=2, random_state=0).split(X)):
        assert (numbers[number // 5, test] == number % 5).all()
    twice = groups_of(np.vstack([X, X]), np.concatenate([y, y]))
    assert (fold_numbers(twice, 2) == np.tile(numbers, 2)).all()


def test_a_table_with_each_row_twice_promises_no_more_than_one_with_each_once(rows):
    twice = rows.loc[np.tile(rows.index, 2)].reset_index(drop=True)
    once, doubled = train(rows, make_recipe("ridge")), train(twice, make_recipe("ridge"))
    for name in ("mae", "rmse"):
        one, other = (getattr(each.metadata.scores["model"], name) for each in (once, doubled))
        assert other.value == pytest.approx(one.value, rel=0.03)
        assert other.standard_error == pytest.approx(one.standard_error, rel=0.15)
    assert doubled.half_width(0.9) == pytest.approx(once.half_width(0.9), rel=0.1)
    assert doubled.metadata.coverage.n_rows == 48
    assert doubled.far_distances == pytest.approx(once.far_distances, rel=0.01)
