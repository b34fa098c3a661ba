"""How each algorithm is built from its parameters, and what a fit of it costs."""

import math
from dataclasses import dataclass

from data.schema import FEATURES


@dataclass(frozen=True)
class Cost:
    """What one fit needs, estimated from the size of the data."""

    seconds: float
    memory: float  # [bytes] of the fitted model
    artifact: float  # [bytes] of its file
    per_row: float  # [s] to predict one of many rows


DIRECTIONS = [column.direction for column in FEATURES]


def forest(seed, n_estimators, max_features, min_samples_leaf, max_samples=1.0):
    """A random forest, monotone where the schema knows the direction."""
    from sklearn.ensemble import RandomForestRegressor

    return RandomForestRegressor(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        max_samples=max_samples,
        monotonic_cst=DIRECTIONS,
        random_state=seed,
    )


def extra_trees(seed, n_estimators, max_features, min_samples_leaf):
    """Extremely randomised trees, monotone where the schema knows the direction."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        monotonic_cst=DIRECTIONS,
        random_state=seed,
    )


def gradient_boosting(seed, n_estimators, learning_rate, max_depth, subsample):
    """Gradient boosting by small trees."""
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(
        n_estimators=n_estimators,
        learning_rate=learning_rate,
        max_depth=max_depth,
        subsample=subsample,
        min_samples_leaf=3,
        random_state=seed,
    )


def histogram_boosting(seed, max_iter, learning_rate, max_depth, min_samples_leaf):
    """Boosting on binned inputs, monotone where the schema knows the direction."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        monotonic_cst=DIRECTIONS,
        early_stopping=False,  # else more than 10,000 rows would be another recipe
        random_state=seed,
    )


def least_squares(seed):
    """A straight line."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def ridge(seed, alpha):
    """A straight line with shrunken slopes."""
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha)


def gaussian_process(seed, length_scale, noise):
    """A straight line plus a smooth surface plus noise."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    # Without the lower bounds it fits 48 rows exactly and answers nonsense between them.
    smooth = ConstantKernel() * RBF(max(2.0, length_scale), (length_scale, 1e3))
    kernel = DotProduct() + smooth + WhiteKernel(max(0.3, noise), (noise, 10))
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)


def line_and_forest(seed, **parameters):
    """The mean of a straight line and a random forest."""
    from sklearn.ensemble import VotingRegressor

    return VotingRegressor([("line", least_squares(seed)), ("forest", forest(seed, **parameters))])


def mean(seed):
    """Always the average."""
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


# Costs were measured on 48 to 1,000,000 rows, on 2 cores; time is of one of them.
def cost_of_trees(n_rows, n_estimators, min_samples_leaf, max_features=3, max_samples=1.0, seconds=1.9e-7, nodes=1.0):
    """Cost of independent trees."""
    grown_on = max(2, n_rows * max_samples)
    memory = n_estimators * (500 + nodes * 91 * grown_on / min_samples_leaf**1.1)
    time = 0.0008 + 7e-9 * n_rows + seconds * grown_on * math.log2(grown_on) * max_features / 3
    return Cost(n_estimators * time, memory, memory * 0.35, n_estimators * 1.1e-8 * math.log2(grown_on))


def cost_of_boosting(n_rows, n_estimators, max_depth, subsample, **_):
    """Cost of boosting on sorted inputs."""
    time = n_estimators * (0.0008 + 3.4e-8 * n_rows * subsample * math.log2(n_rows) * max_depth)
    leaves = 2**max_depth
    return Cost(time, n_estimators * leaves * 150, n_estimators * leaves * 60, n_estimators * 8e-9 * max_depth)


def cost_of_histograms(n_rows, max_iter, max_depth, **_):
    """Cost of boosting on binned inputs."""
    leaves, time = min(31, 2**max_depth), max_iter * (0.0006 + 1e-8 * n_rows * max_depth)
    return Cost(time, max_iter * leaves * 250, max_iter * leaves * 60, max_iter * (2e-8 + 5e-9 * max_depth))


def cost_of_line(n_rows, **_):
    """Cost of a linear model."""
    return Cost(0.002 + 2.5e-7 * n_rows, 1000, 1000, 3e-8)


def cost_of_process(n_rows, **_):
    """Cost of a Gaussian process."""
    return Cost(0.06 + 1e-8 * n_rows**3, 50 * n_rows**2, 8 * n_rows**2, 4.5e-8 * n_rows)
