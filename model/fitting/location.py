"""Where the kept model of the table in use is, and its store unless another is named."""

import os
from pathlib import Path

from data.schema import FOLDER as TABLE_FOLDER
from data.schema import IS_SHIPPED


def _find_folder() -> Path:
    """Return the folder of the table; where that cannot be written, one of this user's own."""
    if IS_SHIPPED:
        return Path(__file__).parents[1]
    if os.access(TABLE_FOLDER, os.W_OK):
        return TABLE_FOLDER
    # Never a folder that others may write, such as /tmp: to load a model is to run code.
    state = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - needs no home
    folder = Path(state) / "petrol" / TABLE_FOLDER.name
    try:
        if folder.is_absolute():
            folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return TABLE_FOLDER  # what is to be kept there will say why it cannot be
    return folder if os.access(folder, os.W_OK) else TABLE_FOLDER


FOLDER = _find_folder()
STEM = "petrol" if IS_SHIPPED else "model"
