"""Find a Chromium for the browser tests; run as a script, install one where there is none."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


def find():
    """Return the path of a Chromium: named by CHROMIUM, on the PATH, or Playwright's own; None where there is none."""
    from playwright.sync_api import sync_playwright

    if named := os.environ.get("CHROMIUM"):
        return named
    for name in NAMES:
        if path := shutil.which(name):
            return path
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def sudo():
    """Return what a command that needs root begins with."""
    return [] if os.geteuid() == 0 else ["sudo", "-n"]


def main():
    """Install a Chromium if none is found: Playwright's own, else Debian's."""
    ways = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if shutil.which("apt-get"):
        ways += [[*sudo(), "apt-get", "update", "-q"], [*sudo(), "apt-get", "install", "-qy", "chromium"]]
    for way in ways:
        if find():
            break
        print("no Chromium found:", " ".join(way), flush=True)
        subprocess.run(way, check=False)
    path = find()
    if not path:
        sys.exit("The browser tests need Chromium. Install it, or name it with CHROMIUM=/path/to/chromium.")
    print(f"browser: {path}")


if __name__ == "__main__":
    main()
