"""The What-if page by Streamlit's own test runner: every path through the logic, without a browser."""

import json

import pytest
from streamlit.testing.v1 import AppTest

from data.schema import FEATURES, row_name
from model.predict import predict
from tests.conftest import ROOT

DEFAULTS = {column.name: column.default for column in FEATURES}
NAMES = list(DEFAULTS)


@pytest.fixture
def app():
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)


def scenario_of(app):
    return {name: app.slider(key=name).value for name in NAMES}


def words_of(app):
    return app.container(key="app.answer").markdown[0].value


def assert_page_says(app, answer):
    assert not app.exception
    assert words_of(app).startswith(f"About **{answer.value:.0f} gallons per person per year**.")


def test_the_first_page_answers_the_defaults(app, model):
    app.run()
    assert scenario_of(app) == DEFAULTS
    assert app.selectbox(key="app.start_from").value == "Typical state"
    assert_page_says(app, predict(model, DEFAULTS))
    assert not app.warning
    assert not app.error


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_moving_a_slider_changes_the_answer_to_the_models(app, model, column):
    app.run()
    for value in (column.low, column.high):
        app.slider(key=column.name).set_value(value).run()
        assert_page_says(app, predict(model, DEFAULTS | {column.name: value}))
        assert app.number_input(key=f"app.typed.{column.name}").value == pytest.approx(value * column.scale)
        assert app.selectbox(key="app.start_from").value is None


def test_each_state_is_a_preset_by_its_full_name_with_its_own_figures(app, model):
    app.run()
    assert app.selectbox(key="app.start_from").options == ["Typical state", *sorted(map(row_name, model.rows["state"]))]
    for name, code in (("Oklahoma", "OK"), ("Indiana", "IN"), ("Wyoming", "WY")):
        app.selectbox(key="app.start_from").set_value(name).run()
        own = model.rows.set_index("state").loc[code, NAMES].to_dict()
        assert scenario_of(app) == own
        assert app.selectbox(key="app.start_from").value == name
        assert_page_says(app, predict(model, own))
        assert f"Closest is {name} (0.0 s.d. away)" in words_of(app)


def test_reset_returns_to_the_typical_state(app, model):
    app.run()
    app.selectbox(key="app.start_from").set_value("Texas").run()
    app.button[0].click().run()
    assert scenario_of(app) == DEFAULTS
    assert_page_says(app, predict(model, DEFAULTS))


def test_a_typed_value_moves_the_slider_exactly(app, model):
    app.run()
    app.number_input(key="app.typed.driver_licence_share").set_value(60.25).run()
    assert app.slider(key="driver_licence_share").value == 0.6025
    assert_page_says(app, predict(model, DEFAULTS | {"driver_licence_share": 0.6025}))


def test_a_typed_value_out_of_range_is_told_and_kept_while_the_slider_stays(app, model):
    app.run()
    app.number_input(key="app.typed.petrol_tax").set_value(12.0).run()
    assert app.slider(key="petrol_tax").value == 7.5
    assert app.number_input(key="app.typed.petrol_tax").value == 12
    message = "Petrol tax: 12 is outside the slider. Type a number from 5.0 to 10.0 (cents per gallon)."
    assert [error.value for error in app.error] == [message]
    assert_page_says(app, predict(model, DEFAULTS))
    app.slider(key="average_income").set_value(4000.0).run()
    assert [error.value for error in app.error] == [message]
    app.slider(key="petrol_tax").set_value(8.0).run()
    assert not app.error
    assert app.number_input(key="app.typed.petrol_tax").value == 8


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
def test_the_level_of_the_interval_is_said_with_what_was_measured_of_it(app, model, coverage):
    app.run()
    app.get_by_key("coverage").set_value(coverage).run()
    answer = predict(model, DEFAULTS, coverage)
    of_ten = {0.8: "8 in 10", 0.9: "9 in 10", 0.95: "19 in 20"}[coverage]
    held = next(one["held"] for one in model.record["coverage"]["held"] if one["level"] == coverage)
    words = words_of(app)
    assert f"±{answer.high - answer.value:.0f}: set so that {of_ten} errors on states" in words
    assert f"{held:.0f} of 48 ({48 * coverage:.0f} expected; chance alone gives" in words


@pytest.mark.parametrize("asked", ["99", "abc", "nan", "inf", "", "-7.5", "1e400"])
def test_a_link_that_asks_for_the_impossible_is_told(app, model, asked):
    app.query_params["petrol_tax"] = asked
    app.query_params["average_income"] = "4000"
    app.run()
    assert scenario_of(app) == DEFAULTS | {"average_income": 4000}
    assert len(app.error) == 1
    assert app.error[0].value.startswith("Petrol tax: the link asks for")
    assert "Choose a number from 5.0 to 10.0" in app.error[0].value
    assert_page_says(app, predict(model, DEFAULTS | {"average_income": 4000}))


def test_a_link_with_markup_in_it_is_shown_as_text(app):
    app.query_params["petrol_tax"] = "![x](http://evil.example/a.png)"
    app.run()
    assert "` ![x](http://evil.example/a.png) `" in app.error[0].value


def test_curves_reasons_and_closest_states_reach_the_browser_as_the_model_says_them(app, model):
    app.run()
    answer = predict(model, DEFAULTS)
    readout, details = (json.loads(json.loads(node.proto.json)) for node in app.get("bidi_component"))
    assert readout["now"] == {"value": round(answer.value), "low": round(answer.low), "high": round(answer.high)}
    for curve in readout["curves"]:
        assert curve["value"] == [round(value) for value in answer.curves[curve["key"]]]
    assert [bar["value"] for bar in details["why"]["bars"]] == [round(v, 1) for v in answer.contributions.values()]
    header, closest = details["closest"]["rows"][:2]
    assert header == ["State", "petrol use", "distance", "tax", "income", "highways", "drivers"]
    assert closest == ["Florida", "574", "0.7 s.d.", "8.0 ¢", "$4,188", "5,975 mi", "56.3 %"]
