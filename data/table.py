"""A file as cells of text, its columns known by any accepted spelling, and the cells of a column as numbers."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from data import excel, parquet
from data.headers import fold, names_of, unit_in
from data.layout import BLANK, layout_of, require_header, require_table
from data.schema import COLUMNS, ROW, Column, DataError
from data.text import MAX_BYTES, decode, split

if TYPE_CHECKING:
    import pandas as pd

Source = Path | str | bytes | IO[bytes]

# By decimal sign: digits in groups of three or ungrouped, then the decimals.
_SPACES = "\u00a0\u2009\u202f\u2019 '"
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
_SEVERAL = 4  # values of which something can be said in common
_MISSING = ("nan", "na", "n/a", "n.a.", "#n/a", "null", "none", "missing", "?", ".", "..", "-", "–", "—")
_CURE = {
    ".": "Use a point for decimals.",
    ",": "This file writes decimals with a comma: write all of them so.",
}


class Problems(list[tuple[int, str, str]]):
    """Row in the file, column or nothing, and what is wrong there; of many of a kind the first, and their number.

    Parameters
    ----------
    limit : int, optional
        How many of a kind are kept; all unless told otherwise.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit, self.n_more = limit, 0

    def report(self, rows: Any, column: str, say: Callable[..., Any]) -> None:
        """Note the rows of one kind, in their order; ``say`` turns one to words."""
        self.extend((int(row), column, say(row)) for row in rows[: self.limit])
        self.n_more += len(rows[self.limit :]) if self.limit else 0

    def error(self, table: "Table | None" = None) -> DataError:
        """All of it as the error that refuses the file, by row; what is wrong with the header alone, if anything is."""
        if of_header := [text for row, _, text in self if row == 1]:
            return DataError(of_header, 0, table)
        texts = [
            f"row {row}{', ' if column else ''}{column}: {text}"
            for row, column, text in sorted(self, key=lambda problem: problem[0])
        ]
        return DataError(texts, self.n_more, table)


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
    sheet, sheets : str, list of str
        Of an Excel file: the one that was read, and all.
    """

    cells: Any
    whole: Any
    places: dict[str, int]
    separator: str
    decimal: str
    shows_decimal: bool
    problems: Problems
    remarks: list[str]
    ignored: list[str]
    sheet: str
    sheets: list[str]

    def column(self, name: str) -> "pd.Series":
        """Trimmed cells of a column of the schema in the rows that are whole, or None."""
        return self.cells.loc[self.whole].iloc[:, self.places[name]].str.strip() if name in self.places else None


def _empty(expected: str) -> str:
    return f"The file is empty. It needs a header line ({expected}) and rows."


def _read(source: Any, max_bytes: int, expected: str) -> bytes:
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


def read_table(
    source: Source,
    wanted: Collection[str],
    *,
    columns: Mapping[str, str | int] | None = None,
    sheet: str = "",
    max_bytes: int = MAX_BYTES,
    limit: int | None = None,
) -> Table:
    """Read a CSV, Excel or Parquet file as text, and find the columns of the schema in it.

    Parameters
    ----------
    source
        What to read: a path, bytes, or a binary file.
    wanted
        Names of the columns that it must have; without the column that identifies rows it can do.
    columns
        Name in the schema -> title or place of its column in the file, where the header does not say.
    sheet
        Of an Excel file; the first one unless told otherwise.
    max_bytes
        The largest file accepted [bytes].
    limit
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
    problems, remarks, expected, sheets = Problems(limit), list[str](), ", ".join(wanted), list[str]()
    raw = _read(source, max_bytes, expected)
    if excel.is_excel(raw):
        raw, sheet, sheets = excel.read(raw, sheet)
        if len(sheets) > 1:
            remarks.append(f"Read is the sheet {sheet!r}, one of {len(sheets)}.")
    try:
        table = _table_of(raw, wanted, columns, problems, remarks, expected)
    except DataError as error:
        error.sheet, error.sheets = sheet, sheets
        raise
    return replace(table, sheet=sheet, sheets=sheets)


def _table_of(
    raw: bytes,
    wanted: Collection[str],
    columns: Mapping[str, str | int] | None,
    problems: Problems,
    remarks: list[str],
    expected: str,
) -> Table:
    if parquet.is_parquet(raw):
        header, cells = parquet.read(raw, wanted, problems, needs_all=bool(columns))
        separator, overflow = ",", dict[int, Any]()
    else:
        text = decode(raw, remarks)
        require_table(text)
        layout = layout_of(text)
        if layout.above:
            remarks.append(f"Not read, for it stands above the header: {' / '.join(layout.above)[:200]}")
        header, cells, overflow = split(text, layout, problems, remarks)
        separator = {BLANK: "\t", "|": ","}.get(layout.separator, layout.separator)
    if not header:
        raise DataError([_empty(expected)])
    require_header(header, expected)
    fields = f"more than the {len(header)} fields of the header, beyond them"
    cure = "A number with a comma needs quotation marks."
    problems.report(list(overflow), "", lambda row: f'{fields} "{overflow[row]}". {cure}')
    names = _names(header, columns)
    places = _places(header, names, wanted, problems)
    if not len(cells):
        problems.append((1, "", "The file has a header and no rows. Add at least one row."))
    if len(cells.columns) != len(header):  # of Parquet, columns that were not read
        read = _names(list(cells.columns), columns)
        places = {name: place for place, name in enumerate(read) if name in places}
    remarks += [
        f"{title.strip()!r} is read in {column.unit}."
        for column in COLUMNS
        if (place := places.get(column.name)) is not None
        and (unit := unit_in(title := str(cells.columns[place])))
        and unit not in column.units
        and fold(title) not in map(fold, column.aliases)
    ]
    whole = cells.index.difference([*overflow, *(row for row, _, _ in problems)])
    ignored = [title for title, name in zip(header, names, strict=True) if title and not name]
    decimal, shows_decimal = _decimal(cells, places, wanted, separator)
    return Table(cells, whole, places, separator, decimal, shows_decimal, problems, remarks, ignored, "", [])


def _names(header: list[str], columns: Mapping[str, str | int] | None) -> list[str | None]:
    """Name in the schema of each column of a file, or None; what was said by hand goes before what the header says."""
    names = names_of(header)
    titles, taken = [str(title).strip() for title in header], dict[int, str]()
    for name, given in (columns or {}).items():
        place = titles.index(given) if given in titles else _place(given)
        if not 0 <= place < len(titles):
            raise DataError([f"There is no column {str(given)[:60]!r}; the header has: {_shortly(titles)}."])
        if place in taken:
            raise DataError([f"The column {titles[place]!r} cannot be both {taken[place]} and {name}."])
        taken[place] = name
        names = [None if other == name else other for other in names]
        names[place] = name
    return names


def _place(given: str | int) -> int:
    """Place that is given as a number, or as text that counts from one: ``#4`` is 3; -1 where it is none."""
    if isinstance(given, int):
        return given
    return int(given[1:]) - 1 if re.fullmatch(r"#[1-9][0-9]{0,4}", given) else -1


def _places(header: list[str], names: list[str | None], wanted: Collection[str], problems: Problems) -> dict[str, int]:
    """Name -> place of each column that stands there once; what is missing or doubled is a problem of row 1."""
    places = {name: place for place, name in enumerate(names) if name and names.count(name) == 1}
    missing = [name for name in wanted if name not in names and name != ROW]
    if missing and len(header) == 1:
        cure = f"Put commas, semicolons or tabs between the cells of: {', '.join(wanted)}."
        text = f"the first line is one cell, {header[0].strip()[:60]!r}. {cure}"
        problems.append((1, "", text))
    elif missing:
        what = f"column {missing[0]} is" if len(missing) == 1 else f"columns {', '.join(missing)} are"
        text = f"{what} missing; the header has: {_shortly(header)}. Expected: {', '.join(wanted)}."
        problems.append((1, "", text))
    for name in wanted:
        spellings = [title for title, known in zip(header, names, strict=True) if known == name]
        if len(spellings) > 1:
            cure = f"appears {len(spellings)} times ({', '.join(spellings)}). Keep one."
            problems.append((1, "", f"column {name} {cure}"))
    return places


def _shortly(titles: list[str]) -> str:
    return ", ".join(title.strip() for title in titles if title.strip())[:200]


def _decimal(
    cells: "pd.DataFrame",
    places: dict[str, int] | dict[Any, Any],
    wanted: Collection[str],
    separator: str,
) -> tuple[str, bool]:
    """Which sign the file uses for decimals, and whether anything in it shows that."""
    shows = dict.fromkeys(".,", 0)
    chosen = [cells.iloc[:, places[name]] for name in {*wanted} & {*places} - {ROW}]
    if separator == "," and not any(column.str.contains(",", regex=False).any() for column in chosen):
        return ".", True
    for each in chosen:
        column = each.str.strip().str.removesuffix("%").str.strip()
        for sign in shows:
            shows[sign] += int(column.str.fullmatch(_DECIMALS[sign]).sum())
    if separator == ",":  # between its cells; a decimal comma then stands in quotation marks
        return ("," if shows[","] and not shows["."] else "."), True
    return (",", True) if shows[","] > shows["."] else (".", shows["."] > 0)


def _bare(cells: "pd.Series", column: Column, decimal: str) -> "pd.Series":
    """Cells without what spreadsheets and people put around a number: the column's own unit, a formula that is one."""
    odd = cells[(cells != "") & ~cells.str.fullmatch(_NUMBER[decimal])]
    if odd.empty:
        return cells
    units = "|".join(re.escape(unit) for unit in sorted(column.units - {"%"}, key=len, reverse=True))
    bare_odd = odd.str.replace("\u2212", "-").str.replace(r'^="(.*)"$', r"\1", regex=True)
    bare_odd = bare_odd.str.replace(rf"(?i)^(?:{units})\s*(?=[\d.,+-])|(?<=[\d.,])\s*(?:{units})$", "", regex=True)
    bare = cells.copy()
    bare.loc[odd.index] = bare_odd
    return bare


def _if_grouped(bare: "pd.Series", number: "pd.Series", column: Column, decimal: str) -> "pd.Series | None":
    """Numbers of a column in which the decimal sign stands between thousands, or None where it does not.

    It does where each cell that has one has groups of three, and only so the values are what is usual: 1.976 miles.
    """
    import pandas as pd

    has_sign = bare.str.contains(decimal, regex=False)
    pattern = rf"[+-]?[1-9][0-9]{{0,2}}(?:\{decimal}[0-9]{{3}})+"
    if not has_sign.any() or not bare[has_sign].str.fullmatch(pattern).all():
        return None
    grouped = pd.to_numeric(bare[has_sign].str.replace(decimal, ""), errors="coerce").reindex(number.index)
    grouped = grouped.fillna(number)
    is_usual = [column.low <= values[has_sign].median() <= column.high for values in (number, grouped)]
    return grouped if is_usual == [False, True] else None


def numbers(table: Table, column: Column) -> "pd.Series":
    """Turn a column of cells into numbers, and note every cell that is none among the table's problems.

    Returns
    -------
    pandas.Series of float
        In the stored unit, indexed as the table; missing where the cell cannot be used.
    """
    import pandas as pd

    cells, decimal = table.column(column.name), table.decimal
    bare, is_percent = _bare(cells, column, decimal), pd.Series(False, index=cells.index)
    if column.is_share:
        is_percent = bare.str.endswith("%")
        bare = bare.where(~is_percent, bare.str.removesuffix("%").str.strip())
    is_number = bare.str.fullmatch(_NUMBER[decimal]) & bare.str.contains(r"\d")
    group = "." if decimal == "," else ","
    plain = bare.where(is_number, "").str.replace(f"[{group}{_SPACES}]", "", regex=True).str.replace(decimal, ".")
    number = pd.to_numeric(plain, errors="coerce").astype(float)
    if (grouped := _if_grouped(bare, number, column, decimal)) is not None:
        number = grouped
        table.remarks.append(f'{column.name}: the "{decimal}" is read as standing between thousands.')
    is_either = bare.str.fullmatch(_EITHER) & (not table.shows_decimal)
    is_number &= number.notna() & ~is_either
    number = number.where(~is_either)

    def report(rows: "pd.DataFrame", say: Any) -> None:
        table.problems.report(rows, column.name, say)

    def cure(row: Any) -> Any:
        return _CURE[decimal] if {",", "."} & set(cells[row]) else column.limits

    others = cells[~is_number & ~is_either & (cells != "")]
    is_missing = others.str.lower().isin(_MISSING)
    report(cells.index[cells == ""], lambda row: f"the cell is empty. {column.limits}")
    report(
        cells.index[is_either],
        lambda row: f'"{cells[row]}" may be a number of thousands or one with decimals. Write it without the sign.',
    )
    report(others.index[is_missing], lambda row: f'the value is missing ("{cells[row]}"). {column.limits}')
    report(
        others.index[~is_missing],
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
    usual = number.median()
    if number.notna().sum() >= _SEVERAL and not column.low <= usual <= column.high:
        text = f"half of the values are above {column.about(usual)}, usual are {column.text(column.low)} to"
        text = f"{text} {column.text_with_unit(column.high)}. Is it another unit or column?"
        table.remarks.append(f"{column.name}: {text}")
    absurd = number.notna() & ~number.between(column.minimum, column.maximum)
    report(cells.index[absurd], lambda row: f'"{cells[row][:60]}" is not possible. {column.limits}')
    return number.where(~absurd)
