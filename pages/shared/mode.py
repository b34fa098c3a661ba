"""The setting by which whoever runs the app says who may change the model, if anybody."""

import os

RETRAIN_SETTING = "PETROL_RETRAIN"


def retrain_mode() -> str:
    """Return the setting: ``"open"``, ``"off"`` or ``"login"``, or whatever else was written there."""
    return os.environ.get(RETRAIN_SETTING, "").strip().lower() or "open"


def is_read_only() -> bool:
    """Whether the pages change nothing for anybody; then they do not even start a job that waits in the queue."""
    return retrain_mode() not in ("open", "login")
