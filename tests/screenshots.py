"""Take the pictures of the README and of every page at two widths in both themes: ``make screenshots``."""

import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from model import history, recipe
from tests import chromium
from tests.conftest import ROOT, running_server
from tests.stores import run

FOLDER = ROOT / "docs" / "screenshots"
SIZES = {1280: 900, 390: 844}
IS_DONE = "document.querySelector('[data-testid=stApp]').dataset.testScriptState === 'notRunning'"
HEIGHT = "document.querySelector('[data-testid=stMain]').scrollHeight"
# Name of the picture: address, and what is there once the page is whole.
PAGES = {
    "what-if": ("/", "text=Facts about this model"),
    "explore": ("/explore", ".st-key-explore_one path.point"),
    "retrain": ("/retrain", ".st-key-evidence_standings .main-svg"),
    "models": ("/models", "text=Model with its record and rows"),
}


def main():
    """Write ``PAGE-WIDTH-THEME.png``, each page in full."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    log = Path(tempfile.mkdtemp()) / "log"
    store = history.open_store()  # a new one, with something to show
    run(store, 1, recipe.OFFERED)
    history.promote(store, 4, "Ann", "A smoother model, to see whether anybody notices")
    history.promote(store, 1, "Ann", "Nobody did; the forest keeps the known directions")
    with running_server(log=log) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.find(), args=list(chromium.ARGUMENTS))
        for width, height in SIZES.items():
            for theme in ("light", "dark"):
                for name, (address, whole) in PAGES.items():
                    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme)
                    page.goto(url + address)
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
