"""Two replicas behind nginx, PostgreSQL and a Dask cluster: visitors stay or are taken over, and nothing is lost."""

import asyncio
import contextlib
import re
import threading
import urllib.request as web

import pytest
from playwright.sync_api import expect
from websockets import WebSocketException

from bench.kills import Memory, Outcome, check, promote, train
from bench.visit import Visit
from model.answering.prediction import predict
from model.queue import jobs
from model.store import history
from model.store.tables import JOB
from tests.clusters import Machines, wait_for_workers
from tests.conftest import run_aside
from tests.nginx import answers, running_nginx
from tests.replicas import LISTENS, running_replicas
from tests.retrain_page import Visitor
from tests.stores import add_quick, ended, wait_until
from tests.test_decide_browser import keep, names
from tests.what_if_page import DEFAULTS, assert_page_agrees, held_value, position, slider

pytestmark = [pytest.mark.browser, pytest.mark.slow]
MOVED = {"petrol_tax": 9.5, "driver_licence_share": 0.6}
TABLE = "\n".join(["petrol_tax,average_income,paved_highways,driver_licence_share", *["9,3571,1976,0.525"] * 50])


@pytest.fixture(scope="module")
def replicas(postgresql, tmp_path_factory):
    """Start what compose.scale.yaml does, on this machine."""
    url, machines = postgresql.new(), Machines(tmp_path_factory.mktemp("cluster"))
    history.open_store(url)._engine.dispose()
    try:
        machines.scheduler()
        machines.worker()
        with machines.client() as client:
            wait_for_workers(client, 1)
        cluster = {"PETROL_DASK_SCHEDULER": machines.address}
        with running_replicas(tmp_path_factory.mktemp("replicas"), url, **cluster) as found:
            yield found
    finally:
        machines.end()


@pytest.fixture
def store(replicas):
    return history.open_store(replicas.store_url)


@pytest.fixture
def arrives(replicas, browser):
    """Return a function that brings a visitor to an address of the site, whose connection may be lost."""
    contexts = []

    def open_page(url, *, ready):
        contexts.append(browser.new_context(viewport={"width": 1280, "height": 900}))
        page = contexts[-1].new_page()
        page.goto(url)
        page.get_by_test_id(ready).first.wait_for(timeout=60_000)
        return page

    yield lambda address, at=None: Visitor(open_page, at or replicas.address).goes_to(address)
    for context in contexts:
        context.close()


def replica_of(visitor):
    """Which replica the visitor's cookie names."""
    cookies = {cookie["name"]: cookie["value"] for cookie in visitor.page.context.cookies()}
    return cookies.get("petrol_replica")


def replica_of_newcomer(url):
    """Which replica the cookie names that somebody new is given."""
    with web.urlopen(url) as reply:
        return re.search(r"petrol_replica=(\w)", str(reply.headers))[1]


def moves(visitor, model, key, **values):
    """Press a key on the petrol tax; the whole page must agree with the model."""
    slider(visitor.page, "petrol_tax").press(key)
    n_steps = {"ArrowRight": 1, "ArrowLeft": -1}[key]
    changed = values | {"petrol_tax": position("petrol_tax", values["petrol_tax"], n_steps)}
    assert_page_agrees(visitor.page, predict(model, changed))
    return changed


def scores_a_file(visitor):
    """Upload one, which goes not over the websocket: it must find the same replica."""
    visitor.page.get_by_role("link", name="Score a file").click()
    visitor.sees("It needs the columns")
    visitor.uploads(TABLE.encode())
    visitor.sees("50 of 50 rows scored")


def test_visitors_are_spread_and_each_keeps_what_is_theirs(arrives, model):
    came = [arrives("/") for _ in range(2)]
    assert sorted(map(replica_of, came)) == ["a", "b"]
    for number, visitor in enumerate(came):
        keep(visitor, f"of visitor {number}")
        at = moves(visitor, model, "ArrowRight", **DEFAULTS)
        home = replica_of(visitor)
        scores_a_file(visitor)
        visitor.page.get_by_role("link", name="What if").click()
        expect(slider(visitor.page, "petrol_tax")).to_have_value(f"{at['petrol_tax']:g}")
        expect(visitor.page.locator(".st-key-app-tray_table tbody tr")).to_have_count(1)
        assert names(visitor.page) == [f"of visitor {number}"]
        assert replica_of(visitor) == home


def test_cookies_of_other_programs_come_through_to_a_replica(replicas, page_with_cookies):
    page = page_with_cookies(f"{replicas.address}/", 32_000)
    expect(page.get_by_test_id("live-prediction")).to_be_visible()
    assert "petrol_replica" in {cookie["name"] for cookie in page.context.cookies()}


@pytest.fixture
def in_turn(replicas, tmp_path):
    """Put a balancer that knows no visitors before the replicas; yield its address."""

    def forget_visitors(text):
        changed = text.replace("http://$replicas", "http://app").replace("    least_conn;\n", "")
        assert changed.count("http://app;") == 1
        return changed

    ports = {listens: replicas.ports[name] for name, listens in LISTENS.items()}
    with running_nginx(tmp_path, "nginx.scale.conf", ports, edit=forget_visitors) as url:
        yield url


def downloaded(page, name):
    """Press a button and return the name and the bytes of the file that comes."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=name, exact=True).click()
    assert coming.value.failure() is None
    return coming.value.suggested_filename, coming.value.path().read_bytes()


def test_whichever_replica_is_asked_each_download_comes_every_time(in_turn, open_page):
    visitor = Visitor(open_page, in_turn).goes_to("/models")
    for _ in range(3):
        name, card = downloaded(visitor.page, "Model card")
        assert name == "model_card_1.md"
        assert card.startswith(b"# Version 1")
        name, packed = downloaded(visitor.page, "Model with its record and rows")
        assert (name, packed[:2]) == ("petrol_model_1.zip", b"PK")
    visitor.page.get_by_role("link", name="Score a file").click()
    visitor.sees("It needs the columns")
    for _ in range(2):
        assert downloaded(visitor.page, "Download a template")[0] == "template.csv"


def test_who_loses_their_replica_is_on_the_other_within_ten_seconds_with_their_sliders(arrives, replicas, model):
    query = "&".join(f"{name}={value}" for name, value in MOVED.items())
    ann = arrives(f"/?{query}")
    home = replica_of(ann)
    other = {"a": "b", "b": "a"}[home]
    at = moves(ann, model, "ArrowRight", **DEFAULTS | MOVED)
    bob = arrives("/")
    while replica_of(bob) != other:
        bob = arrives("/")

    replicas.kill(home)
    sliders = slider(ann.page, "petrol_tax")
    wait_until(lambda: replica_of(ann) == other and sliders.is_enabled(), 10, "the way to the other replica")
    for name, value in at.items():
        assert held_value(ann.page, name) == pytest.approx(value)
    at = moves(ann, model, "ArrowRight", **at)
    moves(bob, model, "ArrowRight", **DEFAULTS)  # who was there has not noticed
    assert replica_of(bob) == other

    replicas.start(home)
    wait_until(lambda: replica_of_newcomer(replicas.address) == home, 20, "visitors on both")
    moves(ann, model, "ArrowLeft", **at)
    scores_a_file(ann)
    assert replica_of(ann) == other


def test_what_is_promoted_on_one_answers_on_the_other_and_who_comes_second_is_told(replicas, store, rows):
    line, other = add_quick(store, rows, "least_squares"), add_quick(store, rows)
    active, _ = history.find_active(store)

    async def promotes(visit, number, by):
        visit.write("Reason", "has seen it")
        visit.write("Your name", by)
        visit.tick("I have seen that")
        await visit.press(f"Promote version {number}")

    async def look():
        ann = await Visit.open(replicas.url("a"), "models", f"version={line}")
        bob = await Visit.open(replicas.url("b"), "models", f"version={other}")
        cid = await Visit.open(replicas.url("b"))
        await promotes(ann, line, "Ann")
        assert f"Version {line}: least squares is now active." in ann.text
        await cid.move({"petrol_tax": 7.6})
        assert f"Version {line}: least squares is now active." in cid.text
        await promotes(bob, other, "Bob")
        assert f"Version {line} became active meanwhile." in bob.text
        for visit in (ann, bob, cid):
            await visit.close()

    run_aside(look())
    assert [one.by for one in history.list_promotions(store)][-1] == "Ann"
    history.promote(store, active, "a test", "as before")


@pytest.mark.soak
def test_two_replicas_train_one_after_the_other(replicas, store):
    async def look():
        ann, bob = [await Visit.open(replicas.url(name), "retrain") for name in ("a", "b")]
        for visit, seed in ((ann, 17), (bob, 18)):
            await visit.choose("Algorithm", "Ridge")
            await visit.count("Seed", seed)
            await visit.press("Retrain")
        numbers = [int(re.search(r"job=(\d+)", visit.query)[1]) for visit in (ann, bob)]
        async with asyncio.timeout(120):
            while True:
                both = jobs.list_jobs(store, JOB.c.id.in_(numbers))  # of one moment
                states = [job.state for job in both]
                assert states.count("running") <= 1
                assert "failed" not in states, [job.message for job in both]
                if states == ["done", "done"]:
                    break
                for visit in (ann, bob):
                    await visit.run()
                await asyncio.sleep(0.3)
        for visit in (ann, bob):
            await visit.run()
            assert re.search(r"candidate=\d+", visit.query)
            await visit.close()
        return both

    first, second = run_aside(look())
    assert first.ended_at <= second.started_at


async def _work(url, store, memory, over):
    """Promote and train through nginx until told to stop; who loses the connection comes back."""

    async def again_and_again(work, *arguments):
        while True:
            with contextlib.suppress(WebSocketException, OSError, TimeoutError, EOFError):
                visit = await Visit.open(url)
                try:
                    await work(visit, *arguments)
                finally:
                    await visit.close()

    working = [
        asyncio.create_task(again_and_again(promote, store, memory.reasons, memory.acknowledged)),
        asyncio.create_task(again_and_again(train, memory.seeds, memory.seen)),
    ]
    stop = asyncio.create_task(asyncio.to_thread(over.wait))
    done, _ = await asyncio.wait([*working, stop], return_when=asyncio.FIRST_COMPLETED)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    over.set()
    assert stop in done, [task.exception() for task in done]


@pytest.mark.soak
def test_a_rolling_restart_loses_no_promotion_and_no_finished_training(replicas, store, rows):
    add_quick(store, rows)
    former = {job.id for job in jobs.list_jobs(store)}
    memory, outcome, over, failures = Memory(), Outcome(), threading.Event(), []

    def work():
        try:
            asyncio.run(_work(replicas.address, store, memory, over))
        except Exception as error:  # noqa: BLE001 - of another thread: it is told below
            failures.append(error)
            over.set()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        for name in ("a", "b"):
            n = len(memory.acknowledged)
            wait_until(lambda: over.is_set() or len(memory.acknowledged) > n, 60, "a promotion")  # noqa: B023
            assert not over.is_set(), failures
            replicas.restart(name)
            assert answers(f"{replicas.address}/api/ready")
        n = len(memory.acknowledged)
        wait_until(lambda: over.is_set() or len(memory.acknowledged) > n, 60, "a promotion")
    finally:
        over.set()
        worker.join(90)
    assert failures == []
    for job in jobs.list_open_jobs(store):
        ended(store, job.id)
    check(store, memory, outcome)
    assert (outcome.lost_versions, outcome.lost_promotions, outcome.other) == (0, 0, [])
    assert outcome.n_promotions >= 3
    assert any(job.state == "done" and job.id not in former for job in jobs.list_jobs(store))
