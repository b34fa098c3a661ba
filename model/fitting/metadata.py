"""The metadata of a kept model: what it was made of and how good it is, as its sidecar and the store keep them."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, is_dataclass
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from model.fitting.evaluate import Folds
from model.fitting.interval import Coverage
from model.fitting.recipe import Recipe
from model.fitting.scores import Difference, Scores

RECIPE = tuple(field.name for field in fields(Recipe))  # at the top level of a file, not in a part of their own


@dataclass(frozen=True)
class NamedUnit:
    """A column as the model knows it: its name and its unit as it is stored."""

    name: str
    unit: str


@dataclass(frozen=True)
class Data:
    """The rows that a model was trained on: their checksum, `data.load.fingerprint`, and their number."""

    sha256: str
    n_rows: int


@dataclass(frozen=True)
class Probes:
    """A few rows to try a loaded model with: inputs of shape (n, n_features), and its predictions of them."""

    inputs: tuple[tuple[float, ...], ...]
    predictions: tuple[float, ...]


@dataclass(frozen=True)
class Metadata:
    """What is known of a model without its pipeline and without what it holds row by row.

    Attributes
    ----------
    scores
        "model" and each baseline -> its scores on the same folds.
    mae_difference
        Each baseline -> by how much the mean absolute error of the model exceeds its own [unit of the target].
    coverage
        What its intervals held of rows that neither fit nor width had seen; None if an earlier release trained it.
    trained_at
        ISO 8601, in UTC.
    model_sha256
        Of its pickled pipeline; None until there is one.
    """

    recipe: Recipe
    features: tuple[NamedUnit, ...]
    target: NamedUnit
    data: Data
    libraries: dict[str, str]
    folds: Folds
    scores: dict[str, Scores]
    mae_difference: dict[str, Difference]
    probes: Probes
    trained_at: str
    coverage: Coverage | None = None
    model_sha256: str | None = None

    @property
    def evaluated_on(self) -> tuple[str, Folds, dict[str, str]]:
        """What an evaluation depends on besides its recipe: rows, folds and libraries."""
        return self.data.sha256, self.folds, self.libraries

    def to_record(self) -> dict[str, Any]:
        """Return it as a file holds it: plain values, without those that are not known."""
        values = {name: value for name, value in asdict(self).items() if value is not None}
        return values.pop("recipe") | values

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Metadata":
        """Read what `to_record` has written; ignore anything else.

        Raises
        ------
        KeyError, TypeError, ValueError, AttributeError
            If something is missing, or is of another kind.
        """
        recipe = {name: record[name] for name in RECIPE}
        return build_from_plain(cls, {**record, "recipe": recipe})


def build_from_plain(kind: Any, value: Any) -> Any:
    """Build from plain values what an annotation says."""
    if isinstance(kind, UnionType):  # X | None
        return None if value is None else build_from_plain(get_args(kind)[0], value)
    if is_dataclass(kind):
        kinds = get_type_hints(kind)
        return kind(**{name: build_from_plain(kinds[name], value[name]) for name in kinds if name in value})  # type: ignore[operator]
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return tuple(build_from_plain(arguments[0], part) for part in value)
    if get_origin(kind) in (dict, Mapping):
        return {name: build_from_plain(arguments[1], part) for name, part in value.items()}
    if kind is float and (isinstance(value, bool) or not isinstance(value, (int, float))):
        raise TypeError(f"{value!r} is not a number")
    if kind in (str, int) and not isinstance(value, kind):
        raise TypeError(f"{value!r} is not {kind.__name__}")
    return value
