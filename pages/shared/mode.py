"""Whether anybody may change the model here at all, as whoever runs the app has set it."""

import os

RETRAIN_SETTING = "PETROL_RETRAIN"


def retrain_mode() -> str:
    """Return the setting: ``"open"``, ``"off"`` or ``"login"``, or what was written in its place."""
    return os.environ.get(RETRAIN_SETTING, "").strip().lower() or "open"


def is_read_only() -> bool:
    """Whether the pages change nothing for anybody: then not even what waits in the queue is begun by them."""
    return retrain_mode() not in ("open", "login")
