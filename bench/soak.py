"""What the app must survive: ``python -m bench.soak`` prints a table, and fails where a promised zero is none.

``python -m bench.soak crowd files`` does parts of it. All of it takes about fifty minutes.
"""

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import schemathesis

from bench import addresses, crowd, faults, files, kills
from bench.visit import Visit
from data.load import load_rows
from model.fitting import artifact
from model.fitting.algorithms import OFFERED
from model.judging.ranking import comparable_versions, rank_versions
from model.store import history, versions
from model.store.database import Store
from tests import programs, test_api, test_damage, test_load, test_parquet, test_soak
from tests.conftest import ROOT, running_server
from tests.stores import copy_file

_N_KILLS = 200
_N_FILES, _N_MUTATIONS = 230, 2000
_N_CSV, _N_PARQUET, _N_BITS, _N_CELLS = 10_000, 400, 600, 1000
_N_REQUESTS = 300  # of each kind
_N_VISITORS, _SECONDS = 100, 300


def _of_kills(folder):
    found = kills.run(folder, _N_KILLS)
    yield "kill -9 of worker, server or both", found.n_kills, None
    yield "... of these in the middle of a training", found.n_while_training, None
    yield "... promotions that a page had acknowledged", found.n_promotions, None
    yield "... versions lost", found.lost_versions, 0
    yield "... promotions lost", found.lost_promotions, 0
    yield "... jobs stuck", found.stuck_jobs, 0
    yield "... wrong answers of the active model", found.wrong_answers, 0
    yield "... anything else" + "".join(f"\n    {each}" for each in found.other), len(found.other), 0


def _of_faults(folder):
    is_root, library = getattr(os, "geteuid", lambda: 1)() == 0, programs.faketime()
    trials = (
        ("disk full", is_root, "root can mount a small disk", lambda: faults.full_disk(folder / "full")),
        ("clock set back", library, "libfaketime", lambda: faults.set_back(folder / "clock", library)),
    )
    for name, can_be, need, trial in trials:
        if not can_be:
            yield f"{name}: not tried, it needs {need}", "-", None
            continue
        for what, is_right in trial().items():
            yield f"{name}: {what} not right", int(not is_right), 0
    for seconds, expected in ((10, "promoted"), (20, "held by another program")):
        waited, told, other = faults.locked_store(folder / f"locked {seconds}", seconds)
        yield f"store held for {seconds} s: a promotion waited [s] ({told[-80:]})", round(waited, 1), None
        yield "... not clear what became of it", int(expected not in told), 0
        yield "... longest slider move of somebody else meanwhile [s]", round(other, 2), None


def _of_flips(folder):
    n, detected, served = faults.flipped_bytes(folder, {"ridge": None, "forest": None})
    yield "bytes of kept models damaged, one at a time", n, None
    yield "... not detected", n - detected, 0
    yield "... not served right all the same", n - served, 0
    template = folder / "template.db"
    history.open_store(f"sqlite:///{folder}/open.db")
    copy_file(folder / "open.db", template)
    outcomes = test_damage.flips(template, folder, artifact.load(load_rows()), 2, _N_BITS)
    yield f"bits of the store's file flipped, one at a time (refused: {outcomes.count('refused')})", len(outcomes), None


def _of_tables(_):
    rows = load_rows()
    said = test_load.refusals_of_damaged_files(_N_CSV)
    yield f"damaged tables as CSV (refusals that differ: {len(said)})", _N_CSV, None
    yield "... refused without a word", int("" in said), 0
    said = test_parquet.refusals_of_damaged_files(rows, _N_PARQUET)
    yield f"damaged Parquet files (refused: {len(said)})", _N_PARQUET, None
    yield (
        "... refused or remarked on in other words than ours",
        sum(not test_parquet.IN_OUR_WORDS.match(each) for each in said),
        0,
    )
    test_soak.try_cells(artifact.load(rows), _N_CELLS)
    yield "texts in a cell, each read as it stands or refused", _N_CELLS, None
    yield "a million rows not read, or one more taken", int(not test_parquet.reads_a_million_and_not_one_more(rows)), 0


def _of_files(folder):
    with running_server(log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        n, complaints, n_wrong = files.run(url, _N_FILES, _N_MUTATIONS)
    yield f"malformed files, each to Retrain and Score (and {_N_MUTATIONS:,} mutations read)", n, None
    yield "... exceptions on the screen, or accepted" + "".join(f"\n    {c}" for c in complaints), len(complaints), 0
    yield "... rows read or scored wrong", n_wrong, 0
    yield "... stack traces in the log", _tracebacks(folder), 0


def _of_addresses(folder):
    with running_server(log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        n, complaints = addresses.run(url)
    yield "hostile addresses of five pages", n, None
    yield "... exceptions or empty pages" + "".join(f"\n    {c}" for c in complaints), len(complaints), 0
    yield "... stack traces in the log", _tracebacks(folder), 0


def _of_requests(folder):
    with running_server(log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        description = schemathesis.openapi.from_url(f"{url}/api/openapi.json")
        for path, method, mode, expected in test_api.REQUESTS:
            seen = test_api.fuzz(description, path, method, mode, _N_REQUESTS)
            yield f"requests to {path}, {mode.value}, answered as described", _N_REQUESTS, None
            yield "... without the answers expected, or with a fault", int(not expected <= seen or max(seen) >= 500), 0
    yield "... stack traces in the log", _tracebacks(folder), 0


def _of_comparison(folder):
    url_of_store = f"sqlite:///{folder}/store.db"

    async def compare(url):
        visit = await Visit.open(url, "retrain")
        await visit.press("Compare all")
        async with asyncio.timeout(600):
            while not (found := re.search(r"candidate=(\d+)", visit.query)):
                await asyncio.sleep(0.5)
                await visit.run()
        await visit.close()
        return int(found[1])

    with running_server(log=folder / "log", PETROL_STORE_URL=url_of_store) as url:
        best = asyncio.run(compare(url))
    store = Store(url_of_store)
    kept = versions.list_versions(store)
    yield "algorithms compared", len(kept), None
    # The active forest is not trained a second time: its evaluation is there.
    trained = [one.recipe.algorithm for one in kept]
    yield "... left out, or trained though they were there", int(trained != list(OFFERED)), 0
    first = rank_versions(store, comparable_versions(kept, best, 1)).preferred(1)
    yield "... neither the best nor the active one that ties with it shown first", int(best != first), 0
    yield "... stack traces in the log", _tracebacks(folder), 0


def _of_crowd(folder):
    with running_server(log=folder / "log", PETROL_STORE_URL=f"sqlite:///{folder}/store.db") as url:
        found = crowd.run(url, _N_VISITORS, _SECONDS)
    yield f"visitors for {_SECONDS} s, and one retraining", _N_VISITORS, None
    yield "... interactions", len(found.waits), None
    yield "... errors" + "".join(f"\n    {each}" for each in found.errors[:10]), len(found.errors), 0
    yield "... retraining that did not end", int(not found.trained), 0
    yield "... stack traces in the log", _tracebacks(folder), 0
    yield "... any interaction, p50 / p95 [ms]", _milliseconds(found.waits), None
    yield "... slider moves, p50 / p95 [ms]", _milliseconds(found.moves), None
    first, last = (np.median([size for at, size in found.memory if a <= at < b]) for a, b in ((60, 75), (285, 300)))
    yield "... memory after a minute / at the end [MB]", f"{first:.0f} / {last:.0f}", None
    yield "... growth after the first minute [MB a minute]", round(found.slope(), 2), None


def _milliseconds(waits):
    return " / ".join(f"{1000 * each:.0f}" for each in np.percentile(waits, [50, 95]))


def _tracebacks(folder):
    return (folder / "log").read_text(encoding="utf-8", errors="replace").count("Traceback")


def _of_tests(_):
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "soak"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    what = "" if not done.returncode else f"\n{done.stdout[-3000:]}"
    yield f"tests that take too long for make test: not passed{what}", int(done.returncode != 0), 0


PARTS = {
    "tests": _of_tests,
    "files": _of_files,
    "addresses": _of_addresses,
    "requests": _of_requests,
    "faults": _of_faults,
    "comparison": _of_comparison,
    "crowd": _of_crowd,
    "flips": _of_flips,
    "tables": _of_tables,
    "kills": _of_kills,
}


def main(names):
    """Do the parts that are named, or all, and return how many promised zeros were none."""
    n_broken = 0
    for name in names or PARTS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix=f"petrol-soak-{name}-") as made:
            folder = Path(made)
            for part in ("full", "clock", "locked 10", "locked 20") if name == "faults" else ():
                (folder / part).mkdir()
            for what, figure, promised in PARTS[name](folder):
                is_broken = promised is not None and figure != promised
                n_broken += is_broken
                print(f"{figure!s:>12}  {'(0 promised) ' * is_broken}{what}", flush=True)
        print(f"{'':12}  {name}: {time.monotonic() - start:.0f} s", flush=True)
    return n_broken


if __name__ == "__main__":
    sys.exit(f"{n} promised zeros are none." if (n := main(sys.argv[1:])) else 0)
