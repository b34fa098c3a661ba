"""What is known about a file of rows beyond its figures, stored under the file's fingerprint."""

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


def find_notes(sha256: str) -> Notes | None:
    """Look up what is known about the rows with this fingerprint; None if nothing is."""
    record = json.loads(_FILE.read_text(encoding="utf-8")).get(sha256)
    if record is None:
        return None
    suspicious = tuple(Suspicion(**suspicion) for suspicion in record["suspicious"])
    return Notes(record["source"], record["period"], tuple(record["facts"]), suspicious)
