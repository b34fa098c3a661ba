"""To find, in real Chromium: ways to a goal, applied and kept, within ranges that are typed."""

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.change import amount_in_words
from model.answering.find import find
from model.answering.question import read_question
from tests.retrain_page import Visitor, answer
from tests.what_if_page import DEFAULTS, number, slider

pytestmark = [pytest.mark.browser]


@pytest.fixture
def ann(server, open_page):
    return Visitor(open_page, server).goes_to("/")


def test_ways_to_a_goal_are_found_applied_and_kept(ann, model):
    page, now = ann.page, int(answer(model))
    goal, side = (now - 50, "less") if now > model.y.mean() else (now + 50, "more")  # the sliders can reach it
    ann.types("Goal (gal)", f"{goal}")
    page.locator(".st-key-app-find_held").get_by_text("Petrol tax").click()
    ann.presses("Find")
    found = find(model, read_question(model, DEFAULTS, "reach", goal, fixed=["petrol_tax"]))
    first, last = found.answers[0], found.answers[-1]
    ann.sees(f"{goal} or {side}")
    card, apply = page.locator(".st-key-app-find"), page.get_by_role("button", name="Apply", exact=True)
    expect(apply).to_have_count(len(found.answers))
    for each in found.answers:
        moved = each.change
        expect(card).to_contain_text(
            f"About {each.prediction.value:.0f} gallons per person per year, {amount_in_words(moved.value)} than where "
            f"the sliders were (90\u00a0%: {amount_in_words(moved.low)} to {amount_in_words(moved.high)}). "
            f"{each.share * 100:.0f} of 100 refits reach it. Cost {each.cost:.2f} standard deviations."
        )
    assert number(page).inner_text() == answer(model)
    page.get_by_role("button", name="Keep", exact=True).last.click()
    expect(page.locator(".st-key-app-tray_table tbody tr")).to_contain_text([f"{goal} or {side}: {len(found.answers)}"])
    apply.first.click()
    expect(number(page)).to_have_text(f"{first.prediction.value:.0f}")
    for name, value in first.prediction.scenario.items():
        assert float(slider(page, name).input_value()) == pytest.approx(value)
    assert last.prediction.scenario["petrol_tax"] == DEFAULTS["petrol_tax"]
    slider(page, "petrol_tax").press("ArrowRight")  # what was found was of another start, and would take the tax back
    ann.sees("The sliders were moved after this was found. Search again from where they are.")
    expect(apply).to_have_count(0)
    slider(page, "petrol_tax").press("ArrowLeft")
    ann.sees(f"{goal} or {side}")

    ann.types("Goal (gal)", "-5")
    ann.presses("Find")
    ann.sees("goal: '-5' cannot be used. Give a number from 1 to 5,000 gallons per person per year.")
    ann.types("Goal (gal)", "300")
    ann.presses("Find")
    ann.sees("No way to 300 or less was found")
    ann.chooses("Aim", "As high as possible")
    page.get_by_text("Be 80 % sure").click()
    ann.presses("Find")
    ann.sees("As high as possible")
    highest = find(model, read_question(model, first.prediction.scenario, "highest", fixed=["petrol_tax"], share=0.8))
    expect(card).to_contain_text(f"About {highest.answers[0].prediction.value:.0f} gallons per person per year")
    for column in FEATURES[1:]:
        page.locator(".st-key-app-find_held").get_by_text(column.label).click()
    ann.presses("Find")
    ann.sees("Every input is kept fixed, so nothing can change. Let at least one move.")


def test_a_range_that_is_typed_is_kept_to_and_a_bad_one_is_told(ann, model):
    page = ann.page
    page.get_by_text("Ranges, steps and costs").click()
    editor = page.get_by_test_id("stDataFrame").last
    editor.scroll_into_view_if_needed()

    def types_in(column, text):  # in the first row: the petrol tax
        cell = editor.locator("[role=row][aria-rowindex='2'] [role=gridcell]").nth(column + 1)
        expect(cell).not_to_be_empty()
        place = {"x": editor.bounding_box()["width"] * (0.25 + 0.2 * column), "y": 52}
        editor.hover(position=place)  # which may scroll
        editor.click(position=place)
        expect(cell).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        field = page.locator("textarea.gdg-input")
        field.fill(text)
        field.press("Enter")
        expect(cell).to_have_text(text)

    types_in(0, "8")
    types_in(2, "0.5")
    ann.types("Goal (gal)", "560")
    ann.presses("Find")
    ranges = {"petrol_tax": {"low": 8.0, "step": 0.5}}
    found = find(model, read_question(model, DEFAULTS, "reach", 560, ranges=ranges))
    for each in found.answers:
        expect(page.locator(".st-key-app-find")).to_contain_text(f"Cost {each.cost:.2f} standard deviations.")
    types_in(0, "12")
    ann.presses("Find")
    ann.sees("petrol_tax, low: '12' cannot be used. Give a number from 5 to 10 cents per gallon.")
