"""Words: every number with its unit and interval, warnings where they belong, nothing of a file read as Markdown."""

import ast
import re
from dataclasses import replace

import numpy as np
import pytest

from data.schema import FEATURE_NAMES
from data.statistics import correlations
from model.answering.prediction import predict
from model.fitting.importance import KINDS, importances
from model.fitting.recipe import make_recipe
from model.fitting.scores import Difference
from model.fitting.train import train
from pages.shared.words import findings, wording
from tests.conftest import ROOT

TYPICAL = dict(zip(FEATURE_NAMES, (7.5, 4300, 4700, 0.565), strict=True))  # whatever a page begins with
LOWEST = dict(zip(FEATURE_NAMES, (5, 3000, 400, 0.45), strict=True))  # what the states have at least, or less


def test_the_answer_names_unit_measured_coverage_and_nearest_state(model):
    answer = predict(model, TYPICAL)
    words = wording.answer_in_words(model, answer)
    assert words.startswith(f"About **{answer.value:.0f} gallons per person per year**.")
    (of_level,) = (each for each in model.intervals if each.level == 0.9)
    assert (
        f"±{(answer.high - answer.low) / 2:.0f}: set so that 9 in 10 errors on states that the model had not seen"
        in words
    )
    held = f"{of_level.nested_held:.0f} of 48 (43 expected; chance alone gives 39 to 47)"
    assert f"Counted on states that set neither fit nor width: {held}." in words
    assert "Closest is Florida (0.7 s.d. away), which used 574." in words
    assert "orange" not in words
    assert "red-" not in words


@pytest.mark.parametrize(
    ("changes", "level", "colour", "why"),
    [
        (
            {"petrol_tax": 5.0, "driver_licence_share": 0.59},
            "far",
            "orange",
            "farther than 95 % of the states are from",
        ),
        ({"paved_highways": 18000, "petrol_tax": 10}, "very far", "red", "farther than any state is from its nearest"),
        (LOWEST, "very far", "red", "(leverage 0.84, theirs at most 0.32)"),
    ],
)
def test_a_scenario_far_from_the_data_is_coloured_and_says_why(model, changes, level, colour, why):
    answer = predict(model, TYPICAL | changes)
    words = wording.answer_in_words(model, answer)
    assert answer.support == level
    assert f":{colour}-badge[{level} from every state]" in words
    assert why in words
    assert "The interval does not widen for that: of the 8 states with the most licensed drivers, left out" in words
    assert "A random forest cannot go beyond the states" in words


def test_a_line_goes_beyond_the_rows_and_nothing_is_said_of_an_edge(model, rows):
    line = train(rows, make_recipe("least_squares"), n_repeats=2)
    words = wording.answer_in_words(line, predict(line, TYPICAL | {"paved_highways": 18000, "petrol_tax": 10}))
    assert "very far from every state" in words
    assert "cannot go beyond" not in words
    assert "Assumed" not in wording.model_limits(line)
    assert "the prediction never rises with petrol tax; the prediction never falls with" in wording.model_limits(model)


def test_what_was_not_measured_is_said_not_to_be(model):
    old = replace(model, metadata=replace(model.metadata, coverage=None))
    words = wording.answer_in_words(old, predict(old, TYPICAL | {"paved_highways": 18000, "petrol_tax": 10}))
    assert "How many it holds that set neither fit nor width was not measured." in words
    assert "The interval does not widen for that." in words


@pytest.mark.parametrize(("seed", "is_related"), [(0, False), (1, True)])
def test_the_strongest_input_is_named_only_where_chance_is_no_explanation(rows, seed, is_related):
    generator = np.random.default_rng(seed)
    drivers = rows["driver_licence_share"].to_numpy()
    noise = generator.permutation(rows["petrol_consumption"].to_numpy())
    table = rows.assign(petrol_consumption=noise + is_related * 5000 * drivers)
    words = findings.strongest_correlation(*correlations(table), len(table))
    assert ("is most closely related to licensed drivers" in words) == is_related
    assert ("No input is clearly related" in words) != is_related


def test_inputs_that_follow_from_each_other_are_said_to_share_their_importance(rows):
    assert findings.shared_importance(correlations(rows)[0]) == ""
    noise = np.random.default_rng(0).normal(size=48)
    table = rows.assign(paved_highways=rows["average_income"] * 2 + noise)
    told = findings.shared_importance(correlations(table)[0])
    assert told.startswith(
        "Average income and paved highways nearly follow from each other (variance inflation above 10). Such inputs"
    )


def test_one_input_that_follows_from_several_is_named_alone():
    """As the sum of three that have nothing in common, with noise: R² is 3 / 3.3 for it, and 0.75 for each of them."""
    generator = np.random.default_rng(0)
    parts = generator.normal(size=(5000, 3))
    total = parts.sum(axis=1) + generator.normal(size=5000) * 0.5
    pearson = np.corrcoef(np.column_stack([total, parts, generator.normal(size=5000)]).T)
    assert findings.shared_importance(pearson).startswith("Petrol tax nearly follows from the other inputs (variance")


def test_grey_bars_mislead_only_where_own_and_unseen_are_two_standard_errors_apart(model, rows):
    line = train(rows, make_recipe("least_squares"))
    forest, straight = (
        findings.misleading_importance(*(importances(one.importance[kind], rows.index) for kind in KINDS))
        for one in (model, line)
    )
    assert forest.startswith("The grey bars mislead")
    assert straight == ""


def test_every_score_stands_beside_its_baselines(model):
    labels = [row["Model"] for row in wording.score_table(model)]
    assert labels == ["This random forest, cross-validated", "Least squares", "Always the average"]
    assert all("±" in row["Typical miss"] for row in wording.score_table(model))


def test_no_winner_is_claimed_where_the_difference_may_be_chance(model):
    assert "cannot be told apart" in wording.scores_in_words(model)
    assert "It misses by less than always answering the average" in wording.scores_in_words(model)


@pytest.mark.parametrize(
    ("line", "mean", "expected"),
    [
        (-30, -90, ["misses by less than a straight line", "It misses by less than always"]),
        (30, 0, ["a straight line (least squares) misses by less", "cannot be told from always"]),
        (30, 40, ["a straight line (least squares) misses by less", "would miss by less"]),
    ],
)
def test_the_verdict_follows_the_differences(model, line, mean, expected):
    differences = {
        "least_squares": Difference(line, line - 5, line + 5),
        "mean": Difference(mean, mean - 5, mean + 5),
    }
    judged = replace(model, metadata=replace(model.metadata, mae_difference=differences))
    for part in expected:
        assert part in wording.scores_in_words(judged)
    itself = replace(model, metadata=replace(judged.metadata, recipe=make_recipe("least_squares")))
    assert wording.scores_in_words(itself).startswith("This model is the straight line. ")


def test_the_facts_tell_where_the_model_comes_from(model):
    facts = wording.model_facts(model)
    for part in ("random forest", "n estimators 300", "seed 0", model.metadata.data.sha256[:16], "10 × 5-fold"):
        assert part in facts


def test_text_from_a_file_is_never_read_as_markdown():
    hostile = "![x](http://evil.example/a.png) **b** :red[c] $d$ <script>"
    escaped = wording.escape(hostile)
    for sign in "![]()*:$<>":
        assert escaped.count(f"\\{sign}") == hostile.count(sign)


@pytest.mark.parametrize(
    "text", ["http://a.org", "www.a.org", "WWW.a.org", "a@b.org", ":streamlit:", "->", "<-", ":a/b:"]
)
def test_nothing_in_a_text_is_left_for_the_browsers_part_to_find(text):
    """It looks for addresses, icons and arrows after Markdown: something invisible must stand in between."""
    shown = wording.escape(text).replace("\\", "")
    assert shown.replace("\N{WORD JOINER}", "") == text
    assert text not in shown


def test_a_line_break_in_a_name_does_not_break_a_table():
    assert wording.escape("two\nlines | x") == r"two lines \| x"


RETIRED = (
    r"set by the other", r"n_held", r"\b44 of 48\b", r"(?:[Tt]he|[Ii]ts|%) band\b", r"clearly beats",
    r"comes near", r"knows? no causes", r"takes some seconds", r"with one click", r"if you like", r"the way back",
    r"STREAMLIT_SERVER_COOKIE_SECRET`, by which", r"held against", r"Of each:", r"To doubt", r"[Ww]ho pulls",
)  # fmt: skip


def test_no_page_and_no_text_says_what_was_found_false_or_stumbled_over(model):
    """What stood there and was untrue, above all a count of errors inside the width that those errors set."""
    texts = [
        *(ROOT / "pages").rglob("*.py"),
        *(ROOT / "web").rglob("*.py"),
        *(ROOT / "pages").rglob("*.js"),
        ROOT / "streamlit_app.py",
    ]
    texts += [
        ROOT / "README.md",
        ROOT / "SECURITY.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").glob("*.md"),
        ROOT / "model" / "judging" / "card.py",
    ]
    said = {path.name: _strings(path) if path.suffix == ".py" else path.read_text(encoding="utf-8") for path in texts}
    found = {(name, pattern) for name, text in said.items() for pattern in RETIRED if re.search(pattern, text)}
    assert found == set()


def _strings(path):
    """All that a file of Python may print: its strings but for those that document it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.FunctionDef, ast.ClassDef)
    docs = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    parts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return "\n".join(part for part in parts if part not in docs)
