"""Split a file into cells: text of any usual encoding and separator, its columns known by any accepted spelling."""

import csv
import io
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.schema import COLUMNS, ROW, ROW_ALIASES, DataError

MAX_BYTES = 25 * 2**20
MAX_CELLS = 6_000_000
_AT_ONCE = 20_000  # rows
_END = "\x00"  # refused in any text
_SEPARATOR_LINE = re.compile(r"sep=.\s*(?:\n|\r|$)")  # as spreadsheets write it
csv.field_size_limit(MAX_BYTES)

# By decimal sign: digits in groups of three or ungrouped, then the decimals.
_SPACES = "\u00a0\u202f '"
_NUMBER = {
    ".": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[,{_SPACES}][0-9]{{3}})+|[0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?",
    ",": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[.{_SPACES}][0-9]{{3}})+|[0-9]*)(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?",
}
# What shows the decimal sign, for it cannot be between groups of three; and what may be either.
_DECIMALS = {
    sign: rf"[+-]?(?:0?{mark}[0-9]+|[0-9]+{mark}(?:[0-9]{{1,2}}|[0-9]{{4,}})|[0-9]{{4,}}{mark}[0-9]{{3}}"
    rf"|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+{mark}[0-9]+)"
    for sign, mark, group in ((".", r"\.", ","), (",", ",", r"\."))
}
_EITHER = r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}"
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f]")
_CURE = {
    ".": "Use a point for decimals.",
    ",": "This file writes decimals with a comma: write all of them so.",
}


@dataclass(frozen=True)
class Table:
    """A file's cells as they stand there.

    Attributes
    ----------
    cells : pandas.DataFrame of str, shape (n_rows, n_columns)
        The header is its columns; the index is each row's number in the file, whose header is row 1.
    whole : pandas.Index
        Rows that have no more cells than the header, and no open quotation mark.
    places : dict
        Name in the schema -> place of its column.
    separator, decimal : str
        What the file puts between cells, and before decimals.
    shows_decimal : bool
        Whether anything in the file shows that sign; without, ``4,700`` may be either.
    problems : list of (int, str, str)
        Row in the file, column or nothing, and what is wrong there.
    remarks : list of str
        What was odd, yet usable.
    """

    cells: Any
    whole: Any
    places: dict
    separator: str
    decimal: str
    shows_decimal: bool
    problems: list = field(default_factory=list)
    remarks: list = field(default_factory=list)

    def column(self, name):
        """Trimmed cells of a column of the schema in the rows that are whole, or None."""
        return self.cells.loc[self.whole].iloc[:, self.places[name]].str.strip() if name in self.places else None

    def messages(self):
        """Every problem in words, by row."""
        problems = sorted(self.problems, key=lambda problem: problem[0])
        return [
            text if row == 1 else f"row {row}{', ' if column else ''}{column}: {text}" for row, column, text in problems
        ]


def _empty(expected):
    return f"The file is empty. It needs a header line ({expected}) and rows."


def _read(source, max_bytes, expected):
    if isinstance(source, bytes):
        raw = source
    elif hasattr(source, "read"):
        raw = source.read(max_bytes + 1)
    else:
        try:
            with Path(source).open("rb") as file:
                raw = file.read(max_bytes + 1)
        except OSError as error:
            raise DataError([f"{source}: cannot be read ({error.strerror}). Check the path."]) from None
    if len(raw) > max_bytes:
        raise DataError([f"The file is larger than {max_bytes:,} bytes. Send fewer rows or columns."])
    if not raw.strip():
        raise DataError([_empty(expected)])
    return raw


def _decode(raw, remarks):
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
    if control := _CONTROL.search(text):
        raise DataError(
            [f"The file is not text (byte {ord(control[0])} at position {control.start()}). Save the table as CSV."]
        )
    return text


def _fold(header):
    """A header without case, spaces and signs, so that ``Petrol_tax`` and `petrol tax ` are one."""
    return re.sub(r"[^a-z0-9]+", "_", str(header).lower()).strip("_")


_NAME_OF = {_fold(alias): ROW for alias in (ROW, *ROW_ALIASES)} | {
    _fold(alias): column.name for column in COLUMNS for alias in (column.name, column.label, *column.aliases)
}


def read_table(source, wanted, *, max_bytes=MAX_BYTES):
    """Read a CSV file as text, and find the columns of the schema in it.

    Parameters
    ----------
    source : path, bytes, or binary file
        What to read.
    wanted : iterable of str
        Names of the columns that it must have; without the column that identifies rows it can do.
    max_bytes : int, default=25 MB
        The largest file accepted [bytes].

    Returns
    -------
    Table
        A missing or doubled column, or no rows, are among its problems, as row 1.

    Raises
    ------
    DataError
        If there is nothing in it, if it is no text, or too much.
    """
    problems, remarks, expected = [], [], ", ".join(wanted)
    separator = _separator(text := _decode(_read(source, max_bytes, expected), remarks))
    header, cells, overflow = _split(text, separator, problems, remarks)
    if not header:
        raise DataError([_empty(expected)])
    names = [_NAME_OF.get(_fold(title)) for title in header]
    for row, rest in overflow.items():
        text = f'more than the {len(header)} fields of the header, beyond them "{rest[:60]}".'
        problems.append((row, "", f"{text} A number with a comma needs quotation marks."))
    for name in wanted:
        spellings = [title for title, known in zip(header, names, strict=True) if known == name]
        if not spellings and name != ROW:
            received = ", ".join(title.strip() for title in header if title.strip())[:200]
            problems.append((1, "", f"column {name} is missing; the header has: {received}. Expected: {expected}."))
        elif len(spellings) > 1:
            cure = f"appears {len(spellings)} times ({', '.join(spellings)}). Keep one."
            problems.append((1, "", f"column {name} {cure}"))
    if cells.empty:
        problems.append((1, "", "The file has a header and no rows. Add at least one row."))
    places = {name: place for place, name in enumerate(names) if name}
    whole = cells.index.difference([row for row, _, _ in problems])
    return Table(cells, whole, places, separator, *_decimal(cells, places, wanted, separator), problems, remarks)


def _separator(text):
    """The sign that makes most of the header's columns known ones; or the one that the first line names."""
    if named := re.match(r"sep=([,;\t])\s*(?:\n|\r|$)", text):
        return named[1]

    def n_known(sign):
        records = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        header = next((fields for fields in records if "".join(fields).strip()), [])
        return sum(_fold(title) in _NAME_OF for title in header)

    return max(",;\t", key=n_known)


def _split(text, separator, problems, remarks):
    """Split the text into header, cells, and what rows have beyond the header; rows are numbered as a file's."""
    import pandas as pd

    # No quotation mark may swallow the last line: it holds a sign that no text has.
    records = csv.reader(io.StringIO(f"{text}\n{_END}", newline=""), delimiter=separator)
    header, parts, rows, kept, overflow, line = [], [], [], [], {}, 0
    for row, fields in enumerate(records, 1):
        n_lines, line = records.line_num - line, records.line_num
        if fields == [_END] or not "".join(fields).strip() or (row == 1 and _SEPARATOR_LINE.match(text)):
            continue
        if fields[-1].endswith(_END):
            fields[-1] = fields[-1].removesuffix(f"\n{_END}")
            problems.append((row, "", "a quotation mark opens here and never closes. Add or remove one."))
            if not header:
                raise DataError([f"row {row}: {problems[-1][2]}"])
        elif n_lines > 1 and any(field.count(separator) >= len(header) - 1 and "\n" in field for field in fields):
            remarks.append(
                f"row {row}: one cell holds {n_lines} lines that look like rows. Look at its quotation marks."
            )
        if not header:
            header = fields
            continue
        if "".join(rest := fields[len(header) :]).strip():
            overflow[row] = separator.join(rest)
        rows.append(row)
        kept.append((fields + [""] * len(header))[: len(header)])
        if len(rows) * len(header) > MAX_CELLS:
            raise DataError([f"The file has more than {MAX_CELLS:,} cells. Send fewer rows or columns."])
        if len(kept) == _AT_ONCE:  # as columns they take a fraction of the memory
            parts.append(pd.DataFrame(kept, dtype="str"))
            kept = []
    parts.append(pd.DataFrame(kept, columns=range(len(header)), dtype="str"))
    cells = pd.concat(parts, ignore_index=True)
    cells.index, cells.columns = pd.Index(rows, dtype=int), header
    return header, cells, overflow


def _decimal(cells, places, wanted, separator):
    """Which sign the file uses for decimals, and whether anything in it shows that."""
    if separator == ",":
        return ".", True
    shows = dict.fromkeys(".,", 0)
    for name in {*wanted} & {*places} - {ROW}:
        column = cells.iloc[:, places[name]].str.strip().str.removesuffix("%").str.strip()
        for sign in shows:
            shows[sign] += int(column.str.fullmatch(_DECIMALS[sign]).sum())
    return (",", True) if shows[","] > shows["."] else (".", shows["."] > 0)


def numbers(table, column):
    """Turn a column of cells into numbers, and note every cell that is none among the table's problems.

    Parameters
    ----------
    table : Table
    column : data.schema.Column

    Returns
    -------
    pandas.Series of float
        In the stored unit, indexed as the table; missing where the cell cannot be used.
    """
    import pandas as pd

    cells, decimal = table.column(column.name), table.decimal
    bare, is_percent = cells, pd.Series(False, index=cells.index)
    if column.is_share:
        is_percent = cells.str.endswith("%")
        bare = cells.where(~is_percent, cells.str.removesuffix("%").str.strip())
    is_number = bare.str.fullmatch(_NUMBER[decimal]) & bare.str.contains(r"\d")
    group = "." if decimal == "," else ","
    plain = bare.where(is_number, "").str.replace(f"[{group}{_SPACES}]", "", regex=True).str.replace(decimal, ".")
    number = pd.to_numeric(plain, errors="coerce").astype(float)
    is_either = bare.str.fullmatch(_EITHER) & (not table.shows_decimal)
    is_number &= number.notna() & ~is_either
    number = number.where(~is_either)

    def report(rows, say):
        table.problems.extend((row, column.name, say(row)) for row in rows)

    def cure(row):
        return _CURE[decimal] if {",", "."} & set(cells[row]) else column.limits

    report(cells.index[cells == ""], lambda row: f"the cell is empty. {column.limits}")
    report(
        cells.index[is_either],
        lambda row: f'"{cells[row]}" may be a number of thousands or one with decimals. Write it without the sign.',
    )
    report(
        cells.index[~is_number & ~is_either & (cells != "")],
        lambda row: f'"{cells[row][:60]}" is not a number. {cure(row)}',
    )
    if column.is_share:
        is_percent |= number.between(1, 100, inclusive="right")
        shares, percents = cells.index[(number <= 1) & ~is_percent], cells.index[is_percent]
        mostly_percents = len(percents) > len(shares)
        if len(percents) and len(shares):
            odd, other = (shares, "percentages") if mostly_percents else (percents, "shares")
            report(odd, lambda row: f'"{cells[row]}" among {other}. Write the whole column one way, 0.525 or 52.5.')
            number[odd] = float("nan")
        if mostly_percents:
            number = (number / 100).round(12)  # 57.2 % is 0.572 to the last bit
            table.remarks.append(f"{column.name}: read as percentages (52.5 is 0.525).")
    absurd = number.notna() & ~number.between(column.minimum, column.maximum)
    report(cells.index[absurd], lambda row: f'"{cells[row][:60]}" is not possible. {column.limits}')
    return number.where(~absurd)
