"""Cross-validation: predictions of rows that the fit has not seen."""

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.fitting.forest import BareForest, is_forest, predict_once
from model.fitting.trees import can_grow, fits_single_precision, grow_trees

if TYPE_CHECKING:
    import pandas as pd

N_REPEATS, N_SPLITS = 10, 5
N_ENOUGH = 2000  # rows above which one round of folds says nearly as much as ten
_N_NESTED = 2  # repeats in which pairs of folds are left out, too
_FEW_REPEATS = 6  # repeats up to which all pairs of two would add more than half to the time
_ALL_PAIRS = tuple(itertools.combinations(range(N_SPLITS), 2))
_FEW_PAIRS = ((0, 1), (2, 3), (0, 4))  # for many rows: each fold is in at least one

FloatArray = NDArray[np.float64]
Groups = NDArray[np.intp]
Keep = Callable[[Any, FloatArray, FloatArray], FloatArray]


@dataclass(frozen=True)
class Folds:
    """What settles the folds of a number of rows: equal values give equal folds."""

    n_repeats: int
    n_splits: int = N_SPLITS
    seed: int = 0


def n_repeats_for(n_rows: int) -> int:
    """How often the rows are split anew: ten times, and less often when they are many."""
    return max(1, min(N_REPEATS, N_REPEATS * N_ENOUGH // n_rows))


def pairs_of(n_repeats: int) -> list[tuple[int, int, int]]:
    """Which folds are left out two at a time: repeat, and the numbers of both.

    All pairs of two repeats cost a third of ten repeats with the fit on all rows. Few repeats mean many rows, for which
    some pairs suffice.
    """
    pairs = _ALL_PAIRS if n_repeats > _FEW_REPEATS else _FEW_PAIRS
    return [(repeat, *pair) for repeat in range(min(_N_NESTED, n_repeats)) for pair in pairs]


def n_fits_of(n_repeats: int, *, nested: bool) -> int:
    """How many fits `cross_validate` takes, or `out_of_fold`, which leaves out no pairs."""
    return n_repeats * N_SPLITS + nested * len(pairs_of(n_repeats))


def groups_of(X: FloatArray, y: FloatArray) -> Groups:
    """Number the distinct rows from 0 as they come: copies, equal in inputs and target, share a number."""
    import pandas as pd

    table = pd.DataFrame(np.column_stack([X, y]) + 0.0)  # which turns -0 into 0
    return pd.factorize(pd.util.hash_pandas_object(table, index=False))[0]


def predict_test_rows(fitted: Any, X: FloatArray, y: FloatArray) -> FloatArray:
    """Predict rows: what is kept of a fold by default."""
    return predict_once(fitted, X)


def out_of_fold(
    unfitted: Any,
    X: FloatArray,
    y: FloatArray,
    *,
    n_repeats: int = N_REPEATS,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    keep: Keep = predict_test_rows,
    fits: Iterable[tuple[int, FloatArray]] | None = None,
) -> FloatArray:
    """Predict every row from fits that have not seen it, in repeated 5-fold cross-validation.

    Parameters
    ----------
    unfitted
        An estimator, cloned for each fold.
    X
        Of shape (n_rows, n_features).
    y
        Of shape (n_rows,).
    n_repeats
        How often the rows are split anew.
    seed
        Of the splits: equal seeds give equal folds, whatever the estimator. Copies of a row are in the same fold.
    n_jobs
        Processes at work; the result does not depend on it.
    progress
        Called with (fits done, fits in all) after each.
    keep
        What to keep of each fit, from (fitted, X_test, y_test) to an array of shape (n_test, ...);
        by default its predictions.
    fits
        Number of each fold and what was kept of it, in any order, if they are fitted elsewhere, as by
        `model.queue.cluster`; otherwise they are fitted here, in ``n_jobs`` processes.

    Returns
    -------
    ndarray of shape (n_repeats, n_rows, ...)
        What was kept, row by row; predictions are in the unit of ``y``.

    Raises
    ------
    ValueError
        If there are fewer distinct rows than folds.
    """
    splits = splits_of(groups_of(X, y), n_repeats, seed)
    results = fits or _fit_locally(unfitted, X, y, splits, keep, n_repeats * N_SPLITS, n_jobs)
    row_values, _ = _gather_fits(results, splits, n_repeats, len(y), progress)
    return row_values


def cross_validate(
    unfitted: Any,
    X: FloatArray,
    y: FloatArray,
    *,
    n_repeats: int = N_REPEATS,
    seed: int = 0,
    n_jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    keep: Keep = predict_test_rows,
    fits: Iterable[tuple[int, FloatArray]] | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Do what `out_of_fold` does, and also predict rows from fits that lack another fold besides their own.

    Returns
    -------
    row_values
        As `out_of_fold` returns them.
    pairs
        Of shape (n_nested, N_SPLITS, n_rows) [unit of y]: for each fold of a repeat, predictions of the rows of
        other folds by fits that lacked both; NaN for its own rows, and where no such fit was made.
    """
    splits = splits_of(groups_of(X, y), n_repeats, seed, nested=True)
    results = fits or _fit_locally(unfitted, X, y, splits, keep, n_repeats * N_SPLITS, n_jobs)
    return _gather_fits(results, splits, n_repeats, len(y), progress)


def _gather_fits(
    results: Any,
    splits: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    n_repeats: int,
    n_rows: int,
    progress: Callable[..., Any] | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    n_folds, left_out_pairs = n_repeats * N_SPLITS, pairs_of(n_repeats)
    pairs = np.full((min(_N_NESTED, n_repeats), N_SPLITS, n_rows), np.nan)
    row_values: Any = None
    for n_done, (number, values) in enumerate(results, 1):
        _, test = splits[number]
        if number < n_folds:
            if row_values is None:
                row_values = np.empty((n_repeats, n_rows, *values.shape[1:]))
            row_values[number // N_SPLITS, test] = values
        else:
            repeat, first, second = left_out_pairs[number - n_folds]
            for fold, other_fold in ((first, second), (second, first)):
                in_other_fold = np.isin(test, splits[repeat * N_SPLITS + other_fold][1])
                pairs[repeat, fold, test[in_other_fold]] = values[in_other_fold]
        if progress:
            progress(n_done, len(splits))
    return row_values, pairs


def _fit_locally(
    unfitted: Any,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    splits: list[tuple[NDArray[np.float64], NDArray[np.float64]]],
    keep: Callable[..., Any],
    n_folds: int,
    n_jobs: int,
) -> Any:
    from joblib import Parallel, delayed

    return enumerate(
        Parallel(n_jobs=n_jobs, return_as="generator")(
            delayed(_fit_and_keep)(unfitted, X, y, train, test, keep if number < n_folds else predict_test_rows)
            for number, (train, test) in enumerate(splits)
        )
    )


def fit_split(
    unfitted: Any,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    number: int,
    n_repeats: int,
    seed: int,
    keep: Keep,
    *,
    nested: bool,
) -> NDArray[np.float64]:
    """Do one fit of `cross_validate` or of `out_of_fold` by its number, and return what to keep of it."""
    train, test = splits_of(groups_of(X, y), n_repeats, seed, nested=nested)[number]
    return _fit_and_keep(unfitted, X, y, train, test, keep if number < n_repeats * N_SPLITS else predict_test_rows)


def splits_of(groups: Groups, n_repeats: int, seed: int = 0, *, nested: bool = False) -> list[tuple[Any, Any]]:
    """Positions of the rows to fit on and to test on: fold by fold, then with two folds left out."""
    splits = _splits_of_distinct(int(groups.max()) + 1, n_repeats, seed, nested)
    if len(groups) == groups.max() + 1:
        return splits
    splits_with_copies = []
    for _, test in splits:
        is_test = np.isin(groups, test)
        splits_with_copies.append((np.flatnonzero(~is_test), np.flatnonzero(is_test)))
    return splits_with_copies


@lru_cache(maxsize=1)  # a process that fits folds by number needs the same splits again and again
def _splits_of_distinct(
    n_rows: int, n_repeats: int, seed: int, nested: bool
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    from sklearn.model_selection import RepeatedKFold

    rows = np.empty(n_rows)
    splits = list(RepeatedKFold(n_splits=N_SPLITS, n_repeats=n_repeats, random_state=seed).split(rows))
    for repeat, first, second in pairs_of(n_repeats) if nested else ():
        test = np.union1d(*(splits[repeat * N_SPLITS + fold][1] for fold in (first, second)))
        splits.append((np.setdiff1d(np.arange(n_rows), test), test))
    return splits


def fold_numbers(groups: Groups, n_repeats: int) -> Groups:
    """Number of the fold that each row is in, of shape (n_repeats, n_rows)."""
    numbers = np.empty((n_repeats, len(groups)), int)
    for number, (_, test) in enumerate(splits_of(groups, n_repeats)):
        numbers[number // N_SPLITS, test] = number % N_SPLITS
    return numbers


def _fit_and_keep(
    unfitted: Any,
    X: NDArray[np.float64],
    y: NDArray[np.float64],
    train: NDArray[np.float64],
    test: NDArray[np.float64],
    keep: Callable[..., Any],
) -> NDArray[np.float64]:
    from sklearn.base import clone

    with fitting_on_one_thread():
        return keep(_fit_once(clone(unfitted), X[train], y[train]), X[test], y[test])


def _fit_once(unfitted: Any, X: NDArray[np.float64], y: NDArray[np.float64]) -> Any:
    """Fit for `predict_once` alone."""
    if not hasattr(unfitted, "steps") or not is_forest(unfitted[-1]) or not can_grow(unfitted[-1]):
        return fit_quietly(unfitted, X, y)
    prepare = unfitted[:-1]
    prepared = prepare.fit_transform(X)
    if not fits_single_precision(prepared):
        return fit_quietly(unfitted, X, y)
    return BareForest(prepare, grow_trees(unfitted[-1], prepared, y))


@contextmanager
def fitting_on_one_thread() -> Iterator[None]:
    """Speed up hundreds of small fits: use one thread, and skip what scikit-learn checks anew each time."""
    from sklearn import config_context
    from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

    for tree in (DecisionTreeRegressor, ExtraTreeRegressor):
        # scikit-learn needs the constructor's signature three times a tree, a sixth of the time of a small forest;
        # a function that carries its signature is not inspected again.
        vars(tree.__init__).setdefault("__signature__", inspect.signature(tree.__init__))
    # The last bits of sums of many rows depend on the number of threads that share them, and that on the machine.
    # The fit on all rows has checked the parameters.
    with _thread_pools().limit(limits=1), config_context(skip_parameter_validation=True):
        yield


@cache
def _thread_pools() -> Any:
    import sklearn  # noqa: F401 - loads the libraries that have threads
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def fit_quietly(unfitted: Any, X: NDArray[np.float64], y: "NDArray[np.float64] | pd.Series") -> Any:
    """Fit without the warnings that a Gaussian process has reached a bound, or that a tree gets few rows, as asked."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "Using the fractional value")
        return unfitted.fit(X, y)
