"""Refits in the store: made once for the same rows, whichever models were trained on them."""

import hashlib

from sqlalchemy import Connection, insert, select, update

from model.fitting.errors import DamagedError, explaining_trouble
from model.fitting.refits import SETTINGS, Refits
from model.store.database import Store
from model.store.tables import REFITS


def add_refits(connection: Connection, rows_sha256: str, refits: Refits) -> None:
    """Store the refits of rows, whose `data.load.fingerprint` is given, in place of any that are there.

    Those may be damaged or made with other settings. The connection is from `model.store.database.Store.writing`.
    """
    content = refits.to_bytes()
    values = {"settings": SETTINGS, "content": content, "sha256": hashlib.sha256(content).hexdigest()}
    if not connection.execute(update(REFITS).where(REFITS.c.rows_sha256 == rows_sha256).values(values)).rowcount:
        connection.execute(insert(REFITS).values(values | {"rows_sha256": rows_sha256}))


def read_refits(store: Store, rows_sha256: str) -> Refits | None:
    """Return the refits of rows; None if there are none, or they were made with other settings.

    Raises
    ------
    DamagedError
        If they are not the ones that were stored.
    ModelError
        If they cannot be read at the moment.
    """
    with store.reading() as connection:
        row = connection.execute(select(REFITS).where(REFITS.c.rows_sha256 == rows_sha256)).one_or_none()
    if not row or row.settings != SETTINGS:
        return None
    if hashlib.sha256(row.content).hexdigest() != row.sha256:
        raise DamagedError(f"The refits of the rows {rows_sha256[:12]} are not the ones that were stored.")
    with explaining_trouble(f"The refits of the rows {rows_sha256[:12]}"):
        return Refits.from_bytes(row.content)
