"""How long a training takes, and what is too long for a comparison of all algorithms."""

from data.schema import FEATURES
from model.fitting.algorithms import ALGORITHMS
from model.fitting.errors import ModelError
from model.fitting.evaluate import N_SPLITS, n_repeats_for, pairs_of
from model.fitting.recipe import Recipe

MOST_COMPARED = 600  # [s] what one algorithm may take where all are compared
_BESIDES = 1.2e-5  # [s] a row for what any training does: baselines, scores, reading and keeping


def estimate_duration(recipe: Recipe, n_rows: int) -> float:
    """Estimate how long a training takes, with its evaluation, on two cores that have little else to do [s]."""
    cost = ALGORITHMS[recipe.algorithm].cost(n_rows, **recipe.parameters)
    rounds = n_repeats_for(n_rows)
    exchanged = (1 + len(FEATURES)) * n_rows * cost.per_row  # each row as it is, and with each input exchanged
    folds = rounds * (N_SPLITS * cost.seconds + exchanged)
    pairs = 0.75 * len(pairs_of(rounds)) * cost.seconds  # on three fifths of the rows, where a fold's are on four
    # Two processes, half as fast again as one.
    return (folds + pairs) / 1.5 + cost.seconds + exchanged + _BESIDES * n_rows


def require_quick(recipe: Recipe, n_rows: int) -> None:
    """Refuse what takes so long that a comparison of all algorithms is not the place for it.

    Raises
    ------
    ModelError
        With the way out.
    """
    if (seconds := estimate_duration(recipe, n_rows)) > MOST_COMPARED:
        raise ModelError(
            f"{recipe.label} on {n_rows:,} rows would take about {seconds / 60:,.0f} min, more "
            f"than the {MOST_COMPARED // 60} min that a comparison gives to each. Train it by itself."
        )
