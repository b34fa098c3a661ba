"""Split a text file in any usual encoding into rows of cells, numbered as in the file."""

import csv
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from data.errors import DataError, FileProblems
from data.layout import BLANK, Layout, is_empty, read_records, split_blanks

if TYPE_CHECKING:
    import pandas as pd

MAX_BYTES = 64 * 2**20
MAX_ROWS = 1_000_000
MAX_CELLS = 12_000_000
MAX_COLUMNS = 10_000
TOO_MANY_CELLS = f"The file has more than {MAX_CELLS:,} cells. Send fewer rows or columns."
TOO_MANY_ROWS = f"The file has more than {MAX_ROWS:,} rows. Send a part of them, chosen at random."
_ROWS_PER_PART = 20_000
_END_MARK = "\x00"  # refused in any text
CONTROL = r"[\x00-\x08\x0e-\x1f]"
csv.field_size_limit(MAX_BYTES)


def decode(raw: bytes, remarks: list[str]) -> str:
    """Turn a file's bytes into text; add a remark if the encoding is a guess."""
    if raw.startswith(b"\x1f\x8b"):
        raise DataError(["This is a compressed file (.gz), not a table. Unpack it, and send what is in it."])
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif raw[1:200:2].count(0) > len(raw[:200]) // 4:  # every second byte of plain text in UTF-16 is zero
        encoding = "utf-16-le"
    elif raw[0:200:2].count(0) > len(raw[:200]) // 4:
        encoding = "utf-16-be"
    else:
        encoding = "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        text = raw.decode("cp1252", errors="replace")  # what spreadsheets on Windows write
        remarks.append("The file is not UTF-8 and was read as Windows-1252: look at its accented letters.")
    if control := re.search(CONTROL, text):
        raise DataError(
            [f"The file is not text (byte {ord(control[0])} at position {control.start()}). Save the table as CSV."]
        )
    return text


def split_rows(
    text: str, layout: Layout, problems: FileProblems, remarks: list[str]
) -> "tuple[list[str], pd.DataFrame, dict[int, str]]":
    """Split the text into header, cells, and what rows have beyond the header; rows are numbered as in the file.

    Parameters
    ----------
    problems, remarks
        Both are added to.

    Returns
    -------
    header : list of str
    cells : pandas.DataFrame of str, shape (n_rows, n_columns)
    overflow : dict
        Row -> the beginning of what it has beyond the header's fields.
    """
    import pandas as pd

    # A quotation mark that never closes swallows the last line, which holds a sign that no text has.
    separator = layout.separator
    records = read_records(f"{split_blanks(text) if separator == BLANK else text}\n{_END_MARK}", separator)
    header: list[str] = []
    parts: list[pd.DataFrame] = []
    rows: list[int] = []
    part: list[list[str]] = []  # the cells of the last rows, not yet in `parts`
    overflow: dict[int, str] = {}
    multiline: list[tuple[int, int]] = []  # row, and the lines that it takes
    n_lines_read, max_rows = 0, 0
    for row, fields in enumerate(records, 1):
        n_lines, n_lines_read = records.line_num - n_lines_read, records.line_num
        if row < layout.header or fields == [_END_MARK] or is_empty(fields, separator):
            continue
        if fields[-1].endswith(_END_MARK):
            fields[-1] = fields[-1].removesuffix(f"\n{_END_MARK}")
            problems.add(row, "a quotation mark opens here and never closes. Add or remove one.")
            if not header:
                raise DataError([f"row {row}: {problems[-1].sentence}"])
        elif n_lines > 1 and any(field.count(separator) >= len(header) - 1 and "\n" in field for field in fields):
            multiline.append((row, n_lines))
        if not header:
            header = [""] * layout.has_row_names + fields
            max_rows = _max_rows(len(header))
            continue
        if "".join(excess := fields[len(header) :]).strip():
            overflow[row] = separator.join(excess)[:60]
        rows.append(row)
        part.append((fields + [""] * len(header))[: len(header)])
        if len(rows) > max_rows:
            raise DataError([TOO_MANY_ROWS if max_rows == MAX_ROWS else TOO_MANY_CELLS])
        if len(part) == _ROWS_PER_PART:  # as columns they take a fraction of the memory
            parts.append(pd.DataFrame(part, dtype="str"))
            part = []
    remarks += _multiline_remarks(multiline)
    parts.append(pd.DataFrame(part, columns=range(len(header)), dtype="str"))
    cells = pd.concat(parts, ignore_index=True)
    cells.index, cells.columns = pd.Index(rows, dtype=int), pd.Index(header)
    return header, cells, overflow


def _max_rows(n_columns: int) -> int:
    if n_columns > MAX_COLUMNS:
        raise DataError([f"The file has {n_columns:,} columns. Send at most {MAX_COLUMNS:,}."])
    return min(MAX_ROWS, MAX_CELLS // n_columns)


def _multiline_remarks(multiline: list[tuple[int, int]]) -> Iterator[str]:
    """Say which rows have a cell of several lines; of many, the first."""
    sentence = "one cell holds {} lines that look like rows. Look at its quotation marks."
    yield from (f"row {row}: {sentence.format(n_lines)}" for row, n_lines in multiline[: DataError.SHOWN])
    if len(multiline) > DataError.SHOWN:
        yield f"... and {len(multiline) - DataError.SHOWN:,} more cells that hold lines."
