"""Which algorithms there are, and how each becomes an unfitted scikit-learn pipeline."""

from collections.abc import Callable
from dataclasses import dataclass

from data.schema import FEATURES


class ModelError(ValueError):
    """A model that cannot be built, trained, kept or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Algorithm:
    """A row of the table below: what people call it, its parameters, and how to build its regressor."""

    label: str
    parameters: dict
    build: Callable  # (seed, **parameters) -> unfitted regressor
    scales: bool  # whether it wants inputs of equal spread


def _forest(seed, n_estimators, max_features, min_samples_leaf):
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        monotonic_cst=[column.direction for column in FEATURES],
        random_state=seed,
    )


def _least_squares(seed):
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def _mean(seed):
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


ALGORITHMS = {
    "forest": Algorithm(
        label="random forest",
        parameters={"n_estimators": 300, "max_features": min(3, len(FEATURES)), "min_samples_leaf": 2},
        build=_forest,
        scales=False,
    ),
    "least_squares": Algorithm(label="least squares", parameters={}, build=_least_squares, scales=True),
    "mean": Algorithm(label="always the average", parameters={}, build=_mean, scales=False),
}
DEFAULT = "forest"
BASELINES = ("least_squares", "mean")


def pipeline(algorithm=DEFAULT, parameters=None, seed=0):
    """Build the unfitted pipeline; all preparation lives inside it, so what is served is what was trained.

    Parameters
    ----------
    algorithm : str, default="forest"
        A key of ``ALGORITHMS``.
    parameters : dict, optional
        Replaces some of the algorithm's own parameters.
    seed : int, default=0
        The ``random_state`` of whatever is random in it.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Steps ``prepare`` and ``regressor``; fit it on an array of shape (n_rows, n_features) in the
        order of the schema and in its stored units.

    Raises
    ------
    ModelError
        If the algorithm or a parameter is unknown.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    if algorithm not in ALGORITHMS:
        raise ModelError(f"algorithm: {algorithm!r} is unknown. Choose one of {', '.join(ALGORITHMS)}.")
    entry = ALGORITHMS[algorithm]
    if unknown := set(parameters or {}) - set(entry.parameters):
        known = ", ".join(entry.parameters) or "none"
        raise ModelError(f"{algorithm}: unknown parameter {', '.join(sorted(unknown))}. It takes {known}.")
    regressor = entry.build(seed, **entry.parameters | (parameters or {}))
    return Pipeline([("prepare", StandardScaler() if entry.scales else "passthrough"), ("regressor", regressor)])
