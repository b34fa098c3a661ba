"""``python -m model.queue.worker JOB``: the process that does one training of the queue, at low priority."""

import itertools
import json
import logging
import os
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import closing, contextmanager, suppress
from typing import NamedTuple

import pandas as pd
from sqlalchemy import update

from data.load import fingerprint
from data.schema import TARGET
from model.fitting import evaluate, recipe
from model.fitting.damage import DamagedError
from model.fitting.importance import predictions_and_losses
from model.fitting.recipe import ModelError
from model.fitting.refits import Refits, make_refits
from model.fitting.train import Model, features, libraries, require_usable, train, train_again
from model.queue import cluster, duration, jobs, processes
from model.queue.cluster import ClusterError
from model.queue.jobs import beat, own
from model.store import history
from model.store.database import Store, StoreError
from model.store.evaluations import add_evaluation, evaluated
from model.store.stored_refits import add_refits, refits_of
from model.store.tables import JOB, MODEL_VERSION
from model.store.versions import add_version, data_sets, record_of, rows_of, version, versions

_BEAT = 0.5  # [s]
_PERSISTS = 90  # [s] in keeping what was trained, while the store's server is away
_WORTH_HELPERS = 1.5  # [s] of fits; helpers take about as long to start
_N_TRIES = 5  # more where it is not; each waits as long as the store waits for another writer


def main(number):
    """Do a job, and then those that wait behind it."""
    logging.basicConfig(format="%(message)s")
    if hasattr(os, "nice"):
        os.nice(10)
    try:
        store = history.open_store()
        worker = jobs.take(store, number)
    except StoreError as error:
        print(f"Job {number}: {error}", file=sys.stderr)
        return 2
    if not worker:
        print(f"Job {number} is not waiting.", file=sys.stderr)
        return 2
    try:
        while worker:
            _do(store, number, worker)
            number = jobs.following(store)
            worker = number and jobs.take(store, number)
    except StoreError as error:
        print(f"Job {number}: {error}", file=sys.stderr)
        return jobs.UNWRITTEN
    return 0


def _do(store, number, worker):
    ending, over = threading.Event(), threading.Event()
    threading.Thread(target=_beat, args=(store, number, worker, ending, over), daemon=True).start()
    try:
        done = _work(store, jobs.job(store, number), worker)
        ending.set()
        _end(store, number, worker, "done", done)
    except Exception as error:  # whatever it is, nobody may wait for this job for ever
        if not isinstance(error, (ValueError, StoreError, ClusterError, MemoryError)):
            logging.getLogger(__name__).exception("job %d", number)
        ending.set()
        _end(store, number, worker, "failed", _Done(notes=[_why(error)]))
    finally:
        over.set()


def _why(error):
    if isinstance(error, MemoryError):
        return "There was not enough memory. Train on fewer rows, or take fewer trees."
    if isinstance(error, (ValueError, StoreError, ClusterError)):
        return str(error)
    return f"The training broke off ({type(error).__name__}: {error})."


def _beat(store, number, worker, ending, over):
    """Keep the job alive until it is over, and end this process with its helpers when the job is no longer ours."""
    is_ours = True
    while is_ours:
        if over.wait(_BEAT):
            return
        with suppress(StoreError):  # somebody else is writing; the next beat will do
            is_ours = beat(store, number, worker) or ending.is_set()
    os._exit(1)  # its helpers follow, and joblib's tracker then frees the memory that they shared


def _end(store: Store, number: int, worker: str, state: str, done: "_Done") -> None:
    """Keep what was trained and close the job in one transaction, or neither where the job is no longer ours."""
    deadline = time.monotonic() + _PERSISTS
    for n_tries in itertools.count():
        try:
            with store.writing() as connection:
                ended = update(JOB).where(own(number, worker)).values(jobs.ending(state, " ".join(done.notes)[:2000]))
                if connection.execute(ended).rowcount:
                    for evaluation in done.evaluations:
                        add_evaluation(connection, *evaluation)
                    for refits in done.refits:
                        add_refits(connection, *refits)
                    for model, more in done.trained:
                        add_version(connection, model, job_id=number, **more)
        except StoreError as error:
            if time.monotonic() > deadline or (n_tries == _N_TRIES and not error.passes):
                raise
            time.sleep(1 if error.passes else 0)
        else:
            return


class _Done(NamedTuple):
    """What a job has to show: arguments of `add_version`, `add_evaluation` and `add_refits`, and what was left out."""

    trained: Sequence[tuple[Model, dict]] = ()
    evaluations: Sequence[tuple] = ()
    refits: Sequence[tuple[str, Refits]] = ()
    notes: Sequence[str] = ()


def _work(store: Store, job: jobs.Job, worker: str) -> _Done:
    """Train what the job asks for, and evaluate the active recipe on the same rows and folds to hold it against."""
    request = job.request
    helpers = _woken(store, request)
    rows = rows_of(store, request["data_set_id"], request["excluded"])
    require_usable(rows)
    if not request["algorithms"]:
        return _Done(refits=_refits(store, rows))
    recipes, notes = _possible(request, len(rows))
    same = fingerprint(rows), evaluate.folds_of(evaluate.n_repeats_for(len(rows))), libraries()
    active, known = _active(store), _records(store, same, recipes)
    if len(request["algorithms"]) > 1:
        recipes = [one for one in recipes if _is_new(known, one, notes)]
    unknown = [one for one in recipes if _key(one) not in known]
    is_evaluated, others = active and _is_evaluated(store, active.recipe, same), []
    if active and not is_evaluated and active.recipe not in recipes and _fits(active, len(rows), notes):
        others = [active.recipe]
    n_repeats = evaluate.n_repeats_for(len(rows))
    n_fits = len(others) * evaluate.n_fits_of(n_repeats, nested=False)
    progress = _Progress(store, job.id, worker, n_fits + len(unknown) * evaluate.n_fits_of(n_repeats, nested=True))
    n_jobs = _n_jobs([*others, *unknown], len(rows))
    with _cluster(request, rows, helpers, is_needed=others or unknown) as send:
        # All at once, so that no worker of a cluster waits for what is done here between two recipes.
        fits = {_key(one): send(one) for one in others}
        fits |= {_key(one): send(one, keep=predictions_and_losses, nested=True) for one in unknown}
        evaluations = [(one, *same, _evaluated(rows, one, progress, n_jobs, fits.pop(_key(one)))) for one in others]
        trained = []
        for one in recipes:
            try:
                model = _again(known, one, rows) or _train(rows, one, progress, n_jobs, fits.pop(_key(one), None))
            except ValueError as error:  # a ModelError, or what scikit-learn cannot fit on some fold
                if len(recipes) == 1:
                    raise
                notes.append(f"{recipe.ALGORITHMS[one[0]].label} was left out: {error}")
            else:
                trained.append(model)
        refits = []
        with suppress(ValueError):  # of figures beyond what trees can hold, say: the versions are kept all the same
            refits = _refits(store, rows, n_jobs)
    more = {name: request[name] for name in ("data_set_id", "excluded", "by")}
    if is_evaluated or others or (active and active.recipe in map(_recipe, trained)):
        more["rival_id"] = active.id
    return _Done([(model, more) for model in trained], evaluations, refits, notes)


def _refits(store: Store, rows: pd.DataFrame, n_jobs: int = 1) -> list[tuple[str, Refits]]:
    """Make the refits of rows that have none in the store, or damaged ones."""
    sha256 = fingerprint(rows)
    with suppress(DamagedError):
        if refits_of(store, sha256):
            return []
    return [(sha256, make_refits(features(rows), rows[TARGET.name].to_numpy(float), n_jobs=n_jobs))]


def _fits(active, n_rows, notes):
    """Whether the active recipe can be evaluated on so many rows; else it is told why not."""
    try:
        recipe.cost(*active.recipe[:2], n_rows)
    except ModelError as error:
        notes.append(f"The active recipe was not evaluated on these rows: {error}")
        return False
    return True


def _is_evaluated(store, one, same):
    """Whether the evaluation of a recipe is there; one that is damaged is made anew."""
    with suppress(DamagedError):
        return evaluated(store, one, *same) is not None
    return False


def _is_new(known, one, notes):
    """Whether no version is of this recipe on these rows; else it is named."""
    if _key(one) in known:
        number, _ = known[_key(one)]
        notes.append(f"Version {number} is a {recipe.ALGORITHMS[one[0]].label} on these rows already.")
        return False
    return True


def _n_jobs(recipes: list[tuple], n_rows: int) -> int:
    """How many processes are worth their start for the fits of these recipes."""
    seconds = sum(duration.estimate(algorithm, parameters, n_rows) for algorithm, parameters, _ in recipes)
    return processes.N_PROCESSES if seconds > _WORTH_HELPERS else 1


def _woken(store: Store, request: dict) -> threading.Thread | None:
    """Have helpers start while the rows are read, where what is asked for is worth it and not for a cluster."""
    n_rows = next((data.n_rows for data in data_sets(store) if data.id == request["data_set_id"]), 0)
    asked = [(algorithm, request["parameters"], 0) for algorithm in request["algorithms"]]
    if cluster.address() or not n_rows or _n_jobs(asked, n_rows) == 1:
        return None
    helpers = threading.Thread(target=processes.wake)
    helpers.start()
    return helpers


def _train(rows, one, progress, n_jobs, fits):
    return train(rows, *one, n_jobs=n_jobs, progress=progress.of(one), fits=fits)


def _evaluated(rows, one, progress, n_jobs, fits):
    options = {"n_repeats": evaluate.n_repeats_for(len(rows)), "n_jobs": n_jobs, "fits": fits}
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    return evaluate.out_of_fold(recipe.pipeline(*one), X, y, progress=progress.of(one), **options)


def _possible(request, n_rows):
    """The recipes of a request; of several, those too large or slow for these rows are left out with a word."""
    recipes, notes = [], []
    for algorithm in request["algorithms"]:
        parameters = recipe.complete(algorithm, request["parameters"] if len(request["algorithms"]) == 1 else {})
        try:
            recipe.cost(algorithm, parameters, n_rows)
            if len(request["algorithms"]) > 1:
                duration.require_quick(algorithm, parameters, n_rows)
            recipes.append((algorithm, parameters, request["seed"]))
        except ModelError as error:
            if len(request["algorithms"]) == 1:
                raise
            notes.append(f"Left out: {error}")
    return recipes, notes


def _active(store):
    number = history.active(store)[0]
    return version(store, number) if number else None


def _recipe(model):
    return tuple(model.record[name] for name in ("algorithm", "parameters", "seed"))


def _key(one):
    return json.dumps(one, sort_keys=True)


def _records(store, same, recipes):
    """Of the versions with the same rows, folds and libraries: key of a recipe -> (newest number, its record)."""
    newest = {
        _key(one.recipe): one.id
        for one in versions(store, MODEL_VERSION.c.broken.is_(None))
        if (one.record["data"]["sha256"], one.record["folds"], one.record["libraries"]) == same
        and "coverage" in one.record  # which earlier releases did not measure
    }
    records = {}
    for key in {_key(one) for one in recipes} & newest.keys():
        with suppress(DamagedError):  # else it is trained as if it were not there
            records[key] = newest[key], record_of(store, newest[key])
    return records


def _again(known, one, rows):
    """Fit a recipe anew that a version has evaluated on these rows; None where none has."""
    return train_again(known[_key(one)][1], rows) if _key(one) in known else None


@contextmanager
def _cluster(request, rows, helpers, *, is_needed):
    """Yield what has the folds of a recipe fitted in the cluster, or leaves them to this machine."""
    if request.get("here") or not cluster.address() or not is_needed:
        if helpers:
            helpers.join()
        with processes.used():
            yield lambda one, **keep: None
        return
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    with closing(cluster.Cluster(cluster.address())) as there:
        options = {"n_repeats": evaluate.n_repeats_for(len(rows))}
        yield lambda one, **keep: there.send(recipe.pipeline(*one), X, y, **options, **keep)


class _Progress:
    """Counts the fits of all recipes together and tells the store after each."""

    def __init__(self, store, number, worker, n_fits):
        self._told, self._n_done, self._n_fits = (store, number, worker), 0, n_fits

    def of(self, one):
        """Begin the next recipe; the function returned is called with (fits done, fits in all)."""
        n_before, label = self._n_done, recipe.ALGORITHMS[one[0]].label

        def tell(done, total):
            self._n_done = n_before + done
            message = f"{label[0].upper()}{label[1:]}: fit {done} of {total}"
            with suppress(StoreError):  # the next fold tells it
                beat(*self._told, done=self._n_done, total=self._n_fits, message=message)

        return tell


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
