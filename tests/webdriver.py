"""Firefox by WebDriver BiDi and WebKit by WebDriver, with the little that a test asks of a page in them.

Playwright drives no WebKit but its own, and asks Debian's Firefox for what that does not know.
"""

import contextlib
import json
import os
import subprocess
import urllib.error
import urllib.request as web
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from tests import engines, packages
from tests.conftest import end, free_port
from tests.nginx import answers
from tests.stores import wait_until

WIDTH, HEIGHT = 1280, 900
_PREFERENCES = """user_pref("browser.download.folderList", 2);
user_pref("browser.download.dir", "{folder}");
"""
# From here on, what the page sends, writes to its address and complains of is kept.
WATCH = """() => {
  const seen = (window.seen = { sent: 0, written: [], wrong: [] });
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (...given) {
    seen.sent += 1;
    return send.apply(this, given);
  };
  for (const way of ["pushState", "replaceState"]) {
    const write = history[way];
    history[way] = (...given) => {
      seen.written.push(performance.now());
      return write.apply(history, given);
    };
  }
  addEventListener("error", ({ message }) => seen.wrong.push(message));
  addEventListener("unhandledrejection", ({ reason }) => seen.wrong.push(String(reason)));
  const { error } = console;
  console.error = (...given) => {
    seen.wrong.push(given.join(" "));
    error.apply(console, given);
  };
}"""


class Page(ABC):
    """The one page of a browser."""

    REPEAT: tuple[str, ...]  # what WebDriver does with a key that is held

    def __init__(self, downloads: Path) -> None:
        self.downloads = downloads

    @abstractmethod
    def visit(self, url: str) -> None:
        """Open an address."""

    @abstractmethod
    def perform(self, kind: str, *steps: dict[str, Any]) -> None:
        """Do what WebDriver calls actions of a source: of the pointer, or of the keyboard."""

    @abstractmethod
    def choose_file(self, selector: str, path: Path) -> None:
        """Give a file to a field for files."""

    @abstractmethod
    def _value_of(self, expression: str) -> str:
        """Return the text that a promise in the page brings."""

    def evaluate(self, function: str, *given: object) -> Any:
        """Return what a function of the page's language returns, as JSON carries it."""
        call = f"({function})(...{json.dumps(given)})"
        return json.loads(self._value_of(f"(async () => JSON.stringify((await {call}) ?? null))()"))

    def open(self, url: str, ready: str) -> None:
        """Open an address, wait for an element, and watch what the page does from then on."""
        self.visit(url)
        wait_until(lambda: self.evaluate("(ready) => document.querySelector(ready) !== null", ready), 60, ready)
        self.evaluate(WATCH)

    def point(self, x: float, y: float, *then: str) -> None:
        """Move the pointer to a place in the window, and press (`pointerDown`) or release it (`pointerUp`) there."""
        move = {"type": "pointerMove", "x": round(x), "y": round(y), "duration": 0}
        self.perform("pointer", move, *({"type": each, "button": 0} for each in then))

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        self.perform("key", *({"type": way, "value": key} for key in keys for way in ("keyDown", "keyUp")))

    def hold(self, key: str, n: int, a_second: float) -> None:
        """Hold a key until it has been repeated so often."""
        repeated = [{"type": each, "value": key} for each in self.REPEAT]
        pause = {"type": "pause", "duration": round(1000 / a_second)}
        self.perform("key", {"type": "keyDown", "value": key}, *[pause, *repeated] * n, {"type": "keyUp", "value": key})

    def click(self, selector: str) -> None:
        """Click on the middle of an element."""
        self.point(*self.middle(selector), "pointerDown", "pointerUp")

    def middle(self, selector: str) -> list[float]:
        """Bring an element into view, and return where its middle is once that rests."""
        return self.evaluate(_MIDDLE, selector)

    def box(self, selector: str) -> dict[str, float]:
        """Return where an element is in the window, and its size."""
        return self.evaluate(_BOX, selector)


_BOX = """(selector) => {
  const { x, y, width, height } = document.querySelector(selector).getBoundingClientRect();
  return { x, y, width, height };
}"""
_MIDDLE = """async (selector) => {
  const element = document.querySelector(selector);
  element.scrollIntoView({ block: "center", behavior: "instant" });
  for (let [x, y] = [NaN, NaN]; ; ) {
    const box = element.getBoundingClientRect();
    if (box.x === x && box.y === y) return [x + box.width / 2, y + box.height / 2];
    [x, y] = [box.x, box.y];
    await new Promise(requestAnimationFrame);
  }
}"""


class Firefox(Page):
    """The page of a Firefox that speaks WebDriver BiDi."""

    REPEAT = ("keyDown",)

    def __init__(self, socket: ClientConnection, downloads: Path) -> None:
        super().__init__(downloads)
        self._socket, self._n = socket, 0
        self._ask("session.new", capabilities={})
        self._context = self._ask("browsingContext.create", type="tab")["context"]
        self._tell("browsingContext.setViewport", viewport={"width": WIDTH, "height": HEIGHT})

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._n += 1
        self._socket.send(json.dumps({"id": self._n, "method": method, "params": parameters}))
        answer = json.loads(self._socket.recv(120))
        assert (answer["type"], answer["id"]) == ("success", self._n), answer
        return answer["result"]

    def _tell(self, method: str, **parameters: Any) -> dict[str, Any]:
        return self._ask(method, context=self._context, **parameters)

    def visit(self, url: str) -> None:
        self._tell("browsingContext.navigate", url=url, wait="complete")

    def perform(self, kind: str, *steps: dict[str, Any]) -> None:
        self._tell("input.performActions", actions=[{"type": kind, "id": kind, "actions": steps}])

    def choose_file(self, selector: str, path: Path) -> None:
        found = self._tell("browsingContext.locateNodes", locator={"type": "css", "value": selector})["nodes"]
        self._tell("input.setFiles", element={"sharedId": found[0]["sharedId"]}, files=[str(path)])

    def _value_of(self, expression: str) -> str:
        target = {"context": self._context}
        answer = self._ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer["exceptionDetails"]["text"]
        return answer["result"]["value"]


class WebKit(Page):
    """The page of a WebKitGTK that a driver drives."""

    REPEAT = ("keyUp", "keyDown")  # its driver does nothing with a key that is down

    def __init__(self, driver: str, browser: Path, downloads: Path) -> None:
        super().__init__(downloads)
        self._session = f"{driver}/session"
        options = {"binary": str(browser), "args": ["--automation"]}
        wanted = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        self._session += f"/{self._ask('', capabilities=wanted)['sessionId']}"
        self._ask("/window/rect", width=WIDTH, height=HEIGHT)

    def _ask(self, path: str, method: str = "POST", **parameters: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        asked = web.Request(self._session + path, json.dumps(parameters).encode(), headers, method=method)
        try:
            with web.urlopen(asked, timeout=120) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(error.read().decode()) from None

    def visit(self, url: str) -> None:
        self._ask("/url", url=url)

    def perform(self, kind: str, *steps: dict[str, Any]) -> None:
        self._ask("/actions", actions=[{"type": kind, "id": kind, "actions": steps}])

    def choose_file(self, selector: str, path: Path) -> None:
        found = self._ask("/element", using="css selector", value=selector)
        self._ask(f"/element/{next(iter(found.values()))}/value", text=str(path))

    def _value_of(self, expression: str) -> str:
        return self._ask("/execute/sync", script=f"return {expression}", args=[])

    def close(self) -> None:
        """End the browser, which the driver alone knows."""
        self._ask("", "DELETE")


@contextlib.contextmanager
def running_firefox(path: str, folder: Path) -> Iterator[Firefox]:
    """Start a Firefox without a window, and yield its page."""
    profile, downloads = folder / "profile", folder / "downloads"
    profile.mkdir()
    downloads.mkdir()
    (profile / "user.js").write_text(_PREFERENCES.format(folder=downloads), encoding="utf-8")
    command = [path, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
    with _running(command, folder) as process:
        told = profile / "WebDriverBiDiServer.json"
        wait_until(lambda: process.poll() is not None or (told.exists() and told.read_text("utf-8")), 60, "Firefox")
        assert process.poll() is None, "Firefox has ended"
        port = json.loads(told.read_text("utf-8"))["ws_port"]
        with connect(f"ws://127.0.0.1:{port}/session", max_size=None, proxy=None) as socket:
            yield Firefox(socket, downloads)


@contextlib.contextmanager
def running_webkit(root: Path, folder: Path) -> Iterator[WebKit]:
    """Start a WebKitGTK on a display of its own, and yield its page."""
    port, is_unpacked = free_port(), root == packages.DEBIAN
    driver, display = (
        packages.launcher(root / each) if is_unpacked else root / each for each in (engines.DRIVER, engines.DISPLAY)
    )
    reading, writing = os.pipe()
    command = [display, "-displayfd", str(writing), "-nolisten", "tcp", "-screen", "0", "1400x1100x24"]
    with _running(command, folder, cwd=root, pass_fds=[writing]), os.fdopen(reading, encoding="utf-8") as said:
        os.close(writing)
        number = said.readline().strip()
        assert number, "Xvfb has ended"
        settings = engines.settings_of_webkit() | {"HOME": str(folder), "DISPLAY": f":{number}"}
        with _running([driver, f"--port={port}"], folder, cwd=root, env=os.environ | settings) as process:
            url = f"http://127.0.0.1:{port}"
            wait_until(lambda: process.poll() is not None or answers(f"{url}/status"), 60, "WebKitWebDriver")
            assert process.poll() is None, "WebKitWebDriver has ended"
            page = WebKit(url, next(root.glob(engines.MINIBROWSER)), folder)
            yield page
            page.close()


@contextlib.contextmanager
def _running(command: list[str | Path], folder: Path, **options: Any) -> Iterator[subprocess.Popen]:
    """Start a program, and end it; what goes wrong meanwhile is told with what it has said."""
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **options)
    try:
        yield process
    except Exception as error:
        error.add_note((folder / "log").read_text("utf-8", errors="replace")[-4000:])
        raise
    finally:
        end(process)
