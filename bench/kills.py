"""Server and worker killed at random moments of retraining and promoting: what was acknowledged must still be there."""

import asyncio
import contextlib
import itertools
import json
import random
import urllib.request
from dataclasses import dataclass, field
from functools import partial

import psutil
from websockets import ConnectionClosed

from bench.sessions import process_of
from bench.visit import Visit
from data.schema import FEATURES
from model.answering.prediction import predict
from model.queue import jobs
from model.store import history, versions
from model.store.database import Store
from tests.conftest import running_server
from tests.stores import ended, worker_process

_LONGEST = 2.5  # [s] from the beginning of a round to its kill
_SCENARIO = {column.name: column.default for column in FEATURES}


@dataclass
class Outcome:
    """What the kills did; all but the first three should stay at zero."""

    n_kills: int = 0
    n_while_training: int = 0
    n_promotions: int = 0
    lost_versions: int = 0
    lost_promotions: int = 0
    stuck_jobs: int = 0
    wrong_answers: int = 0
    other: list = field(default_factory=list)


async def train(visit, seeds, seen):
    """Ask for one small training after the other, and note what is there."""
    await visit.go("retrain")
    await visit.choose("Algorithm", "Ridge")
    while True:
        if visit.has("button", "Retrain"):
            await visit.count("Seed", next(seeds))
            await visit.press("Retrain")
        await visit.run()
        seen |= {int(part.partition("=")[2]) for part in visit.query.split("&") if part.startswith("candidate=")}


async def promote(visit, store, reasons, acknowledged):
    """Promote one version after the other, and note what the page has taken."""
    while True:
        active, _ = history.find_active(store)
        others = [one.id for one in versions.list_versions(store) if one.id != active and not one.broken]
        if not others:
            await visit.run()
            continue
        number, reason = random.choice(others[-4:]), next(reasons)  # noqa: S311 - any will do
        await visit.go("models", f"version={number}")
        verbs = [verb for verb in ("Promote", "Roll back to") if visit.has("button", f"{verb} version {number}")]
        if not verbs:
            continue
        visit.write("Reason", reason)
        visit.write("Your name", "somebody")
        visit.tick("I have seen that")
        await visit.press(f"{verbs[0]} version {number}")
        if f"Version {number}:" in visit.text.partition("What was active when")[0]:  # the menu names it
            acknowledged.append(reason)


def _reasons(store):
    return [one.reason for one in history.list_promotions(store)]


async def _round(url, store, victims, chance, memory, outcome):
    """Let two visitors work, and kill somebody in the middle."""
    async with contextlib.AsyncExitStack() as leaving:
        visits = [await Visit.open(url) for _ in range(2)]
        for visit in visits:
            leaving.push_async_callback(visit.close)
        working = [
            asyncio.create_task(train(visits[0], memory.seeds, memory.seen)),
            asyncio.create_task(promote(visits[1], store, memory.reasons, memory.acknowledged)),
        ]
        await asyncio.wait(working, timeout=chance.uniform(0.05, _LONGEST), return_when=asyncio.FIRST_EXCEPTION)
        worker = worker_process(store)
        if "worker" in victims and not worker:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(4):
                    while not (worker := worker_process(store)):  # noqa: ASYNC110 - it is another process
                        await asyncio.sleep(0.02)
                    await asyncio.sleep(chance.uniform(0, 1.2))
        outcome.n_while_training += worker is not None
        if "worker" in victims and worker:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker[1].kill()
        if "server" in victims:
            process_of(url).kill()
        outcome.n_kills += 1
        if "server" not in victims:
            await asyncio.sleep(0.3)  # and they go on for a moment
        for task in working:
            task.cancel()
        for done in await asyncio.gather(*working, return_exceptions=True):
            if done and not isinstance(done, (asyncio.CancelledError, ConnectionClosed, TimeoutError)):
                outcome.other.append(repr(done)[:500])


@dataclass
class Memory:
    """What was seen and acknowledged before any kill."""

    seeds: object = field(default_factory=lambda: itertools.count(1))
    reasons: object = field(default_factory=lambda: map("reason {}".format, itertools.count(1)))
    seen: set = field(default_factory=set)
    acknowledged: list = field(default_factory=list)


def check(store, memory, outcome):
    """Open the store as a new process would, and look whether all is there."""
    again = history.open_store(store.url)  # whose file is checked as a whole
    there = {one.id for one in versions.list_versions(again)}
    outcome.lost_versions = len(memory.seen - there)
    kept = set(_reasons(again))
    outcome.lost_promotions = sum(reason not in kept for reason in memory.acknowledged)
    outcome.n_promotions = len(memory.acknowledged)
    model, notice, _ = history.load_active_model(again, partial(versions.load_version, again))
    if notice or model.notice:
        outcome.other.append(f"the active model says: {notice} {model.notice}")
    done = {job.id for job in jobs.list_jobs(again) if job.state == "done"}
    made = {one.job_id for one in versions.list_versions(again)} - {None}
    if made != done:
        outcome.other.append(f"jobs done: {sorted(done - made)} without versions, {sorted(made - done)} the other way")
    memory.seen |= there
    return model


def _answers(url, model):
    """Whether the server answers as the active model does."""
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{url}/api/predict", json.dumps(_SCENARIO).encode(), headers)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310
        return json.load(reply)["value"] == predict(model, _SCENARIO).value


def run(folder, n_kills, seed=1972):
    """Kill worker, server, or both in turn, and check the store after each.

    Parameters
    ----------
    folder : pathlib.Path
        An empty one, for the store and the servers' logs.
    n_kills : int
    seed : int, default=1972

    Returns
    -------
    Outcome
    """
    chance, memory, outcome = random.Random(seed), Memory(), Outcome()  # noqa: S311 - repeatable
    store = history.open_store(f"sqlite:///{folder}/store.db")
    turns = itertools.cycle([("worker",), ("server",), ("worker",), ("worker", "server")])
    log = folder / "log"
    while outcome.n_kills < n_kills:
        try:
            with running_server(log=log, PETROL_STORE_URL=store.url) as url:
                while outcome.n_kills < n_kills:
                    victims = next(turns)
                    outcome.wrong_answers += not _answers(url, check(store, memory, outcome))
                    asyncio.run(_round(url, store, victims, chance, memory, outcome))
                    if "Traceback" in log.read_text(encoding="utf-8", errors="replace"):
                        outcome.other.append(f"a traceback in {log}")
                        return outcome
                    if "server" in victims:
                        break
        except AssertionError as error:
            if "the server died" not in str(error):
                raise
    with running_server(log=log, PETROL_STORE_URL=store.url) as url:
        outcome.wrong_answers += not _answers(url, check(store, memory, outcome))
        for job in jobs.list_open_jobs(Store(store.url)):
            try:
                ended(store, job.id, 60)
            except AssertionError:
                outcome.stuck_jobs += 1
    return outcome
