"""What a visitor waits for, measured inside a real Chromium."""

import contextlib
import json
import time
from pathlib import Path

import numpy as np

from data.schema import FEATURES
from tests import chromium
from tests.what_if_page import number, slider, thumb

_SCALES = json.dumps({column.name: column.scale for column in FEATURES})
_WATCH = f"const SCALES = {_SCALES};\n" + Path(__file__).with_name("watch.js").read_text(encoding="utf-8")
_IS_SETTLED = """() => watch.agrees()
    && document.querySelector("[data-testid=stApp]").dataset.testScriptState === "notRunning" """
_N_MOVES = 60  # of the pointer, from one end of a slider to the other
_N_PRESSES = 20  # of a key, on each slider
_SEED = 1972


@contextlib.contextmanager
def chrome():
    """Yield the Chromium that the browser tests use."""
    from playwright.sync_api import sync_playwright

    path = chromium.find()
    if not path:
        raise RuntimeError("no Chromium: run `python -m tests.chromium`, or name one with CHROMIUM=/path")
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=path, args=list(chromium.ARGUMENTS)) as browser,
    ):
        yield browser


class Visit:
    """A page opened with an empty cache, with a watch inside and its frames counted.

    Parameters
    ----------
    browser : playwright.sync_api.Browser
    url : str

    Attributes
    ----------
    seconds : float
        From asking for the page to the number being in it.
    n_frames : int
        Websocket frames so far, either way.
    """

    def __init__(self, browser, url):
        self._context = browser.new_context(viewport={"width": 1280, "height": 900}, bypass_csp=True)  # to wait for
        self.page = self._context.new_page()
        self.page.add_init_script(_WATCH)
        self.n_frames = 0
        self.page.on("websocket", self._count)
        start = time.time()  # the clock that the page has too
        self.page.goto(url, wait_until="commit")
        self.page.wait_for_function("window.watch?.shown", timeout=20_000)
        self.seconds = self.page.evaluate("watch.shown") / 1000 - start
        self.settle()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._context.close()

    def _count(self, socket):
        for event in ("framesent", "framereceived"):
            socket.on(event, self._add_frame)

    def _add_frame(self, _):
        self.n_frames += 1

    def settle(self):
        """Wait until the server has answered and the whole page shows it."""
        self.page.wait_for_function(_IS_SETTLED, timeout=20_000)

    def take(self):
        """Return what the watch noted, and let it start anew."""
        return self.page.evaluate("() => { const noted = { ...watch }; watch.reset(); return noted; }")


def drag_delays(visit):
    """Drag each slider to one end and to the other, in small moves.

    Parameters
    ----------
    visit : Visit

    Returns
    -------
    delays : dict
        "event" and "delivery" -> list of float, time to the rewritten number since then [ms]
    n_frames : int
        Websocket frames while the slider was held.
    """
    delays, n_frames = {"event": [], "delivery": []}, 0
    for column in FEATURES:
        x, y = thumb(visit.page, column.name)
        left, right = (thumb(visit.page, column.name, end)[0] for end in (column.low, column.high))
        visit.page.mouse.move(x, y)
        visit.page.mouse.down()
        visit.take()
        frames_before = visit.n_frames
        for start, end in ((x, right), (right, left)):
            for i in range(1, _N_MOVES + 1):
                visit.page.mouse.move(start + (end - start) * i / _N_MOVES, y)
        noted = visit.take()  # a call into the page, after which all frames are counted
        n_frames += visit.n_frames - frames_before
        visit.page.mouse.up()
        visit.settle()
        found = _pair(noted, "pointermove")
        if len(found["event"]) < 20:
            raise RuntimeError(f"{column.name}: {len(found['event'])} rewritten numbers in {2 * _N_MOVES} moves")
        for since, values in found.items():
            delays[since] += values
    return delays, n_frames


def key_delays(visit):
    """Press arrow keys on each slider, each after the answer to the one before.

    Parameters
    ----------
    visit : Visit

    Returns
    -------
    dict
        As from ``drag_delays``.
    """
    delays = {"event": [], "delivery": []}
    for column in FEATURES:
        slider(visit.page, column.name).focus()
        for i in range(_N_PRESSES):
            visit.take()
            visit.page.keyboard.press("ArrowRight" if i < _N_PRESSES / 2 else "ArrowLeft")
            visit.page.wait_for_function("watch.writes.length > 0 && watch.agreedAt !== null", timeout=5_000)
            visit.settle()
            for since, values in _pair(visit.take(), "keydown").items():
                delays[since] += values
    if len(delays["event"]) < len(FEATURES) * _N_PRESSES:
        raise RuntimeError(f"{len(delays['event'])} rewritten numbers after {len(FEATURES) * _N_PRESSES} keys")
    return delays


def _pair(noted, kind):
    """Each input with the first rewritten number after it and before the next; the others changed no step."""
    inputs = [event for event in noted["inputs"] if event["type"] == kind]
    delays = {"event": [], "delivery": []}
    for event, following in zip(inputs, [*inputs[1:], None], strict=True):
        until = following["delivered"] if following else float("inf")
        written = next((at for at in noted["writes"] if event["delivered"] <= at < until), None)
        if written is not None:
            delays["event"].append(written - event["at"])
            delays["delivery"].append(written - event["delivered"])
    return delays


def release_delays(visit, column, n_releases=36):
    """Release a slider in its lower and upper half in turn, so that each answer differs from the last.

    Parameters
    ----------
    visit : Visit
    column : data.schema.Column
        One that moves the number.
    n_releases : int, default=36

    Returns
    -------
    list of float
        From each release to the whole page showing its answer [ms].
    """
    rng, delays = np.random.default_rng(_SEED), []
    for i in range(n_releases):
        before = number(visit.page).inner_text()
        visit.page.mouse.move(*thumb(visit.page, column.name))
        visit.page.mouse.down()
        share = rng.uniform(0.05, 0.3) + (i % 2) * 0.6
        target = thumb(visit.page, column.name, column.low + share * (column.high - column.low))
        visit.page.mouse.move(*target, steps=4)
        visit.take()
        visit.page.mouse.up()
        visit.page.wait_for_function("watch.agreedAt !== null", timeout=5_000)
        visit.settle()
        noted = visit.take()
        if number(visit.page).inner_text() == before:
            raise RuntimeError(f"{column.name}: release {i} left the number at {before}")
        released = next(event["at"] for event in noted["inputs"] if event["type"] == "pointerup")
        delays.append(noted["agreedAt"] - released)
    return delays
