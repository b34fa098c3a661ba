"""What tests of the What-if page do and look at there."""

import re

from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.change import amount_in_words

DEFAULTS = {column.name: column.default for column in FEATURES}
COLUMNS = {column.name: column for column in FEATURES}


def number(page):
    return page.get_by_test_id("live-prediction")


def slider(page, name):
    return page.locator(f"#wi-{name}")


def field(page, name):
    return page.get_by_test_id(f"row-{name}").locator(".wi-field")


def start(page):
    return page.get_by_test_id("start")


def thumb(page, name, value=None):
    """Return the middle of a slider's thumb, or where it is at another value."""
    slider(page, name).scroll_into_view_if_needed()
    column, box = COLUMNS[name], slider(page, name).bounding_box()
    value = held_value(page, name) if value is None else value
    share = (value - column.low) / (column.high - column.low)
    return box["x"] + 12 + share * (box["width"] - 24), box["y"] + box["height"] / 2


def held_value(page, name):
    return float(slider(page, name).input_value())


def position(name, value, n_steps=0):
    """Return the slider's position that is so many steps from the one nearest to a value."""
    column = COLUMNS[name]
    return column.grid[int((value - column.low) / column.step + 0.5 + 1e-6) + n_steps]


def press(page, name, key):
    """Press a key on a slider that has the focus, and wait for its thumb."""
    before = held_value(page, name)
    page.keyboard.press(key)
    expect(slider(page, name)).not_to_have_value(f"{before:g}")


def type_into(page, name, text):
    field(page, name).fill(text)
    field(page, name).press("Enter")


def settles(page):
    """Wait until the page shows the server's answer to what stands on the sliders."""
    expect(page.locator(".wi")).to_have_class("wi")


def assert_page_agrees(page, answer, code="", begin=DEFAULTS):
    """Number, interval, fields, reasons and address: all of the same answer."""
    expect(number(page)).to_have_text(f"{answer.value:,.0f}")
    expect(page.get_by_test_id("live-low")).to_have_text(f"{answer.low:,.0f}")
    expect(page.get_by_test_id("live-high")).to_have_text(f"{answer.high:,.0f}")
    settles(page)
    for name, value in answer.scenario.items():
        shown = re.escape(COLUMNS[name].text(value))  # without separators while somebody may type there
        expect(field(page, name)).to_have_value(re.compile(f"^({shown}|{shown.replace(',', '')})$"))
        if value == begin[name]:
            expect(page).not_to_have_url(re.compile(rf"\b{name}="))
        else:
            expect(page).to_have_url(re.compile(rf"\b{name}={value:.10g}\b"))
    expect(start(page)).to_have_value(code)


def assert_change_agrees(page, moved, name):
    """The change, its interval and what the refits say, as the server has them."""
    than = "than" if round(moved.value) else "from"
    expect(page.get_by_test_id("live-change")).to_have_text(
        f"{amount_in_words(moved.value)} {than} {name} ({moved.start_prediction:.0f})"
    )
    ends = f"{amount_in_words(moved.low)} to {amount_in_words(moved.high)}"
    expect(page.get_by_test_id("live-sure")).to_contain_text(
        f"{moved.level * 100:g}\N{NO-BREAK SPACE}% interval: {ends}"
    )


def choose(page, preset):
    start(page).select_option(label=preset)
    expect(page.get_by_test_id("live-support")).to_contain_text(f"Nearest: {preset} (0.0 s.d. away")
    settles(page)
