"""What a person does on the Explore page, in real Chromium: filter, click, lasso, tick, follow a link, hold a phone."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from data.schema import FEATURE_NAMES, FEATURES, TARGET, row_name
from model.answering.prediction import predict
from tests.conftest import opening_pages
from tests.stores import wait_until
from tests.what_if_page import field, start, type_into

pytestmark = pytest.mark.browser
VIEWS = {  # and what each shows
    "One at a time": ".st-key-app-explore_one .main-svg",
    "Columns": ".st-key-app-explore_spread .main-svg",
    "All pairs": ".st-key-app-explore_pairs .main-svg",
    "Influential states": ".st-key-app-explore_influence .main-svg",
    "What matters": ".st-key-app-explore_importance .main-svg",
    "About the data": "em:has-text('Applied Linear Regression')",
}
DEFAULTS = {column.name: column.default for column in FEATURES}


@pytest.fixture(scope="module")
def opened(server, browser, window):
    """Return a page that tests use one after the other: to load one is most of a test's work."""
    with opening_pages(browser, window) as open_page:
        yield drawn_page(open_page, server)


def drawn_page(open_page, url, view="One at a time", **options):
    """Open the page at a view and wait for its pictures."""
    page = open_page(f"{url}/explore?view={view.replace(' ', '+')}", ready="stPlotlyChart", **options)
    expect(picture(page, "map").locator("path.point").first).to_be_visible()
    return page


@pytest.fixture
def explore(opened):
    """Return a function that turns that page to a view, as a newcomer sees it."""

    def explore(view="One at a time"):
        if "/explore" not in opened.url:
            opened.get_by_test_id("stSidebar").get_by_role("link", name="Explore").click()
        expect(picture(opened, "map").locator("path.point").first).to_be_visible()
        opened.keyboard.press("Escape")
        for name in ("Show all", "Clear selection"):
            if (button := opened.get_by_role("button", name=name, exact=True)).is_visible():
                button.click()
        turn_to(opened, view)
        expect(bar(opened)).to_contain_text("All 48 states")
        expect(bar(opened)).to_contain_text("No state is selected.")
        return opened

    return explore


def picture(page, name):
    return page.locator(f".st-key-app-explore_{name} .js-plotly-plot")


def drawn(page, name):
    """Return the rows in a picture: place -> opacity, in its first trace of rows."""
    return page.evaluate(
        """(name) => {
          const plot = document.querySelector(`.st-key-app-explore_${name} .js-plotly-plot`);
          const rows = plot?.data?.find((trace) => trace.customdata && trace.type === "scatter");
          return rows && rows.customdata.map((place, i) => [place, rows.marker.opacity[i]]);
        }""",
        name,
    )


def lit(page, name):
    """Return the places of the rows that a picture shows as selected; None before it is drawn."""
    marks = drawn(page, name)
    bright = [place for place, opacity in marks or () if opacity == 1]
    return marks and (sorted(bright) if len(bright) < len(marks) else [])


def bar(page):
    return page.locator(".st-key-app-explore_bar")


def turn_to(page, view):
    """Open a view and wait until it shows what is in it."""
    page.get_by_role("tab", name=view).click()
    expect(page.locator(VIEWS[view]).first).to_be_visible()
    settle(page)


def settle(page):
    """Wait until the server has answered and the page has drawn it."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def mark(page, name, place):
    """Return the middle of a row's mark in a picture, scrolled into sight."""
    order = [place for place, _ in drawn(page, name)]
    points = picture(page, name).locator(".scatterlayer .trace:has(path.point)").first.locator("path.point")
    (point := points.nth(order.index(place))).scroll_into_view_if_needed()
    box = point.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def click_point(page, name, place):
    page.mouse.click(*mark(page, name, place))


def place_of(model, code):
    return model.rows.index[model.rows["state"] == code][0]


def assert_selected(page, model, names, pictures):
    """The list, these pictures and the table's ticks: all of the same rows."""
    places = sorted(place_of(model, code) for code in names)
    expect(bar(page)).to_contain_text("Selected: " if names else "No state is selected.")
    for name in pictures:
        wait_until(lambda name=name: lit(page, name) == places, 30, f"the selection in {name}")
    ticked = page.locator(".st-key-app-explore_table [role=row][aria-selected=true]")
    expect(ticked).to_have_count(len(names))
    for code in names:
        expect(bar(page)).to_contain_text(row_name(code))
        expect(ticked.filter(has_text=row_name(code)).first).to_be_attached()


def test_a_filter_changes_count_table_and_pictures_alike(explore, model):
    page = explore()
    page.get_by_role("button", name="Filter").click()
    page.locator("[class*=st-key-app-explore_range-petrol_tax] input[type=range]").first.focus()
    step = FEATURES[0].step
    n_steps = round(2 / step)
    for _ in range(n_steps):
        page.keyboard.press("ArrowRight")
    lowest = int(5 / step + 1e-6) * step  # where it begins: the step at or below the least, 5 cents
    kept = model.rows[model.rows["petrol_tax"] >= lowest + n_steps * step - 1e-6]
    assert 0 < len(kept) < 48
    expect(bar(page)).to_contain_text(f"{len(kept)} of 48 states")
    settle(page)
    for name in ("map", "one"):
        assert sorted(place for place, _ in drawn(page, name)) == kept.index.tolist()
    expect(page.locator(".st-key-app-explore_table [role=grid]")).to_have_attribute("aria-rowcount", str(len(kept) + 1))
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show all").click()
    expect(bar(page)).to_contain_text("All 48 states")
    settle(page)
    assert len(drawn(page, "map")) == 48
    click_point(page, "map", place_of(model, "WY"))  # the next message must not bring the filter back
    assert_selected(page, model, ["WY"], ["map", "one"])
    expect(bar(page)).to_contain_text("All 48 states")


def test_a_filter_by_name_keeps_those_states(explore, model):
    page = explore()
    page.get_by_role("button", name="Filter").click()
    field = page.locator("[class*=st-key-app-explore_names] input")
    for name in ("Ohio", "Texas"):
        field.fill(name)
        page.get_by_role("option", name=name, exact=True).click()
    expect(bar(page)).to_contain_text("2 of 48 states")
    settle(page)
    assert {place for place, _ in drawn(page, "map")} == {place_of(model, "OH"), place_of(model, "TX")}


@pytest.mark.parametrize(
    "view",
    [
        "One at a time",
        "All pairs",
        pytest.param("Columns", marks=pytest.mark.soak),  # the next two tests select in these
        pytest.param("Influential states", marks=pytest.mark.soak),
    ],
)
def test_a_click_on_a_tile_selects_the_state_everywhere_and_a_second_lets_it_go(explore, model, view):
    name = re.search(r"explore_(\w+)", VIEWS[view])[1]
    page = explore(view)
    for code in ("WY", "TX"):
        click_point(page, "map", place_of(model, code))
        assert_selected(page, model, [code], ["map", name])
    click_point(page, "map", place_of(model, "TX"))
    assert_selected(page, model, [], ["map", name])


def test_a_click_on_a_point_selects_as_a_tile_does(explore, model):
    page = explore()
    click_point(page, "one", place_of(model, "WY"))
    assert_selected(page, model, ["WY"], ["map", "one"])
    page.get_by_role("tab", name="Influential states").click()
    expect(page.get_by_role("columnheader", name="Without Wyoming")).to_be_visible()
    assert_selected(page, model, ["WY"], ["map", "influence"])
    page.get_by_role("button", name="Clear selection", exact=True).click()
    assert_selected(page, model, [], ["map", "influence"])


def test_a_click_on_a_bar_or_on_the_scenario_lets_nothing_go(explore, model):
    page = explore("Columns")
    click_point(page, "map", place_of(model, "WY"))
    assert_selected(page, model, ["WY"], ["map", "spread"])
    picture(page, "spread").locator(".barlayer .point path").nth(4).click(force=True)
    settle(page)
    assert_selected(page, model, ["WY"], ["map", "spread"])
    turn_to(page, "One at a time")
    picture(page, "one").locator(".scatterlayer .trace:has(path.point)").last.locator("path.point").click(force=True)
    settle(page)
    assert_selected(page, model, ["WY"], ["map", "one"])


def select_the_west(page):
    """Draw a box around the states on the west coast."""
    picture(page, "map").hover()
    page.locator(".st-key-app-explore_map [data-title='Box Select']").click()
    area = picture(page, "map").locator(".nsewdrag").bounding_box()
    page.mouse.move(area["x"] + 1, area["y"] + 1)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] / 11 * 0.95, area["y"] + area["height"] - 2, steps=6)
    page.mouse.up()


def test_ticks_in_the_table_select_and_pictures_tick(explore, model):
    page = explore()
    table = page.locator(".st-key-app-explore_table [data-testid=stDataFrame]")
    expect(table).to_be_visible()
    area = table.bounding_box()
    for line, codes in ((1, ["ME"]), (3, ["ME", "VT"])):
        page.mouse.click(area["x"] + 16, area["y"] + 35 * line + 17)
        assert_selected(page, model, codes, ["map", "one"])
    click_point(page, "map", place_of(model, "WY"))
    assert_selected(page, model, ["WY"], ["map", "one"])


def test_choice_and_filter_stand_in_the_address_and_come_back_by_any_way(server, open_page, model):
    asked = "selected=TX&selected=WY&selected=Atlantis"
    kept = "between=petrol_tax:7:8&between=petrol_tax:nan:8&only=Wyoming&only=Ohio"
    page = open_page(f"{server}/explore?{asked}&{kept}", ready="stPlotlyChart")
    expect(bar(page)).to_contain_text("2 of 48 states")  # at 7 ¢; Texas has 5 ¢
    expect(bar(page)).to_contain_text("(1 of them hidden by the filter)")
    expect(page.get_by_text("The link names Atlantis, which is no state here.")).to_be_visible()
    expect(page).not_to_have_url(re.compile("Atlantis|nan"))
    page.get_by_role("button", name="Show all").click()
    turn_to(page, "Columns")
    n_entries = page.evaluate("history.length")
    for code in ("OH", "WY"):
        click_point(page, "map", place_of(model, code))
        assert_selected(page, model, [code], ["map", "spread"])
        expect(page).to_have_url(re.compile(rf"selected={code}\b"))
    assert page.evaluate("history.length") == n_entries  # Back leaves the page, and not through each choice

    def is_as_it_was():
        expect(picture(page, "map").locator("path.point").first).to_be_visible()
        assert_selected(page, model, ["WY"], ["map"])
        expect(page).to_have_url(re.compile(r"selected=WY\b"))
        expect(page).not_to_have_url(re.compile("between|only|OH"))
        expect(page.get_by_role("tab", name="Columns")).to_have_attribute("aria-selected", "true")
        expect(page).to_have_url(re.compile("view=Columns"))

    page.reload()
    is_as_it_was()
    method = page.get_by_text("The fault that this app descends from")
    page.get_by_test_id("stSidebar").get_by_role("link", name="Method").click()
    expect(method).to_be_visible()
    page.evaluate("history.back()")
    is_as_it_was()
    page.evaluate("history.forward()")
    expect(method).to_be_visible()
    page.get_by_test_id("stSidebar").get_by_role("link", name="Explore").click()
    is_as_it_was()


def test_two_visitors_select_for_themselves_and_a_box_selects_the_states_in_it(explore, server, open_page, model):
    first, second = explore(), drawn_page(open_page, server)
    click_point(first, "map", place_of(model, "WY"))
    assert_selected(first, model, ["WY"], ["map"])
    assert_selected(second, model, [], ["map"])
    select_the_west(second)
    assert_selected(second, model, ["WA", "OR", "CA"], ["map", "one"])
    assert_selected(first, model, ["WY"], ["map"])


def test_the_point_you_are_here_moves_when_the_sliders_did(explore, model):
    page = explore()
    page.get_by_test_id("stSidebar").get_by_role("link", name="What if").click()
    star = "document.querySelector('.st-key-app-explore_one .js-plotly-plot').data.at(-1)"
    for tax in ("9", "6"):
        type_into(page, "petrol_tax", tax)
        expect(page).to_have_url(re.compile(f"petrol_tax={tax}"))
        page.get_by_test_id("stSidebar").get_by_role("link", name="Explore").click()
        expect(picture(page, "one").locator("path.point").first).to_be_visible()
        answer = predict(model, DEFAULTS | {"petrol_tax": float(tax)}).value
        assert page.evaluate(f"{star}.x[0]") == float(tax)
        assert page.evaluate(f"{star}.y[0]") == pytest.approx(answer)
        page.get_by_test_id("stSidebar").get_by_role("link", name="What if").click()
        expect(page.get_by_test_id("live-prediction")).to_have_text(f"{answer:.0f}")
        expect(field(page, "petrol_tax")).to_have_value(f"{float(tax):.1f}")
    page.get_by_role("button", name="Back to the typical state").click()  # for who comes next


@pytest.mark.parametrize("code", ["WY", pytest.param("OK", marks=pytest.mark.soak)])
def test_a_what_if_starts_from_the_selected_state(explore, model, code):
    page = explore()
    click_point(page, "map", place_of(model, code))
    page.get_by_role("link", name=f"Start a what-if from {row_name(code)}").click()
    own = model.rows.set_index("state").loc[code, list(FEATURE_NAMES)].to_dict()
    expect(page.get_by_test_id("live-prediction")).to_have_text(f"{predict(model, own).value:.0f}")
    expect(page.get_by_test_id("live-support")).to_contain_text(f"Nearest: {row_name(code)} (0.0 s.d. away")
    expect(start(page)).to_have_value(code)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)


def test_the_download_is_what_is_shown(explore, model):
    from data.load import load_rows

    page = explore()
    page.get_by_role("button", name="Filter").click()
    page.locator("[class*=st-key-app-explore_names] input").fill("Ohio")
    page.get_by_role("option", name="Ohio", exact=True).click()
    expect(bar(page)).to_contain_text("1 of 48 states")
    page.keyboard.press("Escape")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download 1 of 48 states as CSV").click()
    rows = load_rows(download.value.path())
    assert rows.to_dict("records") == model.rows[model.rows["state"] == "OH"].to_dict("records")


def test_a_state_is_named_on_hover_with_all_its_figures_and_units(explore, model):
    page = explore()
    page.mouse.move(*mark(page, "one", place_of(model, "SD")))
    hover = picture(page, "one").locator(".hoverlayer")
    expect(hover).to_contain_text("South Dakota")
    expect(hover).to_contain_text("Licensed drivers 72.4 % of people")
    expect(hover).to_contain_text("Licensed drivers is probably 61.7 %")
    assert TARGET.unit in hover.text_content()


def test_each_view_is_a_link_with_named_pictures_and_on_a_phone_nothing_is_too_wide_or_on_another(server, open_page):
    page = drawn_page(open_page, server, width=390, height=844)
    boxes = [mark.bounding_box() for mark in picture(page, "map").locator("path.point").all()]
    middles = np.array([(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in boxes])
    apart = np.abs(middles[:, None] - middles).max(axis=2) + np.eye(len(middles)) * 999
    assert apart.min() >= max(box["width"] for box in boxes)
    for view in VIEWS:  # test_accessibility.py turns to each in the dark, too
        turn_to(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.get_by_test_id("stAlert").count() == 0
        for plot in page.locator(".js-plotly-plot").all():
            expect(plot.locator(".main-svg").first).to_be_visible()
            box = plot.bounding_box()
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 391
        for chart in page.get_by_test_id("stPlotlyChart").all():
            assert len(chart.get_attribute("aria-label")) > 20
    assert "view=About" in page.url
    page.goto(page.url)
    expect(page.get_by_role("tab", name="About the data")).to_have_attribute("aria-selected", "true")
