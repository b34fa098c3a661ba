"""Match a file's columns where its header does not: the question to a person, and the likeliest answer."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.column import fold
from data.headers import unit_in, without_unit
from data.schema import COLUMNS, ROW, Column

if TYPE_CHECKING:
    import pandas as pd

_N_SAMPLES = 3
_N_ROWS = 1000  # rows that are examined
_MIN_SCORE = 0.5  # of a column that is suggested; a perfect match scores 2


@dataclass(frozen=True)
class Matching:
    """The question to a person: which column is which.

    Attributes
    ----------
    titles
        Of the file's columns, in its order.
    samples
        The first few cells of each that are not empty.
    likeliest
        Name of each wanted column of the schema -> position of the likeliest column, or None.
    optional
        Names of wanted columns that a file may lack.
    """

    titles: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    likeliest: Mapping[str, int | None]
    optional: frozenset[str]


def match_columns(cells: "pd.DataFrame", wanted: Collection[str], positions: Mapping[str, int]) -> Matching:
    """Build the question which column is which.

    Parameters
    ----------
    cells
        Of the file, of shape (n_rows, n_columns).
    wanted
        Names in the schema.
    positions
        Name -> position, of the columns that are known.
    """
    head = cells.head(_N_ROWS)
    columns = [head.iloc[:, index].str.strip() for index in range(head.shape[1])]
    samples = tuple(tuple(cell[:30] for cell in column[column != ""].head(_N_SAMPLES)) for column in columns)
    likeliest: dict[str, int | None] = {name: positions.get(name) for name in wanted}
    missing = [column for column in COLUMNS if column.name in wanted and column.name not in positions]
    free = [index for index in range(len(columns)) if index not in positions.values()]
    if missing and free:
        likeliest |= _assign_likeliest(missing, {index: (str(cells.columns[index]), columns[index]) for index in free})
    return Matching(tuple(map(str, cells.columns)), samples, likeliest, frozenset({ROW} & {*wanted}))


def _assign_likeliest(missing: list[Column], free_columns: "dict[int, tuple[str, pd.Series]]") -> dict[str, int]:
    """Assign a free column to each missing one so that the total score is highest."""
    from scipy.optimize import linear_sum_assignment

    numbers = {index: _to_numbers(cells) for index, (_, cells) in free_columns.items()}
    scores = np.array([
        [_score(column, title, cells, numbers[index]) for index, (title, cells) in free_columns.items()]
        for column in missing
    ])  # fmt: skip
    positions = list(free_columns)
    return {
        missing[row].name: positions[free_index]
        for row, free_index in zip(*linear_sum_assignment(scores, maximize=True), strict=True)
        if scores[row, free_index] >= _MIN_SCORE
    }


def _to_numbers(cells: "pd.Series") -> NDArray[np.float64]:
    import pandas as pd

    bare = cells[cells != ""].str.removesuffix("%").str.replace(",", ".")
    return pd.to_numeric(bare, errors="coerce").to_numpy(float)


def _score(column: Column, title: str, cells: "pd.Series[str]", numbers: NDArray[np.float64]) -> float:
    """How well a column of a file suits one of the schema: up to 1 for name and unit, up to 1 for its values."""
    if column.choices:
        share_inside = np.mean([column.find_code(cell) is not None for cell in cells[cells != ""]] or [False])
        if share_inside < 0.5:
            return 0.0
    elif not len(numbers) or np.isnan(numbers).mean() > 0.5:
        return 0.0
    else:
        stored = numbers / 100 if column.is_share and np.nanmedian(numbers) > 1 else numbers
        share_inside = np.mean((stored >= column.low) & (stored <= column.high))
    folded_title = fold(without_unit(title))
    spellings = (column.name, column.label, column.short_label, *column.aliases)
    similarity = max(SequenceMatcher(None, fold(spelling), folded_title).ratio() for spelling in spellings)
    return float(share_inside + (similarity + (unit_in(title) in column.units)) / 2)
