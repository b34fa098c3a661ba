"""A recipe: the algorithm, its parameters and the seed that settle a fit, and how they become an unfitted pipeline."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, field
from typing import TYPE_CHECKING

from model.fitting.algorithms import ALGORITHMS, DEFAULT, Cost, Parameter
from model.fitting.encoding import CATEGORIES, make_encoder
from model.fitting.errors import ModelError

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

MAX_ARTIFACT = 200 * 10**6  # [bytes] the largest model file that is kept
_SHRINKING = ("max_samples", "n_estimators")  # parameters that make a model smaller, the least harmful first
_TWO_DIGITS = [round(digits * 10.0**power, 9) for power in range(-4, 3) for digits in range(10, 100)]


@dataclass(frozen=True)
class Recipe:
    """What settles a fit on given rows; equal recipes give equal models. `make_recipe` checks one."""

    algorithm: str = DEFAULT
    parameters: Mapping[str, float] = field(default_factory=lambda: ALGORITHMS[DEFAULT].defaults)
    seed: int = 0

    def __hash__(self) -> int:
        return hash((self.algorithm, frozenset(self.parameters.items()), self.seed))

    @property
    def label(self) -> str:
        """What people call its algorithm."""
        return ALGORITHMS[self.algorithm].label


def make_recipe(algorithm: str = DEFAULT, parameters: Mapping[str, float] | None = None, seed: int = 0) -> Recipe:
    """Check a recipe and add the default of each parameter that is missing.

    Parameters
    ----------
    algorithm
        A key of ``ALGORITHMS``.
    parameters
        Parameter name -> number.
    seed
        The ``random_state`` of whatever is random in it.

    Raises
    ------
    ModelError
        If the algorithm or a parameter is unknown, a value out of bounds, or the seed not a whole number from 0 to
        2**32 - 1.
    """
    if algorithm not in ALGORITHMS:
        raise ModelError(f"algorithm: {str(algorithm)[:60]!r} is unknown. Choose one of {', '.join(ALGORITHMS)}.")
    entry = ALGORITHMS[algorithm]
    if unknown := set(parameters or {}) - set(entry.defaults):
        known = ", ".join(entry.defaults) or "none"
        raise ModelError(f"{algorithm}: unknown parameter {', '.join(sorted(unknown))}. It takes {known}.")
    values = entry.defaults | dict(parameters or {})
    checked = {parameter.name: parameter.check(values[parameter.name]) for parameter in entry.parameters}
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ModelError(f"seed: {str(seed)[:60]!r} is not possible. Give a whole number from 0 to {2**32 - 1}.")
    return Recipe(algorithm, checked, seed)


def build_pipeline(recipe: Recipe) -> "Pipeline":
    """Build the unfitted pipeline; all preparation lives inside it, so what is served is what was trained.

    Returns
    -------
    Pipeline
        Steps ``prepare`` and ``regressor``, before them ``encode`` if there are categories; fit it on an array of shape
        (n_rows, n_features) in the order of the schema and in its stored units.

    Raises
    ------
    ModelError
        As `make_recipe`.
    """
    from sklearn.pipeline import Pipeline
    from sklearn.preprocessing import StandardScaler

    recipe = make_recipe(*astuple(recipe))
    entry = ALGORITHMS[recipe.algorithm]
    prepare = StandardScaler() if entry.scales else "passthrough"
    encode = [("encode", make_encoder())] if CATEGORIES else []
    return Pipeline([*encode, ("prepare", prepare), ("regressor", entry.build(recipe.seed, **recipe.parameters))])


def estimate_cost(recipe: Recipe, n_rows: int) -> Cost:
    """Estimate what one fit on so many rows needs.

    Raises
    ------
    ModelError
        As `make_recipe`, and if the model's file would be larger than ``MAX_ARTIFACT``: with the cure.
    """
    recipe = make_recipe(*astuple(recipe))  # one of an earlier release may lack a parameter
    entry = ALGORITHMS[recipe.algorithm]
    cost = entry.cost(n_rows, **recipe.parameters)
    if cost.artifact > MAX_ARTIFACT:
        cures = [
            f"lower {parameter.label.lower()} ({parameter.name})"
            for parameter in entry.parameters
            if parameter.name in _SHRINKING
        ]
        cures.append("choose histogram boosting")
        largest = largest_that_fits(recipe, n_rows)
        raise ModelError(
            f"The model file of {entry.label} on {n_rows:,} rows would have about {cost.artifact / 1e6:,.0f} MB, "
            f"more than the {MAX_ARTIFACT / 1e6:.0f} MB that are kept. Cure: {', or '.join(cures)}."
            + (f" It fits with {largest[0].label.lower()} {largest[1]:g}." if largest else "")
        )
    return cost


def largest_that_fits(recipe: Recipe, n_rows: int) -> tuple[Parameter, float] | None:
    """Find the value of one parameter with which a model on so many rows can be kept.

    Returns
    -------
    (Parameter, float) or None
        The largest value of two digits with which the estimated file is small enough; None where there is none.
    """
    entry = ALGORITHMS[recipe.algorithm]
    parameters = {parameter.name: parameter for parameter in entry.parameters}
    for parameter in (parameters[name] for name in _SHRINKING if name in parameters):
        values = [value for value in _TWO_DIGITS if parameter.low <= value <= parameter.high]
        if isinstance(parameter.default, int):
            values = [round(value) for value in values if value == round(value)]
        costs = (entry.cost(n_rows, **{**recipe.parameters, parameter.name: value}) for value in values)
        if small_enough := [value for value, cost in zip(values, costs, strict=True) if cost.artifact <= MAX_ARTIFACT]:
            return parameter, small_enough[-1]
    return None
