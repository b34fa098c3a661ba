"""What is damaged in a store: its file as a whole, or anything that has a checksum of its own."""

import hashlib
from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, select

from model.fitting.errors import DamagedError
from model.store.database import Store, StoreError
from model.store.evaluations import read_predictions
from model.store.stored_refits import read_refits
from model.store.tables import DATA_SET, EVALUATION, MODEL_VERSION, REFITS
from model.store.versions import read_kept, read_rows


def list_damages(store: Store) -> list[str]:
    """Read all of a store and list what is damaged, one sentence each.

    Raises
    ------
    StoreError, ModelError
        If it cannot be read for another reason.
    """
    try:
        store.check()
    except StoreError as error:
        return [str(error)]  # nothing in such a file can be trusted
    parts = (
        ("Data set", DATA_SET.c.id, read_rows),
        ("Evaluation", EVALUATION.c.sha256, read_predictions),
        ("Refits", REFITS.c.rows_sha256, read_refits),
        ("Version", MODEL_VERSION.c.id, read_kept),
        ("Version", MODEL_VERSION.c.id, _require_intact_model),
    )
    return [sentence for part in parts for sentence in _damages_of(store, *part)]


def _damages_of(store: Store, name: str, key: Column[Any], read: Callable[[Store, Any], object]) -> list[str]:
    with store.reading() as connection:
        keys = connection.execute(select(key).order_by(key)).scalars().all()
    sentences = []
    for row_key in keys:
        try:
            read(store, row_key)
        except DamagedError as error:
            sentences.append(str(error))
        except StoreError as error:
            if not isinstance(error.__cause__, ValueError):  # raised by text that is no longer JSON
                raise
            sentences.append(f"{name} {row_key}: {error}")
    return sentences


def _require_intact_model(store: Store, number: int) -> None:
    columns = MODEL_VERSION.c.model, MODEL_VERSION.c.sha256
    with store.reading() as connection:
        content, sha256 = connection.execute(select(*columns).where(MODEL_VERSION.c.id == number)).one()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise DamagedError(f"The model of version {number} is not the one that was stored; it is fitted anew.")
