"""`python -m model store backup`: a file that holds all of a store, written while that is in use, or no file."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from model.queue import jobs, transfer
from model.store import history, tables
from model.store.database import Store, StoreError
from tests.conftest import ROOT
from tests.stores import sql, wait_until
from tests.test_transfer import everything


def backup(file, **options):
    command = [sys.executable, "-m", "model", "store", "backup", file]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, **options)


def test_a_backup_holds_all_and_serves_in_the_place_of_the_store_also_while_a_training_is_under_way(store, tmp_path):
    number = jobs.submit(store, "v1", 1, ["ridge"])
    jobs.claim_job(store, number)
    target = tmp_path / "a backup.db"
    done = backup(target)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{target}: {target.stat().st_size:,} bytes, all that {store.location} holds.\n"
    assert {path.name for path in tmp_path.glob("*backup*")} == {target.name}
    assert everything(f"sqlite:///{target}") == everything(store.url)
    again = Store(f"sqlite:///{target}")
    history.promote(again, 1, "Ann", "from the backup")
    assert [one.reason for one in history.list_promotions(again)] == ["Shipped with the app.", "from the backup"]
    assert len(history.list_promotions(store)) == 1


def test_a_backup_never_replaces_a_file(store, tmp_path):
    target = tmp_path / "backup.db"
    target.write_text("of yesterday")
    done = backup(target)
    assert done.returncode == 2
    assert done.stderr == f"error: {target} is there already. Name a new file; nothing was written.\n"
    assert target.read_text() == "of yesterday"


def test_where_a_backup_cannot_be_written_there_is_none(store, tmp_path):
    with pytest.raises(StoreError, match=r"nowhere/backup\.db cannot be written \(No such file .*in a folder that can"):
        transfer.write_backup(store, tmp_path / "nowhere" / "backup.db")


@pytest.mark.sqlite
@pytest.mark.skipif(sys.platform != "linux", reason="a file system of a given size")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount one")
def test_a_disk_that_is_full_leaves_no_part_of_a_backup(store, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    try:
        with pytest.raises(StoreError, match=r"backup\.db cannot be written \(.*full"):
            transfer.write_backup(store, disk / "backup.db")
        assert list(disk.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


def test_a_backup_is_of_one_moment_whatever_is_written_meanwhile(store, tmp_path):
    """Each promotion here changes a data set in the same transaction, so that a mixture would show."""
    over = threading.Event()

    def write():
        other = Store(store.url)
        for n in range(2, 10**6):
            if over.is_set():
                return
            with other.writing() as connection:
                connection.execute(tables.DATA_SET.update().values(origin=str(n)))
                connection.execute(tables.PROMOTION.insert().values(version_id=1, by="Ann", reason="again"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            wait_until(lambda: len(history.list_promotions(store)) > 10 * number, what="promotions")  # noqa: B023
            target = tmp_path / f"{number}.db"
            transfer.write_backup(store, target)
            ((n_promotions, origin),) = sql(target, "SELECT count(*), (SELECT origin FROM data_set) FROM promotion")
            assert n_promotions == int(origin.replace("shipped", "1"))
    finally:
        over.set()
        writer.join()


@pytest.mark.sqlite
def test_of_a_damaged_store_no_backup_is_made(template, tmp_path):
    from tests.test_damage import cut_out_a_page

    shutil.copy(template, tmp_path / "store.db")
    cut_out_a_page(tmp_path / "store.db")
    with pytest.raises(StoreError, match="cannot be read"):
        transfer.write_backup(Store(f"sqlite:///{tmp_path}/store.db"), tmp_path / "backup.db")
    assert not (tmp_path / "backup.db").exists()
