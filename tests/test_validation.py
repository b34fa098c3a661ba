"""How well a model does on rows that it has not seen: SciPy's figures, a planted group, and rows that it knows."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from data.inputs import load_inputs
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from model.__main__ import main
from model.answering.prediction import predict_rows
from model.answering.scoring import score_file, score_scenarios
from model.fitting.errors import ModelError
from model.fitting.interval import rank
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.judging.validation import _held_by_chance, compare_validations, validate, validate_beside
from pages.shared.words import validations


def validated(model, X, y, level=0.9):
    return validate(model, X, y, score_scenarios(model, X, level), level)


@pytest.fixture(scope="module")
def new(model):
    """Return scenarios and targets as of 200 rows that the model has not seen, right but for noise."""
    random = np.random.default_rng(5)
    X = np.column_stack([random.choice(column.grid, 200) for column in FEATURES])
    return X, predict_rows(model, X) + random.normal(0, 40, 200)


def test_figures_are_those_of_scipy(model, new):
    X, y = new
    validation, errors = validated(model, X, y), y - predict_rows(model, X)
    assert validation.mae.value == pytest.approx(np.abs(errors).mean())
    assert validation.mae.standard_error == pytest.approx(stats.sem(np.abs(errors)))
    ends = stats.t.interval(0.9, 199, errors.mean(), stats.sem(errors))
    assert (validation.bias.low, validation.bias.high) == pytest.approx(ends)
    assert validation.held == (np.abs(errors) <= model.half_width(0.9)).sum()
    assert validation.mae_of_average.value == pytest.approx(np.abs(y - model.y.mean()).mean())
    assert len(validation.groups) == 12
    for group in validation.groups:
        values = X[:, FEATURE_NAMES.index(group.input)]
        mask = (values >= group.low) & (values <= group.high)
        expected = stats.ttest_ind(errors[mask], errors[~mask], equal_var=False).confidence_interval(1 - 0.05 / 12)
        assert (group.excess.low, group.excess.high) == pytest.approx(tuple(expected))
        assert group.n_rows == mask.sum()
        assert group.mae == pytest.approx(np.abs(errors[mask]).mean())


def test_a_group_that_is_off_is_named_and_chance_alone_names_one_in_twenty_files(model, new):
    X, y = new
    feature, column = 3, FEATURES[3]
    off = y + 60 * (X[:, feature] > np.quantile(X[:, feature], 2 / 3))
    validation = validated(model, X, off)
    assert validation.outstanding.input == column.name
    assert validation.outstanding.high == X[:, feature].max()
    words = validations.validation_in_words(validation)
    assert f"**{validations.name_group(validation.outstanding)}**" in words
    assert "observed minus predicted is" in words
    assert "higher than for the other states" in words
    random, n_named = np.random.default_rng(8), 0
    scored = score_scenarios(model, X)
    for _ in range(200):
        n_named += validate(model, X, scored.value + random.normal(0, 40, len(X)), scored, 0.9).outstanding is not None
    assert n_named <= stats.binom.ppf(0.999, 200, 0.05)


def test_the_range_of_chance_holds_95_of_100_files_of_rows_like_the_training(model):
    """Simulated: a width is set by 48 errors, and holds so many of 500 others."""
    random, n_files = np.random.default_rng(4), 4000
    widths = np.sort(np.abs(random.normal(size=(n_files, 48))), axis=1)[:, rank(48, 0.9) - 1]
    held = (np.abs(random.normal(size=(n_files, 500))) <= widths[:, None]).sum(axis=1)
    low, high = _held_by_chance(500, 48, 0.9)
    assert 0.94 <= ((held >= low) & (held <= high)).mean() <= 0.97


def test_rows_that_the_model_was_trained_on_do_not_count(model, new):
    X, y = new
    both = validated(model, np.vstack([model.X, X]), np.concatenate([model.y, y]))
    alone = validated(model, X, y)
    assert (both.n_known, both.n_rows) == (48, 200)
    assert (both.mae, both.bias, both.groups) == (alone.mae, alone.bias, alone.groups)
    assert "48 more states are of those" in validations.validation_in_words(both)
    with pytest.raises(ModelError, match="48 are of those that the model was trained on, and say nothing of new"):
        validated(model, model.X, model.y)
    with pytest.raises(ModelError, match="Of 0 states with"):
        validated(model, X, np.full(200, np.nan))


def test_another_version_is_held_against_it_row_by_row(model, new, rows):
    X, y = new
    other = train(rows, make_recipe("mean"), n_repeats=1)
    difference = compare_validations(validated(model, X, y), validated(other, X, y))
    apart = np.abs(y - predict_rows(model, X)) - np.abs(y - predict_rows(other, X))
    ends = stats.t.interval(0.9, 199, apart.mean(), stats.sem(apart))
    assert (difference.value, difference.low, difference.high) == pytest.approx((apart.mean(), *ends))
    assert "misses by clearly less than Version 2" in validations.difference_in_words("Version 2", difference)
    record = validate_beside(model, X, y, 0.9, other)
    assert record["mae_difference"]["value"] == pytest.approx(apart.mean())
    assert json.loads(json.dumps(record)) == record


def file_of(X, y, **more):
    return pd.DataFrame(X, columns=list(FEATURE_NAMES)).assign(**{TARGET.name: y}, **more)


def test_a_file_may_have_the_target_in_some_rows_and_what_cannot_be_read_costs_a_row_nothing(model, new):
    X, y = new
    table = file_of(X[:20], y[:20].round(1).astype(object))
    table.loc[3, TARGET.name], table.loc[4, TARGET.name], table.loc[5, TARGET.name] = "", "much", "-5"
    result = score_file(model, load_inputs(table.to_csv(index=False).encode()))
    assert result.n_problems == 0
    assert np.flatnonzero(np.isnan(result.y)).tolist() == [3, 4, 5]
    np.testing.assert_array_equal(result.y[6:], y[6:20].round(1))
    assert f"{TARGET.name}: 2 cells cannot be read as the target, and do not count." in result.remarks
    worst = validations.tabulate_worst(validate(model, result.X, result.y, result.scored, 0.9), result)
    errors = np.abs(result.y - result.scored.value)
    assert worst[0]["Row of the file"] == str(2 + int(np.nanargmax(errors)))


@pytest.mark.slow
def test_parquet_and_the_command_say_the_same(model, new, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PETROL_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    X, y = new
    file_of(X, y, other="text").to_parquet(tmp_path / "rows.parquet")
    assert main(["validate", "--file", str(tmp_path / "rows.parquet"), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["worst"][0] == 2 + int(np.abs(y - predict_rows(model, X)).argmax())
    assert record["mae"]["value"] == pytest.approx(validated(model, X, y).mae.value)
    assert main(["validate", "--file", str(tmp_path / "rows.parquet"), "--beside", "1"]) == 0
    first, second, difference = capsys.readouterr().out.splitlines()
    assert first == second
    assert difference == "difference of the typical miss: 0.0 (0.0 to 0.0)"
    assert f"typical miss {TARGET.estimate(record['mae']['value'], n_more=1)} {TARGET.unit} on 200 states" in first
    file_of(X, y).drop(columns=TARGET.name).to_csv(tmp_path / "without.csv", index=False)
    assert main(["validate", "--file", str(tmp_path / "without.csv")]) == 2
    assert f"no one column is {TARGET.name}" in capsys.readouterr().err
