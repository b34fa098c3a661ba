"""What a person does, in real Chromium: drag, press keys, type, choose, go back, reload, and look at a phone."""

import re

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.predict import predict
from tests.conftest import opening_pages
from tests.what_if_page import DEFAULTS, assert_page_agrees, choose, held_value, number, press, slider, thumb

pytestmark = pytest.mark.browser

# Counts the observers at work on the values of slider inputs, as they are attached and let go.
COUNT_WATCHERS = """
window.watching = new Map();
const { observe, disconnect } = MutationObserver.prototype;
MutationObserver.prototype.observe = function (target, options) {
  if (target.type === "range" && options.attributeFilter?.includes("value")) window.watching.set(this, target);
  return observe.call(this, target, options);
};
MutationObserver.prototype.disconnect = function () {
  window.watching.delete(this);
  return disconnect.call(this);
};
"""

# The readout's script finds no slider until the test lets it: as when the page is slow to load them.
NO_SLIDER_YET = """
const { querySelector } = Element.prototype;
Element.prototype.querySelector = function (selector) {
  return selector === "input[type=range]" && !window.sliders ? null : querySelector.call(this, selector);
};
"""


@pytest.fixture(scope="module")
def visit(server, browser, window):
    """Return a page that tests use one after the other, and what it has sent: to load one is most of a test's work."""
    sent = []

    def listen(socket):
        socket.on("framesent", lambda frame: sent.append(frame))  # noqa: PLW0108 - Playwright marks its listeners, a built-in cannot be

    with opening_pages(browser, window) as open_page:
        yield open_page(server, init_script=COUNT_WATCHERS, on_socket=listen), sent


@pytest.fixture
def page(visit, model):
    """Return that page as a newcomer sees it.

    For half a second a typed value that was there before counts as an echo: each test types values of its own.
    """
    page, _ = visit
    page.get_by_role("radio", name="90 %").click()
    page.get_by_role("button", name="Reset").click()
    assert_page_agrees(page, predict(model, DEFAULTS))
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    for column in FEATURES:
        field = page.locator(f".st-key-app-typed-{column.name} input")
        expect(field).to_have_value(f"{column.shown(column.default):.{column.decimals}f}")
    return page


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_while_a_slider_is_dragged_the_number_follows_without_the_server(page, model, column):
    curve = predict(model, DEFAULTS).curves[column.name]
    x, y = thumb(page, column.name)
    page.mouse.move(x, y)
    page.mouse.down()
    seen = set()
    for pixels in range(4, 100, 4):
        page.mouse.move(x + pixels, y)
        step = round((held_value(page, column.name) - column.low) / column.step)
        expect(number(page)).to_have_text(f"{curve[step]:.0f}")
        seen.add(step)
    assert len(seen) > 8
    assert column.name not in page.url  # the server has not heard of it
    page.mouse.up()
    assert_page_agrees(page, predict(model, DEFAULTS | {column.name: column.grid[max(seen)]}))


def test_a_slider_that_appears_after_the_readout_is_followed_too(server, open_page, model):
    page = open_page(server, init_script=NO_SLIDER_YET)
    page.evaluate("window.sliders = true")
    x, y = thumb(page, "paved_highways")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 80, y)
    step = round((held_value(page, "paved_highways") - 400) / 100)
    expect(number(page)).to_have_text(f"{predict(model, DEFAULTS).curves['paved_highways'][step]:.0f}")
    page.mouse.up()


def test_curves_that_will_move_with_the_answer_are_dimmed_until_it_is_there(page):
    stale = page.locator(".readout-grid .readout-stale")
    page.mouse.move(*thumb(page, "petrol_tax"))
    page.mouse.down()
    page.mouse.move(thumb(page, "petrol_tax")[0] + 60, 300, steps=3)
    expect(stale).to_have_count(len(FEATURES) - 1)
    page.mouse.up()
    expect(stale).to_have_count(0)


def test_a_drag_sends_nothing_and_a_release_sends_one_message(page, visit):
    _, sent = visit
    sent.clear()
    x, y = thumb(page, "driver_licence_share")
    page.mouse.move(x, y)
    page.mouse.down()
    for pixels in range(60):
        page.mouse.move(x + pixels, y)
    assert sent == []
    before = number(page).inner_text()
    page.mouse.up()
    expect(page).to_have_url(re.compile("driver_licence_share="))
    expect(page.locator(".reasons h3")).to_contain_text(f"Why {before} ")  # it is answered, and thus was sent
    assert len(sent) == 1
    expect(number(page)).to_have_text(before)


def test_many_moves_later_there_is_still_one_watcher_a_slider(page):
    slider(page, "petrol_tax").focus()
    for move in range(20):
        page.keyboard.press("ArrowRight" if move % 10 < 5 else "ArrowLeft")
        expect(page.locator(".st-key-app-typed-petrol_tax input")).to_have_value(
            f"{held_value(page, 'petrol_tax'):.1f}"
        )
    assert page.evaluate("window.watching.size") == len(FEATURES)
    assert page.evaluate("new Set(window.watching.values()).size") == len(FEATURES)


def test_arrow_keys_move_one_step_and_the_page_settles_on_the_servers_answer(page, model):
    slider(page, "driver_licence_share").focus()
    for _ in range(20):
        press(page, "driver_licence_share", "ArrowRight")
    assert_page_agrees(page, predict(model, DEFAULTS | {"driver_licence_share": 0.585}))


def test_to_and_fro_on_the_keys_never_loses_the_page(page, model):
    """Answers must not refer to earlier ones: with quick answers, the browser has dropped those already."""
    slider(page, "average_income").focus()
    for turn in range(8):
        for _ in range(4):
            press(page, "average_income", "ArrowLeft" if turn % 2 else "ArrowRight")
        there = DEFAULTS | {"average_income": 4300.0 if turn % 2 else 4380.0}
        assert_page_agrees(page, predict(model, there))


def test_at_rest_the_number_is_the_servers_also_between_the_steps(page, model):
    """Oklahoma's tax is 6.58: the slider's own input rounds it to 6.6, and Indiana's income lies on a cliff."""
    for preset, code in (("Oklahoma", "OK"), ("Indiana", "IN")):
        choose(page, preset)
        own = model.rows.set_index("state").loc[code, list(DEFAULTS)].to_dict()
        assert_page_agrees(page, predict(model, own))
    slider(page, "average_income").focus()
    expect(number(page)).to_have_text(f"{predict(model, own).value:.0f}")


def test_a_typed_value_counts_exactly_and_one_out_of_range_is_told(page, model):
    field = page.locator(".st-key-app-typed-petrol_tax input")
    field.fill("6.37")
    field.press("Enter")
    answer = predict(model, DEFAULTS | {"petrol_tax": 6.37})
    assert_page_agrees(page, answer)
    field.fill("12")
    field.press("Enter")
    expect(page.get_by_text("12 is outside the slider. Type a number from 5.0 to 10.0")).to_be_visible()
    assert_page_agrees(page, answer)
    field.fill("")
    field.press("Enter")
    expect(field).to_have_value("6.37")


def test_a_value_typed_without_enter_counts_when_another_control_is_used(page, model):
    page.locator(".st-key-app-typed-petrol_tax input").fill("9")
    page.get_by_role("radio", name="80 %").click()
    assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": 9.0}, 0.8))
    expect(page.locator(".st-key-app-typed-petrol_tax input")).to_have_value("9.0")


@pytest.mark.parametrize(("tax", "delay"), [("6.1", 0), ("6.2", 40), ("6.3", 120)])
def test_another_control_used_before_the_answer_does_not_take_a_typed_value_back(page, model, tax, delay):
    page.locator(".st-key-app-typed-petrol_tax input").fill(tax)
    page.keyboard.press("Enter")
    page.get_by_role("radio", name="80 %").click(delay=delay)
    assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": float(tax)}, 0.8))
    expect(page.locator(".st-key-app-typed-petrol_tax input")).to_have_value(tax)
    expect(page.locator(".st-key-petrol_tax").get_by_test_id("stSliderThumbValue")).to_have_text(tax)


def test_an_arrow_on_another_slider_right_after_enter_moves_both(page, model):
    """The link is left out: Streamlit's own writing of it can miss the second of two such moves."""
    page.locator(".st-key-app-typed-petrol_tax input").fill("8.7")
    page.keyboard.press("Enter")
    slider(page, "driver_licence_share").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".st-key-app-typed-driver_licence_share input")).to_have_value("56.6")
    expect(page.locator(".st-key-app-typed-petrol_tax input")).to_have_value("8.7")
    answer = predict(model, DEFAULTS | {"petrol_tax": 8.7, "driver_licence_share": 0.566})
    expect(page.locator(".reasons h3")).to_have_text(f"Why {answer.value:.0f} and not the average {answer.average:.0f}")


def test_a_link_in_a_link_is_not_shown_as_one(server, open_page):
    page = open_page(f"{server}/?petrol_tax=http://evil.example/x")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("the link asks for http://evil.example/x, which the slider cannot show")
    expect(alert.locator("a")).to_have_count(0)


def test_a_link_survives_reload_and_another_visitor(server, open_page, model):
    scenario = DEFAULTS | {"petrol_tax": 9.0, "driver_licence_share": 0.6025}
    page = open_page(f"{server}/?petrol_tax=9&driver_licence_share=0.6025")
    assert_page_agrees(page, predict(model, scenario))
    page.reload()
    number(page).wait_for()
    assert_page_agrees(page, predict(model, scenario))
    assert_page_agrees(open_page(page.url), predict(model, scenario))


def test_going_back_brings_the_former_scenario_back_and_reset_the_typical_one(page, model):
    for tax in ("9.2", "8.2"):
        page.locator(".st-key-app-typed-petrol_tax input").fill(tax)
        page.keyboard.press("Enter")
        assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": float(tax)}))
    page.go_back()
    assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": 9.2}))
    page.get_by_role("button", name="Reset").click()
    assert_page_agrees(page, predict(model, DEFAULTS))


def test_two_visitors_do_not_see_each_other(page, server, open_page, model):
    choose(page, "Wyoming")
    assert_page_agrees(open_page(server), predict(model, DEFAULTS))


def test_the_level_of_the_interval_widens_it_and_is_said_in_words(page, model):
    page.get_by_role("radio", name="95 %").click()
    answer = predict(model, DEFAULTS, 0.95)
    assert_page_agrees(page, answer)
    expect(page.locator(".st-key-app-answer")).to_contain_text("set so that 19 in 20 errors on states")


def test_on_a_phone_the_number_and_the_moved_slider_are_in_sight_together(server, open_page):
    page = open_page(server, width=390, height=844, has_touch=True, is_mobile=True)
    for column in FEATURES:
        slider(page, column.name).scroll_into_view_if_needed()
        x, y = thumb(page, column.name)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 12, y)
        expect(number(page)).to_be_in_viewport(ratio=1)
        expect(page.locator(f".st-key-{column.name}").get_by_test_id("stSliderThumbValue")).to_be_in_viewport()
        covering = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('.readout-now') !== null", [x, y])
        assert not covering
        page.mouse.up()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_screen_reader_hears_the_answer_at_rest_and_plain_names(page, model):
    answer = predict(model, DEFAULTS)
    expect(page.locator(".readout-spoken")).to_have_text(
        f"{answer.value:.0f} gallons per person per year, 90 % interval {answer.low:.0f} to {answer.high:.0f}."
    )
    expect(page.get_by_role("slider", name="Petrol tax (cents per gallon)")).to_have_attribute("aria-valuetext", "7.5")


def test_with_reduced_motion_nothing_glides(page):
    page.emulate_media(reduced_motion="reduce")
    durations = page.evaluate(
        "[...document.querySelectorAll('.reasons i i, .readout-grid figure')]"
        ".map((element) => getComputedStyle(element).transitionDuration)"
    )
    page.emulate_media(reduced_motion="null")
    assert set(durations) == {"0s"}


def test_where_the_sliders_cannot_be_watched_the_number_still_follows_on_release(server, open_page, model):
    hide = "const find = Document.prototype.querySelector; Document.prototype.querySelector = function (selector) {"
    hide += " return selector.startsWith('.st-key-') ? null : find.call(this, selector); };"
    page = open_page(server, init_script=hide)
    slider(page, "driver_licence_share").focus()
    for _ in range(20):
        press(page, "driver_licence_share", "ArrowRight")
    assert_page_agrees(page, predict(model, DEFAULTS | {"driver_licence_share": 0.585}))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_number_stands_out_in_both_themes(page, scheme):
    page.emulate_media(color_scheme=scheme)
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
    ink, paper = page.evaluate(
        "[...document.querySelectorAll('.readout-number, .readout-now')]"
        ".reverse().map((element, i) => getComputedStyle(element)[i ? 'backgroundColor' : 'color'])"
    )
    assert contrast(ink, paper) >= 7


def contrast(first, second):
    """Return the contrast ratio of two CSS colours: WCAG 2.2, 1.4.3."""

    def luminance(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
