"""Draft a table from a file of any columns: complete enough to be served, and meant to be edited."""

import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.choices import label_column
from data.column import Column, fold
from data.definition import MAX_CHOICES, MAX_INPUTS, MAX_LABEL, with_article
from data.errors import DataError
from data.headers import unit_in, without_unit
from data.load import list_row_numbers
from data.table import MISSING, Source, Table, TableError, read_any_columns, read_numbers

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
_MOSTLY = 0.5  # a column with a larger share of missing cells is left out
_MOST = 200  # positions of a slider
_STEPS = (1.0, 2.0, 2.5, 5.0)  # times a power of ten


@dataclass(frozen=True)
class Draft:
    """A drafted table.

    Attributes
    ----------
    row
        What a row is called.
    has_names
        Whether the first column of ``rows`` names them.
    columns
        The inputs, and last the target.
    rows
        Of shape (n_rows, n_columns), with labels of choices, and with a column more where rows have names.
    left_out
        Title of each column of the file that is none of them -> why.
    n_dropped
        How many rows were left out, because a value is missing.
    """

    row: str
    has_names: bool
    columns: tuple[Column, ...]
    rows: "pd.DataFrame"
    left_out: dict[str, str]
    n_dropped: int


def draft_table(source: Source, target: str, *, names: str = "", drop_missing: bool = False) -> Draft:
    """Draft a table from a CSV, Excel or Parquet file.

    Parameters
    ----------
    target
        Title of the column that is to be predicted.
    names
        Title of the column that names the rows; empty where none does.
    drop_missing
        Whether to leave out rows with a missing value, rather than refuse the file.

    Raises
    ------
    DataError
        If the file cannot be read, or no table can be made of it: what, where, and the cure.
    """
    table = read_any_columns(source)
    if table.problems:
        raise TableError(table)
    titles = [str(title).strip() for title in table.cells.columns]
    target_index = _find_title(titles, target, "--target")
    name_index = _find_title(titles, names, "--names") if names else None
    if name_index == target_index:
        raise DataError([f"--names {names}: that is the target. Name another column, or none."])
    inputs, left_out = _read_columns(table, titles, name_index)
    if target_index not in inputs:
        reason = left_out[_called(titles, target_index)]
        raise DataError([f"--target {target}: {reason}. Name a column of numbers that vary."])
    whole = ~np.isnan([values for values, _ in inputs.values()]).any(axis=0)
    if not whole.all() and not drop_missing:
        numbers = list_row_numbers(table.whole_rows[~whole].tolist())
        raise DataError([f"A value is missing in {numbers}. Fill them in, or add --drop-missing to leave them out."])
    if inputs[target_index][1]:
        kinds = f"it is text, of {len(inputs[target_index][1])} kinds"
        raise DataError([f"--target {target}: {kinds}. Name a column of numbers that vary."])
    for index in [index for index, (values, _) in inputs.items() if len(np.unique(values[whole])) < 2]:
        left_out[_called(titles, index)] = "it does not vary in the rows that have all values"
        del inputs[index]
    if target_index not in inputs:
        raise DataError([f"--target {target}: it does not vary in the {whole.sum():,} rows that have all values."])
    y, _ = inputs.pop(target_index)
    if not 1 <= len(inputs) <= MAX_INPUTS:
        raise DataError([f"{len(inputs)} columns could be inputs. A table has 1 to {MAX_INPUTS}: take some out."])
    row = _name_of(titles[name_index], set()) if name_index is not None else "row"
    taken = {row}
    columns: list[Column] = []
    figures: list[FloatArray] = []
    for index, (values, labels) in inputs.items():
        used = np.unique(values[whole])  # a choice may be in rows alone that are left out
        choices = tuple(labels[int(code)] for code in used) if labels else ()
        figures.append(np.searchsorted(used, values[whole]).astype(float) if labels else values[whole])
        title, name = titles[index], _name_of(titles[index], taken)
        columns.append(
            _draft_category(title, name, figures[-1], choices)
            if labels
            else _draft_column(title, name, figures[-1], is_input=True)
        )
    figures.append(y[whole])
    columns.append(_draft_column(titles[target_index], _name_of(titles[target_index], taken), y[whole], is_input=False))
    return Draft(
        row=row,
        has_names=name_index is not None,
        columns=tuple(columns),
        rows=_assemble(row, None if name_index is None else table.column(str(name_index))[whole], columns, figures),
        left_out=left_out,
        n_dropped=int((~whole).sum()),
    )


def _find_title(titles: list[str], wanted: str, option: str) -> int:
    matching = [index for index, title in enumerate(titles) if wanted.strip() in (title, without_unit(title))]
    matching = matching or [index for index, title in enumerate(titles) if fold(without_unit(title)) == fold(wanted)]
    if len(matching) != 1:
        count = "no column" if not matching else f"{len(matching)} columns"
        raise DataError([f"{option} {wanted[:60]}: {count} of that title; the header has: {', '.join(titles)[:200]}."])
    return matching[0]


def _called(titles: list[str], index: int) -> str:
    return titles[index] or f"column {index + 1}"


def _read_columns(
    table: Table, titles: list[str], name_index: int | None
) -> tuple[dict[int, tuple[FloatArray, list[str]]], dict[str, str]]:
    """Values and choices of each column that can be an input, by its index; and of each other, why it cannot."""
    inputs, left_out = dict[int, tuple[FloatArray, list[str]]](), dict[str, str]()
    for index in range(len(titles)):
        if index == name_index:
            continue
        values, choices, reason = _read_column(table, index)
        if reason:
            left_out[_called(titles, index)] = reason
        else:
            inputs[index] = values, choices
    return inputs, left_out


def _read_column(table: Table, index: int) -> tuple[FloatArray, list[str], str]:
    """Numbers of a column or codes of its choices, missing where they are; and why it can be no input, or nothing."""
    cells = table.column(str(index))
    is_missing = cells.str.lower().isin(("", *MISSING)).to_numpy()
    values = read_numbers(table, _any_number(str(index))).to_numpy(float)
    given = cells[~is_missing]
    if is_missing.mean() > _MOSTLY:
        return values, [], f"{is_missing.mean():.0%} of its cells are missing"
    if (given == given.iloc[0]).all():
        return values, [], f"it is {given.iloc[0][:40]!r} in every row"
    if np.isnan(values[~is_missing]).any():
        return _read_choices(cells, given)
    if len(given) > 2 and (np.diff(values) == 1).all() and values[0] in (0, 1):
        return values, [], "it numbers the rows"
    return values, [], ""


def _read_choices(cells: "pd.Series[str]", given: "pd.Series[str]") -> tuple[FloatArray, list[str], str]:
    """Codes of a column of text, and its labels in their order; or why it is no category."""
    no_values = np.full(len(cells), np.nan)
    if given.nunique() == len(given):
        return no_values, [], "it is text, other in every row"
    spellings: dict[str, str] = {}  # in lower case -> the commonest
    for label in given.value_counts().index:
        spellings.setdefault(label.casefold(), label)
    choices = sorted(spellings.values(), key=str.casefold)
    if len(choices) > MAX_CHOICES:
        return no_values, [], f"it is text, of {len(choices):,} kinds, and a category has {MAX_CHOICES} at most"
    if len(choices) < 2:
        return no_values, [], f"it is {choices[0][:40]!r} in every row"
    if long := next((label for label in choices if len(label) > MAX_LABEL or not label.isprintable()), None):
        return no_values, [], f"its text {long[:40]!r} is no label of 1 to {MAX_LABEL} printable characters"
    code_of = {label.casefold(): float(code) for code, label in enumerate(choices)}
    return cells.map({cell: code_of[cell.casefold()] for cell in given.unique()}).to_numpy(float), choices, ""


def _any_number(name: str) -> Column:
    return Column(name, name, name, "", "{}", -1e300, 1e300, 0, "", low=-math.inf, high=math.inf)


def _name_of(title: str, taken: set[str]) -> str:
    """Make a name of a title, another than those that are taken, and take it."""
    name = fold(without_unit(title)) or "input"
    name = name if name[0].isalpha() else f"input_{name}"
    name = next(each for each in (name, *(f"{name}_{number}" for number in range(2, 999))) if each not in taken)
    taken.add(name)
    return name


def _label_of(title: str, name: str) -> str:
    label = without_unit(title).strip().replace("_", " ")
    return name.replace("_", " ") if fold(label) != name and fold(label) else label  # another column has that one


def _draft_category(title: str, name: str, codes: FloatArray, choices: tuple[str, ...]) -> Column:
    label, last = _label_of(title, name), float(len(choices) - 1)
    return Column(
        name=name,
        label=label[:1].upper() + label[1:],
        short_label=label.lower(),
        unit="",
        template="{}",
        minimum=0.0,
        maximum=last,
        decimals=0,
        help="",
        low=0.0,
        high=last,
        step=1.0,
        default=float(np.bincount(codes.astype(int)).argmax()),
        choices=choices,
    )


def _draft_column(title: str, name: str, values: FloatArray, *, is_input: bool) -> Column:
    label = _label_of(title, name)
    unit = unit_in(title)
    low, high = float(values.min()), float(values.max())
    step = _step(low, high, is_whole=bool((values == np.rint(values)).all()))
    slider_low, slider_high = _round(math.floor(low / step + 1e-9) * step), _round(math.ceil(high / step - 1e-9) * step)
    margin = slider_high - slider_low
    minimum = 0.0 if low >= 0 else _round(slider_low - margin)
    decimals = _decimals(values)
    finest = -math.floor(math.log10(step)) if is_input else 2 - math.floor(math.log10(high - low))
    middle = float(np.median(values))
    return Column(
        name=name,
        label=label[:1].upper() + label[1:],
        short_label=label.lower(),
        unit=unit,
        template=f"{{}} {unit}".rstrip(),
        minimum=minimum,
        maximum=1.0 if low >= 0 and high <= 1 and decimals else _round(slider_high + margin),
        decimals=max(0, min(decimals, finest)),
        help="",
        low=slider_low,
        high=slider_high,
        step=step if is_input else math.nan,
        default=_round(slider_low + round((middle - slider_low) / step) * step),
    )


def _round(value: float) -> float:
    return float(f"{value:.12g}")


def _step(low: float, high: float, *, is_whole: bool) -> float:
    """The finest round step by which a slider has no more than 200 positions; of whole numbers a whole one."""
    power = 10.0 ** math.floor(math.log10((high - low) / _MOST))
    step = next(_round(power * each) for each in (*_STEPS, 10.0, 20.0) if (high - low) / (power * each) <= _MOST)
    return max(step, 1.0) if is_whole else step


def _decimals(values: FloatArray) -> int:
    """How many decimals show nearly all values in full."""
    return next((n for n in range(6) if np.isclose(values, values.round(n), rtol=0, atol=1e-9).mean() > 0.95), 6)


def _assemble(row: str, names: "pd.Series | None", columns: list[Column], figures: list[FloatArray]) -> "pd.DataFrame":
    import pandas as pd

    rows = pd.DataFrame({column.name: values for column, values in zip(columns, figures, strict=True)})
    for column in columns:
        if column.choices:
            rows[column.name] = label_column(column, rows[column.name])
    if names is not None:
        rows.insert(0, row, names.to_numpy())
    return rows


def write_toml(draft: Draft, title: str) -> str:
    """Write the definition of a drafted table, with comments for whoever edits it."""
    *inputs, target = draft.columns
    plural = f"{draft.row}s"
    names = "the column that names it" if draft.has_names else "no column names it: rows are numbered"
    lines = [
        "# Drafted from a file. Everything here is meant to be edited: docs/your-own-table.md",
        f"title = {_text(title)}",
        f"question = {_text(f'What {target.label.lower()} would {with_article(draft.row)} have?')}",
        'period = ""  # of the rows, such as "2019-2024"',
        "",
        "[row]",
        f"name = {_text(draft.row)}  # what a row is called; {names}",
        f"plural = {_text(plural)}",
    ]
    for column in inputs:
        if column.choices:
            counts = draft.rows[column.name].value_counts()
            lines += ["", "[[input]]", *_lines_of_category(column, [int(counts[label]) for label in column.choices])]
            continue
        lines += ["", "[[input]]", *_lines_of(column)]
        lines += [
            f"step = {_number(column.step)}",
            f"default = {_number(column.default)}  # the median, or nearly",
            "direction = 0  # 1 or -1 where raising it is known to raise or lower the target",
        ]
    goal = f"default = {_number(target.default)}  # the goal that a page begins with"
    verbs = ['verb = "have"  # what a row does with it,', 'past = "had"  # and did']
    return "\n".join([*lines, "", "[target]", *_lines_of(target), goal, *verbs]) + "\n"


def _lines_of_names(column: Column) -> list[str]:
    return [
        f"name = {_text(column.name)}",
        f"label = {_text(column.label)}",
        f"short_label = {_text(column.short_label)}  # where room is short",
    ]


def _lines_of_category(column: Column, counts: list[int]) -> list[str]:
    return [
        *_lines_of_names(column),
        f"help = {_text(column.help)}",
        "choices = [",
        *(f"  {_text(label)},  # {n:,} rows" for label, n in zip(column.choices, counts, strict=True)),
        "]",
        f"default = {_text(column.choices[int(column.default)])}  # the commonest",
    ]


def _lines_of(column: Column) -> list[str]:
    return [
        *_lines_of_names(column),
        f"unit = {_text(column.unit)}",
        f"template = {_text(column.template)}  # a number with its unit, where room is short",
        f"help = {_text(column.help)}",
        f"minimum = {_number(column.minimum)}  # what a file or a scenario may say: beyond it is a slip of the pen",
        f"maximum = {_number(column.maximum)}",
        f"decimals = {column.decimals}",
        f"low = {_number(column.low)}" + ("  # the slider" if column.step > 0 else "  # where values usually are"),
        f"high = {_number(column.high)}",
    ]


def _text(text: str) -> str:
    return json.dumps(re.sub(r"[\x00-\x1f\x7f]", " ", text), ensure_ascii=False)


def _number(value: float) -> str:
    return f"{value:.12g}"
