"""Where the table in a text begins, and what stands between its cells."""

import csv
import io
import re
from typing import NamedTuple

from data.headers import names_of
from data.schema import DataError

BLANK = " "  # between cells: any number of blanks and tabs
_SIGNS = (",", ";", "\t", BLANK)
_NAMED = re.compile(r"sep=([,;\t])\s*(?:\n|\r|$)")  # as spreadsheets write it, in the first line
_HEAD = 2**16  # characters that are looked at
_N_RECORDS, _N_ABOVE = 50, 20  # records that are looked at, and those among them that may be the header
_FIGURE = re.compile(r"[+-]?[0-9][0-9.,]*\s*%?")
_OTHERS = (
    (re.compile(r"<!doctype html|<html|<head|<body", re.IGNORECASE), "a web page"),
    (re.compile(r"<\?xml|<[a-z][\w:.-]*[\s/>]", re.IGNORECASE), "XML"),
    (re.compile(r'\{\s*["}]|\[\s*[\[{"\]\d-]'), "JSON"),
)


class Layout(NamedTuple):
    """How a table stands in a text."""

    separator: str
    header: int  # number of the record; the first is 1
    above: tuple[str, ...]  # what stands before it
    has_row_names: bool = False  # whether each row begins with a cell that the header has no title for, as R writes it


def require_table(text: str) -> None:
    """Refuse what is a known kind of text and no table.

    Raises
    ------
    DataError
    """
    start = text[:1000].lstrip()
    for pattern, kind in _OTHERS:
        if pattern.match(start):
            cause = "A download that was refused leaves such a file. " if kind != "JSON" else ""
            begin = " ".join(start[:40].split())
            raise DataError([f"This is {kind}, not a table: it begins with {begin!r}. {cause}Save the table as CSV."])


def require_header(header: list[str], expected: str) -> None:
    """Refuse a table whose first line is figures.

    Raises
    ------
    DataError
    """
    cells = [cell.strip() for cell in header if cell.strip()]
    figures = [cell for cell in cells if _FIGURE.fullmatch(cell)]
    if len(figures) > len(cells) / 2 and not any(names_of(header)):
        received = ", ".join(cells)[:80]
        raise DataError(
            [f"The file has no header: it begins with {received}. Put a line above that names: {expected}."]
        )


def layout_of(text: str) -> Layout:
    """Find the separator that makes a table of the text, and the header in it.

    The header is the record with the most known names; where none is known, the first of more than one cell. Blanks
    separate cells only where every line has as many of them.
    """
    if named := _NAMED.match(text):
        return Layout(named[1], 2, ())
    best, most = Layout(",", 1, ()), (0, 0.0, 1)
    for sign in _SIGNS:
        records = _records(text[:_HEAD], sign, is_whole=len(text) <= _HEAD)
        if not records:
            continue
        header = _header(records)
        fields = records[header][1]
        body = [len(record) for _, record in records[header + 1 :]]
        has_row_names = sign == BLANK and len(fields) > 1 and {*body} == {len(fields) + 1}
        fit = sum(n == len(fields) + has_row_names for n in body) / len(body) if body and len(fields) > 1 else 0.0
        if sign == BLANK and fit < 1:
            continue
        found = (sum(name is not None for name in names_of(fields)), fit, len(fields))
        if found > most:
            above = tuple(sign.join(record).strip() for _, record in records[:header])
            best, most = Layout(sign, records[header][0], above, has_row_names), found
    return best


def split_blanks(text: str) -> str:
    """Turn tabs to blanks, and drop those at the ends of lines."""
    return re.sub(r" +$", "", text.replace("\t", " "), flags=re.MULTILINE)


def reader(text: str, separator: str) -> "csv._reader":
    """Split text into records of cells."""
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=separator == BLANK)


def _records(head: str, sign: str, *, is_whole: bool) -> list[tuple[int, list[str]]]:
    """Number and fields of the first records that are not empty; not of the last where it is cut off."""
    records = []
    for number, fields in enumerate(reader(split_blanks(head) if sign == BLANK else head, sign), 1):
        if "".join(fields).strip():
            records.append((number, fields))
        if len(records) > _N_RECORDS:
            break
    return records[:-1] if len(records) > 1 and not is_whole else records[:_N_RECORDS]


def _header(records: list[tuple[int, list[str]]]) -> int:
    """Place of the header among the records."""
    known = [sum(name is not None for name in names_of(fields)) for _, fields in records[:_N_ABOVE]]
    if max(known) > 1:
        return known.index(max(known))
    for place, (_, fields) in enumerate(records[:_N_ABOVE]):
        if sum(bool(field.strip()) for field in fields) > 1 and not re.match(r"\s*#.", fields[0]):
            return place
    return 0
