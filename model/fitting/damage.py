"""What cannot be read: because it is damaged, or because who reads has some trouble at the moment."""

from collections.abc import Iterator
from contextlib import contextmanager

from model.fitting.recipe import ModelError


class DamagedError(ModelError):
    """Bytes in the store are not the ones that were stored."""


@contextmanager
def explaining_trouble(what: str) -> Iterator[None]:
    """Make of whatever hinders reading bytes that no checksum contradicts a `ModelError` that is no damage.

    Too many files are open, a library is missing, there is no memory: another reader can have better luck, or the same
    one later.

    Parameters
    ----------
    what
        Is read, as the beginning of a sentence.
    """
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".strip(": ").split("\n")[0][:200]
        raise ModelError(f"{what} cannot be read at the moment ({reason}). Try again.") from error
