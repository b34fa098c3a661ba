"""Refits of several kinds of algorithm on resampled rows: how far the change of a prediction is to be trusted.

What one algorithm leaves out by its shape is no part of its own bootstrap, however many refits it has. Kinds that
leave out different things disagree by about as much as each is wrong: Buckland, Burnham and Augustin (1997),
Biometrics 53. The refits are a property of the rows alone, and so shared by all models that were trained on them.
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

# None has a direction built in, so that the refits could say more as well as less.
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
}  # equal ones, equal refits
# Of 100 changes of a truth, those that 90 % intervals held: ``python -m bench.changes`` prints the table.
SIMULATED = {
    48: {"straight": 97.2, "bent": 89.5, "steps": 86.9},
    200: {"straight": 98.4, "bent": 93.4, "steps": 83.4},
}
_N_SETTLING = 100  # rows of a refit that settle the kernel of its Gaussian process: more would take seconds
_AT_ONCE = 10  # refits that a process does in one go


@dataclass(frozen=True, eq=False)
class Refits:
    """What was fitted to the same rows beside a model.

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
        """By how much the refits' predictions change from scenarios to others.

        Parameters
        ----------
        before, after
            Of shape (n, n_features), in stored units; ``before`` may be one row for all.

        Returns
        -------
        ndarray of shape (n, n_refits)
            In the unit of the target. Of more rows than a refit draws, each kind's deviations from its median are
            made smaller by the rate at which smooth truths are learned, n to the power of -2 / (4 + n_features):
            Stone (1982), Annals of Statistics 10. With the square root, as for a line, they were too small: of 100
            changes at 2,000 rows 94 (straight), 80 (bent) and 69 (steps) were held in place of 90.
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
                made = cls(**parts, n_rows=int(arrays["n_rows"]))
        except (OSError, MemoryError):
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with the bytes
            raise ModelError(f"The refits cannot be read ({type(error).__name__}).") from None
        if len(made.others.intercepts) != len(OTHERS):
            raise ModelError("they are of other algorithms than there are now")
        return made


def _differences(fits: Compact, before: NDArray[np.float64], after: NDArray[np.float64]) -> NDArray[np.float64]:
    predictions = fits.predict(np.concatenate([before, after]))
    changes = predictions[len(before) :] - predictions[: len(before)]
    # What comes out of sums in another order is no change.
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

    once = np.unique(evaluate.groups_of(X, y), return_index=True)[1]
    generator, n_drawn = np.random.default_rng(SEED), min(len(once), N_DRAWN)
    draws = [np.sort(generator.choice(once, n_drawn)) for _ in range(N_REFITS)]
    some = np.sort(generator.choice(once, n_drawn, replace=False))  # all, unless there are more
    tasks = [
        (kind, _unfitted(kind, parameters, n_drawn), list(enumerate(draws))[start : start + _AT_ONCE])
        for kind, parameters in KINDS.items()
        for start in range(0, N_REFITS, _AT_ONCE)
    ]
    tasks += [(name, _bounded(build_pipeline(make_recipe(name)), n_drawn), [(SEED, some)]) for name in OTHERS]
    fitted = Parallel(n_jobs=n_jobs)(
        delayed(_fit_all)(algorithm, unfitted, [(number, X[drawn], y[drawn]) for number, drawn in part])
        for algorithm, unfitted, part in tasks
    )
    parts = [each for several in fitted for each in several]
    n_pool = N_REFITS * len(KINDS)
    return Refits(join_parts(parts[:n_pool]), join_parts(parts[n_pool:]), len(once))


def _unfitted(kind: str, parameters: dict[str, float], n_rows: int) -> Any:
    """Build a kind without a direction of its own."""
    unfitted = build_pipeline(make_recipe(kind, parameters))
    if "monotonic_cst" in unfitted[-1].get_params():
        unfitted.set_params(regressor__monotonic_cst=None)
    return _bounded(unfitted, n_rows)


def _bounded(unfitted: Any, n_rows: int) -> Any:
    """Keep independent trees small, where rows are many."""
    if n_rows > 2 * MAX_LEAVES and unfitted[-1].get_params().get("max_leaf_nodes", 0) is None:
        unfitted.set_params(regressor__max_leaf_nodes=MAX_LEAVES)
    return unfitted


def _fit_all(algorithm: str, unfitted: Any, several: Iterable[tuple[int, FloatArray, FloatArray]]) -> list[Parts]:
    from sklearn.base import clone

    parts = []
    with evaluate.fitting_on_one_thread():
        for seed, X, y in several:
            fresh = clone(unfitted)
            if "random_state" in fresh[-1].get_params():
                fresh.set_params(regressor__random_state=seed)
            if "optimizer" in fresh[-1].get_params() and len(X) > _N_SETTLING:
                few = np.random.default_rng(seed).permutation(len(X))[:_N_SETTLING]
                kernel = evaluate.fit_quietly(fresh, X[few], y[few])[-1].kernel_
                fresh = clone(fresh).set_params(regressor__kernel=kernel, regressor__optimizer=None)
            parts.append(take_apart(evaluate.fit_quietly(fresh, X, y), PARTS_OF[algorithm]))
    return parts
