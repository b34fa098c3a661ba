"""Drag, keys, upload and download in Firefox and in WebKit; Chromium does most of that in the other browser tests."""

import shutil

import pytest

from data.inputs import load_inputs
from data.schema import FEATURES
from model.answering.prediction import predict
from model.answering.scoring import score_file, write_csv
from tests import engines, programs
from tests.conftest import ROOT
from tests.nginx import running_nginx
from tests.stores import wait_until
from tests.webdriver import WATCH, running_firefox, running_webkit
from tests.what_if_page import COLUMNS, DEFAULTS, assert_page_agrees, position

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ENGINES = {
    "Firefox": (engines.firefox, running_firefox),
    "WebKit": (engines.webkit, running_webkit),
}
SHARE = "driver_licence_share"
RIGHT, HOME, ENTER = "\ue014", "\ue011", "\ue007"  # as WebDriver writes keys
ROWS_FIELD = "[class*=st-key-app-retrain_rows] input"
THUMB = 24  # [px]
ROWS = b"petrol_tax,average_income,paved_highways,driver_licence_share\n9,3571,1976,0.525\n7.5,4000,2000,0.6\nx,1,1,1\n"
SHOWN = """() => {
  const text = (selector) => document.querySelector(selector)?.textContent ?? "";
  const of = (name) => text(`[data-testid=live-${name}]`);
  const values = [...document.querySelectorAll(".wi-track input")].map(({ value }) => Number(value));
  return {
    values, number: of("prediction"), low: of("low"), high: of("high"), why: text(".wi-average h2"),
    isWaiting: document.querySelector(".wi").className !== "wi", search: location.search, ...window.seen,
  };
}"""


@pytest.fixture(scope="module", params=ENGINES)
def engine(request, tmp_path_factory):
    """Return the page of a browser that is not Chromium."""
    find, running = ENGINES[request.param]
    program = programs.required(find(), request.param)
    with running(program, tmp_path_factory.mktemp(request.param)) as page:
        yield page


@pytest.fixture
def what_if(engine, server):
    """Return the What-if page as a newcomer sees it; afterwards nothing may have gone wrong in it."""
    engine.open(server, "[data-testid=live-prediction]")
    yield engine
    assert engine.evaluate("() => window.seen.wrong") == []


def shown(page):
    return page.evaluate(SHOWN)


def sees(page, **expected):
    """Return what the page shows, if this is a part of it."""
    seen = shown(page)
    return seen if expected.items() <= seen.items() else None


def settled(page, answer):
    """Return what the page shows, as soon as that is the server's answer in every part."""
    expected = {
        "values": list(answer.scenario.values()),
        "number": f"{answer.value:,.0f}",
        "low": f"{answer.low:,.0f}",
        "high": f"{answer.high:,.0f}",
        "isWaiting": False,
        "search": address(answer.scenario),
    }
    return wait_until(lambda: sees(page, **expected), 30, f"{expected}")


def address(scenario):
    moved = [f"{name}={value:.10g}" for name, value in scenario.items() if value != DEFAULTS[name]]
    return f"?{'&'.join(moved)}" if moved else ""


def reads(page, text):
    """Wait until this is on the page."""
    wait_until(lambda: page.evaluate("(text) => document.body.innerText.includes(text)", text), 60, text)


def place(page, column, value):
    """Return where the middle of a slider's thumb is at a value."""
    (x, y), width = page.middle(f"#wi-{column.name}"), page.box(f"#wi-{column.name}")["width"]
    return x + (width - THUMB) * ((value - column.low) / (column.high - column.low) - 0.5), y


def most_in_ten_seconds(times):
    return max(sum(begin <= each < begin + 10_000 for each in times) for begin in times)


def test_what_is_dragged_is_answered_in_the_browser_and_let_go_by_the_server(what_if, model):
    there = DEFAULTS
    for column in FEATURES:
        answer = predict(model, there)
        before = settled(what_if, answer)
        what_if.point(*place(what_if, column, there[column.name]), "pointerDown")
        assert what_if.evaluate("(slider) => document.querySelector(slider).matches(':active')", f"#wi-{column.name}")
        for step in (len(column.grid) * share // 10 for share in (7, 8, 9)):
            x, y = place(what_if, column, column.grid[step])
            what_if.point(x, y)
            number = f"{answer.curves[column.name][step]:,.0f}"
            held = wait_until(lambda: sees(what_if, number=number), 30, f"{number} gallons at step {step}")  # noqa: B023 - at once
            dot = what_if.box(f"[data-testid=row-{column.name}] .wi-dot")
            assert dot["x"] + dot["width"] / 2 == pytest.approx(x, abs=1)
            assert (held["sent"], held["search"]) == (before["sent"], before["search"])
        what_if.point(x, y, "pointerUp")
        there = there | {column.name: column.grid[step]}
        assert settled(what_if, predict(model, there))["sent"] == before["sent"] + 1


@pytest.mark.soak
def test_an_arrow_key_moves_a_step_and_may_be_held_for_ten_seconds(what_if, model):
    settled(what_if, predict(model, DEFAULTS))
    what_if.evaluate("(selector) => document.querySelector(selector).focus()", f"#wi-{SHARE}")
    what_if.press(RIGHT)
    settled(what_if, predict(model, DEFAULTS | {SHARE: position(SHARE, DEFAULTS[SHARE], 1)}))
    what_if.press(HOME)
    before = settled(what_if, predict(model, DEFAULTS | {SHARE: COLUMNS[SHARE].low}))
    what_if.hold(RIGHT, 300, 30)
    held = settled(what_if, predict(model, DEFAULTS | {SHARE: COLUMNS[SHARE].high}))
    assert held["sent"] > before["sent"] + 200  # each step was a move of its own
    assert most_in_ten_seconds(held["written"]) <= 100


@pytest.mark.soak
def test_in_chromium_an_arrow_key_may_be_held_too(server, open_page, model):
    page = open_page(server, init_script=f"({WATCH})()")
    page.locator(f"#wi-{SHARE}").focus()
    for _ in range(300):
        page.keyboard.down("ArrowRight")
    page.keyboard.up("ArrowRight")
    assert_page_agrees(page, predict(model, DEFAULTS | {SHARE: COLUMNS[SHARE].high}))
    assert 10 < most_in_ten_seconds(page.evaluate("seen.written")) <= 100


@pytest.mark.soak
def test_a_file_is_scored_and_comes_back(engine, server, model, tmp_path):
    file = tmp_path / "counties.csv"
    file.write_bytes(ROWS)
    engine.open(f"{server}/score", "input[type=file]")
    engine.choose_file("input[type=file]", file)
    reads(engine, "2 of 3 rows scored of counties.csv")
    engine.click("[data-testid=stBaseButton-primary]")
    came = engine.downloads / "counties-scored.csv"
    expected = write_csv(score_file(model, load_inputs(ROWS)))
    wait_until(lambda: came.exists() and came.read_bytes() == expected, 30, f"{came.name} in {engine.downloads}")
    assert engine.evaluate("() => window.seen.wrong") == []


@pytest.mark.soak
def test_rows_to_train_on_are_taken_from_a_file(engine, server, tmp_path):
    file = tmp_path / "states.csv"
    shutil.copy(ROOT / "data" / "petrol" / "rows.csv", file)
    engine.open(f"{server}/retrain", ROWS_FIELD)
    engine.click(ROWS_FIELD)
    engine.press(*"A CSV", ENTER)
    wait_until(lambda: engine.evaluate("() => document.querySelector('input[type=file]') !== null"), 30, "a field")
    engine.choose_file("input[type=file]", file)
    reads(engine, "states.csv: 48 states, every cell checked.")
    assert engine.evaluate("() => window.seen.wrong") == []


@pytest.mark.soak
def test_behind_a_proxy_that_asks_for_another_host_it_says_what_to_set(engine, server, tmp_path):
    """Engines differ in when they say which page a request comes from; none may leave the page empty."""

    def asking_for_another(text):
        return (
            text.replace("$http_host", "somewhere.example").replace("/petrol", "").replace("location  /", "location /")
        )

    with running_nginx(tmp_path, "nginx.conf", {8501: int(server.rpartition(":")[2])}, edit=asking_for_another) as url:
        engine.visit(url)
        said = f"PETROL_ORIGINS={url}"
        wait_until(lambda: said in engine.evaluate("() => document.body?.textContent ?? ''"), what=said)
