"""``python -m model.worker JOB``: the process that does one training of the queue, at low priority."""

import itertools
import json
import logging
import os
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress

from sqlalchemy import update

from data.load import fingerprint
from data.schema import TARGET
from model import cluster, duration, evaluate, history, jobs, processes, recipe
from model.cluster import ClusterError
from model.importance import predictions_and_losses
from model.jobs import beat, own
from model.recipe import ModelError
from model.store import StoreError
from model.tables import JOB, MODEL_VERSION, now
from model.train import features, libraries, require_usable, train, train_again
from model.versions import add_version, arrays_of, rows_of, version, versions

_BEAT = 0.5  # [s]
_PERSISTS = 90  # [s] in keeping what was trained, while the store's server is away
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
    helpers = threading.Thread(target=processes.wake)
    if not cluster.address():
        helpers.start()
    try:
        while worker:
            _do(store, number, worker, helpers)
            number = jobs.following(store)
            worker = number and jobs.take(store, number)
    except StoreError as error:
        print(f"Job {number}: {error}", file=sys.stderr)
        return jobs.UNWRITTEN
    return 0


def _do(store, number, worker, helpers):
    ending, over = threading.Event(), threading.Event()
    threading.Thread(target=_beat, args=(store, number, worker, ending, over), daemon=True).start()
    try:
        trained, notes = _work(store, jobs.job(store, number), worker, helpers)
        ending.set()
        _end(store, number, worker, "done", notes, trained)
    except Exception as error:  # whatever it is, nobody may wait for this job for ever
        if not isinstance(error, (ValueError, StoreError, ClusterError, MemoryError)):
            logging.getLogger(__name__).exception("job %d", number)
        ending.set()
        _end(store, number, worker, "failed", [_why(error)])
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


def _end(store, number, worker, state, notes, trained=()):
    """Keep what was trained and close the job in one transaction, or neither where the job is no longer ours."""
    deadline = time.monotonic() + _PERSISTS
    for n_tries in itertools.count():
        try:
            with store.writing() as connection:
                ended = {"state": state, "ended_at": now(), "message": " ".join(notes)[:2000]}
                if connection.execute(update(JOB).where(own(number, worker)).values(ended)).rowcount:
                    for model, more in trained:
                        add_version(connection, model, job_id=number, **more)
        except StoreError as error:
            if time.monotonic() > deadline or (n_tries == _N_TRIES and not error.passes):
                raise
            time.sleep(1 if error.passes else 0)
        else:
            return


def _work(store, job, worker, helpers):
    """Train what the job asks for, and the active recipe on the same rows and folds to hold it against.

    Returns
    -------
    list of (model.train.Model, dict)
        What was trained, with what else `add_version` is to keep.
    list of str
        What was left out, and why.
    """
    request = job.request
    rows = rows_of(store, request["data_set_id"], request["excluded"])
    require_usable(rows)
    recipes, notes = _possible(request, len(rows))
    rival, known = _rival(store), _evaluations(store, rows)
    found = _kept(store, known, [*recipes, *([rival.recipe] if rival else [])])
    if len(request["algorithms"]) > 1:
        recipes = [one for one in recipes if _is_new(known, one, notes)]
    unknown, others = [one for one in recipes if not _is_evaluated(known, one)], []
    if rival and rival.recipe not in recipes and _key(rival.recipe) not in found and _fits(rival, len(rows), notes):
        others = [rival.recipe]
    progress = _Progress(store, job.id, worker, len(others) + len(unknown))
    with _cluster(request, rows, helpers, is_needed=others or unknown) as send:
        # All at once, so that no worker of a cluster waits for what is done here between two recipes.
        fits = {_key(one): send(one) for one in others}
        fits |= {_key(one): send(one, keep=predictions_and_losses) for one in unknown}
        for one in others:
            found[_key(one)] = _evaluated(rows, one, progress, fits.pop(_key(one)))
        trained = []
        for one in recipes:
            try:
                model = _again(store, known, one, rows) or _train(rows, one, progress, fits.pop(_key(one), None))
            except ValueError as error:  # a ModelError, or what scikit-learn cannot fit on some fold
                if len(recipes) == 1:
                    raise
                notes.append(f"{recipe.ALGORITHMS[one[0]].label} was left out: {error}")
            else:
                trained.append(model)
                found[_key(one)] = model.record["predictions"]["model"]
    more = {name: request[name] for name in ("data_set_id", "excluded", "by")}
    if rival and _key(rival.recipe) in found:
        more["rival_id"] = rival.id
        for model in trained:
            model.record["predictions"]["rival"] = found[_key(rival.recipe)]
    return [(model, more) for model in trained], notes


def _fits(rival, n_rows, notes):
    """Whether the active recipe can be evaluated on so many rows; else it is told why not."""
    try:
        recipe.cost(*rival.recipe[:2], n_rows)
    except ModelError as error:
        notes.append(f"The active recipe was not evaluated on these rows: {error}")
        return False
    return True


def _is_evaluated(known, one):
    """Whether a version of this recipe on these rows is there."""
    return known.get(_key(one), (0, ""))[1] == "model"


def _is_new(known, one, notes):
    """Whether none is; else it is named."""
    if _is_evaluated(known, one):
        number = known[_key(one)][0]
        notes.append(f"Version {number} is a {recipe.ALGORITHMS[one[0]].label} on these rows already.")
        return False
    return True


def _train(rows, one, progress, fits):
    return train(rows, *one, n_jobs=processes.N_PROCESSES, progress=progress.of(one), fits=fits)


def _evaluated(rows, one, progress, fits):
    options = {"n_repeats": evaluate.n_repeats_for(len(rows)), "n_jobs": processes.N_PROCESSES, "fits": fits}
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


def _rival(store):
    number = history.active(store)[0]
    return version(store, number) if number else None


def _key(one):
    return json.dumps(one, sort_keys=True)


def _evaluations(store, rows):
    """Where the out-of-fold predictions of recipes on these rows, folds and libraries are already.

    Returns
    -------
    dict
        Key of a recipe -> (number of a version, "model" or "rival").
    """
    same = fingerprint(rows), evaluate.n_repeats_for(len(rows)), libraries()
    by_number = {one.id: one for one in versions(store, MODEL_VERSION.c.broken.is_(None))}
    own, as_rival = {}, {}
    for number, one in by_number.items():
        if (one.record["data"]["sha256"], one.record["folds"]["n_repeats"], one.record["libraries"]) == same:
            own[_key(one.recipe)] = number, "model"
            if one.rival_id in by_number:
                as_rival[_key(by_number[one.rival_id].recipe)] = number, "rival"
    return as_rival | own


def _kept(store, known, recipes):
    """Out-of-fold predictions on these rows by key of the recipe; what cannot be read is no longer known."""
    found = {}
    for key in map(_key, recipes):
        number, name = known.get(key, (0, ""))
        try:
            if number:
                found[key] = arrays_of(store, number)["predictions"][name]
        except ModelError:  # broken: it is evaluated anew
            del known[key]
    return found


def _again(store, known, one, rows):
    """Fit a recipe anew that a version has evaluated on these rows; None where none has."""
    number, name = known.get(_key(one), (0, ""))
    if name != "model":
        return None
    record = version(store, number).record | arrays_of(store, number)
    record["predictions"] = {"model": record["predictions"]["model"]}
    return train_again(record, rows)


@contextmanager
def _cluster(request, rows, helpers, *, is_needed):
    """Yield what has the folds of a recipe fitted in the cluster, or leaves them to this machine."""
    if request.get("here") or not cluster.address() or not is_needed:
        if helpers.ident:
            helpers.join()
        with processes.used():
            yield lambda one, **keep: None
        return
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    with closing(cluster.Cluster(cluster.address())) as there:
        options = {"n_repeats": evaluate.n_repeats_for(len(rows))}
        yield lambda one, **keep: there.send(recipe.pipeline(*one), X, y, **options, **keep)


class _Progress:
    """Counts the folds of all recipes together and tells the store after each."""

    def __init__(self, store, number, worker, n_recipes):
        self._told, self._n_begun, self._n_recipes = (store, number, worker), 0, n_recipes

    def of(self, one):
        """Begin the next recipe; the function returned is called with (folds done, folds in all)."""
        n_before, self._n_begun = self._n_begun, self._n_begun + 1
        label = recipe.ALGORITHMS[one[0]].label

        def tell(done, total):
            message = f"{label[0].upper()}{label[1:]}: fold {done} of {total}"
            with suppress(StoreError):  # the next fold tells it
                beat(*self._told, done=n_before * total + done, total=self._n_recipes * total, message=message)

        return tell


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
