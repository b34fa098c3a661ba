"""What a person does, in real Chromium: drag, press keys, type, choose, go back, reload, and look at a phone."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.change import agreement_in_words, amount_in_words, bands, find_row, predict_change, start_figures
from model.answering.prediction import Scenario, curve_support, predict
from tests.conftest import opening_pages
from tests.what_if_page import (
    DEFAULTS,
    assert_change_agrees,
    assert_page_agrees,
    choose,
    field,
    held_value,
    number,
    position,
    press,
    settles,
    slider,
    start,
    thumb,
    type_into,
)

pytestmark = pytest.mark.browser
TAX, INCOME, _, SHARE = FEATURES


@pytest.fixture(scope="module")
def visit(server, browser, window):
    """Return a page that tests use one after the other, and what it has sent: to load one is most of a test's work."""
    sent = []

    def listen(socket):
        socket.on("framesent", lambda frame: sent.append(frame))  # noqa: PLW0108 - Playwright marks its listeners, a built-in cannot be

    with opening_pages(browser, window) as open_page:
        yield open_page(server, on_socket=listen, media={"reduced_motion": "no-preference"}), sent


@pytest.fixture
def page(visit, model):
    """Return that page as a newcomer sees it."""
    page, _ = visit
    number(page).wait_for()
    page.get_by_test_id("level").select_option("0.9")
    start(page).select_option("OH")
    start(page).select_option("")
    assert_page_agrees(page, predict(model, DEFAULTS))
    return page


@pytest.fixture(scope="module")
def ohio(model):
    return start_figures(model, find_row(model, "OH"))[0]


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_while_a_slider_is_dragged_everything_follows_without_the_server(page, model, column):
    answer = predict(model, DEFAULTS)
    curve, band = answer.curves[column.name], bands(model, Scenario(DEFAULTS), answer.scenario, 0.9, 9)[column.name]
    home, seen, (x, y) = column.grid.index(column.default), set(), thumb(page, column.name)
    way = 1 if 2 * home < column.n_steps else -1  # where there is more room
    page.mouse.move(x, y)
    page.mouse.down()
    for pixels in range(4, 100, 4):
        page.mouse.move(x + way * pixels, y)
        step = round((held_value(page, column.name) - column.low) / column.step)
        expect(number(page)).to_have_text(f"{curve[step]:.0f}")
        if step != home:
            moved = curve[step] - answer.value
            expect(page.get_by_test_id("live-change")).to_contain_text(amount_in_words(moved))
            low = min(moved, float(np.interp(step, band.steps, band.low)))
            expect(page.get_by_test_id("live-sure")).to_contain_text(f"interval: {amount_in_words(low)} to ")
        seen.add(step)
    assert len(seen) > min(5, column.n_steps // 8)
    assert column.name not in page.url  # the server has not heard of it
    page.mouse.up()
    there = DEFAULTS | {column.name: column.grid[step]}
    assert_page_agrees(page, predict(model, there))
    assert_change_agrees(page, predict_change(model, DEFAULTS, there), "the typical state")


def test_the_pictures_have_their_size_before_they_are_drawn(server, open_page, model):
    """Else the browser complains of a loop, and each is drawn twice as the page opens."""
    note = "window.wrong = []; addEventListener('error', ({ message }) => wrong.push(message))"
    page = open_page(server, init_script=note)
    assert_page_agrees(page, predict(model, DEFAULTS))
    expect(page.locator(".wi-curve .wi-dot")).to_have_count(len(FEATURES))
    assert page.evaluate("wrong") == []


def test_a_start_stays_and_the_change_from_it_is_the_servers(page, model, ohio):
    choose(page, "Ohio")
    assert_page_agrees(page, predict(model, ohio), "OH", ohio)
    expect(page.get_by_test_id("live-change")).to_have_text("Ohio as it is. Drag a slider to see what changes.")
    page.mouse.move(*thumb(page, "petrol_tax"))
    page.mouse.down()
    page.mouse.move(*thumb(page, "petrol_tax", 9.0), steps=5)
    page.mouse.up()
    expect(slider(page, "petrol_tax")).to_have_value(f"{position('petrol_tax', 9.0):g}")
    type_into(page, "petrol_tax", "9")  # where the slider has no such step
    there = ohio | {"petrol_tax": 9.0}
    moved = predict_change(model, ohio, there)
    assert_page_agrees(page, predict(model, there), "OH", ohio)
    assert_change_agrees(page, moved, "Ohio as it is")
    expect(page.get_by_test_id("live-counts")).to_have_text(f"{agreement_in_words(moved)}.")
    expect(page.locator(".wi-real")).to_have_text(
        f"Ohio used 498; the model says {moved.start_prediction:.0f}. If that difference of −35 stays, it would use "
        f"about {498 + moved.value:.0f}."
    )
    expect(page.locator(".wi-others h2")).to_have_text(f"All {len(moved.others)} algorithms say less")
    expect(page.locator(".wi-others p")).to_contain_text("least squares −70")
    expect(page.get_by_test_id("row-petrol_tax").locator(".wi-effect")).to_have_text("−46")
    expect(page.locator(".wi-why li")).to_have_text(["Petrol tax 7.0 ¢ → 9.0 ¢−46"])
    type_into(page, "driver_licence_share", "60")
    both = predict_change(model, ohio, there | {"driver_licence_share": 0.6})
    assert_change_agrees(page, both, "Ohio as it is")
    for name in ("petrol_tax", "driver_licence_share"):
        effect = page.get_by_test_id(f"row-{name}").locator(".wi-effect")
        expect(effect).to_have_text(f"{both.reasons.contributions[name]:+.0f}".replace("-", "−"))
    page.get_by_role("button", name="Petrol tax back to 7.0 ¢").click()
    assert_page_agrees(page, predict(model, ohio | {"driver_licence_share": 0.6}), "OH", ohio)
    page.get_by_role("button", name="Back to Ohio as it is").click()
    assert_page_agrees(page, predict(model, ohio), "OH", ohio)
    expect(page.get_by_role("button", name="Back to")).to_have_count(0)


def test_a_curve_is_dotted_where_no_state_is_near(page, model):
    choose(page, "Texas")
    texas = start_figures(model, find_row(model, "TX"))[0]
    supports = curve_support(model, inputs_of(texas))
    for column in FEATURES:
        far = page.get_by_test_id(f"row-{column.name}").locator(".wi-far")
        levels = supports[column.name] != "near"
        runs = int(levels[0]) + int((~levels[:-1] & levels[1:]).sum())
        expect(far).to_have_count(runs)
    is_usual = [5 <= tax <= 10 for tax in TAX.grid]
    assert (supports["petrol_tax"][is_usual] != "near").mean() == pytest.approx(0.67, abs=0.1)


def test_the_support_of_a_place_shows_while_the_thumb_is_on_it(page, model):
    choose(page, "Texas")
    texas = start_figures(model, find_row(model, "TX"))[0]
    levels = curve_support(model, inputs_of(texas))["petrol_tax"]
    heads = {"near": "Close to real states.", "far": "Far from every state.", "very far": "Very far from every state."}
    page.mouse.move(*thumb(page, "petrol_tax"))
    page.mouse.down()
    for tax in (5.5, 7.0, 8.5, 9.8):
        page.mouse.move(*thumb(page, "petrol_tax", tax))
        step = TAX.grid.index(position("petrol_tax", held_value(page, "petrol_tax")))
        expect(page.get_by_test_id("live-support")).to_contain_text(heads[levels[step]])
    page.mouse.up()
    assert len(set(levels)) > 1


def inputs_of(scenario):
    return np.array([scenario[column.name] for column in FEATURES])


def test_what_waits_for_the_server_is_dimmed_until_it_is_there(page):
    page.mouse.move(*thumb(page, "petrol_tax"))
    page.mouse.down()
    page.mouse.move(thumb(page, "petrol_tax")[0] + 60, 300, steps=3)
    expect(page.locator(".wi-curve.wi-stale")).to_have_count(len(FEATURES) - 1)
    expect(page.locator(".wi-note")).to_have_css("opacity", "0.35")
    page.mouse.up()
    expect(page.locator(".wi-stale")).to_have_count(0)
    expect(page.locator(".wi-note")).to_have_css("opacity", "1")


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
    expect(page.locator(".wi-average h2")).to_contain_text(f"Why {before} ")  # it is answered, and thus was sent
    assert len(sent) == 1
    expect(number(page)).to_have_text(before)


def test_keys_move_one_step_ten_or_to_an_end_and_the_page_settles_on_the_servers_answer(page, model):
    slider(page, "driver_licence_share").focus()
    for _ in range(n := min(20, SHARE.n_steps // 4)):
        press(page, "driver_licence_share", "ArrowRight")
    assert_page_agrees(page, predict(model, DEFAULTS | {SHARE.name: position(SHARE.name, SHARE.default, n)}))
    press(page, "driver_licence_share", "Home")
    assert_page_agrees(page, predict(model, DEFAULTS | {SHARE.name: SHARE.low}))
    press(page, "driver_licence_share", "PageUp")
    assert held_value(page, "driver_licence_share") > SHARE.low + (SHARE.high - SHARE.low) / 14
    press(page, "driver_licence_share", "End")
    assert_page_agrees(page, predict(model, DEFAULTS | {SHARE.name: SHARE.high}))


def test_to_and_fro_on_the_keys_never_loses_the_page(page, model):
    """Answers must not refer to earlier ones: with quick answers, the browser has dropped those already."""
    slider(page, "average_income").focus()
    for key, n in (("ArrowRight", 4), ("ArrowLeft", 0)) * 4:
        for _ in range(4):
            press(page, INCOME.name, key)
        assert_page_agrees(page, predict(model, DEFAULTS | {INCOME.name: position(INCOME.name, INCOME.default, n)}))


def test_at_rest_the_number_is_the_servers_also_between_the_steps(page, model):
    """Oklahoma's tax is 6.58: the slider rounds it to 6.6, and Indiana's income lies on a cliff."""
    for preset, code in (("Oklahoma", "OK"), ("Indiana", "IN")):
        choose(page, preset)
        own = model.rows.set_index("state").loc[code, list(DEFAULTS)].to_dict()
        assert_page_agrees(page, predict(model, own), code, own)
    slider(page, "average_income").focus()
    expect(number(page)).to_have_text(f"{predict(model, own).value:.0f}")


def test_a_typed_value_counts_exactly_and_one_that_cannot_is_told(page, model):
    type_into(page, "petrol_tax", "6,37")
    answer = predict(model, DEFAULTS | {"petrol_tax": 6.37})
    assert_page_agrees(page, answer)
    problem = page.get_by_test_id("row-petrol_tax").get_by_role("alert")
    for typed, told in (
        ("60", f"60 is outside the slider. Type a number from {TAX.text(TAX.low)} to {TAX.text(TAX.high)} (cents"),
        ("much", "“much” is not a number."),
        ("1,234", "1,234 can mean 1.234 or 1234. Type it without the comma."),
    ):
        type_into(page, "petrol_tax", typed)
        expect(problem).to_contain_text(told)
        expect(field(page, "petrol_tax")).to_have_value(typed)
        expect(number(page)).to_have_text(f"{answer.value:.0f}")
    type_into(page, "petrol_tax", "6.370 ¢")  # the value that it has, and then as the others are written
    expect(field(page, "petrol_tax")).to_have_value("6.37")
    type_into(page, "petrol_tax", "")
    assert_page_agrees(page, answer)
    expect(problem).to_have_count(0)
    type_into(page, "paved_highways", "476,5")
    assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": 6.37, "paved_highways": 476.5}))


def test_a_value_typed_without_enter_counts_when_another_control_is_used(page, model):
    field(page, "petrol_tax").fill("9")
    page.get_by_test_id("level").focus()
    page.get_by_test_id("level").select_option("0.8")
    assert_page_agrees(page, predict(model, DEFAULTS | {"petrol_tax": 9.0}, 0.8))


def test_an_arrow_on_another_slider_right_after_enter_moves_both(page, model):
    type_into(page, "petrol_tax", "8.7")
    slider(page, "driver_licence_share").focus()
    page.keyboard.press("ArrowRight")
    there = {"petrol_tax": 8.7, SHARE.name: position(SHARE.name, SHARE.default, 1)}
    assert_page_agrees(page, predict(model, DEFAULTS | there))


def test_a_link_in_a_link_is_not_shown_as_one(server, open_page):
    page = open_page(f"{server}/?petrol_tax=http://evil.example/x")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("the link asks for http://evil.example/x, which the slider cannot show")
    expect(alert.locator("a")).to_have_count(0)


def test_a_link_restores_start_and_change_on_reload_and_for_another_visitor(server, open_page, model, ohio):
    there = ohio | {"petrol_tax": 9.0, "driver_licence_share": 0.6025}
    link = f"{server}/?from=OH&petrol_tax=9&driver_licence_share=0.6025&coverage=80+%25"
    page = open_page(link)
    for opened in (page, page, open_page(link)):
        assert_page_agrees(opened, predict(model, there, 0.8), "OH", ohio)
        assert_change_agrees(opened, predict_change(model, ohio, there, 0.8), "Ohio as it is")
        page.reload()
        number(page).wait_for()


def test_back_and_forward_show_what_was_there_from_every_page(server, open_page, model, ohio):
    page = open_page(server)
    assert_page_agrees(page, predict(model, DEFAULTS))
    choose(page, "Ohio")
    for label, heading in (("Explore", "Explore"), ("Method", "Where every figure comes from")):
        page.get_by_role("link", name=label, exact=True).click()
        page.get_by_role("heading", name=heading).first.wait_for()
        page.go_back()
        assert_page_agrees(page, predict(model, ohio), "OH", ohio)
    page.go_back()
    assert_page_agrees(page, predict(model, DEFAULTS))
    page.go_forward()
    assert_page_agrees(page, predict(model, ohio), "OH", ohio)
    page.get_by_role("link", name="Models", exact=True).click()
    page.get_by_role("heading", name="Models").first.wait_for()
    page.get_by_role("link", name="What if", exact=True).click()
    assert_page_agrees(page, predict(model, ohio), "OH", ohio)


def test_two_visitors_do_not_see_each_other(page, server, open_page, model):
    choose(page, "Wyoming")
    assert_page_agrees(open_page(server), predict(model, DEFAULTS))


def test_the_level_widens_both_intervals_and_is_said_in_words(page, model):
    type_into(page, "petrol_tax", "9")
    page.get_by_test_id("level").select_option("0.95")
    there = DEFAULTS | {"petrol_tax": 9.0}
    assert_page_agrees(page, predict(model, there, 0.95))
    assert_change_agrees(page, predict_change(model, DEFAULTS, there, 0.95), "the typical state")
    expect(page.locator(".wi-note")).to_contain_text("set so that 19 in 20 errors on states")
    expect(page).to_have_url(re.compile(r"coverage=95\+%25"))


def test_on_a_phone_number_and_change_stay_in_sight_and_a_swipe_moves_no_slider(server, open_page, model):
    page = open_page(server, width=390, height=844, has_touch=True, is_mobile=True)
    for column in FEATURES:
        slider(page, column.name).scroll_into_view_if_needed()
        x, y = thumb(page, column.name)
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 12, y)
        for shown in (number(page), page.get_by_test_id("live-change"), page.locator(".wi-scale")):
            expect(shown).to_be_in_viewport(ratio=1)
        covering = page.evaluate("([x, y]) => document.elementFromPoint(x, y).closest('.wi-now') !== null", [x, y])
        assert not covering
        page.mouse.up()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator(".wi-now").bounding_box()["height"] <= 125
    start(page).select_option("OH")
    start(page).select_option("")
    settles(page)
    touch = page.context.new_cdp_session(page)
    x, y = thumb(page, "average_income", 4000.0)
    points = [{"x": x, "y": y - 6 * step} for step in range(12)]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [points[0]]})
    for point in points[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    assert_page_agrees(page, predict(model, DEFAULTS))


def test_a_screen_reader_hears_the_answer_at_rest_and_plain_names(page, model):
    type_into(page, "petrol_tax", "9")
    there = DEFAULTS | {"petrol_tax": 9.0}
    answer, moved = predict(model, there), predict_change(model, DEFAULTS, there)
    level = "90\N{NO-BREAK SPACE}% interval"
    expect(page.locator(".wi-spoken")).to_have_text(
        f"{answer.value:.0f} gallons per person per year, {level} {answer.low:.0f} to {answer.high:.0f}. "
        f"{amount_in_words(moved.value)} than the typical state, {level} {amount_in_words(moved.low)} to "
        f"{amount_in_words(moved.high)}."
    )
    expect(page.get_by_role("slider", name="Petrol tax cents per gallon")).to_have_attribute("aria-valuetext", "9.0 ¢")
    expect(page.get_by_role("textbox", name="Petrol tax, exact value, cents per gallon")).to_be_visible()
    expect(page.get_by_role("combobox", name="Start from")).to_be_visible()
    ends = " to ".join(map(TAX.text_with_unit, (TAX.low, TAX.high)))
    expect(page.get_by_role("img", name=f"Petrol tax from {ends}: from")).to_be_visible()


def test_thumbs_are_large_and_no_row_has_a_scrollbar(page):
    for column in FEATURES:
        assert slider(page, column.name).bounding_box()["height"] >= 24
        row = page.get_by_test_id(f"row-{column.name}")
        assert row.evaluate("row => row.scrollHeight <= row.clientHeight && row.scrollWidth <= row.clientWidth")


def test_with_reduced_motion_nothing_glides(page):
    page.emulate_media(reduced_motion="reduce")
    durations = page.evaluate(
        "[...document.querySelectorAll('.wi-curve')].map((element) => getComputedStyle(element).transitionDuration)"
    )
    page.emulate_media(reduced_motion="no-preference")
    assert set(durations) == {"0s"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_number_stands_out_in_both_themes(page, scheme):
    page.emulate_media(color_scheme=scheme)
    expect(page.get_by_test_id("stApp")).to_have_css("color-scheme", scheme)
    ink, paper = page.evaluate(
        "[getComputedStyle(document.querySelector('.wi-number')).color, "
        "getComputedStyle(document.querySelector('.wi-card')).backgroundColor]"
    )
    assert contrast(ink, paper) >= 7
    type_into(page, "petrol_tax", "9")
    changed = page.evaluate("getComputedStyle(document.querySelector('.wi-change b')).color")
    assert contrast(changed, paper) >= 4.5


def contrast(first, second):
    """Return the contrast ratio of two CSS colours: WCAG 2.2, 1.4.3."""

    def luminance(colour):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
