"""A PostgreSQL server for tests: its own folder, port and user, started from the machine's programs."""

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tests import programs
from tests.conftest import free_port
from tests.stores import wait_until

NAME, PASSWORD = "petrol", "s:ec/r@t"
NOBODY = 65534  # PostgreSQL refuses to be run by root
_ENVIRONMENT = os.environ | {"LC_ALL": "C.UTF-8"}


class PostgreSQL:
    """A running server that hands out databases.

    Parameters
    ----------
    folder : pathlib.Path
        Where its data lie.
    """

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self._programs = Path(programs.required(programs.postgresql(), "PostgreSQL"))
        self._numbers, self._process = itertools.count(1), None
        self._run_as = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
        if self._run_as:
            os.chown(folder, NOBODY, NOBODY)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        options = [f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync", "--no-instructions"]
        initdb = [self._programs / "initdb", "-D", folder / "data", "-U", NAME, "--locale=C.UTF-8", *options]
        made = subprocess.run(
            initdb, cwd=folder, check=False, capture_output=True, text=True, env=_ENVIRONMENT, **self._run_as
        )
        assert made.returncode == 0, made.stderr

    def start(self):
        """Start it, where it is not running, and wait until it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "32MB",
            "max_connections": "200",
        }
        arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *arguments],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                env=_ENVIRONMENT,
                **self._run_as,
            )
        wait_until(self._answers, 30, "PostgreSQL")

    def _answers(self):
        import psycopg

        assert self._process.poll() is None, (self.folder / "log").read_text(errors="replace")
        with contextlib.suppress(psycopg.OperationalError):
            self.ask("SELECT 1")
            return True

    def stop(self):
        """End it at once, with all connections."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(20)

    def ask(self, statement, database="postgres"):
        """Run a statement as the owner of everything; return the rows that it gives."""
        import psycopg

        where = {"host": "127.0.0.1", "port": self.port, "dbname": database, "user": NAME, "password": PASSWORD}
        with psycopg.connect(**where, autocommit=True, connect_timeout=5) as connection:
            answer = connection.execute(statement)
            return answer.fetchall() if answer.description else []

    def url(self, database):
        """Return the address of a database, as the app wants it."""
        from sqlalchemy import URL

        parts = {"username": NAME, "password": PASSWORD, "host": "127.0.0.1", "port": self.port, "database": database}
        return URL.create("postgresql+psycopg", **parts).render_as_string(hide_password=False)

    def new(self, like="template1"):
        """Make a database, empty or as another one, and return its address."""
        name = f"petrol_{next(self._numbers)}"
        self.ask(f"CREATE DATABASE {name} TEMPLATE {like}")
        return self.url(name)

    def drop(self, url):
        """Remove a database, whoever is still connected."""
        self.ask(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")


@contextlib.contextmanager
def running_postgresql():
    """Yield a `PostgreSQL` of its own, and end it."""
    folder = Path(tempfile.mkdtemp(prefix="petrol-postgresql-"))
    server = PostgreSQL(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
