"""The What-if page's address, as its modules write and read it."""

import itertools
from urllib.parse import parse_qs

import pytest

from data.schema import FEATURES
from pages.shared import controls
from pages.shared.controls import format_level
from tests.javascript import RANDOM, scenarios

BY_NAME = {column.name: column for column in FEATURES}


def views(rows_told, n):
    """Choose starts, values of which some are as there, on the slider's grid, typed or anything, and levels."""
    for typed in scenarios(n):
        start = rows_told["starts"][RANDOM.integers(len(rows_told["starts"]))]
        values = [
            [own, column.grid[RANDOM.integers(column.n_steps)], value, RANDOM.uniform(column.low, column.high)]
            for own, value, column in zip(start["values"], typed, FEATURES, strict=True)
        ]
        values = [each[RANDOM.integers(4)] for each in values]
        yield {"start": start, "values": values, "level": float(RANDOM.choice(rows_told["levels"]))}


@pytest.mark.parametrize("is_whole", [False, True])
def test_an_address_brings_back_start_values_and_level_and_python_reads_the_same(js, rows_told, is_whole):
    went = list(views(rows_told, 200))
    code = """
      went.map((view) => {
        const text = parametersOf({ model, ...view }, "", isWhole).toString();
        return [text, readAddress(model, `?${text}`)];
      })
    """
    for one, (text, came) in zip(went, js(code, went=went, model=rows_told, isWhole=is_whole), strict=True):
        assert came == one
        told = {name: texts[0] for name, texts in parse_qs(text).items()}
        assert told.pop("from", "") == one["start"]["code"]
        assert told.pop("coverage", None if is_whole else "90 %") == format_level(one["level"])
        expected = zip(rows_told["inputs"], one["values"], one["start"]["values"], strict=True)
        moved = {told["key"]: value for told, value, own in expected if is_whole or value != own}
        assert {name: float(value) for name, value in told.items()} == moved


@pytest.mark.parametrize(
    "text",
    ["nan", "NaN", "1e999", "-1e999", "Infinity", "-7", "99999999", "text", "", "+", "%20", "7,5,", "7;", "1_0",
     "__proto__", "%00", "%F0%9F", "null", "true", "[7]", "{}"],
)  # fmt: skip
def test_what_an_address_cannot_ask_for_stays_as_the_start_has_it(js, rows_told, text):
    model = rows_told | {"inputs": [told | {"low": -0.05} for told in rows_told["inputs"]]}  # 0 is possible
    for name in [*(told["key"] for told in rows_told["inputs"]), "coverage", "other"]:
        came = js("readAddress(model, address)", model=model, address=f"?from=OH&{name}={text}")
        assert came["start"]["code"] == "OH"
        assert (came["values"], came["level"]) == (came["start"]["values"], 0.9)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("petrol_tax", "7,5", 7.5), ("petrol_tax", "7.5", 7.5), ("petrol_tax", "750", None),
        ("driver_licence_share", "0.6", 0.6), ("driver_licence_share", "56.5", 0.565),
        ("driver_licence_share", "5.65", None), ("average_income", "4,300", None), ("average_income", "4 300", 4300),
    ],
)  # fmt: skip
def test_a_link_is_read_alike_in_the_page_and_behind_it(js, rows_told, name, text, value):
    came = js("readAddress(model, address)", model=rows_told, address=f"?{name}={text.replace(' ', '%20')}")
    assert came["values"][list(BY_NAME).index(name)] == (BY_NAME[name].default if value is None else value)
    assert controls._read_in_link(BY_NAME[name], text) == value


@pytest.mark.parametrize("code", ["", "oh no", "nobody", "__proto__", "0", "undefined", "%00"])
def test_who_starts_from_nobody_starts_from_the_typical_one(js, rows_told, code):
    came = js("readAddress(model, address)", model=rows_told, address=f"?from={code}&average_income=4000")
    values = [column.default if column.name != "average_income" else 4000 for column in FEATURES]
    assert came == {"start": rows_told["starts"][0], "values": values, "level": 0.9}


def test_an_address_keeps_what_others_wrote_and_drops_what_no_longer_holds(js, rows_told):
    code = "parametersOf({ model, start, values: start.values, level: 0.9 }, address).toString()"
    address = "?embed=true&petrol_tax=9&from=OH&coverage=80+%25&version=3"
    assert js(code, model=rows_told, start=rows_told["starts"][0], address=address) == "embed=true&version=3"


HISTORY = """
  const entries = [{ state: { of: "Streamlit" }, search: "?version=3&embed=true" }];
  const write = (isNew) => (state, _, address) => {
    if (isNew) entries.push({});
    Object.assign(entries.at(-1), { state, search: new URL(address, "http://x").search });
  };
  const history = { get state() { return entries.at(-1).state }, pushState: write(true), replaceState: write(false) };
  const location = { pathname: "/app/", hash: "#a", get search() { return entries.at(-1).search } };
  Object.assign(globalThis, { location, history });
  const start = { ...model.starts[0], values: model.starts[0].values.with(0, 7.5) };
  const at = (time, tax, isReplacing) => {
    Date.now = () => begin + time;
    writeAddress({ model, start, values: [tax, ...start.values.slice(1)], level: 0.9 }, isReplacing);
  };
  const told = () => [history.state.of, isWritten(), ...entries.map(({ search }) => search)];
"""
FIRST, TAX = "?version=3&embed=true", "?embed=true&petrol_tax="


def test_moves_that_follow_each_other_at_once_are_one_entry_of_the_history(js, rows_told):
    begin = itertools.count(10**9, 10**6)  # [ms] each time a later one

    def told_after(*moves):
        return js(f"(() => {{ {HISTORY} {'; '.join(moves)}; return told() }})()", model=rows_told, begin=next(begin))

    assert told_after() == ["Streamlit", False, FIRST]
    assert told_after("at(0, 7.5, true)") == ["Streamlit", True, FIRST]
    moves = ("at(0, 7.5, true)", "at(5000, 8)", "at(5900, 8.1)", "at(6800, 8.2)")
    assert told_after(*moves) == ["Streamlit", True, FIRST, f"{TAX}8.2"]
    assert told_after(*moves, "at(7900, 9)", "at(9900, 9)") == ["Streamlit", True, FIRST, f"{TAX}8.2", f"{TAX}9"]
    assert told_after(*moves, "entries.pop()", "at(7000, 9)") == ["Streamlit", True, FIRST, f"{TAX}9"]


CLOCK = """
  let [timer, writes] = [null, []];
  globalThis.setTimeout = (call, wait) => (timer = { call, due: Date.now() - begin + wait });
  globalThis.clearTimeout = () => (timer = null);
  const pass = (time) => {
    if (!timer || timer.due > time) return;
    const { call, due } = timer;
    [timer, Date.now] = [null, () => begin + due];
    call();
  };
  for (const way of ["pushState", "replaceState"]) {
    const write = history[way];
    history[way] = (...given) => writes.push(Date.now() - begin) && write(...given);
  }
  for (let i = 0; i <= 300; i += 1) {
    pass(33 * i);
    at(33 * i, 5 + i / 100);
  }
"""


def test_a_key_held_for_ten_seconds_writes_no_address_more_often_than_webkit_allows(js, rows_told):
    code = f"(() => {{ {HISTORY} {CLOCK} pass(20000); return [writes.length, ...told()] }})()"
    n, *told = js(code, model=rows_told, begin=2 * 10**9)
    assert 50 < n < 100
    assert told == ["Streamlit", True, FIRST, f"{TAX}8"]


def test_what_waits_to_be_written_is_not_written_to_another_page(js, rows_told):
    code = f"(() => {{ {HISTORY} {CLOCK} location.pathname = '/explore'; pass(20000); return told() }})()"
    assert float(js(code, model=rows_told, begin=3 * 10**9)[-1].removeprefix(TAX)) < 8
