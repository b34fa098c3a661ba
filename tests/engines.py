"""Find the Firefox and the WebKit of the browser tests; fetch them where there are none."""

import os
import shutil
import subprocess
from pathlib import Path

from tests import packages

FIREFOX = "usr/lib/firefox-esr/firefox-esr"
DRIVER, DISPLAY, MINIBROWSER = "usr/bin/WebKitWebDriver", "usr/bin/Xvfb", "usr/lib/*/webkit2gtk-4.1/MiniBrowser"
_KINDS = "usr/share/mime/mime.cache"  # of files: without it a picture on a button is none. Made last
PARTS = (DRIVER, DISPLAY, MINIBROWSER, _KINDS)


def firefox() -> str | None:
    """Return the path of a Firefox, or None."""
    unpacked = packages.DEBIAN / FIREFOX
    if unpacked.exists():
        return str(packages.launcher(unpacked))
    return next(filter(_starts, filter(None, map(shutil.which, ("firefox-esr", "firefox")))), None)


def _starts(path: str) -> bool:
    """Whether it does: Ubuntu's Firefox is a note about a snap."""
    return subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0


def fetch_firefox() -> None:
    """Unpack Debian's Firefox."""
    packages.unpack("firefox-esr")


def webkit() -> Path | None:
    """Return the folder below which WebKitGTK, its driver and a display without a screen are, or None."""
    roots = (packages.DEBIAN, Path("/"))
    return next((root for root in roots if all(any(root.glob(part)) for part in PARTS)), None)


def fetch_webkit() -> None:
    """Unpack WebKitGTK with its driver and a display, and have them find their parts where those are now."""
    packages.unpack("webkit2gtk-driver", "xvfb", "x11-xkb-utils", "xkb-data", "shared-mime-info")
    packages.relocate("usr/lib/*/libwebkit2gtk-4.1.so.0", r"/usr/lib/[\w-]+/webkit2gtk-4\.1")
    packages.relocate(DISPLAY, r"/usr/bin(?=\0)", "/usr/share/X11/xkb")
    packages.relocate("usr/bin/xkbcomp", "/usr/share/X11/xkb")
    program = packages.DEBIAN / "usr" / "bin" / "update-mime-database"
    if program.exists():
        settings = (f"{name}={value}" for name, value in settings_of_webkit().items())
        packages.run("env", *settings, packages.launcher(program), (packages.DEBIAN / _KINDS).parent)


def settings_of_webkit() -> dict[str, str]:
    """Return the environment in which WebKitGTK finds what was unpacked, or else what is installed."""
    folders = {
        "XDG_DATA_DIRS": "usr/share",
        "__EGL_VENDOR_LIBRARY_DIRS": "usr/share/glvnd/egl_vendor.d",
        "LIBGL_DRIVERS_PATH": f"usr/lib/{os.uname().machine}-linux-gnu/dri",
    }
    return {name: f"{packages.DEBIAN / folder}:/{folder}" for name, folder in folders.items()}
