"""Find where the table in a text begins, and what separates its cells."""

import csv
import io
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from data.errors import DataError
from data.headers import match_headers

if TYPE_CHECKING:
    import _csv

BLANK = " "  # between cells: any number of blanks and tabs
_SEPARATORS = (",", ";", "\t", "|", BLANK)
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\s*(?:\n|\r|$)")  # as spreadsheets write it in the first line
_N_CHARACTERS = 2**16  # characters that are examined
_N_RECORDS, _N_POSSIBLE_HEADERS = 50, 20  # records examined, and the first of them that may be the header
_COMMENT = re.compile(r"\s*#.")
_FIGURE = re.compile(r"[+-]?[0-9][0-9.,]*\s*%?")
_OTHER_FORMATS = (
    (re.compile(r"<!doctype html|<!--|<html|<head|<body|<table|<div", re.IGNORECASE), "a web page"),
    (re.compile(r"<\?xml|<[a-z][\w:.-]*[\s/>]", re.IGNORECASE), "XML"),
    (re.compile(r'\{\s*["}]|\[\s*[\[{"\]\d-]'), "JSON"),
    (re.compile("%PDF-"), "a PDF document"),
    (re.compile(r"\{\\rtf"), "rich text"),
    (re.compile("version https://git-lfs"), "a pointer to a file in Git LFS"),
    (re.compile(r"(?:%.*\s+)*@relation\b", re.IGNORECASE), "a file of Weka (ARFF)"),
)


class Layout(NamedTuple):
    """How a table is laid out in a text."""

    separator: str
    header: int  # number of the record; the first is 1
    above: tuple[str, ...]  # the records before it
    has_row_names: bool = False  # whether each row begins with a cell that the header has no title for, as R writes it


def require_table(text: str) -> None:
    """Raise DataError for a known kind of text that is not a table."""
    start = text[:1000].lstrip()
    for pattern, kind in _OTHER_FORMATS:
        if pattern.match(start):
            cause = "A download that was refused leaves such a file. " if kind in ("a web page", "XML") else ""
            begin = " ".join(start[:40].split())
            raise DataError([f"This is {kind}, not a table: it begins with {begin!r}. {cause}Save the table as CSV."])


def require_header(header: list[str], expected: str) -> None:
    """Raise DataError for a table whose first line is figures instead of titles."""
    cells = [cell.strip() for cell in header if cell.strip()]
    figures = [cell for cell in cells if _FIGURE.fullmatch(cell)]
    if len(figures) > len(cells) / 2 and not any(match_headers(header)):
        received = ", ".join(cells)[:80]
        raise DataError(
            [f"The file has no header: it begins with {received}. Put a line above that names: {expected}."]
        )


def detect_layout(text: str) -> Layout:
    """Find the separator that makes the text a table, and the header.

    The header is the record with the most known names, preferably one with the usual number of cells; of equals, the
    first. Blanks separate cells only where every line has the same number of cells.
    """
    if match := _SEPARATOR_LINE.match(text):
        return Layout(match[1], 2, ())
    best_layout, best_score = Layout(",", 1, ()), (0, 0.0, 1)
    for separator in _SEPARATORS:
        records = _first_records(text[:_N_CHARACTERS], separator, is_whole=len(text) <= _N_CHARACTERS)
        if not records:
            continue
        header_index = _find_header(records)
        fields = records[header_index][1]
        rows = [record for _, record in records[header_index + 1 :] if not is_empty(record, separator)]
        widths = [len(record) for record in rows]
        has_row_names = (
            len(fields) > 1 and {*widths} == {len(fields) + 1} and (separator == BLANK or _begin_with_names(text, rows))
        )
        n_regular = sum(width == len(fields) + has_row_names for width in widths)
        regularity = n_regular / len(widths) if widths and len(fields) > 1 else 0.0
        if separator == BLANK and regularity < 1:
            continue
        score = (sum(name is not None for name in match_headers(fields)), regularity, len(fields))
        if score > best_score:
            above = tuple(separator.join(record).strip() for _, record in records[:header_index])
            best_layout, best_score = Layout(separator, records[header_index][0], above, has_row_names), score
    return best_layout


def is_empty(fields: list[str], separator: str) -> bool:
    """Whether a record has no content: a blank line, or the rule below the header of a Markdown table."""
    text = "".join(fields)
    return not (text.strip("-:=+ \t\r\n") if separator == "|" else text.strip())


def _begin_with_names(text: str, rows: list[list[str]]) -> bool:
    """Whether each row begins with a name in quotation marks that the header has no title for."""
    return all(f'"{row[0]}"' in text for row in rows) and len({row[0] for row in rows}) == len(rows)


def split_blanks(text: str) -> str:
    """Turn tabs into blanks, and drop blanks at the ends of lines."""
    return re.sub(r" +$", "", text.replace("\t", " "), flags=re.MULTILINE)


def read_records(text: str, separator: str) -> "_csv.Reader":
    """Split text into records of cells."""
    has_blanks = separator == BLANK or f'{separator} "' in text
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=has_blanks)


def _first_records(head: str, separator: str, *, is_whole: bool) -> list[tuple[int, list[str]]]:
    """Number and fields of the first records that are not empty, without one that is cut off."""
    records: list[tuple[int, list[str]]] = []
    for number, fields in enumerate(read_records(split_blanks(head) if separator == BLANK else head, separator), 1):
        if not is_empty(fields, separator) and not (_COMMENT.match(fields[0]) and not records):
            records.append((number, fields))
        if len(records) > _N_RECORDS:
            break
    return records[:-1] if len(records) > 1 and not is_whole else records[:_N_RECORDS]


def _find_header(records: list[tuple[int, list[str]]]) -> int:
    """Index of the header among the records."""
    n_usual = Counter(len(fields) for _, fields in records).most_common(1)[0][0]

    def likelihood(fields: list[str]) -> float:
        if sum(bool(field.strip()) for field in fields) < 2:
            return 0
        return sum(name is not None for name in match_headers(fields)) + 1.5 * (len(fields) in (n_usual, n_usual - 1))

    likelihoods = [likelihood(fields) for _, fields in records[:_N_POSSIBLE_HEADERS]]
    return likelihoods.index(max(likelihoods))
