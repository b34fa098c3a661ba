"""Where the kept model of the table in use is, and its store unless another is named."""

import os
import tempfile
from pathlib import Path

from data.schema import FOLDER as TABLE_FOLDER
from data.schema import IS_SHIPPED


def _find_folder() -> Path:
    """Return the folder of the table; where that cannot be written, the first other one that can."""
    if IS_SHIPPED:
        return Path(__file__).parents[1]
    if os.access(TABLE_FOLDER, os.W_OK):
        return TABLE_FOLDER
    home = os.environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")  # noqa: PTH111 - without a home no error
    for state in filter(Path.is_absolute, (Path(home), Path(tempfile.gettempdir()))):
        folder = state / "petrol" / TABLE_FOLDER.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return TABLE_FOLDER  # what is to be kept there will say why it cannot be


FOLDER = _find_folder()
STEM = "petrol" if IS_SHIPPED else "model"
