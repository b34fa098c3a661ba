"""What deciding costs: goals sought, a large file scored in the page, and the JSON interface."""

import contextlib
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

from bench import browser
from bench.sessions import process_of
from data.load import load_rows
from data.schema import FEATURES
from model.answering.find import find
from model.answering.question import read_question
from model.fitting import artifact
from model.judging.validation import validate_beside
from tests.conftest import running_server

_SEED = 1972
_DEFAULTS = {column.name: column.default for column in FEATURES}


def find_times(model, share=0.0, goals=(300, 430, 480, 500, 550, 590, 610, 650, 700, 800, 950)):
    """How long it takes to find what would reach a goal, all four sliders free: seconds, of reachable and others."""
    times = []
    for goal in goals:
        start = time.perf_counter()
        find(model, read_question(model, _DEFAULTS, "reach", goal, share=share))
        times.append(time.perf_counter() - start)
    return times


def many_scenarios(n):
    """Write a file of random scenarios, one in a hundred of them broken, with a column to carry through."""
    rng = np.random.default_rng(_SEED)
    columns = [rng.choice(column.grid, n) for column in FEATURES]
    lines = [",".join(("note", *(column.name for column in FEATURES)))]
    for i, values in enumerate(zip(*columns, strict=True)):
        cells = [f"{value:.10g}" for value in values]
        if i % 100 == 0:
            cells[i // 100 % 4] = "?"
        lines.append(",".join((f"row {i}", *cells)))
    return "\n".join(lines).encode()


_WATCH_PICTURE = """(label) => {
  const svg = document.querySelector(".wi-contour svg");
  window.drawn = new Promise((tell) => new MutationObserver(() => {
    if (svg.getAttribute("aria-label").includes(` over ${label}`)) tell(performance.now());
  }).observe(svg, { attributes: true }));
  document.addEventListener("click", () => (window.clicked = performance.now()), { capture: true, once: true });
}"""


class _Peak:
    """The most memory that a process holds while this is at work [bytes]."""

    def __init__(self, process):
        self._process, self._over = process, threading.Event()
        self.before = self.most = process.memory_info().rss

    def __enter__(self):
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _watch(self):
        while not self._over.wait(0.02):
            self.most = max(self.most, self._process.memory_info().rss)


def score_in_page(chrome, url, process, content):
    """Have a file scored in the page and take it back.

    Returns
    -------
    shown, taken : float
        From sending the file to its summary, and from the click to the file [s].
    memory : float
        Of the server, above what it held before [bytes].
    """
    page = chrome.new_page()
    page.goto(f"{url}/score")
    page.get_by_test_id("stFileUploader").wait_for()
    file = {"name": "many.csv", "mimeType": "text/csv", "buffer": content}
    with _Peak(process) as peak:
        start = time.perf_counter()
        page.locator("input[type=file]").set_input_files(file)
        page.get_by_text("rows scored").wait_for(timeout=120_000)
        shown = time.perf_counter() - start
        start = time.perf_counter()
        with page.expect_download(timeout=120_000) as download:
            page.get_by_role("button", name="Download with predictions").click()
        download.value.path()
        taken = time.perf_counter() - start
    page.close()
    return shown, taken, peak.most - peak.before


def request_times(url, body, n):
    """How long requests take on one connection, one after another [s]."""
    times, content = [], json.dumps(body)
    with contextlib.closing(http.client.HTTPConnection(urlsplit(url).netloc, timeout=60)) as connection:
        for _ in range(n):
            start = time.perf_counter()
            connection.request("POST", "/api/predict", content, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            answer = reply.read()
            times.append(time.perf_counter() - start)
            if reply.status != 200:
                raise RuntimeError(f"{reply.status}: {answer[:200]!r}")
    return times


def picture_times(chrome, url, n):
    """How long it takes in the page from the choice of another input to its picture over both [ms]."""
    page = chrome.new_page()
    page.goto(url)
    page.get_by_text("Two inputs at once").click()
    page.locator(".wi-contour .wi-dot").wait_for()
    times = []
    for number in range(n):
        column = (FEATURES[0], FEATURES[2])[number % 2]  # never the one up
        box = page.get_by_role("combobox", name="Across")
        box.click()
        box.fill(column.label)
        option = page.get_by_role("option", name=column.label)
        option.wait_for()
        page.evaluate(_WATCH_PICTURE, column.label.lower())
        option.click()
        times.append(page.evaluate("async () => (await drawn) - clicked"))
    page.close()
    return times


def figures(figure):
    """Measure all of it.

    Parameters
    ----------
    figure : callable
        Makes a figure of the bench from (what, measured, unit, at_most, n=).

    Yields
    ------
    Figure
    """
    model = artifact.load(load_rows())
    X, y = model.X.repeat(20, axis=0) * 1.001, model.y.repeat(20)
    start = time.perf_counter()
    validate_beside(model, X, y, 0.9, None)
    yield figure(
        f"How well on {len(X):,} rows: miss, interval, groups", 1000 * (time.perf_counter() - start), "ms", None
    )
    for words, share in (("", 0.0), (", 80 of 100 refits agree", 0.8)):
        times = find_times(model, share)
        yield figure(f"Find: four free sliders{words}, the slowest", max(times), "s", 1, n=len(times))
    with tempfile.TemporaryDirectory() as folder, running_server(log=Path(folder) / "log") as url:
        process = process_of(url)
        times = np.array(request_times(url, _DEFAULTS, 300)) * 1000
        yield figure("API: one scenario, p50", np.median(times), "ms", 10, n=len(times))
        yield figure("API: one scenario, p95", np.quantile(times, 0.95), "ms", None, n=len(times))
        times = request_times(url, [_DEFAULTS | {"petrol_tax": 5 + i / 2000} for i in range(10_000)], 5)
        yield figure("API: 10,000 scenarios at once, p50", np.median(times), "s", None, n=len(times))
        with browser.chrome() as chrome:
            times = picture_times(chrome, url, 9)
            yield figure(
                "Two inputs at once: another pair chosen, to the picture, p50", np.median(times), "ms", 150, n=9
            )
            shown, taken, memory = score_in_page(chrome, url, process, many_scenarios(100_000))
    yield figure("Score: 100,000 rows sent, to their summary", shown, "s", 15)
    yield figure("  from the click to the file with predictions", taken, "s", 15)
    yield figure("  server's memory above idle", memory / 1e6, "MB", 500)


if __name__ == "__main__":
    for one in figures(lambda *figure, n=1: (*figure, n)):
        print(*one)
