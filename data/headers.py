"""Find the column that a header names, in any accepted spelling, with or without a unit in brackets."""

import re
from collections.abc import Iterable

from data.column import INPUT_PREFIX, fold
from data.schema import COLUMNS, ROW, ROW_ALIASES

_UNIT = re.compile(r"\s*[(\[]([^()\[\]]*)[)\]]\s*$")


def unit_in(header: str) -> str:
    """Return the unit that a header has in brackets: ``"Paved highways (km)"`` -> ``"km"``; empty without one."""
    return match[1].strip().lower() if (match := _UNIT.search(header)) else ""


def without_unit(header: str) -> str:
    """Return a header without the unit in brackets."""
    return _UNIT.sub("", header)


_EXACT = {fold(ROW): ROW} | {
    fold(spelling): column.name for column in COLUMNS for spelling in (column.name, column.label)
}
_ALIAS = {fold(alias): ROW for alias in ROW_ALIASES} | {
    fold(spelling): column.name for column in COLUMNS for spelling in (column.short_label, *column.aliases)
}
_PREFIXED = {f"{INPUT_PREFIX}{column.name}".lower(): column.name for column in COLUMNS}


def _find_name(title: str, spellings: dict[str, str]) -> str | None:
    return spellings.get(fold(title)) or spellings.get(fold(without_unit(title)))


def match_headers(headers: Iterable[object]) -> list[str | None]:
    """Return the schema's name for each header, or None.

    A column's own name beats another spelling: where a file has both, the other is not that column. Beside
    ``input.version``, the header ``version`` is the app's own column, as in a file that it wrote.
    """
    titles = [str(title).strip().lower() for title in headers]
    names = [_PREFIXED.get(title) for title in titles]
    for spellings in (_EXACT, _ALIAS):
        known = {*names}
        matches = [_find_name(title, spellings) for title in titles]
        names = [name or (match if match not in known else None) for name, match in zip(names, matches, strict=True)]
    return names
