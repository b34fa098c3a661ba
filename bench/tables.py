"""Tables of up to a million rows: reading them, training on them, and what a slider move costs then."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil

from bench.explore import many_rows
from bench.retrain import new_store
from bench.sessions import process_of
from bench.visit import Visit
from data.load import load_rows
from data.schema import FEATURES
from model.answering.prediction import predict
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from model.store import history, versions
from tests.conftest import ROOT, running_server

SIZES = (10_000, 100_000, 1_000_000)
ALGORITHMS = ("least_squares", "histogram_boosting")
_N_MOVES = 200
_READ = "import sys; from data.load import load_rows; assert len(load_rows(sys.argv[1])) == int(sys.argv[2])"
_TRAIN = """
import sys
from data.load import load_rows
from model.store import history, versions
from model.fitting.train import train
rows, store = load_rows(sys.argv[1]), history.open_store(sys.argv[2])
model = train(rows, make_recipe(sys.argv[3]), n_jobs=2)
with store.writing() as connection:
    versions.add_version(connection, model, versions.add_data_set(connection, rows, "many"), by="bench")
"""


def measured(code, *arguments):
    """Run a program of its own.

    Returns
    -------
    seconds : float
    memory : float
        The most that it and its children held together, shared pages counted once each [bytes].
    """
    start, most = time.perf_counter(), 0
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, arguments)], cwd=ROOT)
    leader = psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.Error):
            family = leader, *leader.children(recursive=True)
            most = max(most, sum(one.memory_full_info().pss for one in family))
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.1)
    if process.returncode:
        raise RuntimeError(f"ended with {process.returncode}")
    return time.perf_counter() - start, most


def move_cost(model):
    """What `predict` takes of a processor, p50 [s]."""
    rng, taken = np.random.default_rng(1972), []
    for _ in range(_N_MOVES):
        values = {column.name: column.grid[rng.integers(column.n_steps)] for column in FEATURES}
        start = time.process_time()
        predict(model, values)
        taken.append(time.process_time() - start)
    return float(np.median(taken))


async def _moved(url):
    """What a whole move takes of the server's processor, p50 of rounds [s]."""
    visit, rng, rounds = await Visit.open(url), np.random.default_rng(1972), []
    process = process_of(url)
    for _ in range(7):
        before = sum(process.cpu_times()[:2])
        for _ in range(_N_MOVES // 5):
            column = FEATURES[rng.integers(len(FEATURES))]
            await visit.move({column.name: column.grid[rng.integers(column.n_steps)]})
        rounds.append((sum(process.cpu_times()[:2]) - before) / (_N_MOVES // 5))
    await visit.close()
    return float(np.median(rounds))


def served(rows, algorithm):
    """What a move costs in this process and in a server with the algorithm trained on these rows [s], and its memory.

    Returns
    -------
    alone, whole, memory : float
        [s], [s], [bytes]
    """
    with new_store() as store:
        with store.writing() as connection:
            data_set = versions.add_data_set(connection, rows, "rows")
            number = versions.add_version(
                connection, train(rows, make_recipe(algorithm), n_repeats=1), data_set, by="bench"
            )
        history.promote(store, number, "bench", "to measure it")
        alone = move_cost(versions.load_version(store, number))
        with running_server(log=Path(store.location).with_name("log")) as url:
            whole = asyncio.run(_moved(url))
            return alone, whole, process_of(url).memory_info().rss


def figures(figure, sizes=SIZES):
    """Measure all of it.

    Parameters
    ----------
    figure : callable
        Makes a figure of the bench from (what, measured, unit, at_most, n=).
    sizes : tuple of int
        Numbers of rows.

    Yields
    ------
    Figure
    """
    few = {algorithm: served(load_rows(), algorithm) for algorithm in ALGORITHMS}
    with tempfile.TemporaryDirectory() as folder:
        for n_rows in sizes:
            rows, is_largest = many_rows(n_rows), n_rows == SIZES[-1]
            files = {"CSV": Path(folder) / "rows.csv", "Parquet": Path(folder) / "rows.parquet"}
            rows.to_csv(files["CSV"], index=False)
            rows.to_parquet(files["Parquet"], index=False)
            for kind, path in files.items():
                seconds, memory = measured(_READ, path, n_rows)
                yield figure(f"{n_rows:,} rows: {kind} of {path.stat().st_size / 1e6:.1f} MB read", seconds, "s", 15)
                yield figure("  memory", memory / 1e6, "MB", 1200)
            for algorithm in ALGORITHMS:
                store = f"sqlite:///{folder}/{algorithm}-{n_rows}.db"
                seconds, memory = measured(_TRAIN, files["Parquet"], store, algorithm)
                what = f"{n_rows:,} rows: {algorithm.replace('_', ' ')} read, trained, scored and kept"
                yield figure(what, seconds, "s", 60 if is_largest else None)
                yield figure("  memory of all its processes", memory / 1e6, "MB", 2000)
                alone, whole, memory = served(rows, algorithm)
                yield figure("  a prediction, times that of 48 rows", alone / few[algorithm][0], "1", 1.2, n=_N_MOVES)
                yield figure(
                    "  a slider move in the server, times that of 48 rows", whole / few[algorithm][1], "1", 1.2
                )
                yield figure("  the server's memory", memory / 1e6, "MB", 1500)


def main():
    """Print what was measured, and what was promised where that is something."""
    for what, value, unit, *target in figures(lambda what, *rest, n=1: (what, *rest)):
        print(f"{what:75}{value:10.4g} {unit:3} {target[0] if target and target[0] else ''}", flush=True)


if __name__ == "__main__":
    main()
