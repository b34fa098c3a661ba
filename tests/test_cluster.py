"""On a real Dask cluster: the same to the last bit, whatever dies, and clear words where it cannot be."""

import os
import re
import socket
import subprocess
import sys

import numpy as np
import psutil
import pytest
import sklearn

from bench.explore import many_rows
from data.schema import TARGET
from model.fitting.algorithms import ALGORITHMS, OFFERED
from model.fitting.evaluate import out_of_fold
from model.fitting.importance import predictions_and_losses
from model.fitting.recipe import build_pipeline, make_recipe
from model.fitting.train import features
from model.queue import cluster, jobs
from model.queue.cluster import Cluster, ClusterError
from model.store import history, versions
from tests.clusters import Gated, Machines, Unfit, tasks_of, wait_for_workers
from tests.conftest import ROOT, free_port
from tests.stores import (
    add_quick,
    dispatch,
    ended,
    is_over,
    output_of,
    python,
    run,
    wait_for_processes,
    wait_until,
    worker_of,
)
from tests.test_architecture import ROOMS
from tests.test_worker import assert_equal

pytestmark = [
    pytest.mark.slow,
    pytest.mark.sqlite,
]  # of either kind of run, once is enough


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """Return a cluster with two workers, one of them under a nanny and thus with other numbers of threads."""
    found = Machines(tmp_path_factory.mktemp("cluster"))
    try:
        found.scheduler()
        found.worker()
        found.worker("--no-nanny")
        with found.client() as client:
            wait_for_workers(client, 2)
        yield found
    finally:
        found.end()


@pytest.fixture
def empty(tmp_path):
    """Return a scheduler of a test's own, to which it adds workers."""
    found = Machines(tmp_path)
    try:
        found.own = found.scheduler()
        with found.client():  # it is there
            pass
        yield found
    finally:
        found.end()


@pytest.fixture
def connected():
    """Return a function that connects, and closes at the end."""
    opened = []

    def connect(address):
        opened.append(Cluster(address))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


@pytest.fixture
def store(store):
    yield store
    wait_for_processes(store)


@pytest.fixture
def hasty(monkeypatch):
    """Have little patience, so that tests need little."""
    monkeypatch.setattr(cluster, "_PATIENCE", 1)


@pytest.fixture
def patient(monkeypatch):
    """Have some, so that a machine with other work is not taken for a silent one."""
    monkeypatch.setattr(cluster, "_PATIENCE", 8)


def xy(rows):
    return features(rows), rows[TARGET.name].to_numpy(float)


def test_each_algorithm_is_the_same_to_the_last_bit_and_the_data_travel_once(machines, connected, rows):
    X, y = xy(rows)
    there, options = connected(machines.address), {"n_repeats": 1, "keep": predictions_and_losses}
    few = {"n_estimators": 5, "max_iter": 5}
    unfitted = {
        name: build_pipeline(make_recipe(name, {key: n for key, n in few.items() if key in ALGORITHMS[name].defaults}))
        for name in OFFERED
    }
    sent = {name: there.send(one, X, y, **options) for name, one in unfitted.items()}
    with machines.client() as client:

        def held():
            return [[key for key in keys if "petrol-data" in key] for keys in client.has_what().values()]

        wait_until(lambda: len(held()) == 2 and all(held()), what="the data on both workers")
        (first,), (second,) = held()
        assert first == second
        for name, fits in sent.items():
            here = out_of_fold(unfitted[name], X, y, **options)
            assert (out_of_fold(unfitted[name], X, y, **options, fits=fits) == here).all(), name
        wait_until(lambda: len(tasks_of(client)) == 1, what="the end of all but the data")
        there.close()
        wait_until(lambda: not tasks_of(client), what="the end of the data, too")


def test_sums_of_many_rows_do_not_depend_on_threads(machines, connected):
    X, y = xy(many_rows(200_000))
    unfitted = build_pipeline(make_recipe("ridge"))
    fits = connected(machines.address).send(unfitted, X, y, n_repeats=1)
    assert (out_of_fold(unfitted, X, y, n_repeats=1, fits=fits) == out_of_fold(unfitted, X, y, n_repeats=1)).all()


def test_what_cannot_be_fitted_says_what_it_says_here(machines, connected):
    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    with pytest.raises(ValueError, match="7 is not among 40 of sum") as here:
        out_of_fold(Unfit(), X, y)
    fits = connected(machines.address).send(Unfit(), X, y, n_repeats=10)
    with pytest.raises(ValueError, match="7 is not among 40 of sum") as there:
        out_of_fold(Unfit(), X, y, fits=fits)
    assert str(there.value) == str(here.value)


@pytest.mark.soak
def test_a_comparison_keeps_the_same_in_the_same_order(machines, store, rows, monkeypatch):
    large = rows.assign(paved_highways=rows.paved_highways * 1e36)  # more than the numbers of trees can be
    history.promote(store, add_quick(store, rows, "mean"), "Ann", "nothing simpler")
    with store.writing() as connection:
        data_set = versions.add_data_set(connection, large, "a file")
    algorithms = ["ridge", "extra_trees", "mean"]
    here = run(store, data_set, algorithms)
    found = [versions.load_version(store, one.id) for one in versions.list_versions(store)[2:]]
    for one in found:
        history.remove_version(store, one.version)
    monkeypatch.setenv(cluster.SCHEDULER_SETTING, machines.address)
    there = run(store, data_set, algorithms)
    assert (there.state, there.total, there.message) == (here.state, here.total, here.message)
    assert "extra trees was left out: The recipe cannot be fitted: " in here.message
    again = [versions.load_version(store, one.id) for one in versions.list_versions(store)[2:]]
    assert [one.label for one in again] == [one.label for one in found] == ["ridge", "always the average"]
    for one, other in zip(found, again, strict=True):
        assert_equal(one, other)


def test_a_cancelled_job_leaves_nothing_in_the_cluster(machines, store, monkeypatch):
    monkeypatch.setenv(cluster.SCHEDULER_SETTING, machines.address)
    number = jobs.submit(store, "v", 1, ["gradient_boosting"], parameters={"n_estimators": 1000}, seed=1)
    dispatch(store)
    worker = worker_of(store, number)
    wait_until(lambda: jobs.find_job(store, number).done, what="the first fold")
    assert jobs.find_job(store, number).total == 70
    jobs.cancel(store, number)
    wait_until(lambda: is_over(worker), 20, "the end of the worker")
    with machines.client() as client:
        wait_until(lambda: not tasks_of(client), what="an empty cluster")
    assert len(versions.list_versions(store)) == 1


@pytest.mark.parametrize("nanny", [pytest.param("--nanny", marks=pytest.mark.soak), "--no-nanny"])
def test_the_only_worker_is_killed_and_another_brings_the_same(empty, connected, tmp_path, nanny, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 60)  # for the other to start, on a machine with other work
    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    process = empty.worker(nanny)
    with empty.client() as client:
        wait_for_workers(client, 1)
        (pid,) = client.run(os.getpid).values()
    unfitted = Gated(str(tmp_path), free=2)
    folds = iter(connected(empty.address).send(unfitted, X, y, n_repeats=1))
    found = [next(folds), next(folds)]
    wait_until(lambda: len(list(tmp_path.glob("begun*"))) == 3, what="the third fold")
    assert (pid == process.pid) == (nanny == "--no-nanny")
    psutil.Process(pid).kill()
    if nanny == "--no-nanny":
        empty.worker()
    (tmp_path / "go").touch()
    found += folds
    assert sorted(fold for fold, _ in found) == list(range(5))
    here = out_of_fold(unfitted, X, y, n_repeats=1)
    assert (out_of_fold(unfitted, X, y, n_repeats=1, fits=found) == here).all()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("tcp://127.0.0.1:{port}", "cannot be reached"),
        ("tcp://no.such.host.invalid:8786", "cannot be reached"),
        ("tcp://127.0.0.1", "is no address"),
        ("http://127.0.0.1:{port}", "is no address"),
        ("nonsense", "is no address"),
    ],
)
def test_an_address_without_a_scheduler_is_told(hasty, address, said):
    address = address.format(port=free_port())
    with pytest.raises(ClusterError) as told:
        Cluster(address)
    assert str(told.value).startswith(f"The Dask scheduler {address} (PETROL_DASK_SCHEDULER) {said} (")
    assert str(told.value).endswith(", or train here instead.")


def test_something_that_never_answers_is_told(hasty):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ClusterError, match=r"cannot be reached \(what is there does not answer as one\)\. Start"):
            Cluster(f"tcp://127.0.0.1:{port}")


def test_a_scheduler_without_workers_and_one_that_is_lost_are_told(empty, patient, tmp_path):
    with pytest.raises(ClusterError, match=r"has had no worker for 8 s\. Start workers, or train here instead\.$"):
        Cluster(empty.address)
    worker = empty.worker("--no-nanny")
    with empty.client() as client:
        wait_for_workers(client, 1)
    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    there = Cluster(empty.address)
    folds = iter(there.send(Gated(str(tmp_path), free=1), X, y, n_repeats=1))
    next(folds)
    worker.kill()
    with pytest.raises(ClusterError, match="has had no worker for 8 s"):
        next(folds)
    folds = iter(there.send(Gated(str(tmp_path)), X, y, n_repeats=1))
    empty.own.kill()
    with pytest.raises(ClusterError, match=r"was lost\. Start the scheduler, or train here instead\.$"):
        next(folds)
    there.close()


def test_a_worker_with_other_versions_is_named(empty, connected, project):
    train = project / "model" / "fitting" / "train.py"
    train.write_text(train.read_text().replace('"scikit-learn": sklearn.__version__', '"scikit-learn": "1.0"'))
    empty.worker("--no-nanny", cwd=project)
    there = connected(empty.address)
    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    with pytest.raises(ClusterError) as told:
        out_of_fold(
            build_pipeline(make_recipe("mean")),
            X,
            y,
            fits=there.send(build_pipeline(make_recipe("mean")), X, y, n_repeats=10),
        )
    assert re.search(
        rf"has a worker, tcp://127\.0\.0\.1:\d+, with scikit-learn 1\.0 instead of {sklearn.__version__}, this project "
        r"\w{8} instead of \w{8}\. Give all the same requirements and code, or train here instead\.$",
        str(told.value),
    )


def test_workers_outside_of_the_project_are_told_and_live(empty, connected, tmp_path):
    worker = empty.worker("--no-nanny", cwd=tmp_path)
    there = connected(empty.address)
    X, y = np.arange(50.0)[:, None], np.arange(50.0)
    said = r"and its workers need this project: tcp://[\d.:]+\. Start all in its folder, or train here instead\.$"
    with pytest.raises(ClusterError, match=said):
        there.send(build_pipeline(make_recipe("mean")), X, y, n_repeats=1)
    assert not is_over(worker)


WITHOUT = """
import os, sys
from model.queue import jobs, worker
from model.store import history
store = history.open_store()

def train():
    number = jobs.submit(store, "v", 1, ["mean"])
    worker.main(number)
    print(jobs.find_job(store, number).state, jobs.find_job(store, number).message)

os.environ[sys.argv[1]], sys.modules["distributed"] = "tcp://127.0.0.1:8786", None
train()
del os.environ[sys.argv[1]], sys.modules["distributed"]
train()
import server
from pages.shared.panels import queue_panel
assert not {"dask", "distributed"} & set(sys.modules)
"""


def test_without_the_setting_nothing_of_dask_is_imported_and_with_it_a_missing_package_is_told(store):
    assert output_of(python(WITHOUT, cluster.SCHEDULER_SETTING)) == (
        "failed The Dask scheduler tcp://127.0.0.1:8786 (PETROL_DASK_SCHEDULER) needs the package distributed. Install "
        "requirements-scale.txt, or train here instead.\n"
        "done \n"
    )


def test_a_worker_says_nothing_of_dask_and_what_is_asked_for_here_is_trained_here(machines, store, monkeypatch):
    monkeypatch.setenv(cluster.SCHEDULER_SETTING, machines.address)
    number = jobs.submit(store, "v", 1, ["mean"])
    command = [sys.executable, "-m", "model.queue.worker", str(number)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert ended(store, number).state == "done"
    monkeypatch.setenv(cluster.SCHEDULER_SETTING, f"tcp://127.0.0.1:{free_port()}")
    assert run(store, 1, ["mean"], seed=1, here=True).state == "done"


def test_a_changed_line_in_any_room_that_results_depend_on_changes_the_projects_checksum(project_of, tmp_path):
    project = project_of(tmp_path)
    files = [next((project / room).glob("[a-z]*.py")) for rooms in ROOMS for room in rooms]
    files.append(project / "data" / "petrol" / "table.toml")
    checksums = [cluster.checksum_of(project)]
    for file in files:
        file.write_text(file.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        checksums.append(cluster.checksum_of(project))
    n_rooms = sum(file.relative_to(project).parts[0] in ("data", "model") for file in files)
    assert len(set(checksums)) == 1 + n_rooms
    assert n_rooms >= 8
