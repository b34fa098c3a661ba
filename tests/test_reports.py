"""Reports of the evidence on a candidate and of kept scenarios: the pages' own figures, alone and safe."""

from dataclasses import replace
from html import escape as escape_html

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.schema import FEATURES, ROW, TARGET
from model.answering.prediction import predict
from model.answering.scenarios import KeptScenario
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.judging.evidence import Evidence
from pages.shared.words import reports, verdicts
from pages.shared.words.wording import escape
from tests.test_report import Parts

DEFAULTS = {column.name: column.default for column in FEATURES}
FORBIDDEN = {"script", "img", "link", "iframe", "object", "base", "form"}


@pytest.fixture(scope="module")
def found(model, rows):
    line = replace(train(rows, make_recipe("least_squares")), version=2)
    return Evidence(line, model, model.predictions)


@given(
    st.text(
        st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"], exclude_characters="\u2060")
    )
)
def test_what_the_pages_escape_is_read_as_it_was(text):
    assert reports.markdown_to_html(f"a **{escape(text)}** b") == f"a <b>{escape_html(text)}</b> b"


def test_evidence_has_the_pages_figures_and_curves_where_the_models_are(found):
    report = reports.write_evidence_report(found, None, DEFAULTS, "https://app.example/retrain?candidate=2")
    parts = Parts(report)
    text, said = " ".join(" ".join(parts.texts).split()), "".join(parts.texts)
    for table in (verdicts.scores_table(found), verdicts.intervals_table(found)):
        for row in table:
            for heading, cell in row.items():
                assert cell.replace("**", "").replace("\\", "").replace("-0", "−0") in said, heading
    now, then = found.answers(DEFAULTS)
    assert f"{TARGET.estimate(now)} now, {TARGET.estimate(then)} with version 2" in text
    lines = [tag["points"] for name, tag in parts.tags if name == "polyline"]
    curves = [curve for _, *both in found.curves(DEFAULTS).values() for curve in both]
    assert len(lines) == len(curves) == 2 * len(FEATURES)
    for line, curve in zip(lines, curves, strict=True):
        heights = np.array([float(point.split(",")[1]) for point in line.split()])
        assert np.ptp(curve) == 0 or np.corrcoef(heights, curve)[0, 1] < -0.999
    moves = np.abs(found.moves[1] - found.moves[0])
    assert f"{moves.max():.1f} at most" in text
    assert len(report.encode()) < 100_000
    assert {name for name, _ in parts.tags}.isdisjoint(FORBIDDEN)
    assert [tag["href"] for _, tag in parts.tags if "href" in tag] == ["https://app.example/retrain?candidate=2"]


def test_names_of_rows_cannot_become_markup(found, rows):
    evil = "<script>alert(1)</script>**&"
    named = replace(found.active, rows=rows.assign(**{ROW: evil}))
    parts = Parts(reports.write_evidence_report(Evidence(found.candidate, named, found.rival), None, DEFAULTS))
    assert "script" not in {name for name, _ in parts.tags}
    assert evil in " ".join(parts.texts)


def test_kept_scenarios_stand_side_by_side_where_their_figures_are(model):
    kept = []
    for name, tax in (("as it is", 7.5), ("<b>more</b>", 9.5)):
        answer = predict(model, DEFAULTS | {FEATURES[0].name: tax})
        figures = (answer.value, answer.low, answer.high, 0.0, None, None)
        kept.append(KeptScenario(name, answer.scenario, 0.9, 1, "", *figures))
    table = [{"Scenario": one.name, "<b>tax</b>": TARGET.estimate(one.value)} for one in kept]
    report = reports.write_kept_report(model, kept, table, "https://app.example/")
    parts = Parts(report)
    assert {"b", *FORBIDDEN}.isdisjoint({name for name, _ in parts.tags})
    dots = [float(tag["cx"]) for name, tag in parts.tags if name == "circle"]
    spans = [(float(tag["x1"]), float(tag["x2"])) for name, tag in parts.tags if name == "line"]
    ends = [(one.low, one.high) for one in kept]
    shown = np.array([*dots, *np.ravel(spans)])
    figures = np.array([*(one.value for one in kept), *np.ravel(ends)])
    assert np.corrcoef(shown, figures)[0, 1] > 0.9999
    for one in kept:
        assert TARGET.estimate(one.value) in parts.texts
