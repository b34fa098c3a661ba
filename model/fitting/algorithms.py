"""The algorithms: how each is built from its parameters, what a fit costs, and what users read about it.

The Retrain page, the command line and the checks are derived from the table at the end: a new algorithm is an entry in
it, with a function that builds the regressor and one that estimates its cost.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from data.schema import FEATURES
from model.fitting import compact
from model.fitting.compact import PartsOf
from model.fitting.encoding import N_ENCODED, NUMBERS
from model.fitting.errors import ModelError


@dataclass(frozen=True)
class Cost:
    """What one fit needs, estimated from the size of the data."""

    seconds: float
    memory: float  # [bytes] of the fitted model
    artifact: float  # [bytes] of its file
    per_row: float  # [s] to predict one of many rows


@dataclass(frozen=True)
class Parameter:
    """A setting of an algorithm: its bounds, and what to know before changing it."""

    name: str
    label: str
    default: float  # an int where only whole numbers make sense
    low: float
    high: float
    help: str

    def check(self, value: object) -> float:
        """Return ``value`` as a number of this parameter's kind.

        Raises
        ------
        ModelError
            If it is not such a number, or out of bounds: with the value received and the cure.
        """
        is_whole = isinstance(self.default, int)
        cure = f"Give a {'whole ' if is_whole else ''}number from {self.low:g} to {self.high:g}."
        try:
            if isinstance(value, bool):
                raise TypeError
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError, OverflowError):
            raise ModelError(f"{self.name}: {str(value)[:60]!r} is not a number. {cure}") from None
        if not self.low <= number <= self.high or (is_whole and number != round(number)):
            raise ModelError(f"{self.name}: {number:.10g} is not possible. {cure}")
        return round(number) if is_whole else number


@dataclass(frozen=True)
class Algorithm:
    """An entry of `ALGORITHMS`: what people call it, its parameters, and how to build its regressor."""

    label: str
    help: str
    build: Callable[..., Any]  # (seed, **parameters) -> unfitted regressor
    cost: Callable[..., Cost]  # (n_rows, **parameters)
    parameters: tuple[Parameter, ...] = ()
    scales: bool = False  # whether it needs inputs of equal spread
    holds_directions: bool = False  # whether the schema's known directions are built in
    is_flat_beyond: bool = False  # whether it predicts beyond the rows what it predicts at their edge
    parts_of: PartsOf | None = None  # what a fit adds up, if `compact` knows: see `OTHERS` at the end

    @property
    def defaults(self) -> dict[str, float]:
        """Parameter name -> default."""
        return {parameter.name: parameter.default for parameter in self.parameters}


DIRECTIONS = [FEATURES[i].direction for i in NUMBERS] + [0] * (N_ENCODED - len(NUMBERS))  # of the encoded inputs


def forest(seed: int, n_estimators: int, max_features: int, min_samples_leaf: int, max_samples: float = 1.0) -> Any:
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


def extra_trees(seed: int, n_estimators: int, max_features: int, min_samples_leaf: int) -> Any:
    """Extremely randomised trees, monotone where the schema knows the direction."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(
        n_estimators=n_estimators,
        max_features=max_features,
        min_samples_leaf=min_samples_leaf,
        monotonic_cst=DIRECTIONS,
        random_state=seed,
    )


def gradient_boosting(seed: int, n_estimators: int, learning_rate: float, max_depth: int, subsample: float) -> Any:
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


def histogram_boosting(seed: int, max_iter: int, learning_rate: float, max_depth: int, min_samples_leaf: int) -> Any:
    """Boosting on binned inputs, monotone where the schema knows the direction."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        max_iter=max_iter,
        learning_rate=learning_rate,
        max_depth=max_depth,
        min_samples_leaf=min_samples_leaf,
        monotonic_cst=DIRECTIONS,
        early_stopping=False,  # otherwise more than 10,000 rows would make another recipe
        random_state=seed,
    )


def least_squares(seed: int) -> Any:
    """A straight line."""
    from sklearn.linear_model import LinearRegression

    return LinearRegression()


def ridge(seed: int, alpha: float) -> Any:
    """A straight line with shrunken slopes."""
    from sklearn.linear_model import Ridge

    return Ridge(alpha=alpha)


def gaussian_process(seed: int, length_scale: float, noise: float) -> Any:
    """A straight line plus a smooth surface plus noise."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct, WhiteKernel

    # Without the lower bounds it fits 48 rows exactly and predicts nonsense between them.
    smooth = ConstantKernel() * RBF(max(2.0, length_scale), (length_scale, 1e3))
    kernel = DotProduct() + smooth + WhiteKernel(max(0.3, noise), (noise, 10))
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)


def line_and_forest(seed: int, **parameters: Any) -> Any:
    """The mean of a straight line and a random forest."""
    from sklearn.ensemble import VotingRegressor

    return VotingRegressor([("line", least_squares(seed)), ("forest", forest(seed, **parameters))])


def mean(seed: int) -> Any:
    """Always the average."""
    from sklearn.dummy import DummyRegressor

    return DummyRegressor()


# Costs were measured on 48 to 1,000,000 rows, on 2 cores; times are for one core.
def cost_of_trees(
    n_rows: int,
    n_estimators: int,
    min_samples_leaf: int,
    max_features: int = 3,
    max_samples: float = 1.0,
    seconds: float = 1.9e-7,
    nodes: float = 1.0,
    overhead: float = 0.00005,
) -> Cost:
    """Cost of independent trees."""
    rows_per_tree = max(2, n_rows * max_samples)
    memory = n_estimators * (500 + nodes * 91 * rows_per_tree / min_samples_leaf**1.1)
    time = overhead + 7e-9 * n_rows + seconds * rows_per_tree * math.log2(rows_per_tree) * max_features / 3
    return Cost(n_estimators * time, memory, memory * 0.35, n_estimators * 1.1e-8 * math.log2(rows_per_tree))


def cost_of_boosting(n_rows: int, n_estimators: int, max_depth: int, subsample: float, **_: float) -> Cost:
    """Cost of boosting on sorted inputs."""
    time = n_estimators * (0.0008 + 3.4e-8 * n_rows * subsample * math.log2(n_rows) * max_depth)
    leaves = 2**max_depth
    return Cost(time, n_estimators * leaves * 150, n_estimators * leaves * 60, n_estimators * 8e-9 * max_depth)


def cost_of_histograms(n_rows: int, max_iter: int, max_depth: int, **_: float) -> Cost:
    """Cost of boosting on binned inputs."""
    leaves, time = min(31, 2**max_depth), max_iter * (0.0006 + 1e-8 * n_rows * max_depth)
    return Cost(time, max_iter * leaves * 250, max_iter * leaves * 60, max_iter * (2e-8 + 5e-9 * max_depth))


def cost_of_line(n_rows: int, **_: float) -> Cost:
    """Cost of a linear model."""
    return Cost(0.002 + 2.5e-7 * n_rows, 1000, 1000, 3e-8)


def cost_of_process(n_rows: int, **_: float) -> Cost:
    """Cost of a Gaussian process."""
    return Cost(0.06 + 1e-8 * n_rows**3, 50 * n_rows**2, 8 * n_rows**2, 4.5e-8 * n_rows)


N_TREES = Parameter("n_estimators", "Trees", 300, 1, 1000, "More trees: steadier answers, a larger file.")
MAX_FEATURES = Parameter(
    "max_features", "Inputs tried per split", min(3, N_ENCODED), 1, N_ENCODED, "Fewer: trees differ more."
)
LEAF = Parameter("min_samples_leaf", "Smallest leaf", 2, 1, 50, "Rows that a leaf holds at least. More: smoother.")
RATE = Parameter("learning_rate", "Learning rate", 0.05, 0.005, 1.0, "How much each stage corrects. Less: more stages.")
DEPTH = Parameter("max_depth", "Depth", 2, 1, 8, "Questions a tree asks in a row. 1: inputs never act together.")
SAMPLES = Parameter(
    "max_samples", "Share of rows per tree", 1.0, 0.001, 1.0, "Less than 1 keeps a forest on many rows small and fast."
)


def _with_default(parameter: Parameter, default: float) -> Parameter:
    return replace(parameter, default=default)


ALGORITHMS: dict[str, Algorithm] = {
    "forest": Algorithm(
        "random forest",
        "The average of many trees, each grown on a random choice of the rows.",
        forest,
        cost_of_trees,
        (N_TREES, MAX_FEATURES, LEAF, SAMPLES),
        holds_directions=True,
        is_flat_beyond=True,
        parts_of=compact.of_forest,
    ),
    "extra_trees": Algorithm(
        "extra trees",
        "As a random forest, but splits are drawn at random: smoother.",
        extra_trees,
        lambda n_rows, **parameters: cost_of_trees(n_rows, **parameters, seconds=6e-8, nodes=1.45),
        (_with_default(N_TREES, 100), _with_default(MAX_FEATURES, N_ENCODED), LEAF),
        holds_directions=True,
        is_flat_beyond=True,
        parts_of=compact.of_forest,
    ),
    "gradient_boosting": Algorithm(
        "gradient boosting",
        "Small trees one after another, each correcting those before.",
        gradient_boosting,
        cost_of_boosting,
        (
            Parameter("n_estimators", "Stages", 100, 1, 1000, "More stages fit more closely."),
            RATE,
            DEPTH,
            Parameter("subsample", "Share of rows per stage", 0.7, 0.2, 1.0, "Less than 1 guards against chance."),
        ),
        is_flat_beyond=True,
        parts_of=compact.of_boosting,
    ),
    "histogram_boosting": Algorithm(
        "histogram boosting",
        "Boosting on binned inputs: small and fast on many rows.",
        histogram_boosting,
        cost_of_histograms,
        (
            Parameter("max_iter", "Stages", 100, 1, 1000, "More stages fit more closely."),
            RATE,
            DEPTH,
            _with_default(LEAF, 3),
        ),
        holds_directions=True,
        is_flat_beyond=True,
        parts_of=compact.of_histograms,
    ),
    "least_squares": Algorithm(
        "least squares",
        "The straight line: nothing to set.",
        least_squares,
        cost_of_line,
        scales=True,
        parts_of=compact.of_line,
    ),
    "ridge": Algorithm(
        "ridge",
        "A straight line with slopes shrunk towards zero.",
        ridge,
        cost_of_line,
        (
            Parameter(
                "alpha", "Penalty", 3.0, 0.001, 1000.0, "0.001 is nearly least squares, 1,000 nearly the average."
            ),
        ),
        scales=True,
        parts_of=compact.of_line,
    ),
    "gaussian_process": Algorithm(
        "Gaussian process",
        "A straight line plus a smooth surface; not for thousands of rows.",
        gaussian_process,
        cost_of_process,
        (
            Parameter(
                "length_scale", "Shortest length scale", 1.0, 0.1, 10.0, "In standard deviations. More: smoother."
            ),
            Parameter("noise", "Least noise", 0.1, 0.001, 1.0, "Share of the variance that is never explained."),
        ),
        scales=True,
        parts_of=compact.of_process,
    ),
    "line_and_forest": Algorithm(
        "mean of least squares and forest",
        "Half straight line, half random forest.",
        line_and_forest,
        lambda n_rows, **parameters: cost_of_trees(n_rows, **parameters, overhead=0.0008),
        (_with_default(N_TREES, 100), MAX_FEATURES, LEAF),
        parts_of=compact.of_line_and_forest,
    ),
    "mean": Algorithm("always the average", "Ignores all inputs: what any model must beat.", mean, cost_of_line),
}
DEFAULT = "forest"
BASELINES = ("least_squares", "mean")
OFFERED = tuple(name for name in ALGORITHMS if name != "mean")
PARTS_OF = {name: entry.parts_of for name, entry in ALGORITHMS.items() if entry.parts_of}
OTHERS = tuple(name for name in OFFERED if name in PARTS_OF)  # also asked what a change does
