"""Take the pictures of the README and of every page at two widths in both themes: ``make screenshots``."""

import io
import os
import tempfile
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Browser, sync_playwright

from model.fitting.algorithms import OFFERED
from model.store import history
from tests import chromium
from tests.conftest import ROOT, running_server
from tests.stores import run
from tests.what_if_page import choose, settles, slider, thumb

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
    """Keep two scenarios, look at two inputs at once, and seek a goal."""
    lines = page.locator(".st-key-app-tray_table tbody tr")
    for n, (state, name) in enumerate((("Ohio", "Ohio as it is"), ("Wyoming", "Wyoming")), 1):
        choose(page, state)
        page.get_by_label("Name", exact=True).fill(name)
        page.get_by_role("button", name="Keep this scenario").click()
        lines.nth(n - 1).wait_for()
    page.get_by_text("Two inputs at once").click()
    page.locator(".wi-contour .wi-dot").wait_for()
    page.get_by_role("button", name="Find", exact=True).click()
    page.get_by_text("All of it is at or above 500.").wait_for()


def send(page):
    """Have a file scored."""
    page.locator("input[type=file]").set_input_files(
        {"name": "counties.csv", "mimeType": "text/csv", "buffer": FILE.encode()}
    )


def send_observed(page):
    """Have a file judged that has the target, too."""
    lines = [f"{line};{400 + i * 37 % 300}" for i, line in enumerate(LINES)]
    content = "\n".join(["Name;Petrol_tax;income;highways;licence;petrol_consumption", *lines])
    page.locator("input[type=file]").set_input_files(
        {"name": "observed.csv", "mimeType": "text/csv", "buffer": content.encode()}
    )


def nothing(page):
    """The page as it opens."""


BESIDE_THE_MENU = {"x": 282, "y": 0, "width": 936, "height": 970}
FILM = {  # input -> where the thumb passes
    "petrol_tax": [7 + n / 10 for n in range(1, 26)] + [9.5 - n / 10 for n in range(1, 6)],
    "average_income": [4512 - 40 * n for n in range(1, 25)],
}
# Name of the picture: address, what is done there, and what is there once the page is whole.
PAGES = {
    "what-if": ("/?from=OH&petrol_tax=9", nothing, "text=Facts about this model"),
    "decide": ("/", decide, ".st-key-app-find >> text=refits reach it"),
    "versions": ("/?from=OH&petrol_tax=9&beside=2", nothing, "path.wi-beside"),
    "explore": ("/explore", nothing, ".st-key-app-explore_one path.point"),
    "retrain": ("/retrain", nothing, ".st-key-app-evidence_ranking .main-svg"),
    "models": ("/models", nothing, "text=Model with its record and rows"),
    "score": ("/score", send, ".st-key-app-score_picture .main-svg"),
    "validation": ("/score", send_observed, "text=How well it does on these rows"),
    "method": ("/method", nothing, "text=The fault that this app descends from"),
}


def film_drag(browser: Browser, url: str) -> None:
    """Write ``drag.webp``: Ohio's tax dragged up, and on from there its income, as the number follows the thumb."""
    page = browser.new_page(viewport={"width": 1280, "height": BESIDE_THE_MENU["height"]})
    page.goto(f"{url}/?from=OH")
    settles(page)
    frames, pauses = [], []

    def take(pause: int, at: tuple[float, float]) -> None:
        frame = Image.open(io.BytesIO(page.screenshot(animations="disabled", clip=BESIDE_THE_MENU))).convert("RGB")
        left, top = at[0] - BESIDE_THE_MENU["x"], at[1]
        arrow = [(0, 0), (0, 17), (4, 13), (7, 20), (10, 19), (7, 12), (12, 12)]  # a screenshot shows no pointer
        points = [(left + across, top + down) for across, down in arrow]
        ImageDraw.Draw(frame).polygon(points, fill="black", outline="white")
        frames.append(frame)
        pauses.append(pause)

    for name, values in FILM.items():
        page.mouse.move(*thumb(page, name))
        take(700, thumb(page, name))
        page.mouse.down()
        for value in values:
            at = thumb(page, name, value)
            page.mouse.move(*at)
            take(90, at)
        page.mouse.up()
        settles(page)
        take(1600, at)
        slider(page, name).blur()
    path = FOLDER / "drag.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=pauses, loop=0, quality=50, method=6)
    print(path.relative_to(ROOT))
    page.close()


def picture_report(browser: Browser, url: str) -> None:
    """Write ``report.png``: the report of a scenario, opened without the app."""
    page = browser.new_page(viewport={"width": 1000, "height": 900})
    page.goto(f"{url}/?from=OH&petrol_tax=9")
    settles(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download report").click()
    file = Path(tempfile.mkdtemp()) / "report.html"
    download.value.save_as(file)
    page.goto(file.as_uri())
    path = FOLDER / "report.png"
    page.screenshot(path=path, full_page=True)
    print(path.relative_to(ROOT))
    page.close()


def main():
    """Write ``PAGE-WIDTH-THEME.png``, each page in full, the film of a drag, and a report."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp())
    log, os.environ["PETROL_STORE_URL"] = aside / "log", f"sqlite:///{aside}/store.db"
    store = history.open_store()  # a new one, with something to show
    run(store, 1, OFFERED)
    history.promote(store, 4, "Ann", "A smoother model, to see whether anybody notices")
    history.promote(store, 1, "Ann", "Nobody did; the forest keeps the known directions")
    path = chromium.find()
    with running_server(log=log) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS))
        film_drag(browser, url)
        picture_report(browser, url)
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
