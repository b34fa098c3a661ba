"""The prediction over two inputs at once, the others held, and how much the two act together."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES
from model.answering.neighbours import classify_support, nearest_rows
from model.answering.prediction import Scenario, predict_many
from model.fitting.encoding import subtract
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
_MOST_STEPS = 41  # of an input
N_ROWS = 50  # that a partial dependence is a mean over


@dataclass(frozen=True)
class Surface:
    """Predictions over two inputs.

    Attributes
    ----------
    inputs
        Index of the one across, and of the one up.
    across, up
        Their values, of shape (n_across,) and (n_up,) [stored units].
    predictions
        Of shape (n_up, n_across) [unit of the target].
    support
        How far from every row, of the same shape.
    distances
        Of each row from the scenario in the other inputs, shape (n_rows,) [standard deviations].
    """

    inputs: tuple[int, int]
    across: FloatArray
    up: FloatArray
    predictions: FloatArray
    support: NDArray[np.str_]
    distances: FloatArray


def predict_surface(model: Model, scenario: Scenario, inputs: tuple[int, int]) -> Surface:
    """Predict a scenario with two inputs at steps over their sliders, in one batched call."""
    x = np.array([scenario[name] for name in FEATURE_NAMES])
    across, up = (_steps(i) for i in inputs)
    rows = np.tile(x, (len(up), len(across), 1))
    rows[:, :, inputs[0]], rows[:, :, inputs[1]] = across, up[:, None]
    flat = rows.reshape(-1, len(x))
    support = classify_support(model, flat, nearest_rows(model, flat)[1][:, 0])
    differences = np.delete(subtract(model.X, x, model.scale), inputs, axis=1)
    return Surface(
        inputs,
        across,
        up,
        predict_many(model, flat).reshape(len(up), len(across)),
        support.reshape(len(up), len(across)),
        np.linalg.norm(differences, axis=1),
    )


def _steps(i: int) -> FloatArray:
    column = FEATURES[i]
    if column.choices:
        return np.arange(float(len(column.choices)))
    grid = np.array(column.grid)
    return grid[np.unique(np.linspace(0, len(grid) - 1, _MOST_STEPS).round().astype(int))]


def measure_interaction(model: Model, inputs: tuple[int, int]) -> float:
    """Measure how much two inputs act together.

    Returns
    -------
    float
        Share of the variance of their joint partial dependence over the rows that is not the sum of each one's own [1]:
        the square of H, Friedman and Popescu (2008), Annals of Applied Statistics 2. 0 where they move nothing.
    """
    rows = model.X[np.unique(np.linspace(0, len(model.X) - 1, N_ROWS).round().astype(int))]
    own, other, joint = (_dependence(model, rows, of) for of in (inputs[:1], inputs[1:], inputs))
    total = float((joint**2).sum())
    together = float(((joint - own - other) ** 2).sum())
    return min(1.0, together / total) if total > 1e-18 * len(rows) else 0.0  # both are means over a sample


def _dependence(model: Model, rows: FloatArray, inputs: tuple[int, ...]) -> FloatArray:
    """Mean prediction over the rows with some inputs as in each row in turn, centred, of shape (n_rows,)."""
    asked = np.tile(rows, (len(rows), 1, 1))  # [which row the inputs are of, row]
    for i in inputs:
        asked[:, :, i] = rows[:, i, None]
    means = predict_many(model, asked.reshape(-1, rows.shape[1])).reshape(len(rows), len(rows)).mean(axis=1)
    return means - means.mean()
