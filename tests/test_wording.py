"""Words: every number with its unit and band, warnings where they belong, and nothing of a file read as Markdown."""

import pytest

from data.schema import FEATURES
from model.predict import predict
from model.train import Model
from pages.shared import wording

DEFAULTS = {column.name: column.default for column in FEATURES}


def test_the_answer_names_unit_measured_coverage_and_nearest_state(model):
    answer = predict(model, DEFAULTS)
    words = wording.answer_in_words(model, answer)
    assert words.startswith(f"About **{answer.value:.0f} gallons per person per year**.")
    assert "The 90 % band, set by the other 47 states, held 44 of 48." in words
    assert "Closest is Florida (0.7 s.d. away), which used 574." in words
    assert "orange" not in words
    assert "red-" not in words


@pytest.mark.parametrize(
    ("changes", "level", "colour"),
    [({"paved_highways": 18000}, "far", "orange"), ({"paved_highways": 18000, "petrol_tax": 10}, "very far", "red")],
)
def test_a_scenario_far_from_the_data_is_coloured_and_says_why(model, changes, level, colour):
    answer = predict(model, DEFAULTS | changes)
    words = wording.answer_in_words(model, answer)
    assert answer.support == level
    assert f":{colour}-badge[{level} from every state]" in words
    assert "Nothing like it was measured" in words


def test_every_score_stands_beside_its_baselines(model):
    labels = [row[""] for row in wording.trust_table(model)]
    assert labels == ["This random forest, cross-validated", "Least squares", "Always the average"]
    assert all("±" in row["Typical miss"] for row in wording.trust_table(model))


def test_no_winner_is_claimed_where_the_difference_may_be_chance(model):
    assert "cannot be told apart" in wording.trust_in_words(model)
    assert "clearly beats always answering the average" in wording.trust_in_words(model)


@pytest.mark.parametrize(
    ("line", "mean", "expected"),
    [
        (-30, -90, ["misses by less than a straight line", "clearly beats"]),
        (30, 0, ["a straight line (least squares) misses by less", "cannot be told from always"]),
        (30, 40, ["a straight line (least squares) misses by less", "would miss by less"]),
    ],
)
def test_the_verdict_follows_the_differences(model, line, mean, expected):
    differences = {
        "least_squares": {"value": line, "low": line - 5, "high": line + 5},
        "mean": {"value": mean, "low": mean - 5, "high": mean + 5},
    }
    judged = Model(model.pipeline, model.record | {"mae_difference": differences}, model.rows)
    for part in expected:
        assert part in wording.trust_in_words(judged)


def test_the_facts_tell_where_the_model_comes_from(model):
    facts = wording.model_facts(model)
    for part in ("random forest", "n estimators 300", "seed 0", model.record["data"]["sha256"][:16], "10 × 5-fold"):
        assert part in facts


def test_text_from_a_file_is_never_read_as_markdown():
    hostile = "![x](http://evil.example/a.png) **b** :red[c] $d$ <script>"
    escaped = wording.plain(hostile)
    for sign in "![]()*:$<>":
        assert escaped.count(f"\\{sign}") == hostile.count(sign)


@pytest.mark.parametrize(
    "text", ["http://a.org", "www.a.org", "WWW.a.org", "a@b.org", ":streamlit:", "->", "<-", ":a/b:"]
)
def test_nothing_in_a_text_is_left_for_the_browsers_part_to_find(text):
    """It looks for addresses, icons and arrows after Markdown: something invisible must stand in between."""
    shown = wording.plain(text).replace("\\", "")
    assert shown.replace("\N{WORD JOINER}", "") == text
    assert text not in shown


def test_a_line_break_in_a_name_does_not_break_a_table():
    assert wording.plain("two\nlines | x") == r"two lines \| x"
