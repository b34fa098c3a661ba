"""Find a Chromium for the browser tests; run as a script, fetch one where there is none."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import playwright
from playwright.sync_api import sync_playwright

from tests import packages

SHELL = "chromium-headless-shell"  # without windows: a page costs half of what it does the whole browser
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
_DRIVER = "PLAYWRIGHT_NODEJS_PATH"  # what Playwright runs in place of its own Node


def find() -> str | None:
    """Return the path of a Chromium that starts: named by CHROMIUM, unpacked, on the PATH, or Playwright's own.

    Afterwards Playwright starts, too, with a library that was unpacked where the machine lacks one.
    """
    if not _starts_driver():
        return None
    return os.environ.get("CHROMIUM") or next(filter(_starts, _candidates()), None)


def _starts_driver() -> bool:
    own = Path(playwright.__file__).parent / "driver" / "node"
    if _DRIVER in os.environ or _starts(own):
        return True
    if not packages.DEBIAN.exists() or not _starts(with_libraries := packages.launcher(own)):
        return False
    os.environ[_DRIVER] = str(with_libraries)
    return True


def _candidates() -> Iterator[str]:
    unpacked = packages.DEBIAN / "usr" / "lib" / "chromium" / SHELL
    if unpacked.exists():
        yield str(packages.launcher(unpacked))
    yield from filter(None, map(shutil.which, NAMES))
    with sync_playwright() as started:
        own = started.chromium.executable_path
    if Path(own).exists():
        yield own


def _starts(path: str | Path) -> bool:
    """Whether it does: Ubuntu's Chromium is a note about a snap, and Playwright's own may lack libraries."""
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def fetch() -> None:
    """Unpack Debian's shell of Chromium with a font, and what Playwright needs; else have Playwright get its own."""
    packages.unpack(SHELL, "chromium-common", "fonts-liberation", "libatomic1")
    if not find():
        packages.run(sys.executable, "-m", "playwright", "install", "chromium")


def main() -> None:
    """Fetch a Chromium if none is found."""
    if not find():
        fetch()
    path = find()
    if not path:
        sys.exit("No Chromium could be fetched. Install one, or name it with CHROMIUM=/path/to/chromium.")
    print(f"Chromium: {path}")


if __name__ == "__main__":
    main()
