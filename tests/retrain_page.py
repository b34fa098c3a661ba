"""What the tests of Retrain and Models share: how a person works the pages, and what the store says of it."""

import re

from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.prediction import predict
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.store import history, versions
from model.store.database import Store

DEFAULTS = {column.name: column.default for column in FEATURES}
PATIENT = 30_000  # [ms] for an answer
LONG = 300_000  # [ms] for a training, on a machine that has other things to do


class Visitor:
    """Somebody with a browser window on the app."""

    def __init__(self, open_page, url):
        self._open_page, self._url, self.page = open_page, url, None

    def goes_to(self, address):
        """Open an address as a newcomer would, and leave the former page."""
        if self.page:
            self.page.close()
        ready = "live-prediction" if address.partition("?")[0] == "/" else "stHeading"
        self.page = self._open_page(f"{self._url}{address}", ready=ready)
        return self

    def chooses(self, label, option):
        """Take an entry of a list."""
        box = self.page.get_by_role("combobox", name=label)
        box.click()
        box.fill(option)
        self.page.get_by_role("option", name=option).first.click()

    def has_chosen(self, label, option):
        expect(self.page.get_by_role("combobox", name=label)).to_have_value(option, timeout=PATIENT)

    def presses(self, name):
        self.page.get_by_role("button", name=name, exact=True).click()

    def types(self, label, text):
        field = self.page.get_by_label(label, exact=True)
        field.fill(text)
        field.press("Tab")

    def sees(self, text, timeout=PATIENT):
        expect(self.page.get_by_text(text).first).to_be_visible(timeout=timeout)

    def sees_no(self, text, timeout=PATIENT):
        expect(self.page.get_by_text(text)).to_have_count(0, timeout=timeout)

    def uploads(self, content, name="rows.csv"):
        file = {"name": name, "mimeType": "text/csv", "buffer": content}
        field = self.page.locator("input[type=file]")
        expect(self.page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
        expect(field).to_have_count(1)  # the one that took the last file is gone
        field.set_input_files(file)

    def promotes(self, number, reason, by="Ann", verb="Promote", *, agrees=False):
        expect(self.page.get_by_role("button", name=f"{verb} version {number}", exact=True)).to_be_visible()
        expect(self.page.get_by_label("Reason", exact=True)).to_have_count(1)  # no more that of the former candidate
        self.types("Reason", reason)
        self.types("Your name", by)
        if agrees:
            self.page.get_by_text("I have seen that").click()
        self.presses(f"{verb} version {number}")

    @property
    def number(self):
        """The prediction on the screen."""
        return self.page.get_by_test_id("live-prediction")


def candidate_of(page):
    """Wait until a candidate that was trained here is in the address, and return its number; version 1 is shipped."""
    expect(page).to_have_url(re.compile(r"candidate=(?!1\b)\d+"), timeout=LONG)
    return int(re.search(r"candidate=(\d+)", page.url)[1])


def model_of(url, number):
    """Load a version as the app does, in this process."""
    return versions.load_version(Store(url), number)


def promote_a_line(store_url, rows):
    """Make least squares the active version, whose recipe is evaluated on other rows in no time."""
    store = Store(store_url)
    with store.writing() as connection:
        number = versions.add_version(connection, train(rows, make_recipe("least_squares")), 1, by="a test")
    history.promote(store, number, "a test", "quick")


def answer(model, **values):
    return f"{predict(model, DEFAULTS | values).value:.0f}"
