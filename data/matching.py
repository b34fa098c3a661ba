"""Which of a file's columns is which, where its header does not say: what a person is asked, and the likeliest."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

import numpy as np

from data.headers import fold, unit_in, without_unit
from data.schema import COLUMNS, ROW, Column

if TYPE_CHECKING:
    import pandas as pd

_N_SAMPLES = 3
_N_LOOKED_AT = 1000  # rows
_LEAST = 0.5  # of the score of a column that is offered; a perfect one has 2


@dataclass(frozen=True)
class Matching:
    """The question.

    Attributes
    ----------
    titles
        Of the file's columns, in its order.
    samples
        For each the first few of its cells that are not empty.
    likeliest
        Name of each column of the schema that is wanted -> place of the likeliest, or None.
    optional
        Names of those that a file can do without.
    """

    titles: tuple[str, ...]
    samples: tuple[tuple[str, ...], ...]
    likeliest: Mapping[str, int | None]
    optional: frozenset[str]


def matching(cells: "pd.DataFrame", wanted: Collection[str], places: Mapping[str, int]) -> Matching:
    """Ask which column is which.

    Parameters
    ----------
    cells
        Of the file, of shape (n_rows, n_columns).
    wanted
        Names in the schema.
    places
        Name -> place, of the columns that are known.
    """
    head = cells.head(_N_LOOKED_AT)
    columns = [head.iloc[:, place].str.strip() for place in range(head.shape[1])]
    samples = tuple(tuple(cell[:30] for cell in column[column != ""].head(_N_SAMPLES)) for column in columns)
    likeliest: dict[str, int | None] = {name: places.get(name) for name in wanted}
    missing = [column for column in COLUMNS if column.name in wanted and column.name not in places]
    free = [place for place in range(len(columns)) if place not in places.values()]
    if missing and free:
        likeliest |= _likeliest(missing, {place: (str(cells.columns[place]), columns[place]) for place in free})
    return Matching(tuple(map(str, cells.columns)), samples, likeliest, frozenset({ROW} & {*wanted}))


def _likeliest(missing: list[Column], free: "dict[int, tuple[str, pd.Series]]") -> dict[str, int]:
    """Give each missing column one of the free ones, so that all together are as likely as can be."""
    from scipy.optimize import linear_sum_assignment

    numbers = {place: _numbers(cells) for place, (_, cells) in free.items()}
    scores = np.array([
        [_score(column, title, numbers[place]) for place, (title, _) in free.items()] for column in missing
    ])  # fmt: skip
    places = list(free)
    return {
        missing[i].name: places[j]
        for i, j in zip(*linear_sum_assignment(scores, maximize=True), strict=True)
        if scores[i, j] >= _LEAST
    }


def _numbers(cells: "pd.Series") -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    import pandas as pd

    bare = cells[cells != ""].str.removesuffix("%").str.replace(",", ".")
    return pd.to_numeric(bare, errors="coerce").to_numpy(float)


def _score(column: Column, title: str, numbers: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    """How well a column of a file suits one of the schema: up to 1 for name and unit, up to 1 for its values."""
    if not len(numbers) or np.isnan(numbers).mean() > 0.5:
        return 0.0
    stored = numbers / 100 if column.is_share and np.nanmedian(numbers) > 1 else numbers
    inside = np.mean((stored >= column.low) & (stored <= column.high))
    name = fold(without_unit(title))
    spellings = (column.name, column.label, column.short_label, *column.aliases)
    alike = max(SequenceMatcher(None, fold(spelling), name).ratio() for spelling in spellings)
    return float(inside + (alike + (unit_in(title) in column.units)) / 2)
