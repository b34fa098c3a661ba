"""`python -m model store check`: all that is damaged is named, and nothing else."""

import json
import subprocess
import sys

import pytest

from model.fitting.errors import ModelError
from model.store import pruning
from model.store.check import list_damages
from model.store.tables import DATA_SET, EVALUATION, MODEL_VERSION
from tests.conftest import ROOT
from tests.stores import add_quick, change, sql
from tests.test_versions import flip_a_bit


def check():
    command = [sys.executable, "-m", "model", "store", "check"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.postgresql
def test_a_store_in_order_is_said_to_be(store):
    done = check()
    assert (done.returncode, done.stderr) == (0, "")
    size = pruning.in_megabytes(pruning.size_of_store(store))
    assert done.stdout == f"Nothing in the store {store.location} is damaged. It takes up {size}.\n"


@pytest.mark.slow
@pytest.mark.postgresql
def test_everything_that_is_damaged_is_named_and_the_exit_code_says_so(store, rows):
    for n in range(1, 4):
        add_quick(store, rows.iloc[n:].reset_index(drop=True), "mean")
    flip_a_bit(store, DATA_SET, "parquet", 2)
    flip_a_bit(store, MODEL_VERSION, "arrays", 3)
    flip_a_bit(store, MODEL_VERSION, "model", 1)
    change(store, EVALUATION, 4, predictions=b"\0")
    (sha256,) = sql(store, "SELECT sha256 FROM evaluation WHERE id = 4")[0]
    done = check()
    assert done.returncode == 1
    evaluation = f"The evaluation {sha256[:12]} is not the one that was stored."
    assert done.stdout.splitlines() == [
        "The rows of data set 2 are not the ones that were stored.",
        evaluation,
        "The record of version 3 is not the one that was stored.",
        evaluation,  # of which version 4 cannot do without
        "The model of version 1 is not the one that was stored; it is fitted anew.",
    ]


@pytest.mark.sqlite
def test_a_text_that_is_no_longer_json_is_named(store):
    sql(store, "UPDATE model_version SET record = :cut", cut=json.dumps({"a": 1})[:-1])
    (sentence,) = list_damages(store)
    assert sentence.startswith(f"Version 1: The store {store.location} cannot be read (")


def test_trouble_in_reading_is_not_called_damage(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ModelError, match="Try again"):
        list_damages(store)


def test_there_is_nothing_to_check_where_there_is_no_store(store_url, databases):
    done = check()
    assert done.returncode == 2
    assert "There is no store" in done.stderr
