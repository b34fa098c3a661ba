"""Read a file of scenarios to be scored: every row that can be used, and for every other the reason."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURE_NAMES, FEATURES, DataError
from data.table import Source, Table, numbers, read_table
from data.text import MAX_BYTES

MAX_ROWS = 250_000


@dataclass(frozen=True)
class Inputs:
    """The inputs of a file's rows.

    Attributes
    ----------
    table : data.table.Table
        The file as it stands.
    X : ndarray of shape (n_rows, n_features)
        In the order of the schema and in its stored units; NaN where a cell cannot be used.
    reasons : list of str
        For each row why it cannot be used; empty where it can.
    """

    table: Table
    X: np.ndarray
    reasons: list[str]

    @property
    def usable(self) -> NDArray[np.float64]:
        """Which rows can be used, as a boolean array of shape (n_rows,)."""
        return ~np.isnan(self.X).any(axis=1)


def load_inputs(
    source: Source,
    *,
    columns: Mapping[str, str | int] | None = None,
    sheet: str = "",
    max_bytes: int = MAX_BYTES,
) -> Inputs:
    """Read the inputs of many rows, and let no bad row cost a good one.

    Accepts what `data.load.load_rows` accepts; the target may be missing.

    Parameters
    ----------
    source
        What to read: a path, bytes, or a binary file.
    columns, sheet
        As for `data.load.load_rows`.
    max_bytes
        The largest file accepted [bytes].

    Raises
    ------
    DataError
        If the file as a whole cannot be used: it is no table, lacks an input, has no rows or too many.
    """
    table = read_table(source, FEATURE_NAMES, columns=columns, sheet=sheet, max_bytes=max_bytes)
    if any(row == 1 for row, _, _ in table.problems):
        raise table.problems.error(table)
    if lost := [title for title in table.ignored if title not in table.cells.columns]:
        table.remarks.append(f"Left out, for a Parquet file is read for its inputs alone: {', '.join(lost)[:200]}.")
    if len(table.cells) > MAX_ROWS:
        raise DataError([f"The file has {len(table.cells):,} rows. Send at most {MAX_ROWS:,} at once."])
    values = [numbers(table, column).reindex(table.cells.index) for column in FEATURES]
    reasons = dict.fromkeys(table.cells.index, "")
    for row, column, text in table.problems:
        reasons[row] = " ".join(filter(None, (reasons[row], f"{column}: {text}" if column else text)))
    return Inputs(table, np.column_stack(values), list(reasons.values()))


def load_json(content: bytes) -> Any:
    """Read JSON strictly: no NaN, and no name given twice.

    Raises
    ------
    DataError
        With what is wrong.
    """

    def constant(name: str) -> None:
        raise ValueError(f"{name} is no number there")

    def pairs(found: Any) -> dict[str, object]:
        if len(values := dict(found)) < len(found):
            raise ValueError("a name is given twice")
        return values

    try:
        return json.loads(content, parse_constant=constant, object_pairs_hook=pairs)
    except RecursionError:
        raise DataError(["This is not JSON that can be read: it is nested too deeply."]) from None
    except ValueError as error:
        reason = "a number has too many digits" if "integer string" in str(error) else str(error)[:80]
        raise DataError([f"This is not JSON that can be read: {reason}."]) from None
