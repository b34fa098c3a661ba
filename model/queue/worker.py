"""``python -m model.queue.worker JOB``: the process that does one training of the queue, at low priority."""

import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import update

from data.load import fingerprint
from model.fitting import evaluate
from model.fitting.artifact import Kept
from model.fitting.errors import DamagedError, ModelError
from model.fitting.evaluate import FloatArray, Folds
from model.fitting.importance import predictions_and_losses
from model.fitting.recipe import Recipe, build_pipeline, estimate_cost
from model.fitting.refits import Refits, make_refits
from model.fitting.train import Model, features, libraries, require_usable, target, train, train_again
from model.queue import cluster, duration, jobs, processes
from model.queue.cluster import ClusterError
from model.queue.jobs import JobRequest, is_owned_by, send_heartbeat
from model.store import history
from model.store.database import Store, StoreError
from model.store.evaluations import add_evaluation, find_evaluation
from model.store.stored_refits import add_refits, read_refits
from model.store.tables import JOB, MODEL_VERSION
from model.store.versions import Version, add_version, list_data_sets, list_versions, read_kept, read_rows, read_version

EvaluatedOn = tuple[str, Folds, dict[str, str]]  # rows, folds, libraries

_BEAT = 0.5  # [s]
_PERSISTS = 90  # [s] in keeping what was trained, while the store's server is away
_N_TRIES = 5  # more where it is not; each waits as long as the store waits for another writer


def main(number: int) -> int:
    """Do a job, and then those that wait behind it."""
    logging.basicConfig(format="%(message)s")
    if hasattr(os, "nice"):
        os.nice(10)
    try:
        store = history.open_store()
        worker = jobs.claim_job(store, number)
    except StoreError as error:
        print(f"Job {number}: {error}", file=sys.stderr)
        return 2
    if not worker:
        print(f"Job {number} is not waiting.", file=sys.stderr)
        return 2
    try:
        while worker:
            _run_job(store, number, worker)
            number = jobs.find_next(store)
            worker = jobs.claim_job(store, number) if number else ""
    except StoreError as error:
        print(f"Job {number}: {error}", file=sys.stderr)
        return jobs.EXIT_NOT_SAVED
    return 0


def _run_job(store: Store, number: int, worker: str) -> None:
    ending, over = threading.Event(), threading.Event()
    threading.Thread(target=_send_heartbeats, args=(store, number, worker, ending, over), daemon=True).start()
    try:
        job = jobs.find_job(store, number)
        if not job:
            raise StoreError(f"Job {number} is no longer in the store.")
        done = _train_job(store, job, worker)
        ending.set()
        _finish(store, number, worker, "done", done)
    except Exception as error:  # whatever it is, nobody may wait for this job for ever
        if not isinstance(error, (ValueError, StoreError, ClusterError, MemoryError)):
            logging.getLogger(__name__).exception("job %d", number)
        ending.set()
        failure = jobs.CLUSTER_FAILED if isinstance(error, ClusterError) else None
        _finish(store, number, worker, "failed", _Done(notes=[_reason_of(error)], failure=failure))
    finally:
        over.set()


def _reason_of(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "There was not enough memory. Train on fewer rows, or take fewer trees."
    if isinstance(error, (ValueError, StoreError, ClusterError)):
        return str(error)
    return f"The training broke off ({type(error).__name__}: {error})."


def _send_heartbeats(store: Store, number: int, worker: str, ending: threading.Event, over: threading.Event) -> None:
    """Keep the job alive until it is over, and end this process with its helpers when the job is no longer ours."""
    is_ours = True
    while is_ours:
        if over.wait(_BEAT):
            return
        with suppress(StoreError):  # somebody else is writing; the next beat will do
            is_ours = send_heartbeat(store, number, worker) or ending.is_set()
    os._exit(1)  # its helpers follow, and joblib's tracker then frees the memory that they shared


def _finish(store: Store, number: int, worker: str, state: str, done: "_Done") -> None:
    """Keep what was trained and close the job in one transaction, or neither where the job is no longer ours."""
    deadline = time.monotonic() + _PERSISTS
    for n_tries in itertools.count():
        try:
            with store.writing() as connection:
                ended = (
                    update(JOB)
                    .where(is_owned_by(number, worker))
                    .values(jobs.ending_values(state, " ".join(done.notes)[:2000], done.failure))
                )
                if connection.execute(ended).rowcount:
                    for evaluation in done.evaluations:
                        add_evaluation(connection, *evaluation)
                    for refits in done.refits:
                        add_refits(connection, *refits)
                    for model, more in done.trained:
                        add_version(connection, model, job_id=number, **more)
        except StoreError as error:
            if time.monotonic() > deadline or (n_tries == _N_TRIES and not error.is_transient):
                raise
            time.sleep(1 if error.is_transient else 0)
        else:
            return


class _Done(NamedTuple):
    """What a job has to show: arguments of `add_version`, `add_evaluation` and `add_refits`, and what was left out."""

    trained: Sequence[tuple[Model, dict[str, Any]]] = ()
    evaluations: Sequence[tuple[Recipe, str, Folds, dict[str, str], FloatArray]] = ()
    refits: Sequence[tuple[str, Refits]] = ()
    notes: Sequence[str] = ()
    failure: str | None = None


def _train_job(store: Store, job: jobs.Job, worker: str) -> _Done:
    """Train what the job asks for, and evaluate the active recipe on the same rows and folds to hold it against."""
    request = job.request
    helpers = _start_helpers_early(store, request)
    rows = read_rows(store, request.data_set_id, request.excluded)
    require_usable(rows)
    if not request.algorithms:
        return _Done(refits=_make_missing_refits(store, rows))
    recipes, notes = _possible_recipes(request, len(rows))
    evaluated_on = fingerprint(rows), Folds(evaluate.n_repeats_for(len(rows))), libraries()
    active, known = _active(store), _known_evaluations(store, evaluated_on, recipes)
    if len(request.algorithms) > 1:
        recipes = [recipe for recipe in recipes if _is_new(known, recipe, notes)]
    unknown = [recipe for recipe in recipes if recipe not in known]
    is_evaluated, others = active and _is_evaluated(store, active.recipe, evaluated_on), []
    if active and not is_evaluated and active.recipe not in recipes and _can_be_evaluated(active, len(rows), notes):
        others = [active.recipe]
    n_repeats = evaluate.n_repeats_for(len(rows))
    n_fits = len(others) * evaluate.n_fits_of(n_repeats, nested=False)
    progress = _Progress(store, job.id, worker, n_fits + len(unknown) * evaluate.n_fits_of(n_repeats, nested=True))
    n_jobs = _n_jobs([*others, *unknown], len(rows))
    with _cluster(request, rows, helpers, is_needed=bool(others or unknown)) as send:
        # All at once, so that no worker of a cluster waits for what is done here between two recipes.
        fits = {recipe: send(recipe) for recipe in others}
        fits |= {recipe: send(recipe, keep=predictions_and_losses, nested=True) for recipe in unknown}
        evaluations = [
            (recipe, *evaluated_on, _evaluate(rows, recipe, progress, n_jobs, fits.pop(recipe))) for recipe in others
        ]
        trained = []
        for recipe in recipes:
            try:
                model = _train_again(known, recipe, rows) or train(
                    rows, recipe, n_jobs=n_jobs, progress=progress.of(recipe), fits=fits.pop(recipe, None)
                )
            except ValueError as error:  # a ModelError, or what scikit-learn cannot fit on some fold
                if len(recipes) == 1:
                    raise
                notes.append(f"{recipe.label} was left out: {error}")
            else:
                trained.append(model)
        refits = []
        with suppress(ValueError):  # of figures beyond what trees can hold, say: the versions are kept all the same
            refits = _make_missing_refits(store, rows, n_jobs)
    more = {"data_set_id": request.data_set_id, "excluded": list(request.excluded), "by": request.by}
    if active and (is_evaluated or others or active.recipe in [model.metadata.recipe for model in trained]):
        more["rival_id"] = active.id
    return _Done([(model, more) for model in trained], evaluations, refits, notes)


def _make_missing_refits(store: Store, rows: pd.DataFrame, n_jobs: int = 1) -> list[tuple[str, Refits]]:
    """Make the refits of rows that have none in the store, or damaged ones."""
    sha256 = fingerprint(rows)
    with suppress(DamagedError):
        if read_refits(store, sha256):
            return []
    return [(sha256, make_refits(features(rows), target(rows), n_jobs=n_jobs))]


def _can_be_evaluated(active: Version, n_rows: int, notes: list[str]) -> bool:
    """Whether the active recipe can be evaluated on so many rows; else it is told why not."""
    try:
        estimate_cost(active.recipe, n_rows)
    except ModelError as error:
        notes.append(f"The active recipe was not evaluated on these rows: {error}")
        return False
    return True


def _is_evaluated(store: Store, recipe: Recipe, evaluated_on: EvaluatedOn) -> bool:
    """Whether the evaluation of a recipe is there; one that is damaged is made anew."""
    with suppress(DamagedError):
        return find_evaluation(store, recipe, *evaluated_on) is not None
    return False


def _is_new(known: dict[Recipe, tuple[int, Kept]], recipe: Recipe, notes: list[str]) -> bool:
    """Whether no version is of this recipe on these rows; else it is named."""
    if recipe in known:
        number, _ = known[recipe]
        notes.append(f"Version {number} is a {recipe.label} on these rows already.")
        return False
    return True


def _n_jobs(recipes: list[Recipe], n_rows: int) -> int:
    """How many processes are worth their start for the fits of these recipes."""
    seconds = sum(duration.estimate_duration(recipe, n_rows) for recipe in recipes)
    return processes.worthwhile_processes(seconds)


def _start_helpers_early(store: Store, request: JobRequest) -> threading.Thread | None:
    """Have helpers start while the rows are read, where what is asked for is worth it and not for a cluster."""
    n_rows = next((data.n_rows for data in list_data_sets(store) if data.id == request.data_set_id), 0)
    asked = [request.recipe(algorithm) for algorithm in request.algorithms]
    if cluster.cluster_address() or not n_rows or _n_jobs(asked, n_rows) == 1:
        return None
    helpers = threading.Thread(target=processes.start_helpers)
    helpers.start()
    return helpers


def _evaluate(
    rows: pd.DataFrame,
    recipe: Recipe,
    progress: "_Progress",
    n_jobs: int,
    fits: Iterable[tuple[int, FloatArray]] | None,
) -> FloatArray:
    return evaluate.out_of_fold(
        build_pipeline(recipe),
        features(rows),
        target(rows),
        n_repeats=evaluate.n_repeats_for(len(rows)),
        n_jobs=n_jobs,
        progress=progress.of(recipe),
        fits=fits,
    )


def _possible_recipes(request: JobRequest, n_rows: int) -> tuple[list[Recipe], list[str]]:
    """The recipes of a request; of several, those too large or slow for these rows are left out with a word."""
    recipes, notes = [], []
    for algorithm in request.algorithms:
        recipe = request.recipe(algorithm)
        try:
            estimate_cost(recipe, n_rows)
            if len(request.algorithms) > 1:
                duration.require_quick(recipe, n_rows)
            recipes.append(recipe)
        except ModelError as error:
            if len(request.algorithms) == 1:
                raise
            notes.append(f"Left out: {error}")
    return recipes, notes


def _active(store: Store) -> Version | None:
    number = history.find_active(store)[0]
    return read_version(store, number) if number else None


def _known_evaluations(
    store: Store, evaluated_on: EvaluatedOn, recipes: list[Recipe]
) -> dict[Recipe, tuple[int, Kept]]:
    """Of the versions with the same rows, folds and libraries: recipe -> (newest number, what is kept of it)."""
    newest = {
        each.recipe: each.id
        for each in list_versions(store, MODEL_VERSION.c.broken.is_(None))
        if each.metadata.evaluated_on == evaluated_on and each.metadata.coverage  # earlier releases did not measure it
    }
    known = {}
    for recipe in newest.keys() & set(recipes):
        with suppress(DamagedError):  # else it is trained as if it were not there
            known[recipe] = newest[recipe], read_kept(store, newest[recipe])
    return known


def _train_again(known: dict[Recipe, tuple[int, Kept]], recipe: Recipe, rows: pd.DataFrame) -> Model | None:
    """Fit a recipe anew that a version has evaluated on these rows; None where none has."""
    if recipe not in known:
        return None
    _, kept = known[recipe]
    return train_again(kept.metadata, kept.predictions, kept.importance, rows)


@contextmanager
def _cluster(
    request: JobRequest, rows: pd.DataFrame, helpers: threading.Thread | None, *, is_needed: bool
) -> Iterator[Callable[..., Any]]:
    """Yield what has the folds of a recipe fitted in the cluster, or leaves them to this machine."""
    if request.here or not cluster.cluster_address() or not is_needed:
        if helpers:
            helpers.join()
        with processes.using_helpers():
            yield lambda recipe, **keep: None
        return
    X, y, n_repeats = features(rows), target(rows), evaluate.n_repeats_for(len(rows))
    with closing(cluster.Cluster(cluster.cluster_address())) as reached:
        yield lambda recipe, **keep: reached.send(build_pipeline(recipe), X, y, n_repeats=n_repeats, **keep)


class _Progress:
    """Counts the fits of all recipes together and tells the store after each."""

    def __init__(self, store: Store, number: int, worker: str, n_fits: int) -> None:
        self._told, self._n_done, self._n_fits = (store, number, worker), 0, n_fits

    def of(self, recipe: Recipe) -> Callable[[int, int], None]:
        """Begin the next recipe; the function returned is called with (fits done, fits in all)."""
        n_before, label = self._n_done, recipe.label

        def tell(done: int, total: int) -> None:
            self._n_done = n_before + done
            message = f"{label[0].upper()}{label[1:]}: fit {done} of {total}"
            with suppress(StoreError):  # the next fold tells it
                send_heartbeat(*self._told, done=self._n_done, total=self._n_fits, message=message)

        return tell


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
