"""The smallest change that reaches a goal: against trying everything, and against chance."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES
from model.answering.goal import find_smallest_change
from model.answering.prediction import predict, predict_many
from model.fitting.recipe import make_recipe
from model.fitting.train import fit

DEFAULTS = {column.name: column.default for column in FEATURES}


@pytest.fixture(scope="module")
def line(model):
    return replace(model, pipeline=fit(make_recipe("least_squares"), model.rows))


def start_of(model, code):
    row = model.rows.set_index("state").loc[code]
    return {name: float(row[name]) for name in FEATURE_NAMES}


def everything(model, start, free):
    """Predictions and changes of all combinations of the free sliders' positions: slow, and certain."""
    x = np.array([start[name] for name in FEATURE_NAMES])
    axes = [np.union1d(c.grid, start[c.name]) if c.name in free else [start[c.name]] for c in FEATURES]
    rows = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
    return np.rint(predict_many(model, rows)), np.linalg.norm((rows - x) / model.scale, axis=1)


def assert_is_what_it_says(model, sought, start, held):
    assert sought.start == start
    assert all(sought.scenario[name] == start[name] for name in held)
    for column in FEATURES:
        assert sought.scenario[column.name] in (*column.grid, start[column.name])
    way = [(sought.scenario[n] - start[n]) / s for n, s in zip(FEATURE_NAMES, model.scale, strict=True)]
    assert sought.distance == pytest.approx(np.linalg.norm(way), abs=1e-9)
    assert sought.prediction == pytest.approx(predict(model, sought.scenario).value, abs=1e-9)
    assert sought.start_prediction == pytest.approx(predict(model, start).value, abs=1e-9)
    side = 1 if sought.goal > np.rint(sought.start_prediction) else -1
    assert sought.is_reached == (side * (np.rint(sought.prediction) - sought.goal) >= 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "line"])
@pytest.mark.parametrize("n_free", [1, 2])
@pytest.mark.parametrize("code", [None, "WY"])
def test_for_one_or_two_sliders_no_smaller_change_reaches_the_goal(request, kind, n_free, code):
    model = request.getfixturevalue(kind)
    start = start_of(model, code) if code else DEFAULTS
    for free in itertools.combinations(FEATURE_NAMES, n_free):
        held = set(FEATURE_NAMES) - set(free)
        y, change = everything(model, start, free)
        now = np.rint(predict(model, start).value)
        for goal in np.unique(np.linspace(y.min() - 30, y.max() + 30, 7).round()):
            if goal == now:
                continue
            sought = find_smallest_change(model, start, goal, held)
            assert_is_what_it_says(model, sought, start, held)
            side = 1 if goal > now else -1
            there = side * (y - goal) >= 0
            assert sought.is_reached == there.any()
            if sought.is_reached:
                assert sought.distance == pytest.approx(change[there].min(), abs=1e-9)
            else:
                nearest = (side * y).max() * side
                assert np.rint(sought.prediction) == nearest
                assert sought.distance == pytest.approx(change[y == nearest].min(), abs=1e-9)


@pytest.fixture(scope="module")
def ends(model):
    """Return the lowest and the highest prediction within the sliders.

    An input of known direction is at an end of its slider there, since the forest never turns back along it.
    """
    held = [column for column in FEATURES if column.direction]
    free = set(FEATURE_NAMES) - {column.name for column in held}
    low, high = (
        everything(model, DEFAULTS | {c.name: c.high if c.direction == side else c.low for c in held}, free)[0]
        for side in (-1, 1)
    )
    return low.min(), high.max()


@pytest.mark.slow
@pytest.mark.parametrize("share", [-0.98, -0.8, -0.6, -0.3, -0.06, 0.1, 0.25, 0.5, 0.98])
def test_with_all_four_free_chance_finds_nothing_much_nearer(model, ends, share):
    """The bound is what was seen against every cell of the forest: at worst 1.08 times the smallest change.

    The goal lies by this share of the way from what is predicted to the lowest, or to the highest, that there is.
    """
    now, side = predict(model, DEFAULTS).value, np.sign(share)
    goal = round(now + abs(share) * (ends[share > 0] - now))
    sought = find_smallest_change(model, DEFAULTS, goal)
    assert_is_what_it_says(model, sought, DEFAULTS, ())
    assert sought.is_reached
    random = np.random.default_rng(goal)
    x = np.array([DEFAULTS[name] for name in FEATURE_NAMES])
    way = random.normal(size=(100_000, 4))
    way *= sought.distance * random.uniform(size=(100_000, 1)) ** 0.25 / np.linalg.norm(way, axis=1)[:, None]
    low, high, step = np.array([(c.low, c.high, c.step) for c in FEATURES]).T
    rows = np.clip(low + np.rint((x + way * model.scale - low) / step) * step, low, high)
    rows = rows[np.linalg.norm((rows - x) / model.scale, axis=1) < sought.distance / 1.1]
    assert len(rows) > 1000
    y = np.rint(predict_many(model, rows))
    assert not (side * (y - goal) >= 0).any()


def test_with_all_four_free_a_line_is_left_by_the_shortest_way(line):
    """For a plane the smallest change is known: along the gradient, to the nearest of the sliders' positions there."""
    x = np.array([DEFAULTS[name] for name in FEATURE_NAMES])
    before = predict(line, DEFAULTS).value
    gradient = np.array([
        predict(line, DEFAULTS | {c.name: c.default + c.step}).value - before for c in FEATURES
    ]) / [c.step / s for c, s in zip(FEATURES, line.scale, strict=True)]  # fmt: skip
    slope = np.linalg.norm(gradient)
    for goal, side in ((round(before) + 40, 1), (round(before) - 40, -1)):
        shortest = (abs(goal - before) - 0.5) / slope
        end = x + side * shortest * line.scale * gradient / slope
        axes = [[each for each in c.grid if abs(each - at) <= 2 * c.step] for c, at in zip(FEATURES, end, strict=True)]
        about = np.array(list(itertools.product(*axes)))
        reach = about[side * (np.rint(predict_many(line, about)) - goal) >= 0]
        nearest = np.linalg.norm((reach - x) / line.scale, axis=1).min()
        assert shortest <= find_smallest_change(line, DEFAULTS, goal).distance <= nearest + 1e-9


@pytest.mark.slow
@pytest.mark.parametrize("beyond", [-1, 1])
def test_what_cannot_be_reached_says_what_comes_closest(model, ends, beyond):
    nearest = ends[beyond > 0]
    sought = find_smallest_change(model, DEFAULTS, nearest + beyond)
    assert not sought.is_reached
    assert np.rint(sought.prediction) == nearest
    assert find_smallest_change(model, DEFAULTS, nearest).is_reached


def test_a_goal_that_is_there_already_changes_nothing(model):
    sought = find_smallest_change(model, DEFAULTS, round(predict(model, DEFAULTS).value))
    assert sought.is_reached
    assert sought.scenario == DEFAULTS
    assert sought.distance == 0


@pytest.mark.parametrize(
    ("goal", "held", "expected"),
    [
        ("x", (), "petrol_consumption: 'x' is not a number"),
        (float("nan"), (), "is not possible"),
        (0, (), "is not possible"),
        (500, FEATURE_NAMES, "Every input is kept fixed"),
        (500, ("tax",), "'tax' is not an input"),
    ],
)
def test_a_goal_that_cannot_be_used_is_refused_with_the_cure(model, goal, held, expected):
    with pytest.raises(DataError, match=expected):
        find_smallest_change(model, DEFAULTS, goal, held)
