"""Evaluations in the store: what a recipe predicts for rows that its fits have not seen, kept once for all versions."""

import hashlib
import io
import json
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sqlalchemy import Connection, RowMapping, insert, select, update

from model.fitting.errors import DamagedError, explaining_trouble
from model.fitting.evaluate import Folds
from model.fitting.recipe import Recipe
from model.store.database import Store
from model.store.tables import EVALUATION


def add_evaluation(
    connection: Connection,
    recipe: Recipe,
    rows_sha256: str,
    folds: Folds,
    libraries: dict[str, str],
    predictions: ArrayLike,
) -> str:
    """Store an evaluation; equal ones share a row.

    Parameters
    ----------
    connection
        From `model.store.database.Store.writing`.
    recipe
    rows_sha256
        `data.load.fingerprint` of the rows.
    folds, libraries
        As in the metadata of a model.
    predictions
        Out of fold, of shape (n_repeats, n_rows) [unit of the target].

    Returns
    -------
    str
        Its SHA-256, by which versions refer to it.
    """
    packed = io.BytesIO()
    np.save(packed, np.ascontiguousarray(predictions, dtype=float))
    values = asdict(recipe) | {"rows_sha256": rows_sha256, "folds": asdict(folds), "libraries": libraries}
    values |= {"predictions": packed.getvalue()}
    sha256 = _checksum(values)
    # One that is there is written again, which heals it if it was damaged.
    if not connection.execute(update(EVALUATION).where(EVALUATION.c.sha256 == sha256).values(values)).rowcount:
        connection.execute(insert(EVALUATION).values(values | {"sha256": sha256}))
    return sha256


def _checksum(values: dict[str, Any] | RowMapping) -> str:
    names = "algorithm", "parameters", "seed", "rows_sha256", "folds", "libraries"
    text = json.dumps([values[name] for name in names], sort_keys=True)
    return hashlib.sha256(text.encode() + values["predictions"]).hexdigest()


def read_predictions(store: Store, sha256: str | None) -> NDArray[np.float64]:
    """Return the predictions of an evaluation, of shape (n_repeats, n_rows) [unit of the target].

    Raises
    ------
    DamagedError
        If they are not the ones that were stored.
    ModelError
        If they cannot be read at the moment.
    """
    with store.reading() as connection:
        row = connection.execute(select(EVALUATION).where(EVALUATION.c.sha256 == sha256)).mappings().one_or_none()
    if not row or _checksum(row) != sha256:
        raise DamagedError(f"The evaluation {str(sha256)[:12]} is not the one that was stored.")
    with explaining_trouble(f"The evaluation {sha256[:12]}"):
        return np.load(io.BytesIO(row["predictions"]))


def find_evaluation(
    store: Store, recipe: Recipe, rows_sha256: str, folds: Folds, libraries: dict[str, str]
) -> NDArray[np.float64] | None:
    """Return the predictions of a recipe on rows and folds with these libraries; None if the store has none.

    Raises
    ------
    ModelError
        As `read_predictions`.
    """
    columns = EVALUATION.c.sha256, EVALUATION.c.parameters, EVALUATION.c.folds, EVALUATION.c.libraries
    conditions = (
        EVALUATION.c.rows_sha256 == rows_sha256,
        EVALUATION.c.algorithm == recipe.algorithm,
        EVALUATION.c.seed == recipe.seed,
    )
    with store.reading() as connection:
        matching_rows = connection.execute(select(*columns).where(*conditions).order_by(EVALUATION.c.id.desc())).all()
    for sha256, *details in matching_rows:
        if details == [recipe.parameters, asdict(folds), libraries]:
            return read_predictions(store, sha256)
    return None
