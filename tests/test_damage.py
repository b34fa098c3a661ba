"""Damage to the store's file, or a disk that is full: told, and never believed."""

import contextlib
import os
import random
import subprocess
import sys

import pytest

from model.active import ActiveModel
from model.store import history, versions
from model.store.database import Store, StoreError
from tests.stores import fresh, sql
from tests.test_store import answers_as, refused


@pytest.mark.parametrize("content", [b"shopping list\n" * 500, b"x" * 4096, b"SQLite format 3\0" + bytes(200)], ids=len)
def test_a_file_that_is_no_store_is_refused_and_kept(tmp_path, content):
    path = tmp_path / "store.db"
    path.write_bytes(content)
    assert "Put a backup in its place, or move it away" in refused(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_refused(template, tmp_path, share):
    content = template.read_bytes()
    path = tmp_path / "store.db"
    path.write_bytes(content[: int(len(content) * share)])
    assert "Put a backup in its place" in refused(path)


def test_a_file_that_lacks_its_last_bytes_is_refused_or_all_is_there(template, tmp_path, model):
    path = tmp_path / "store.db"
    path.write_bytes(template.read_bytes()[:-200])
    with contextlib.suppress(StoreError):
        store = history.open_store(f"sqlite:///{path}")
        store.check()
        answers_as(store, model)


def test_an_empty_file_becomes_a_store(tmp_path, model):
    path = tmp_path / "store.db"
    path.touch()
    assert answers_as(history.open_store(f"sqlite:///{path}"), model) == ""


def cut_out_a_page(path):
    """Break a page of the queue, which neither opening the file nor answering comes across."""
    content = bytearray(path.read_bytes())
    (root,) = (row[0] for row in sql(path, "SELECT rootpage FROM sqlite_master WHERE name = 'job'"))
    content[(root - 1) * 4096] = 0xFF  # no kind of page
    path.write_bytes(content)


def test_a_server_that_starts_on_a_file_damaged_anywhere_says_so_and_the_shipped_model_answers(
    template, tmp_path, model
):
    path, store = fresh(template, tmp_path)
    store._engine.dispose()
    cut_out_a_page(path)
    opened = Store(f"sqlite:///{path}")  # as a worker and each command do: it costs no reading of the whole
    with pytest.raises(StoreError, match=r"cannot be read \(.*Put a backup in its place"):
        opened.check()
    answering = ActiveModel(f"sqlite:///{path}").current()
    assert answering.version == 0
    assert f"The store {path} cannot be read (" in answering.notice
    assert answering.notice.endswith("Until then the shipped model answers.")


def flip(template, path, model, place, bit):
    """Flip one bit of the file; whatever the store then says is right, or it says nothing."""
    content = bytearray(template.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)
    try:
        store = history.open_store(f"sqlite:///{path}")
        store.check()  # as the server does
        answers_as(store, model)
    except StoreError as error:
        message = str(error)
    else:
        return "right"
    assert str(path) in message
    assert "PETROL_STORE_URL" in message or "Put a backup in its place" in message
    return "refused"


def flips(template, folder, model, seed, n):
    """Flip bits of the first pages, which say what is where, and of all others; return what became of each."""
    chance, size = random.Random(seed), template.stat().st_size  # noqa: S311 - repeatable
    outcomes = []
    for number in range(n):
        place = chance.randrange(size) if number % 2 else chance.randrange(min(size, 5 * 4096))
        outcomes.append(flip(template, folder / f"{number}.db", model, place, chance.randrange(8)))
    assert "refused" in outcomes or n < 50
    assert "right" in outcomes
    return outcomes


@pytest.mark.slow
def test_a_flipped_bit_is_refused_or_does_no_harm(template, tmp_path, model):
    flips(template, tmp_path, model, seed=1, n=6)  # a thousand in `make soak`


@pytest.mark.slow
def test_every_flipped_digit_of_the_scores_is_noticed(template, tmp_path, model):
    content = template.read_bytes()
    start = content.index(b'"mae": {"value": ')
    digits = [place for place in range(start, start + 40) if content[place : place + 1].isdigit()]
    assert len(digits) > 10
    for place in digits[::4]:
        flip(template, tmp_path / f"{place}.db", model, place, 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="a file system of a given size")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount one")
def test_a_full_disk_is_told_and_what_was_there_stays(template, tmp_path, model, rows):
    from model.store.versions import add_data_set

    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk], check=True)
    try:
        path, store = fresh(template, disk)
        with contextlib.suppress(OSError):
            (disk / "filler").write_bytes(bytes(10**6))
        with pytest.raises(StoreError, match=r"cannot be written \(.*full") as failure, store.writing() as connection:  # noqa: PT012
            for number in range(200):
                add_data_set(connection, rows.assign(petrol_tax=5 + number / 100), "a file")
        assert str(path) in str(failure.value)
        (disk / "filler").unlink()
        assert answers_as(history.open_store(f"sqlite:///{path}"), model) == ""
        assert len(versions.list_data_sets(store)) == 1
        store._engine.dispose()
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
