"""What a Dask cluster on this machine makes of a training: wall times beside those of processes, and their ratios."""

import tempfile
import time
from pathlib import Path
from statistics import median

from bench.explore import many_rows
from data.load import load_rows
from model.fitting import evaluate
from model.fitting.algorithms import DEFAULT, OFFERED
from model.fitting.importance import predictions_and_losses
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import features, train
from model.queue import processes
from model.queue.cluster import Cluster
from tests.clusters import Machines, wait_for_workers

N_ROWS = 20_000
N_WORKERS = (1, 2, 4)


def trained(rows, algorithms, there=None, n_jobs=1):
    """Train recipes with their usual settings, in a cluster or here.

    Returns
    -------
    float
        [s]
    """
    start = time.perf_counter()
    fits = [None] * len(algorithms)
    if there:
        X, y = features(rows), rows.iloc[:, -1].to_numpy(float)
        options = {"n_repeats": evaluate.n_repeats_for(len(rows)), "keep": predictions_and_losses}
        fits = [there.send(build_pipeline(make_recipe(name)), X, y, **options) for name in algorithms]
    for name, folds in zip(algorithms, fits, strict=True):
        train(rows, make_recipe(name), n_jobs=n_jobs, fits=folds)
    return time.perf_counter() - start


def durations(n_rounds=3):
    """Wall times in turns, so that what else the machine does falls on all alike.

    Parameters
    ----------
    n_rounds : int, default=3

    Yields
    ------
    what : str
        Trained.
    seconds : dict
        Where -> median over the rounds [s].
    """
    few, many = load_rows(), many_rows(N_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        started, clusters = [], {}
        try:
            for n_workers in N_WORKERS:
                machines = Machines(Path(folder) / str(n_workers))
                started.append(machines)
                machines.scheduler()
                for _ in range(n_workers):
                    machines.worker()
                with machines.client() as client:
                    wait_for_workers(client, n_workers)
                clusters[f"{n_workers} Dask worker{'s' * (n_workers > 1)}"] = Cluster(machines.address)
            for what, rows, algorithms in (
                ("the default forest on the shipped rows", few, [DEFAULT]),
                (f"histogram boosting on {N_ROWS:,} rows", many, ["histogram_boosting"]),
                ("all algorithms on the shipped rows", few, OFFERED),
            ):
                places = {"1 process": {}, "as the app": {"n_jobs": processes.N_PROCESSES}}
                places |= {name: {"there": there} for name, there in clusters.items()}
                found = {name: [] for name in places}
                for _ in range(n_rounds):
                    for name, place in places.items():
                        found[name].append(trained(rows, algorithms, **place))
                yield what, {name: median(seconds) for name, seconds in found.items()}
        finally:
            for there in clusters.values():
                there.close()
            for machines in started:
                machines.end()


def figures(figure, n_rounds=3):
    """Make figures of the bench, as `bench.retrain.figures` does."""
    for what, seconds in durations(n_rounds):
        for name, value in seconds.items():
            yield figure(f"Dask: {what}, {name}", value, "s", n=n_rounds)
        yield figure("  2 Dask workers, times 1", seconds["2 Dask workers"] / seconds["1 Dask worker"], "1", n=n_rounds)
        yield figure(
            "  2 Dask workers, times the app", seconds["2 Dask workers"] / seconds["as the app"], "1", n=n_rounds
        )


def main():
    """Print what was measured."""
    for one in figures(lambda what, value, unit, n=1: f"{what:62} {value:7.2f} {unit}"):
        print(one, flush=True)


if __name__ == "__main__":
    main()
