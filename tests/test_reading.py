"""Files that are sent to the pages: asked about where their header does not say enough, and never read as another."""

import pytest
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT
from tests.test_public_files import FILES, FIRST, LINES, workbook


@pytest.fixture
def app():
    """Return the app; nothing in these tests starts a training."""
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30)


def send(app, page, key, name):
    app.switch_page(f"pages/{page}.py").run()
    if page == "retrain":
        app.selectbox(key="app.retrain_rows").set_value(0).run()
    app.file_uploader(key=key).set_value((name, (FILES / name).read_bytes(), "text/csv")).run()
    assert not app.exception


def press(app, label):
    (button,) = [one for one in app.button if one.label == label]
    button.click().run()
    assert not app.exception


def test_40_rows_can_be_trained_on_after_one_press_and_the_same_persons_8_are_then_scored_without_a_question(app):
    """What was said of a header is remembered for the session, on both pages."""
    send(app, "retrain", "app.retrain_file", "petrol_excel_sno_40rows.csv")
    lists = {one.label: one for one in app.selectbox if one.key and ".retrain_matching." in one.key}
    assert list(lists)[4] == "Licensed drivers (% of people)"
    assert "Driver_Percentage: 0.525, 0.572, 0.58 ..." in lists["Licensed drivers (% of people)"].options
    press(app, "Use these columns")
    assert app.success[0].value.endswith(": 40 states, every cell checked.")
    send(app, "score", "app.score_file", "petrol_excel_score_8rows.csv")
    assert not [one for one in app.button if one.label == "Use these columns"]
    assert (
        app.markdown[-1].value
        if False
        else [one.value for one in app.markdown if one.value.startswith("**8 of 8 rows scored** of petrol\\_excel")]
    )


def test_8_rows_are_scored_after_one_press(app, model):
    send(app, "score", "app.score_file", "petrol_excel_score_8rows.csv")
    press(app, "Use these columns")
    assert [one.value for one in app.markdown if one.value.startswith("**8 of 8 rows scored**")]
    expected = model.pipeline.predict(model.X[40:])
    assert app.dataframe[0].value["prediction"].to_numpy() == pytest.approx(expected)


def test_a_column_that_is_chosen_twice_or_not_at_all_is_told_and_nothing_is_read(app):
    send(app, "score", "app.score_file", "petrol_abbreviated_header.csv")
    lists = [one for one in app.selectbox if one.key and ".score_matching." in one.key]
    assert [one.value for one in lists] == [0, 1, 2, 3]
    lists[0].set_value(1)
    press(app, "Use these columns")
    assert app.error[0].value == "Chosen twice: AI. Choose another column for one of them."
    assert not app.dataframe


def test_rows_that_cannot_be_used_are_left_out_by_one_tick_that_names_them(app):
    send(app, "retrain", "app.retrain_file", "petrol_nan_and_zero_tax.csv")
    (tick,) = [one for one in app.checkbox if one.label.startswith("Leave out")]
    assert tick.label == "Leave out rows 7, 8, 11, 13, 48, which cannot be used: 43 states stay"
    assert "the value is missing" in app.code[0].value
    tick.check().run()
    assert not app.exception
    assert "43 states, every cell checked." in app.success[0].value
    assert "is far from all others" in app.warning[0].value


def sent(app, page, content, name="rows.csv"):
    app.switch_page(f"pages/{page}.py").run()
    if page == "retrain":
        app.selectbox(key="app.retrain_rows").set_value(0).run()
    app.file_uploader(key=f"app.{page}_file").set_value((name, content, "text/csv")).run()
    assert not app.exception


def asked(app):
    """Which column each list of the form has chosen, by its title."""
    return [one.options[one.index].partition(":")[0] for one in app.selectbox if one.key and "_matching." in one.key]


def test_what_was_said_of_a_header_is_told_and_can_be_said_anew(app):
    send(app, "retrain", "app.retrain_file", "petrol_abbreviated_header.csv")
    lists = [one for one in app.selectbox if one.key and "_matching." in one.key]
    lists[2].set_value(2)
    lists[3].set_value(1)
    press(app, "Use these columns")
    assert "could not" in app.error[0].value or "rejected" in app.error[0].value  # miles are no dollars
    told = [one.value for one in app.caption if one.value.startswith("Read as was said for a file with this header")]
    assert "Average income is PH, Paved highways is AI" in told[0]
    press(app, "Change the columns")
    assert asked(app)[1:] == ["Ptax", "AI", "PH", "PPDL", "CP"]
    press(app, "Use these columns")
    assert app.success[0].value.endswith(": 48 states, every cell checked.")


def test_a_question_that_is_still_open_is_not_answered_for_another_file(app):
    first = "\n".join(["Ptax,AI,PH,PPDL,CP", *(line[3:] for line in LINES[1:])]).encode()
    swapped = [[c[1], c[3], c[2], *c[4:]] for c in FIRST]
    second = "\n".join(["gtax,miles,income_pc,dlic,consu", *map(",".join, swapped)]).encode()
    sent(app, "retrain", first, "a.csv")
    sent(app, "retrain", second, "b.csv")
    assert asked(app)[1:] == ["gtax", "income_pc", "miles", "dlic", "consu"]
    press(app, "Use these columns")
    assert app.dataframe[0].value["Income ($)"].tolist() == [float(cells[2]) for cells in FIRST]


def test_a_sheet_that_was_chosen_stays_over_a_visit_to_another_page(app, rows):
    parts = {"One": rows.head(30), "Two": rows.tail(20)}
    content = workbook({name: [list(part.columns), *part.itertuples(index=False)] for name, part in parts.items()})
    sent(app, "score", content, "two.xlsx")
    (sheets,) = [one for one in app.selectbox if one.label == "Sheet"]
    sheets.set_value("Two").run()
    app.switch_page("pages/method.py").run()
    app.switch_page("pages/score.py").run()
    assert [one.value for one in app.selectbox if one.label == "Sheet"] == ["Two"]
    assert [one.value for one in app.markdown if one.value.startswith("**20 of 20 rows scored**")]
