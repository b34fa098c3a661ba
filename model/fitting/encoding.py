"""Categories for a regressor: an indicator column for each choice, beside the numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES

FloatArray = NDArray[np.float64]
NUMBERS = [i for i, column in enumerate(FEATURES) if not column.choices]
CATEGORIES = [i for i, column in enumerate(FEATURES) if column.choices]
_N_CHOICES = [len(FEATURES[i].choices) for i in CATEGORIES]
_STARTS = np.cumsum([len(NUMBERS), *_N_CHOICES])[:-1]  # where the indicators of each category begin
N_ENCODED = len(NUMBERS) + sum(_N_CHOICES)
_POSITIONS = {i: [position] for position, i in enumerate(NUMBERS)} | {
    i: list(range(start, start + n)) for i, start, n in zip(CATEGORIES, _STARTS.tolist(), _N_CHOICES, strict=True)
}
ENCODED = [_POSITIONS[i] for i in range(len(FEATURES))]  # for each input, its columns after encoding


def make_encoder() -> Any:
    """Make the step of a pipeline that encodes: numbers first, then the indicators."""
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import OneHotEncoder

    codes = [np.arange(float(n)) for n in _N_CHOICES]
    encoder = OneHotEncoder(categories=codes, sparse_output=False)
    return ColumnTransformer([("numbers", "passthrough", NUMBERS), ("choices", encoder, CATEGORIES)])


def encode(X: FloatArray) -> FloatArray:
    """Encode as the fitted encoder does, in a fraction of its time; without categories, return the rows themselves.

    Parameters
    ----------
    X
        Of shape (n_rows, n_features); every code is one of its category.

    Returns
    -------
    ndarray of shape (n_rows, N_ENCODED)
    """
    if not CATEGORIES:
        return X
    encoded = np.zeros((len(X), N_ENCODED))
    encoded[:, : len(NUMBERS)] = X[:, NUMBERS]
    np.put_along_axis(encoded, X[:, CATEGORIES].astype(np.intp) + _STARTS, 1.0, axis=1)
    return encoded


def encode_free(X: FloatArray) -> FloatArray:
    """Encode without the first choice of each category, which then follows from the others: for a line."""
    return encode(X) if not CATEGORIES else np.delete(encode(X), _STARTS, axis=1)


def subtract(X: FloatArray, others: FloatArray, scale: FloatArray) -> FloatArray:
    """Differences of scenarios in standard deviations; two choices differ by 1.

    Parameters
    ----------
    X, others
        Of shapes that broadcast to (..., n_features).
    scale
        Standard deviation of each input, of shape (n_features,); 1 for a category.
    """
    differences = X - others
    if CATEGORIES:
        differences[..., CATEGORIES] = differences[..., CATEGORIES] != 0
    return differences / scale


def locate(X: FloatArray, scale: FloatArray) -> FloatArray:
    """Points whose distances are the lengths of the differences from `subtract`: for a search tree."""
    if not CATEGORIES:
        return X / scale
    points = encode(X / scale)
    points[:, len(NUMBERS) :] /= np.sqrt(2)  # two indicators differ
    return points
