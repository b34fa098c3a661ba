"""A PgBouncer for tests: in transaction mode, as hosted databases have it, before a PostgreSQL of the tests."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy import make_url

from tests import programs
from tests.conftest import end, free_port
from tests.postgresql import NAME, NOBODY, PASSWORD
from tests.stores import wait_until

_SETTINGS = """[databases]
* = host=127.0.0.1 port={server}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 5
"""


@contextlib.contextmanager
def running_pgbouncer(postgresql, **settings):
    """Start one before a `tests.postgresql.PostgreSQL`, and yield what leads its addresses through it."""
    program, port = programs.required(programs.pgbouncer(), "PgBouncer"), free_port()
    folder = Path(tempfile.mkdtemp(prefix="petrol-pgbouncer-"))
    (folder / "users").write_text(f'"{NAME}" "{PASSWORD}"\n')
    more = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "pgbouncer.ini").write_text(_SETTINGS.format(server=postgresql.port, port=port, folder=folder) + more)
    run_as = {}
    if os.geteuid() == 0:  # whom it refuses to be run by
        run_as = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        for path in (folder, *folder.iterdir()):
            os.chown(path, NOBODY, NOBODY)
    with (folder / "log").open("wb") as log:
        command = [program, folder / "pgbouncer.ini"]
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, **run_as)

    def through(url):
        return make_url(url).set(port=port).render_as_string(hide_password=False)

    def answers():
        import psycopg

        assert process.poll() is None, (folder / "log").read_text(errors="replace")
        address = through(postgresql.url("postgres")).replace("+psycopg", "")
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(address, connect_timeout=5):
            return True

    try:
        wait_until(answers, 20, "PgBouncer")
        yield through
    finally:
        end(process)
        shutil.rmtree(folder, ignore_errors=True)
