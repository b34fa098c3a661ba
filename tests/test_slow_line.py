"""Over a line of any slowness, and with the server writing at the same time, all of the page says one thing at last."""

import asyncio
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from data.schema import FEATURES
from model.answering.change import find_row, start_figures
from model.answering.prediction import predict
from tests.conftest import free_port
from tests.test_explore_browser import assert_selected, click_point, picture
from tests.test_explore_browser import place_of as place_of_row
from tests.what_if_page import (
    COLUMNS,
    DEFAULTS,
    assert_page_agrees,
    field,
    number,
    position,
    settles,
    slider,
    start,
    type_into,
)

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@contextmanager
def slow_line(server):
    """Yield the address of a line to the server, and a list whose one number is its delay each way [s]."""
    port, through, delay = urlsplit(server).port, free_port(), [0.0]
    begun, ending, writers = threading.Event(), [], []

    async def pump(reader, writer):
        loop = asyncio.get_running_loop()
        while data := await reader.read(65536):
            loop.call_later(delay[0], writer.write, data)
        loop.call_later(delay[0], writer.close)

    async def join(reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", port)
        writers.extend((writer, back))
        await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

    async def serve():
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        ending.append(lambda: loop.call_soon_threadsafe(over.set))
        async with await asyncio.start_server(join, "127.0.0.1", through):
            begun.set()
            await over.wait()
            for writer in writers:
                writer.close()
            await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)

    thread = threading.Thread(target=asyncio.run, args=(serve(),), daemon=True)
    thread.start()
    assert begun.wait(10)
    try:
        yield f"http://127.0.0.1:{through}", delay
    finally:
        ending[0]()
        thread.join(10)


@pytest.fixture(scope="module")
def line(server, browser):
    with slow_line(server) as (address, delay):
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(address)
        number(page).wait_for()
        yield page, delay
        delay[0] = 0.0
        page.close()


of_any_slowness = pytest.mark.parametrize(
    "page",
    [0, *(pytest.param(each, marks=pytest.mark.soak) for each in (0.15, 1.0)), 0.5],
    ids=lambda delay: f"round trip {2 * delay:g} s",
    indirect=True,
)


@pytest.fixture
def page(line, request, model):
    """Return the page behind a line, of a second there and back unless a test says otherwise."""
    page, delay = line
    delay[0] = 0.0
    page.get_by_test_id("level").select_option("0.9")
    start(page).select_option("OH")
    start(page).select_option("")
    assert_page_agrees(page, predict(model, DEFAULTS))
    delay[0] = getattr(request, "param", 0.5)
    return page


def figures(model, code):
    return start_figures(model, find_row(model, code))[0]


@of_any_slowness
def test_a_start_and_the_level_right_after_it_both_stay(page, model):
    """What undid presets for good with native sliders, from a round trip of 0.6 s on."""
    ohio = figures(model, "OH")
    start(page).select_option("OH")
    page.get_by_test_id("level").select_option("0.8")
    assert_page_agrees(page, predict(model, ohio, 0.8), "OH", ohio)


@of_any_slowness
def test_moves_that_follow_each_other_before_any_answer_all_count(page, model):
    texas = figures(model, "TX")
    slider(page, "petrol_tax").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    start(page).select_option("TX")
    type_into(page, "average_income", "4000")
    slider(page, "driver_licence_share").focus()
    page.keyboard.press("ArrowLeft")
    share = position("driver_licence_share", texas["driver_licence_share"], -1)
    there = texas | {"average_income": 4000.0, "driver_licence_share": share}
    expect(field(page, "average_income")).to_have_value("4,000")
    assert_page_agrees(page, predict(model, there), "TX", texas)


def test_what_the_server_writes_counts_until_the_visitor_moves_again(page, model):
    """Keep and Show go to the server and come back as another epoch; a move after them is of that one."""
    type_into(page, "petrol_tax", "9")
    page.get_by_label("Name", exact=True).fill("Nine")
    page.get_by_role("button", name="Keep this scenario").click()
    rows = page.locator(".st-key-app-tray_table tbody tr")
    expect(rows.last).to_contain_text("Nine")
    start(page).select_option("WY")
    settles(page)
    page.get_by_role("button", name="Show Nine").click()
    nine = DEFAULTS | {"petrol_tax": 9.0}
    assert_page_agrees(page, predict(model, nine))
    slider(page, "petrol_tax").focus()
    page.keyboard.press("ArrowRight")
    assert_page_agrees(page, predict(model, nine | {"petrol_tax": position("petrol_tax", 9.0, 1)}))
    page.get_by_role("button", name="Remove Nine").click()
    expect(page.get_by_text("Nothing is kept yet.")).to_be_visible()


def test_a_click_on_two_inputs_is_of_those_in_the_picture_though_others_are_on_their_way(line, page, model):
    _, delay = line
    delay[0] = 0.0
    page.get_by_text("Two inputs at once").click()
    picture = page.locator(".wi-contour svg")
    expect(picture.locator(".wi-dot")).to_have_count(1)
    pair = [FEATURES[i].name for i in model.ranked_inputs[:2]]
    other, box = FEATURES[model.ranked_inputs[2]].name, page.get_by_role("combobox", name="Up")
    delay[0] = 0.5
    box.click()
    box.fill(COLUMNS[other].label)
    page.get_by_role("option", name=COLUMNS[other].label).click()
    picture.click(position={"x": 200, "y": 100})
    expect(slider(page, pair[1])).not_to_have_value(f"{DEFAULTS[pair[1]]:g}")
    settles(page)
    there = {name: float(slider(page, name).input_value()) for name in DEFAULTS}
    assert {name for name in DEFAULTS if there[name] != pytest.approx(DEFAULTS[name])} == set(pair)
    assert_page_agrees(page, predict(model, there))
    page.get_by_text("Two inputs at once").click()
    expect(picture).to_have_count(0)


def test_a_connection_that_comes_back_keeps_the_inputs(page, model):
    ohio = figures(model, "OH")
    start(page).select_option("OH")
    type_into(page, "petrol_tax", "9")
    settles(page)
    page.context.set_offline(True)
    slider(page, "driver_licence_share").focus()
    page.keyboard.press("ArrowRight")
    page.context.set_offline(False)
    share = position("driver_licence_share", ohio["driver_licence_share"], 1)
    there = ohio | {"petrol_tax": 9.0, "driver_licence_share": share}
    assert_page_agrees(page, predict(model, there), "OH", ohio)


def test_a_tile_stays_chosen_when_another_control_is_used_before_the_table_has_heard_of_it(line, model):
    page, delays = line
    delays[0] = 0.0
    page.get_by_test_id("stSidebar").get_by_role("link", name="Explore").click()
    expect(picture(page, "map").locator("path.point").first).to_be_visible()
    if (clearing := page.get_by_role("button", name="Clear selection", exact=True)).count():
        clearing.click()
    assert_selected(page, model, [], ["map"])
    delays[0] = 0.5
    click_point(page, "map", place_of_row(model, "WY"))
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option").nth(2).click()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    assert_selected(page, model, ["WY"], ["map"])
    delays[0] = 0.0
    page.get_by_test_id("stSidebar").get_by_role("link", name="What if").click()
    number(page).wait_for()
