"""Read a file as cells of text, find its columns by any accepted spelling, and read their cells as numbers."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING

from data.column import fold
from data.errors import DataError, FileProblems
from data.excel import is_excel, read_sheet
from data.headers import match_headers, unit_in
from data.layout import BLANK, detect_layout, require_header, require_table
from data.parquet import is_parquet, read_columns
from data.schema import COLUMNS, ROW, Column
from data.text import MAX_BYTES, decode, split_rows

if TYPE_CHECKING:
    import pandas as pd

Source = Path | str | bytes | IO[bytes]

# By decimal sign: digits in groups of three or ungrouped, then the decimals.
_SPACES = "\u00a0\u2009\u202f\u2019 '"
_NUMBER = {
    ".": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[,{_SPACES}][0-9]{{3}})+|[0-9]*)(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?",
    ",": rf"[+-]?(?:[1-9][0-9]{{0,2}}(?:[.{_SPACES}][0-9]{{3}})+|[0-9]*)(?:,[0-9]*)?(?:[eE][+-]?[0-9]+)?",
}
# What shows the decimal sign, because it cannot separate groups of three; and what is ambiguous.
_DECIMALS = {
    sign: rf"[+-]?(?:0?{mark}[0-9]+|[0-9]+{mark}(?:[0-9]{{1,2}}|[0-9]{{4,}})|[0-9]{{4,}}{mark}[0-9]{{3}}"
    rf"|[1-9][0-9]{{0,2}}(?:{group}[0-9]{{3}})+{mark}[0-9]+)"
    for sign, mark, group in ((".", r"\.", ","), (",", ",", r"\."))
}
_AMBIGUOUS = r"[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}"
_TEXT = {ROW, *(column.name for column in COLUMNS if column.choices)}  # columns that hold no numbers
_MIN_VALUES = 4  # values needed to judge a column as a whole
MISSING = ("nan", "na", "n/a", "n.a.", "#n/a", "null", "none", "missing", "?", ".", "..", "-", "–", "—")
_CURE = {
    ".": "Use a point for decimals.",
    ",": "This file writes decimals with a comma: write all of them so.",
}


@dataclass(frozen=True)
class Table:
    """The cells of a file, as text.

    Attributes
    ----------
    cells
        Text of shape (n_rows, n_columns). The header is its columns; the index is each row's number in the file, whose
        header is row 1.
    whole_rows
        Numbers of the rows with no more cells than the header and no open quotation mark.
    positions
        Name in the schema -> position of its column.
    separator, decimal
        The signs between cells, and before decimals.
    shows_decimal
        Whether anything in the file shows the decimal sign; otherwise ``4,700`` is ambiguous.
    remarks
        What was odd, yet usable.
    ignored
        Headers of columns that the schema does not know.
    sheet, sheets
        Of an Excel file: the sheet that was read, and all its sheets.
    """

    cells: "pd.DataFrame"
    whole_rows: "pd.Index[int]"
    positions: dict[str, int]
    separator: str
    decimal: str
    shows_decimal: bool
    problems: FileProblems
    remarks: list[str]
    ignored: list[str]
    sheet: str = ""
    sheets: list[str] = field(default_factory=list)

    def column(self, name: str) -> "pd.Series[str]":
        """Trimmed cells of a column that the table has, in the rows that are whole."""
        return self.cells.loc[self.whole_rows].iloc[:, self.positions[name]].str.strip()


class TableError(DataError):
    """A table that was read but cannot be used; a page can ask about ``table``."""

    def __init__(self, table: Table) -> None:
        super().__init__(table.problems.sentences(), 0 if table.problems.is_of_header else table.problems.n_more)
        self.table, self.sheet, self.sheets = table, table.sheet, table.sheets


def _empty_message(expected: str) -> str:
    return f"The file is empty. It needs a header line ({expected}) and rows."


def _read_bytes(source: Source, max_bytes: int, expected: str) -> bytes:
    if isinstance(source, bytes):
        raw = source
    elif isinstance(source, (str, Path)):
        try:
            with Path(source).open("rb") as file:
                raw = file.read(max_bytes + 1)
        except OSError as error:
            raise DataError([f"{source}: cannot be read ({error.strerror}). Check the path."]) from None
    else:
        raw = source.read(max_bytes + 1)
    if len(raw) > max_bytes:
        raise DataError([f"The file is larger than {max_bytes:,} bytes. Send fewer rows or columns."])
    if not raw.strip():
        raise DataError([_empty_message(expected)])
    return raw


def read_table(
    source: Source,
    wanted: Collection[str],
    *,
    columns: Mapping[str, str | int] | None = None,
    sheet: str = "",
    max_bytes: int = MAX_BYTES,
    limit: int | None = None,
    optional: Collection[str] = (),
) -> Table:
    """Read a CSV, Excel or Parquet file as text, and find the columns of the schema in it.

    Parameters
    ----------
    source
        What to read: a path, bytes, or a binary file.
    wanted
        Names of the columns that the file must have; the one that identifies rows may be missing.
    columns
        Name in the schema -> title or position of its column in the file, where the header does not say.
    sheet
        Of an Excel file; empty for the first that is not empty.
    max_bytes
        The largest file accepted [bytes].
    limit
        How many problems of a kind are kept; None for all.
    optional
        Names of more columns that are read where a Parquet file has them; of other files all are.

    Returns
    -------
    Table
        A missing or doubled column, or no rows, are among its problems, as row 1.

    Raises
    ------
    DataError
        If the file is empty, not a table, or too large.
    """
    problems, expected = FileProblems(limit), ", ".join(wanted) or "a title for each column"
    remarks: list[str] = []
    sheets: list[str] = []
    raw = _read_bytes(source, max_bytes, expected)
    if is_excel(raw):
        raw, sheet, sheets = read_sheet(raw, sheet)
        if len(sheets) > 1:
            remarks.append(f"Read is the sheet {sheet!r}, one of {len(sheets)}.")
    try:
        table = _parse_table(raw, wanted, columns, problems, remarks, expected, optional)
    except DataError as error:
        error.sheet, error.sheets = sheet, sheets
        raise
    return replace(table, sheet=sheet, sheets=sheets)


def _parse_table(
    raw: bytes,
    wanted: Collection[str],
    columns: Mapping[str, str | int] | None,
    problems: FileProblems,
    remarks: list[str],
    expected: str,
    optional: Collection[str],
) -> Table:
    overflow: dict[int, str] = {}
    if is_parquet(raw):
        needs_all = bool(columns) or not wanted
        header, cells = read_columns(raw, wanted, problems, needs_all=needs_all, optional=optional)
        separator = ","
    else:
        text = decode(raw, remarks)
        require_table(text)
        layout = detect_layout(text)
        if layout.above:
            remarks.append(f"Not read, for it stands above the header: {' / '.join(layout.above)[:200]}")
        header, cells, overflow = split_rows(text, layout, problems, remarks)
        separator = {BLANK: "\t", "|": ","}.get(layout.separator, layout.separator)
    if not header:
        raise DataError([_empty_message(expected)])
    require_header(header, expected)
    beyond = f"more than the {len(header)} fields of the header, beyond them"
    cure = "A number with a comma needs quotation marks."
    problems.add_rows(list(overflow), "", lambda row: f'{beyond} "{overflow[row]}". {cure}')
    names = _match_columns(header, columns)
    positions = _find_positions(header, names, wanted, problems) if wanted else {}
    if not len(cells):
        problems.add(1, "The file has a header and no rows. Add at least one row.")
    if len(cells.columns) != len(header):  # some columns of a Parquet file were not read
        read_names = _match_columns(list(cells.columns), columns)
        positions = {name: index for index, name in enumerate(read_names) if name in positions}
    remarks += [
        f"{title.strip()!r} is read in {column.unit}."
        for column in COLUMNS
        if not column.choices
        and (position := positions.get(column.name)) is not None
        and (unit := unit_in(title := str(cells.columns[position])))
        and unit not in column.units
        and fold(title) not in map(fold, column.aliases)
    ]
    whole_rows = cells.index.difference([*overflow, *(problem.row for problem in problems)])
    ignored = [title for title, name in zip(header, names, strict=True) if title and not name]
    decimal, shows_decimal = _detect_decimal(cells, positions, wanted, separator)
    return Table(cells, whole_rows, positions, separator, decimal, shows_decimal, problems, remarks, ignored)


def read_any_columns(source: Source) -> Table:
    """Read a file of whatever columns; in ``positions`` each has its own index, as text, for its name.

    Raises
    ------
    DataError
        As `read_table`.
    """
    table = read_table(source, ())
    positions = {str(index): index for index in range(table.cells.shape[1])}
    decimal, shows_decimal = _detect_decimal(table.cells, positions, positions, table.separator)
    return replace(table, positions=positions, decimal=decimal, shows_decimal=shows_decimal, ignored=[])


def _match_columns(header: list[str], columns: Mapping[str, str | int] | None) -> list[str | None]:
    """Name in the schema of each column of a file, or None; ``columns``, set by a person, overrides the header."""
    names = match_headers(header)
    titles = [str(title).strip() for title in header]
    name_at: dict[int, str] = {}
    for name, column in (columns or {}).items():
        index = titles.index(column) if isinstance(column, str) and column in titles else _column_index(column)
        if not 0 <= index < len(titles):
            raise DataError([f"There is no column {str(column)[:60]!r}; the header has: {_list_titles(titles)}."])
        if index in name_at:
            raise DataError([f"The column {titles[index]!r} cannot be both {name_at[index]} and {name}."])
        name_at[index] = name
        names = [None if known_name == name else known_name for known_name in names]
        names[index] = name
    return names


def _column_index(column: str | int) -> int:
    """Index of a column from a number, or from text that counts from one: ``#4`` is 3; -1 for other text."""
    if isinstance(column, int):
        return column
    return int(column[1:]) - 1 if re.fullmatch(r"#[1-9][0-9]{0,4}", column) else -1


def _find_positions(
    header: list[str], names: list[str | None], wanted: Collection[str], problems: FileProblems
) -> dict[str, int]:
    """Name -> position of each column that occurs once; a missing or doubled one is a problem of row 1."""
    positions = {name: index for index, name in enumerate(names) if name and names.count(name) == 1}
    missing = [name for name in wanted if name not in names and name != ROW]
    if missing and len(header) == 1:
        cure = f"Put commas, semicolons or tabs between the cells of: {', '.join(wanted)}."
        text = f"the first line is one cell, {header[0].strip()[:60]!r}. {cure}"
        problems.add(1, text)
    elif missing:
        subject = f"column {missing[0]} is" if len(missing) == 1 else f"columns {', '.join(missing)} are"
        text = f"{subject} missing; the header has: {_list_titles(header)}. Expected: {', '.join(wanted)}."
        problems.add(1, text)
    for name in wanted:
        spellings = [title for title, schema_name in zip(header, names, strict=True) if schema_name == name]
        if len(spellings) > 1:
            cure = f"appears {len(spellings)} times ({', '.join(spellings)}). Keep one."
            problems.add(1, f"column {name} {cure}")
    return positions


def _list_titles(titles: list[str]) -> str:
    return ", ".join(title.strip() for title in titles if title.strip())[:200]


def _detect_decimal(
    cells: "pd.DataFrame", positions: Mapping[str, int], wanted: Collection[str], separator: str
) -> tuple[str, bool]:
    """Which sign the file uses for decimals, and whether anything in it shows that."""
    counts = dict.fromkeys(".,", 0)
    wanted_columns = [cells.iloc[:, positions[name]] for name in {*wanted} & {*positions} - _TEXT]
    if separator == "," and not any(column.str.contains(",", regex=False).any() for column in wanted_columns):
        return ".", True
    for column in wanted_columns:
        bare = column.str.strip().str.removesuffix("%").str.strip()
        for sign in counts:
            counts[sign] += int(bare.str.fullmatch(_DECIMALS[sign]).sum())
    if separator == ",":  # between cells; decimal commas are then in quotation marks
        return ("," if counts[","] and not counts["."] else "."), True
    return (",", True) if counts[","] > counts["."] else (".", counts["."] > 0)


def _strip_units(cells: "pd.Series", column: Column, decimal: str) -> "pd.Series":
    """Strip what people and spreadsheets put around a number: the column's own unit, or ``="7.5"``."""
    wrapped = cells[(cells != "") & ~cells.str.fullmatch(_NUMBER[decimal])]
    if wrapped.empty:
        return cells
    units = "|".join(re.escape(unit) for unit in sorted(column.units - {"%"}, key=len, reverse=True))
    stripped = wrapped.str.replace("\u2212", "-").str.replace(r'^="(.*)"$', r"\1", regex=True)
    stripped = stripped.str.replace(rf"(?i)^(?:{units})\s*(?=[\d.,+-])|(?<=[\d.,])\s*(?:{units})$", "", regex=True)
    bare = cells.copy()
    bare.loc[wrapped.index] = stripped
    return bare


def _read_grouped(bare: "pd.Series", numbers: "pd.Series", column: Column, decimal: str) -> "pd.Series | None":
    """Read numbers whose decimal sign in fact separates thousands; None if it does not.

    It does if every cell with one has groups of three, and the median is usual only when read so: 1.976 miles.
    """
    import pandas as pd

    has_sign = bare.str.contains(decimal, regex=False)
    pattern = rf"[+-]?[1-9][0-9]{{0,2}}(?:\{decimal}[0-9]{{3}})+"
    if not has_sign.any() or not bare[has_sign].str.fullmatch(pattern).all():
        return None
    grouped = pd.to_numeric(bare[has_sign].str.replace(decimal, ""), errors="coerce").reindex(numbers.index)
    grouped = grouped.astype(float).fillna(numbers)
    is_usual = [column.low <= values[has_sign].median() <= column.high for values in (numbers, grouped)]
    return grouped if is_usual == [False, True] else None


def read_numbers(table: Table, column: Column) -> "pd.Series[float]":
    """Turn a column that the table has into numbers, and add every bad cell to the table's problems.

    Returns
    -------
    pandas.Series of float
        In the stored unit, indexed as the table's whole rows; missing where the cell cannot be used.
    """
    import pandas as pd

    cells, decimal = table.column(column.name), table.decimal
    bare, is_percent = _strip_units(cells, column, decimal), pd.Series(False, index=cells.index)
    if column.is_share:
        is_percent = bare.str.endswith("%")
        bare = bare.where(~is_percent, bare.str.removesuffix("%").str.strip())
    is_number = bare.str.fullmatch(_NUMBER[decimal]) & bare.str.contains(r"\d")
    group = "." if decimal == "," else ","
    plain = bare.where(is_number, "").str.replace(f"[{group}{_SPACES}]", "", regex=True).str.replace(decimal, ".")
    numbers = pd.to_numeric(plain, errors="coerce").astype(float)
    if (grouped := _read_grouped(bare, numbers, column, decimal)) is not None:
        numbers = grouped
        table.remarks.append(f'{column.name}: the "{decimal}" is read as standing between thousands.')
    is_ambiguous = bare.str.fullmatch(_AMBIGUOUS) & (not table.shows_decimal)
    is_number &= numbers.notna() & ~is_ambiguous
    numbers = numbers.where(~is_ambiguous)

    def report(rows: "pd.Index[int]", describe: Callable[[int], str]) -> None:
        table.problems.add_rows(rows, column.name, describe)

    def cure(row: int) -> str:
        return _CURE[decimal] if {",", "."} & set(cells[row]) else column.limits

    bad_cells = cells[~is_number & ~is_ambiguous & (cells != "")]
    is_missing = bad_cells.str.lower().isin(MISSING)
    report(cells.index[cells == ""], lambda row: f"the cell is empty. {column.limits}")
    report(
        cells.index[is_ambiguous],
        lambda row: f'"{cells[row]}" may be a number of thousands or one with decimals. Write it without the sign.',
    )
    report(bad_cells.index[is_missing], lambda row: f'the value is missing ("{cells[row]}"). {column.limits}')
    report(
        bad_cells.index[~is_missing],
        lambda row: f'"{cells[row][:60]}" is not a number. {cure(row)}',
    )
    if column.is_share:
        is_percent |= numbers.between(1, 100, inclusive="right")
        shares, percents = cells.index[(numbers <= 1) & ~is_percent], cells.index[is_percent]
        mostly_percents = len(percents) > len(shares)
        if len(percents) and len(shares):
            minority, majority = (shares, "percentages") if mostly_percents else (percents, "shares")
            report(
                minority, lambda row: f'"{cells[row]}" among {majority}. Write the whole column one way, 0.525 or 52.5.'
            )
            numbers[minority] = float("nan")
        if mostly_percents:
            numbers = (numbers / 100).round(12)  # 57.2 % is 0.572 to the last bit
            table.remarks.append(f"{column.name}: read as percentages (52.5 is 0.525).")
    median = numbers.median()
    if numbers.notna().sum() >= _MIN_VALUES and not column.low <= median <= column.high:
        text = f"half of the values are above {column.about(median)}, usual are {column.text(column.low)} to"
        text = f"{text} {column.text_with_unit(column.high)}. Is it another unit or column?"
        table.remarks.append(f"{column.name}: {text}")
    is_impossible = numbers.notna() & ~numbers.between(column.minimum, column.maximum)
    report(cells.index[is_impossible], lambda row: f'"{cells[row][:60]}" is not possible. {column.limits}')
    return numbers.where(~is_impossible)
