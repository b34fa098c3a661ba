"""What is kept stays in the browser, in real Chromium: over reloads, servers, tabs, and whatever its storage holds."""

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from data.load import load_rows
from model.answering.prediction import predict
from tests.conftest import forget, running_server
from tests.retrain_page import Visitor, promote_a_line
from tests.test_decide_browser import keep, lines, names
from tests.test_slow_line import figures, slow_line
from tests.what_if_page import DEFAULTS, assert_page_agrees, choose, number, position, settles, slider, type_into

pytestmark = pytest.mark.browser
STORED = "Object.fromEntries(Object.entries(localStorage).filter(([key]) => key.startsWith('petrol.kept.')))"
SESSION = "window.petrolKept.session"
REFUSE = "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError') } })"
FULL = """Storage.prototype.setItem = ((set) => function (key, text) {
  if (key.startsWith("petrol.kept.")) throw new DOMException("full", "QuotaExceededError");
  return set.call(this, key, text);
})(Storage.prototype.setItem)"""


def rows(page):
    return page.locator(".st-key-app-tray_table tbody tr")


def stored(page):
    """What the browser stores, by the name of the scenario."""
    return {json.loads(text)["name"]: text for text in page.evaluate(STORED).values()}


def test_what_is_kept_and_moved_is_there_again_after_a_reload_and_with_another_server(
    window, usual_port, model, store_url, tmp_path
):
    """With another server the session is gone and the page is not, as with a laptop that slept; the browser is."""
    wyoming, page = figures(model, "WY"), window.new_page()
    page.set_viewport_size({"width": 1280, "height": 1000})
    with running_server(port=usual_port, log=tmp_path / "first") as url:
        page.goto(url)
        ann = Visitor(None, url)
        ann.page = page
        number(page).wait_for()
        keep(ann, "Base *case*")
        choose(page, "Wyoming")
        keep(ann, "Wyoming")
        before = lines(page)
        page.reload()
        ann.sees("2 scenarios restored from this browser.")
        expect(rows(page)).to_have_count(2)
        assert lines(page) == before
        page.get_by_role("link", name="Method").click()
        ann.sees("The fault that this app descends from")
        page.get_by_role("link", name="What if").click()
        number(page).wait_for()
        expect(rows(page)).to_have_count(2)
        type_into(page, "petrol_tax", "9")
        settles(page)
        of_first = page.evaluate(SESSION)
    slider(page, "driver_licence_share").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".wi")).to_have_class(re.compile("wi-moving"))
    with running_server(port=usual_port, log=tmp_path / "second"):
        page.wait_for_function(f"(first) => {SESSION} !== first", arg=of_first)
        share = position("driver_licence_share", wyoming["driver_licence_share"], -1)
        there = wyoming | {"petrol_tax": 9.0, "driver_licence_share": share}
        assert_page_agrees(page, predict(model, there), "WY", wyoming)
        ann.sees("2 scenarios restored from this browser.")
        expect(rows(page)).to_have_count(2)
        assert lines(page) == before
        page.get_by_role("button", name="Remove Wyoming").click()
        expect(rows(page)).to_have_count(1)
        page.reload()
        ann.sees("1 scenario restored from this browser.")
        assert names(page) == ["Base *case*"]
        assert list(stored(page)) == ["Base *case*"]
        page.close()
    forget(window, {urlsplit(url).netloc})
    assert "Traceback" not in (tmp_path / "second").read_text(encoding="utf-8")


def test_tabs_of_one_browser_keep_beside_each_other_and_lose_nothing(server, open_page):
    first, second = Visitor(open_page, server).goes_to("/"), Visitor(open_page, server).goes_to("/")
    keep(first, "One")
    second.sees("1 scenario kept in another tab.")
    keep(second, "Two")
    expect(rows(first.page)).to_have_count(2)
    first.page.get_by_text("Rename or move").click()
    first.presses("Move down")
    expect(rows(second.page).first).to_contain_text("Two")
    second.page.get_by_text("Rename or move").click()
    second.page.get_by_label("New name", exact=True).fill("Zwei")
    second.presses("Rename")
    expect(rows(second.page).filter(has_text="Zwei")).to_have_count(1)
    expect(rows(first.page).filter(has_text="Zwei")).to_have_count(1)
    first.page.get_by_role("link", name="Method").click()
    first.sees("The fault that this app descends from")
    gone, stays = names(second.page)
    second.page.get_by_role("button", name=f"Remove {gone}").click()
    expect(rows(second.page)).to_have_count(1)
    keep(second, "Three")
    first.page.get_by_role("link", name="What if").click()
    expect(rows(first.page)).to_have_count(2)
    expect(rows(first.page).last).to_contain_text("Three")  # and what was removed elsewhere does not come back
    assert sorted(names(first.page)) == sorted([stays, "Three"]) == sorted(stored(second.page))


def test_over_a_slow_line_a_tab_does_not_bring_back_what_another_has_removed(server, open_page):
    """Each server hears of a change late, and what it answers then is old."""
    with slow_line(server) as (address, delays):
        first, second = Visitor(open_page, address).goes_to("/"), Visitor(open_page, address).goes_to("/")
        for name in ("Ann", "Bob", "Cat"):
            keep(first, name)
        expect(rows(second.page)).to_have_count(3)
        first.page.get_by_text("Rename or move").click()
        delays[0] = 0.5
        first.presses("Move down")
        first.page.get_by_role("button", name="Remove Ann").click()
        expect(rows(first.page)).to_have_count(2)
        first.page.close()
        expect(rows(second.page)).to_have_count(2)
        keep(second, "Dan")  # after whatever was on its way
        assert names(second.page) == ["Bob", "Cat", "Dan"]
        assert sorted(stored(second.page)) == ["Bob", "Cat", "Dan"]
        delays[0] = 0.0
        second.page.close()


@pytest.mark.parametrize("refusal", [REFUSE, FULL], ids=["refused", "full"])
def test_a_browser_that_stores_nothing_is_said_and_scenarios_can_be_kept(server, open_page, refusal):
    page = open_page(server, init_script=refusal)
    ann = Visitor(open_page, server)
    ann.page = page
    keep(ann, "Base")
    expect(page.get_by_text("This browser does not let the page store what you keep")).to_be_visible()
    type_into(page, "petrol_tax", "9")
    settles(page)
    page.get_by_role("link", name="Method").click()
    ann.sees("The fault that this app descends from")
    page.get_by_role("link", name="What if").click()
    number(page).wait_for()
    expect(rows(page)).to_have_count(1)
    keep(ann, "More")
    expect(page.get_by_text("This browser does not let the page store what you keep")).to_be_visible()
    assert names(page) == ["Base", "More"]


def test_what_cannot_be_read_is_told_and_stays_until_it_is_removed(visitor, store_url, model):
    ann = visitor("/")
    keep(ann, "Base")
    promote_a_line(store_url, load_rows())
    good = json.loads(next(iter(ann.page.evaluate(STORED).values())))
    odd = {
        "a": "{broken",
        "b": json.dumps(good | {"petrol_tax": "<b>nine</b>"}),
        "c": json.dumps(good | {"start": "Atlantis"}),
        "d" * 99: json.dumps(good),
        "e": json.dumps(
            good | {"place": 1, "name": "**e** <img src=x onerror=alert(1)>", "version": 7, "prediction": 1e9}
        ),
        "f": "[" * 3000,
        "g": "1" * 9000,
        "h": "null",
    }
    ann.page.evaluate(
        "(odd) => Object.entries(odd).forEach(([id, text]) => localStorage.setItem(`petrol.kept.${id}`, text))", odd
    )
    ann.page.reload()
    ann.sees(
        "2 scenarios restored from this browser. Not known here or not usable: version 7. The active one answered."
    )
    ann.sees("7 scenarios that this browser stores cannot be read here. Nothing of it was removed.")
    first, second = lines(ann.page)
    said = f"{predict(model, DEFAULTS).value:.0f}"
    assert (first[0], first[1], first[5]) == ("Base", said, "version 1")  # as it was, though version 2 answers now
    assert (second[0], second[5]) == ("**e** <img src=x onerror=alert(1)>", "version 2")
    assert second[1] != "1000000000"
    assert len(ann.page.evaluate(STORED)) == 9
    assert json.loads(ann.page.evaluate("localStorage['petrol.kept.e']"))["version"] == 7  # for when it is there again
    ann.presses("Remove what cannot be read")
    ann.sees_no("cannot be read here")
    expect(rows(ann.page)).to_have_count(2)
    assert len(ann.page.evaluate(STORED)) == 2
