"""Kept scenarios: names that stay apart, and files that come back as they went."""

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as some

from data.cells import escape_cell
from data.errors import DataError
from data.schema import FEATURE_NAMES, FEATURES
from model.answering.prediction import Scenario
from model.answering.scenarios import (
    MAX_FILE_BYTES,
    MAX_KEPT,
    MAX_NAME,
    KeptScenario,
    clean_name,
    move_scenario,
    read_scenarios,
    read_stored,
    rename_scenario,
    write_csv,
    write_json,
    write_stored,
)
from model.fitting.interval import LEVELS

DEFAULTS = {column.name: column.default for column in FEATURES}
TWO = [DEFAULTS, DEFAULTS | {"petrol_tax": 9.0, "average_income": 5000.0, "driver_licence_share": 0.6}]


def kept(name="Base", values=DEFAULTS, coverage=0.9, version=1):
    return KeptScenario(name, Scenario(values), coverage, version, "OH", 601.4, 475.0, 727.7, -46.0, -89.0, 5.0)


@given(some.text(max_size=100), some.lists(some.text(max_size=5), max_size=5))
def test_a_name_is_one_line_not_long_and_not_taken(text, taken):
    name = clean_name(text, taken)
    assert 0 < len(name) <= MAX_NAME
    assert name not in taken
    assert name.isprintable()
    assert name == " ".join(name.split())


def test_a_taken_name_gets_a_number():
    assert clean_name("Ohio", ["Ohio", "Ohio (2)"]) == "Ohio (3)"
    assert clean_name(" \n", [], "Scenario 4") == "Scenario 4"


def test_scenarios_move_within_the_list_and_are_renamed():
    three = [kept("a"), kept("b"), kept("c")]

    def names(made):
        return [one.name for one in made]

    assert names(move_scenario(three, "a", 1)) == ["b", "a", "c"]
    assert (
        names(move_scenario(three, "a", -1))
        == names(move_scenario(three, "c", 1))
        == names(move_scenario(three, "gone", 1))
        == list("abc")
    )
    assert names(rename_scenario(three, "b", "c")[0]) == ["a", "c (2)", "c"]
    assert rename_scenario(three, "b", "c")[1] == "c (2)"
    for same in ("b", "  "):
        assert names(rename_scenario(three, "b", same)[0]) == ["a", "b", "c"]
    assert names(rename_scenario(three, "gone", "x")[0]) == ["a", "b", "c"]
    assert names(three) == ["a", "b", "c"]


@pytest.mark.slow
@pytest.mark.parametrize("write", [write_csv, write_json])
@settings(max_examples=50)
@given(
    some.lists(
        some.tuples(
            some.text(min_size=1, max_size=20),
            some.sampled_from(LEVELS),
            some.integers(0, 999),
            some.tuples(*(some.floats(max(c.minimum, 0.05), c.maximum) for c in FEATURES[:3]), some.floats(0.05, 1)),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_downloaded_is_what_is_loaded(write, listed):
    went = []
    for text, coverage, version, values in listed:
        name = clean_name(text, [one.name for one in went])
        assume(escape_cell(name).removeprefix("'") == name.removeprefix("'"))  # else CSV holds a harmless one
        went.append(kept(name, dict(zip(FEATURE_NAMES, values, strict=True)), coverage, version))
    content = write(went)
    came = read_scenarios(content if isinstance(content, bytes) else content.encode())
    assert [(one.scenario, one.coverage, one.version, one.start) for one in came] == [
        (one.scenario, one.coverage, one.version, one.start) for one in went
    ]
    assert [one.name for one in came] == [one.name for one in went]


def test_a_name_in_a_file_is_no_formula():
    assert b"'=1+1" in write_csv([kept("=1+1")])


GOOD = {"name": "a", **DEFAULTS}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1]", "scenario 1: '1' is not a scenario"),
        (b"{}", "The file is not a list of scenarios"),
        (b"[]", "The file is not a list of scenarios"),
        (b"[{", "This is not JSON that can be read"),
        (b"[" * 100_000, "This is not JSON that can be read"),
        (b'[{"name": "a", "name": "b"}]', "a name is given twice"),
        (json.dumps([GOOD | {"coverage": False}]).encode(), "scenario 1, coverage: 'False' is not a level"),
        (json.dumps([GOOD | {"petrol_tax": "7_5"}]).encode(), "scenario 1, petrol_tax: '7_5' is not a number"),
        (json.dumps([{"name": "a"}]).encode(), "scenario 1, petrol_tax: is missing"),
        (json.dumps([GOOD, GOOD | {"petrol_tax": 999}]).encode(), "scenario 2, petrol_tax: 999 is not possible"),
        (json.dumps([GOOD | {"petrol_tax": float("nan")}]).encode(), "NaN is no number there"),
        (json.dumps([GOOD | {"coverage": 0.5}]).encode(), "scenario 1, coverage: '0.5' is not a level"),
        (json.dumps([GOOD | {"version": -1}]).encode(), "scenario 1, version: '-1' is not the number"),
        (json.dumps([GOOD | {"version": True}]).encode(), "scenario 1, version: 'True' is not the number"),
        (json.dumps([GOOD] * (MAX_KEPT + 1)).encode(), f"The file has {MAX_KEPT + 1} scenarios"),
        (b"a,b\n1,2", "columns petrol_tax, average_income, paved_highways, driver_licence_share are missing"),
        (b"", "The file is empty"),
        (b"petrol_tax,average_income,paved_highways,driver_licence_share\nx,4300,4700,0.5", 'row 2, petrol_tax: "x"'),
        (b"\x00\x01", "The file is not text"),
        (b" " * (MAX_FILE_BYTES + 1), "The file is larger than"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_with_where_what_and_cure(content, expected):
    with pytest.raises(DataError) as caught:
        read_scenarios(content)
    assert expected in str(caught.value)


def test_any_csv_with_the_inputs_can_be_loaded():
    text = "State;Petrol_tax;Average_income;Paved_Highways;licence;coverage\nOhio;7,5;4300;4700;56,5 %;0,8"
    (one,) = read_scenarios(text.encode())
    assert one.scenario == dict(zip(FEATURE_NAMES, (7.5, 4300, 4700, 0.565), strict=True))
    assert (one.name, one.coverage, one.version) == ("", 0.8, 0)


def test_what_a_browser_stores_comes_back_and_anything_else_is_refused_with_a_reason():
    one = replace(kept("Ä \ud83d", TWO[1], 0.8, 3), id="x", position=4)
    found, place = read_stored(write_stored(one))
    assert (found.name, found.scenario, found.coverage, found.version, found.start) == (
        "Ä \ud83d", one.scenario, 0.8, 3, "OH",
    )  # fmt: skip
    assert place == 4
    good = json.loads(write_stored(one))
    for place in ("4", 1e400, 10**30, True, None, [1]):
        text = json.dumps(good | {"place": place}).replace("Infinity", "1e999")
        assert read_stored(text)[1] in (0, 1)
    for text in (
        "",
        "null",
        "[]",
        "{}",
        "{" * 3000,
        "9" * 5000,
        "\ud83d",
        json.dumps(good | {"coverage": 2}),
        "[1],[2",
    ):
        with pytest.raises(DataError) as caught:
            read_stored(text)
        assert not caught.value.problems[0].startswith("scenario")
