"""Predict many scenarios at once, and add the predictions to the file that they came in."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.cells import escape_table
from data.inputs import Inputs
from data.schema import ROW, ROWS, row_name
from model.answering.change import index_rows, predict_changes
from model.answering.neighbours import SUPPORT_LEVELS, classify_support, nearest_rows
from model.answering.prediction import predict_many
from model.fitting.train import Model

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], object]
START_COLUMN = "start"  # title of the column that names where a change starts
_NO_START, _UNKNOWN_START = -1, -2  # in place of a row's index
_ROWS_PER_REPORT = 10_000  # rows between two reports of progress


@dataclass(frozen=True)
class ScoredRows:
    """The predictions for many scenarios, each an array of shape (n,).

    Attributes
    ----------
    value, low, high
        Prediction and the ends of its interval [unit of the target].
    nearest
        Index of the nearest row in the model's rows.
    distance
        To that row [standard deviations of the inputs].
    support
        "near", "far" or "very far" from every row.
    """

    value: FloatArray
    low: FloatArray
    high: FloatArray
    nearest: NDArray[np.intp]
    distance: FloatArray
    support: NDArray[np.str_]


def score_scenarios(model: Model, X: FloatArray, level: float = 0.9, progress: Progress | None = None) -> ScoredRows:
    """Score many scenarios, each as `model.answering.prediction.predict` would.

    Parameters
    ----------
    X
        Of shape (n, n_features), in the order of the schema and in its stored units; all values possible.
    level
        Share of unseen rows that the interval promises to hold [1], in (0, 1).
    progress
        Called with (number of rows done, number of all rows).

    Raises
    ------
    ValueError
        If there are too few rows for ``level``.
    """
    half_width = model.half_width(level)
    value, nearest, distance = np.empty(len(X)), np.empty(len(X), np.intp), np.empty(len(X))
    for begin in range(0, len(X), _ROWS_PER_REPORT):
        block = slice(begin, begin + _ROWS_PER_REPORT)
        value[block] = predict_many(model, X[block])
        indices, distances = nearest_rows(model, X[block])
        nearest[block], distance[block] = indices[:, 0], distances[:, 0]
        if progress:
            progress(min(begin + _ROWS_PER_REPORT, len(X)), len(X))
    support = classify_support(model, X, distance)
    return ScoredRows(value, value - half_width, value + half_width, nearest, distance, support)


@dataclass(frozen=True)
class ScoredFile:
    """A file with its predictions.

    Attributes
    ----------
    table
        The file's own cells unchanged, then the predictions, missing if a row could not be scored, and why.
    scored
        The rows that could be scored.
    X, y
        Their inputs, and their target, NaN where the file has none.
    added
        Names of the columns after the file's own: prediction, low, high, nearest, distance_sd, support, then change,
        change_low, change_high if a row names its start, and problem.
    separator, decimal
        As in the file.
    remarks
        What was odd but usable.
    sheet, sheets
        Of an Excel file: the sheet that was read, and all sheets.
    """

    table: "pd.DataFrame"
    scored: ScoredRows
    X: FloatArray
    y: FloatArray
    added: tuple[str, ...]
    separator: str
    decimal: str
    remarks: list[str]
    sheet: str
    sheets: list[str]

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the added columns that hold numbers."""
        return (*self.added[:3], self.added[4], *self.added[6:-1])

    @property
    def n_problems(self) -> int:
        """How many rows could not be scored."""
        return len(self.table) - len(self.scored.value)


def score_file(model: Model, inputs: Inputs, level: float = 0.9, progress: Progress | None = None) -> ScoredFile:
    """Score the usable rows of a file, and give the reason for each of the others.

    A column `start`, unless it is an input, names the row of the model that each change starts from.
    """
    import pandas as pd

    starts, reasons = _find_starts(model, inputs)
    usable = inputs.usable & (starts != _UNKNOWN_START)
    scored = score_scenarios(model, inputs.X[usable], level, progress)
    cells = inputs.table.cells.copy()
    codes = model.rows[ROW].to_numpy()[scored.nearest]
    columns = {
        "prediction": scored.value,
        "low": scored.low,
        "high": scored.high,
        f"nearest_{ROW}": np.array([row_name(str(code)) for code in codes], dtype=object),
        "distance_sd": scored.distance,
        "support": scored.support.astype(object),
    }
    if (starts != _NO_START).any():
        columns |= _change_columns(model, inputs.X[usable], starts[usable], level)
    usable_rows = cells.index[usable]
    added: list[str] = []
    for title, values in columns.items():
        added.append(_unused_title(title, cells.columns))
        cells[added[-1]] = pd.Series(values, index=usable_rows).reindex(cells.index)
    added.append(_unused_title("problem", cells.columns))
    cells[added[-1]] = reasons
    table = inputs.table
    known = inputs.X[usable], inputs.y[usable]
    return ScoredFile(
        cells, scored, *known, tuple(added), table.separator, table.decimal, table.remarks, table.sheet, table.sheets
    )


def _find_starts(model: Model, inputs: Inputs) -> tuple[NDArray[np.int64], list[str]]:
    """Find the index of the row that each row of a file starts from, and why a row cannot be used."""
    cells, starts = inputs.table.cells, np.full(len(inputs.X), _NO_START)
    titles = [str(title).strip().lower() for title in cells.columns]
    if START_COLUMN not in titles or (column := titles.index(START_COLUMN)) in inputs.table.positions.values():
        return starts, inputs.reasons
    row_indexes, reasons = index_rows(model), list(inputs.reasons)
    for i, cell in enumerate(cells.iloc[:, column].fillna("").astype(str).str.strip()):
        starts[i] = row_indexes.get(cell.removeprefix("'").casefold(), _UNKNOWN_START) if cell else _NO_START
        if starts[i] == _UNKNOWN_START:
            cure = f"Name one of the model's {len(model.rows):,} {ROWS}, or leave it empty."
            reasons[i] = " ".join(
                filter(None, (reasons[i], f"{START_COLUMN}: {cell[:60]!r} is no {ROW} that is known. {cure}"))
            )
    return starts, reasons


def _change_columns(model: Model, X: FloatArray, starts: NDArray[np.int64], level: float) -> dict[str, FloatArray]:
    """Compute the columns with the change of each row from its start; NaN if it has none."""
    has_start = starts != _NO_START
    columns = {name: np.full(len(X), np.nan) for name in ("change", "change_low", "change_high")}
    if not has_start.any():
        return columns
    changes = predict_changes(model, model.X[starts[has_start]], X[has_start], level)
    for column, values in zip(columns.values(), changes, strict=True):
        column[has_start] = values
    return columns


def _unused_title(title: str, file_titles: Iterable[object]) -> str:
    """Number a title if the file has it already, for example because it was scored before."""
    folded = {str(file_title).strip().lower() for file_title in file_titles}
    numbered = (title if n == 1 else f"{title}_{n}" for n in range(1, len(folded) + 2))
    return next(unused for unused in numbered if unused not in folded)


def count_support(scored: ScoredRows) -> dict[str, int]:
    """Count the scenarios at each level of support, in the order of the levels."""
    return {level: int((scored.support == level).sum()) for level in SUPPORT_LEVELS}


def write_csv(file: ScoredFile) -> bytes:
    """Write a scored file with its own separator and decimal sign.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front: OWASP, CSV injection. Text beyond
    ASCII gets a byte-order mark, which spreadsheets need.
    """
    text = escape_table(file.table).to_csv(
        index=False,
        sep=file.separator,
        decimal=file.decimal,
        float_format="%.2f",
        lineterminator="\n",
    )
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")
