"""Write the kept model with its sidecar, and load it only after checking it."""

import hashlib
import io
import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import astuple, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from data.load import fingerprint
from data.schema import FEATURE_NAMES, FEATURES
from model.fitting.algorithms import BASELINES
from model.fitting.deferred import import_estimators
from model.fitting.errors import ModelError, explaining_trouble
from model.fitting.evaluate import FloatArray
from model.fitting.importance import KINDS, Losses
from model.fitting.location import FOLDER, STEM
from model.fitting.metadata import Metadata
from model.fitting.recipe import make_recipe
from model.fitting.refits import Refits, make_refits
from model.fitting.train import Model, answers_probes, fit, stored_unit, train

if TYPE_CHECKING:
    import pandas as pd

PICKLED, RECORD, REFITS = (f"{STEM}.{suffix}" for suffix in ("joblib", "json", "npz"))
_LOG = logging.getLogger(__name__)
_ONE_ROUND = "scored on one round of folds instead of ten."
_REFITTED = "The same recipe was fitted anew on the same data."


class Kept(NamedTuple):
    """What a sidecar says of a model: its metadata, what it holds row by row, and the checksum of its refits."""

    metadata: Metadata
    predictions: FloatArray
    importance: dict[str, Losses]
    refits_sha256: str = ""


def save(model: Model, folder: Path = FOLDER) -> list[Path]:
    """Write the pickled pipeline, its refits and their sidecar, each in one step.

    Parameters
    ----------
    model
        Its refits are made if it has none.
    folder
        Must exist.
    """
    pickled, refits = to_bytes(model.pipeline), (model.refits or make_refits(model.X, model.y)).to_bytes()
    contents = {PICKLED: pickled, REFITS: refits, RECORD: sidecar(model, pickled, refits)}
    paths = [Path(folder) / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        temporary_path = path.with_suffix(path.suffix + ".part")
        temporary_path.write_bytes(content)
        temporary_path.replace(path)
    return paths


def sidecar(model: Model, pickled: bytes, refits: bytes) -> bytes:
    """Write a model's record, with the checksums of its pickled pipeline and refits, as JSON."""
    record = model.metadata.to_record() | {
        "predictions": {"model": model.predictions},
        "importance": model.importance,
        "model_sha256": hashlib.sha256(pickled).hexdigest(),
        "refits_sha256": hashlib.sha256(refits).hexdigest(),
    }
    return (json.dumps(record, indent=1, default=np.ndarray.tolist) + "\n").encode()


def to_bytes(pipeline: Any) -> bytes:
    """Write a fitted pipeline with joblib, compressed, so that any flipped bit is noticed."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer, compress=3)
    return buffer.getvalue()


def load(rows: "pd.DataFrame", folder: Path = FOLDER) -> Model:
    """Load the kept model, or fit its recipe anew if the file cannot be trusted.

    Checked before anything is served: the SHA-256 of the file before it is unpickled, the library
    version it was written with, and the predictions of the probe rows. A hash guards against accidents;
    only a read-only folder guards against somebody who can write both files.

    Parameters
    ----------
    rows
        The rows it was trained on, as `data.load.load_rows` returns them.
    folder
        Where the files are.

    Returns
    -------
    Model
        With a ``notice`` if it is not the kept model, or not of these rows.

    Raises
    ------
    ModelError
        If no model can be had at the moment.
    """
    with explaining_trouble("The shipped model"):
        refits_sha256 = ""
        try:
            kept = _read_sidecar(folder / RECORD)
            model, refits_sha256 = _load_or_refit(kept, rows, folder), kept.refits_sha256
        except ModelError as error:
            model = train(rows, n_repeats=1)
            model = _with_notice(model, f"{error} The default recipe was trained anew, {_ONE_ROUND}")
        return replace(model, refits=_load_refits(model, folder / REFITS, refits_sha256))


def _load_refits(model: Model, path: Path, sha256: str) -> Refits:
    """Read the refits if they match the sidecar's checksum, or make them anew, which gives the same refits."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ModelError("they are not the ones that the model's record describes")
        return Refits.from_bytes(content)
    except (ModelError, FileNotFoundError) as error:
        _LOG.warning("The refits %s are made anew: %s.", path.name, getattr(error, "strerror", None) or error)
        return make_refits(model.X, model.y)


def _load_or_refit(kept: Kept, rows: "pd.DataFrame", folder: Path) -> Model:
    if kept.metadata.data.sha256 != fingerprint(rows):
        model = train(rows, kept.metadata.recipe, n_repeats=1)
        return _with_notice(
            model,
            "The data are not the ones that the kept model was trained on. "
            f"The same recipe was trained on these data, {_ONE_ROUND}",
        )
    path = folder / PICKLED
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"The model file {path.name} cannot be read ({error.strerror})."
        return _with_notice(_refit(kept, rows), f"{reason} {_REFITTED}")
    return load_or_refit(f"The model file {path.name}", content, kept, rows)


def _refit(kept: Kept, rows: "pd.DataFrame") -> Model:
    return Model(fit(kept.metadata.recipe, rows), rows, kept.metadata, kept.predictions, kept.importance)


def load_or_refit(subject: str, content: bytes, kept: Kept, rows: "pd.DataFrame") -> Model:
    """Unpickle a kept model if it can be trusted, or fit its recipe anew.

    Parameters
    ----------
    subject
        What a notice calls the model.
    content
        From `to_bytes`.
    kept
        What its sidecar or the store says of it.
    rows
        The rows it was trained on.

    Raises
    ------
    ModelError
        If it cannot be fitted anew either.
    OSError, MemoryError
        If it cannot be read for lack of file handles or memory, which says nothing about the content.
    """
    try:
        pipeline = _load_checked(subject, content, kept.metadata)
    except ModelError as error:
        return _with_notice(_refit(kept, rows), f"{error} {_REFITTED}")
    return Model(pipeline, rows, kept.metadata, kept.predictions, kept.importance)


def _with_notice(model: Model, notice: str) -> Model:
    _LOG.warning("%s", notice)
    return replace(model, notice=notice)


def _read_sidecar(path: Path) -> Kept:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        has_same_columns = [feature["name"] for feature in record["features"]] == list(FEATURE_NAMES) and all(
            feature["unit"] == stored_unit(column)
            for feature, column in zip(record["features"], FEATURES, strict=True)
            if column.choices
        )
        if has_same_columns:
            kept = kept_from(record)
            recipe = make_recipe(*astuple(kept.metadata.recipe))
            kept = kept._replace(metadata=replace(kept.metadata, recipe=recipe))
            is_complete = _is_complete(kept)
    except FileNotFoundError:
        raise ModelError(f"The model's record {path.name} is missing.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"The model's record {path.name} cannot be read ({type(error).__name__}).") from None
    if not has_same_columns:
        raise ModelError(f"The model's record {path.name} is of other columns.")
    if not is_complete:
        raise ModelError(f"The model's record {path.name} is incomplete.")
    return kept


def kept_from(record: Mapping[str, Any]) -> Kept:
    """Read a sidecar from plain values.

    Raises
    ------
    KeyError, TypeError, ValueError, AttributeError
        If something is missing, or is of another kind.
    """
    predictions = np.array(record["predictions"]["model"], dtype=float)
    importance = {
        kind: {name: np.array(record["importance"][kind][name]) for name in ("plain", *FEATURE_NAMES)} for kind in KINDS
    }
    return Kept(Metadata.from_record(record), predictions, importance, record.get("refits_sha256", ""))


def _is_complete(kept: Kept) -> bool:
    """Whether all parts are there and finite, and agree on the numbers of rows and repeats."""
    metadata = kept.metadata
    scores = [metadata.scores[name] for name in ("model", *BASELINES)]
    differences = [metadata.mae_difference[name] for name in BASELINES]
    estimates = [estimate for score in scores for estimate in (score.mae, score.rmse, score.r2)]
    numbers = [*chain.from_iterable(map(astuple, estimates)), *chain.from_iterable(map(astuple, differences))]
    losses = [errors for by_input in kept.importance.values() for errors in by_input.values()]
    return bool(
        np.isfinite(np.concatenate([numbers, kept.predictions.ravel(), *losses])).all()
        and kept.predictions.shape == (metadata.folds.n_repeats, metadata.data.n_rows)
        and all(errors.shape == (metadata.data.n_rows,) for errors in losses)
        and len(metadata.probes.inputs) == len(metadata.probes.predictions) > 0
        and metadata.model_sha256
    )


def _load_checked(subject: str, content: bytes, metadata: Metadata) -> Any:
    """Unpickle a pipeline only if its metadata describe it, and return it only if it answers its probes as before."""
    import_estimators()
    import joblib
    from sklearn.exceptions import InconsistentVersionWarning

    if hashlib.sha256(content).hexdigest() != metadata.model_sha256:
        raise ModelError(f"{subject} is not the one that its record describes (SHA-256 differs).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            pipeline = joblib.load(io.BytesIO(content))
        has_same_answers = answers_probes(pipeline, metadata.probes)
    except InconsistentVersionWarning as warning:
        raise ModelError(
            f"{subject} was written with scikit-learn {warning.original_sklearn_version}; "
            f"this is {warning.current_sklearn_version}."
        ) from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - unpickling can fail in any way; none may be served
        raise ModelError(f"{subject} cannot be loaded ({type(error).__name__}).") from None
    if not has_same_answers:
        raise ModelError(f"{subject} no longer predicts what its record says.")
    return pipeline
