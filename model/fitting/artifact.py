"""The kept model: written with its sidecar, and never served before it was checked."""

import hashlib
import io
import json
import logging
import warnings
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np

from data.load import fingerprint
from data.schema import FEATURE_NAMES
from model.fitting import recipe
from model.fitting.damage import explaining_trouble
from model.fitting.importance import KINDS
from model.fitting.recipe import ModelError
from model.fitting.refits import Refits, make_refits
from model.fitting.train import Model, fit, train

FOLDER = Path(__file__).parents[1]
PICKLED, RECORD, REFITS = "petrol.joblib", "petrol.json", "petrol.npz"
_LOG = logging.getLogger(__name__)
_ONE_ROUND = "scored on one round of folds instead of ten."
_REFITTED = "The same recipe was fitted anew on the same data."


def save(model, folder=FOLDER):
    """Write ``petrol.joblib``, its refits ``petrol.npz`` and their sidecar ``petrol.json``, each in one step.

    Parameters
    ----------
    model : model.fitting.train.Model
        Its refits are made where it has none.
    folder : path, default=this package
        Must exist.

    Returns
    -------
    list of pathlib.Path
        The files.
    """
    pickled, refits = to_bytes(model.pipeline), (model.refits or make_refits(model.X, model.y)).to_bytes()
    contents = {PICKLED: pickled, REFITS: refits, RECORD: sidecar(model.record, pickled, refits)}
    paths = [Path(folder) / name for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        part = path.with_suffix(path.suffix + ".part")
        part.write_bytes(content)
        part.replace(path)
    return paths


def sidecar(record, pickled, refits):
    """Write the record that vouches for a pickled pipeline and its refits, as bytes of JSON."""
    whole = record | {
        "model_sha256": hashlib.sha256(pickled).hexdigest(),
        "refits_sha256": hashlib.sha256(refits).hexdigest(),
    }
    return (json.dumps(whole, indent=1, default=np.ndarray.tolist) + "\n").encode()


def to_bytes(pipeline):
    """Write a fitted pipeline with joblib, compressed, so that any flipped bit is noticed."""
    import joblib

    buffer = io.BytesIO()
    joblib.dump(pipeline, buffer, compress=3)
    return buffer.getvalue()


def load(rows, folder=FOLDER):
    """Load the kept model, or fit its recipe anew where the file cannot be trusted.

    Checked before anything is served: the SHA-256 of the file before it is unpickled, the library
    version it was written with, and the predictions of the probe rows. A hash stops accidents; against
    somebody who can write both files only a read-only folder helps.

    Parameters
    ----------
    rows : pandas.DataFrame
        The rows it was trained on, as `data.load.load_rows` returns them.
    folder : path, default=this package

    Returns
    -------
    model.fitting.train.Model
        With a ``notice`` wherever it is not the kept model, or not of these rows.

    Raises
    ------
    ModelError
        If there is none at the moment.
    """
    folder = Path(folder)
    with explaining_trouble("The shipped model"):
        try:
            model = _load_or_refit(rows, folder)
        except ModelError as error:
            model = train(rows, n_repeats=1)
            model = _noticed(model, f"{error} The default recipe was trained anew, {_ONE_ROUND}")
        refits = _load_refits(model, folder / REFITS)
        record = {name: value for name, value in model.record.items() if name != "refits_sha256"}  # of a file
        return replace(model, record=record, refits=refits)


def _load_refits(model, path):
    """Read the refits where they are the ones that the record describes, or make them anew, which are the same."""
    try:
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != model.record.get("refits_sha256"):
            raise ModelError("they are not the ones that the model's record describes")
        return Refits.from_bytes(content)
    except (ModelError, FileNotFoundError) as error:
        _LOG.warning("The refits %s are made anew: %s.", path.name, getattr(error, "strerror", None) or error)
        return make_refits(model.X, model.y)


def _load_or_refit(rows, folder):
    record = _read_record(folder / RECORD)
    recipe_of_it = record["algorithm"], record["parameters"], record["seed"]
    if record["data"]["sha256"] != fingerprint(rows):
        model = train(rows, *recipe_of_it, n_repeats=1)
        return _noticed(
            model,
            "The data are not the ones that the kept model was trained on. "
            f"The same recipe was trained on these data, {_ONE_ROUND}",
        )
    path = folder / PICKLED
    try:
        content = path.read_bytes()
    except OSError as error:
        why = f"The model file {path.name} cannot be read ({error.strerror})."
        return _noticed(Model(fit(*recipe_of_it, rows), record, rows), f"{why} {_REFITTED}")
    return restore(f"The model file {path.name}", content, record, rows)


def restore(name, content, record, rows):
    """Unpickle a kept model if it can be trusted, or fit its recipe anew.

    Parameters
    ----------
    name : str
        What to call it in a notice.
    content : bytes
        From `to_bytes`.
    record : dict
        Its record, with ``model_sha256``, the checksum of the content.
    rows : pandas.DataFrame
        The rows it was trained on.

    Returns
    -------
    model.fitting.train.Model

    Raises
    ------
    ModelError
        If it cannot be fitted anew either.
    OSError, MemoryError
        If it cannot be read for lack of open files or memory, which says nothing about the content.
    """
    try:
        return Model(_load_checked(name, content, record), record, rows)
    except ModelError as error:
        model = Model(fit(record["algorithm"], record["parameters"], record["seed"], rows), record, rows)
        return _noticed(model, f"{error} {_REFITTED}")


def _noticed(model, notice):
    _LOG.warning("%s", notice)
    return replace(model, notice=notice)


def _read_record(path):
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        features = tuple(feature["name"] for feature in record["features"])
        recipe.pipeline(record["algorithm"], record["parameters"], record["seed"])
        scores, differences = record["scores"], record["mae_difference"]
        figures = [
            {part: scores[name][score][part] for part in ("value", "standard_error")}
            for name in ("model", *recipe.BASELINES)
            for score in ("mae", "rmse", "r2")
        ]
        figures += [{part: differences[name][part] for part in ("value", "low", "high")} for name in recipe.BASELINES]
        per_row = [
            *record["predictions"]["model"],
            *(record["importance"][kind][name] for kind in KINDS for name in ("plain", *FEATURE_NAMES)),
        ]
        numbers = [*chain(*per_row), *chain(*(figure.values() for figure in figures))]
        complete = (
            np.isfinite(np.array(numbers, dtype=float)).all()
            and {len(each) for each in per_row} == {record["data"]["n_rows"]}
            and len(record["predictions"]["model"]) == record["folds"]["n_repeats"]
            and len(record["probes"]["inputs"]) == len(record["probes"]["predictions"]) > 0
            and record["folds"].keys() == {"n_repeats", "n_splits", "seed"}
            and all(isinstance(record[name], dict) for name in ("parameters", "libraries"))
            and all(isinstance(text, str) for text in (record["data"]["sha256"], record["trained_at"]))
            and "model_sha256" in record
        )
    except FileNotFoundError:
        raise ModelError(f"The model's record {path.name} is missing.") from None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ModelError(f"The model's record {path.name} cannot be read ({type(error).__name__}).") from None
    if not complete:
        raise ModelError(f"The model's record {path.name} is incomplete.")
    if features != FEATURE_NAMES:
        raise ModelError(f"The model's record {path.name} is of other columns.")
    return record


def _load_checked(name, content, record):
    """Unpickle it only if it is the one that the record describes, and only if it answers the same."""
    import joblib
    from sklearn.exceptions import InconsistentVersionWarning

    if hashlib.sha256(content).hexdigest() != record["model_sha256"]:
        raise ModelError(f"{name} is not the one that its record describes (SHA-256 differs).")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            pipeline = joblib.load(io.BytesIO(content))
        probes = record["probes"]
        same = np.allclose(pipeline.predict(np.array(probes["inputs"])), probes["predictions"], rtol=0, atol=1e-9)
    except InconsistentVersionWarning as warning:
        raise ModelError(
            f"{name} was written with scikit-learn {warning.original_sklearn_version}; "
            f"this is {warning.current_sklearn_version}."
        ) from None
    except (OSError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 - unpickling can fail in any way; each one means the same: do not serve it
        raise ModelError(f"{name} cannot be loaded ({type(error).__name__}).") from None
    if not same:
        raise ModelError(f"{name} no longer predicts what its record says.")
    return pipeline
