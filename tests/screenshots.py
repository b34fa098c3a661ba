"""Take the pictures of the README and of every page at two widths in both themes: ``make screenshots``."""

import os
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from model import history, recipe
from tests import chromium
from tests.conftest import ROOT, running_server
from tests.stores import run
from tests.what_if_page import choose

FOLDER = ROOT / "docs" / "screenshots"
SIZES = {1280: 900, 390: 844}
IS_DONE = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"
LINES = [
    f"County {i};{5 + i * 7 % 50 / 10};{3000 + i * 53 % 2400};{400 + i * 911 % 17000};{0.45 + i * 13 % 270 / 1000:.3f}"
    for i in range(300)
]
FILE = "\n".join(["Name;Petrol_tax;income;highways;licence", "County;?;4300;4700;0.565", *LINES])


def decide(page):
    """Keep two scenarios and seek a goal."""
    lines = page.locator(".st-key-app-tray_table tbody tr")
    for n, (state, name) in enumerate((("Ohio", "Ohio as it is"), ("Wyoming", "Wyoming")), 1):
        choose(page, state)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Keep this scenario").click()
        lines.nth(n - 1).wait_for()
    page.get_by_role("button", name="Find the smallest change").click()


def send(page):
    """Have a file scored."""
    page.locator("input[type=file]").set_input_files(
        {"name": "counties.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )


def nothing(page):
    """The page as it opens."""


# Name of the picture: address, what is done there, and what is there once the page is whole.
PAGES = {
    "what-if": ("/?from=OH&petrol_tax=9", nothing, "text=Facts about this model"),
    "decide": ("/", decide, "text=Apply to the sliders"),
    "explore": ("/explore", nothing, ".st-key-app-explore_one path.point"),
    "retrain": ("/retrain", nothing, ".st-key-app-evidence_standings .main-svg"),
    "models": ("/models", nothing, "text=Model with its record and rows"),
    "score": ("/score", send, ".st-key-app-score_picture .main-svg"),
    "method": ("/method", nothing, "text=The fault that this app descends from"),
}


def main():
    """Write ``PAGE-WIDTH-THEME.png``, each page in full."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp())
    log, os.environ["PETROL_STORE_URL"] = aside / "log", f"sqlite:///{aside}/store.db"
    store = history.open_store()  # a new one, with something to show
    run(store, 1, recipe.OFFERED)
    history.promote(store, 4, "Ann", "A smoother model, to see whether anybody notices")
    history.promote(store, 1, "Ann", "Nobody did; the forest keeps the known directions")
    path = chromium.find()
    with running_server(log=log) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        for width, height in SIZES.items():
            for theme in ("light", "dark"):
                for name, (address, act, whole) in PAGES.items():
                    page = browser.new_page(
                        viewport={"width": width, "height": height},
                        color_scheme=theme,
                        bypass_csp=True,  # to wait for what only the page can tell
                    )
                    page.goto(url + address)
                    page.get_by_test_id("stCaptionContainer").first.wait_for()
                    act(page)
                    page.locator(whole).first.wait_for()
                    page.wait_for_function(IS_DONE)
                    page.wait_for_load_state("networkidle")
                    page.set_viewport_size({"width": width, "height": max(height, page.evaluate(HEIGHT))})
                    page.wait_for_load_state("networkidle")
                    path = FOLDER / f"{name}-{width}-{theme}.png"
                    page.screenshot(path=path, animations="disabled")
                    print(path.relative_to(ROOT))
                    page.close()
        browser.close()


if __name__ == "__main__":
    main()
