"""Which algorithms there are, with their parameters and bounds, and how each becomes an unfitted pipeline.

The page, the command line and the checks are derived from the one table below.
"""

from collections.abc import Callable
from dataclasses import dataclass

from data.schema import FEATURES
from model.fitting import algorithms

MAX_ARTIFACT = 200 * 10**6  # [bytes] the largest model file that is kept
_SHRINKING = ("max_samples", "n_estimators")  # parameters that make a model smaller, that of the least harm first
_TWO_DIGITS = [round(digits * 10.0**power, 9) for power in range(-4, 3) for digits in range(10, 100)]


class ModelError(ValueError):
    """A model that cannot be built, trained, kept or loaded; the message says why and what to do."""


@dataclass(frozen=True)
class Parameter:
    """A setting of an algorithm: its bounds, and what to know before changing it."""

    name: str
    label: str
    default: float  # an int where only whole numbers make sense
    low: float
    high: float
    help: str

    def check(self, value):
        """Return ``value`` as a number of this parameter's kind.

        Raises
        ------
        ModelError
            If it is no such number or out of bounds: with the value received and the cure.
        """
        is_whole = isinstance(self.default, int)
        cure = f"Give a {'whole ' if is_whole else ''}number from {self.low:g} to {self.high:g}."
        try:
            if isinstance(value, bool):
                raise TypeError
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise ModelError(f"{self.name}: {str(value)[:60]!r} is not a number. {cure}") from None
        if not self.low <= number <= self.high or (is_whole and number != round(number)):
            raise ModelError(f"{self.name}: {number:.10g} is not possible. {cure}")
        return round(number) if is_whole else number


@dataclass(frozen=True)
class Algorithm:
    """A row of the table below: what people call it, its parameters, and how to build its regressor."""

    label: str
    help: str
    build: Callable  # (seed, **parameters) -> unfitted regressor
    cost: Callable  # (n_rows, **parameters) -> algorithms.Cost
    parameters: tuple = ()
    scales: bool = False  # whether it wants inputs of equal spread
    holds_directions: bool = False  # whether the schema's known directions are built in
    is_flat_beyond: bool = False  # whether it answers beyond the rows as at their edge

    @property
    def defaults(self):
        """Parameter name -> default."""
        return {parameter.name: parameter.default for parameter in self.parameters}


N_TREES = Parameter("n_estimators", "Trees", 300, 1, 1000, "More trees: steadier answers, a larger file.")
MAX_FEATURES = Parameter(
    "max_features", "Inputs tried per split", min(3, len(FEATURES)), 1, len(FEATURES), "Fewer: trees differ more."
)
LEAF = Parameter("min_samples_leaf", "Smallest leaf", 2, 1, 50, "Rows that a leaf holds at least. More: smoother.")
RATE = Parameter("learning_rate", "Learning rate", 0.05, 0.005, 1.0, "How much each stage corrects. Less: more stages.")
DEPTH = Parameter("max_depth", "Depth", 2, 1, 8, "Questions a tree asks in a row. 1: inputs never act together.")
SAMPLES = Parameter(
    "max_samples", "Share of rows per tree", 1.0, 0.001, 1.0, "Less than 1 keeps a forest on many rows small and fast."
)


def _but(parameter, default):
    return Parameter(**vars(parameter) | {"default": default})


ALGORITHMS = {
    "forest": Algorithm(
        "random forest",
        "The average of many trees, each grown on a random choice of the rows.",
        algorithms.forest,
        algorithms.cost_of_trees,
        (N_TREES, MAX_FEATURES, LEAF, SAMPLES),
        holds_directions=True,
        is_flat_beyond=True,
    ),
    "extra_trees": Algorithm(
        "extra trees",
        "As a random forest, but splits are drawn at random: smoother.",
        algorithms.extra_trees,
        lambda n_rows, **parameters: algorithms.cost_of_trees(n_rows, **parameters, seconds=6e-8, nodes=1.45),
        (_but(N_TREES, 100), _but(MAX_FEATURES, len(FEATURES)), LEAF),
        holds_directions=True,
        is_flat_beyond=True,
    ),
    "gradient_boosting": Algorithm(
        "gradient boosting",
        "Small trees one after another, each correcting those before.",
        algorithms.gradient_boosting,
        algorithms.cost_of_boosting,
        (
            Parameter("n_estimators", "Stages", 100, 1, 1000, "More stages fit more closely."),
            RATE,
            DEPTH,
            Parameter("subsample", "Share of rows per stage", 0.7, 0.2, 1.0, "Less than 1 guards against chance."),
        ),
        is_flat_beyond=True,
    ),
    "histogram_boosting": Algorithm(
        "histogram boosting",
        "Boosting on binned inputs: small and fast on many rows.",
        algorithms.histogram_boosting,
        algorithms.cost_of_histograms,
        (
            Parameter("max_iter", "Stages", 100, 1, 1000, "More stages fit more closely."),
            RATE,
            DEPTH,
            _but(LEAF, 3),
        ),
        holds_directions=True,
        is_flat_beyond=True,
    ),
    "least_squares": Algorithm(
        "least squares",
        "The straight line: nothing to set.",
        algorithms.least_squares,
        algorithms.cost_of_line,
        scales=True,
    ),
    "ridge": Algorithm(
        "ridge",
        "A straight line with slopes shrunk towards zero.",
        algorithms.ridge,
        algorithms.cost_of_line,
        (
            Parameter(
                "alpha", "Penalty", 3.0, 0.001, 1000.0, "0.001 is nearly least squares, 1,000 nearly the average."
            ),
        ),
        scales=True,
    ),
    "gaussian_process": Algorithm(
        "Gaussian process",
        "A straight line plus a smooth surface; not for thousands of rows.",
        algorithms.gaussian_process,
        algorithms.cost_of_process,
        (
            Parameter(
                "length_scale", "Shortest length scale", 1.0, 0.1, 10.0, "In standard deviations. More: smoother."
            ),
            Parameter("noise", "Least noise", 0.1, 0.001, 1.0, "Share of the variance that is never explained."),
        ),
        scales=True,
    ),
    "line_and_forest": Algorithm(
        "mean of least squares and forest",
        "Half straight line, half random forest.",
        algorithms.line_and_forest,
        algorithms.cost_of_trees,
        (_but(N_TREES, 100), MAX_FEATURES, LEAF),
    ),
    "mean": Algorithm(
        "always the average", "Ignores all inputs: what any model must beat.", algorithms.mean, algorithms.cost_of_line
    ),
}
DEFAULT = "forest"
BASELINES = ("least_squares", "mean")
OFFERED = tuple(name for name in ALGORITHMS if name != "mean")


def complete(algorithm=DEFAULT, parameters=None):
    """Check parameters and add the defaults of those that are not given.

    Parameters
    ----------
    algorithm : str, default="forest"
        A key of ``ALGORITHMS``.
    parameters : dict, optional
        Parameter name -> number.

    Returns
    -------
    dict
        Every parameter of the algorithm.

    Raises
    ------
    ModelError
        If the algorithm or a parameter is unknown, or a value out of bounds.
    """
    if algorithm not in ALGORITHMS:
        raise ModelError(f"algorithm: {str(algorithm)[:60]!r} is unknown. Choose one of {', '.join(ALGORITHMS)}.")
    entry = ALGORITHMS[algorithm]
    if unknown := set(parameters or {}) - set(entry.defaults):
        known = ", ".join(entry.defaults) or "none"
        raise ModelError(f"{algorithm}: unknown parameter {', '.join(sorted(unknown))}. It takes {known}.")
    given = entry.defaults | (parameters or {})
    return {parameter.name: parameter.check(given[parameter.name]) for parameter in entry.parameters}


def pipeline(algorithm=DEFAULT, parameters=None, seed=0):
    """Build the unfitted pipeline; all preparation lives inside it, so what is served is what was trained.

    Parameters
    ----------
    algorithm, parameters
        As for `complete`.
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
        As `complete`, and if the seed is no whole number from 0 to 2**32 - 1.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    parameters = complete(algorithm, parameters)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ModelError(f"seed: {str(seed)[:60]!r} is not possible. Give a whole number from 0 to {2**32 - 1}.")
    entry = ALGORITHMS[algorithm]
    prepare = StandardScaler() if entry.scales else "passthrough"
    return Pipeline([("prepare", prepare), ("regressor", entry.build(seed, **parameters))])


def cost(algorithm, parameters, n_rows):
    """Estimate what one fit on so many rows needs.

    Returns
    -------
    algorithms.Cost

    Raises
    ------
    ModelError
        As `complete`, and if the model's file would be larger than ``MAX_ARTIFACT``: with the way out.
    """
    entry, parameters = ALGORITHMS.get(algorithm), complete(algorithm, parameters)
    estimate = entry.cost(n_rows, **parameters)
    if estimate.artifact > MAX_ARTIFACT:
        ways = [
            f"lower {parameter.label.lower()} ({parameter.name})"
            for parameter in entry.parameters
            if parameter.name in _SHRINKING
        ]
        ways.append("choose histogram boosting")
        way = fitting(algorithm, parameters, n_rows)
        raise ModelError(
            f"The model file of {entry.label} on {n_rows:,} rows would have about {estimate.artifact / 1e6:,.0f} MB, "
            f"more than the {MAX_ARTIFACT / 1e6:.0f} MB that are kept. Cure: {', or '.join(ways)}."
            + (f" It fits with {way[0].label.lower()} {way[1]:g}." if way else "")
        )
    return estimate


def fitting(algorithm, parameters, n_rows):
    """Find the value of one parameter with which a model on so many rows can be kept.

    Parameters
    ----------
    algorithm : str
    parameters : dict
        All of them.
    n_rows : int

    Returns
    -------
    (Parameter, float) or None
        The largest value of two digits with which the estimated file is small enough; None where there is none.
    """
    entry = ALGORITHMS[algorithm]
    known = {parameter.name: parameter for parameter in entry.parameters}
    for parameter in (known[name] for name in _SHRINKING if name in known):
        possible = [value for value in _TWO_DIGITS if parameter.low <= value <= parameter.high]
        if isinstance(parameter.default, int):
            possible = [round(value) for value in possible if value == round(value)]
        costs = (entry.cost(n_rows, **parameters | {parameter.name: value}) for value in possible)
        if small := [value for value, cost in zip(possible, costs, strict=True) if cost.artifact <= MAX_ARTIFACT]:
            return parameter, small[-1]
    return None
