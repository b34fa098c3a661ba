"""``table.toml``: what it may say, and what is said where it is wrong."""

import re
import subprocess
import sys

import pytest

from data.definition import FILE, MAX_INPUTS, read_definition
from data.errors import DataError
from data.schema import FOLDER
from tests.conftest import ROOT

TEXT = (FOLDER / FILE).read_text(encoding="utf-8")
SMALL = """\
title = "Fuel of cars"
question = "How far would a car go?"
[row]
name = "car"
[[input]]
name = "weight"
minimum = 0
maximum = 9000
low = 1600
high = 5200
step = 40
default = 2800
[target]
name = "mpg"
minimum = 0
maximum = 200
low = 9
high = 47
default = 25
"""


def define(folder, text):
    """Read a text as the definition of a table."""
    (folder / FILE).write_text(text, encoding="utf-8")
    return read_definition(folder)


def refused(folder, text):
    """Return what is said of a text that is refused, without the path before each problem."""
    with pytest.raises(DataError) as caught:
        define(folder, text)
    start = f"{folder / FILE}: "
    assert all(problem.startswith(start) for problem in caught.value.problems)
    return [problem.removeprefix(start) for problem in caught.value.problems]


def test_what_is_not_said_follows_from_what_is(tmp_path):
    definition = define(tmp_path, SMALL)
    (weight,) = definition.inputs
    assert (weight.label, weight.short_label, weight.text_with_unit(2800.0)) == ("Weight", "weight", "2,800")
    assert (definition.rows, definition.tiles, definition.notes) == ("cars", {}, None)


def test_a_number_may_be_written_with_or_without_a_decimal_point(tmp_path):
    whole, point = define(tmp_path, SMALL), define(tmp_path, re.sub(r"= (\d+)$", r"= \1.0", SMALL, flags=re.MULTILINE))
    assert whole == point
    assert all(type(value) is float for value in (whole.inputs[0].low, whole.inputs[0].default, whole.target.maximum))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("low = 1600\n", "", "input 1 (weight), low: is missing. Write low = 10."),
        ("low = 1600", 'low = "1600"', "input 1 (weight), low: '1600' is not a number. Write low = 10."),
        ("low = 1600", "low = true", "input 1 (weight), low: True is not a number. Write low = 10."),
        ("low = 1600", "low = nan", "input 1 (weight), low: nan is not possible. Write low = 10."),
        ("low = 1600", "lowest = 1600", "input 1 (weight), lowest: is not known here. Write low."),
        ("default = 2800", "default = 2810", "input 1 (weight), default: 2810 is no position of the slider."),
        ("default = 2800", "default = 8000", "input 1 (weight), default: 8000 is no position of the slider."),
        ("step = 40", "step = 7", "input 1 (weight), step: 7 goes 514.286 times from 1600 to 5200."),
        ("step = 40", "step = 1", "input 1 (weight), step: 1 goes 3600 times from 1600 to 5200."),
        ("step = 40", "step = 0", "input 1 (weight), step: 0 is not above 0. Write step = 36."),
        ("high = 5200", "high = 1600", "input 1 (weight), high: 1600 is below low, 1600. Raise it, or lower low."),
        ("high = 5200", "high = 9900", "input 1 (weight), maximum: 9000 is below high, 9900. Raise it, or lower high."),
        ("low = 9\n", "low = -1\n", "target, low: -1 is below minimum, 0. Raise it, or lower minimum."),
        ('name = "weight"', 'name = "weight (lb)"', "input 1 (weight (lb)), name: a column cannot be called"),
        ('name = "mpg"', 'name = "Weight"', "target, name: 'Weight' also means input 1 (weight). Change one."),
        ('name = "mpg"', 'name = "mpg"\naliases = ["CAR"]', "target, aliases: 'CAR' also means row. Change one."),
        ('name = "mpg"', 'name = "mpg"\naliases = "miles"', "target, aliases: 'miles' is not a list. Write"),
        ('name = "mpg"', 'name = "mpg"\naliases = [1]', "target, aliases: [1] is not a list of texts. Write"),
        ('name = "mpg"', 'name = "mpg"\ntemplate = "mpg"', "target, template: 'mpg' has no place for the number."),
        ('name = "mpg"', 'name = "mpg"\ndecimals = 9', "target, decimals: 9 is not from 0 to 6. Write decimals = 0."),
        ('name = "mpg"', 'name = "mpg"\nis_share = true', "target, is_share: is for inputs alone. Remove it, and"),
        ("step = 40", "step = 1e-310", "input 1 (weight), step: 1e-310 goes inf times from 1600 to 5200."),
        ("step = 40", f"step = {'9' * 5000}", "Exceeds the limit"),
        ('name = "mpg"', 'name = "mpg"\nis_share = 1', "target, is_share: 1 is not true or false."),
        ("[target]", "[targets]", "targets: is not known here. Write target."),
        ('[row]\nname = "car"', 'row = "car"', "row: is 'car', not a part with keys of its own. Write it as [row]."),
        ("[[input]]", "[input]", "input: {'name': 'weight'"),
        ('title = "Fuel of cars"', 'title = " "', 'title: is empty. Write title = "Fuel of cars".'),
        ('title = "Fuel of cars"', "title = Fuel of cars", "Invalid value (at line 1, column 9)."),
    ],
)
def test_each_mistake_is_told_with_its_place_and_the_cure(tmp_path, old, new, said):
    assert old in SMALL
    assert [problem for problem in refused(tmp_path, SMALL.replace(old, new, 1)) if problem.startswith(said)]


SORT = """\
[[input]]
name = "sort"
choices = ["Cox", "Elstar", "Gala"]
default = "Elstar"
[target]
"""


def test_a_category_is_stored_by_codes_and_read_by_labels_in_any_case(tmp_path):
    _, column = define(tmp_path, SMALL.replace("[target]\n", SORT)).inputs
    assert (column.low, column.high, column.default, column.grid) == (0, 2, 1, [0, 1, 2])
    assert [column.check(value) for value in ("Gala", " gala ", "COX", 2.0)] == [2, 2, 0, 2]
    assert (column.text(2.0), column.plain(2.0), column.text_with_unit(0.0)) == ("Gala", "Gala", "Cox")
    for value in ("Fuji", "", "2", 1, True, 0.5, 3.0, -1.0, float("nan"), None, ["Cox"]):
        with pytest.raises(DataError, match=r"is none of the choices\. Give one of 'Cox', 'Elstar', 'Gala'\."):
            column.check(value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '["Cox", "Elstar", "Gala"]',
            '["Elstar"]',
            "choices: there are 1. Give from 2 to 30, each in quotation marks.",
        ),
        ('"Gala"]', '"Gala", "cox"]', "choices: 'cox' is there twice, for capitals do not count. Keep one."),
        ('"Gala"]', '"Gala", " "]', "choices: '' is no label. Give one of 1 to 60 printable characters."),
        ('["Cox", "Elstar", "Gala"]', "[4, 6, 8]", "choices: [4, 6, 8] is not a list of texts."),
        ('default = "Elstar"', 'default = "Fuji"', "default: 'Fuji' is none of the choices. Write one of Cox, Elstar"),
        ('default = "Elstar"', "", "default: is missing."),
        ('default = "Elstar"', 'default = "Elstar"\nlow = 1', "low: is not known here. Remove it."),
    ],
)
def test_each_mistake_in_a_category_is_told(tmp_path, old, new, said):
    assert old in SORT
    problems = refused(tmp_path, SMALL.replace("[target]\n", SORT.replace(old, new, 1)))
    assert [problem for problem in problems if problem.startswith(f"input 2 (sort), {said}")], problems


def test_all_mistakes_are_told_at_once(tmp_path):
    text = SMALL.replace("low = 1600\n", "").replace("step = 40\n", "").replace('title = "Fuel of cars"\n', "")
    assert {problem.split(":")[0] for problem in refused(tmp_path, text)} >= {
        "input 1 (weight), low",
        "input 1 (weight), step",
        "title",
    }


def test_there_are_up_to_twenty_inputs(tmp_path):
    begin, end = SMALL.index("[[input]]"), SMALL.index("[target]")
    one = SMALL[begin:end]

    def with_inputs(number):
        parts = (one.replace("weight", f"weight_{i}") for i in range(number))
        return SMALL[:begin] + "".join(parts) + SMALL[end:]

    assert len(define(tmp_path, with_inputs(MAX_INPUTS)).inputs) == 20
    (problem,) = refused(tmp_path, with_inputs(21))
    assert problem == "input: there are 21. Give from 1 to 20, each below a line [[input]]."
    (problem,) = refused(tmp_path, with_inputs(0))
    assert problem.startswith("input: there are 0.")


def test_a_file_that_is_not_there_or_not_text_is_told(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read \(No such file or directory\)\. Check the path"):
        read_definition(tmp_path)
    (tmp_path / FILE).write_bytes(b"title = '\xff'")
    with pytest.raises(DataError, match=r"is not UTF-8\. Save it as UTF-8"):
        read_definition(tmp_path)


@pytest.mark.slow
def test_a_mistake_ends_server_and_command_with_its_cure_alone(project):
    (project / "data" / "petrol" / FILE).write_text(re.sub(r"(?m)^low = .*\n", "", TEXT, count=1), encoding="utf-8")
    for command in (["server.py"], ["-m", "model", "--help"]):
        done = subprocess.run([sys.executable, *command], cwd=project, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"{project}/data/petrol/table.toml: input 1 (petrol_tax), low: is missing.")
        assert "Traceback" not in done.stderr


def test_the_shipped_table_says_what_the_readme_of_the_data_says():
    readme = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    definition = read_definition(FOLDER)
    for column in (*definition.inputs, definition.target):
        assert f"| `{column.name}` |" in readme
