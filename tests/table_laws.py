"""What holds for whatever table is in use: ``PETROL_TABLE=folder python -m tests.table_laws`` fails where it does not.

A process has one table, so the tests start one for each.
"""

import io
import json
from dataclasses import replace

import numpy as np
import pandas as pd
from jsonschema import validate

from data.edit import from_shown, to_shown, write_rows
from data.inputs import load_inputs
from data.load import fingerprint, load_rows
from data.schema import COLUMNS, FEATURE_NAMES, FEATURES, ROW, TARGET
from model.answering import change, scenarios
from model.answering.change import bands, predict_change, predict_with_change
from model.answering.find import find
from model.answering.neighbours import classify_support, nearest_rows
from model.answering.prediction import ALL_INPUTS, Scenario, curve_rows, curve_support, predict, predict_rows
from model.answering.question import read_question
from model.answering.scoring import score_file
from model.answering.surface import measure_interaction, predict_surface
from model.fitting import refits
from model.fitting.encoding import CATEGORIES, encode, make_encoder
from model.fitting.recipe import make_recipe
from model.fitting.train import Model, fit, train
from model.judging.evidence import Evidence
from model.judging.regression import fit_regression
from model.judging.survey import Survey
from pages.shared.pictures import charts, text_tables
from pages.shared.pictures.drawing import Points
from pages.shared.what_if import contour
from pages.shared.words import reports
from web.openapi import describe_api

refits.N_REFITS = 2  # of each kind, and two others to compare with: what they say does not matter here
refits.OTHERS = change.OTHERS = ("least_squares", "ridge")
DEFAULTS = Scenario({column.name: column.default for column in FEATURES})


def other_values(model: Model) -> Scenario:
    """Return a scenario in which each input differs from its default: another choice, or the farther end."""
    return Scenario({
        column.name: float((column.default + 1) % len(column.choices)) if column.choices
        else max(column.low, column.high, key=lambda end, column=column: abs(end - column.default))
        for column in FEATURES
    })  # fmt: skip


def require_equal_predictions(model: Model) -> None:
    """Codes are answered as the pipeline answers them, to the last bit, and encoded as it encodes them."""
    X = model.X
    if CATEGORIES:
        assert (make_encoder().fit(X).transform(X) == encode(X)).all()
    for algorithm in ("forest", "ridge", "line_and_forest", "histogram_boosting", "gradient_boosting"):
        known = make_recipe(algorithm).parameters
        small = {name: 10 for name in ("n_estimators", "max_iter") if name in known}
        pipeline = fit(make_recipe(algorithm, small), model.rows)
        assert (predict_rows(replace(model, pipeline=pipeline), X) == pipeline.predict(X)).all(), algorithm


def require_answers(model: Model) -> None:
    """An answer agrees with itself, its reasons add up, and its neighbours are those that a loop over rows finds."""
    far = other_values(model)
    for scenario in (DEFAULTS, far):
        answer = predict(model, scenario, 0.9, with_reasons=True)
        assert np.isclose(answer.reasons.base + sum(answer.reasons.contributions.values()), answer.value)
        x = np.array(list(scenario.values()))
        supports = curve_support(model, x)
        points = np.concatenate(list(curve_rows(x, ALL_INPUTS)))
        expected = classify_support(model, points, nearest_rows(model, points)[1][:, 0])
        assert (np.concatenate([*supports.values()]) == expected).all()
        for column in FEATURES:
            assert len(supports[column.name]) == len(answer.curves[column.name]) == column.n_steps
            step = round((scenario[column.name] - column.low) / column.step)
            assert np.isclose(answer.curves[column.name][step], answer.value)
        part = predict(model, scenario, 0.9, curves_of=ALL_INPUTS[:1])
        assert (part.curves[FEATURE_NAMES[0]] == answer.curves[FEATURE_NAMES[0]]).all()
    moved = predict_change(model, DEFAULTS, far)
    answer, again = predict_with_change(model, DEFAULTS, far, with_reasons=True)
    assert again == moved
    assert (answer.value, answer.reasons) == (moved.prediction, predict(model, far, with_reasons=True).reasons)
    assert np.isclose(sum(moved.reasons.contributions.values()), moved.value)
    band = bands(model, DEFAULTS, far, 0.9, 9)
    assert all((band[column.name].low <= band[column.name].high).all() for column in FEATURES)

    asked = np.array([list(DEFAULTS.values()), list(far.values()), *model.X[:20]])
    _, distances = nearest_rows(model, asked, 1)
    for x, (distance,) in zip(asked, distances, strict=True):
        parts = [
            (model.X[:, i] != x[i]).astype(float) if column.choices else (model.X[:, i] - x[i]) / model.scale[i]
            for i, column in enumerate(FEATURES)
        ]
        assert np.isclose(distance, np.sqrt(np.square(parts).sum(axis=0)).min())


def require_a_goal_reached(model: Model) -> None:
    """A goal that a single step reaches is reached, and by no more than one is far away."""
    start = predict(model, DEFAULTS, 0.9)
    ends = max((curve[-1] for curve in start.curves.values()), key=lambda value: abs(value - start.value))
    found = find(model, read_question(model, DEFAULTS, "reach", float(TARGET.round(ends)), support="very far"))
    assert found.is_reached
    assert found.answers[0].cost <= max(
        column.n_steps * column.step / s for column, s in zip(FEATURES, model.scale, strict=True)
    )
    for answer in found.answers:
        assert Scenario(answer.prediction.scenario.to_record()) == answer.prediction.scenario
    categories = {column.name: {"choices": [column.plain(column.default)]} for column in FEATURES if column.choices}
    if len(categories) < len(FEATURES):
        held = find(model, read_question(model, DEFAULTS, "highest", ranges=categories, share=0.5))
        assert all(answer.prediction.scenario[name] == DEFAULTS[name] for answer in held.answers for name in categories)
        json.dumps(held.to_record(), allow_nan=False)


def require_surfaces(model: Model) -> None:
    """Over any two inputs the picture's points are what the model predicts there, and all of it can be sent."""
    random = np.random.default_rng(1)
    for _ in range(3 if len(FEATURES) > 1 else 0):
        across, up = random.choice(len(FEATURES), 2, replace=False).tolist()
        surface = predict_surface(model, DEFAULTS, (across, up))
        j, i = random.integers(len(surface.up)), random.integers(len(surface.across))
        there = {FEATURES[across].name: surface.across[i], FEATURES[up].name: surface.up[j]}
        assert abs(surface.predictions[j, i] - predict(model, DEFAULTS | there).value) < 1e-9
        assert 0 <= measure_interaction(model, (across, up)) <= 1
        json.dumps(contour.describe_surface(model, surface, DEFAULTS, DEFAULTS, None), allow_nan=False)
        text_tables.to_markdown(contour.tabulate_surface(surface))


def require_an_evidence_report(rows: pd.DataFrame, model: Model) -> None:
    """Both models' curves stand in a report: a line for a number, a dot for each choice."""
    line = replace(train(rows, make_recipe("ridge"), n_repeats=1), version=2)
    report = reports.write_evidence_report(Evidence(line, model, model.predictions), None, DEFAULTS)
    n_choices = [len(column.choices) for column in FEATURES if column.choices]
    assert report.count("<polyline") == 2 * (len(FEATURES) - len(n_choices))
    assert report.count("<circle") == 2 * sum(n_choices)


def require_round_trips(rows: pd.DataFrame, model: Model) -> None:
    """Rows, edits and scenarios are the same after they were written and read; files hold labels and never codes."""
    again = load_rows(write_rows(rows).encode())
    pd.testing.assert_frame_equal(again, rows)
    assert fingerprint(again) == fingerprint(rows)
    shown = to_shown(rows)
    pd.testing.assert_frame_equal(from_shown(shown, rows), rows)
    scenario = other_values(model)
    kept = scenarios.KeptScenario("One", scenario, 0.9, 1, "", 1.0, 0.5, 1.5, 0.1, None, None)
    for write in (scenarios.write_json, scenarios.write_csv):
        written = write([kept])
        (read,) = scenarios.read_scenarios(written if isinstance(written, bytes) else written.encode())
        assert read.scenario == scenario
    record = json.loads(json.dumps(scenario.to_record()))
    assert Scenario(record) == scenario
    for column in FEATURES:
        if column.choices:
            assert record[column.name] in column.choices
            assert set(pd.read_csv(io.StringIO(write_rows(rows)))[column.name].str.lstrip("'")) <= set(column.choices)


def require_scores(rows: pd.DataFrame, model: Model) -> None:
    """The table's own file is scored as its rows are predicted, and the API's description is one."""
    scored = score_file(model, load_inputs(write_rows(rows).encode()))
    assert (scored.scored.value == predict_rows(model, model.X)).all()
    description = describe_api((0.9,), "")
    for record in (DEFAULTS.to_record(), other_values(model).to_record()):
        validate(record, description["components"]["schemas"]["Scenario"])


def require_the_line_of_numpy(rows: pd.DataFrame) -> None:
    """The line through all inputs is numpy's on indicators of each choice but the first."""
    indicators = pd.get_dummies(
        rows[list(FEATURE_NAMES)],
        columns=[column.name for column in FEATURES if column.choices],
        drop_first=True,
        dtype=float,
    )
    design = np.column_stack([np.ones(len(rows)), indicators])
    fitted = design @ np.linalg.lstsq(design, rows[TARGET.name].to_numpy(), rcond=None)[0]
    line = fit_regression(rows)
    assert len(line.terms) == design.shape[1] - 1
    residuals = rows[TARGET.name] - fitted
    assert np.isclose(line.deviation, np.sqrt((residuals**2).sum() / (len(rows) - design.shape[1])))


def require_pictures(rows: pd.DataFrame, model: Model) -> None:
    """Every picture of the page Explore can be drawn, and each has its figures as a table."""
    survey, points = Survey(model, rows), Points(rows.head(50))
    for column in FEATURES:
        curves = survey.curves(column.name)
        charts.draw_input_and_target(points, column, curves, (column.default, 0.5)).to_json()
        (charts.draw_choices(column, rows[column.name].to_numpy(float)) if column.choices else
         charts.draw_distribution(points, column, rows[column.name].to_numpy(float))).to_json()  # fmt: skip
        text_tables.to_markdown(text_tables.tabulate_curves(column, curves))
        if column.choices:
            means = rows.groupby(column.name)[TARGET.name].mean()
            assert np.allclose(curves["fitted"], means)
    charts.draw_matrix(points, rows, [*FEATURES[:6], TARGET]).to_json()
    charts.draw_correlations(*survey.correlations, len(rows)).to_json()
    text_tables.to_markdown(text_tables.tabulate_regression(survey.regression))
    text_tables.to_markdown(text_tables.tabulate_statistics(survey.statistics))
    table = text_tables.tabulate_rows(rows, {})
    assert len(table.columns) == len(COLUMNS) + 1


def main() -> None:
    """Try all of it on the table in use."""
    rows = load_rows()
    assert list(rows) == [ROW, *(column.name for column in COLUMNS)]
    small = {"n_estimators": 10}
    model = train(rows, make_recipe("forest", small), n_repeats=1)
    model = replace(model, refits=refits.make_refits(model.X, model.y))
    assert sorted(model.ranked_inputs) == [*ALL_INPUTS]
    require_equal_predictions(model)
    require_answers(model)
    require_a_goal_reached(model)
    require_surfaces(model)
    require_an_evidence_report(rows, model)
    require_round_trips(rows, model)
    require_scores(rows, model)
    require_the_line_of_numpy(rows)
    require_pictures(rows, model)


if __name__ == "__main__":
    main()
