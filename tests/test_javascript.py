"""The What-if page's modules in the Node that Playwright brings: against Python's figures, and as one script."""

import itertools
import re
import subprocess
from decimal import Decimal
from math import ceil, floor
from types import SimpleNamespace

import numpy as np
import pytest

from data.schema import FEATURES
from model.answering.change import agreement_in_words, amount_in_words, predict_change, refits_either_side
from model.answering.neighbours import nearest_rows
from model.answering.prediction import predict
from model.fitting.interval import LEVELS
from pages.shared import what_if
from pages.shared.controls import format_level
from tests.javascript import MODULES, NODE, RANDOM, scenarios, somewhere
from tests.test_numbers import ASKED, READ, WRONG

TEXTS = {name: path.read_text(encoding="utf-8") for name, path in MODULES.items()}
TOP_LEVEL = re.compile(r"^(export )?(?:default )?(?:const|let|class|(?:async )?function\*?) (\w+)", re.MULTILINE)
IMPORT = re.compile(r'^import \{ (.+) \} from "\./(\w+)\.js";$', re.MULTILINE)
BY_NAME = {column.name: column for column in FEATURES}
COLUMNS = pytest.mark.parametrize("name", BY_NAME)


@pytest.fixture(scope="module")
def inputs(rows_told):
    """Return what the page is told of each input, by its name."""
    return {told["name"]: told for told in rows_told["inputs"]}


@pytest.mark.parametrize(("typed", "template", "value"), READ)
def test_a_number_is_read_as_people_type_it(js, typed, template, value):
    assert js("readNumber(typed, template)", typed=typed, template=template) == {"value": value}


@pytest.mark.parametrize("template", ["{}", "${}", "{} mi"])
def test_a_number_with_two_readings_is_asked_about(js, template):
    for number, readings in ASKED:
        told = js("readNumber(typed, template)", typed=template.format(number), template=template)
        assert told == {"problem": f"{number} can mean {readings}. Type it without the comma"}


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_no_number_is_told_and_not_guessed(js, typed):
    told = js("readNumber(typed, '{} ¢')", typed=typed)
    assert told == {"problem": f"“{typed.strip()}” is not a number"}
    assert len(js("readNumber('x'.repeat(1000))")["problem"]) < 60


@COLUMNS
def test_a_value_is_written_as_python_writes_it(js, inputs, name):
    column = BY_NAME[name]
    odd = [6.58, 0.6025, 0.55249, 476.5, 4512.5, 0.1 + 0.2, 1 / 3, 2 / 3, 7.0000001, 1e-7, 12345678.9, 0.0]
    values = [*column.grid, *odd, *(somewhere(column, decimals) for decimals in range(7) for _ in range(50))]
    code = "values.map((value) => [textOf(input, value), withUnit(input, value)])"
    for value, (text, with_unit) in zip(values, js(code, values=values, input=inputs[name]), strict=True):
        assert (text, with_unit) == (column.text(value), column.text_with_unit(value)), value


@COLUMNS
def test_what_a_field_shows_is_read_back_as_the_same_value(js, inputs, name):
    """What has a thousands separator may be asked about; another number it may not become."""
    column = BY_NAME[name]
    values = [*column.grid, *(somewhere(column, decimals) for decimals in range(7) for _ in range(50))]
    code = """
      values.map((value) => [plainOf(input, value), textOf(input, value), withUnit(input, value)]
        .map((text) => readNumber(text, input.template))
        .map(({ value, problem }) => (problem ? problem.includes(" can mean ") : storedOf(input, value))))
    """
    for value, (plain, *others) in zip(values, js(code, values=values, input=inputs[name]), strict=True):
        assert plain == value
        assert set(others) <= {value, True}


def test_a_change_is_said_as_python_says_it(js):
    changes = [-0.4, 0.4, -0.6, 0.6, -46.2, 0.0, -0.0, 1234.6, -1234.6, 999.6]
    changes += [each for each in RANDOM.normal(scale=900, size=300).round(3).tolist() if each % 1 != 0.5]
    said = js("changes.map((change) => [amount(change), signed(change)])", changes=changes)
    for each, (words, figure) in zip(changes, said, strict=True):
        assert words == amount_in_words(each)
        assert figure == (f"{round(each):+,}".replace("-", "−") if round(each) else "0")


@COLUMNS
def test_steps_are_those_of_the_slider(js, inputs, name):
    column = BY_NAME[name]
    grid = js("Array.from({ length: n }, (_, step) => valueAt(input, step))", input=inputs[name], n=column.n_steps)
    assert grid == column.grid
    beside = [value + share * column.step for value in column.grid[1:-1] for share in (-0.4, 0, 0.4)]
    steps = js("values.map((value) => stepOf(input, value))", input=inputs[name], values=beside)
    assert steps == np.repeat(range(1, column.n_steps - 1), 3).tolist()


def test_what_is_known_at_a_step_is_the_servers_and_linear_between_coarse_ones(js, model, rows_told):
    for pair in itertools.pairwise(scenarios(6)):
        start, scenario = (dict(zip(BY_NAME, values, strict=True)) for values in pair)
        predicted = predict(model, scenario)
        answer = what_if._answer(model, predicted, predict_change(model, start, scenario), "")
        answer = js("unfold(answer, digits)", answer=answer, digits=rows_told["digits"])
        code = "answer.curves.map(({ value }, place) => value.map((_, step) => lookUp(answer, place, step)))"
        curves = zip(predicted.curves.values(), answer["curves"], js(code, answer=answer), strict=True)
        for exact, curve, looked_up in curves:
            band, value = curve["band"], np.array(curve["value"])
            steps, moved = range(len(value)), value - answer["before"]
            assert curve["value"] == np.round(exact, 3).tolist()
            assert [known["value"] for known in looked_up] == curve["value"]
            assert [known["change"] for known in looked_up] == moved.tolist()
            assert "".join(known["support"][0] for known in looked_up) == curve["support"]
            low, high = (np.interp(steps, band["steps"], band[end]) for end in ("low", "high"))
            np.testing.assert_allclose([known["low"] for known in looked_up], np.minimum(low, moved), atol=1e-9)
            np.testing.assert_allclose([known["high"] for known in looked_up], np.maximum(high, moved), atol=1e-9)
            apart = np.abs(np.subtract.outer(steps, band["steps"]))
            for known, is_nearest in zip(looked_up, apart == apart.min(axis=1, keepdims=True), strict=True):
                assert known["counts"] in [band["counts"][place] for place in np.flatnonzero(is_nearest)]


def test_an_interval_never_excludes_its_change(js):
    band = {"steps": [0, 2, 4], "low": [0, 4, 20], "high": [0, 8, 30], "counts": [[0, 0, 100], [0, 9, 91], [0, 100, 0]]}
    answer = {"before": 600, "curves": [{"value": [600, 590, 606, 650, 625], "support": "nnfvv", "band": band}]}
    found = js("[0, 1, 2, 3, 4].map((step) => lookUp(answer, 0, step))", answer=answer)
    assert [(known["low"], known["change"], known["high"]) for known in found] == [
        (0, 0, 0), (-10, -10, 4), (4, 6, 8), (12, 50, 50), (20, 25, 30)
    ]  # fmt: skip
    assert [known["support"] for known in found] == ["near", "near", "far", "very far", "very far"]


def test_without_refits_the_change_is_known_and_its_interval_is_not(js):
    answer = {"before": 600, "curves": [{"value": [600, 590], "support": "nn"}]}
    assert js("lookUp(answer, 0, 1)", answer=answer) == {"value": 590, "change": -10, "support": "near"}


def test_the_nearest_rows_are_the_servers(js, model, rows_told):
    asked = np.vstack([model.X, scenarios(150)])
    places, distances = nearest_rows(model, asked, 3)
    found = js("asked.map((values) => nearestRows(model, values))", asked=asked.tolist(), model=rows_told)
    assert [[row["place"] for row in rows] for rows in found] == places.tolist()
    np.testing.assert_allclose([[row["distance"] for row in rows] for rows in found], distances, atol=1e-12)
    assert [rows[0]["used"] for rows in found] == model.y[places[:, 0]].tolist()


def test_runs_hold_every_equal_sign_and_reach_to_their_neighbours(js):
    assert js("runsOf('nnfvn', 'n')") == [[0, 2], [3, 4]]
    texts = ["n", "v", "ffnnv", *("".join(RANDOM.choice(list("nfv"), 30)) for _ in range(50))]
    for text, sign in itertools.product(texts, ("n", "[fv]")):
        is_meant = [bool(re.match(sign, each)) for each in text]
        begins = [place for place, meant in enumerate(is_meant) if meant and not (place and is_meant[place - 1])]
        ends = [place for place, meant in enumerate(is_meant) if meant and not any(is_meant[place + 1 : place + 2])]
        expected = [[max(0, b - 1), min(len(text) - 1, e + 1)] for b, e in zip(begins, ends, strict=True)]
        assert js("runsOf(text, sign)", text=text, sign=sign) == expected


def test_ticks_are_all_round_numbers_of_one_step_within_the_ends(js):
    """The step is the smallest of 1, 2 and 5 times a power of ten that makes no more spaces than asked for."""
    ends = [("0", "100"), ("440", "760"), ("-75.2", "31.7"), ("0.3", "0.9"), ("2.5", "11"), ("0", "1")]
    lows = RANDOM.uniform(-900, 900, 200)
    ends += [(f"{low:.2f}", f"{low + width:.2f}") for low, width in zip(lows, RANDOM.uniform(2, 900, 200), strict=True)]
    for (low, high), most in itertools.product(ends, (3, 4, 7)):
        bottom, top = Decimal(low), Decimal(high)
        steps = (Decimal(digit).scaleb(power) for power in range(-4, 5) for digit in (1, 2, 5))
        step = next(each for each in steps if each * most >= top - bottom)
        expected = [float(place * step) for place in range(ceil(bottom / step), floor(top / step) + 1)]
        ticks = js("ticksOf(low, high, most)", low=float(low), high=float(high), most=most)
        assert ticks == pytest.approx(expected, abs=1e-12), (low, high, most)
        assert 1 <= len(ticks) <= most + 1


def test_a_scale_leads_from_its_ends_to_those_of_the_picture_also_without_any_width(js):
    assert js("[5, 7.5, 10].map(scaleOf(5, 10, 36, 236))") == [36, 136, 236]
    assert js("[400, 700].map(scaleOf(400, 700, 82, 4))") == [82, 4]
    assert js("[3, 3].map(scaleOf(3, 3, 10, 90))") == [10, 10]
    assert js("pathOf([[1, 2.04], [3.26, -4]])") == "M1.0,2.0L3.3,-4.0"
    assert js("pathOf([])") == ""
    assert js("ticksOf(3, 3)") == [3]


def test_dots_are_stacked_where_they_meet_and_stay_in_their_slot(js):
    assert js("stacked([10, 11, 20, 9, 12.4], 5)") == [[10, 0], [10, 1], [20, 0], [10, 2], [10, 3]]
    xs = RANDOM.uniform(0, 300, 200).tolist()
    dots = js("stacked(xs, 5)", xs=xs)
    assert len(set(map(tuple, dots))) == 200
    assert max(abs(x - dot[0]) for x, dot in zip(xs, dots, strict=True)) <= 2.5
    assert {(x, height - 1) for x, height in dots if height} <= set(map(tuple, dots))


def test_what_refits_say_is_counted_in_pythons_words(js):
    shares = [(below, above) for below in range(0, 121, 7) for above in range(0, 121 - below, 5)] + [(60, 60), (0, 120)]
    asked = [SimpleNamespace(below=below / 120, above=above / 120) for below, above in shares]
    said = js("each.map(counted)", each=[refits_either_side(one.below, one.above) for one in asked])
    assert said == [agreement_in_words(one) for one in asked]


def test_algorithms_agree_or_the_most_are_named_first(js):
    for signs, words in (
        ([-1] * 8, "All 8 algorithms say less"),
        ([1, 1], "All 2 algorithms say more"),
        ([0, 0, 0], "All 3 algorithms say no change"),
        ([1, -1, -1, 1, 1, 0], "3 of 6 algorithms say more, 2 less, 1 no change"),
        ([1, -1], "1 of 2 algorithms say less, 1 more"),
        ([0, 0, 1], "2 of 3 algorithms say no change, 1 more"),
    ):
        assert js("agreement(signs)", signs=signs) == words


def test_a_level_and_a_start_are_named_as_elsewhere(js, rows_told):
    assert js("levels.map(percent)", levels=LEVELS) == [format_level(level).replace(" ", "\xa0") for level in LEVELS]
    names = js("model.starts.map(startName)", model=rows_told)
    assert names[0] == "the typical state"
    assert names[1:] == [f"{start['name']} as it is" for start in rows_told["starts"][1:]]


@pytest.mark.parametrize(("name", "entry"), [("default", "whatIf"), ("contour", "contour")])
def test_the_script_is_one_module_that_an_engine_accepts(tmp_path, name, entry):
    """With one name declared twice it would not be."""
    (tmp_path / "script.mjs").write_text(what_if.inline_script(name), encoding="utf-8")
    with_styles = "globalThis.document = { getElementById: () => ({}), body: { append() {} } };"  # Node has no page
    main = f'{with_styles} console.log((await import("./script.mjs")).default.name);'
    (tmp_path / "main.mjs").write_text(main, encoding="utf-8")
    for command in (["--check", "script.mjs"], ["main.mjs"]):
        done = subprocess.run([NODE, *command], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert done.stdout == f"{entry}\n"


def test_a_name_is_that_of_one_thing_in_all_modules():
    names = [name for text in TEXTS.values() for _, name in TOP_LEVEL.findall(text)]
    assert len(names) > 50
    assert sorted(set(names)) == sorted(names)


def test_a_module_imports_only_what_those_before_it_export_and_uses_it():
    before, imported = {}, set()
    for name, text in TEXTS.items():
        assert text.count("import ") == len(IMPORT.findall(text)), name  # each on one line, as the join needs
        for names, other in IMPORT.findall(text):
            names = set(names.split(", "))  # noqa: PLW2901
            assert names <= before.get(other, set()), (name, other)
            assert [each for each in names if len(re.findall(rf"\b{each}\b", text)) < 2] == [], name
            imported |= names
        before[name] = {exported for is_exported, exported in TOP_LEVEL.findall(text) if is_exported}
    exported = set().union(*before.values())
    entries, asked_here = {"whatIf", "contour"}, {"counted", "agreement", "placesOf", "mixed", "bandsOf", "valueOn"}
    assert exported - imported == entries | asked_here
