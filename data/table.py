"""Split a file into cells: text of any usual encoding and separator, its columns known by any accepted spelling."""

import csv
import io
import re
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from data.schema import COLUMNS, ROW, ROW_ALIASES, DataError

MAX_BYTES = 25 * 2**20

# By decimal sign: digits in groups of three or ungrouped, then the decimals.
_SPACES = "\u00a0\u202f '"
_NUMBER = {
    ".": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[,{_SPACES}][0-9]{{3}})+|[0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?",
    ",": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[.{_SPACES}][0-9]{{3}})+|[0-9]*)(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?",
}
_POINT_DECIMALS = r"^[+-]?0?\.\d+$|^[+-]?\d+\.(?:\d{1,2}|\d{4,})$"  # cannot be groups of three
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
        Rows that have no more cells than the header.
    places : dict
        Name in the schema -> place of its column.
    separator, decimal : str
        What the file puts between cells, and before decimals.
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
    problems: list = field(default_factory=list)
    remarks: list = field(default_factory=list)

    def column(self, name):
        """Cells of a column of the schema in the rows that are whole, or None where the file has none."""
        return self.cells.loc[self.whole].iloc[:, self.places[name]] if name in self.places else None

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


def _decode(raw):
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
    if control := _CONTROL.search(text):
        raise DataError(
            [f"The file is not text (byte {ord(control[0])} at position {control.start()}). Save the table as CSV."]
        )
    return re.sub("\r\n?", "\n", text)


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
        Names of the columns that it must have.
    max_bytes : int, default=25 MB
        The largest file accepted [bytes].

    Returns
    -------
    Table
        A missing or doubled column, or no rows, are among its problems, as row 1.

    Raises
    ------
    DataError
        If it cannot be split into cells.
    """
    expected = ", ".join(wanted)
    text = _decode(_read(source, max_bytes, expected))
    first = next((line for line in text.split("\n") if line.strip()), "")
    try:
        headers = {separator: next(csv.reader([first], delimiter=separator), []) for separator in ",;\t"}
    except csv.Error as error:
        raise DataError([f"row 1: the header cannot be split into columns ({error}). Shorten it."]) from None
    separator = max(headers, key=lambda sign: sum(_fold(h) in _NAME_OF for h in headers[sign]))
    width = len(headers[separator])
    everything = _split(text, separator, width)
    if everything.empty:
        raise DataError([_empty(expected)])
    cells, overflow = everything.iloc[1:, :width], everything.iloc[1:, width]
    cells.columns = everything.iloc[0, :width].tolist()
    names = [_NAME_OF.get(_fold(header)) for header in cells.columns]

    problems, remarks = [], []
    for row, rest in overflow[overflow != ""].items():
        cure = "A number with a comma needs quotation marks."
        problems.append((row, "", f'more than the {width} fields of the header, beyond them "{rest[:60]}". {cure}'))
    for name in (ROW, *(column.name for column in COLUMNS)):
        spellings = [h for h, known in zip(cells.columns, names, strict=True) if known == name]
        if not spellings and name in wanted and name != ROW:
            received = ", ".join(h for h in cells.columns if h)[:200]
            problems.append((1, "", f"column {name} is missing; the header has: {received}. Expected: {expected}."))
        elif len(spellings) > 1 and name in wanted:
            cure = f"appears {len(spellings)} times ({', '.join(spellings)}). Keep one."
            problems.append((1, "", f"column {name} {cure}"))
    if cells.empty:
        problems.append((1, "", "The file has a header and no rows. Add at least one row."))
    places = {name: place for place, name in enumerate(names) if name}
    whole = cells.index[overflow == ""]
    return Table(cells, whole, places, separator, _decimal(cells.loc[whole], places, separator), problems, remarks)


def _split(text, separator, width):
    """Let pandas split the text; one column more than the header catches what a row has too much."""
    import pandas as pd

    options = {"sep": separator, "names": range(width + 1), "dtype": str, "keep_default_na": False}
    options |= {"header": None, "skip_blank_lines": False, "index_col": False}

    def catch(fields):
        return [*fields[:width], separator.join(fields[width:])]

    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            try:
                table = pd.read_csv(io.StringIO(text), **options)
            except pd.errors.ParserError as error:
                if "EOF inside string" in str(error):
                    row = int(re.search(r"row (\d+)", str(error))[1]) + 1
                    cure = "a quotation mark opens here and never closes. Add or remove one."
                    raise DataError([f"row {row}: {cure}"]) from None
                # A row has two fields too many: the slower parser hands it over.
                table = pd.read_csv(io.StringIO(text), engine="python", on_bad_lines=catch, **options)
        except (pd.errors.ParserWarning, pd.errors.ParserError, csv.Error):  # it would drop cells, or gives up
            message = "row 1: the table cannot be split into columns. Look for a stray quotation mark."
            raise DataError([message]) from None
    table = table.fillna("").apply(lambda column: column.str.strip())
    table.index += 1  # as a spreadsheet counts
    return table[(table != "").any(axis=1)]


def _decimal(cells, places, separator):
    """Which sign the file uses for decimals."""
    import pandas as pd

    if separator == ",":
        return "."
    columns = [cells.iloc[:, places[column.name]] for column in COLUMNS if column.name in places]
    numbers = pd.concat(columns or [pd.Series(dtype=str)], ignore_index=True).str.rstrip(" %")
    with_comma = numbers[numbers.str.contains(",", regex=False)]
    has_points = numbers.str.contains(_POINT_DECIMALS).any() and with_comma.str.fullmatch(_NUMBER["."]).all()
    return "." if with_comma.empty or has_points else ","


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
        bare = cells.where(~is_percent, cells.str.rstrip(" %"))
    is_number = bare.str.fullmatch(_NUMBER[decimal]) & bare.str.contains(r"\d")
    group = "." if decimal == "," else ","
    plain = bare.where(is_number, "").str.replace(f"[{group}{_SPACES}]", "", regex=True).str.replace(decimal, ".")
    number = pd.to_numeric(plain, errors="coerce").astype(float)
    is_number &= number.notna()

    def report(rows, say):
        table.problems.extend((row, column.name, say(row)) for row in rows)

    def cure(row):
        return _CURE[decimal] if {",", "."} & set(cells[row]) else column.limits

    report(cells.index[cells == ""], lambda row: f"the cell is empty. {column.limits}")
    report(
        cells.index[~is_number & (cells != "")],
        lambda row: f'"{cells[row][:60]}" is not a number. {cure(row)}',
    )
    if column.is_share:
        is_percent |= number > 1
        shares, percents = cells.index[is_number & ~is_percent], cells.index[is_percent]
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
