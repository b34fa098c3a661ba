"""To decide, in real Chromium: keep and compare scenarios, share a link, seek a goal, score a file."""

import csv
import io
import json
import re

import pytest
from playwright.sync_api import expect

from bench.kills import process_of
from data.schema import FEATURES, TARGET, row_name
from model.answering.change import agreement_in_words, amount_in_words, find_row, predict_change, start_figures
from model.answering.prediction import predict
from model.store import history
from model.store.database import Store
from tests.retrain_page import Visitor, answer, model_of, promote_a_line
from tests.stores import add_quick
from tests.what_if_page import DEFAULTS, choose, number, position, settles, slider, start, type_into

pytestmark = [pytest.mark.browser]


@pytest.fixture
def ann(server, open_page):
    """Bring somebody to the What-if page who may use the clipboard."""
    return arrive(open_page, server)


def arrive(open_page, server, address="/"):
    return Visitor(open_page, server).goes_to(address)


def keep(visitor, name):
    n = visitor.page.locator(".st-key-app-tray_table tbody tr").count()
    field = visitor.page.get_by_label("Name", exact=True)
    field.fill(name)
    visitor.presses("Keep this scenario")
    expect(visitor.page.locator(".st-key-app-tray_table tbody tr")).to_have_count(n + 1)
    expect(field).to_have_value("")


def lines(page):
    """The cells of the tray's table, but for the picture and the buttons."""
    rows = [
        row.locator("td:not(.kept-tool)").all_inner_texts()
        for row in page.locator(".st-key-app-tray_table tbody tr").all()
    ]
    return [[text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{WORD JOINER}", "") for text in row] for row in rows]


def names(page):
    return [cells[0] for cells in lines(page)]


def copied(visitor):
    visitor.presses("Copy link")
    visitor.sees("Link copied")
    return visitor.page.evaluate("navigator.clipboard.readText()")


def downloaded(visitor, name):
    with visitor.page.expect_download() as download:
        visitor.presses(name)
    return download.value.suggested_filename, download.value.path().read_bytes()


def test_scenarios_are_kept_changed_and_shown_again_and_nobody_else_sees_them(ann, server, open_page, model):
    page = ann.page
    keep(ann, "Base *case*")
    choose(page, "Wyoming")
    keep(ann, "")
    keep(ann, "Base *case*")
    wyoming = model.rows.set_index("state").loc["WY", list(DEFAULTS)].to_dict()
    first, second, third = lines(page)
    said = predict(model, DEFAULTS)
    assert first == [
        "Base *case*", f"{said.value:.0f}", f"{said.low:.0f} – {said.high:.0f} (90 %)", "Typical state", "none",
        *(column.text(column.default) for column in FEATURES),
        f"{row_name(said.nearest[0].name)}, {said.nearest[0].distance:.1f} s.d.",
    ]  # fmt: skip
    assert second[0] == "Scenario 2"
    assert second[1] == answer(model, **wyoming)
    assert second[3:5] == ["Wyoming", "none"]
    assert second[9] == "Wyoming, 0.0 s.d."
    assert third[0] == "Base *case* (2)"

    ann.page.get_by_text("Rename or move").click()
    ann.presses("Move down")
    expect(page.locator(".st-key-app-tray_table tbody tr").nth(1)).to_contain_text("Base *case*")
    assert names(page) == ["Scenario 2", "Base *case*", "Base *case* (2)"]
    page.get_by_label("New name", exact=True).fill("=1+1 :red[x] <b> www.a.org a@b.org")
    ann.presses("Rename")
    expect(page.locator(".st-key-app-tray_table tbody tr").nth(1)).to_contain_text("=1+1")
    assert names(page)[1] == "=1+1 :red[x] <b> www.a.org a@b.org"
    expect(page.locator(".st-key-app-tray_table a")).to_have_count(0)
    page.get_by_role("button", name="Show =1+1").click()
    expect(number(page)).to_have_text(f"{said.value:.0f}")
    assert float(slider(page, "petrol_tax").input_value()) == DEFAULTS["petrol_tax"]
    dots = page.locator(".kept-dot").evaluate_all("dots => dots.map((dot) => Number(dot.getAttribute('cx')))")
    values = [int(cells[1]) for cells in lines(page)]
    assert sorted(range(3), key=dots.__getitem__) == sorted(range(3), key=values.__getitem__)  # on one scale
    page.get_by_role("button", name="Remove =1+1").click()
    expect(page.locator(".st-key-app-tray_table tbody tr")).to_have_count(2)
    assert names(page) == ["Scenario 2", "Base *case* (2)"]

    bob = open_page(server, locale="en")  # in a browser of his own
    expect(bob.get_by_text("Nothing is kept yet.")).to_be_visible()
    assert lines(bob) == []


def test_two_scenarios_are_compared_with_why_the_prediction_moves(ann, model):
    page = ann.page
    keep(ann, "Before")
    choose(page, "Wyoming")
    keep(ann, "After")
    wyoming = model.rows.set_index("state").loc["WY", list(DEFAULTS)].to_dict()
    moved = predict_change(model, DEFAULTS, wyoming)
    ends = f"(90 %: {amount_in_words(moved.low)} to {amount_in_words(moved.high)})"
    ann.sees(f"The sliders now: {amount_in_words(moved.value)} than Before {ends}")
    ann.sees(agreement_in_words(moved))
    reasons = page.locator(".reasons")
    expect(reasons.locator("h3")).to_have_text(f"Why {moved.prediction:.0f} and not {answer(model)}")
    figures = [int(text.replace("−", "-")) for text in reasons.locator("b").all_inner_texts()]
    assert figures == [round(moved.reasons.contributions[column.name]) for column in FEATURES]
    assert sum(figures) == pytest.approx(moved.value, abs=2)
    side = page.locator(".closest")
    expect(side.locator("tr").nth(1)).to_contain_text(f"{answer(model)}{moved.prediction:.0f}", use_inner_text=False)
    expect(side).to_contain_text(f"Licensed drivers{FEATURES[3].text_with_unit(FEATURES[3].default)}67.2 %")
    type_into(page, "petrol_tax", "9")
    again = predict_change(model, DEFAULTS, wyoming | {"petrol_tax": 9.0})
    ann.sees(f"The sliders now: {amount_in_words(again.value)} than Before")
    ann.chooses("To", "After")
    ann.sees(f"After: {amount_in_words(moved.value)} than Before {ends}")


def test_scenarios_are_downloaded_and_loaded_and_a_bad_file_loses_nothing(ann, model):
    page = ann.page
    choose(page, "Ohio")
    type_into(page, "petrol_tax", "9")
    settles(page)
    keep(ann, "=1 Ä")
    page.get_by_text("Download or load").click()
    name, table = downloaded(ann, "Download CSV")
    assert (name, "=1 Ä" in table.decode("utf-8-sig")) == ("scenarios.csv", True)
    (record,) = json.loads(listed := downloaded(ann, "Download JSON")[1])
    ohio = start_figures(model, find_row(model, "OH"))[0]
    moved = predict_change(model, ohio, ohio | {"petrol_tax": 9.0})
    assert (record["name"], record["start"], record["prediction"]) == ("=1 Ä", "OH", moved.prediction)
    assert [record[f"change{end}"] for end in ("", "_low", "_high")] == [moved.value, moved.low, moved.high]
    assert lines(page)[0][3:5] == ["Ohio", f"−46 ({moved.low:+.0f} to {moved.high:+.0f})".replace("-", "−")]

    name, report = downloaded(ann, "Report of all")
    assert (name, report[:15]) == ("scenarios.html", b"<!doctype html>")
    assert f"−46\u00a0({moved.low:+.0f}".replace("-", "−") in report.decode()

    for content, file, n in ((table, "a.csv", 2), (listed, "b.json", 3)):
        ann.uploads(content, file)
        ann.sees("1 scenario loaded.")
        expect(page.locator(".st-key-app-tray_table tbody tr")).to_have_count(n)
        expect(page.get_by_test_id("stFileUploaderFile")).to_have_count(0)  # the field takes the next one
    assert names(page) == ["=1 Ä", "=1 Ä (2)", "=1 Ä (3)"]
    assert len({tuple(cells[1:]) for cells in lines(page)}) == 1

    ann.uploads(json.dumps([record, record | {"petrol_tax": 99}]).encode(), "<b>.json")
    ann.sees("<b>.json was not loaded:")
    ann.sees("scenario 2, petrol_tax: 99 is not possible. Give a number from 0 to 50 cents per gallon.")
    expect(page.locator(".st-key-app-tray_table tbody tr")).to_have_count(3)
    ann.uploads(json.dumps([record | {"start": "Atlantis"}]).encode(), "d.json")
    ann.sees("scenario 1, start: 'Atlantis' is no state that is known. Name one of the model's 48 states")
    ann.uploads(json.dumps([record | {"version": 77}]).encode(), "c.json")
    ann.sees("Not known here or not usable: version 77.")


def test_what_is_pressed_in_the_same_instant_hits_what_was_meant(ann):
    page = ann.page
    for name in "ABC":
        keep(ann, name)
    page.set_viewport_size({"width": 1280, "height": 3000})  # an open list closes when anything scrolls or moves
    page.get_by_text("Rename or move").click()
    page.get_by_role("button", name="Rename").hover()  # which waits until it stays where it is
    ann.chooses("Scenario", "C")
    page.evaluate("""() => {
        const button = (name) => [...document.querySelectorAll("button")].find((one) => one.innerText.trim() === name);
        document.querySelector("[aria-label='Remove C']").click();
        for (const name of ["Rename", "Move up"]) button(name).click();
    }""")
    expect(page.locator(".st-key-app-tray_table tbody tr")).to_have_count(2)
    assert names(page) == ["A", "B"]
    expect(page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_a_scenario_is_kept_as_the_sliders_are_however_quickly_or_slowly_the_server_answers(visitor, model):
    ann = visitor("/")
    server, slid = process_of(ann.page.url), slider(ann.page, "petrol_tax")
    for n_moves, suspends_after in ((3, None), (4, 0), (5, 1)):
        moved = position("petrol_tax", DEFAULTS["petrol_tax"], n_moves)
        if n_kept := len(lines(ann.page)):
            ann.presses("Back to the typical state")
            expect(number(ann.page)).to_have_text(answer(model))
            expect(ann.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        slid.focus()
        try:
            for move in range(n_moves):
                if move == suspends_after:
                    server.suspend()  # it hears of what follows all at once, and the page has none of its answers
                ann.page.keyboard.press("ArrowRight")
            ann.page.get_by_label("Name", exact=True).fill(f"Kept {n_kept}")
            ann.presses("Keep this scenario")
        finally:
            server.resume()
        expect(ann.page.locator(".st-key-app-tray_table tbody tr")).to_have_count(n_kept + 1)
        name, value, _, _, _, tax, *_ = lines(ann.page)[-1]
        assert (name, value) == (f"Kept {n_kept}", answer(model, petrol_tax=moved))
        assert tax == FEATURES[0].text(moved)
        expect(slid).to_have_value(f"{moved:g}")


def test_a_link_brings_back_everything_for_another_visitor(ann, server, open_page, model):
    page = ann.page
    choose(page, "Ohio")
    page.get_by_test_id("level").select_option("0.8")
    settles(page)
    link = copied(ann)
    assert link.startswith(server)
    assert all(f"{name}=" in link for name in (*DEFAULTS, "version", "coverage", "from"))
    bob = arrive(open_page, server, link.removeprefix(server))
    expect(number(bob.page)).to_have_text(number(page).inner_text())
    expect(bob.page.get_by_test_id("level")).to_have_value("0.8")
    expect(start(bob.page)).to_have_value("OH")
    bob.sees_no("The link was made with")


def test_where_no_script_may_write_to_the_clipboard_the_link_is_shown(server, open_page):
    page = open_page(server, init_script="Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.get_by_role("button", name="Copy link").click()
    field = page.get_by_label("Link to this scenario")
    values = "&".join(f"{name}={value:.10g}" for name, value in DEFAULTS.items())
    expect(field).to_have_value(re.compile(re.escape(f"version=1&coverage=90+%25&{values}")))
    assert page.evaluate("getSelection().toString() || document.activeElement.value") == field.input_value()


def test_a_version_that_is_not_known_is_said_until_the_sliders_move(server, open_page, model):
    page = open_page(f"{server}/?petrol_tax=8&version=999")
    note = page.get_by_text("The link was made with version 999, which is not known here or cannot be used.")
    expect(note).to_contain_text(f"Version 1 says {answer(model, petrol_tax=8)}.")
    slider(page, "petrol_tax").focus()
    page.keyboard.press("ArrowRight")
    expect(note).to_have_count(0)
    assert "version" not in page.url


@pytest.mark.slow
def test_a_level_that_the_next_model_cannot_have_gives_way(visitor, store_url, rows):
    """With twelve rows no interval can hold 95 % and be checked."""
    ann, store = visitor("/"), Store(store_url)
    ann.page.get_by_test_id("level").select_option("0.95")
    settles(ann.page)
    for name in "AB":
        keep(ann, name)
    history.promote(store, add_quick(store, rows.head(12)), "a test", "few rows")
    ann.presses("Find")
    ann.sees("Version 2: ridge is now active.")
    expect(ann.page.get_by_test_id("level")).to_have_value("0.9")
    side_by_side = ann.page.locator(".closest").filter(has_text="(90 %)")
    expect(side_by_side).to_have_count(1)  # while a page is drawn anew, the former one's can still be there
    keep(ann, "C")
    assert [cells[2][-6:] for cells in lines(ann.page)] == ["(95 %)", "(95 %)", "(90 %)"]
    expect(ann.page.get_by_test_id("stException")).to_have_count(0)


@pytest.mark.slow
def test_after_a_promotion_links_and_kept_scenarios_say_then_and_now(visitor, store_url, rows, model):
    ann = visitor("/")
    keep(ann, "Base")
    link = "/?petrol_tax=8.5&version=1"
    promote_a_line(store_url, rows)
    line = model_of(store_url, 2)
    slider(ann.page, "petrol_tax").focus()
    ann.page.keyboard.press("ArrowRight")
    ann.sees("Version 2: least squares is now active.")
    expect(ann.page.locator(".st-key-app-tray_table th")).to_contain_text(["Now, version 2"])
    (cells,) = lines(ann.page)
    assert [cells[1], *cells[5:7]] == [answer(model), "version 1", answer(line)]
    ann.page.get_by_text("Download or load").click()
    ann.uploads(json.dumps([{"name": "Old", "version": 1, **DEFAULTS}]).encode(), "old.json")
    ann.sees("1 scenario loaded.")
    expect(ann.page.locator(".st-key-app-tray_table tbody tr")).to_have_count(2)
    old = lines(ann.page)[1]
    assert [old[0], old[1], *old[5:7]] == ["Old", answer(model), "version 1", answer(line)]
    page = visitor(link).page
    said = f"The link was made with version 1, which said {answer(model, petrol_tax=8.5)}. "
    told = page.get_by_test_id("stAlert").filter(has_text="The link was made")
    expect(told).to_contain_text(f"{said}Version 2 says {answer(line, petrol_tax=8.5)}.")


def test_a_file_with_good_and_bad_rows_comes_back_whole(server, open_page, model):
    ann = arrive(open_page, server, "/score")
    header = "Name;Petrol_tax;income;Paved_Highways;licence"
    content = f"{header}\n=a;7,5;4300;4700;0,565\nb;x;4300;4700;0,565\nc;9;3571;1976;0,525".encode()
    ann.uploads(content, "mine.csv")
    ann.sees("2 of 3 rows scored")
    ann.sees('row 3: petrol_tax: "x" is not a number.')
    name, scored = downloaded(ann, "Download with predictions")
    assert name == "mine-scored.csv"
    head, *body = csv.reader(io.StringIO(scored.decode()), delimiter=";")
    table = [dict(zip(head, row, strict=True)) for row in body]
    assert [row["Name"] for row in table] == ["'=a", "b", "c"]
    typical, maine = (
        dict(zip(DEFAULTS, values, strict=True)) for values in ((7.5, 4300, 4700, 0.565), (9, 3571, 1976, 0.525))
    )
    for row, values in ((table[0], typical), (table[2], maine)):
        assert float(row["prediction"].replace(",", ".")) == pytest.approx(predict(model, values).value, abs=0.005)
    assert (table[1]["prediction"], table[1]["problem"][:15]) == ("", 'petrol_tax: "x"')
    ann.page.get_by_text("80 %", exact=True).click()
    ann.sees("the intervals at 80 %")
    again = csv.DictReader(io.StringIO(downloaded(ann, "Download with predictions")[1].decode()), delimiter=";")
    assert float(next(again)["low"].replace(",", ".")) == pytest.approx(predict(model, typical, 0.8).low, abs=0.005)
    ann.uploads(b"a,b\n1,2\n", "other.csv")
    ann.sees("other.csv was not scored.")
    ann.sees("columns petrol_tax, average_income, paved_highways")
    ann.sees_no("rows scored")
    ann.page.get_by_test_id("stFileUploader").get_by_role(
        "button", name=re.compile("Remove|Delete|Clear")
    ).first.click()
    ann.sees_no("was not scored")


def test_why_not_the_average_is_asked_for_when_it_is_opened_and_follows_from_then_on(ann, model):
    page, against = ann.page, ann.page.locator(".wi-average")
    settles(page)
    expect(against.locator("h2")).to_be_hidden()
    against.locator("summary").click()
    for tax in (DEFAULTS["petrol_tax"], 9.0):
        if tax != DEFAULTS["petrol_tax"]:
            type_into(page, "petrol_tax", f"{tax}")
        reasons = predict(model, DEFAULTS | {"petrol_tax": tax}, with_reasons=True)
        title = f"Why {reasons.value:.0f} and not the average {reasons.reasons.base:.0f}"
        expect(against.locator("h2")).to_have_text(title)
        shown = [TARGET.estimate(value, "+").replace("-", "−") for value in reasons.reasons.contributions.values()]
        expect(against.locator("li > b")).to_have_text(shown)
    expect(against.locator("p").first).to_contain_text("Exact Shapley contributions, gallons per person per year.")
