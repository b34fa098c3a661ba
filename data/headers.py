"""Which column of the schema a header names, in any accepted spelling."""

import re
from collections.abc import Iterable

from data.schema import COLUMNS, INPUT, ROW, ROW_ALIASES


def _fold(header):
    """A header without case, spaces and signs, so that ``Petrol_tax`` and `petrol tax ` are one."""
    return re.sub(r"[^a-z0-9]+", "_", str(header).lower()).strip("_")


_NAME_OF = {_fold(alias): ROW for alias in (ROW, *ROW_ALIASES)} | {
    _fold(alias): column.name for column in COLUMNS for alias in (column.name, column.label, *column.aliases)
}

_IN_FULL = {f"{INPUT}{column.name}".lower(): column.name for column in COLUMNS}


def names_of(headers: Iterable[object]) -> list[str | None]:
    """Return the schema's name for each header, or None.

    Beside ``input.version`` the header ``version`` is not that column: it is the app's, as in a file that it wrote.
    """
    titles = [str(title).strip().lower() for title in headers]
    in_full = {_IN_FULL[title] for title in titles if title in _IN_FULL}
    return [_IN_FULL.get(title) or (None if title in in_full else _NAME_OF.get(_fold(title))) for title in titles]
