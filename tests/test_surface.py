"""Two inputs at once: the model's own predictions, and how much the two act together by loops of another kind."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import RegularGridInterpolator
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.pipeline import Pipeline

from data.schema import FEATURE_NAMES, FEATURES
from model.answering.prediction import Scenario, predict
from model.answering.surface import measure_interaction, predict_surface
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import fit
from pages.shared.what_if import contour

DEFAULTS = Scenario({column.name: column.default for column in FEATURES})
PAIRS = [(0, 1), (3, 1), (2, 3)]


class Formula(BaseEstimator, RegressorMixin):
    """Predicts what a formula says of the inputs' deviations from their means."""

    def __init__(self, model, formula):
        self.model, self.formula = model, formula

    def predict(self, X):
        return self.formula(*((np.asarray(X) - self.model.X.mean(axis=0)) / self.model.scale).T)


@pytest.mark.parametrize("pair", PAIRS)
def test_each_point_is_what_the_model_predicts_there_and_as_well_supported(model, pair):
    surface = predict_surface(model, DEFAULTS, pair)
    assert surface.predictions.shape == surface.support.shape == (len(surface.up), len(surface.across))
    for i, values in zip(pair, (surface.across, surface.up), strict=True):
        assert set(values) <= set(FEATURES[i].grid)
        assert (values[0], values[-1], len(values)) == (FEATURES[i].low, FEATURES[i].high, 41)
    random = np.random.default_rng(5)
    for j, i in random.integers(41, size=(40, 2)):
        names = (FEATURE_NAMES[k] for k in pair)
        there = predict(model, DEFAULTS | dict(zip(names, (surface.across[i], surface.up[j]), strict=True)))
        assert surface.predictions[j, i] == pytest.approx(there.value, abs=1e-9)
        assert surface.support[j, i] == there.support
    others = [i for i in range(len(FEATURES)) if i not in pair]
    for row, distance in zip(model.X, surface.distances, strict=True):
        away = sum(((row[i] - DEFAULTS[FEATURE_NAMES[i]]) / model.scale[i]) ** 2 for i in others) ** 0.5
        assert distance == pytest.approx(away)


@pytest.mark.parametrize(
    ("formula", "least", "most"),
    [
        (lambda a, b, c, d: 3 * a - b**2 + np.sin(c) + 500, 0, 1e-12),
        (lambda a, b, c, d: 3 * a - b + c * d, 0, 1e-12),  # others that act together do not count
        (lambda a, b, c, d: np.where(a > 0, b, -b) + d, 0.5, 1),
        (lambda a, b, c, d: np.full_like(a, 7.0), 0, 0),
    ],
)
def test_inputs_that_add_up_do_not_act_together_and_those_that_turn_each_other_do(model, formula, least, most):
    told = replace(model, pipeline=Pipeline([("prepare", "passthrough"), ("regressor", Formula(model, formula))]))
    share = measure_interaction(told, (0, 1))
    assert least <= share <= most
    assert measure_interaction(told, (1, 0)) == pytest.approx(share)


def test_how_much_they_act_together_is_what_loops_over_the_rows_say(model):
    grown = replace(model, pipeline=fit(make_recipe("forest", {"n_estimators": 5}), model.rows))

    def dependence(inputs):
        means = []
        for row in model.X:
            asked = model.X.copy()
            asked[:, inputs] = row[inputs]
            means.append(grown.pipeline.predict(asked).mean())
        return np.array(means) - np.mean(means)

    for first, second in PAIRS:
        joint = dependence([first, second])
        share = ((joint - dependence([first]) - dependence([second])) ** 2).sum() / (joint**2).sum()
        assert measure_interaction(grown, (first, second)) == pytest.approx(share)
    line = replace(model, pipeline=build_pipeline(make_recipe("least_squares")).fit(model.X, model.y))
    assert measure_interaction(line, (0, 3)) == pytest.approx(0, abs=1e-12)


def test_between_two_steps_the_picture_shows_a_mean(js, model):
    surface = predict_surface(model, DEFAULTS, (3, 1))
    exact = RegularGridInterpolator((surface.up, surface.across), surface.predictions)
    told = {"x": {"values": surface.across.tolist()}, "y": {"values": surface.up.tolist()}}
    drawn = js(
        "(() => { const [across, up] = [placesOf(x, 97), placesOf(y, 61)]; "
        "return up.map((j) => across.map((i) => mixed(z, i, j))); })()",
        z=surface.predictions.tolist(),
        **told,
    )
    up, across = (
        values[0] + (np.arange(n) + 0.5) / n * (values[-1] - values[0])
        for values, n in ((surface.up, 61), (surface.across, 97))
    )
    expected = exact(np.stack(np.meshgrid(up, across, indexing="ij"), axis=-1))
    assert np.allclose(drawn, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_a_click_is_on_the_nearest_step(js, column):
    side = {"values": [column.low, column.high], "low": column.low, "step": column.step}
    for share in (0, 0.2, 0.531, 0.9999, 1):
        value = js("valueOn(side, share)", side=side, share=share)
        assert value in column.grid
        assert abs(value - (column.low + share * (column.high - column.low))) <= column.step / 2 + 1e-9
    choices = {"values": [0, 1, 2], "choices": ["a", "b", "c"]}
    assert [js("valueOn(side, share)", side=choices, share=share) for share in (0, 0.34, 0.99, 1)] == [0, 1, 2, 2]


def test_bands_are_round_and_hold_all(js, model):
    surface = predict_surface(model, DEFAULTS, (3, 1))
    bounds = js("bandsOf(z)", z=surface.predictions.tolist())
    assert (bounds[0], bounds[-1]) == (surface.predictions.min(), surface.predictions.max())
    assert len(bounds) <= 10
    assert all(bound % 50 == 0 for bound in bounds[1:-1])
    assert js("bandsOf([[3, 3], [3, 3]])") == [3, 3]


def test_the_table_has_the_pictures_figures_in_brackets_where_no_row_is_near(model):
    surface = predict_surface(model, DEFAULTS, (3, 1))
    table = contour.tabulate_surface(surface)
    top = [text for heading, text in table[0].items() if "%" in heading]
    steps = np.linspace(0, 40, 7).round().astype(int)
    for text, i in zip(top, steps, strict=True):
        number = f"{surface.predictions[-1, i]:.0f}"
        assert text == (number if surface.support[-1, i] == "near" else f"({number})")
