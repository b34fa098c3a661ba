"""Two inputs at once, in real Chromium: folded, drawn when asked for, and a click that sets both sliders."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.prediction import Scenario, predict
from model.answering.surface import measure_interaction, predict_surface
from tests.what_if_page import DEFAULTS, assert_page_agrees, number, slider

pytestmark = [pytest.mark.browser]
LEFT, TOP, PLOT = 64, 8, 340  # [px] of the picture, and its height


def opened(page):
    """Open the picture, and return it."""
    page.get_by_text("Two inputs at once").click()
    picture = page.locator(".wi-contour svg")
    expect(picture.locator(".wi-dot")).to_have_count(1)
    return picture


def test_a_click_on_two_inputs_at_once_sets_both_sliders(server, open_page, model):
    page = open_page(server)
    expect(page.locator(".wi-contour")).to_have_count(0)  # nothing is computed or sent before it is asked for
    picture = opened(page)
    across, up = model.ranked_inputs[:2]
    surface = predict_surface(model, Scenario(DEFAULTS), (across, up))
    ends = f"{surface.predictions.min():.0f} to {surface.predictions.max():.0f} gallons"
    expect(picture).to_have_attribute("aria-label", re.compile(ends))
    expect(picture.locator(".wi-real")).to_have_count(48)
    share = measure_interaction(model, (min(across, up), max(across, up)))
    expect(page.get_by_text(f"{100 * share:.0f} % of how the prediction varies")).to_be_visible()
    width = picture.bounding_box()["width"] - LEFT - 12
    picture.click(position={"x": LEFT + 0.3 * width, "y": TOP + 0.2 * PLOT})
    expect(number(page)).not_to_have_text(f"{predict(model, DEFAULTS).value:.0f}")
    there = {name: float(texts[0]) for name, texts in parse_qs(urlsplit(page.url).query).items()}
    assert set(there) == {FEATURES[across].name, FEATURES[up].name}
    for i, part in ((across, 0.3), (up, 0.8)):
        column = FEATURES[i]
        assert there[column.name] in column.grid
        assert there[column.name] == pytest.approx(column.low + part * (column.high - column.low), abs=2 * column.step)
        assert float(slider(page, column.name).input_value()) == pytest.approx(there[column.name])
    assert_page_agrees(page, predict(model, DEFAULTS | there))
    page.get_by_role("button", name="Show as table").click()
    corner = predict_surface(model, Scenario(DEFAULTS | there), (across, up)).predictions[-1, 0]
    expect(page.get_by_test_id("stPopoverBody").locator("tbody tr").first).to_contain_text(f"{corner:.0f}")


def test_an_aim_is_a_line_and_an_input_against_itself_is_refused(server, open_page):
    page = open_page(server)
    picture = opened(page)
    expect(page.get_by_text("The line is at")).to_have_count(0)
    page.get_by_label("Goal (gal)").fill("560")
    page.get_by_role("button", name="Find", exact=True).click()
    expect(page.get_by_role("button", name="Apply", exact=True).first).to_be_visible()
    expect(page.get_by_text("The line is at 560.")).to_be_visible()
    # On the line stand pixels of the text's colour.
    n_dark = page.evaluate("""() => {
      const canvas = document.querySelector(".wi-contour canvas");
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const wanted = getComputedStyle(document.querySelector("h1")).color.match(/\\d+/g).map(Number);
      let n = 0;
      for (let i = 0; i < data.length; i += 4) n += wanted.every((part, c) => data[i + c] === part);
      return n;
    }""")
    assert n_dark > 100
    other = page.get_by_role("combobox", name="Up").input_value()
    box = page.get_by_role("combobox", name="Across")
    box.click()
    box.fill(other)
    page.get_by_role("option", name=other).click()
    expect(page.get_by_text("Choose two different inputs.")).to_be_visible()
    expect(picture).to_have_count(0)
