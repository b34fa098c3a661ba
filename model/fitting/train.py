"""Fit and score a recipe on rows: everything that an answer needs, with the record of where it came from."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

import numpy as np

from data.load import distinct, fingerprint
from data.schema import FEATURE_NAMES, FEATURES, ROWS, TARGET
from model.fitting import evaluate, interval, recipe
from model.fitting.evaluate import N_SPLITS, mae_difference, out_of_fold, scores
from model.fitting.importance import predictions_and_losses, to_record
from model.fitting.recipe import ModelError
from model.fitting.refits import Refits

N_PROBES = 6
_MANY = 1000  # rows among which enough are distinct, as a rule
_HARDLY = 1e-6  # standard deviation of a target, as a share of its size, below which nothing but rounding is left
N_BACKGROUND = 500  # rows up to which everything is compared with everything
N_SAMPLED = 50  # of more rows, those that stand for all: a move then costs what it costs with the shipped ones


@dataclass(frozen=True, eq=False)  # equal only to itself, and so fit to key a cache
class Model:
    """A fitted pipeline with the rows it was trained on and its record.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted; never changed.
    record : dict
        What the sidecar keeps: recipe, data, scores, out-of-fold predictions, probes, library versions.
    rows : pandas.DataFrame
        As `data.load.load_rows` returns them.
    notice : str
        What a user must know about how it was obtained; empty when all is in order.
    version : int
        Its number in the store; 0 for a model that is not from there.
    refits : Refits or None
        Of its rows; without them nothing is known of how sure a change is.
    """

    pipeline: Any
    record: dict
    rows: Any
    notice: str = ""
    version: int = 0
    refits: Refits | None = None

    @cached_property
    def X(self):
        """Inputs of the rows, shape (n_rows, n_features) [stored units]."""
        return features(self.rows)

    @cached_property
    def y(self):
        """Target of the rows, shape (n_rows,) [unit of the target]."""
        return self.rows[TARGET.name].to_numpy(float)

    @cached_property
    def residuals(self):
        """Out-of-fold errors, observed minus predicted, mean over the repeats, shape (n_rows,) [unit of the target]."""
        return (self.y - np.array(self.record["predictions"]["model"])).mean(axis=0)

    @cached_property
    def distinct(self):
        """Place of each distinct row, of copies the first, shape (n_distinct,)."""
        return np.unique(self.groups, return_index=True)[1]

    @cached_property
    def _sizes(self):
        errors = self.y - np.asarray(self.record["predictions"]["model"])
        return interval.in_order(errors[:, self.distinct])

    def half_width(self, level: float) -> float:
        """Half the width of its interval: see `model.fitting.interval.half_width`."""
        return interval.half_width_of(self._sizes, level)

    @cached_property
    def intervals(self) -> list[dict[str, Any]]:
        """What each level promises, and what was measured of it: see `model.fitting.interval.intervals`."""
        return interval.intervals(self)

    @cached_property
    def groups(self):
        """Number of the distinct row that each row is, shape (n_rows,): copies share one."""
        return evaluate.groups_of(self.X, self.y)

    @cached_property
    def records(self):
        """The rows by their places as plain dictionaries, column name -> value, for the path of a slider move."""
        return Records(self.rows)

    @cached_property
    def some_records(self):
        """The records, or every n-th of many: what a list or a small picture can show."""
        step = 1 if len(self.rows) <= N_BACKGROUND else -(-len(self.rows) // N_SAMPLED)
        return self.rows.iloc[::step].to_dict("records")

    @cached_property
    def scale(self):
        """Standard deviation of each input, shape (n_features,) [stored units]; 1 where it never varies."""
        scale = self.X.std(axis=0, ddof=1)
        return np.where(scale > 0, scale, 1.0)

    @cached_property
    def background(self):
        """Rows that stand for "not known" in contributions: all, or a random few of many, always the same."""
        if len(self.X) <= N_BACKGROUND:
            return self.X
        return np.random.default_rng(0).choice(self.X, N_SAMPLED, replace=False)

    @cached_property
    def spacing(self):
        """Distance of each distinct setting of the inputs to its nearest other, shape (n,) [standard deviations]."""
        from scipy.spatial import KDTree

        Z = np.unique(self.X, axis=0) / self.scale
        if len(Z) > N_BACKGROUND:  # every pair would take minutes
            tree = KDTree(Z)
            return tree.query(tree.data[tree.indices], k=[2])[0][:, 0]  # neighbours in turn: a third of the time
        return np.array([np.sort(np.linalg.norm(Z - z, axis=1))[1] for z in Z])

    @cached_property
    def _precision(self):
        return np.linalg.pinv((Z := np.column_stack([np.ones(len(self.X)), self.X / self.scale])).T @ Z)

    def leverage(self, X):
        """Leverage of scenarios in a line through the rows, shape (n,) [1]: how unusual its inputs are at once.

        Notes
        -----
        h = x' (X'X)^-1 x with a leading 1: Weisberg (1985), section 5.1.
        """
        Z = np.column_stack([np.ones(len(X)), X / self.scale])
        return np.einsum("ij,jk,ik->i", Z, self._precision, Z)

    @cached_property
    def most_leverage(self):
        """The largest leverage of a row [1]."""
        return float(self.leverage(self.X).max())

    @cached_property
    def tree(self):
        """The rows as a search tree, in standard deviations."""
        from scipy.spatial import KDTree

        return KDTree(self.X / self.scale)

    @cached_property
    def far(self):
        """Distances above which a scenario is far and very far [standard deviations]: 95th percentile, largest."""
        return float(np.quantile(self.spacing, 0.95)), float(self.spacing.max())

    @property
    def label(self):
        """What people call its algorithm."""
        return recipe.ALGORITHMS[self.record["algorithm"]].label


class Records:
    """Rows by their places, each made a dictionary when it is asked for: of a million, a move needs three."""

    def __init__(self, rows):
        self._columns = {name: rows[name].to_numpy() for name in rows}

    def __getitem__(self, place):
        """Column name -> value of one row; numbers are Python's."""
        found = {name: column[place] for name, column in self._columns.items()}
        return {name: value.item() if isinstance(value, np.generic) else value for name, value in found.items()}


def features(rows):
    """Inputs of rows as an array of shape (n_rows, n_features), in the order of the schema."""
    return rows[list(FEATURE_NAMES)].to_numpy(float)


def fit(algorithm, parameters, seed, rows):
    """Fit a recipe on all rows.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Equal arguments give equal predictions to the last bit.

    Raises
    ------
    ModelError
        If the algorithm, a parameter or its value is not possible.
    """
    return _fit(recipe.pipeline(algorithm, parameters, seed), features(rows), rows[TARGET.name].to_numpy(float))


def _fit(unfitted, X, y):
    try:
        return evaluate.fit(unfitted, X, y)
    except (ValueError, TypeError) as error:
        raise ModelError(f"The recipe cannot be fitted: {error}") from None


def require_usable(rows):
    """Refuse rows that no model can be trained and scored on.

    Raises
    ------
    ModelError
        If fewer than two to a fold are distinct, or one column never varies, or the target hardly.
    """
    least = 2 * N_SPLITS
    if (n_distinct := len(distinct(rows.head(_MANY)))) < least and (n_distinct := len(distinct(rows))) < least:
        but_for = "" if n_distinct == len(rows) else f", not counting {len(rows) - n_distinct:,} copies,"
        raise ModelError(f"{n_distinct} {ROWS}{but_for} are too few for {N_SPLITS} folds. Give at least {least}.")
    if constant := [column for column in (*FEATURES, TARGET) if rows[column.name].nunique() == 1]:
        raise ModelError(
            "\n".join(
                f"{column.name}: all {len(rows):,} {ROWS} have the value {column.text(rows[column.name].iloc[0])}, "
                "so nothing can be learned of it. Give rows in which it varies."
                for column in constant
            )
        )
    target = rows[TARGET.name].to_numpy(float)
    if target.std() < _HARDLY * np.abs(target).max():
        raise ModelError(
            f"{TARGET.name}: hardly varies in these {len(rows):,} {ROWS}, from {target.min():.10g} to "
            f"{target.max():.10g}; what is left is rounding. Give {ROWS} in which it varies."
        )


def train(
    rows, algorithm=recipe.DEFAULT, parameters=None, seed=0, *, n_repeats=None, n_jobs=1, progress=None, fits=None
):
    """Fit a recipe on rows and score it beside the baselines on the same folds.

    Parameters
    ----------
    rows : pandas.DataFrame
        As `data.load.load_rows` returns them.
    algorithm, parameters, seed
        See `model.fitting.recipe.pipeline`.
    n_repeats : int, optional
        Repeats of the 5-fold cross-validation: ten, and fewer of many rows, unless told otherwise.
    n_jobs : int, default=1
        Processes at work.
    progress : callable, optional
        Called with (folds done, folds in all).
    fits : iterable of (int, ndarray), optional
        As for `model.fitting.evaluate.out_of_fold`, with `model.fitting.importance.predictions_and_losses` kept.

    Returns
    -------
    Model

    Raises
    ------
    ModelError
        If the recipe is not possible, or the rows cannot be used.
    """
    from sklearn.base import clone
    from threadpoolctl import threadpool_limits

    unfitted = recipe.pipeline(algorithm, parameters, seed)
    recipe.cost(algorithm, parameters, len(rows))
    require_usable(rows)
    n_repeats = n_repeats or evaluate.n_repeats_for(len(rows))
    X, y = features(rows), rows[TARGET.name].to_numpy(float)
    with threadpool_limits(1, user_api="openmp"):  # threads that wait for each other stand still beside other programs
        pipeline = _fit(unfitted, X, y)  # first, so that what cannot be fitted fails at once
        in_sample = predictions_and_losses(pipeline, X, y)[None]
        options = {"n_jobs": n_jobs, "progress": progress, "keep": predictions_and_losses, "fits": fits}
        kept, pairs = evaluate.cross_validate(unfitted, X, y, n_repeats=n_repeats, **options)
        groups = evaluate.groups_of(X, y)
        once = np.unique(groups, return_index=True)[1]
        beyond = interval.beyond(lambda X, y: evaluate.fit(clone(unfitted), X, y), X[once], y[once], kept[:, once, 0])
    predictions = {"model": kept[:, :, 0]}
    for name in recipe.BASELINES:
        predictions[name] = out_of_fold(recipe.pipeline(name), X, y, n_repeats=n_repeats)
    probes = X[:: max(1, len(X) // N_PROBES)][:N_PROBES]
    record = {
        "algorithm": algorithm,
        "parameters": recipe.complete(algorithm, parameters),
        "seed": seed,
        "features": [{"name": column.name, "unit": _stored_unit(column)} for column in FEATURES],
        "target": {"name": TARGET.name, "unit": TARGET.unit},
        "data": {"sha256": fingerprint(rows), "n_rows": len(rows)},
        "libraries": libraries(),
        "folds": evaluate.folds_of(n_repeats),
        "scores": {name: scores(y, values, groups) for name, values in predictions.items()},
        "mae_difference": {
            name: mae_difference(y, predictions["model"], predictions[name], groups) for name in recipe.BASELINES
        },
        "coverage": interval.nested_held(y, predictions["model"], pairs, groups) | {"beyond": beyond},
        "predictions": {"model": predictions["model"]},
        "importance": {
            "held_out": to_record(kept, y),
            "in_sample": to_record(in_sample, y),
        },
        "probes": {"inputs": probes.tolist(), "predictions": pipeline.predict(probes).tolist()},
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return Model(pipeline, record, rows)


def train_again(record, rows):
    """Fit a recipe whose evaluation on these rows and folds is known already.

    Parameters
    ----------
    record : dict
        Of a model of the same recipe on the same rows, under the same libraries.
    rows : pandas.DataFrame

    Returns
    -------
    Model or None
        None where it does not answer as the record says: then only `train` can tell.
    """
    pipeline = fit(record["algorithm"], record["parameters"], record["seed"], rows)
    probes = record["probes"]
    if not np.allclose(pipeline.predict(np.array(probes["inputs"])), probes["predictions"], rtol=0, atol=1e-9):
        return None
    return Model(pipeline, record | {"trained_at": datetime.now(UTC).isoformat(timespec="seconds")}, rows)


def _stored_unit(column):
    return "share of people" if column.is_share else column.unit


def libraries():
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
