"""Sign-ins that were ended by signing out: all servers remember each until it would have ended by itself."""

import hashlib
import json
import math
from datetime import timedelta

from sqlalchemy import Select, delete, insert, select

from model.store.database import Store
from model.store.tables import ENDED_SIGN_IN, now

_LONGEST = timedelta(days=32)  # Streamlit's cookie is accepted for 31 days, whatever the provider has signed


def end_sign_in(store: Store, subject: str, issued_at: str, expires: float) -> None:
    """Remember that a sign-in was ended, and forget those that have expired meanwhile.

    Parameters
    ----------
    store
    subject, issued_at
        Who signed in and when, as the provider says (``sub``, ``iat``); only a checksum of both is kept.
    expires
        When it would end by itself [s since 1970].

    Raises
    ------
    StoreError
        If the store cannot be written.
    """
    this_moment = now()
    seconds = expires - this_moment.timestamp() if math.isfinite(expires) else math.inf
    expires_at = this_moment + timedelta(seconds=min(max(seconds, 0), _LONGEST.total_seconds()))
    sha256 = _checksum(subject, issued_at)
    with store.writing() as connection:
        connection.execute(delete(ENDED_SIGN_IN).where(ENDED_SIGN_IN.c.expires_at < this_moment))
        if not connection.execute(_ended_sign_in(sha256)).scalar():
            connection.execute(insert(ENDED_SIGN_IN).values(sha256=sha256, expires_at=expires_at))


def has_ended(store: Store, subject: str, issued_at: str) -> bool:
    """Whether a sign-in was ended by signing out; raises `StoreError` if the store cannot tell."""
    with store.reading() as connection:
        return connection.execute(_ended_sign_in(_checksum(subject, issued_at))).scalar() is not None


def _ended_sign_in(sha256: str) -> Select[tuple[int]]:
    return select(ENDED_SIGN_IN.c.id).where(ENDED_SIGN_IN.c.sha256 == sha256)


def _checksum(subject: str, issued_at: str) -> str:
    return hashlib.sha256(json.dumps([subject, issued_at]).encode()).hexdigest()
