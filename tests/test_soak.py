"""What the app must survive, in small: ``make soak`` does all of it, for half an hour."""

import contextlib
import io
import os
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import addresses, crowd, faults, files, kills
from data.errors import DataError
from data.inputs import load_inputs
from model.answering.scoring import score_file
from tests import programs
from tests.conftest import running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def logged(tmp_path_factory):
    """Return the address of a server with a store of its own, and its log."""
    folder = tmp_path_factory.mktemp("soak")
    with running_server(log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        yield url, folder / "log"


@pytest.fixture
def url(logged):
    """Return the address of that server, and look into its log afterwards."""
    url, log = logged
    yield url
    assert "Traceback" not in log.read_text(encoding="utf-8")


def test_whoever_is_killed_whenever_nothing_acknowledged_is_lost(tmp_path):
    found = kills.run(tmp_path, 2)  # of the worker, and of the server
    assert found.n_kills == 2
    lost = found.lost_versions, found.lost_promotions, found.stuck_jobs, found.wrong_answers
    assert (lost, found.other) == ((0, 0, 0, 0), [])


@pytest.mark.skipif(sys.platform != "linux", reason="a file system of a given size")
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may mount one")
def test_a_disk_that_is_full_at_any_step_is_told_and_costs_nothing(tmp_path):
    assert [what for what, is_right in faults.full_disk(tmp_path).items() if not is_right] == []


def test_a_store_that_somebody_holds_is_waited_for_and_nobody_else_waits(tmp_path):
    waited, told, other = faults.locked_store(tmp_path, 3)
    assert (told, 3 <= waited < 10) == ("promoted", True)
    assert other < 2


@pytest.mark.soak
def test_a_clock_that_is_set_back_changes_nothing(tmp_path):
    library = programs.required(programs.faketime(), "libfaketime")
    assert [what for what, is_right in faults.set_back(tmp_path, library).items() if not is_right] == []


def test_damaged_bytes_of_a_kept_model_are_always_noticed_and_served_right(tmp_path):
    n, detected, served = faults.flipped_bytes(tmp_path, {"ridge": None, "forest": {"n_estimators": 5}})
    assert n > 30
    assert (detected, served) == (n, n)


def test_malformed_files_cost_neither_an_exception_nor_a_wrong_number(url):
    n, complaints, n_wrong = files.run(url, 12, 40)
    assert n >= 12
    assert (complaints, n_wrong) == ([], 0)


SPELT = re.compile(r"[-+\d.,\s%'’]*")  # of what may be a number with thousands or decimals of some country


def try_cells(model, n):
    """Put texts of all kinds into a cell, so many of them: each is read as it stands, or refused."""

    @settings(max_examples=n)
    @given(st.sampled_from(files.NAMES), st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=10))
    def try_cell(column, text):
        content = files.with_cell(column, text)
        assert files.wrong_rows(content) == 0 or SPELT.fullmatch(text)
        with contextlib.suppress(DataError):
            scored = score_file(model, load_inputs(io.BytesIO(content)))
            assert len(scored.table) == 48
            assert scored.n_problems <= 1

    try_cell()


def test_whatever_stands_in_a_cell_is_read_as_it_stands_or_refused(model):
    try_cells(model, 30)  # a thousand in `make soak`


def test_hostile_addresses_of_every_page_show_the_page(url):
    n, complaints = addresses.run(url, step=17)
    assert n > 25
    assert complaints == []


def test_a_crowd_sees_no_error(url):
    found = crowd.run(url, 12, 5, "Ridge")
    assert (found.errors, found.trained) == ([], True)
    assert len(found.waits) > 10
