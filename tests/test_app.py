"""The What-if page by Streamlit's own test runner: every path through the logic, without a browser."""

import gc
import json
from types import FunctionType

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from data.schema import FEATURES, row_name
from model.answering.change import bands, find_row, predict_change, refits_either_side, start_figures
from model.answering.prediction import Scenario, curve_support, predict
from pages.shared import session
from tests.conftest import ROOT

DEFAULTS = {column.name: column.default for column in FEATURES}
NAMES = list(DEFAULTS)


@pytest.fixture
def app():
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)


def sent_by(app):
    """What the server sends to the rows and the card."""
    return json.loads(json.loads(app.get("bidi_component")[0].proto.json))


def opened(app, **asked):
    """Open a link."""
    for name, value in asked.items():
        app.query_params[name.removesuffix("_")] = value
    return sent_by(app.run())


def assert_page_says(app, answer):
    assert not app.exception
    sent = sent_by(app)
    assert dict(zip(NAMES, sent["values"], strict=True)) == answer.scenario
    assert sent["answer"]["now"]["value"] == answer.value
    assert sent["answer"]["width"] == pytest.approx(answer.value - answer.low)


def functions_of(page):
    gc.collect()
    path = str(ROOT / "pages" / f"{page}.py")
    return sum(isinstance(each, FunctionType) and each.__code__.co_filename == path for each in gc.get_objects())


@pytest.mark.parametrize("page", ["explore", "retrain", "models", "score"])
def test_a_page_that_was_left_takes_no_memory_in_the_session(app, page):
    before = functions_of(page)
    app.run().switch_page(f"pages/{page}.py").run()
    assert not app.exception
    app.switch_page("streamlit_app.py").run()
    assert functions_of(page) == before  # each would hold all that the page had worked out


def test_the_first_page_answers_the_defaults(app, model):
    sent = opened(app)
    assert (sent["seq"], sent["start"]["code"], sent["level"]) == (0, "", 0.9)
    assert_page_says(app, predict(model, DEFAULTS))
    assert not app.warning
    assert not app.error


def test_each_state_is_a_start_by_its_full_name_with_its_own_figures(app, model):
    starts = opened(app)["model"]["starts"]
    assert [start["name"] for start in starts] == ["Typical state", *sorted(map(row_name, model.rows["state"]))]
    rows = model.rows.set_index("state")
    for start in starts[1:]:
        assert start["values"] == rows.loc[start["code"], NAMES].tolist()
        assert start["observed"] == rows.loc[start["code"], "petrol_consumption"]


def test_a_link_starts_from_a_state_and_moves_what_it_names(app, model):
    ohio, observed = start_figures(model, find_row(model, "OH"))
    sent = opened(app, from_="OH", petrol_tax="9", coverage="80 %")
    assert (sent["start"]["code"], sent["start"]["observed"], sent["level"]) == ("OH", observed, 0.8)
    there = ohio | {"petrol_tax": 9.0}
    assert_page_says(app, predict(model, there, 0.8))
    moved, told = predict_change(model, ohio, there, 0.8), sent["answer"]
    assert (told["now"]["change"], told["now"]["low"], told["now"]["high"]) == (moved.value, moved.low, moved.high)
    assert told["now"]["counts"] == refits_either_side(moved.below, moved.above)
    assert told["contributions"] == list(moved.reasons.contributions.values())
    assert list(told["others"].values()) == list(moved.others.values())


@pytest.mark.parametrize("asked", ["99", "abc", "nan", "inf", "", "-7.5", "1e400"])
def test_a_link_that_asks_for_the_impossible_is_told(app, model, asked):
    opened(app, petrol_tax=asked, average_income="4000")
    assert len(app.error) == 1
    assert app.error[0].value.startswith("Petrol tax: the link asks for")
    tax = FEATURES[0]
    assert f"Choose a number from {tax.text(tax.low)} to {tax.text(tax.high)} (cents" in app.error[0].value
    assert_page_says(app, predict(model, DEFAULTS | {"average_income": 4000.0}))


def test_a_link_that_starts_from_nowhere_is_told_and_starts_from_the_typical_state(app, model):
    opened(app, from_="Atlantis")
    assert app.error[0].value == "The link starts from ` Atlantis `, which is no state here that the sliders can show."
    assert_page_says(app, predict(model, DEFAULTS))


@pytest.mark.parametrize(("asked", "level"), [("80%", 0.8), ("0.95", 0.95), ("95 %", 0.95), ("80abc", 0.9), ("", 0.9)])
def test_a_level_in_a_link_is_read_or_told(app, asked, level):
    assert opened(app, coverage=asked)["level"] == level
    told = [error.value for error in app.error]
    sentence = f"The link asks for the level ` {asked} `, which there is not. Choose one of 80 %, 90 %, 95 %."
    assert told == [sentence] * (asked in ("80abc", ""))


def test_a_link_with_markup_in_it_is_shown_as_text(app):
    opened(app, petrol_tax="![x](http://evil.example/a.png)")
    assert "` ![x](http://evil.example/a.png) `" in app.error[0].value


@pytest.mark.parametrize(
    "told",
    [
        None,
        "x",
        {"values": [7.5, 4300.0, 4700.0]},
        {"values": [7.5, 4300.0, 4700.0, 56.5]},
        {"values": ["much", 4300.0, 4700.0, 0.5]},
        {"values": [float("nan"), 4300.0, 4700.0, 0.5]},
        {"level": 0.7},
        {"level": "x"},
        {"epoch": None},
        {"seq": -1},
    ],
    ids=str,
)
def test_whatever_a_browser_sends_that_cannot_be_is_as_if_it_had_sent_nothing(app, model, told, monkeypatch):
    from pages.shared import controls

    good = {"epoch": 1, "seq": 1, "values": [9.0, 4300.0, 4700.0, 0.6], "start": "OH", "level": 0.8}
    state = {session.INPUTS: (1, 0, dict(DEFAULTS), "", 0.9)}
    monkeypatch.setattr(controls.st, "session_state", state)
    state[session.WHAT_IF] = {"scenario": good | told if isinstance(told, dict) else told}
    assert controls.read_inputs() == (1, 0, DEFAULTS, "", 0.9)
    state[session.WHAT_IF] = {"scenario": good}
    assert controls.read_inputs().scenario == dict(zip(NAMES, good["values"], strict=True))
    state[session.WHAT_IF] = {"scenario": good | {"epoch": 0, "seq": 9, "values": list(DEFAULTS.values())}}
    assert controls.read_inputs().scenario["petrol_tax"] == 9.0  # of an older epoch
    controls.write_inputs(DEFAULTS)
    assert controls.read_inputs() == (2, 0, DEFAULTS, "OH", 0.8)


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_the_level_of_the_interval_is_said_with_what_was_measured_of_it(app, model, coverage):
    note = opened(app, coverage=f"{coverage * 100:g} %")["answer"]["note"]
    answer = predict(model, DEFAULTS, coverage)
    of_ten = {0.8: "8 in 10", 0.9: "9 in 10", 0.95: "19 in 20"}[coverage]
    held = next(each.held for each in model.metadata.coverage.held if each.level == coverage)
    assert f"±{answer.high - answer.value:.0f}: set so that {of_ten} errors on states" in note
    assert f"{held:.0f} of 48 ({48 * coverage:.0f} expected; chance alone gives" in note


def test_curves_and_bands_reach_the_browser_as_the_model_says_them_and_reasons_only_when_asked_for(app, model):
    sent = opened(app)
    answer = predict(model, DEFAULTS)
    known = bands(model, Scenario(DEFAULTS), answer.scenario, 0.9, 9)
    supports = curve_support(model, np.array(list(DEFAULTS.values())))
    for column, curve in zip(FEATURES, sent["answer"]["curves"], strict=True):
        assert np.cumsum(curve["value"]) / 1e3 == pytest.approx(answer.curves[column.name], abs=1e-3)
        assert curve["band"]["steps"] == known[column.name].steps
        assert np.cumsum(curve["band"]["low"]) / 1e3 == pytest.approx(known[column.name].low, abs=1e-3)
        assert np.cumsum(curve["band"]["high"]) / 1e3 == pytest.approx(known[column.name].high, abs=1e-3)
        of_signs = {"n": "near", "f": "far", "v": "very far"}
        assert [of_signs[sign] for sign, n in curve["support"] for _ in range(n)] == list(supports[column.name])
    assert "reasons" not in sent["answer"]  # nobody has opened them


def test_the_closest_state_reaches_the_browser_with_what_it_had_and_used(app):
    asked = dict(zip(NAMES, ("7.5", "4300", "4700", "0.565"), strict=True))
    closest = opened(app, **asked)["answer"]["closest"][0]
    assert (closest["name"], closest["used"], closest["values"]) == ("Florida", 574, [8.0, 4188, 5975, 0.563])


def test_the_interval_of_the_change_is_nothing_at_the_start_and_widens_away_from_it(model):
    start, _ = start_figures(model, find_row(model, "OH"))
    for column in FEATURES:
        band = bands(model, Scenario(start), Scenario(start), 0.9, 9)[column.name]
        home = (start[column.name] - column.low) / column.step
        widths = band.high - band.low
        nearest = int(np.argmin(np.abs(np.array(band.steps) - home)))
        assert widths[nearest] <= widths.max() / 2
        assert max(widths[0], widths[-1]) == widths.max() or column.name == "paved_highways"
