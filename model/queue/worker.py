"""``python -m model.queue.worker JOB``: the process that does a job and those that wait behind it, at low priority."""

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
from model.fitting.deferred import import_estimators
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

_BEAT = 0.5  # [s] between heartbeats
_SAVE_PATIENCE = 90  # [s] to go on trying to save what was trained, while the store's server is away
_N_RETRIES = 5  # to save where no server is away; each waits as long as the store waits for another writer


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
        outcome = _train_job(store, job, worker)
        ending.set()
        _finish(store, number, worker, "done", outcome)
    except Exception as error:  # whatever went wrong, the job must end: somebody waits for it
        if not isinstance(error, (ValueError, StoreError, ClusterError, MemoryError)):
            logging.getLogger(__name__).exception("job %d", number)
        ending.set()
        failure = jobs.CLUSTER_FAILED if isinstance(error, ClusterError) else None
        _finish(store, number, worker, "failed", _Outcome(notes=[_reason_of(error)], failure=failure))
    finally:
        over.set()


def _reason_of(error: Exception) -> str:
    if isinstance(error, MemoryError):
        return "There was not enough memory. Train on fewer rows, or take fewer trees."
    if isinstance(error, (ValueError, StoreError, ClusterError)):
        return str(error)
    return f"The training broke off ({type(error).__name__}: {error})."


def _send_heartbeats(store: Store, number: int, worker: str, ending: threading.Event, over: threading.Event) -> None:
    """Send heartbeats until the job is over; end this process and its helpers when the job is no longer ours."""
    is_ours = True
    while is_ours:
        if over.wait(_BEAT):
            return
        with suppress(StoreError):  # another process is writing; the next heartbeat will do
            is_ours = send_heartbeat(store, number, worker) or ending.is_set()
    os._exit(1)  # its helpers follow, and joblib's tracker then frees the memory they shared


def _finish(store: Store, number: int, worker: str, state: str, outcome: "_Outcome") -> None:
    """Save what was trained and close the job in one transaction; do neither where the job is no longer ours."""
    deadline = time.monotonic() + _SAVE_PATIENCE
    for n_retries in itertools.count():
        try:
            with store.writing() as connection:
                closing_statement = (
                    update(JOB)
                    .where(is_owned_by(number, worker))
                    .values(jobs.ending_values(state, " ".join(outcome.notes)[:2000], outcome.failure))
                )
                if connection.execute(closing_statement).rowcount:
                    for evaluation in outcome.evaluations:
                        add_evaluation(connection, *evaluation)
                    for refits in outcome.refits:
                        add_refits(connection, *refits)
                    for model, version_values in outcome.trained:
                        add_version(connection, model, job_id=number, **version_values)
        except StoreError as error:
            if time.monotonic() > deadline or (n_retries == _N_RETRIES and not error.is_transient):
                raise
            time.sleep(1 if error.is_transient else 0)
        else:
            return


class _Outcome(NamedTuple):
    """What a job has produced: arguments of `add_version`, `add_evaluation` and `add_refits`, and its message."""

    trained: Sequence[tuple[Model, dict[str, Any]]] = ()
    evaluations: Sequence[tuple[Recipe, str, Folds, dict[str, str], FloatArray]] = ()
    refits: Sequence[tuple[str, Refits]] = ()
    notes: Sequence[str] = ()
    failure: str | None = None


def _train_job(store: Store, job: jobs.Job, worker: str) -> _Outcome:
    """Train what the job asks for, and evaluate the active recipe on the same rows and folds for comparison."""
    request = job.request
    helpers = _start_helpers_early(store, request)
    import_estimators()
    rows = read_rows(store, request.data_set_id, request.excluded)
    require_usable(rows)
    if not request.algorithms:
        return _Outcome(refits=_make_missing_refits(store, rows))
    recipes, notes = _possible_recipes(request, len(rows))
    evaluated_on = fingerprint(rows), Folds(evaluate.n_repeats_for(len(rows))), libraries()
    active, known_versions = _read_active_version(store), _versions_evaluated_on(store, evaluated_on, recipes)
    if len(request.algorithms) > 1:
        recipes = [recipe for recipe in recipes if _is_new(known_versions, recipe, notes)]
    unevaluated = [recipe for recipe in recipes if recipe not in known_versions]
    is_evaluated, rivals = active and _is_evaluated(store, active.recipe, evaluated_on), []
    if active and not is_evaluated and active.recipe not in recipes and _can_be_evaluated(active, len(rows), notes):
        rivals = [active.recipe]
    n_repeats = evaluate.n_repeats_for(len(rows))
    n_fits = len(rivals) * evaluate.n_fits_of(n_repeats, nested=False)
    progress = _Progress(store, job.id, worker, n_fits + len(unevaluated) * evaluate.n_fits_of(n_repeats, nested=True))
    n_jobs = _n_jobs([*rivals, *unevaluated], len(rows))
    with _folds_sender(request, rows, helpers, is_needed=bool(rivals or unevaluated)) as send:
        # All at once, so that no worker of a cluster waits while this machine works between two recipes.
        fits = {recipe: send(recipe) for recipe in rivals}
        fits |= {recipe: send(recipe, keep=predictions_and_losses, nested=True) for recipe in unevaluated}
        evaluations = [
            (recipe, *evaluated_on, _evaluate(rows, recipe, progress, n_jobs, fits.pop(recipe))) for recipe in rivals
        ]
        trained = []
        for recipe in recipes:
            try:
                model = _train_again(known_versions, recipe, rows) or train(
                    rows, recipe, n_jobs=n_jobs, progress=progress.of(recipe), fits=fits.pop(recipe, None)
                )
            except ValueError as error:  # a ModelError, or what scikit-learn cannot fit on some fold
                if len(recipes) == 1:
                    raise
                notes.append(f"{recipe.label} was left out: {error}")
            else:
                trained.append(model)
        refits = []
        with suppress(ValueError):  # figures beyond what trees can hold, say: the versions are stored all the same
            refits = _make_missing_refits(store, rows, n_jobs)
    version_values = {"data_set_id": request.data_set_id, "excluded": list(request.excluded), "by": request.by}
    if active and (is_evaluated or rivals or active.recipe in [model.metadata.recipe for model in trained]):
        version_values["rival_id"] = active.id
    return _Outcome([(model, version_values) for model in trained], evaluations, refits, notes)


def _make_missing_refits(store: Store, rows: pd.DataFrame, n_jobs: int = 1) -> list[tuple[str, Refits]]:
    """Make the refits of rows if the store has none, or damaged ones."""
    sha256 = fingerprint(rows)
    with suppress(DamagedError):
        if read_refits(store, sha256):
            return []
    return [(sha256, make_refits(features(rows), target(rows), n_jobs=n_jobs))]


def _can_be_evaluated(active: Version, n_rows: int, notes: list[str]) -> bool:
    """Whether the active recipe can be evaluated on so many rows; if not, a note says why."""
    try:
        estimate_cost(active.recipe, n_rows)
    except ModelError as error:
        notes.append(f"The active recipe was not evaluated on these rows: {error}")
        return False
    return True


def _is_evaluated(store: Store, recipe: Recipe, evaluated_on: EvaluatedOn) -> bool:
    """Whether the store has an evaluation of a recipe; a damaged one does not count, and is made anew."""
    with suppress(DamagedError):
        return find_evaluation(store, recipe, *evaluated_on) is not None
    return False


def _is_new(known_versions: dict[Recipe, tuple[int, Kept]], recipe: Recipe, notes: list[str]) -> bool:
    """Whether no version has this recipe on these rows; if one has, a note names it."""
    if recipe in known_versions:
        number, _ = known_versions[recipe]
        notes.append(f"Version {number} is a {recipe.label} on these rows already.")
        return False
    return True


def _n_jobs(recipes: list[Recipe], n_rows: int) -> int:
    """How many processes are worth starting for the fits of these recipes."""
    seconds = sum(duration.estimate_duration(recipe, n_rows) for recipe in recipes)
    return processes.worthwhile_processes(seconds)


def _start_helpers_early(store: Store, request: JobRequest) -> threading.Thread | None:
    """Start helpers while the rows are read, if the fits are worth it and no cluster is set."""
    n_rows = next((data_set.n_rows for data_set in list_data_sets(store) if data_set.id == request.data_set_id), 0)
    recipes = [request.recipe(algorithm) for algorithm in request.algorithms]
    if cluster.cluster_address() or not n_rows or _n_jobs(recipes, n_rows) == 1:
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
    """The recipes of a request; of several, those too large or slow for these rows are left out, with a note."""
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


def _read_active_version(store: Store) -> Version | None:
    number = history.find_active(store)[0]
    return read_version(store, number) if number else None


def _versions_evaluated_on(
    store: Store, evaluated_on: EvaluatedOn, recipes: list[Recipe]
) -> dict[Recipe, tuple[int, Kept]]:
    """Versions with the same rows, folds and libraries: recipe -> (newest number, what is stored of it)."""
    newest_numbers = {
        version.recipe: version.id
        for version in list_versions(store, MODEL_VERSION.c.broken.is_(None))
        if version.metadata.evaluated_on == evaluated_on and version.metadata.coverage  # earlier releases lack it
    }
    versions = {}
    for recipe in newest_numbers.keys() & set(recipes):
        with suppress(DamagedError):  # else the recipe is trained as if the version were not there
            versions[recipe] = newest_numbers[recipe], read_kept(store, newest_numbers[recipe])
    return versions


def _train_again(known_versions: dict[Recipe, tuple[int, Kept]], recipe: Recipe, rows: pd.DataFrame) -> Model | None:
    """Fit a recipe anew that a version has evaluated on these rows; None if no version has."""
    if recipe not in known_versions:
        return None
    _, kept = known_versions[recipe]
    return train_again(kept.metadata, kept.predictions, kept.importance, rows)


@contextmanager
def _folds_sender(
    request: JobRequest, rows: pd.DataFrame, helpers: threading.Thread | None, *, is_needed: bool
) -> Iterator[Callable[..., Any]]:
    """Yield a function that sends the folds of a recipe to the cluster, or does nothing if this machine fits them."""
    if request.here or not cluster.cluster_address() or not is_needed:
        if helpers:
            helpers.join()
        with processes.using_helpers():
            yield lambda recipe, **options: None
        return
    X, y, n_repeats = features(rows), target(rows), evaluate.n_repeats_for(len(rows))
    with closing(cluster.Cluster(cluster.cluster_address())) as connection:
        yield lambda recipe, **options: connection.send(build_pipeline(recipe), X, y, n_repeats=n_repeats, **options)


class _Progress:
    """Counts the fits of all recipes together, and tells the store after each."""

    def __init__(self, store: Store, number: int, worker: str, n_fits: int) -> None:
        self._running_job, self._n_done, self._n_fits = (store, number, worker), 0, n_fits

    def of(self, recipe: Recipe) -> Callable[[int, int], None]:
        """Begin the next recipe; return the function to call with (fits done, fits in all)."""
        n_before, label = self._n_done, recipe.label

        def report(done: int, total: int) -> None:
            self._n_done = n_before + done
            message = f"{label[0].upper()}{label[1:]}: fit {done} of {total}"
            with suppress(StoreError):  # the next fit reports it
                send_heartbeat(*self._running_job, done=self._n_done, total=self._n_fits, message=message)

        return report


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
