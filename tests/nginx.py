"""A real nginx with a configuration that is shipped, but for its names and ports."""

import contextlib
import os
import re
import subprocess
import urllib.error
import urllib.request as web

from tests import programs
from tests.conftest import ROOT, end, free_port
from tests.stores import wait_until


@contextlib.contextmanager
def running_nginx(folder, name, ports, port=None, edit=str):
    """Start nginx with a file of ``docs``, and yield its address.

    Parameters
    ----------
    folder : pathlib.Path
        For what it writes.
    name : str
        Of the configuration.
    ports : dict
        Port in the configuration, where it is of a replica -> port on this machine.
    port : int, optional
        Where it listens.
    edit : callable, optional
        Makes of the configuration one that somebody else has written.
    """
    folder.mkdir(exist_ok=True)
    port = port or free_port()
    text = edit((ROOT / "docs" / name).read_text(encoding="utf-8")).replace("listen 8080;", f"listen 127.0.0.1:{port};")
    text = re.sub(r"app-[ab]:(\d+)", r"127.0.0.1:\1", text)
    text = re.sub(r":(850\d)\b", lambda found: f":{ports[int(found[1])]}", text)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    user = "user root; " if os.geteuid() == 0 else ""  # its workers write into a folder of ours
    whole = folder / "nginx.conf"
    whole.write_text(f"{user}pid {folder}/pid; daemon off; events {{}} http {{ access_log off; {paths}\n{text}}}")
    command = [programs.required(programs.nginx(), "nginx"), "-e", folder / "error.log", "-c", whole, "-p", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or answers(url, 404), 20, "nginx")
        assert process.poll() is None, (folder / "error.log").read_text()
        yield url
        assert process.poll() is None, (folder / "error.log").read_text()
    finally:
        end(process)


def answers(url, *also):
    """Whether somebody answers there, with 200 or another status that will do."""
    try:
        with web.urlopen(url, timeout=5) as reply:
            return reply.status == 200
    except urllib.error.HTTPError as error:
        error.close()
        return error.code in also
    except urllib.error.URLError:
        return False
