"""Tables of any width: what a slider move costs with them beside the shipped table, and how long a draft takes."""

import asyncio
import contextlib
import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from bench.sessions import process_of
from bench.visit import Visit
from data.describe import draft_table
from tests.conftest import ROOT, running_server
from tests.drafted import draft_numbers

N_INPUTS = (4, 8, 12, 20)
N_ROWS = (48, 500, 501, 5000)
_N_ROUNDS, _N_MOVES = 7, 30
_N_DRAFTED = 100_000  # rows
_TRAIN = """
from data.load import load_rows
from model.fitting.artifact import save
from model.fitting.train import train
save(train(load_rows(), n_repeats=1, n_jobs=2))
"""  # the usual recipe; how often it is scored does not change what it costs to ask


async def _measure_moves(url: str) -> float:
    """What a move of a slider in sight takes of the server's processor, p50 of rounds [s]."""
    visit, random, rounds = await Visit.open(url), np.random.default_rng(1972), []
    told, process = visit.what_if, process_of(url)
    in_sight, inputs = told["model"]["order"][: told["model"]["inSight"]], told["model"]["inputs"]
    for _ in range(1 + _N_ROUNDS):  # the first round warms up
        before = sum(process.cpu_times()[:2])
        for _ in range(_N_MOVES):
            values = visit.what_if["values"]
            place = int(random.choice(in_sight))
            low, high, step = (inputs[place][name] for name in ("low", "high", "step"))
            values[place] = round(low + step * int(random.integers(round((high - low) / step) + 1)), 9)
            await visit.move(values)
        rounds.append((sum(process.cpu_times()[:2]) - before) / _N_MOVES)
    await visit.close()
    return float(np.median(rounds[1:]))


def move_cost(table: Path | None) -> float:
    """What a move costs the server with a table, or with the shipped one [s]."""
    environment = {"PETROL_TABLE": str(table)} if table else {}
    with tempfile.TemporaryDirectory() as folder:
        if table:
            subprocess.run([sys.executable, "-c", _TRAIN], cwd=ROOT, env=os.environ | environment, check=True)
        environment["PETROL_STORE_URL"] = f"sqlite:///{folder}/store.db"
        with running_server(log=Path(folder) / "log", **environment) as url:
            return asyncio.run(_measure_moves(url))


def relative_costs(sizes=N_INPUTS, row_counts=N_ROWS):
    """Compare a move with drafted tables to one with the shipped table, measured anew for each width.

    Yields
    ------
    (n_inputs, n_rows, cost [s], times the shipped table's)
    """
    for n_inputs in sizes:
        shipped = move_cost(None)
        for n_rows in row_counts:
            with tempfile.TemporaryDirectory() as folder:
                with contextlib.redirect_stdout(io.StringIO()):
                    table = draft_numbers(Path(folder), n_inputs, n_rows)
                cost = move_cost(table)
            yield n_inputs, n_rows, cost, cost / shipped


def draft_seconds() -> float:
    """How long it takes to draft a table of 100,000 rows by eight columns, two of them categories [s]."""
    random = np.random.default_rng(0)
    lines = [
        f"{a:.3f},{b},{c:.2f},{d},{e:.4f},{f},{g:.1f},{y:.2f}"
        for a, b, c, d, e, f, g, y in zip(
            random.random(_N_DRAFTED),
            random.integers(0, 99, _N_DRAFTED),
            random.normal(0, 9, _N_DRAFTED),
            random.choice(["red", "green", "blue"], _N_DRAFTED),
            random.random(_N_DRAFTED),
            random.choice([f"town {number}" for number in range(25)], _N_DRAFTED),
            random.random(_N_DRAFTED) * 1e4,
            random.random(_N_DRAFTED),
            strict=True,
        )
    ]
    content = "\n".join(["a,b,c,colour,e,town,g,y", *lines]).encode()
    start = time.perf_counter()
    draft = draft_table(content, "y")
    seconds = time.perf_counter() - start
    if [len(column.choices) for column in draft.columns] != [0, 0, 0, 3, 0, 25, 0, 0]:
        raise RuntimeError(f"drafted otherwise: {draft.columns}")
    return seconds


if __name__ == "__main__":
    for n_inputs, n_rows, cost, times in relative_costs():
        print(f"{n_inputs:3} inputs {n_rows:6,} rows {cost * 1000:7.1f} ms {times:5.2f} times", flush=True)
    print(f"draft of {_N_DRAFTED:,} rows: {draft_seconds():.2f} s")
