"""What tests need besides Python: found, or fetched when run as a script.

Chromium, nginx, PostgreSQL, a clock that can be set (libfaketime), and a sign-in provider.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import chromium

ROOT = Path(__file__).parent.parent
OIDC = Path(__file__).with_name("oidc")
_UNPACKED = ROOT / ".venv" / "debian"  # packages, unpacked and not installed: services would start


def nginx():
    """Return the path of an nginx, or None."""
    unpacked = _UNPACKED / "usr" / "sbin" / "nginx"
    found = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    return found or (str(unpacked) if unpacked.exists() else None)


def postgresql():
    """Return the folder of PostgreSQL's programs, or None."""
    on_path = shutil.which("postgres")
    found = [path for place in (Path("/"), _UNPACKED) for path in place.glob("usr/lib/postgresql/*/bin")]
    return Path(on_path).resolve().parent if on_path else max(found, default=None)


def faketime():
    """Return the path of the library that gives a process another clock, or None."""
    places = ("/usr/lib", "/usr/local/lib", _UNPACKED / "usr" / "lib")
    found = (path for place in places for path in Path(place).glob("**/faketime/libfaketimeMT.so.1"))
    return next(map(str, found), None)


def node():
    """Return the path of a Node that can run the provider, or None."""
    return shutil.which("node") if (OIDC / "node_modules" / "oidc-provider").exists() else None


def required(found, what):
    """Return what was found; without it a test is skipped, and in continuous integration it fails."""
    if not found:
        told = f"no {what}: run `python -m tests.programs`"
        pytest.fail(told) if os.environ.get("CI") else pytest.skip(told)
    return found


def _run(*command, cwd=None):
    print(*command, flush=True)
    return subprocess.run(command, cwd=cwd, check=False).returncode == 0


def _unpack(package):
    if not shutil.which("apt-get"):
        return
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    if not _run("apt-get", "download", "-q", package, cwd=_UNPACKED):
        _run(*chromium.sudo(), "apt-get", "update", "-q")
        _run("apt-get", "download", "-q", package, cwd=_UNPACKED)
    for file in _UNPACKED.glob(f"{package}_*.deb"):
        _run("dpkg", "-x", file, _UNPACKED)


def _unpack_postgresql():
    """Unpack it with all that this machine lacks of what it needs; nothing is installed, so no service starts."""
    if not shutil.which("apt-get"):
        return
    archives = _UNPACKED / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-qy", "--no-install-recommends", "--download-only", "-o", f"Dir::Cache::archives={archives}"]
    fetch = [*chromium.sudo(), "apt-get", "install", *options, "-o", "APT::Sandbox::User=root", "postgresql"]
    if not _run(*fetch):
        _run(*chromium.sudo(), "apt-get", "update", "-q")
        _run(*fetch)
    for file in archives.glob("*.deb"):
        if not file.name.startswith(("libc6_", "libc-bin_")):  # that of the machine fits its loader
            _run("dpkg", "-x", file, _UNPACKED)
        file.unlink()


def _install_provider():
    if not shutil.which("npm") and shutil.which("apt-get"):
        _run(*chromium.sudo(), "apt-get", "update", "-q")
        _run(*chromium.sudo(), "apt-get", "install", "-qy", "--no-install-recommends", "nodejs", "npm")
    if shutil.which("npm") and not node():
        _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", cwd=OIDC)


def main():
    """Install what is missing."""
    chromium.main()
    if not nginx():
        _unpack("nginx")
    if not faketime():
        _unpack("libfaketime")
    if not postgresql():
        _unpack_postgresql()
    _install_provider()
    for what, found in (
        ("nginx", nginx()),
        ("PostgreSQL", postgresql()),
        ("faketime", faketime()),
        ("sign-in provider", node()),
    ):
        print(f"{what}: {found or 'not found; its tests are skipped, but in continuous integration they fail'}")


if __name__ == "__main__":
    main()
