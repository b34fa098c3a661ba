"""Filter and selection of the Explore page: they reach every picture, and few or odd rows break none."""

import json

import numpy as np
import pytest

from tests.explore_page import CODES, CSV, VIEWS, decoded, figure, limit, only, opened, select, words

pytestmark = pytest.mark.slow


def unspeakable(text):
    """Return what no page may say: numbers that are none or minus nought, and one thing in the plural."""
    return [bad for bad in ("nan", "inf s.d.", "inf |", "-0.0 ", "-0.00 ", "1 states have") if bad in text]


@pytest.mark.parametrize("view", VIEWS)
def test_a_filter_applies_to_every_picture(view):
    app = opened(view, limit("petrol_tax", 7.0, 7.0))
    text = words(app)
    assert "**19 of 48 states**" in text
    assert unspeakable(text) == []
    for chart in app.get("plotly_chart"):
        for trace in decoded(json.loads(chart.proto.spec))["data"]:
            if "customdata" in trace and trace["type"] == "scatter":
                assert {CODES[place] for place in trace["customdata"]} == {
                    r["state"] for r in CSV if r["petrol_tax"] == "7"
                }
    assert len(app.dataframe[0].value) == 19


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("codes", "say"),
    [(["WY"], "1 of 48"), (["WY", "TX"], "2 of 48"), (["ME", "NH", "VT", "NY", "NJ", "PA", "OH"], "7 of 48")],
)
def test_few_states_are_pictures_or_words_but_never_an_error(view, codes, say):
    app = opened(view, only(*codes))
    text = words(app)
    assert f"**{say} states**" in text
    assert not app.error
    assert unspeakable(text) == []


def test_no_state_left_is_said_with_the_cure():
    app = opened("One at a time", limit("petrol_tax", 5.0, 5.5), limit("petrol_consumption", 344, 400))
    assert "The filter leaves none of the 48 states. Widen a range, or show all." in words(app)
    assert not app.get("plotly_chart")


def test_a_column_that_never_varies_is_said():
    app = opened("Influential states", limit("petrol_tax", 7.0, 7.0))
    notes = figure(app, "explore_influence")["layout"]["annotations"]
    assert [note["text"] for note in notes] == ["Petrol tax is 7.0 ¢ in all 19 states, so no line."]
    texts = np.array(figure(opened("All pairs", limit("petrol_tax", 7.0, 7.0)), "explore_heat")["data"][0]["text"])
    assert (texts[0, 1:] == "–").all()
    assert "All 19 states have the same value here" in words(opened("One at a time", limit("petrol_tax", 7.0, 7.0)))


def test_show_all_takes_the_filter_away():
    app = opened("One at a time", limit("petrol_tax", 7.0, 7.0), only("OH", "TX"))
    assert "**1 of 48 states**" in words(app)
    (button,) = [button for button in app.button if button.label == "Show all"]
    button.click().run()
    assert "**All 48 states**" in words(app)
    assert len(app.dataframe[0].value) == 48


def test_what_is_selected_stays_so_behind_a_filter_and_is_said():
    app = opened("One at a time", select(CODES.index("WY"), CODES.index("TX")), only("WY", "OH"))
    assert "Selected: **Wyoming and Texas**" in words(app) or "Selected: **Texas and Wyoming**" in words(app)
    assert "(1 of them hidden by the filter)" in words(app)
    (tiles,) = figure(app, "explore_map")["data"]
    assert [
        CODES[place] for place, o in zip(tiles["customdata"], tiles["marker"]["opacity"], strict=True) if o == 1
    ] == ["WY"]


def asking(**asked):
    def ask(app):
        for name, values in asked.items():
            app.query_params[name] = values
        app.session_state["app.page"] = "another"  # where it came from

    return ask


def test_what_an_address_asks_for_is_chosen_and_what_is_not_there_is_told():
    asked = {"selected": ["OH", "<b>XX</b>", "[x](y)"], "between": ["petrol_tax:7:7", "petrol_tax:7", "no:1:2"]}
    app = opened("One at a time", asking(**asked, only=["Ohio", "Texas"]))
    text = words(app)
    assert "**1 of 48 states**" in text
    assert "Selected: **Ohio**" in text
    assert app.session_state["app.explore_selected"] == [CODES.index("OH")]
    assert [info.value for info in app.info] == [
        "The link names \\<b\\>XX\\</b\\>, \\[x\\]\\(y\\), which are no state here.",
        "The link asks for the range petrol\\_tax\\:7, which the filter does not have.",
        "The link asks for the range no\\:1\\:2, which the filter does not have.",
    ]


@pytest.mark.parametrize(
    "asked",
    [
        {"selected": ["x" * 20_000]},
        {"selected": [f"S{i}" for i in range(5000)]},
        {"between": ["petrol_tax:-inf:inf", "petrol_tax:9:7", "state:1:2", "a" * 9000, ":::"] * 20},
        {"only": ["", "\0", "٩"], "selected": [""]},
    ],
    ids=["long", "many", "ranges", "odd"],
)
def test_no_address_breaks_the_page_or_fills_it(asked):
    app = opened("One at a time", asking(**asked))
    text = words(app)
    assert "**All 48 states**" in text
    assert "No state is selected." in text
    assert max((len(info.value) for info in app.info), default=0) < 300
    assert len(app.info) <= 6


def test_names_beside_the_points_are_on_demand():
    app = opened("One at a time", lambda app: app.toggle(key="app.explore_with_names").set_value(True))
    dots = figure(app, "explore_one")["data"][3]
    assert list(dots["text"]) == CODES
    app = opened(
        "One at a time",
        lambda app: app.toggle(key="app.explore_with_names").set_value(True),
        select(CODES.index("WY"), CODES.index("TX")),
    )
    assert {text for text in figure(app, "explore_one")["data"][3]["text"] if text} == {"WY", "TX"}
    assert "text" not in figure(opened("One at a time"), "explore_one")["data"][3]


def test_a_state_without_which_there_is_no_line_is_named_and_no_outlier():
    """Between 6.5 and 7.0 only Oklahoma has another tax than 7.0."""
    app = opened("Influential states", limit("petrol_tax", 6.5, 7.0))
    assert "Without **Oklahoma** (leverage 1) there is no line at all." in words(app)
    assert "inf s.d." not in words(app)
    (dots,) = figure(app, "explore_influence")["data"]
    assert max(dots["marker"]["size"]) < 60


@pytest.mark.parametrize("view", VIEWS)
def test_no_word_or_figure_is_infinite_or_minus_nought(view):
    assert unspeakable(words(opened(view, limit("petrol_consumption", 467, 524)))) == []
