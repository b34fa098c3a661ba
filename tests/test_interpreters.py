"""Which Pythons the app runs on: said alike everywhere, and what make does with another."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.conftest import ROOT

SUPPORTED = ["3.11", "3.12", "3.13", "3.14"]


def test_the_supported_pythons_are_said_alike_everywhere():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    spoken = f"Python {SUPPORTED[0]} to {SUPPORTED[-1]}"
    assert re.search(r"^VERSIONS := (.*)$", makefile, re.MULTILINE)[1].split() == SUPPORTED[::-1]
    assert spoken in makefile
    assert spoken in (ROOT / "README.md").read_text(encoding="utf-8")
    assert project["requires-python"] == f">={SUPPORTED[0]}"
    assert [classifier.rpartition(" ")[2] for classifier in project["classifiers"]] == SUPPORTED
    assert workflow["jobs"]["test"]["strategy"]["matrix"]["python"] == [SUPPORTED[0], SUPPORTED[-1]]


@pytest.mark.parametrize(
    ("version", "is_made", "said"),
    [
        ("3.10", False, "Python 3.11 to 3.14 is needed"),
        ("3.11", True, ""),
        ("3.14", True, ""),
        ("3.15", True, "Warning: Python 3.15 is newer"),
    ],
)
def test_an_older_python_is_refused_and_a_newer_one_warned_of(version, is_made, said, tmp_path):
    """The interpreter is this one under another number, and makes a folder for an environment."""
    python, number = tmp_path / "python", tuple(map(int, version.split(".")))
    told = f"import sys; sys.version_info = {number}; exec(sys.argv[1])"
    python.write_text(
        f'#!/bin/sh\ncase $1 in\n-c) exec {sys.executable} -c {shlex.quote(told)} "$2";;\n'
        f"--version) echo Python {version};;\n*) mkdir .venv;;\nesac\n"
    )
    python.chmod(0o755)
    shutil.copy(ROOT / "Makefile", tmp_path)
    command = ["make", ".venv/python", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == is_made == (tmp_path / ".venv").exists()
    assert said in done.stdout
    assert bool(said) == ("3.11 to 3.14" in done.stdout)
