"""Several candidates on the same rows: who ties with the best, and what being chosen as the best is worth."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from data.schema import TARGET
from model.fitting.evaluate import N_ENOUGH, groups_of
from model.fitting.scores import Difference, Scores, excess_of_mae
from model.fitting.train import features
from model.store.database import Store
from model.store.evaluations import read_predictions
from model.store.versions import Version, read_rows

_N_SAMPLES = 2000


@dataclass(frozen=True)
class RankedVersion:
    """One of several candidates on the same rows: number, algorithm, scores, and whether it ties with the best."""

    version: int
    algorithm: str
    scores: Scores
    difference: Difference  # to the best, with an interval that holds for all pairs at once
    is_tied: bool


@dataclass(frozen=True)
class Ranking:
    """Candidates with the smallest mean absolute error first.

    Attributes
    ----------
    table
        One `RankedVersion` a candidate.
    corrected
        What to expect of the best on new rows, for it was chosen as the best of them [unit of the target].
    """

    table: list[RankedVersion]
    corrected: float

    def preferred(self, active: int) -> int:
        """Return the version to look at first: the best, unless the active one ties with it."""
        is_tied = any(each.version == active and each.is_tied for each in self.table)
        return active if is_tied else self.table[0].version


def comparable_versions(versions: list[Version], number: int, active: int) -> list[Version]:
    """Versions on the same rows and folds as one of them: of equal recipes the newest, and the active one.

    Returns
    -------
    list of model.store.versions.Version
        The oldest first.
    """
    (this,) = (version for version in versions if version.id == number)
    same = [version for version in versions if version.trained_on == this.trained_on and not version.broken]
    newest = {version.recipe: version.id for version in same} | {this.recipe: number}
    return [version for version in same if version.id in {active, *newest.values()}]


def rank_versions(store: Store, versions: list[Version]) -> Ranking:
    """Order candidates, from `comparable_versions`, by their typical miss, and draw the tie."""
    ordered = sorted(versions, key=lambda version: version.metadata.scores["model"].mae.value)
    rows = read_rows(store, ordered[0].data_set.id, ordered[0].excluded)
    y, groups = rows[TARGET.name].to_numpy(float), groups_of(features(rows), rows[TARGET.name].to_numpy(float))
    predictions = [read_predictions(store, version.evaluation_sha256) for version in ordered]
    differences, corrected = compare_with_best(y, predictions, groups)
    return Ranking(
        [
            RankedVersion(
                version.id,
                version.recipe.algorithm,
                version.metadata.scores["model"],
                difference,
                difference.verdict == 0,
            )
            for version, difference in zip(ordered, differences, strict=True)
        ],
        corrected,
    )


def compare_with_best(
    y: NDArray[np.float64],
    predictions: list[NDArray[np.float64]],
    groups: NDArray[np.intp],
    level: float = 0.9,
) -> tuple[list[Difference], float]:
    """Hold several models against the best of them, which was chosen for being that.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions
        Out of fold, each of shape (n_repeats, n_rows), the best first [unit of y].
    groups
        From `model.fitting.evaluate.groups_of`.
    level
        Share of tables on which all intervals, of each with each, hold [1].

    Returns
    -------
    differences
        By how much the mean absolute error of each exceeds that of the best [unit of y].
    corrected
        What to expect of the best [unit of y].

    Notes
    -----
    The standard errors are Nadeau and Bengio's (2003); how many of them an interval needs is the quantile, over samples
    of the rows, of the largest difference of all pairs in its own standard errors (max-t: Westfall and Young 1993). The
    correction is BBC-CV: in each sample the best is chosen by the rows drawn and judged by those left out (Tsamardinos,
    Greasidou and Borboudakis 2018, Machine Learning 107).
    """
    errors = np.array([np.abs(y - each).mean(axis=0) for each in predictions])
    drawn, sums, sizes = _samples(errors, groups)
    means = (drawn @ sums) / (drawn @ sizes)[:, None]  # (n_samples, n_models)
    pairs = list(combinations(range(len(predictions)), 2))
    excess = [sums[:, first] - sums[:, second] for first, second in pairs]
    n_errors = _largest(np.column_stack(excess), sizes, drawn, level) if pairs else 0.0
    differences = []
    for each in predictions:
        value, error, _ = excess_of_mae(y, each, predictions[0], groups)
        half = n_errors * error
        differences.append(Difference(value, value - half, value + half))
    is_out = drawn == 0
    is_judged = is_out.any(axis=1)
    left_out = (is_out @ sums)[is_judged] / (is_out @ sizes)[is_judged, None]
    chosen = means[is_judged].argmin(axis=1)
    return differences, float(left_out[np.arange(len(chosen)), chosen].mean())


def _largest(excess: NDArray[np.float64], sizes: NDArray[np.intp], drawn: NDArray[np.int64], level: float) -> float:
    """How many standard errors the largest of all differences keeps within, of samples of the rows (bootstrap-t)."""
    totals = (drawn @ sizes)[:, None]
    means = drawn @ excess / totals
    squares = (
        drawn @ excess**2 - 2 * means * (drawn @ (excess * sizes[:, None])) + means**2 * (drawn @ sizes**2)[:, None]
    )
    errors = np.sqrt(np.maximum(squares, 0)) / totals
    away = np.abs(means - excess.sum(axis=0) / sizes.sum())
    return float(np.quantile(np.divide(away, errors, out=np.zeros_like(away), where=errors > 0).max(axis=1), level))


def _samples(
    errors: NDArray[np.float64], groups: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Draw groups of rows: how often each, its sum of errors for each model, and how many rows it has."""
    generator, n_distinct = np.random.default_rng(0), int(groups.max()) + 1
    n_groups = min(n_distinct, N_ENOUGH)
    group = (generator.permutation(n_distinct) * n_groups // n_distinct)[groups]
    sums: NDArray[np.float64] = np.column_stack([np.bincount(group, each, n_groups) for each in errors])
    drawn = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_SAMPLES)
    return drawn, sums, np.bincount(group, minlength=n_groups)
