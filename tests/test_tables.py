"""Tables of other shapes than the one that ships: any number of inputs up to twenty, and categories."""

import os
import subprocess
import sys

import pytest

from tests import drafted
from tests.conftest import ROOT


def laws_of(table):
    """Try the laws on a table, in a process of its own."""
    command, environment = [sys.executable, "-m", "tests.table_laws"], os.environ | {"PETROL_TABLE": str(table)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("n_inputs", [1, *(pytest.param(n, marks=pytest.mark.soak) for n in (2, 5, 8, 12)), 20])
def test_a_table_of_numbers_holds_the_laws(n_inputs, tmp_path):
    laws_of(drafted.draft_numbers(tmp_path, n_inputs))


@pytest.mark.slow
@pytest.mark.parametrize(
    "draft", [drafted.draft_orchards, pytest.param(drafted.draft_diabetes, marks=pytest.mark.soak)]
)
def test_a_table_with_categories_and_one_of_many_rows_hold_the_laws(draft, tmp_path):
    laws_of(draft(tmp_path))
