"""Other eyes and hands: axe-core on every page, a phone, forced colours, a translator in the browser."""

import re
from importlib.resources import files

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from tests.conftest import opening_pages
from tests.explore_page import VIEWS
from tests.retrain_page import promote_a_line
from tests.screenshots import decide, send
from tests.stores import wait_until
from tests.what_if_page import choose, number, settles, slider

pytestmark = pytest.mark.browser
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
# What only Streamlit could mend: rule of axe, and the test id that the element or what is around it has.
KNOWN = {
    ("presentation-role-conflict", "stFileUploaderDropzone"): "it has a name and the role of something that has none",
}
PHONE, DESK = (390, 844), (1280, 900)
WHOLE, VARYING = ("light", 1280), ["color-contrast", "scrollable-region-focusable"]  # the other rules judge both alike
FAULTS = """async (rules) => {
  const options = {resultTypes: ["violations"], preload: false, ...rules && {runOnly: rules}};
  const {violations} = await axe.run(document, options);
  return violations.flatMap(({id, nodes}) => nodes.map(({target, html}) => [
    id, document.querySelector(target[0])?.closest("[data-testid]")?.dataset.testid ?? target[0], html.slice(0, 200)]));
}"""
# axe-core leaves text in pictures out; in the map and in cells it lies on a colour of its own, see test_charts.py.
FAINT = """() => {
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const page = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
  const luminance = (colour, opacity = 1) => {
    for (const [fillStyle, globalAlpha] of [[page, 1], [colour, opacity]])
      Object.assign(canvas, {fillStyle, globalAlpha}).fillRect(0, 0, 1, 1);
    const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((each) => each / 255)
      .map((each) => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const contrast = (one, other) => (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
  return [...document.querySelectorAll(".js-plotly-plot text")].filter((text) => {
    const {fill, fillOpacity, opacity} = getComputedStyle(text);
    return text.textContent.trim() && !text.closest(".heatmaplayer, .st-key-app-explore_map .textpoint")
      && contrast(luminance(fill, fillOpacity * opacity), luminance(page)) < 4.5;
  }).map((text) => text.textContent);
}"""
# A page has a frame of its own, which scrolls in the place of the document.
SIDEWAYS = """() => [document.documentElement, document.querySelector("[data-testid=stMain]")]
  .some((each) => each.scrollWidth > each.clientWidth)"""


def come_to_rest(page):
    """Wait until the server has answered and nothing moves on the page any more."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    wait_until(lambda: not page.evaluate("document.getAnimations().length"), what="a page at rest")


def go_to(page, name):
    """Take an entry of the menu, which lies over the page on a phone."""
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
    expect(page.get_by_test_id("stExpandSidebarButton")).to_be_visible()
    expect(page).to_have_title(re.compile(f"^{name} "))


def every_page(page):
    """Go from page to page and from view to view as a person with a phone does, and name each."""
    decide(page)
    page.get_by_text("Against the average, and what is closest").click()
    expect(page.locator(".closest table")).to_be_visible()
    yield "What if"
    go_to(page, "Explore")
    for view in VIEWS:
        page.get_by_role("tab", name=view).click()
        if view == VIEWS[0]:
            page.get_by_role("button", name="Show as table").hover()
        yield f"Explore: {view}"
    for name in ("Retrain", "Models", "Score a file", "Method"):
        go_to(page, name)
        if name == "Score a file":
            send(page)
            expect(page.locator(".st-key-app-score_picture .main-svg").first).to_be_visible()
        yield name


def open_phone(open_page, server):
    width, height = PHONE
    return open_page(f"{server}/?from=OH&petrol_tax=9", width=width, height=height)


@pytest.fixture(scope="module")
def opened(server, browser, window):
    with opening_pages(browser, window) as open_page:
        yield open_phone(open_page, server)


def assert_shuts_nobody_out(page, themes):
    """Look at every page at each size in its themes."""
    page.evaluate(AXE)
    found, faint, sideways = {}, {}, []
    for name in every_page(page):
        come_to_rest(page)
        for (width, height), of_width in themes.items():
            page.set_viewport_size({"width": width, "height": height})
            for theme in of_width:
                page.emulate_media(color_scheme=theme)
                expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", theme)
                come_to_rest(page)
                for rule, where, html in page.evaluate(FAULTS, None if (theme, width) == WHOLE else VARYING):
                    found.setdefault((rule, where), (name, theme, width, html))
                if texts := page.evaluate(FAINT):
                    faint[name, theme, width] = texts
            sideways += [(name, width)] * page.evaluate(SIDEWAYS)
        page.set_viewport_size(dict(zip(("width", "height"), PHONE, strict=True)))
    assert found.keys() == KNOWN.keys(), found  # one that was mended leaves the list
    assert faint == {}
    assert sideways == []


def test_no_page_shuts_anybody_out_in_either_theme_on_a_screen_or_on_a_phone(opened):
    assert_shuts_nobody_out(opened, {PHONE: ["dark"], DESK: ["light"]})


@pytest.mark.soak
def test_no_page_shuts_anybody_out_in_both_themes_on_a_screen_and_on_a_phone(server, open_page):
    assert_shuts_nobody_out(open_phone(open_page, server), dict.fromkeys((PHONE, DESK), ("light", "dark")))


@pytest.fixture
def what_if(opened, server):
    """Return the page at a change from Ohio, in a window and a palette as they come."""
    opened.emulate_media(color_scheme="light", forced_colors="none")
    opened.goto(f"{server}/?from=OH&petrol_tax=9")
    expect(number(opened)).to_be_visible()
    settles(opened)
    return opened


@pytest.mark.parametrize(("width", "height"), [(390, 844), (844, 390), (640, 450)], ids=["upright", "across", "zoomed"])
def test_number_and_focused_slider_are_both_in_sight_on_a_small_screen(what_if, width, height):
    page = what_if
    page.set_viewport_size({"width": width, "height": height})
    for column in reversed(FEATURES):  # backwards, what comes next is above
        slider(page, column.name).focus()
        expect(number(page)).to_be_in_viewport(ratio=1)
        card, thumb = page.locator(".wi-now").bounding_box(), slider(page, column.name).bounding_box()
        assert card["y"] + card["height"] <= thumb["y"]
        assert thumb["y"] + thumb["height"] <= height


def test_curves_and_bars_are_drawn_in_forced_colours(what_if):
    page = what_if
    page.set_viewport_size({"width": 1280, "height": 900})
    drawn = {
        ".wi-why i i": "background-color",
        ".wi-hollow": "border-top-color",
        ".wi-model": "stroke",
        ".wi text": "fill",
    }
    for palette, ink in (("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")):
        page.emulate_media(forced_colors="active", color_scheme=palette)
        expect(page.locator(".wi-number")).to_have_css("color", ink)
        for mark, of in drawn.items():
            expect(page.locator(mark).first).to_have_css(of, ink)
        assert slider(page, FEATURES[0].name).evaluate("(one) => getComputedStyle(one).appearance") == "auto"


# What a translator in the browser does to each text, one that comes later, too.
TRANSLATOR = """() => {
  const translate = (text) => {
    const around = text.parentElement?.closest("font, script, style, svg, option, [translate=no]");
    if (around !== null || !text.data.trim()) return;
    const outer = document.createElement("font");
    outer.style.verticalAlign = "inherit";
    outer.appendChild(outer.cloneNode()).textContent = text.data;
    text.replaceWith(outer);
  };
  const all = (node) => {
    const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT), texts = [];
    while (walker.nextNode()) texts.push(walker.currentNode);
    (node.nodeType === Node.TEXT_NODE ? [node] : texts).forEach(translate);
  };
  new MutationObserver((records) => {
    for (const {type, target, addedNodes} of records) (type === "characterData" ? [target] : addedNodes).forEach(all);
  }).observe(document.body, {childList: true, subtree: true, characterData: true});
  all(document.body);
}"""


def test_what_a_translator_has_wrapped_still_changes(visitor, store_url, rows):
    page = visitor("/").page
    page.evaluate(TRANSLATOR)
    menu = page.get_by_test_id("stSidebar")
    expect(page.get_by_role("heading", level=1).locator("font font")).to_have_text("What if?")
    choose(page, "Texas")
    expect(page.get_by_test_id("live-change")).to_contain_text("Texas as it is")
    promote_a_line(store_url, rows)
    choose(page, "Ohio")
    expect(page.get_by_test_id("live-change")).to_contain_text("Ohio as it is")
    for name in ("What if", "Explore", "Method", "Retrain"):
        menu.get_by_role("link", name=name).click()
        expect(page).to_have_title(re.compile(f"^{name} "))
        expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        expect(menu.get_by_text("Version 1")).to_have_count(0)
        expect(menu.get_by_text("Version 2: least squares")).to_be_visible()
        expect(page.get_by_text("What if?", exact=True)).to_have_count(int(name == "What if"))
    menu.get_by_role("link", name="Explore").click()
    bar = page.locator(".st-key-app-explore_bar")
    expect(bar).to_contain_text("No state is selected.")
    page.locator(".st-key-app-explore_map path.point").first.click(force=True)
    expect(bar).to_contain_text("Selected: Maine")
    expect(bar).not_to_contain_text("No state")
    page.get_by_role("button", name="Clear selection", exact=True).click()
    expect(bar).to_contain_text("No state is selected.")
    expect(bar).not_to_contain_text("Maine")
