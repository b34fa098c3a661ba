"""A full disk, a store that somebody holds, a clock set back, damaged bytes: told, survived, and never believed."""

import asyncio
import contextlib
import subprocess
import sys
import time

from bench.visit import Visit
from data.load import load_rows
from model.answering.prediction import predict_rows
from model.queue import jobs
from model.store import history, versions
from model.store.tables import MODEL_VERSION, OPEN
from tests.conftest import running_server
from tests.stores import add_quick, change, is_over, sql, worker_process

_DISK = 2**20  # [bytes]
_SHARE = 100  # every so many bytes are damaged
_TABLE = load_rows().iloc[1:]


async def _try_promotion(visit, number, reason):
    """Promote on the Models page; return what the page says then."""
    await visit.go("models", f"version={number}")
    verb = "Promote" if visit.has("button", f"Promote version {number}") else "Roll back to"
    visit.write("Reason", reason)
    visit.write("Your name", "Ann")
    visit.tick("I have seen that")
    await visit.press(f"{verb} version {number}")
    return visit.text


def _last(store):
    return history.list_promotions(store)[-1].reason


def _fill(disk, store):
    """Write until nothing fits any more, not even into what the store's log has used before."""
    while sql(store, "PRAGMA wal_checkpoint(TRUNCATE)")[0][0]:  # somebody is reading it
        pass
    with contextlib.suppress(OSError), (disk / "filler").open("ab", buffering=0) as filler:
        while filler.write(bytes(4096)):
            pass


def full_disk(folder):
    """Fill the disk before an upload is kept, in the middle of a training, and before a promotion; only root can.

    Returns
    -------
    dict of bool
        What -> whether it was told clearly and cost nothing.
    """
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", disk], check=True)
    try:
        store = history.open_store(f"sqlite:///{disk}/store.db")
        # The active version is evaluated on the rows of the upload, too: a line is, in no time.
        history.promote(store, add_quick(store, load_rows(), "least_squares"), "Ann", "quick")
        with running_server(log=folder / "log", PETROL_STORE_URL=store.url) as url:
            return asyncio.run(_on_full_disk(url, store, disk)) | {
                "no traceback in the log": "Traceback" not in (folder / "log").read_text(encoding="utf-8")
            }
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


async def _on_full_disk(url, store, disk):
    filler, found, other = disk / "filler", {}, 1
    visit = await Visit.open(url, "retrain")
    await visit.choose("Algorithm", "Ridge")
    await visit.choose("Rows", "A CSV, Excel or Parquet file")
    await visit.upload("mine.csv", _TABLE.to_csv(index=False).encode())
    _fill(disk, store)
    await visit.press("Retrain")
    found["an upload"] = "cannot be written (database or disk is full)" in visit.text and not visit.exceptions()
    filler.unlink()
    await visit.press("Retrain")
    number = int(visit.query.partition("job=")[2].partition("&")[0])
    async with asyncio.timeout(120):
        while not (running := worker_process(store)):  # noqa: ASYNC110 - another process begins it
            await asyncio.sleep(0.01)
    _, worker = running
    worker.suspend()  # or, on a slow machine, it might be done before the disk is full
    try:
        _fill(disk, store)
    finally:
        worker.resume()
    async with asyncio.timeout(120):
        while not (is_over(worker) and "cannot be written (database or disk is full)" in visit.text):
            await asyncio.sleep(0.3)
            await visit.run()
    filler.unlink()  # as long as nothing can be written, no end can be, either
    job = await _end(visit, store, number)
    kept = [one.id for one in versions.list_versions(store) if one.job_id == number]
    told = "What was trained could not be written to the store: the disk is full"
    found["a training"] = job.state == "failed" and told in visit.text and not kept and not visit.exceptions()
    _fill(disk, store)
    told = await _try_promotion(visit, other, "on a full disk")
    found["a promotion"] = "cannot be written (database or disk is full)" in told and _last(store) != "on a full disk"
    filler.unlink()
    await _try_promotion(visit, other, "with room again")
    found["the store afterwards"] = _last(store) == "with room again" and _is_whole(store)
    await visit.close()
    return found


async def _end(visit, store, number):
    """Look at the page until a job has ended, for a minute at the most."""
    async with asyncio.timeout(120):
        while (job := jobs.find_job(store, number)).state in OPEN:
            await asyncio.sleep(0.2)
            await visit.run()
    await visit.run()
    return job


def _is_whole(store):
    return sql(store, "PRAGMA integrity_check") == [("ok",)]


def locked_store(folder, seconds):
    """Hold the store for a while and promote meanwhile.

    Returns
    -------
    waited : float
        [s]
    told : str
        "promoted", or what the page says instead.
    other : float
        The longest that another visitor waited for a slider move meanwhile [s].
    """
    store = history.open_store(f"sqlite:///{folder}/store.db")
    number = add_quick(store, load_rows(), "least_squares")
    with running_server(log=folder / "log", PETROL_STORE_URL=store.url) as url:
        return asyncio.run(_while_locked(url, store, number, seconds))


async def _while_locked(url, store, number, seconds):
    one, other = await Visit.open(url, "models"), await Visit.open(url)
    hold = (
        f"import sqlite3, sys; held = sqlite3.connect({store.location!r}, isolation_level=None); "
        "held.execute('BEGIN IMMEDIATE'); print(1, flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(  # noqa: ASYNC220 - it is started at once
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    holder.stdout.readline()
    start, longest = time.monotonic(), 0.0
    asked = asyncio.create_task(_try_promotion(one, number, "while it is held"))
    try:
        step = 0
        while not asked.done():
            if time.monotonic() - start > seconds and holder.poll() is None:
                holder.communicate()
            moved, step = time.monotonic(), step + 1
            await other.move({"petrol_tax": 7 + step % 20 / 10})
            longest = max(longest, time.monotonic() - moved)
            await asyncio.sleep(0.2)
        told = await asked
    finally:
        holder.kill()
        holder.communicate()
    waited = time.monotonic() - start
    found = (
        "promoted"
        if _last(store) == "while it is held"
        else next(
            (line for line in told.split("\n") if "held by another program" in line), f"nothing clear: {told[-300:]}"
        )
    )
    await one.close()
    await other.close()
    return waited, found, longest


def set_back(folder, library):
    """Promote and train, and do both again in a server whose clock is an hour behind.

    Parameters
    ----------
    folder : pathlib.Path
    library : str
        Of faketime.

    Returns
    -------
    dict of bool
        What -> whether it is right all the same.
    """
    store = history.open_store(f"sqlite:///{folder}/store.db")
    second = add_quick(store, load_rows(), "least_squares")
    history.promote(store, second, "Ann", "before the clock was set back")
    behind = {"LD_PRELOAD": library, "FAKETIME": "-3600s"}
    with running_server(log=folder / "log", PETROL_STORE_URL=store.url, **behind) as url:
        return asyncio.run(_set_back(url, store)) | {
            "no traceback in the log": "Traceback" not in (folder / "log").read_text(encoding="utf-8")
        }


async def _set_back(url, store):
    visit, found = await Visit.open(url, "models"), {}
    await _try_promotion(visit, 1, "after it was set back")
    times = [one.at for one in history.list_promotions(store)]
    found["the clock was set back"] = times[-1] < times[-2]
    found["the last promotion counts"] = history.find_active(store) == (1, 1) and "Version 1:" in visit.text
    await visit.go("models")
    found["the history can be looked at"] = not visit.exceptions() and "What was active when" in visit.text
    await visit.go("retrain")
    await visit.choose("Algorithm", "Ridge")
    await visit.press("Retrain")
    number = int(visit.query.partition("job=")[2].partition("&")[0])
    found["a training ends"] = (await _end(visit, store, number)).state == "done" and not visit.exceptions()
    await visit.close()
    return found


def flipped_bytes(folder, algorithms):
    """Damage every hundredth byte of kept models, one at a time, and have each served.

    Parameters
    ----------
    folder : pathlib.Path
    algorithms : dict
        Those to keep -> their parameters.

    Returns
    -------
    n : int
        Bytes that were damaged.
    detected : int
        Of those: with a notice that says so.
    served : int
        Of those: with the answers of the undamaged model, to the last bit.
    """
    rows, n, detected, served = load_rows(), 0, 0, 0
    store = history.open_store(f"sqlite:///{folder}/store.db")
    for algorithm, parameters in algorithms.items():
        number = add_quick(store, rows, algorithm, parameters)
        model = versions.load_version(store, number)
        expected = predict_rows(model, model.X)
        ((content,),) = sql(store, "SELECT model FROM model_version WHERE id = :id", id=number)
        for place in range(0, len(content), _SHARE):
            damaged = bytearray(content)
            damaged[place] ^= 0xFF
            change(store, MODEL_VERSION, number, model=bytes(damaged))
            found = versions.load_version(store, number)
            n += 1
            detected += "fitted anew" in found.notice
            served += bool((predict_rows(found, model.X) == expected).all())
    return n, detected, served
