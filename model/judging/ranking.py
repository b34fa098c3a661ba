"""Several candidates on the same rows: which tie with the best, and what to expect of the one chosen as the best."""

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
    """One of several candidates on the same rows, compared with the best."""

    version: int
    algorithm: str
    scores: Scores
    difference: Difference  # to the best, with an interval that holds for all pairs at once
    is_tied: bool


@dataclass(frozen=True)
class Ranking:
    """Candidates, those with the smallest mean absolute error first.

    Attributes
    ----------
    table
        One `RankedVersion` per candidate.
    corrected
        Mean absolute error to expect of the best on new rows, corrected for the choice [unit of the target].
    """

    table: list[RankedVersion]
    corrected: float

    def preferred(self, active: int) -> int:
        """Return the version to look at first: the best, unless the active one ties with it."""
        is_tied = any(ranked.version == active and ranked.is_tied for ranked in self.table)
        return active if is_tied else self.table[0].version


def comparable_versions(versions: list[Version], number: int, active: int) -> list[Version]:
    """Return the versions on the rows and folds of version ``number``: it, the active one, and one per other recipe.

    Returns
    -------
    list of model.store.versions.Version
        Oldest first; of equal recipes the newest version.
    """
    (reference,) = (version for version in versions if version.id == number)
    comparable = [version for version in versions if version.trained_on == reference.trained_on and not version.broken]
    newest_ids = {version.recipe: version.id for version in comparable} | {reference.recipe: number}
    return [version for version in comparable if version.id in {active, *newest_ids.values()}]


def rank_versions(store: Store, versions: list[Version]) -> Ranking:
    """Rank versions from `comparable_versions` by mean absolute error, and mark those that tie with the best."""
    ordered = sorted(versions, key=lambda version: version.metadata.scores["model"].mae.value)
    rows = read_rows(store, ordered[0].data_set.id, ordered[0].excluded)
    y = rows[TARGET.name].to_numpy(float)
    groups = groups_of(features(rows), y)
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
    """Compare several models with the one chosen as the best of them.

    Parameters
    ----------
    y
        Of shape (n_rows,).
    predictions
        Out of fold, each of shape (n_repeats, n_rows), the best first [unit of y].
    groups
        From `model.fitting.evaluate.groups_of`.
    level
        Share of tables on which the intervals of all pairs hold at once [1].

    Returns
    -------
    differences
        By how much the mean absolute error of each exceeds that of the best [unit of y].
    corrected
        Mean absolute error to expect of the best on new rows [unit of y].

    Notes
    -----
    The standard errors are Nadeau and Bengio's (2003); how many of them an interval needs is the quantile, over samples
    of the rows, of the largest difference of all pairs in its own standard errors (max-t: Westfall and Young 1993). The
    correction is BBC-CV: in each sample the best is chosen by the rows drawn and judged by those left out (Tsamardinos,
    Greasidou and Borboudakis 2018, Machine Learning 107).
    """
    errors = np.array([np.abs(y - by_model).mean(axis=0) for by_model in predictions])
    counts, sums, sizes = _draw_samples(errors, groups)
    means = (counts @ sums) / (counts @ sizes)[:, None]  # (n_samples, n_models)
    pairs = list(combinations(range(len(predictions)), 2))
    excess = [sums[:, i] - sums[:, j] for i, j in pairs]
    critical_value = _max_t_quantile(np.column_stack(excess), sizes, counts, level) if pairs else 0.0
    differences = []
    for by_model in predictions:
        value, standard_error, _ = excess_of_mae(y, by_model, predictions[0], groups)
        half_width = critical_value * standard_error
        differences.append(Difference(value, value - half_width, value + half_width))
    is_left_out = counts == 0
    has_left_out = is_left_out.any(axis=1)
    left_out_means = (is_left_out @ sums)[has_left_out] / (is_left_out @ sizes)[has_left_out, None]
    best = means[has_left_out].argmin(axis=1)
    return differences, float(left_out_means[np.arange(len(best)), best].mean())


def _max_t_quantile(
    excess: NDArray[np.float64], sizes: NDArray[np.intp], counts: NDArray[np.int64], level: float
) -> float:
    """Return the quantile, over samples, of the largest difference in its own standard errors (bootstrap-t)."""
    totals = (counts @ sizes)[:, None]
    means = counts @ excess / totals
    squares = (
        counts @ excess**2 - 2 * means * (counts @ (excess * sizes[:, None])) + means**2 * (counts @ sizes**2)[:, None]
    )
    errors = np.sqrt(np.maximum(squares, 0)) / totals
    deviations = np.abs(means - excess.sum(axis=0) / sizes.sum())
    t = np.divide(deviations, errors, out=np.zeros_like(deviations), where=errors > 0)
    return float(np.quantile(t.max(axis=1), level))


def _draw_samples(
    errors: NDArray[np.float64], groups: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.intp]]:
    """Draw groups of rows: how often each is drawn, its sum of errors for each model, and its number of rows."""
    generator, n_distinct = np.random.default_rng(0), int(groups.max()) + 1
    n_groups = min(n_distinct, N_ENOUGH)
    group_numbers = (generator.permutation(n_distinct) * n_groups // n_distinct)[groups]
    sums: NDArray[np.float64] = np.column_stack([np.bincount(group_numbers, by_row, n_groups) for by_row in errors])
    counts = generator.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=_N_SAMPLES)
    return counts, sums, np.bincount(group_numbers, minlength=n_groups)
