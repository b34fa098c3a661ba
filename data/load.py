"""Read a file of rows and check every cell: a DataFrame that can be trusted, or a list of all that is wrong."""

import csv
import hashlib
import io
import re
import warnings
from pathlib import Path

from data.schema import COLUMNS, FEATURE_NAMES, ROW, ROW_ALIASES, TARGET, DataError

SHIPPED = Path(__file__).with_name("petrol_consumption.csv")
MAX_BYTES = 25 * 2**20
EXPECTED = ", ".join((ROW, *(column.name for column in COLUMNS)))
_EMPTY = f"The file is empty. It needs a header line ({EXPECTED}) and rows."

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


def load_rows(source=SHIPPED, *, max_bytes=MAX_BYTES):
    """Read rows from a CSV file and check them.

    Accepts comma, semicolon or tab as separator, decimal points or commas, thousands separators,
    UTF-8 with or without a byte-order mark, UTF-16, other header spellings, any column order, and
    percentages where the schema has a share (all of a column, never a mix).

    Parameters
    ----------
    source : path, bytes, or binary file, default=the shipped file
        What to read.
    max_bytes : int, default=25 MB
        The largest file accepted [bytes].

    Returns
    -------
    pandas.DataFrame of shape (n_rows, 6)
        The columns of the schema in its order and units, a row each, index 0 to n_rows - 1.
        ``attrs["warnings"]`` lists in words what was odd, yet usable.

    Raises
    ------
    DataError
        With every problem of the file: row (the header is row 1), column, value received and cure.
    """
    problems, remarks = [], []  # problems are pairs: row in the file, what is wrong there
    cells, separator = _parse(_decode(_read(source, max_bytes)), problems, remarks)
    decimal = _decimal(cells, separator)
    numbers = {
        column.name: _numbers(cells[column.name], column, decimal, problems, remarks)
        for column in COLUMNS
        if column.name in cells
    }
    if problems:
        raise DataError(message for _, message in sorted(problems, key=lambda problem: problem[0]))
    return _assemble(cells, numbers, remarks)


def fingerprint(rows):
    """SHA-256 of the rows themselves: equal for equal figures, whatever file they came in.

    Parameters
    ----------
    rows : pandas.DataFrame
        As returned by `load_rows`.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    text = rows.to_csv(index=False, lineterminator="\n", float_format="%.17g")
    return hashlib.sha256(text.encode()).hexdigest()


def _read(source, max_bytes):
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
        raise DataError([_EMPTY])
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


def _parse(text, problems, remarks):
    """Split the text into known columns of strings, indexed by row number in the file; and its separator."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    try:
        headers = {separator: next(csv.reader([first], delimiter=separator), []) for separator in ",;\t"}
    except csv.Error as error:
        raise DataError([f"row 1: the header cannot be split into columns ({error}). Shorten it."]) from None
    separator = max(headers, key=lambda sign: sum(_fold(h) in _NAME_OF for h in headers[sign]))
    width = len(headers[separator])
    table = _split(text, separator, width)
    if table.empty:
        raise DataError([_EMPTY])
    header, body, overflow = table.iloc[0, :width], table.iloc[1:, :width], table.iloc[1:, width]
    names = [_NAME_OF.get(_fold(h)) for h in header]

    problems += [
        (row, f"row {row}: more than the {width} fields of the header. A number with a comma needs quotation marks.")
        for row in body.index[overflow != ""]
    ]
    for name in (ROW, *(column.name for column in COLUMNS)):
        spellings = [h for h, known in zip(header, names, strict=True) if known == name]
        if not spellings and name != ROW:
            received = ", ".join(h for h in header if h)[:200]
            problems.append((1, f"column {name} is missing; the header has: {received}. Expected: {EXPECTED}."))
        elif len(spellings) > 1:
            problems.append((1, f"column {name} appears {len(spellings)} times ({', '.join(spellings)}). Keep one."))
    if body.empty:
        problems.append((1, "The file has a header and no rows. Add at least one row."))
    if ignored := [h for h, name in zip(header, names, strict=True) if name is None and h]:
        remarks.append(f"Ignored columns: {', '.join(ignored)[:200]}.")
    body = body[overflow == ""]
    return {name: body[i] for i, name in enumerate(names) if name}, separator


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


def _decimal(cells, separator):
    """Which sign the file uses for decimals."""
    import pandas as pd

    if separator == ",":
        return "."
    numbers = pd.concat([cells[column.name] for column in COLUMNS if column.name in cells] or [pd.Series(dtype=str)])
    numbers = numbers.str.rstrip(" %")
    with_comma = numbers[numbers.str.contains(",", regex=False)]
    has_points = numbers.str.contains(_POINT_DECIMALS).any() and with_comma.str.fullmatch(_NUMBER["."]).all()
    return "." if with_comma.empty or has_points else ","


def _numbers(cells, column, decimal, problems, remarks):
    """Turn a column of strings into numbers in the stored unit; what does not fit goes to ``problems``."""
    import pandas as pd

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
        problems.extend((row, f"row {row}, {column.name}: {say(row)}") for row in rows)

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
        if len(percents) and len(shares):
            odd, other = (percents, "shares") if len(percents) <= len(shares) else (shares, "percentages")
            report(odd, lambda row: f'"{cells[row]}" among {other}. Write the whole column one way, 0.525 or 52.5.')
            return number
        if len(percents):
            number = (number / 100).round(12)  # 57.2 % is 0.572 to the last bit
            remarks.append(f"{column.name}: read as percentages (52.5 is 0.525).")
    absurd = number.notna() & ~number.between(column.minimum, column.maximum)
    report(cells.index[absurd], lambda row: f'"{cells[row][:60]}" is not possible. {column.limits}')
    return number


def _assemble(cells, numbers, remarks):
    """Put the columns together and say in words what is odd about the rows."""
    import pandas as pd

    rows = pd.DataFrame(numbers)
    unnamed = pd.Series([f"row {row}" for row in rows.index], index=rows.index)
    if ROW in cells:
        names = cells[ROW].where(cells[ROW] != "", unnamed)
    else:
        names = unnamed
        remarks.append(f'No column "{ROW}": each row is called by its number in the file.')
    rows.insert(0, ROW, names.astype(object))

    figures = [*FEATURE_NAMES, TARGET.name]
    first = pd.Series(rows.index, rows.index).groupby([rows[name] for name in figures]).transform("first")
    doubled = [
        f"row {row}: the same figures as row {first[row]}. Kept; remove it if it is a copy."
        for row in rows.index[first != rows.index]
    ]
    times = rows[ROW].value_counts(sort=False)
    doubled += [
        f'{ROW} "{name[:60]}" appears {n} times, first in row {rows.index[rows[ROW] == name][0]}. All are kept.'
        for name, n in times[times > 1].head(DataError.SHOWN).items()
    ]
    remarks += doubled[: DataError.SHOWN]
    if len(doubled) > DataError.SHOWN:
        remarks.append(f"... and {len(doubled) - DataError.SHOWN:,} more rows or names that appear twice.")
    rows = rows.reset_index(drop=True)
    rows.attrs["warnings"] = remarks
    return rows
