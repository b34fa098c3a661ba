"""Answer many scenarios at once, and give a file of them back with its answers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.cells import harmless_table
from data.inputs import Inputs
from data.schema import ROW, ROWS, row_name
from model.answering.change import places_by_name, predict_changes
from model.answering.neighbours import LEVELS, nearest, support
from model.answering.predict import predict_many
from model.fitting.train import Model

FloatArray = NDArray[np.float64]
START = "start"  # title of the column that names where a change starts
_NONE, _UNKNOWN = -1, -2  # in place of a start's place
_STEP = 10_000  # rows between two reports of progress


@dataclass(frozen=True)
class Answers:
    """The answers to many scenarios, an array of shape (n,) each.

    Attributes
    ----------
    value, low, high : ndarray
        Prediction and the ends of its interval [unit of the target].
    nearest : ndarray of int
        Place of the nearest row in the model's rows.
    distance : ndarray
        To that row [standard deviations of the inputs].
    support : ndarray of str
        "near", "far" or "very far" from every row.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    nearest: np.ndarray
    distance: np.ndarray
    support: np.ndarray


def score_scenarios(
    model: Model, X: NDArray[np.float64], level: float = 0.9, progress: Callable[[int, int], None] | None = None
) -> Answers:
    """Answer many scenarios, each as `model.answering.predict.predict` would.

    Parameters
    ----------
    X
        Of shape (n, n_features).
        In the order of the schema and in its stored units, all of it possible.
    level
        Share of unseen rows that the interval is to hold [1], in (0, 1).
    progress
        Called with (rows done, rows in all).

    Raises
    ------
    ValueError
        If there are too few rows for ``level``.
    """
    width = model.half_width(level)
    value, places, distances = np.empty(len(X)), np.empty(len(X), int), np.empty(len(X))
    for start in range(0, len(X), _STEP):
        part = slice(start, start + _STEP)
        value[part] = predict_many(model, X[part])
        near, far = nearest(model, X[part])
        places[part], distances[part] = near[:, 0], far[:, 0]
        if progress:
            progress(min(start + _STEP, len(X)), len(X))
    return Answers(value, value - width, value + width, places, distances, support(model, X, distances))


@dataclass(frozen=True)
class Scored:
    """A file with its answers.

    Attributes
    ----------
    rows : pandas.DataFrame
        The file's own cells as they stood, then the answers, missing where a row could not be scored, and why.
    answers : Answers
        Of the rows that could be scored.
    added : tuple of str
        Names of the columns after the file's own: prediction, low, high, nearest, distance_sd, support, where the file
        has a column `start` also change, change_low, change_high, and problem.
    separator, decimal : str
        As the file had them.
    remarks : list of str
        What was odd, yet usable.
    sheet, sheets : str, list of str
        Of an Excel file: the one that was read, and all.
    """

    rows: Any
    answers: Answers
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
        return len(self.rows) - len(self.answers.value)


def score_file(
    model: Model, inputs: Inputs, level: float = 0.9, progress: Callable[[int, int], None] | None = None
) -> Scored:
    """Score the rows of a file that can be scored, and keep the others with the reason.

    A column `start` that is no input names, row by row, the row of the model that a change starts from.

    Parameters
    ----------
    level, progress
        See `score_scenarios`.
    """
    import pandas as pd

    starts, reasons = _starts(model, inputs)
    usable = inputs.usable & (starts != _UNKNOWN)
    answers = score_scenarios(model, inputs.X[usable], level, progress)
    rows = inputs.table.cells.copy()
    codes = model.rows[ROW].to_numpy()[answers.nearest]
    columns = {
        "prediction": answers.value,
        "low": answers.low,
        "high": answers.high,
        f"nearest_{ROW}": np.array([row_name(str(code)) for code in codes], dtype=object),
        "distance_sd": answers.distance,
        "support": answers.support.astype(object),
    }
    if (starts != _NONE).any():
        columns |= _changes(model, inputs.X[usable], starts[usable], level)
    places, added = rows.index[usable], []
    for wanted, values in columns.items():
        added.append(unused_columns(wanted, rows.columns))
        rows[added[-1]] = pd.Series(values, index=places).reindex(rows.index)
    added.append(unused_columns("problem", rows.columns))
    rows[added[-1]] = reasons
    table = inputs.table
    about = table.separator, table.decimal, table.remarks, table.sheet, table.sheets
    return Scored(rows, answers, tuple(added), *about)


def _starts(model: Model, inputs: Inputs) -> tuple[NDArray[np.int64], list[str]]:
    """Place of the row that each row of a file starts from, and why a row of the file cannot be used."""
    cells, places = inputs.table.cells, np.full(len(inputs.X), _NONE)
    titles = [str(title).strip().lower() for title in cells.columns]
    if START not in titles or (column := titles.index(START)) in inputs.table.places.values():
        return places, inputs.reasons
    known, reasons = places_by_name(model), list(inputs.reasons)
    for i, cell in enumerate(cells.iloc[:, column].fillna("").astype(str).str.strip()):
        places[i] = known.get(cell.removeprefix("'").casefold(), _UNKNOWN) if cell else _NONE
        if places[i] == _UNKNOWN:
            cure = f"Name one of the model's {len(model.rows):,} {ROWS}, or leave it empty."
            reasons[i] = " ".join(
                filter(None, (reasons[i], f"{START}: {cell[:60]!r} is no {ROW} that is known. {cure}"))
            )
    return places, reasons


def _changes(model: Model, X: FloatArray, starts: NDArray[np.int64], level: float) -> dict[str, FloatArray]:
    """Columns with the change of each row from its start; NaN where it has none."""
    has_start = starts != _NONE
    columns = {name: np.full(len(X), np.nan) for name in ("change", "change_low", "change_high")}
    if not has_start.any():
        return columns
    for column, values in zip(
        columns.values(), predict_changes(model, model.X[starts[has_start]], X[has_start], level), strict=True
    ):
        column[has_start] = values
    return columns


def unused_columns(name: str, taken: Any) -> str:
    """A column's name that the file does not have: one that was scored before has the plain one."""
    folded = {str(other).strip().lower() for other in taken}
    return next(tried for n in range(1, len(folded) + 2) if (tried := name if n == 1 else f"{name}_{n}") not in folded)


def support_counts(answers: Answers) -> dict[str, int]:
    """Level of support -> how many scenarios have it, in the order of the levels."""
    return {level: int((answers.support == level).sum()) for level in LEVELS}


def to_csv(scored: Scored) -> bytes:
    """Write a scored file with the separator and the decimal sign that it came with.

    A cell that a spreadsheet would take for a formula gets an apostrophe in front: OWASP, CSV injection.

    Returns
    -------
    bytes
        With a byte-order mark where spreadsheets need one: where a letter is beyond ASCII.
    """
    text = harmless_table(scored.rows).to_csv(
        index=False,
        sep=scored.separator,
        decimal=scored.decimal,
        float_format="%.2f",
        lineterminator="\n",
    )
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")
