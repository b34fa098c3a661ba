"""The Retrain page by Streamlit's own test runner: what it offers follows from the table of algorithms."""

import re

import numpy as np
import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest

from data.load import drop_copies
from data.schema import FEATURES, TARGET, row_name
from model.fitting.algorithms import ALGORITHMS, DEFAULT, OFFERED
from pages.shared.panels.reading import Refusal
from pages.shared.words.wording import escape
from tests.conftest import ROOT
from tests.explore_page import figure


@pytest.fixture
def app():
    """Return the page, opened; nothing in these tests starts a training."""
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)
    app.switch_page("pages/retrain.py").run()
    assert not app.exception
    return app


def button(app, label):
    (found,) = [one for one in app.button if one.label == label]
    return found


def use(app, rows):
    """Bring rows as an upload would."""
    app.session_state["app.retrain_uploaded"] = "rows.csv", rows, None, 0
    app.selectbox(key="app.retrain_rows").set_value(0).run()
    assert not app.exception


@pytest.mark.parametrize("name", OFFERED)
def test_each_parameter_has_its_field_with_the_tables_bounds_and_default(app, name):
    app.selectbox(key="app.retrain_algorithm").set_value(name).run()
    fields = {field.key: field for field in app.text_input if field.key.startswith("app.retrain_parameter.")}
    assert list(fields) == [
        f"app.retrain_parameter.{name}.{parameter.name}" for parameter in ALGORITHMS[name].parameters
    ]
    for parameter in ALGORITHMS[name].parameters:
        field = fields[f"app.retrain_parameter.{name}.{parameter.name}"]
        assert (field.label, float(field.value)) == (parameter.label, parameter.default)
        assert f"From {parameter.low:g} to {parameter.high:g}" in field.help
    assert not button(app, "Retrain").disabled


@pytest.mark.parametrize(
    ("key", "typed", "said"),
    [
        ("parameter.ridge.alpha", "1000000", "1000000 is out of bounds. Give a number from"),
        ("parameter.ridge.alpha", "x", "'x' is not a number. Give a number from"),
        ("parameter.ridge.alpha", "", "The field is empty. Give a number from"),
        ("parameter.ridge.alpha", "1,234", "1,234 can mean 1.234 or 1234. Write it without the comma."),
        ("seed", "1.5", "1.5 is not a whole number. Give a whole number from 0"),
        ("seed", "-1", "-1 is out of bounds. Give a whole number from 0"),
    ],
)
def test_what_a_field_cannot_be_is_told_and_nothing_else_is_trained(app, key, typed, said):
    """Streamlit's own number field, red with 1000000 in it, went on to say 3.0, and that was trained."""
    app.selectbox(key="app.retrain_algorithm").set_value("ridge").run()
    app.text_input(key=f"app.retrain_{key}").set_value(typed).run()
    assert [one.value for one in app.markdown if one.value.startswith(f":red[{escape(said)}")]
    assert button(app, "Retrain").disabled
    assert button(app, "Compare all").disabled == (key == "seed")
    app.text_input(key=f"app.retrain_{key}").set_value("2").run()
    assert not button(app, "Retrain").disabled


def test_a_model_too_large_to_keep_is_refused_before_it_starts_and_others_can_be_compared(app, rows):
    many = rows.loc[rows.index.repeat(2100)].reset_index(drop=True)
    use(app, many)
    assert app.error[0].value.startswith("The model file of random forest on 100,800 rows would have about")
    assert "lower trees (n_estimators)" in app.error[0].value
    assert button(app, "Retrain").disabled
    assert not button(app, "Compare all").disabled
    (offer,) = [one for one in app.button if one.label.startswith("Take share of rows per tree 0.4")]
    offer.click().run()
    assert not app.error
    assert not button(app, "Retrain").disabled
    value = app.text_input(key="app.retrain_parameter.forest.max_samples").value
    assert offer.label.startswith(f"Take share of rows per tree {value}, about ")
    assert app.warning[0].value.startswith(f"This takes about {offer.label.rpartition('about ')[2]} and ")
    app.selectbox(key="app.retrain_algorithm").set_value("histogram_boosting").run()
    assert not app.error
    assert not button(app, "Retrain").disabled


def test_a_long_training_is_announced_with_its_time_and_memory(app, rows):
    use(app, rows.loc[rows.index.repeat(400)].reset_index(drop=True))
    (told,) = [one.value for one in app.warning]
    assert re.match(
        r"This takes about 2 min and \d\.\d GB of memory on 19,200 states\. Histogram boosting, fewer", told
    )
    app.text_input(key="app.retrain_parameter.forest.n_estimators").set_value("10").run()
    assert not app.warning


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda rows: rows.head(9), "9 states are too few for 5 folds."),
        (
            lambda rows: rows.head(9).loc[[*range(9)] * 4].reset_index(drop=True),
            "9 states, not counting 27 copies, are too few for 5 folds.",
        ),
        (lambda rows: rows.assign(**{FEATURES[0].name: 7.0}), "petrol_tax: all 48 states have the value 7.0,"),
        (
            lambda rows: rows.assign(**{TARGET.name: 500 + rows[TARGET.name] * 1e-9}),
            "petrol_consumption: hardly varies in these 48 states, from 500.0000003 to 500.000001",
        ),
    ],
    ids=["few", "copies", "constant", "hardly"],
)
def test_rows_that_nothing_can_be_learned_of_leave_nothing_to_press(app, rows, edit, said):
    use(app, edit(rows))
    assert app.error[0].value.startswith(said)
    assert button(app, "Retrain").disabled
    assert button(app, "Compare all").disabled


def test_the_usual_settings_are_those_of_the_default_recipe(app):
    assert app.selectbox(key="app.retrain_algorithm").value == DEFAULT
    assert app.text_input(key="app.retrain_seed").value == "0"
    assert app.selectbox(key="app.retrain_rows").value == 1


def test_a_refused_file_is_told_and_other_rows_can_be_chosen(app, rows):
    app.session_state["app.retrain_uploaded"] = (
        "rows.csv",
        None,
        Refusal('row 2, petrol_tax: "x" is not a number.'),
        0,
    )
    app.selectbox(key="app.retrain_rows").set_value(0).run()
    assert "was rejected. Nothing was stored" in app.error[0].value
    assert button(app, "Retrain").disabled
    app.selectbox(key="app.retrain_rows").set_value(1).run()
    assert not app.error
    assert not button(app, "Retrain").disabled


def test_copies_in_a_file_are_counted_and_left_out_where_that_is_wanted(app, rows, tmp_path):
    """The file that brought the fault to light: all states twice, under new names."""
    again = rows.assign(state=[f"{code} again" for code in rows["state"]])
    content = pd.concat([rows, again]).to_csv(index=False).encode()
    app.selectbox(key="app.retrain_rows").set_value(0).run()
    app.file_uploader(key="app.retrain_file").set_value(("twice.csv", content, "text/csv")).run()
    (offer,) = [one for one in app.checkbox if one.label == "Leave out 48 copies: 48 states stay"]
    assert "the same figures as row" in app.warning[0].value
    assert len(app.dataframe[0].value) == 96
    offer.check().run()
    assert not app.exception
    assert app.dataframe[0].value["State"].tolist() == [row_name(code) for code in rows["state"]]
    assert "Leave out 48 copies: 48 states stay" in [one.label for one in app.checkbox]

    use(app, rows)
    assert not [one for one in app.checkbox if "copies" in one.label]


def test_distinct_rows_are_those_whose_figures_no_earlier_one_has(rows):
    twice = pd.concat([rows.iloc[::-1], rows.assign(state="copy")], ignore_index=True)
    kept = drop_copies(twice)
    assert kept["state"].tolist() == rows["state"].tolist()[::-1]
    other = twice.assign(petrol_consumption=[*rows["petrol_consumption"][::-1], *rows["petrol_consumption"] + 1])
    assert len(drop_copies(other)) == 96


def test_before_the_first_candidate_stands_what_it_will_be_compared_with(app, model, rows):
    said = "\n".join(one.value for one in app.markdown)
    for name, label in (("model", "**Version 1**, random forest"), ("least_squares", "Least squares")):
        miss = model.metadata.scores[name].mae
        assert f"| {label} | {miss.value:.1f}\N{NO-BREAK SPACE}±" in said
    unseen = np.mean(model.predictions, axis=0)
    worst = np.argmax(np.abs(rows[TARGET.name] - unseen))
    told = (
        f"Largest misses: {row_name(rows['state'][worst])} used {rows[TARGET.name][worst]:,.0f} ({unseen[worst]:,.0f} "
    )
    assert told in said
    (dots,) = figure(app, "evidence_observed")["data"]  # the active model once, and nothing beside it
    np.testing.assert_allclose(dots["x"], unseen)
    np.testing.assert_array_equal(dots["y"], rows[TARGET.name])
