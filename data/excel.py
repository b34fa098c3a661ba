"""Read a sheet of an Excel file as CSV, which then passes the same checks as any other text."""

import csv
import io
import sys
import zipfile
from collections.abc import Callable
from typing import IO, Any

from data.errors import DataError
from data.isolation import read_isolated, require_small, serve_reader
from data.text import MAX_CELLS, MAX_ROWS, TOO_MANY_CELLS, TOO_MANY_ROWS

_CURE = "Save the sheet as CSV."
_XLS = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # how Microsoft's compound files begin


def is_excel(raw: bytes) -> bool:
    """Whether bytes are a zip archive, as Excel files are, or the older kind of Excel file."""
    return raw.startswith((b"PK\x03\x04", _XLS))


def read_sheet(raw: bytes, sheet: str = "") -> tuple[bytes, str, list[str]]:
    """Read a sheet in a separate process.

    Parameters
    ----------
    sheet
        Its name; empty for the first sheet that is not empty.

    Returns
    -------
    csv : bytes
        Comma-separated, with decimal points; a line for each row of the sheet, even if empty.
    sheet : str
        Its name.
    sheets : list of str
        Names of all visible sheets, in the file's order.

    Raises
    ------
    DataError
        If the file cannot be read, is too large, or has no such sheet.
    """
    if raw.startswith(_XLS):
        raise DataError(["This is an old Excel file (.xls), or one with a password. Save it as .xlsx or as CSV."])
    summary, content = read_isolated(__name__, [sheet], raw, "The Excel file", _CURE)
    return content, summary["sheet"], summary["sheets"]


def _read_file(raw: bytes, sheet: str) -> tuple[dict[str, Any], Callable[[IO[bytes]], None]]:
    """Read a sheet in this process; return the summary and a function that writes the sheet as CSV."""
    from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            require_small(sum(member.file_size for member in archive.infolist()))
        book = CalamineWorkbook.from_filelike(io.BytesIO(raw))
        sheets = [entry.name for entry in book.sheets_metadata if entry.typ == SheetTypeEnum.WorkSheet]
        visible_sheets = [entry.name for entry in book.sheets_metadata if entry.visible == SheetVisibleEnum.Visible]
        sheets = [name for name in sheets if name in visible_sheets] or sheets  # a hidden one only if all are hidden
        if not sheets:
            raise DataError([f"The Excel file has no sheet with cells. {_CURE}"])
        if sheet and sheet not in sheets:
            raise DataError([f"There is no sheet {sheet[:60]!r}. The file has: {', '.join(sheets)[:200]}."])
        for sheet_name in [sheet] if sheet else sheets:
            table = book.get_sheet_by_name(sheet_name)
            if table.height:
                break
        if table.height > MAX_ROWS + 1:  # with the header
            raise DataError([TOO_MANY_ROWS])
        if table.height * table.width > MAX_CELLS:
            raise DataError([TOO_MANY_CELLS])
        rows = table.to_python(skip_empty_area=False)
    except DataError:
        raise
    except (CalamineError, zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        reason = str(error).strip().split("\n")[0][:120]
        raise DataError([f"This is a zip archive and no Excel file that can be read ({reason}). {_CURE}"]) from None

    def write(out: IO[bytes]) -> None:
        text = io.TextIOWrapper(out, encoding="utf-8", newline="")
        csv.writer(text, lineterminator="\n").writerows([_cell_text(cell) for cell in row] for row in rows)
        text.flush()

    return {"sheet": sheet_name, "sheets": sheets}, write


def _cell_text(cell: Any) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else str(cell)


if __name__ == "__main__":
    serve_reader(lambda raw: _read_file(raw, sys.argv[1]))
