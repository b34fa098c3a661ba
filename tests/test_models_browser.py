"""The Models page in real Chromium: history, card, files to take away, and what may be removed."""

import io
import zipfile

import numpy as np
import pytest
from playwright.sync_api import expect

from data.load import load_rows
from model.answering.prediction import predict_rows
from model.fitting import artifact
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.judging.card import write_card
from model.store import history, versions
from model.store.tables import DATA_SET, MODEL_VERSION
from tests.retrain_page import answer, model_of
from tests.stores import change

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def trained(rows):
    """Return what the store of each test is filled with: a ridge, and lines on fewer and on all rows."""
    fewer = rows.iloc[5:].reset_index(drop=True)
    ridge, line = make_recipe("ridge"), make_recipe("least_squares")
    return train(rows, ridge), train(fewer, line), train(rows, line)


@pytest.fixture
def store(store_url, trained):
    """Return a store with the shipped model, a ridge promoted and rolled back, and lines on fewer and on all rows."""
    store = history.open_store()
    ridge, line_on_fewer, line = trained
    with store.writing() as connection:
        versions.add_version(connection, ridge, 1, by="Ann")
        data_set = versions.add_data_set(connection, line_on_fewer.rows, "fewer_<b>.csv")
        versions.add_version(connection, line_on_fewer, data_set, by="Bob")
        versions.add_version(connection, line, 1, by="Bob")
    history.promote(store, 2, "Ann", "smoother")
    history.promote(store, 1, "Bob", "**not** _better_ <b>")
    return store


def text_of(download):
    with download.path().open("rb") as file:
        return file.read()


def test_record_card_and_files_are_as_they_are_and_work_elsewhere(store, visitor, store_url, tmp_path):
    ann = visitor("/models")
    ann.page.get_by_role("button", name="Show as table").click()
    cells = ann.page.get_by_test_id("stPopoverBody").locator("tbody tr")
    expect(cells).to_have_count(3)
    recorded = history.list_promotions(store)
    for line, one in zip(cells.all(), reversed(recorded), strict=True):
        told = line.locator("td").all_inner_texts()
        assert told == [f"{one.at:%Y-%m-%d %H:%M:%S}", str(one.version_id), one.by, one.reason]
    bars = ann.page.locator(".st-key-app-models_timeline .js-plotly-plot").evaluate(
        "(plot) => plot.data.map((d) => d.y[0])"
    )
    assert bars == ["Version 1", "Version 2", "Version 1"]
    ann.page.keyboard.press("Escape")
    ann.sees("There is nothing to compare it with.")

    ann.chooses("Version", "Version 2 (ridge)")
    expect(ann.page.get_by_role("heading", name="Version 2: ridge")).to_be_visible()
    ann.has_chosen("Version", "Version 2 (ridge), was active")
    with ann.page.expect_download() as waiting:
        ann.presses("Model card")
    ridge = model_of(store_url, 2)
    assert text_of(waiting.value).decode() == write_card(
        versions.read_version(store, 2), ridge, history.list_promotions(store)
    )
    with ann.page.expect_download() as waiting:
        ann.presses("Model with its record and rows")
    zipfile.ZipFile(io.BytesIO(text_of(waiting.value))).extractall(tmp_path / "taken")
    taken = artifact.load(load_rows(tmp_path / "taken" / "rows.csv"), tmp_path / "taken")
    assert taken.notice == ""
    np.testing.assert_array_equal(predict_rows(taken, ridge.X), predict_rows(ridge, ridge.X))
    assert answer(taken) == answer(ridge)

    asked = "1" * 5000
    ann.goes_to(f"/models?version={asked}")
    ann.sees(f"There is no version {asked[:20]} here, or no longer. Shown is 1.")
    ann.has_chosen("Version", "Version 1 (random forest), active")


def test_what_was_promoted_stays_the_rest_can_be_removed_and_no_number_comes_again(store, visitor, trained):
    ann = visitor("/models?version=4")
    ann.has_chosen("Version", "Version 4 (least squares), candidate")
    ann.page.get_by_role("button", name="Remove").first.click()
    ann.presses("Remove it")
    ann.sees("Version 4 (least squares) was removed.")
    with store.writing() as connection:
        assert versions.add_version(connection, trained[-1], 1, by="Ann") == 5

    ann.goes_to("/models?version=2")
    ann.has_chosen("Version", "Version 2 (ridge), was active")
    expect(ann.page.get_by_role("button", name="Remove")).to_have_count(1)  # of the data set alone
    ann.page.get_by_role("button", name="Remove").click()
    ann.sees("and with it version 3")
    ann.presses("Remove it")
    ann.sees("was removed.")
    assert [one.id for one in versions.list_versions(store)] == [1, 2, 5]
    assert [one.id for one in versions.list_data_sets(store)] == [1]
    ann.sees_no("Data sets that can be removed")


def test_a_damaged_version_is_refitted_and_one_beyond_repair_gives_way_visibly(store, visitor, store_url):
    history.promote(store, 3, "Ann", "to damage it")
    change(store, MODEL_VERSION, 3, model=b"\0")
    line = model_of(store_url, 3)
    bob = visitor("/")
    bob.sees("The model of version 3 is not the one that its record describes")
    expect(bob.number).to_have_text(answer(line))
    change(store, DATA_SET, 2, parquet=b"\0")
    history.promote(store, 2, "Ann", "to load it")
    history.promote(store, 3, "Ann", "already loaded: it goes on")
    bob.goes_to("/")
    expect(bob.number).to_have_text(answer(line))
