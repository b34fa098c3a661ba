"""Another table, from a file to every page: what is drafted from it is what the server trains and serves."""

import json
import os
import re
import subprocess
import sys
from urllib.parse import urlencode

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests import drafted
from tests.conftest import ROOT, running_server
from tests.retrain_page import Visitor, candidate_of
from tests.test_api import ask
from tests.test_report import download_report

PAGES = ("", "explore", "retrain", "models", "score", "method")
VIEWS = ("Columns", "All pairs", "Influential {rows}", "What matters", "About the data")
SCENARIO = {"rain": 520, "sort": "Fuji, late", "watered": "yes", "age": 23}  # of the orchards
OURS = re.compile(r"petrol(?!_)|gallon|\bstates?\b|highway", re.IGNORECASE)
ABSURD = re.compile(r"\bNaN\b|\bundefined\b|\bnan\b|\d[mµ]\b|(?<![\w.])\d{7,}(?!\w)|\.\d{9}|[( ]\.$|Traceback")


@pytest.fixture(scope="module")
def orchards(tmp_path_factory):
    """Return the folder of a table with two categories and a target between 0 and 1."""
    return drafted.draft_orchards(tmp_path_factory.mktemp("own"))


def command(table, *arguments, **environment):
    """Run a command on a table."""
    environment = os.environ | {"PETROL_TABLE": str(table)} | environment
    whole = [sys.executable, "-m", "model", *arguments]
    return subprocess.run(whole, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def settle(page):
    """Wait until a page is drawn."""
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.locator("[data-testid=stSkeleton], [data-stale=true]")).to_have_count(0)
    expect(page.get_by_test_id("stStatusWidget")).to_have_count(0)


def require_sound(page, where):
    """Nothing on a page is an error, a word of the shipped table or an absurd figure."""
    settle(page)
    assert page.get_by_test_id("stException").count() == page.get_by_test_id("stAlert").count() == 0, where
    if where != "method":  # a document about the petrol table
        text = page.inner_text("body")
        assert OURS.findall(text) == [], where
        assert ABSURD.findall(text) == [], where


def visit_pages(page, url, rows):
    """Look at every page, and at every view of Explore."""
    for name in PAGES:
        page.goto(f"{url}/{name}")
        require_sound(page, name)
    for view in VIEWS:
        page.goto(f"{url}/explore?{urlencode({'view': view.format(rows=rows)})}")
        require_sound(page, view)


def retrain_and_promote(page, url):
    """Train a line on the page, promote it, and come back when it answers."""
    somebody = Visitor(None, url)
    somebody.page = page
    page.goto(f"{url}/retrain")
    require_sound(page, "retrain")
    somebody.chooses("Algorithm", "Least squares")
    somebody.presses("Retrain")
    number = candidate_of(page)
    require_sound(page, "candidate")
    somebody.promotes(number, "To try", agrees=page.get_by_text("I have seen that").count() > 0)
    somebody.sees(f"Version {number}: least squares is now active.")


def score(page, url, content, n_rows):
    """Have a file scored, and return what is downloaded."""
    page.goto(f"{url}/score")
    require_sound(page, "score")
    page.locator("input[type=file]").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    button = page.get_by_role("button", name="Download with predictions")
    expect(button).to_be_visible(timeout=30_000)
    expect(page.get_by_text(re.compile(rf"\b{n_rows}\b")).first).to_be_visible()
    assert page.get_by_test_id("stException").count() == 0
    with page.expect_download() as download:
        button.click()
    return pd.read_csv(download.value.path())


def require_shown(page, url, scenario):
    """The page of the orchards says of a scenario what the API says; return that."""
    status, _, answer = ask(f"{url}/api/predict", scenario)
    assert status == 200, answer
    assert 0 < answer["low"] < answer["value"] < answer["high"] < 1.2
    expect(page.get_by_test_id("live-prediction")).to_have_text(f"{answer['value']:.3f}")
    expect(page.get_by_test_id("live-low")).to_have_text(f"{answer['low']:.3f}")
    return answer


def choose_and_follow_links(page, url, window, folder):
    """Choices are made by a segment and a list, stand in the address by their labels, and are refused by them."""
    page.goto(f"{url}/?{urlencode(SCENARIO)}")
    require_sound(page, "")
    assert require_shown(page, url, SCENARIO)["scenario"] == SCENARIO
    page.get_by_role("radio", name="no", exact=True).check()
    require_shown(page, url, SCENARIO | {"watered": "no"})
    page.get_by_role("combobox", name="Sort", exact=True).select_option("Elstar")
    require_shown(page, url, SCENARIO | {"watered": "no", "sort": "Elstar"})
    expect(page).to_have_url(re.compile(r"sort=Elstar"))
    expect(page.get_by_role("button", name=re.compile("^Sort back to"))).to_contain_text("→ Elstar")
    assert "Elstar" in download_report(page, window, folder)
    page.goto(f"{url}/?watered=perhaps")
    expect(page.get_by_test_id("stAlert")).to_have_text(
        "Watered: the link asks for perhaps, which is none of the choices. Give one of 'no', 'yes'."
    )
    assert ask(f"{url}/api/predict", SCENARIO | {"watered": 1})[0] == 422
    status, _, refusal = ask(f"{url}/api/predict", SCENARIO | {"watered": "perhaps"})
    assert (status, refusal["problems"][0]["cure"]) == (422, "Give one of 'no', 'yes'.")


def find_a_way(page, url):
    """With one choice that is not allowed, what is found on the page is what the API finds."""
    page.goto(f"{url}/?{urlencode(SCENARIO | {'watered': 'no'})}")
    settle(page)
    page.get_by_text("Ranges, steps and costs").click()
    page.get_by_role("button", name="Remove Elstar").click()
    page.get_by_label("Goal", exact=True).fill("0.7")
    page.get_by_role("button", name="Find", exact=True).click()
    choices = [label for label in drafted.SORTS if label != "Elstar"]
    asked = {
        "from": SCENARIO | {"watered": "no"},
        "aim": "reach",
        "goal": 0.7,
        "ranges": {"sort": {"choices": choices}},
    }
    status, _, found = ask(f"{url}/api/find", asked)
    assert status == 200, found
    assert all(one["scenario"]["sort"] != "Elstar" for one in found["answers"])
    card = page.locator(".st-key-app-find")
    for one in found["answers"]:
        expect(card).to_contain_text(f"About {one['value']:.3f}")
        expect(card).to_contain_text(f"Cost {one['cost']:.2f}")
    page.get_by_role("button", name="Apply", exact=True).first.click()
    expect(page.get_by_test_id("live-prediction")).to_have_text(f"{found['answers'][0]['value']:.3f}")


def click_on_two_at_once(page):
    """A category has its choices along a side of the picture, and a click chooses one."""
    page.get_by_text("Two inputs at once").click()
    picture = page.locator(".wi-contour svg")
    expect(picture.locator(".wi-real")).to_have_count(60)
    for label, choice in (("Across", "Sort"), ("Up", "Age")):
        box = page.get_by_role("combobox", name=label, exact=True)
        box.click()
        box.fill(choice)
        page.get_by_role("option", name=choice).click()
    label = picture.get_by_text("Discovery")
    expect(label).to_be_visible()
    label.scroll_into_view_if_needed()
    box = label.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] - 200)
    expect(page).to_have_url(re.compile(r"sort=Discovery"))


def held_against(page, url, other, rows):
    """The page says of rows with their target what the API says, and holds the first version against the active one."""
    n_known = int((other["watered"] == rows["watered"].head(len(other))).sum())
    sent = other.drop(columns="orchard").to_dict("records")
    status, _, answer = ask(f"{url}/api/validate", {"rows": sent, "beside": 1})
    assert status == 200, answer
    assert (answer["n_known"], answer["n_rows"]) == (n_known, len(other) - n_known)
    expect(page.get_by_role("heading", name="How well it does on these rows")).to_be_visible()
    miss = f"{answer['mae']['value']:.4f} ± {answer['mae']['standard_error']:.4f}"
    expect(page.get_by_text(miss, exact=True)).to_be_visible()
    visitor = Visitor(None, url)
    visitor.page = page
    visitor.chooses("Beside it", "Version 1 (random forest)")
    expect(page.get_by_text(f"{answer['beside']['mae']['value']:.4f} ±")).to_be_visible()
    expect(page.get_by_text("On these rows it misses by")).to_contain_text("Version 1 (random forest)")
    assert page.get_by_test_id("stException").count() == 0
    assert ask(f"{url}/api/validate", {"rows": [sent[0] | {"good_share": "0.5"}]})[0] == 422
    assert ask(f"{url}/api/validate", {"rows": sent, "beside": 99})[0] == 422
    assert ask(f"{url}/api/validate", {"rows": sent, "besides": 1})[0] == 422


@pytest.mark.slow
@pytest.mark.browser
def test_a_table_with_categories_is_trained_at_the_start_and_served_on_every_page(orchards, window, tmp_path):
    log = tmp_path / "log"
    with running_server(log=log, PETROL_TABLE=str(orchards), PETROL_STORE_URL="") as url:
        assert f"{orchards} has no model yet. Training one." in log.read_text()
        assert "70/70 fits" in log.read_text() or "120/120 fits" in log.read_text()
        page = window.new_page()
        for name in PAGES[2:]:  # the others on the way
            page.goto(f"{url}/{name}")
            require_sound(page, name)
        choose_and_follow_links(page, url, window, tmp_path)
        rows = pd.read_csv(orchards / "rows.csv")
        page.goto(f"{url}/explore?view=All+pairs&between=watered:yes&between=sort:Cox")
        require_sound(page, "explore")
        n_both = int(((rows["watered"] == "yes") & (rows["sort"] == "Cox")).sum())
        expect(page.get_by_text(f"{n_both} of 60 orchards", exact=True)).to_be_visible()
        find_a_way(page, url)
        click_on_two_at_once(page)
        page.close()
        answer = ask(f"{url}/api/predict", SCENARIO)[2]
    told = command(orchards, "predict", "--sort", "fuji, LATE", "--watered", "yes", "--rain", "520", "--age", "23",
                   "--json", PETROL_STORE_URL="")  # fmt: skip
    assert json.loads(told.stdout)["value"] == pytest.approx(answer["value"])
    refused = command(orchards, "predict", "--sort", "Golden", PETROL_STORE_URL="")
    assert refused.returncode == 2
    assert "sort: 'Golden' is none of the choices. Give one of '=Gala', 'Alkmene'," in refused.stderr
    assert {path.name for path in orchards.iterdir()} >= {"model.joblib", "model.json", "model.npz", "store.db"}
    swapped = (orchards / "table.toml").read_text().replace('"no",', '"never",')
    (orchards / "table.toml").write_text(swapped.replace('default = "no"', 'default = "never"'))
    refused = command(orchards, "list", PETROL_STORE_URL="")
    assert f"The store {orchards}/store.db has orchard, rain, sort (=Gala, Alkmene" in refused.stderr


@pytest.mark.soak
@pytest.mark.browser
def test_a_line_for_a_table_with_categories_is_promoted_scores_a_file_and_is_held_against_the_first(window, tmp_path):
    table = drafted.draft_orchards(tmp_path)
    assert command(table, "train", "--n_estimators", "20").returncode == 0
    rows = pd.read_csv(table / "rows.csv")
    with running_server(log=tmp_path / "log", PETROL_TABLE=str(table), PETROL_STORE_URL="") as url:
        page = window.new_page()
        retrain_and_promote(page, url)
        page.goto(f"{url}/?{urlencode(SCENARIO)}&beside=1")
        require_shown(page, url, SCENARIO)
        expect(page.get_by_test_id("live-beside")).to_contain_text("Version 1 (random forest) says 0.")
        expect(page.locator("circle.wi-beside")).to_have_count(9)  # a dot for each choice
        expect(page.locator("path.wi-beside")).to_have_count(2)
        other = rows.head(30).assign(watered="no")
        scored = score(page, url, other.assign(watered="NO").to_csv(index=False).encode(), 30)
        held_against(page, url, other, rows)
        assert scored["watered"].tolist() == ["NO"] * 30
        _, _, first = ask(f"{url}/api/predict", rows.iloc[0][list(SCENARIO)].to_dict() | {"watered": "no"})
        assert scored["prediction"][0] == pytest.approx(first["value"], abs=0.006)
        page.close()
    assert "*     2  least squares" in command(table, "list", PETROL_STORE_URL="").stdout


@pytest.mark.soak
@pytest.mark.browser
def test_a_table_of_ten_inputs_shows_six_and_folds_the_rest(window, tmp_path):
    table = drafted.draft_diabetes(tmp_path)
    assert command(table, "train", "--n_estimators", "20").returncode == 0  # so that the start need not
    with running_server(log=tmp_path / "log", PETROL_TABLE=str(table), PETROL_STORE_URL="") as url:
        page = window.new_page()
        visit_pages(page, url, "rows")
        page.goto(url)
        settle(page)
        expect(page.get_by_test_id("live-prediction")).to_be_visible()
        rows = page.locator(".wi-row")
        in_sight = [name for name in rows.evaluate_all("rows => rows.map((row) => row.checkVisibility())") if name]
        assert (rows.count(), len(in_sight)) == (10, 6)
        record = json.loads((table / "model.json").read_text())
        losses = {name: sum(values) for name, values in record["importance"]["held_out"].items() if name != "plain"}
        expected = sorted(losses, key=losses.__getitem__, reverse=True)
        names = rows.evaluate_all("rows => rows.map((row) => row.dataset.testid)")
        assert [name.removeprefix("row-") for name in names] == expected
        page.get_by_text("4 more inputs").click()
        folded = page.get_by_role("slider", name=re.compile(f"^{expected[-1]}", re.IGNORECASE))
        expect(page.locator(f"[data-testid=row-{expected[-1]}] .wi-model").first).to_be_visible()
        before = page.get_by_test_id("live-change").inner_text()
        folded.press("End")
        expect(page.get_by_test_id("live-change")).not_to_have_text(before)
        expect(page.get_by_text("4 more inputs, 1 moved")).to_be_visible()
        retrain_and_promote(page, url)
        assert len(score(page, url, pd.read_csv(table / "rows.csv").head(5).to_csv(index=False).encode(), 5)) == 5
        page.close()


@pytest.mark.soak
@pytest.mark.browser
@pytest.mark.parametrize("n_inputs", [0, 1, 2, 5, 8, 12, 20])
def test_every_page_and_view_of_a_table_of_any_width_or_with_categories(n_inputs, window, tmp_path):
    table = drafted.draft_numbers(tmp_path, n_inputs) if n_inputs else drafted.draft_orchards(tmp_path)
    assert command(table, "train", "--n_estimators", "20").returncode == 0
    with running_server(log=tmp_path / "log", PETROL_TABLE=str(table), PETROL_STORE_URL="") as url:
        page = window.new_page()
        visit_pages(page, url, "rows" if n_inputs else "orchards")
        page.goto(url)
        expect(page.get_by_role("slider").first).to_be_visible()
        before = page.get_by_test_id("live-change").inner_text()
        page.get_by_role("slider").first.press("End")
        expect(page.get_by_test_id("live-change")).not_to_have_text(before)
        retrain_and_promote(page, url)
        page.close()


@pytest.mark.slow
def test_a_store_refuses_another_table_with_the_cure(orchards, tmp_path):
    url = f"sqlite:///{tmp_path}/store.db"
    assert command(ROOT / "data" / "petrol", "list", PETROL_STORE_URL=url).returncode == 0
    refused = command(orchards, "list", PETROL_STORE_URL=url)
    assert refused.returncode == 2
    assert f"The store {tmp_path}/store.db has state, petrol_tax, average_income" in refused.stderr
    assert "name another store in PETROL_STORE_URL" in refused.stderr
