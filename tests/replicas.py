"""Replicas of the app behind nginx, as compose.scale.yaml has them, on this machine."""

import contextlib

from tests.conftest import end, free_port, start_server
from tests.nginx import running_nginx

LISTENS = {"a": 8501, "b": 8502}  # in the configuration


class Replicas:
    """Servers with one store that can be ended and started anew, behind one nginx.

    Attributes
    ----------
    address : str
        Of nginx.
    store_url : str
    ports : dict
        Name of a replica -> port.
    """

    def __init__(self, folder, store_url, names, settings):
        self._folder, self._settings, self._processes, self.address = folder, settings, {}, ""
        self.store_url, self.ports = store_url, {name: free_port() for name in names}

    def start(self, name):
        """Start a replica."""
        shared = {"PETROL_STORE_URL": self.store_url, "STREAMLIT_SERVER_COOKIE_SECRET": "c" * 64}
        log = self._folder / f"log-{name}"
        self._processes[name], _ = start_server(log=log, port=self.ports[name], **shared | self._settings)

    def url(self, name):
        """Return where a replica answers by itself."""
        return f"http://127.0.0.1:{self.ports[name]}"

    def kill(self, name):
        """End a replica without a word."""
        self._processes[name].kill()
        self._processes[name].wait()

    def restart(self, name):
        """End a replica as an engine does, and start it anew."""
        end(self._processes[name])
        self.start(name)

    def end(self):
        """End all, and look into what they have written."""
        for process in self._processes.values():
            end(process)
        for name in self._processes:
            assert "Traceback" not in (self._folder / f"log-{name}").read_text(encoding="utf-8")


@contextlib.contextmanager
def running_replicas(folder, store_url, names=tuple(LISTENS), **settings):
    """Start replicas and nginx, yield `Replicas`, and end them.

    Parameters
    ----------
    folder : pathlib.Path
        For what they write.
    store_url : str
        Of the store that they share.
    names : tuple of str, default=("a", "b")
        One name: nginx finds it in the place of both.
    **settings
        More of their environment.
    """
    found = Replicas(folder, store_url, names, settings)
    try:
        for name in names:
            found.start(name)
        ports = {listens: found.ports.get(name, found.ports[names[0]]) for name, listens in LISTENS.items()}
        with running_nginx(folder, "nginx.scale.conf", ports) as found.address:
            yield found
    finally:
        found.end()
