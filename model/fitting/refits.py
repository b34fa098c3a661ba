"""Refits of several kinds of algorithm on resampled rows: how far to trust the change of a prediction.

What an algorithm cannot express does not show in its own bootstrap, however many refits it has. Kinds that miss
different things disagree by about as much as each is wrong: Buckland, Burnham and Augustin (1997), Biometrics 53.
The refits depend on the rows alone, and so are shared by all models that were trained on them.
"""

import io
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.fitting import evaluate
from model.fitting.algorithms import OTHERS, PARTS_OF
from model.fitting.compact import Compact, Parts, join_parts, take_apart
from model.fitting.errors import ModelError
from model.fitting.recipe import build_pipeline, make_recipe

FloatArray = NDArray[np.float64]

# No kind has a direction built in, so that the refits can say "more" as well as "less".
KINDS: dict[str, dict[str, float]] = {
    "least_squares": {},
    "gradient_boosting": {"n_estimators": 50, "learning_rate": 0.1},
    "gaussian_process": {},
    "forest": {"n_estimators": 20},
}
N_REFITS, N_DRAWN, MAX_LEAVES, SEED = 30, 500, 64, 0
SETTINGS = {
    "kinds": KINDS,
    "n_refits": N_REFITS,
    "n_drawn": N_DRAWN,
    "max_leaves": MAX_LEAVES,
    "seed": SEED,
    "others": [*OTHERS],
}  # equal settings give equal refits
# Of 100 changes of a simulated truth, how many 90 % intervals held: ``python -m bench.changes`` prints the table.
SIMULATED = {
    48: {"straight": 97.2, "bent": 89.5, "steps": 86.9},
    200: {"straight": 98.4, "bent": 93.4, "steps": 83.4},
}
_N_KERNEL_ROWS = 100  # rows of a refit that its Gaussian process learns its kernel from: more would take seconds
_N_PER_TASK = 10  # refits that a process makes in one go


@dataclass(frozen=True, eq=False)
class Refits:
    """What was fitted to the same rows besides a model.

    Attributes
    ----------
    pool
        ``N_REFITS`` of each of ``KINDS``, kind by kind, each on rows that were drawn anew.
    others
        Each offered algorithm with its defaults on all rows, or on ``N_DRAWN`` of more.
    n_rows
        How many distinct rows there are.
    """

    pool: Compact
    others: Compact
    n_rows: int

    def changes(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """By how much the refits' predictions change between scenarios.

        Parameters
        ----------
        before, after
            Of shape (n, n_features), in stored units; ``before`` may be one row for all.

        Returns
        -------
        ndarray of shape (n, n_refits)
            In the unit of the target. With more rows than a refit draws, each kind's deviations from its median are
            shrunk by the rate at which smooth truths are learned, n to the power of -2 / (4 + n_features):
            Stone (1982), Annals of Statistics 10. With the square root, as for a line, they were too small: of 100
            changes at 2,000 rows, 94 (straight), 80 (bent) and 69 (steps) were held instead of 90.
        """
        changes = _differences(self.pool, before, after)
        if self.n_rows <= N_DRAWN:
            return changes
        by_kind = changes.reshape(len(changes), len(KINDS), -1)
        medians = np.median(by_kind, axis=2, keepdims=True)
        share = (N_DRAWN / self.n_rows) ** (2 / (4 + before.shape[1]))
        return (medians + (by_kind - medians) * share).reshape(changes.shape)

    def changes_of_others(self, before: FloatArray, after: FloatArray) -> FloatArray:
        """By how much the prediction of each offered algorithm changes, shape (n, n_algorithms): see `changes`."""
        return _differences(self.others, before, after)

    def to_bytes(self) -> bytes:
        """Write them as compressed arrays."""
        buffer = io.BytesIO()
        arrays = {
            f"{name}/{field.name}": getattr(part, field.name)
            for name, part in (("pool", self.pool), ("others", self.others))
            for field in fields(part)
        }
        np.savez_compressed(buffer, n_rows=self.n_rows, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> "Refits":
        """Read what `to_bytes` wrote: arrays only, so that nothing in it can be executed.

        Raises
        ------
        ModelError
            If they cannot be read.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                parts = {
                    name: Compact(**{field.name: arrays[f"{name}/{field.name}"] for field in fields(Compact)})
                    for name in ("pool", "others")
                }
                refits = cls(**parts, n_rows=int(arrays["n_rows"]))
        except (OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the bytes
            raise ModelError(f"The refits cannot be read ({type(error).__name__}).") from None
        if len(refits.others.intercepts) != len(OTHERS):
            raise ModelError("they are of other algorithms than there are now")
        return refits


def _differences(fits: Compact, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    predictions = fits.predict(np.concatenate([before, after]))
    changes = predictions[len(before) :] - predictions[: len(before)]
    # A difference that comes only from another order of summing is no change.
    return np.where(np.abs(changes) > 1e-9 * np.abs(predictions).max(), changes, 0.0)


def make_refits(X: FloatArray, y: FloatArray, *, n_jobs: int = 1) -> Refits:
    """Refit each kind on resampled rows, and each offered algorithm once on all.

    Parameters
    ----------
    X
        Of shape (n_rows, n_features), in stored units.
    y
        Of shape (n_rows,).
    n_jobs
        Processes at work; the result does not depend on it.

    Notes
    -----
    Copies of a row are drawn together, as in `model.fitting.evaluate`.
    """
    from joblib import Parallel, delayed

    distinct_rows = np.unique(evaluate.groups_of(X, y), return_index=True)[1]
    generator, n_drawn = np.random.default_rng(SEED), min(len(distinct_rows), N_DRAWN)
    draws = [np.sort(generator.choice(distinct_rows, n_drawn)) for _ in range(N_REFITS)]
    sample = np.sort(generator.choice(distinct_rows, n_drawn, replace=False))  # all rows, unless there are more
    tasks = [
        (kind, _build_undirected(kind, parameters, n_drawn), list(enumerate(draws))[start : start + _N_PER_TASK])
        for kind, parameters in KINDS.items()
        for start in range(0, N_REFITS, _N_PER_TASK)
    ]
    tasks += [(name, _limit_leaves(build_pipeline(make_recipe(name)), n_drawn), [(SEED, sample)]) for name in OTHERS]
    parts_of_tasks = Parallel(n_jobs=n_jobs)(
        delayed(_fit_samples)(algorithm, unfitted, [(number, X[rows], y[rows]) for number, rows in batch])
        for algorithm, unfitted, batch in tasks
    )
    parts = [part for task_parts in parts_of_tasks for part in task_parts]
    n_pool = N_REFITS * len(KINDS)
    return Refits(join_parts(parts[:n_pool]), join_parts(parts[n_pool:]), len(distinct_rows))


def _build_undirected(kind: str, parameters: dict[str, float], n_rows: int) -> Any:
    """Build a kind without built-in directions."""
    unfitted = build_pipeline(make_recipe(kind, parameters))
    if "monotonic_cst" in unfitted[-1].get_params():
        unfitted.set_params(regressor__monotonic_cst=None)
    return _limit_leaves(unfitted, n_rows)


def _limit_leaves(unfitted: Any, n_rows: int) -> Any:
    """Keep independent trees small if rows are many."""
    if n_rows > 2 * MAX_LEAVES and unfitted[-1].get_params().get("max_leaf_nodes", 0) is None:
        unfitted.set_params(regressor__max_leaf_nodes=MAX_LEAVES)
    return unfitted


def _fit_samples(algorithm: str, unfitted: Any, samples: Iterable[tuple[int, FloatArray, FloatArray]]) -> list[Parts]:
    from sklearn.base import clone

    parts = []
    with evaluate.fitting_on_one_thread():
        for seed, X, y in samples:
            fresh = clone(unfitted)
            if "random_state" in fresh[-1].get_params():
                fresh.set_params(regressor__random_state=seed)
            if "optimizer" in fresh[-1].get_params() and len(X) > _N_KERNEL_ROWS:
                kernel_rows = np.random.default_rng(seed).permutation(len(X))[:_N_KERNEL_ROWS]
                kernel = evaluate.fit_quietly(fresh, X[kernel_rows], y[kernel_rows])[-1].kernel_
                fresh = clone(fresh).set_params(regressor__kernel=kernel, regressor__optimizer=None)
            parts.append(take_apart(evaluate.fit_quietly(fresh, X, y), PARTS_OF[algorithm]))
    return parts
