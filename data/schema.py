"""The table in use: what its rows, inputs and target are called, and the values that they may have.

It is defined in the ``table.toml`` of its folder, the only place that names a column.
"""

import os
from pathlib import Path

from data.column import INPUT_PREFIX, Column
from data.definition import read_definition, with_article
from data.errors import DataError

__all__ = ["INPUT_PREFIX", "Column"]

TABLE_SETTING = "PETROL_TABLE"  # the folder of another table than the one that ships
_SHIPPED = Path(__file__).with_name("petrol")
FOLDER = Path(os.environ.get(TABLE_SETTING) or _SHIPPED).absolute()
IS_SHIPPED = FOLDER.resolve() == _SHIPPED.resolve()
try:
    DEFINITION = read_definition(FOLDER)
except DataError as error:  # nothing can begin without it, neither a page nor a command
    raise SystemExit(str(error)) from None

TITLE, QUESTION, PERIOD = DEFINITION.title, DEFINITION.question, DEFINITION.period
ROW, ROWS, ROW_ALIASES = DEFINITION.row, DEFINITION.rows, DEFINITION.row_aliases
A_ROW = with_article(ROW)
ROW_NAMES, TILES = DEFINITION.row_names, DEFINITION.tiles
FEATURES, TARGET = DEFINITION.inputs, DEFINITION.target
VERB, PAST = DEFINITION.verb, DEFINITION.past
TARGET_UNIT = TARGET.unit or f"the unit of {TARGET.label.lower()}"  # as in "figures in gallons"
COLUMNS = (*FEATURES, TARGET)
FEATURE_NAMES = tuple(column.name for column in FEATURES)


def row_name(code: str) -> str:
    """Name a row in full: ``"OH"`` -> ``"Ohio"``; a code without a longer name is its own name."""
    return ROW_NAMES.get(code, code)
