"""A change: the active model's own, with the interval of all refits, its reasons, and what others say."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from data.schema import FEATURE_NAMES, FEATURES
from model.answering.change import (
    agreement_in_words,
    amount_in_words,
    find_row,
    interval_ends,
    predict_change,
    predict_changes,
    start_figures,
)
from model.answering.prediction import Scenario, predict, predict_many
from model.fitting.recipe import make_recipe
from model.fitting.train import fit

PLACES = range(0, 48, 7)
DEFAULTS = {column.name: column.default for column in FEATURES}
TWO = [DEFAULTS, DEFAULTS | {"petrol_tax": 9.0, "average_income": 5000.0, "driver_licence_share": 0.6}]


@pytest.mark.parametrize("place", PLACES)
def test_a_change_is_the_models_own_and_its_reasons_add_up(model, place):
    start, observed = start_figures(model, place)
    to = start | {"petrol_tax": 9.0, "driver_licence_share": 0.6}
    answer = predict_change(model, start, to, observed=observed)
    assert answer.value == pytest.approx(predict(model, to).value - predict(model, start).value, abs=1e-9)
    assert sum(answer.reasons.contributions.values()) == pytest.approx(answer.value, abs=1e-9)
    assert answer.reasons.contributions["average_income"] == answer.reasons.contributions["paved_highways"] == 0
    assert answer.low <= answer.value <= answer.high
    assert observed == model.y[place]
    assert answer.others["forest"] == pytest.approx(answer.value, abs=1e-3)  # the shipped recipe is the default one


def test_the_interval_is_percentiles_of_all_refits(model):
    """Recomputed from the kept arrays, walking each tree in turn."""
    start, _ = start_figures(model, find_row(model, "Ohio"))
    to = start | {"petrol_tax": 9.0}
    pool = model.refits.pool
    x = np.array([[each[name] for name in FEATURE_NAMES] for each in (start, to)])

    def predicted(row):
        total = pool.intercepts + pool.slopes @ row
        for node, number in zip(pool.root, pool.fit_of, strict=True):
            while pool.child[node] != node:
                node = pool.child[node] + (np.float32(row[pool.feature[node]]) > pool.threshold[node])  # noqa: PLW2901
            total[number] += pool.value[node]
        for centres, weights, lengths, number in zip(
            pool.centres, pool.weights, pool.lengths, pool.surface_of, strict=True
        ):
            total[number] += weights @ np.exp(-((row / lengths - centres) ** 2).sum(axis=1) / 2)
        return total

    moved = predicted(x[1]) - predicted(x[0])
    answer = predict_change(model, start, to)
    in_order = np.sort(moved)  # of 120: the fifth percentile lies between two of them, and so does the ninety-fifth
    assert in_order[5] <= answer.low <= in_order[6]
    assert in_order[-7] <= answer.high <= in_order[-6]
    assert answer.below == (moved < -1e-9).mean()
    assert answer.above == (moved > 1e-9).mean()


def test_ohio_says_less_when_its_tax_rises_and_how_sure_that_is(model):
    start, _ = start_figures(model, find_row(model, "OH"))
    answer = predict_change(model, start, start | {"petrol_tax": 9.0})
    assert round(answer.value) == -46
    assert answer.below > 0.9
    assert answer.low < -80
    assert -10 < answer.high < 10
    assert min(answer.others.values()) < answer.value < max(answer.others.values())


def test_no_change_is_no_change_for_everybody(model):
    start, _ = start_figures(model, 3)
    answer = predict_change(model, start, start)
    assert (answer.value, answer.low, answer.high, answer.below, answer.above) == (0, 0, 0, 0, 0)
    assert agreement_in_words(answer) == "100 of 100 refits say no change"
    assert set(answer.others.values()) == {0}


def test_there_and_back_are_opposite(model):
    start, _ = start_figures(model, 3)
    to, _ = start_figures(model, 30)
    there, back = predict_change(model, start, to), predict_change(model, to, start)
    assert back.value == pytest.approx(-there.value)
    assert (back.low, back.high) == pytest.approx((-there.high, -there.low))
    assert (back.below, back.above) == (there.above, there.below)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_many_changes_at_once_are_what_each_would_be_alone(model, level):
    before, after = model.X[:40], model.X[8:]
    value, low, high = predict_changes(model, before, after, level)
    for i in range(0, 40, 7):
        alone = predict_change(model, *(dict(zip(FEATURE_NAMES, X[i], strict=True)) for X in (before, after)), level)
        assert (value[i], low[i], high[i]) == pytest.approx((alone.value, alone.low, alone.high), abs=1e-6)


def test_a_wider_level_never_narrows_the_interval(model):
    moved = model.refits.changes(model.X[:20], model.X[20:40])
    widths = [high - low for low, high in (interval_ends(moved, level) for level in (0.8, 0.9, 0.95))]
    assert (np.diff(widths, axis=0) >= 0).all()


def test_an_estimate_outside_is_held_by_a_stretched_interval(rows, model):
    """A forest of one tree with small leaves jumps farther than any of 120 refits does."""
    wild = replace(model, pipeline=fit(make_recipe("forest", {"n_estimators": 1, "min_samples_leaf": 1}, 3), rows))
    answers = [
        predict_change(wild, *(dict(zip(FEATURE_NAMES, x, strict=True)) for x in pair))
        for pair in zip(model.X[:-1], model.X[1:], strict=True)
    ]
    stretched = [answer for answer in answers if answer.is_stretched]
    assert stretched
    assert all(answer.value in (answer.low, answer.high) for answer in stretched)
    assert all(answer.low <= answer.value <= answer.high for answer in answers)


def test_without_refits_the_change_is_there_and_nothing_is_said_of_it(model):
    start, _ = start_figures(model, 3)
    answer = predict_change(replace(model, refits=None), start, start | {"petrol_tax": 9.0})
    assert answer.value != 0
    assert (answer.low, answer.high, answer.below, answer.above, answer.others) == (None, None, None, None, {})


@pytest.mark.parametrize("below", [0, 1, 7, 60, 113, 119, 120])
def test_counts_of_refits_add_up_to_a_hundred(model, below):
    start, _ = start_figures(model, 3)
    answer = replace(
        predict_change(model, start, start | {"petrol_tax": 9.0}), below=below / 120, above=(120 - below) / 120 / 3
    )
    counts = [int(word) for word in agreement_in_words(answer).replace(",", "").split() if word.isdecimal()]
    assert sum(counts) - 100 == 100  # "of 100 refits" is one of them


def test_an_amount_is_written_without_a_sign():
    assert [amount_in_words(amount) for amount in (-46.2, 0.4, -0.4, 2.6, 1234)] == [
        "46 less",
        "no change",
        "no change",
        "3 more",
        "1,234 more",
    ]


def test_reasons_add_up_and_are_the_average_over_all_orders_of_changing(model):
    before, after = map(Scenario, TWO)
    moved = predict_change(model, before, after)
    assert moved.start_prediction == pytest.approx(predict(model, before).value, abs=1e-9)
    assert moved.prediction == predict(model, after).value
    assert sum(moved.reasons.contributions.values()) == pytest.approx(moved.value, abs=1e-9)
    by_hand = dict.fromkeys(FEATURE_NAMES, 0.0)
    for order in permutations(FEATURE_NAMES):
        now = dict(before)
        for name in order:
            old = predict(model, now).value
            now[name] = after[name]
            by_hand[name] += (predict(model, now).value - old) / 24
    assert moved.reasons.contributions == pytest.approx(by_hand, abs=1e-9)
    assert moved.reasons.contributions["paved_highways"] == 0  # it is the same in both


def test_the_way_back_has_the_opposite_reasons_and_no_way_has_none(model):
    before, after = map(Scenario, TWO)
    there, back = (predict_change(model, *pair).reasons.contributions for pair in ((before, after), (after, before)))
    assert there == pytest.approx({name: -value for name, value in back.items()}, abs=1e-9)
    assert set(predict_change(model, before, before).reasons.contributions.values()) == {0}


def test_reasons_need_no_more_than_all_ways_of_mixing(model, monkeypatch):
    asked = []
    monkeypatch.setattr(
        "model.answering.change.predict_many", lambda model, X: asked.append(len(X)) or predict_many(model, X)
    )
    before, after = map(Scenario, TWO)
    predict_change(model, before, after)
    assert asked == [2 ** sum(before[name] != after[name] for name in before)]
