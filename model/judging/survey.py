"""A selection of rows and what is computed from it, each figure at its first use."""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES, TARGET
from data.statistics import correlations, describe_columns
from model.answering.prediction import average_response
from model.fitting.errors import ModelError
from model.fitting.train import Model
from model.judging.regression import Regression, choice_means, fit_regression, line_with_band

if TYPE_CHECKING:
    import pandas as pd

N_DRAWN = 300  # most rows in a chart; figures always use all rows
_N_ALWAYS = 10  # rows with the largest Cook's distance, which are always drawn
_N_POINTS = 60  # of a curve


@dataclass(frozen=True, eq=False)
class Survey:
    """Rows that pass a filter.

    Attributes
    ----------
    model
        The model that the rows belong to.
    rows
        The selected rows, with the index of ``model.rows``.
    """

    model: Model
    rows: "pd.DataFrame"

    @cached_property
    def statistics(self) -> "pd.DataFrame":
        """Statistics of each column, from `data.statistics.describe_columns`."""
        return describe_columns(self.rows)

    @cached_property
    def correlations(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Pearson's and Spearman's, from `data.statistics.correlations`."""
        return correlations(self.rows)

    @cached_property
    def regression(self) -> Regression:
        """Least squares of these rows.

        Raises
        ------
        ModelError
            If the rows do not allow it; the message says why.
        """
        return fit_regression(self.rows)

    def without(self, indexes: Iterable[int]) -> Regression:
        """Fit these rows without some of them; raises as `regression` does."""
        return fit_regression(self.rows.drop(index=list(indexes)))

    @cached_property
    def at_random(self) -> Any:
        """Indexes of all rows, or of as many random ones as a chart may draw."""
        indexes = self.rows.index.to_numpy()
        if len(indexes) <= N_DRAWN:
            return indexes
        return np.sort(np.random.default_rng(0).choice(indexes, N_DRAWN, replace=False))

    @cached_property
    def sample(self) -> Any:
        """Indexes of the rows to draw: the random ones, and those that pull the line most."""
        with contextlib.suppress(ModelError):
            positions = np.argsort(-np.nan_to_num(self.regression.cook))[:_N_ALWAYS]
            return np.union1d(self.at_random, self.rows.index.to_numpy()[positions])
        return self.at_random

    def curves(self, name: str) -> dict[str, NDArray[np.float64]]:
        """Relate one input to the target: the straight line, or the mean of each choice, with its band, and the model.

        Parameters
        ----------
        name
            Column of the input.

        Returns
        -------
        dict
            "at" (stored unit of the input), "fitted", "half_width" and the model's average "response" (unit of the
            target), each an ndarray of shape (n_points,); of a category at its codes, NaN where no row has one.

        Raises
        ------
        ModelError
            If the rows do not allow a line.
        """
        x, y = self.rows[name].to_numpy(float), self.rows[TARGET.name].to_numpy(float)
        feature_index = FEATURE_NAMES.index(name)
        if n_choices := len(FEATURES[feature_index].choices):
            at = np.arange(float(n_choices))
            fitted, half_width = choice_means(x, y, n_choices)
        else:
            at = np.linspace(x.min(), x.max(), _N_POINTS) if len(x) else x
            fitted, half_width = line_with_band(x, y, at)
        response = average_response(self.model, self.model.X[self.at_random], feature_index, at)
        return {"at": at, "fitted": fitted, "half_width": half_width, "response": response}
