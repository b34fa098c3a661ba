"""A store on the disk of another machine: refused at the start with the cure, by the type that the system reports."""

import logging
import os
import tempfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from model.queue import transfer
from model.store import history, mounts
from model.store.database import StoreError
from model.store.mounts import network_file_system
from pages.shared import resources
from tests.conftest import ROOT
from tests.test_transfer import everything

pytestmark = pytest.mark.skipif(os.name != "posix", reason="as Linux reports mounts")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a disk of its own
NETWORKS = ("nfs", "nfs4", "cifs", "smb3", "fuse.sshfs", "fuse.gcsfuse", "ceph")
LOCAL = ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "virtiofs", "9p", "fuse.grpcfuse", "fuse", "fakeowner", "zfs")


@pytest.fixture
def mounted(tmp_path, monkeypatch):
    """Return a function that has the system report a type for the disk of a path; the others stay as they are."""

    def mounted(path, kind):
        device = path.stat().st_dev
        number = f"{os.major(device)}:{os.minor(device)}"
        lines = f"22 27 0:21 / /proc rw,relatime - proc proc rw\n27 1 {number} / /a\\040b rw - {kind} nas:/share rw\n"
        (tmp_path / "mountinfo").write_text(lines)
        monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")

    return mounted


@pytest.mark.parametrize("kind", [*NETWORKS, *LOCAL])
def test_a_network_file_system_is_told_from_a_disk_of_this_machine(kind, mounted, tmp_path):
    mounted(tmp_path, kind)
    for path in (tmp_path, tmp_path / "not yet.db"):
        assert network_file_system(path) == (kind if kind in NETWORKS else "")


def test_where_nothing_is_reported_nothing_is_refused(tmp_path, monkeypatch):
    for text in (None, "", "nonsense\n\n - \n"):
        if text is not None:
            (tmp_path / "mountinfo").write_text(text)
        monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mountinfo")
        assert network_file_system(tmp_path) == ""
    assert network_file_system(tmp_path / "nowhere" / "store.db") == ""


@pytest.mark.sqlite
@pytest.mark.parametrize("is_there", [True, False])
def test_a_store_there_is_refused_with_the_cure_and_nothing_is_written(is_there, store, mounted, tmp_path):
    path = tmp_path / ("store.db" if is_there else "new.db")
    store.close()
    mounted(tmp_path, "nfs4")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(
        StoreError, match=r"is on a network file system \(nfs4\).*disk of this machine.*PostgreSQL"
    ) as told:
        history.open_store(f"sqlite:///{path}")
    assert str(path) in str(told.value)
    assert told.value.may_hide_promotions is is_there
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.sqlite
def test_the_app_says_so_at_its_start_and_on_its_pages_and_answers_with_the_shipped_model(
    store_url, mounted, tmp_path, monkeypatch, caplog
):
    mounted(tmp_path, "cifs")
    monkeypatch.setattr(resources, "owner", resources.ActiveModel())
    with caplog.at_level(logging.WARNING):
        resources.warm_up()
    assert "is on a network file system (cifs), on which SQLite does not work" in caplog.text
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=30).run()
    assert not app.exception
    app.switch_page("pages/retrain.py").run()
    assert any("is on a network file system (cifs)" in error.value for error in app.error)


@pytest.mark.skipif(not SHARED_MEMORY.is_dir(), reason="another disk than that of the tests")
def test_a_backup_may_be_kept_there(store, mounted, tmp_path):
    with tempfile.TemporaryDirectory(dir=SHARED_MEMORY) as folder:
        far = Path(folder)
        mounted(far, "nfs4")
        transfer.write_backup(store, far / "backup.db")
        assert [path.name for path in far.iterdir()] == ["backup.db"]
        (tmp_path / "near.db").write_bytes((far / "backup.db").read_bytes())
    assert everything(f"sqlite:///{tmp_path}/near.db") == everything(store.url)
