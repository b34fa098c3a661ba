"""A name taken out of a store: replaced wherever it stands, with nothing else changed and the record closed again."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from model.queue import jobs
from model.store import erasure, history, tables, versions
from model.store.database import StoreError
from tests.stores import add_quick, change, sql
from tests.test_cli import called
from tests.test_transfer import everything

ANN, EVE = "ann@example.org", "joann@example.org"


@pytest.fixture
def full(store, rows):
    """Return a store in which two people of similar names have done all that leaves a name."""
    for by in (ANN, EVE):
        number = add_quick(store, rows)
        change(store, tables.MODEL_VERSION, number, created_by=by)
        history.promote(store, number, by, f"asked by {ANN}" if by == EVE else "better")
        jobs.cancel(store, jobs.submit(store, f"visitor of {by}", 1, ["ridge"], by=by))
    history.promote(store, 1, ANN.upper(), "back")
    return store


def test_a_name_is_replaced_everywhere_and_all_else_stays_as_it_is(full):
    before = everything(full.url)
    found = erasure.erase_name(full, ANN)
    assert (found.n_promotions, found.n_versions, found.n_jobs, len(found.reasons)) == (2, 1, 1, 1)
    for table in before.values():
        for row in table:
            for name in ("by", "created_by"):
                if str(row.get(name)).lower() == ANN:
                    row[name] = "erased"
            if row.get("request", {}).get("by") == ANN:
                row["request"]["by"] = "erased"
    assert everything(full.url) == before
    assert [one.by for one in history.list_promotions(full)] == ["the app", "erased", EVE, "erased"]
    assert versions.load_version(full, 2).notice == ""  # no checksum has the name in it


def test_the_record_is_closed_again_also_where_it_failed(full, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "ERASED", None)  # which no column takes
        before = everything(full.url)
        with pytest.raises(StoreError):
            erasure.erase_name(full, ANN)
        assert everything(full.url) == before
    for _ in range(2):
        for statement in ("UPDATE promotion SET reason = 'x'", "DELETE FROM promotion"):
            with pytest.raises(Exception, match="promotions are only ever added"):
                sql(full, statement)
        erasure.erase_name(full, ANN)
    history.promote(full, 1, ANN, "goes on")


def test_the_command_says_first_and_names_what_it_leaves(full):
    before = everything(full.url)
    done = called("store", "erase", "Ann@Example.org")
    assert done.returncode == 0
    assert "'Ann@Example.org' would be replaced by 'erased' in 2 promotions, 1 version, 1 job." in done.stdout
    assert "Nothing was changed: add --yes to do it." in done.stdout
    assert everything(full.url) == before
    done = called("store", "erase", ANN, "--yes")
    lines = done.stdout.splitlines()
    at = f"{history.list_promotions(full)[2].at:%Y-%m-%d %H:%M}"
    assert lines[1:4] == [
        f"{ANN!r} was replaced by 'erased' in 2 promotions, 1 version, 1 job. Numbers, times and reasons stay.",
        f"It is in the reasons of promotions of {at} (UTC), which stay, too.",
        "Backups, copies and exported cards that were made before still have it.",
    ]
    assert called("store", "erase", "bob@example.org").stdout.endswith("'bob@example.org' is not in this store.\n")


@pytest.mark.sqlite
def test_not_even_the_file_has_it_any_more(store):
    history.promote(store, 1, ANN, "better")
    assert ANN.encode() in files(store)
    assert called("store", "erase", ANN, "--yes").returncode == 0
    assert ANN.encode() not in files(store)
    with closing(sqlite3.connect(store.location)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def files(store):
    return b"".join(path.read_bytes() for path in Path(store.location).parent.glob("store.db*"))


def test_whose_job_has_not_ended_has_to_wait_and_the_app_is_nobody(store):
    jobs.submit(store, "v1", 1, ["ridge"], by=ANN)
    before = everything(store.url)
    with pytest.raises(StoreError, match=rf"Job 1 of '{ANN}' has not ended\. Wait for it, or cancel it\."):
        erasure.erase_name(store, ANN)
    for name in ("", "  ", "The App", "erased"):
        for ask in (erasure.erase_name, erasure.find_mentions):
            with pytest.raises(StoreError, match=r"is nobody's name\. Name a person\."):
                ask(store, name)
    assert everything(store.url) == before
