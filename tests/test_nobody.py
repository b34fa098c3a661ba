"""Run as a uid that the machine has no name for and without HOME, as in ``docker run --user 20000``."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request as web
from pathlib import Path

import pytest

from model.answering.prediction import predict
from model.store import history
from tests import programs
from tests.conftest import ROOT, end, free_port
from tests.nginx import answers
from tests.stores import add_quick, wait_until
from tests.test_cli import MAINE

UID = 20000
pytestmark = [pytest.mark.slow, pytest.mark.sqlite]


@pytest.fixture
def as_nobody(monkeypatch):
    """Return what a command of Python begins with to run as such a uid."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a process as another user")
    for variable in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "PETROL_STORE_URL"):
        monkeypatch.delenv(variable, raising=False)
    command = [programs.required(shutil.which("setpriv"), "setpriv"), f"--reuid={UID}", f"--regid={UID}"]
    folders = {folder for path in (ROOT / "x", Path(sys.executable).resolve()) for folder in path.parents}
    if not all(folder.stat().st_mode & 0o001 for folder in folders):  # where Python is in root's home: read, not write
        command += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [*command, "--clear-groups", sys.executable, "-m"]


def test_a_user_without_a_name_gets_help_and_hears_what_cannot_be_written(as_nobody):
    def run(*arguments):
        return subprocess.run([*as_nobody, "model", *arguments], capture_output=True, text=True, cwd=ROOT, check=False)

    assert "usage: python -m model" in run("--help").stdout
    refused = run("list")
    assert refused.returncode == 2
    assert refused.stderr.startswith(f"error: The store {ROOT}/model/store.db cannot be written")
    assert "PETROL_STORE_URL=" in refused.stderr
    refused = run("train", "--algorithm", "mean")
    assert refused.returncode == 2
    assert f"error: {ROOT}/model/petrol.joblib.part cannot be written (Permission denied)." in refused.stderr


def test_a_table_whose_folder_cannot_be_written_is_kept_where_the_app_may_write(as_nobody):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree(ROOT / "data" / "petrol", folder / "mine")
        (folder / "state").mkdir()
        shutil.chown(folder / "state", UID, UID)
        folder.chmod(0o755)
        environment = os.environ | {"PETROL_TABLE": str(folder / "mine"), "XDG_STATE_HOME": str(folder / "state")}
        for command in (("train", "--algorithm", "mean"), ("list",)):
            done = subprocess.run(
                [*as_nobody, "model", *command], capture_output=True, text=True, cwd=ROOT, env=environment, check=False
            )
            assert done.returncode == 0, done.stderr
        kept = {path.name for path in (folder / "state" / "petrol" / "mine").iterdir()}
        assert kept >= {"model.joblib", "model.json", "model.npz", "store.db"}
        assert {path.name for path in (folder / "mine").iterdir()} == {"table.toml", "rows.csv"}


def test_a_user_without_a_name_stands_in_the_record_as_a_number(as_nobody, rows):
    with tempfile.TemporaryDirectory() as name:
        store = history.open_store(f"sqlite:///{name}/store.db")
        number = add_quick(store, rows)
        for path in (Path(name), *Path(name).iterdir()):
            shutil.chown(path, UID, UID)
        command = [*as_nobody, "model", "promote", str(number), "--reason", "to see who it was"]
        subprocess.run(command, check=True, cwd=ROOT, env=os.environ | {"PETROL_STORE_URL": store.url})
        assert f"uid {UID}" in [promotion.by for promotion in history.list_promotions(store)]


def test_the_server_answers_without_a_name_a_home_and_a_store(as_nobody, model, tmp_path):
    port = free_port()
    command = [*as_nobody, "uvicorn", "server:app", "--port", str(port)]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}/api"
        wait_until(lambda: process.poll() is not None or answers(f"{url}/ready"), 60, "the server")
        assert process.poll() is None, (tmp_path / "log").read_text(encoding="utf-8")
        asked = web.Request(f"{url}/predict", json.dumps(MAINE).encode(), {"Content-Type": "application/json"})
        with web.urlopen(asked) as reply:
            assert json.load(reply)["value"] == predict(model, MAINE).value
    finally:
        end(process)
