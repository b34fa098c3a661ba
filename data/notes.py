"""What is known about rows beyond their figures, where the table in use says it of just these."""

from data.definition import Notes
from data.schema import DEFINITION


def find_notes(sha256: str) -> Notes | None:
    """Look up what is known about the rows of a fingerprint."""
    notes = DEFINITION.notes
    return notes if notes and notes.rows_sha256 == sha256 else None
