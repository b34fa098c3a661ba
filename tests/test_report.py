"""The report: the answer's own figures, nothing that is fetched or executed, small, and safe whatever names hold."""

import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser

import numpy as np
import pytest
from playwright.sync_api import expect

from data.schema import FEATURE_NAMES, FEATURES, ROW, TARGET
from model.__main__ import main
from model.answering.change import find_row, predict_with_change, start_figures
from model.judging.report import write_report

DEFAULTS = {column.name: column.default for column in FEATURES}


class Parts(HTMLParser):
    """Tags with their attributes, and texts, as a browser would find them."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.texts, self.open = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "polyline", "polygon", "circle", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def ohio(model):
    start, observed = start_figures(model, find_row(model, "OH"))
    moved = start | {FEATURES[0].name: FEATURES[0].high, FEATURES[3].name: FEATURES[3].low}
    return predict_with_change(model, start, moved, 0.8, observed)


def test_it_says_the_answers_own_figures(model, ohio):
    answer, change = ohio
    text = " ".join(Parts(write_report(model, answer, change, "Ohio", "https://app.example/?from=OH")).texts)
    assert f"80 % interval {TARGET.estimate(answer.low)} to {TARGET.estimate(answer.high)}" in text
    assert TARGET.estimate(change.start_prediction) in text
    assert f"Ohio used {TARGET.text(change.observed)}" in text
    for name, amount in change.reasons.contributions.items():
        if change.start[name] != change.scenario[name]:
            assert TARGET.estimate(amount, "+").replace("-", "−") in text
    for amount in change.others.values():
        assert TARGET.estimate(amount, "+").replace("-", "−") in text
    for neighbour in answer.nearest:
        assert f"{neighbour.distance:.1f}" in text


def test_each_curve_stands_where_its_predictions_are(model, ohio):
    answer, change = ohio
    report = write_report(model, answer, change, "Ohio")
    lines = [tag["points"] for name, tag in Parts(report).tags if name == "polyline"]
    assert len(lines) == len(FEATURES)
    for line, name in zip(lines, FEATURE_NAMES, strict=True):
        heights = np.array([float(point.split(",")[1]) for point in line.split()])
        curve = answer.curves[name]
        assert len(heights) == len(curve)
        assert np.corrcoef(heights, curve)[0, 1] < -0.999 or np.ptp(curve) == 0


def test_nothing_in_it_is_fetched_or_executed_and_it_is_small(model, ohio):
    report = write_report(model, *ohio, "Ohio", "https://app.example/?a=1&b=2")
    parts = Parts(report)
    assert len(report.encode()) < 50_000
    assert {name for name, _ in parts.tags}.isdisjoint({"script", "img", "link", "iframe", "object", "base", "form"})
    addresses = [tag[key] for _, tag in parts.tags for key in ("src", "href", "action", "style") if key in tag]
    assert [address for address in addresses if not re.fullmatch(r"width: \d+px", address)] == [
        "https://app.example/?a=1&b=2"
    ]
    assert not any(key.startswith("on") for _, tag in parts.tags for key in tag)
    assert "url(" not in report


def test_a_name_cannot_become_markup(model, rows, ohio):
    evil = '<script>alert(1)</script>"&'
    answer, change = ohio
    named = replace(model, rows=rows.assign(**{ROW: evil}))
    parts = Parts(write_report(named, answer, change, evil, f"https://app.example/?{evil}"))
    assert "script" not in {name for name, _ in parts.tags}
    assert evil in unescape(" ".join(parts.texts))


def test_a_start_itself_and_a_version_without_refits_have_reports_too(model):
    answer, change = predict_with_change(replace(model, refits=None), DEFAULTS, DEFAULTS)
    assert "This is the typical state itself." in write_report(model, answer, change, "the typical state")
    moved = DEFAULTS | {FEATURES[0].name: FEATURES[0].high}
    answer, change = predict_with_change(replace(model, refits=None), DEFAULTS, moved)
    assert "Not known: this version has no refits." in write_report(replace(model, refits=None), answer, change, "it")


def download_report(page, window, folder):
    """Download the report of what a page shows, open the file alone, and return what it says."""
    shown = page.get_by_test_id("live-prediction").inner_text()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report").click()
    file = folder / "report.html"
    download.value.save_as(file)
    alone, asked = window.new_page(), []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    assert asked == [file.as_uri()]
    assert alone.locator(".number").inner_text() == shown
    text = alone.inner_text("body")
    alone.close()
    return text


@pytest.mark.slow
@pytest.mark.browser
def test_the_page_gives_it_of_what_it_shows_at_the_moment(server, open_page, window, tmp_path):
    page = open_page(f"{server}/?from=OH")
    before = page.get_by_test_id("live-prediction").inner_text()
    page.get_by_role("slider").last.press("End")
    expect(page.get_by_test_id("live-prediction")).not_to_have_text(before)
    expect(page.locator(".wi-moving, .wi-waiting")).to_have_count(0)
    text = download_report(page, window, tmp_path)
    assert "than Ohio" in text
    assert f"{server}/?from=OH" in text


@pytest.mark.slow
def test_the_command_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("PETROL_STORE_URL", f"sqlite:///{tmp_path}/store.db")
    file = tmp_path / "ohio.html"
    assert main(["report", "--from", "Ohio", f"--{FEATURES[0].name}", "9", "--out", str(file)]) == 0
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert str(file) in capsys.readouterr().out
    assert main(["report", "--out", str(tmp_path / "no" / "where.html")]) == 2
    assert "cannot be written" in capsys.readouterr().err
