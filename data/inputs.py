"""Read a file of scenarios to be scored: every row that can be used, and why the others cannot."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.choices import read_values
from data.errors import DataError, FileProblems
from data.schema import FEATURE_NAMES, FEATURES, TARGET
from data.table import Source, Table, TableError, read_table
from data.text import MAX_BYTES

FloatArray = NDArray[np.float64]
MAX_SCORED_ROWS = 250_000


@dataclass(frozen=True)
class Inputs:
    """The inputs of a file's rows.

    Attributes
    ----------
    table
        The file's cells as text.
    X
        Of shape (n_rows, n_features), in the order of the schema and in its stored units; NaN where a cell cannot be
        used.
    reasons
        Why each row cannot be used; empty if it can.
    y
        The target, of shape (n_rows,); NaN where the file has none that can be read.
    """

    table: Table
    X: FloatArray
    reasons: list[str]
    y: FloatArray

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Which rows can be used, as a boolean array of shape (n_rows,)."""
        return ~np.isnan(self.X.sum(axis=1))


def load_inputs(
    source: Source,
    *,
    columns: Mapping[str, str | int] | None = None,
    sheet: str = "",
    max_bytes: int = MAX_BYTES,
) -> Inputs:
    """Read the inputs of many rows; a bad row does not affect good ones.

    Accepts what `data.load.load_rows` accepts; the target may be missing.

    Parameters
    ----------
    source, columns, sheet, max_bytes
        As for `data.load.load_rows`.

    Raises
    ------
    DataError
        If the file as a whole cannot be used: it is not a table, lacks an input, or has no rows or too many.
    """
    table = read_table(
        source, FEATURE_NAMES, columns=columns, sheet=sheet, max_bytes=max_bytes, optional=(TARGET.name,)
    )
    if table.problems.is_of_header:
        raise TableError(table)
    if unread := [title for title in table.ignored if title not in table.cells.columns]:
        table.remarks.append(f"Left out, for a Parquet file is read for its inputs alone: {', '.join(unread)[:200]}.")
    if len(table.cells) > MAX_SCORED_ROWS:
        raise DataError([f"The file has {len(table.cells):,} rows. Send at most {MAX_SCORED_ROWS:,} at once."])
    X = [read_values(table, column).reindex(table.cells.index) for column in FEATURES]
    reasons = dict.fromkeys(table.cells.index, "")
    for row, column, sentence in table.problems:
        reasons[row] = " ".join(filter(None, (reasons[row], f"{column}: {sentence}" if column else sentence)))
    return Inputs(table, np.column_stack(X), list(reasons.values()), _read_target(table))


def _read_target(table: Table) -> FloatArray:
    """Read the target where the file has it; a cell that cannot be read does not count, and costs the row nothing."""
    if TARGET.name not in table.positions:
        return np.full(len(table.cells), np.nan)
    apart = replace(table, problems=FileProblems(), remarks=[])
    y = read_values(apart, TARGET).reindex(table.cells.index).to_numpy(float)
    is_given = table.column(TARGET.name).reindex(table.cells.index).fillna("").ne("").to_numpy()
    if n_unread := int((is_given & np.isnan(y)).sum()):
        table.remarks.append(f"{TARGET.name}: {n_unread:,} cells cannot be read as the target, and do not count.")
    return y


def load_json(content: bytes) -> Any:
    """Read JSON strictly, without NaN or repeated names; raise DataError with what is wrong."""

    def refuse_constant(name: str) -> None:
        raise ValueError(f"{name} is no number there")

    def read_integer(digits: str) -> int:
        try:
            return int(digits)
        except ValueError:  # more digits than sys.get_int_max_str_digits()
            raise ValueError("a number has too many digits") from None

    def make_dict(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(values := dict(pairs)) < len(pairs):
            raise ValueError("a name is given twice")
        return values

    try:
        return json.loads(content, parse_constant=refuse_constant, parse_int=read_integer, object_pairs_hook=make_dict)
    except RecursionError:
        raise DataError(["This is not JSON that can be read: it is nested too deeply."]) from None
    except ValueError as error:
        raise DataError([f"This is not JSON that can be read: {str(error)[:80]}."]) from None
