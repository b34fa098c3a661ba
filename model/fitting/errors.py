"""Errors of a model: it cannot be made, it cannot be read at the moment, or its bytes are damaged."""

from collections.abc import Iterator
from contextlib import contextmanager


class ModelError(ValueError):
    """A model that cannot be built, trained, kept or loaded; the message says why and what to do."""


class DamagedError(ModelError):
    """Bytes in the store are not the ones that were stored."""


@contextmanager
def explaining_trouble(subject: str) -> Iterator[None]:
    """Turn any obstacle to reading intact bytes into a `ModelError` that does not call them damaged.

    If too many files are open, a library is missing or memory is short, another reader may succeed, or this one later.

    Parameters
    ----------
    subject
        What is read, as the beginning of a sentence.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip(": ").split("\n")[0][:200]
        raise ModelError(f"{subject} cannot be read at the moment ({reason}). Try again.") from error
