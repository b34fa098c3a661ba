"""What a visitor of the Explore page waits for: its first pictures, each other view, a filter, a selection."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from data.schema import FEATURES, ROW, TARGET
from tests.conftest import ROOT, running_server

VIEWS = {
    "Columns": ("map", "spread"),
    "All pairs": ("map", "pairs", "heat"),
    "Influential states": ("map", "influence"),
    "What matters": ("map", "importance"),
    "One at a time": ("map", "one"),
}
# All pictures are there, the server has answered, and the page shows it: the time of the first such frame.
_DRAWN = """([names, n]) => {
  if (document.querySelector("[data-testid=stApp]")?.dataset.testScriptState !== "notRunning") return null;
  for (const name of names) {
    const plot = document.querySelector(`.st-key-app-explore_${name} .js-plotly-plot`);
    if (!plot?.querySelector(".main-svg, .annotation")) return null;
    const rows = plot.data.find((trace) => trace.customdata && trace.type === "scatter");
    if (n && rows && rows.customdata.length !== n) return null;
  }
  return performance.timeOrigin + performance.now();
}"""
_N_VISITS, _N_CHANGES = 7, 10


class Visit:
    """The page in a browser with an empty cache.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    url : str

    Attributes
    ----------
    seconds : float
        From asking for the page to the pictures of its first view.
    """

    def __init__(self, browser, url):
        self._context = browser.new_context(viewport={"width": 1280, "height": 1400}, bypass_csp=True)  # to wait for
        self.page = self._context.new_page()
        start = time.time()
        self.page.goto(f"{url}/explore", wait_until="commit")
        self.seconds = self.drawn(VIEWS["One at a time"]) - start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.close()

    def drawn(self, names, n=0):
        """Wait for pictures, of ``n`` rows if that is given; return the moment [s since 1970]."""
        return self.page.wait_for_function(_DRAWN, arg=[names, n], timeout=30_000).json_value() / 1000

    def turn_to(self, view):
        """Open a view; return how long it took [s]."""
        start = time.time()
        self.page.get_by_role("tab", name=view).click()
        return self.drawn(VIEWS[view]) - start

    def filter_delays(self, counts):
        """Move the lower end of the first filter a step up and down, for two numbers of rows; return the delays [s]."""
        self.page.get_by_role("button", name="Filter").click()
        end = self.page.locator(f"[class*=st-key-app-explore_range-{FEATURES[0].name}] input[type=range]").first
        end.focus()
        delays = []
        for i in range(_N_CHANGES):
            start = time.time()
            self.page.keyboard.press("ArrowLeft" if i % 2 else "ArrowRight")
            delays.append(self.drawn(VIEWS["One at a time"], counts[1 - i % 2]) - start)
        return delays


def explore_figures(figure, chrome, url, rows):
    """Measure the page with the shipped rows.

    Parameters
    ----------
    figure : callable
        Makes a figure of the bench from (what, measured, unit, at_most, n=).
    chrome : playwright.sync_api.Browser
    url : str
        Of a warm server.
    rows : pandas.DataFrame
        What it serves.

    Yields
    ------
    Figure
    """
    first = FEATURES[0]
    after_step = int((rows[first.name] >= rows[first.name].min() + first.step - 1e-9).sum())
    visits = []
    for _ in range(_N_VISITS):
        with Visit(chrome, url) as visit:
            visits.append(visit.seconds)
    yield figure("Explore: opened page to its pictures, p50", np.median(visits), "s", 2.5, n=len(visits))
    with Visit(chrome, url) as visit:
        views = [visit.turn_to(view) for view in VIEWS]
        yield figure("Explore: another view to its pictures, p50", np.median(views) * 1000, "ms", n=len(views))
        yield figure("Explore: opened page and then every view in turn", visit.seconds + sum(views), "s")
        delays = visit.filter_delays((len(rows), after_step))
    yield figure("Explore: filter to updated pictures, p50", np.median(delays) * 1000, "ms", 700, n=len(delays))


def large_figures(figure, chrome, folder, n_rows=100_000):
    """Measure the page with many rows and a straight line as the active model.

    Parameters
    ----------
    figure, chrome
        As for `explore_figures`.
    folder : pathlib.Path
        Where a copy of the project may be made.
    n_rows : int, default=100000

    Yields
    ------
    Figure
    """
    keep = shutil.ignore_patterns(".git", ".venv", "tests", "bench", "docs", "__pycache__", ".*_cache")
    project = Path(shutil.copytree(ROOT, folder / "project", ignore=keep))
    many_rows(n_rows).to_csv(project / "data" / "petrol" / "rows.csv", index=False)
    train = "from data.load import load_rows; from model.fitting.train import train; "
    train += (
        "from model.fitting.artifact import save; save(train(load_rows(), make_recipe('least_squares'), n_repeats=1))"
    )
    subprocess.run([sys.executable, "-c", train], cwd=project, check=True)
    with running_server(cwd=project, log=folder / "log") as url:
        visits = []
        for _ in range(3):
            with Visit(chrome, url) as visit:
                visits.append(visit.seconds)
        yield figure(f"Explore, {n_rows:,} rows: opened page to its pictures", np.median(visits), "s", 3, n=len(visits))
        with Visit(chrome, url) as visit:
            slowest = max(visit.turn_to(view) for view in VIEWS)
        yield figure(f"Explore, {n_rows:,} rows: slowest other view", slowest, "s", 3, n=len(VIEWS))


def many_rows(n):
    """Made-up rows around the real line."""
    import pandas as pd

    rng = np.random.default_rng(1972)
    rows = pd.DataFrame({column.name: rng.choice(column.grid, n) for column in FEATURES})
    target = 377 + rows.to_numpy() @ [-34.8, -0.0666, -0.0024, 1336] + rng.normal(0, 66, n)
    rows[TARGET.name] = target.clip(TARGET.minimum, TARGET.maximum).round()
    rows.insert(0, ROW, [f"R{i}" for i in range(n)])
    return rows
