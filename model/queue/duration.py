"""How long a training takes, and what is too long for a comparison of all algorithms."""

from data.schema import FEATURES
from model.fitting import recipe
from model.fitting.evaluate import N_SPLITS, n_repeats_for, pairs_of

MOST_COMPARED = 600  # [s] what one algorithm may take where all are compared
_BESIDES = 1.2e-5  # [s] a row for what any training does: baselines, scores, reading and keeping


def estimate(algorithm, parameters, n_rows):
    """Estimate how long a training takes, with its evaluation, on two cores that have little else to do.

    Parameters
    ----------
    algorithm, parameters
        As for `recipe.complete`.
    n_rows : int

    Returns
    -------
    float
        [s]
    """
    cost = recipe.ALGORITHMS[algorithm].cost(n_rows, **recipe.complete(algorithm, parameters))
    rounds = n_repeats_for(n_rows)
    exchanged = (1 + len(FEATURES)) * n_rows * cost.per_row  # each row as it is, and with each input exchanged
    folds = rounds * (N_SPLITS * cost.seconds + exchanged)
    pairs = 0.75 * len(pairs_of(rounds)) * cost.seconds  # on three fifths of the rows, where a fold's are on four
    # Two processes, half as fast again as one.
    return (folds + pairs) / 1.5 + cost.seconds + exchanged + _BESIDES * n_rows


def require_quick(algorithm, parameters, n_rows):
    """Refuse what takes so long that a comparison of all algorithms is not the place for it.

    Raises
    ------
    ModelError
        With the way out.
    """
    if (seconds := estimate(algorithm, parameters, n_rows)) > MOST_COMPARED:
        raise recipe.ModelError(
            f"{recipe.ALGORITHMS[algorithm].label} on {n_rows:,} rows would take about {seconds / 60:,.0f} min, more "
            f"than the {MOST_COMPARED // 60} min that a comparison gives to each. Train it by itself."
        )
