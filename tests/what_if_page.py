"""What tests of the What-if page do and look at there."""

import re

from playwright.sync_api import expect

from data.schema import FEATURES

DEFAULTS = {column.name: column.default for column in FEATURES}


def number(page):
    return page.get_by_test_id("live-prediction")


def slider(page, name):
    return page.locator(f".st-key-{name} input[type=range]")


def thumb(page, name):
    """Return the middle of a slider's thumb, below the value that Streamlit writes over it."""
    box = page.locator(f".st-key-{name}").get_by_test_id("stSliderThumbValue").bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] + 10


def held_value(page, name):
    return float(slider(page, name).input_value())


def press(page, name, key):
    """Press a key on a slider that has the focus, and wait for its thumb: between two pictures a press can get lost."""
    before = held_value(page, name)
    page.keyboard.press(key)
    expect(slider(page, name)).not_to_have_value(f"{before:g}")


def assert_page_agrees(page, answer):
    """Number, interval, words, reasons and link: all of the same answer."""
    expect(number(page)).to_have_text(f"{answer.value:.0f}")
    expect(page.get_by_test_id("live-low")).to_have_text(f"{answer.low:.0f}")
    expect(page.get_by_test_id("live-high")).to_have_text(f"{answer.high:.0f}")
    expect(page.locator(".st-key-app-answer")).to_contain_text(f"About {answer.value:.0f} gallons per person per year")
    expect(page.locator(".reasons h3")).to_have_text(f"Why {answer.value:.0f} and not the average {answer.average:.0f}")
    for name, value in answer.scenario.items():
        if value == DEFAULTS[name]:
            assert f"{name}=" not in page.url
        else:
            expect(page).to_have_url(re.compile(rf"{name}={value:.10g}\b"))


def choose(page, preset):
    field = page.locator(".st-key-app-start_from input")
    field.scroll_into_view_if_needed()  # a list that is open would close by it
    field.click()
    field.fill(preset)
    page.get_by_role("option", name=preset, exact=True).click()
    expect(page.locator(".st-key-app-answer")).to_contain_text(f"Closest is {preset} (0.0 s.d. away)")
