"""Two versions at once, in real Chromium: from Retrain to What if, and under the thumb; nothing is promoted by it."""

import re

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.prediction import predict
from model.store import history
from model.store.database import Store
from tests.retrain_page import Visitor, answer, model_of
from tests.stores import add_quick
from tests.what_if_page import DEFAULTS, number, settles, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_candidate_is_seen_under_the_active_version_and_follows_the_thumb(visitor, store_url, model, rows):
    candidate = add_quick(Store(store_url), rows, "least_squares")
    ann = visitor(f"/retrain?candidate={candidate}")
    ann.page.get_by_role("link", name="See it on What if, beside the active one").click()
    page, line = ann.page, model_of(store_url, candidate)
    told = page.get_by_test_id("live-beside")
    now = predict(line, DEFAULTS)
    expect(told).to_have_text(f"Version {candidate} (least squares) says {now.value:.0f}.")
    expect(number(page)).to_have_text(answer(model))  # the active one answers as before
    expect(page).to_have_url(re.compile(rf"beside={candidate}"))
    expect(page.locator("path.wi-beside")).to_have_count(len(FEATURES))

    tax = slider(page, "petrol_tax")
    box = tax.bounding_box()
    column = FEATURES[0]
    step = len(column.grid) * 8 // 10
    at = [box["x"] + 12 + (box["width"] - 24) * share for share in (
        (DEFAULTS[column.name] - column.low) / (column.high - column.low), step / (len(column.grid) - 1))]  # fmt: skip
    page.mouse.move(at[0], box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(at[1], box["y"] + box["height"] / 2)
    held = now.curves[column.name][step]
    expect(told).to_contain_text(f"says {held:.0f}, {abs(held - now.value):.0f} less than the typical state")
    page.mouse.up()
    settles(page)
    there = DEFAULTS | {column.name: column.grid[step]}
    expect(told).to_contain_text(f"says {predict(line, there).value:.0f}, ")
    expect(number(page)).to_have_text(f"{predict(model, there).value:.0f}")
    expect(page).to_have_url(re.compile(rf"beside={candidate}.*petrol_tax|petrol_tax.*beside={candidate}"))

    page.reload()
    expect(told).to_contain_text(f"says {predict(line, there).value:.0f}, ")
    ann.presses("Another version beside")
    ann.chooses("Version", "None")
    expect(told).to_have_text("")
    expect(page.locator("path.wi-beside")).to_have_count(0)
    expect(page).not_to_have_url(re.compile("beside="))
    assert [one.version_id for one in history.list_promotions(Store(store_url))] == [1]


def test_a_version_that_is_not_known_is_told_and_nothing_else_changes(server, open_page, model):
    ann = Visitor(open_page, server).goes_to("/?beside=99")
    ann.sees("Version 99 is not known here or cannot be used, so nothing is shown beside the active one.")
    expect(ann.number).to_have_text(answer(model))
