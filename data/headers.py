"""Which column of the schema a header names, in any accepted spelling."""

import re

from data.schema import COLUMNS, ROW, ROW_ALIASES


def _fold(header):
    """A header without case, spaces and signs, so that ``Petrol_tax`` and `petrol tax ` are one."""
    return re.sub(r"[^a-z0-9]+", "_", str(header).lower()).strip("_")


_NAME_OF = {_fold(alias): ROW for alias in (ROW, *ROW_ALIASES)} | {
    _fold(alias): column.name for column in COLUMNS for alias in (column.name, column.label, *column.aliases)
}


def name_of(header):
    """Return the schema's name for a header, or None."""
    return _NAME_OF.get(_fold(header))
