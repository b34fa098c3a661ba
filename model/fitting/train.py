"""Fit and score a recipe on rows: everything that an answer needs, with the record of where it came from."""

import json
import platform
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.load import drop_copies, fingerprint
from data.schema import FEATURE_NAMES, FEATURES, ROWS, TARGET, Column
from model.fitting import evaluate, interval
from model.fitting.algorithms import BASELINES
from model.fitting.encoding import CATEGORIES, encode_free, locate
from model.fitting.errors import ModelError
from model.fitting.evaluate import N_SPLITS, FloatArray, Folds, out_of_fold
from model.fitting.importance import Losses, importances, losses_of, predictions_and_losses
from model.fitting.interval import Interval
from model.fitting.metadata import Data, Metadata, NamedUnit, Probes
from model.fitting.recipe import Recipe, build_pipeline, estimate_cost, make_recipe
from model.fitting.refits import Refits
from model.fitting.scores import compare_mae, score_predictions

if TYPE_CHECKING:
    import pandas as pd

N_PROBES = 6
_N_CHECKED_FIRST = 1000  # rows of which, as a rule, enough are distinct
_MIN_SPREAD = 1e-6  # standard deviation of a target, as a share of its size: below it, only rounding is left
N_BACKGROUND = 500  # rows up to which everything is compared with everything
N_SAMPLED = 50  # of more rows, those that stand for all: a move then costs the same as with the shipped rows


@dataclass(frozen=True, eq=False)  # equal only to itself, so that it can key a cache
class Model:
    """A fitted pipeline with the rows it was trained on, its evaluation on them, and its metadata.

    Attributes
    ----------
    pipeline
        Fitted; never changed.
    rows
        As `data.load.load_rows` returns them.
    predictions
        Out of fold, of shape (n_repeats, n_rows) [unit of the target].
    importance
        "held_out" and "in_sample" -> squared errors row by row, from `model.fitting.importance.losses_of`.
    notice
        What a user must know about how it was obtained; empty when all is in order.
    version
        Its number in the store; 0 for a model that is not from there.
    refits
        Of its rows; without them, nothing is known about how sure a change is.
    """

    pipeline: Any
    rows: "pd.DataFrame"
    metadata: Metadata
    predictions: FloatArray
    importance: dict[str, Losses]
    notice: str = ""
    version: int = 0
    refits: Refits | None = None

    @cached_property
    def X(self) -> FloatArray:
        """Inputs of the rows, shape (n_rows, n_features) [stored units]."""
        return features(self.rows)

    @cached_property
    def y(self) -> FloatArray:
        """Target of the rows, shape (n_rows,) [unit of the target]."""
        return target(self.rows)

    @cached_property
    def residuals(self) -> FloatArray:
        """Out-of-fold errors, observed minus predicted, mean over the repeats, shape (n_rows,) [unit of the target]."""
        return (self.y - self.predictions).mean(axis=0)

    @cached_property
    def distinct(self) -> NDArray[np.intp]:
        """Position of each distinct row, of copies the first, shape (n_distinct,)."""
        return np.unique(self.groups, return_index=True)[1]

    @cached_property
    def _error_sizes(self) -> FloatArray:
        return interval.sorted_sizes((self.y - self.predictions)[:, self.distinct])

    def half_width(self, level: float) -> float:
        """Half the width of its interval: see `model.fitting.interval.half_width`."""
        return interval.half_width_of(self._error_sizes, level)

    @cached_property
    def intervals(self) -> list[Interval]:
        """What each level promises, and what was measured of it."""
        return interval.intervals(self._error_sizes, self.metadata.coverage)

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """Number of the distinct row that each row is, shape (n_rows,): copies share one."""
        return evaluate.groups_of(self.X, self.y)

    @cached_property
    def records(self) -> "Records":
        """The rows by position as plain dictionaries, column name -> value, for the path of a slider move."""
        return Records(self.rows)

    @cached_property
    def listed_records(self) -> list[dict[str, Any]]:
        """The records, or every n-th of many: what a list or a small picture can show."""
        step = 1 if len(self.rows) <= N_BACKGROUND else -(-len(self.rows) // N_SAMPLED)
        return self.rows.iloc[::step].to_dict("records")

    @cached_property
    def scale(self) -> FloatArray:
        """Standard deviation of each input, shape (n_features,) [stored units]; 1 of a category, or without one."""
        scale = self.X.std(axis=0, ddof=1)
        scale[CATEGORIES] = 1.0
        return np.where(scale > 0, scale, 1.0)

    @cached_property
    def background(self) -> FloatArray:
        """Rows that stand for "not known" in contributions: all, or a random few of many, always the same."""
        if len(self.X) <= N_SAMPLED:
            return self.X
        return np.random.default_rng(0).choice(self.X, N_SAMPLED, replace=False)

    @cached_property
    def spacing(self) -> FloatArray:
        """Distance from each distinct setting of the inputs to the nearest other, shape (n,) [standard deviations]."""
        from scipy.spatial import KDTree

        Z = locate(np.unique(self.X, axis=0), self.scale)
        if len(Z) > N_BACKGROUND:  # every pair would take minutes
            tree = KDTree(Z)
            return tree.query(tree.data[tree.indices], k=[2])[0][:, 0]  # neighbours in turn: a third of the time
        return np.array([np.sort(np.linalg.norm(Z - z, axis=1))[1] for z in Z])

    @cached_property
    def _precision(self) -> FloatArray:
        Z = self._design(self.X)
        return np.linalg.pinv(Z.T @ Z)

    def _design(self, X: FloatArray) -> Any:
        return np.column_stack([np.ones(len(X)), encode_free(X / self.scale)])

    def leverage(self, X: FloatArray) -> FloatArray:
        """Leverage of scenarios in a line through the rows, shape (n,) [1]: how unusual their inputs are together.

        Notes
        -----
        h = x' (X'X)^-1 x with a leading 1: Weisberg (1985), section 5.1.
        """
        Z = self._design(X)
        return (Z @ self._precision * Z).sum(axis=1)

    @cached_property
    def most_leverage(self) -> float:
        """The largest leverage of a row [1]."""
        return float(self.leverage(self.X).max())

    @cached_property
    def search_tree(self) -> Any:
        """The rows as a search tree, in standard deviations."""
        from scipy.spatial import KDTree

        return KDTree(locate(self.X, self.scale))

    @cached_property
    def far_distances(self) -> tuple[float, float]:
        """Distances above which a scenario is far and very far [standard deviations]: 95th percentile, largest."""
        return float(np.quantile(self.spacing, 0.95)), float(self.spacing.max())

    @cached_property
    def ranked_inputs(self) -> list[int]:
        """Indices of the inputs in the order of what matters to it, the most first."""
        rises = importances(self.importance["held_out"], np.arange(len(self.rows)))
        return sorted(range(len(FEATURES)), key=lambda i: -rises[FEATURE_NAMES[i]].value)

    @property
    def label(self) -> str:
        """What people call its algorithm."""
        return self.metadata.recipe.label


class Records:
    """Rows by position, each made a dictionary on request: of a million, a move needs three."""

    def __init__(self, rows: "pd.DataFrame") -> None:
        self._columns = {name: rows[name].to_numpy() for name in rows}

    def __getitem__(self, position: int) -> dict[str, Any]:
        """Column name -> value of one row; numbers are Python's."""
        values = {name: column[position] for name, column in self._columns.items()}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in values.items()}


def features(rows: "pd.DataFrame") -> FloatArray:
    """Inputs of rows as an array of shape (n_rows, n_features), in the order of the schema."""
    return rows[list(FEATURE_NAMES)].to_numpy(float)


def target(rows: "pd.DataFrame") -> FloatArray:
    """Target of rows, shape (n_rows,) [unit of the target]."""
    return rows[TARGET.name].to_numpy(float)


def fit(recipe: Recipe, rows: "pd.DataFrame") -> Any:
    """Fit a recipe on all rows; equal arguments give equal predictions to the last bit.

    Raises
    ------
    ModelError
        If the algorithm, a parameter or its value is not possible.
    """
    return _fit(build_pipeline(recipe), features(rows), target(rows))


def _fit(unfitted: Any, X: FloatArray, y: FloatArray) -> Any:
    try:
        return evaluate.fit_quietly(unfitted, X, y)
    except (ValueError, TypeError) as error:
        raise ModelError(f"The recipe cannot be fitted: {error}") from None


def require_usable(rows: "pd.DataFrame") -> None:
    """Refuse rows that no model can be trained and scored on.

    Raises
    ------
    ModelError
        If there are fewer than two distinct rows per fold, a column never varies, or the target hardly varies.
    """
    minimum = 2 * N_SPLITS
    n_distinct = len(drop_copies(rows.head(_N_CHECKED_FIRST)))
    if n_distinct < minimum and (n_distinct := len(drop_copies(rows))) < minimum:
        exclusion = "" if n_distinct == len(rows) else f", not counting {len(rows) - n_distinct:,} copies,"
        raise ModelError(f"{n_distinct} {ROWS}{exclusion} are too few for {N_SPLITS} folds. Give at least {minimum}.")
    if constant := [column for column in (*FEATURES, TARGET) if (rows[column.name] == rows[column.name].iloc[0]).all()]:
        raise ModelError(
            "\n".join(
                f"{column.name}: all {len(rows):,} {ROWS} have the value {column.text(rows[column.name].iloc[0])}, "
                "so nothing can be learned of it. Give rows in which it varies."
                for column in constant
            )
        )
    y = target(rows)
    if y.std() < _MIN_SPREAD * np.abs(y).max():
        raise ModelError(
            f"{TARGET.name}: hardly varies in these {len(rows):,} {ROWS}, from {y.min():.10g} to "
            f"{y.max():.10g}; what is left is rounding. Give {ROWS} in which it varies."
        )


def train(
    rows: "pd.DataFrame",
    recipe: Recipe | None = None,
    *,
    n_repeats: int | None = None,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    fits: Iterable[tuple[int, FloatArray]] | None = None,
) -> Model:
    """Fit a recipe on rows and score it beside the baselines on the same folds.

    Parameters
    ----------
    rows
        As `data.load.load_rows` returns them.
    recipe
        None for the default one.
    n_repeats
        Repeats of the 5-fold cross-validation; None for ten, and fewer for many rows.
    n_jobs
        Processes at work.
    progress
        Called with (folds done, folds in all).
    fits
        As for `model.fitting.evaluate.out_of_fold`, with `model.fitting.importance.predictions_and_losses` kept.

    Raises
    ------
    ModelError
        If the recipe is not possible, or the rows cannot be used.
    """
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    recipe = recipe or make_recipe()
    unfitted = build_pipeline(recipe)
    estimate_cost(recipe, len(rows))
    require_usable(rows)
    n_repeats = n_repeats or evaluate.n_repeats_for(len(rows))
    X, y = features(rows), target(rows)
    with threadpool_limits(1, user_api="openmp"):  # threads that wait for each other stall beside other programs
        pipeline = _fit(unfitted, X, y)  # first, so that a recipe that cannot be fitted fails at once
        in_sample = predictions_and_losses(pipeline, X, y)[None]
        row_values, pairs = evaluate.cross_validate(
            unfitted,
            X,
            y,
            n_repeats=n_repeats,
            n_jobs=n_jobs,
            progress=progress,
            keep=predictions_and_losses,
            fits=fits,
        )
        groups = evaluate.groups_of(X, y)
        unique = np.unique(groups, return_index=True)[1]
        beyond = interval.measure_beyond(
            lambda X, y: evaluate.fit_quietly(clone(unfitted), X, y), X[unique], y[unique], row_values[:, unique, 0]
        )
    predictions = row_values[:, :, 0]
    baselines = {name: out_of_fold(build_pipeline(make_recipe(name)), X, y, n_repeats=n_repeats) for name in BASELINES}
    all_predictions = {"model": predictions} | baselines
    probes = X[:: max(1, len(X) // N_PROBES)][:N_PROBES]
    metadata = Metadata(
        recipe=recipe,
        features=tuple(NamedUnit(column.name, stored_unit(column)) for column in FEATURES),
        target=NamedUnit(TARGET.name, TARGET.unit),
        data=Data(fingerprint(rows), len(rows)),
        libraries=libraries(),
        folds=Folds(n_repeats),
        scores={name: score_predictions(y, scored, groups) for name, scored in all_predictions.items()},
        mae_difference={name: compare_mae(y, predictions, baseline, groups) for name, baseline in baselines.items()},
        coverage=replace(interval.measure_coverage(y, predictions, pairs, groups), beyond=beyond),
        probes=Probes(tuple(map(tuple, probes.tolist())), tuple(pipeline.predict(probes).tolist())),
        trained_at=_now(),
    )
    importance = {"held_out": losses_of(row_values, y), "in_sample": losses_of(in_sample, y)}
    return Model(pipeline, rows, metadata, predictions, importance)


def train_again(
    metadata: Metadata, predictions: FloatArray, importance: dict[str, Losses], rows: "pd.DataFrame"
) -> Model | None:
    """Fit a recipe that is already evaluated on these rows and folds; None if it now predicts otherwise.

    Parameters
    ----------
    metadata, predictions, importance
        Of a model of the same recipe on the same rows, under the same libraries.
    """
    pipeline = fit(metadata.recipe, rows)
    if not answers_probes(pipeline, metadata.probes):
        return None
    return Model(pipeline, rows, replace(metadata, trained_at=_now()), predictions, importance)


def answers_probes(pipeline: Any, probes: Probes) -> bool:
    """Whether a fitted pipeline predicts its probes as its metadata say."""
    return np.allclose(pipeline.predict(np.array(probes.inputs)), probes.predictions, rtol=0, atol=1e-9)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def stored_unit(column: Column) -> str:
    """Say in what a model's record has a column: its unit, or the choices that its codes stand for."""
    if column.choices:
        return json.dumps(column.choices, ensure_ascii=False)
    return "share of people" if column.is_share else column.unit


def libraries() -> dict[str, str]:
    """Name -> version of what a model depends on."""
    import joblib
    import pandas as pd
    import sklearn

    return {
        "python": platform.python_version(),
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "pandas": pd.__version__,
        "joblib": joblib.__version__,
    }
