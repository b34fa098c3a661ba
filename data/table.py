"""A file as cells of text, its columns known by any accepted spelling, and the cells of a column as numbers."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data import parquet
from data.headers import names_of
from data.schema import ROW, DataError
from data.text import MAX_BYTES, decode, split

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
_CURE = {
    ".": "Use a point for decimals.",
    ",": "This file writes decimals with a comma: write all of them so.",
}


class Problems(list):
    """Row in the file, column or nothing, and what is wrong there; of many of a kind the first, and their number.

    Parameters
    ----------
    limit : int, optional
        How many of a kind are kept; all unless told otherwise.
    """

    def __init__(self, limit=None):
        super().__init__()
        self.limit, self.n_more = limit, 0

    def report(self, rows, column, say):
        """Note the rows of one kind, in their order; ``say`` turns one to words."""
        self.extend((int(row), column, say(row)) for row in rows[: self.limit])
        self.n_more += len(rows[self.limit :]) if self.limit else 0

    def error(self):
        """All of it as the error that refuses the file, by row."""
        told = [
            text if row == 1 else f"row {row}{', ' if column else ''}{column}: {text}"
            for row, column, text in sorted(self, key=lambda problem: problem[0])
        ]
        return DataError(told, self.n_more)


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
    problems : Problems
    remarks : list of str
        What was odd, yet usable.
    ignored : list of str
        Headers of columns that the schema does not know.
    """

    cells: Any
    whole: Any
    places: dict
    separator: str
    decimal: str
    shows_decimal: bool
    problems: Problems
    remarks: list
    ignored: list

    def column(self, name):
        """Trimmed cells of a column of the schema in the rows that are whole, or None."""
        return self.cells.loc[self.whole].iloc[:, self.places[name]].str.strip() if name in self.places else None


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


def read_table(source, wanted, *, max_bytes=MAX_BYTES, limit=None):
    """Read a CSV or Parquet file as text, and find the columns of the schema in it.

    Parameters
    ----------
    source : path, bytes, or binary file
        What to read.
    wanted : iterable of str
        Names of the columns that it must have; without the column that identifies rows it can do.
    max_bytes : int, default=64 MB
        The largest file accepted [bytes].
    limit : int, optional
        How many problems of a kind are kept; all unless told otherwise.

    Returns
    -------
    Table
        A missing or doubled column, or no rows, are among its problems, as row 1.

    Raises
    ------
    DataError
        If there is nothing in it, if it is no table, or too much.
    """
    problems, remarks, expected = Problems(limit), [], ", ".join(wanted)
    raw = _read(source, max_bytes, expected)
    if parquet.is_parquet(raw):
        (header, cells), separator, overflow = parquet.read(raw, wanted, problems), ",", {}
    else:
        separator = _separator(text := decode(raw, remarks))
        header, cells, overflow = split(text, separator, problems, remarks)
    if not header:
        raise DataError([_empty(expected)])
    names = names_of(header)
    fields = f"more than the {len(header)} fields of the header, beyond them"
    cure = "A number with a comma needs quotation marks."
    problems.report(list(overflow), "", lambda row: f'{fields} "{overflow[row]}". {cure}')
    for name in wanted:
        spellings = [title for title, known in zip(header, names, strict=True) if known == name]
        if not spellings and name != ROW:
            received = ", ".join(title.strip() for title in header if title.strip())[:200]
            problems.append((1, "", f"column {name} is missing; the header has: {received}. Expected: {expected}."))
        elif len(spellings) > 1:
            cure = f"appears {len(spellings)} times ({', '.join(spellings)}). Keep one."
            problems.append((1, "", f"column {name} {cure}"))
    if not len(cells):
        problems.append((1, "", "The file has a header and no rows. Add at least one row."))
    places = {name: place for place, name in enumerate(names_of(cells.columns)) if name}
    whole = cells.index.difference([*overflow, *(row for row, _, _ in problems)])
    ignored = [title for title, name in zip(header, names, strict=True) if title and not name]
    return Table(
        cells, whole, places, separator, *_decimal(cells, places, wanted, separator), problems, remarks, ignored
    )


def _separator(text):
    """The sign that makes most of the header's columns known ones; or the one that the first line names."""
    if named := re.match(r"sep=([,;\t])\s*(?:\n|\r|$)", text):
        return named[1]

    def n_known(sign):
        records = csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        header = next((fields for fields in records if "".join(fields).strip()), [])
        return sum(name is not None for name in names_of(header))

    return max(",;\t", key=n_known)


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
        table.problems.report(rows, column.name, say)

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
