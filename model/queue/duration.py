"""How long a training takes, and which is too long for a comparison of all algorithms."""

from data.schema import FEATURES
from model.fitting.algorithms import ALGORITHMS
from model.fitting.errors import ModelError
from model.fitting.evaluate import N_SPLITS, n_repeats_for, pairs_of
from model.fitting.recipe import Recipe

MAX_COMPARED_SECONDS = 600  # [s] that one algorithm may take where all are compared
_SECONDS_PER_ROW = 1.2e-5  # for what every training does: baselines, scores, reading and keeping


def estimate_duration(recipe: Recipe, n_rows: int) -> float:
    """Estimate how long a training takes, with its evaluation, on two cores that have little else to do [s]."""
    cost = ALGORITHMS[recipe.algorithm].cost(n_rows, **recipe.parameters)
    n_repeats = n_repeats_for(n_rows)
    predicting = (1 + len(FEATURES)) * n_rows * cost.per_row  # each row as it is, and with each input exchanged
    fitting_folds = n_repeats * (N_SPLITS * cost.seconds + predicting)
    fitting_pairs = 0.75 * len(pairs_of(n_repeats)) * cost.seconds  # fitted on three fifths of the rows, not on four
    # Two processes are one and a half times as fast as one.
    return (fitting_folds + fitting_pairs) / 1.5 + cost.seconds + predicting + _SECONDS_PER_ROW * n_rows


def require_quick(recipe: Recipe, n_rows: int) -> None:
    """Raise a `ModelError`, with the way out, if a training takes too long for a comparison of all algorithms."""
    if (seconds := estimate_duration(recipe, n_rows)) > MAX_COMPARED_SECONDS:
        raise ModelError(
            f"{recipe.label} on {n_rows:,} rows would take about {seconds / 60:,.0f} min, more "
            f"than the {MAX_COMPARED_SECONDS // 60} min that a comparison gives to each. Train it by itself."
        )
