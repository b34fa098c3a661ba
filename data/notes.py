"""What is known about a file of rows beyond its figures; it comes with the file, keyed by its fingerprint."""

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("notes.json")


@dataclass(frozen=True)
class Suspicion:
    """A published figure that is probably wrong: where it stands, what it probably was, and why."""

    row: str
    column: str
    likely: float  # [stored unit]
    why: str


@dataclass(frozen=True)
class Notes:
    """Source, period, facts worth knowing (Markdown), and the figures to doubt."""

    source: str
    period: str
    facts: tuple[str, ...]
    suspicious: tuple[Suspicion, ...]


def notes_on(sha256: str) -> Notes | None:
    """Look up what is known about these rows.

    Parameters
    ----------
    sha256
        As `data.load.fingerprint` returns it.

    Returns
    -------
    Notes or None
        None for rows that nobody has written anything about.
    """
    found = json.loads(_FILE.read_text(encoding="utf-8")).get(sha256)
    if found is None:
        return None
    suspicious = tuple(Suspicion(**entry) for entry in found["suspicious"])
    return Notes(found["source"], found["period"], tuple(found["facts"]), suspicious)
