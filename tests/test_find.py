"""The cheapest changes that reach an aim: against trying everything, by loops of another kind."""

import itertools
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES
from model.answering.change import predict_change
from model.answering.find import find
from model.answering.prediction import predict, predict_many
from model.answering.question import AIMS, read_question
from model.answering.scoring import score_scenarios
from model.fitting.forest import ForestTables
from model.fitting.recipe import make_recipe
from model.fitting.train import fit
from pages.shared.words.find_results import outcome_in_words
from tests import drafted
from tests.conftest import ROOT

DEFAULTS = {column.name: column.default for column in FEATURES}
ROUGH = {  # steps at which all positions can be tried
    name: {"low": column.low, "high": column.high, "step": n * column.step}
    for (name, column), n in zip(((column.name, column) for column in FEATURES), (5, 6, 11, 14), strict=True)
}
OF_ALL, OF_ROUGH = ([1, pytest.param(n, marks=pytest.mark.soak)] for n in (200, 60))  # aims


@pytest.fixture(scope="module")
def line(model):
    return replace(model, pipeline=fit(make_recipe("least_squares"), model.rows))


def start_of(model, code):
    row = model.rows.set_index("state").loc[code]
    return {name: float(row[name]) for name in FEATURE_NAMES}


def look_for(model, *question, level=0.9, **demands):
    return find(model, read_question(model, *question, **demands), level)


def positions_of(column, x, given=None):
    """All values that an input may take: its steps, and its start."""
    given = given or {"low": column.low, "high": column.high, "step": column.step}
    steps = np.arange(given["low"], given["high"] + given["step"] / 1e6, given["step"]).round(9)
    return np.array(sorted({*steps.tolist(), x}))


def costs_of(model, start, rows):
    x = np.array([start[name] for name in FEATURE_NAMES])
    return (np.abs(rows - x) / model.scale).sum(axis=1)


def side_of(model, aim, goal, start):
    return {"at_least": 1, "at_most": -1}.get(aim) or (1 if goal > np.rint(predict(model, start).value) else -1)


def reach(model, rows, goal, side):
    return side * (np.rint(predict_many(model, rows)) - goal) >= 0


def are_steady(model, start, rows, goal, side):
    """Whether each row still reaches the goal a slider step further, and back, in each input that was moved."""
    holds = np.ones(len(rows), bool)
    for i, column in enumerate(FEATURES):
        low, high = min(column.low, start[column.name]), max(column.high, start[column.name])
        moved = rows[:, i] != start[column.name]
        for step in (column.step, -column.step):
            beside = rows.copy()
            beside[moved, i] = np.minimum(np.maximum((beside[moved, i] + step).round(9), low), high)
            holds &= reach(model, beside, goal, side)
    return holds


def share_of(model, start, rows, goal, side):
    """Share of the refits whose change, added to the prediction at the start, reaches the goal."""
    x, now = np.array([[start[name] for name in FEATURE_NAMES]]), predict(model, start).value
    return (side * (np.rint(now + model.refits.changes(x, rows)) - goal) >= 0).mean(axis=1)


def first_that_holds(rows, costs, *demands):
    """Cost of the cheapest row that holds all demands, which are asked of a few rows at a time; infinite if none."""
    for chunk in np.array_split(np.argsort(costs, kind="stable"), max(1, len(rows) // 300)):
        holds = np.ones(len(chunk), bool)
        for demand in demands:
            holds[holds] = demand(rows[chunk[holds]]) if holds.any() else False
        if holds.any():
            return costs[chunk[holds.argmax()]]
    return np.inf


def assert_is_what_it_says(model, found, start, goal, side):
    """Each answer has the figures that it says, and no two are neighbours."""
    for answer in found.answers:
        row = np.array([[answer.prediction.scenario[name] for name in FEATURE_NAMES]])
        assert answer.cost == pytest.approx(costs_of(model, start, row)[0], abs=1e-9)
        assert answer.prediction.value == pytest.approx(predict(model, answer.prediction.scenario).value, abs=1e-9)
        moved = predict_change(model, start, answer.prediction.scenario)
        assert (answer.change.value, answer.change.low, answer.change.high) == (moved.value, moved.low, moved.high)
        assert answer.share == pytest.approx(share_of(model, start, row, goal, side)[0])
        assert reach(model, row, goal, side)[0] == found.is_reached
        if found.is_reached:
            assert answer.is_steady == are_steady(model, start, row, goal, side)[0]
    for one, other in itertools.combinations(found.answers, 2):
        apart = [one.prediction.scenario[name] - other.prediction.scenario[name] for name in FEATURE_NAMES]
        assert np.abs(np.array(apart) / model.scale).max() >= 0.5 - 1e-9
    costs = [answer.cost for answer in found.answers]
    assert costs == sorted(costs)
    assert len(costs) <= 5


def random_aims(model, n, seed):
    """Yield starts and goals at which the forest may be asked to rise or fall by up to 130 gallons."""
    generator = np.random.default_rng(seed)
    for number in range(n):
        row = model.X[generator.integers(len(model.X))]
        start = dict(zip(FEATURE_NAMES, row.tolist(), strict=True)) if number % 2 else DEFAULTS
        yield start, round(predict(model, start).value + generator.choice([-1, 1]) * generator.uniform(5, 130))


@pytest.mark.slow
@pytest.mark.parametrize("n", OF_ALL)
def test_of_all_positions_none_is_cheaper_by_a_hundredth(model, n):
    """Two positions in each cell of the forest stand for all: the nearest to the start, and the next to step back."""
    tables = ForestTables(model.pipeline[-1])
    for start, goal in random_aims(model, n, 99):
        found = look_for(model, start, "reach", goal, support="very far")
        side = side_of(model, "reach", goal, start)
        assert_is_what_it_says(model, found, start, goal, side)
        if not found.is_reached:  # of which `ends` tells
            continue
        limit = found.answers[0].cost / 1.01
        rows, costs = np.empty((1, 0)), np.zeros(1)
        for column, cuts, scale in zip(FEATURES, tables._cuts, model.scale, strict=True):
            x = start[column.name]
            grid = positions_of(column, x)
            cells = np.searchsorted(cuts, grid.astype(np.float32))
            home, kept = int(np.searchsorted(grid, x)), set()
            for way in (range(home, len(grid)), range(home, -1, -1)):
                for _, of_cell in itertools.groupby(way, key=cells.__getitem__):
                    kept.update(itertools.islice(of_cell, 2))
            values = grid[sorted(kept)]
            totals = costs[:, None] + np.abs(values - x) / scale
            old, new = np.nonzero(totals < limit)
            rows, costs = np.column_stack([rows[old], values[new]]), totals[old, new]
        there = [reach(model, part, goal, side) for part in np.array_split(rows, len(rows) // 200_000 + 1)]
        rows, costs = rows[np.concatenate(there)], costs[np.concatenate(there)]
        if not found.answers[0].is_steady:  # then there is none, which is seen only at some cost
            continue
        assert first_that_holds(rows, costs, lambda part: are_steady(model, start, part, goal, side)) == np.inf  # noqa: B023 - at once


@pytest.mark.slow
@pytest.mark.parametrize("n", OF_ROUGH)
@pytest.mark.parametrize("share", [0.0, 0.8])
def test_near_the_rows_and_sure_none_is_cheaper_by_a_hundredth(model, n, share):
    for start, goal in random_aims(model, n, 7):
        found = look_for(model, start, "reach", goal, ranges=ROUGH, share=share)
        side = side_of(model, "reach", goal, start)
        assert_is_what_it_says(model, found, start, goal, side)
        assert all(answer.prediction.support == "near" for answer in found.answers)
        axes = [positions_of(column, start[column.name], ROUGH[column.name]) for column in FEATURES]
        rows = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        rows = rows[reach(model, rows, goal, side)]
        demands = [lambda part: score_scenarios(model, part).support == "near"]
        cheapest = first_that_holds(
            rows,
            costs_of(model, start, rows),
            *demands,
            lambda part: are_steady(model, start, part, goal, side),  # noqa: B023 - at once
            *([lambda part: share_of(model, start, part, goal, side) >= share] if share else []),  # noqa: B023
        )
        if cheapest < np.inf:
            assert found.is_reached
            assert found.is_sure
            assert found.answers[0].is_steady
            assert found.answers[0].cost <= 1.01 * cheapest
            assert all(answer.share >= share for answer in found.answers)
        elif found.is_reached and found.is_sure:
            assert not found.answers[0].is_steady


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["model", "line"])
@pytest.mark.parametrize("n_free", [1, 2])
def test_for_one_or_two_sliders_the_first_answer_is_the_cheapest_of_all(request, kind, n_free):
    model, start = request.getfixturevalue(kind), start_of(request.getfixturevalue("model"), "WY")
    x = np.array([start[name] for name in FEATURE_NAMES])
    for free in itertools.combinations(FEATURE_NAMES, n_free):
        axes = [
            positions_of(column, start[column.name]) if column.name in free else [start[column.name]]
            for column in FEATURES
        ]
        rows = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        costs, y = costs_of(model, start, rows), np.rint(predict_many(model, rows))
        for goal in np.unique(np.linspace(y.min() - 30, y.max() + 30, 5).round()):
            aim = "at_least" if goal > np.rint(predict_many(model, x[None]))[0] else "at_most"
            side = side_of(model, aim, goal, start)
            held = [name for name in FEATURE_NAMES if name not in free]
            found = look_for(model, start, aim, goal, fixed=held, support="very far")
            assert all(found.answers[0].prediction.scenario[name] == start[name] for name in held)
            there = rows[side * (y - goal) >= 0]
            assert found.is_reached == (len(there) > 0)
            if not len(there):
                closest = (side * y).max() * side
                assert np.rint(found.answers[0].prediction.value) == closest
                assert found.answers[0].cost == pytest.approx(costs[y == closest].min(), abs=1e-9)
                continue
            cost = costs_of(model, start, there)
            steady = first_that_holds(there, cost, lambda part: are_steady(model, start, part, goal, side))  # noqa: B023
            assert found.answers[0].cost == pytest.approx(min(steady, np.inf if steady < np.inf else cost.min()))


def test_on_a_plane_the_input_that_moves_most_for_its_cost_goes_first(line):
    """What is cheapest on a plane is known: the steepest input for its cost to the end of its range, then the next."""
    before = predict(line, DEFAULTS).value
    slopes = np.array([predict(line, DEFAULTS | {c.name: c.default + c.step}).value - before for c in FEATURES])
    slopes /= [c.step / s for c, s in zip(FEATURES, line.scale, strict=True)]  # for a standard deviation
    for goal, side in ((round(before) + 150, 1), (round(before) - 150, -1)):
        missing, cost = abs(goal - before) - 0.5, 0.0
        for i in np.argsort(-np.abs(slopes)):
            column, scale = FEATURES[i], line.scale[i]
            end = column.high if side * slopes[i] > 0 else column.low
            moved = min(missing / abs(slopes[i]), abs(end - column.default) / scale)
            missing, cost = missing - moved * abs(slopes[i]), cost + moved
        found = look_for(line, DEFAULTS, "reach", goal, support="very far")
        steps = sum(column.step / scale for column, scale in zip(FEATURES, line.scale, strict=True))
        assert cost <= found.answers[0].cost <= cost + 2 * steps


@pytest.fixture(scope="module")
def ends(model):
    """Return the lowest and the highest prediction within the sliders.

    An input of known direction is at an end of its slider there, since the forest never turns back along it.
    """

    def everything(side):
        axes = [
            [column.high if column.direction == side else column.low] if column.direction else column.grid
            for column in FEATURES
        ]
        rows = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        return np.rint(predict_many(model, rows))

    return everything(-1).min(), everything(1).max()


@pytest.mark.slow
@pytest.mark.parametrize("side", [-1, 1])
def test_the_ends_are_found_and_beyond_them_what_comes_closest(model, ends, side):
    end = ends[side > 0]
    best = look_for(model, DEFAULTS, "highest" if side > 0 else "lowest", support="very far")
    assert best.is_reached
    assert np.rint(best.answers[0].prediction.value) == end
    beyond = look_for(model, DEFAULTS, "reach", end + side, support="very far")
    assert not beyond.is_reached
    assert len(beyond.answers) == 1
    assert np.rint(beyond.answers[0].prediction.value) == end
    assert look_for(model, DEFAULTS, "reach", end, support="very far").is_reached


def test_an_aim_that_is_there_already_changes_nothing(model):
    now = round(predict(model, DEFAULTS).value)
    for aim, goal in (("reach", now), ("at_least", now - 20), ("at_most", now + 20)):
        found = look_for(model, DEFAULTS, aim, goal)
        assert found.is_reached
        assert (found.answers[0].cost, found.answers[0].prediction.scenario) == (0, DEFAULTS)


def test_more_than_the_refits_can_agree_on_is_given_up_and_said(model):
    found = look_for(model, DEFAULTS, "at_most", 450, share=0.99)
    assert found.is_reached
    assert not found.is_sure
    assert all(answer.share < 0.99 for answer in found.answers)


def test_ends_steps_and_costs_are_kept_to(model):
    given = {"average_income": {"low": 4000, "high": 5000, "step": 200}, "petrol_tax": {"cost": 50}}
    found = look_for(model, DEFAULTS, "at_most", 520, ranges=given)
    assert found.is_reached
    for answer in found.answers:
        income, tax = (answer.prediction.scenario[name] for name in ("average_income", "petrol_tax"))
        assert income in (DEFAULTS["average_income"], 4000, 4200, 4400, 4600, 4800, 5000)
        assert tax == DEFAULTS["petrol_tax"] or answer.cost >= 50
    assert found.answers[0].prediction.scenario["petrol_tax"] == DEFAULTS["petrol_tax"]


def test_nothing_near_is_no_answer(model):
    lone = {"petrol_tax": {"low": 10}, "average_income": {"low": 5400}, "paved_highways": {"low": 18_000}}
    far_off = DEFAULTS | {"petrol_tax": 10.0, "average_income": 5400.0, "paved_highways": 18_000.0}
    found = look_for(model, far_off, "at_most", 500, ranges=lone)
    assert (found.answers, found.is_reached) == ((), False)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"goal": "x"}, "goal: 'x' cannot be used. Give a number from 1 to 5,000 gallons"),
        ({"goal": None}, "goal: 'None' cannot be used. Give a number"),
        ({"goal": float("nan")}, "goal: 'nan' cannot be used"),
        ({"goal": 0}, "goal: '0' cannot be used"),
        ({"aim": "best"}, "aim: 'best' cannot be used. Give one of reach, at_least"),
        ({"aim": ["reach"]}, "aim: .* cannot be used"),
        ({"fixed": FEATURE_NAMES}, "Every input is kept fixed"),
        ({"fixed": ("tax",)}, "fixed: 'tax' is not an input. The inputs are"),
        ({"fixed": 5}, "fixed: '5' is not an input"),
        ({"fixed": [["petrol_tax"]]}, "is not an input"),
        ({"ranges": {"tax": {}}}, "ranges: 'tax' is not an input"),
        ({"ranges": [1]}, r"ranges: '\[1\]' is not an input"),
        ({"ranges": {"petrol_tax": 5}}, "petrol_tax: '5' cannot be used. Give some of low, high, step, cost."),
        ({"ranges": {"petrol_tax": {"choices": ["a"]}}}, "petrol_tax: .* Give some of low, high, step, cost."),
        (
            {"ranges": {"petrol_tax": {"low": 4}}},
            "petrol_tax, low: '4' cannot be used. Give a number from 5 to 10 cents",
        ),
        ({"ranges": {"petrol_tax": {"low": 8, "high": 7}}}, "petrol_tax, high: '7' .* Give a number from 8 to 10"),
        ({"ranges": {"petrol_tax": {"step": 0}}}, "petrol_tax, step: '0' cannot be used"),
        ({"ranges": {"petrol_tax": {"step": float("nan")}}}, "petrol_tax, step: 'nan' cannot be used"),
        (
            {"ranges": {"petrol_tax": {"step": 0.15}}},
            "step: '0.15' cannot be used. Give a multiple of the slider's step, 0.1",
        ),
        ({"ranges": {"petrol_tax": {"cost": -1}}}, "petrol_tax, cost: '-1' cannot be used. Give a number above 0"),
        ({"ranges": {"petrol_tax": {"cost": 0}}}, "petrol_tax, cost: '0' cannot be used. Give a number above 0"),
        ({"ranges": 0}, "ranges: '0' is not an input"),
        ({"fixed": {"petrol_tax": 1}}, "is not an input"),
        ({"ranges": {"driver_licence_share": {"low": 0.9}}}, "Give a number from 45 to 73 "),
        ({"support": "close"}, "support: 'close' cannot be used. Give one of near, far, very far."),
        ({"share": 1}, "share: '1' cannot be used. Give a share of the refits from 0 to below 1."),
        ({"share": True}, "share: 'True' cannot be used"),
    ],
)
def test_a_question_that_cannot_be_used_is_refused_with_the_cure(model, asked, expected):
    with pytest.raises(DataError, match=expected):
        read_question(model, DEFAULTS, **{"goal": 500} | asked)


def test_ends_between_two_steps_are_those_within(model):
    ranges = read_question(
        model, DEFAULTS, "highest", ranges={"petrol_tax": {"low": 6.05, "high": 7.04, "step": 0.2}}
    ).ranges
    assert ranges["petrol_tax"].values == (6.1, 6.3, 6.5, 6.7, 6.9)


def test_what_only_nearness_forbids_is_said_of_nearness(model):
    corner = DEFAULTS | {
        "petrol_tax": 5.0,
        "average_income": 5400.0,
        "paved_highways": 400.0,
        "driver_licence_share": 0.73,
    }
    held = ["paved_highways", "driver_licence_share"]
    near = look_for(model, corner, "at_most", 703, fixed=held)
    assert not near.is_reached
    said = outcome_in_words(near)
    assert "No way to 703 or less was found** in these ranges close to real states" in said
    assert look_for(model, corner, "at_most", 703, fixed=held, support="very far").is_reached


def test_without_refits_nobody_is_sure_and_all_else_is_found(model):
    bare = replace(model, refits=None)
    with pytest.raises(DataError, match="has no refits yet: leave it out"):
        read_question(bare, DEFAULTS, "at_most", 500, share=0.8)
    for aim in AIMS:
        found = look_for(bare, DEFAULTS, aim, 520)
        assert found.answers
        assert all(answer.share is None for answer in found.answers)


@pytest.mark.soak
@pytest.mark.parametrize("n_inputs", [8, 12])
def test_a_general_optimiser_with_ten_times_the_calls_finds_nothing_cheaper(n_inputs, tmp_path):
    table = drafted.draft_numbers(tmp_path, n_inputs)
    command, environment = [sys.executable, "-m", "tests.optimiser"], os.environ | {"PETROL_TABLE": str(table)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
