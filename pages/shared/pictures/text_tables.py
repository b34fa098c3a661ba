"""The figures behind the pictures, as tables for those who would rather read: text, each number with its unit."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.cells import escape_cell, escape_column
from data.choices import CATEGORIES, label_column
from data.schema import COLUMNS, FEATURES, ROW, ROWS, TARGET, Column, row_name
from data.statistics import NUMBERS, count_choices, histogram
from model.fitting.scores import Estimate
from pages.shared.pictures.drawing import axis_title
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    import pandas as pd

    from model.judging.regression import Regression

Rows = list[dict[str, str]]  # heading -> Markdown
FloatArray = NDArray[np.float64]
_NEGATIVE = re.compile(r"(?<![\w\\−-])-(?=\d)")
SHORT_TITLES = {column.name: f"{column.short_label.capitalize()}{column.short_unit_note}" for column in COLUMNS}


def to_markdown(table: Rows) -> str:
    """Write one Markdown table, which is drawn at once; ``st.table`` draws each cell as Markdown of its own.

    Parameters
    ----------
    table
        Of each row: heading -> Markdown; every row has the headings of the first.
    """
    headings = list(table[0])
    cells = [[_NEGATIVE.sub("−", row.get(heading, "")) for heading in headings] for row in table]
    first_texts = [next(filter(None, column), "") for column in zip(*cells, strict=True)]
    alignments = ["--:" if re.match(r"\*\*\d+\*\*$|[–−+<$]?[ ]?\d|–$", cell) else ":--" for cell in first_texts]
    lines = [headings, alignments, *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def tabulate_rows(rows: "pd.DataFrame", doubts: Mapping[int, Sequence[str]]) -> "pd.DataFrame":
    """Return all figures in their shown units, and the doubts about them, for a sortable table."""
    import pandas as pd

    codes = zip(rows.index, rows[ROW], strict=True)
    names = ((index, escape_cell(row_name(code))) for index, code in codes)  # the table can be downloaded
    table = {ROW.capitalize(): [f"{name} *" if index in doubts else name for index, name in names]}
    table |= {
        SHORT_TITLES[column.name]: escape_column(label_column(column, rows[column.name]))
        if column.choices
        else rows[column.name] * column.scale
        for column in COLUMNS
    }
    if doubts:
        table["Doubtful"] = ["; ".join(doubts.get(index, ())) for index in rows.index]
    return pd.DataFrame(table, index=rows.index)


def tabulate_edits(before: "pd.DataFrame", after: "pd.DataFrame", n_rows: int = 20) -> Rows:
    """Tabulate each figure that was changed, as it was and as it was read; the first of many."""
    edits = [
        {
            ROW.capitalize(): escape(row_name(before[ROW].iloc[i])),
            "Changed": column.label,
            "Before": _edited(column, before[column.name].iloc[i]),
            "Now": _edited(column, after[column.name].iloc[i]),
        }
        for column in COLUMNS
        for i in np.flatnonzero(before[column.name].to_numpy() != after[column.name].to_numpy())
    ]
    remainder = {"Changed": f"and {len(edits) - n_rows:,} more"}
    return edits[:n_rows] + ([remainder] if len(edits) > n_rows else [])


def _edited(column: Column, value: float) -> str:
    return escape(column.text(value)) if column.choices else column.text_with_unit(value)


def tabulate_statistics(statistics: "pd.DataFrame") -> Rows:
    """Tabulate the statistics of the numbers, one row per column."""
    table = []
    for column in NUMBERS:
        figures = statistics.loc[column.name]
        texts = {
            name.capitalize(): "–" if np.isnan(value) else column.about(value)
            for name, value in figures.drop("skewness").items()
        }
        skewness = figures["skewness"]
        name = f"**{column.label}**, {column.unit}" if column.unit else f"**{column.label}**"
        texts["Standard deviation"] = texts.pop("Deviation")
        table.append(
            {"Column": name} | texts | {"Skewness (no unit)": "–" if np.isnan(skewness) else f"{skewness:z.2f}"}
        )
    return table


def tabulate_choices(rows: "pd.DataFrame") -> Rows:
    """Tabulate how many rows have each choice of each category, and what the target is on average; none without one."""
    return [
        {
            "Column": f"**{column.label}**",
            "Choice": escape(label),
            f"Number of {ROWS}": f"{n:,}",
            f"Mean {TARGET.label.lower()}{TARGET.unit_note}": TARGET.about(mean) if n else "–",
        }
        for column in CATEGORIES
        for code, (label, n) in enumerate(zip(column.choices, count_choices(column, rows), strict=True))
        for mean in [rows[TARGET.name][rows[column.name] == code].mean()]
    ]


def tabulate_curves(column: Column, curves: Any, n_rows: int = 9) -> Rows:
    """Tabulate the line with its band, or the mean of each choice, and the model's average response at some values."""
    table, steps = [], np.linspace(0, len(curves["at"]) - 1, n_rows).round().astype(int)
    for i in range(len(curves["at"])) if column.choices else steps:
        fitted, half_width, response = (curves[name][i] for name in ("fitted", "half_width", "response"))
        at = curves["at"][i]
        has_rows = not np.isnan(half_width)
        ends = f"{TARGET.estimate(fitted - half_width)} to {TARGET.estimate(fitted + half_width)}" if has_rows else "–"
        table.append({
            axis_title(column): escape(column.text(at)) if column.choices
            else f"{at * column.scale:,.{column.decimals}f}",
            f"{'Mean' if column.choices else 'Straight line'}{TARGET.unit_note}": TARGET.estimate(fitted)
            if has_rows else "–",
            "95 % confidence interval" if column.choices else "95 % confidence band": ends,
            f"Model, on average{TARGET.unit_note}": TARGET.estimate(response),
        })  # fmt: skip
    return table


def tabulate_bins(column: Column, values: FloatArray) -> Rows:
    """Tabulate a histogram bin by bin, or choices by how many rows have each."""
    if column.choices:
        counts = np.bincount(values.astype(int), minlength=len(column.choices))
        pairs = zip(column.choices, counts, strict=True)
        return [{column.label: escape(label), f"Number of {ROWS}": f"{count:,}"} for label, count in pairs]
    counts, edges = histogram(values)
    return [
        {
            f"{axis_title(column)}, lower end included": f"{column.text(low)} to {column.text(high)}",
            f"Number of {ROWS}": f"{count:,}",
        }
        for count, (low, high) in zip(counts, pairwise(edges), strict=True)
    ]


def tabulate_correlations(pearson: FloatArray, spearman: FloatArray) -> Rows:
    """Tabulate the correlation of each pair of columns once, the strongest first."""
    pairs = sorted(combinations(range(len(NUMBERS)), 2), key=lambda pair: -np.nan_to_num(abs(pearson[pair])))
    return [
        {
            "Pair": f"{NUMBERS[i].label} and {NUMBERS[j].label.lower()}",
            "Pearson (no unit)": _or_dash(pearson[i, j], "z.2f"),
            "Spearman (no unit)": _or_dash(spearman[i, j], "z.2f"),
        }
        for i, j in pairs
    ]


def tabulate_regression(regression: "Regression") -> Rows:
    """Tabulate the straight line, coefficient by coefficient."""
    inflation = [None, *regression.vif]
    return [
        {
            "Term": label,
            "Coefficient": _significant_digits(coefficient, 4),
            "S.e.": _significant_digits(error, 3),
            "t": _or_dash(t, "z.2f"),
            "p": "–" if np.isnan(p) else "< 0.0001" if p < 0.0001 else f"{p:.4f}",
            "VIF": "" if vif is None else f"{vif:.2f}",
        }
        for label, coefficient, error, t, p, vif in zip(
            _list_terms(regression),
            regression.coefficients,
            regression.standard_errors,
            regression.t,
            regression.p,
            inflation,
            strict=True,
        )
    ]


def _list_terms(regression: "Regression") -> list[str]:
    """Name the coefficients. One is per one stored unit, which of a share is 100 %; or a choice against another."""
    return [
        "**Intercept**",
        *(
            f"**{column.label}**, per {column.template.format(f'{column.scale:g}')}"
            if code is None or reference is None
            else f"**{column.label}**, {escape(column.choices[code])} and not {escape(column.choices[reference])}"
            for column, code, reference in regression.terms
        ),
    ]


def tabulate_regression_change(before: "Regression", after: "Regression", what: str) -> Rows:
    """Tabulate how the coefficients move when some rows are left out; a choice that none is left of has no new one."""
    coefficients = dict(zip([None, *after.terms], after.coefficients, strict=True))
    table = [
        {
            "Term": label,
            f"These {before.n_rows:,} {ROWS}": _significant_digits(old, 4),
            what: "–" if np.isnan(new) else _significant_digits(new, 4),
            "Change (in standard errors)": _or_dash((new - old) / error if error else np.nan, "+z.2f"),
        }
        for term, label, old, error in zip(
            [None, *before.terms], _list_terms(before), before.coefficients, before.standard_errors, strict=True
        )
        for new in [coefficients.get(term, np.nan)]
    ]
    for label, name, form in (("R²", "r2", "z.3f"), ("Residual s.d.", "deviation", ".1f")):
        old, new = getattr(before, name), getattr(after, name)
        table.append(
            {"Term": f"**{label}**", f"These {before.n_rows:,} {ROWS}": f"{old:{form}}", what: f"{new:{form}}"}
        )
    return table


def tabulate_influence(
    names: Sequence[str], regression: "Regression", positions: Iterable[int], n_rows: int = 10
) -> Rows:
    """Tabulate the rows that pull the line hardest, by Cook's distance."""
    most_influential = sorted(positions, key=lambda i: -np.nan_to_num(regression.cook[i]))[:n_rows]
    return [
        {
            ROW.capitalize(): escape(row_name(names[i])),
            "Cook’s distance": _or_dash(regression.cook[i], "z.3f"),
            "Studentised residual (s.d.)": _or_dash(regression.studentised[i], "z.2f"),
            "Leverage": f"{regression.leverage[i]:.3g}",
        }
        for i in most_influential
    ]


def tabulate_importance(held_out: Mapping[str, Estimate], in_sample: Mapping[str, Estimate]) -> Rows:
    """Tabulate both importances, input by input."""

    def format_rise(rise: Estimate) -> str:
        return f"{TARGET.estimate(rise.value, n_more=1)} ± {TARGET.estimate(rise.standard_error, n_more=1)}"

    return [
        {
            "Input": f"**{column.label}**",
            f"On rows it has not seen{TARGET.unit_note}": format_rise(held_out[column.name]),
            f"On its own rows{TARGET.unit_note}": format_rise(in_sample[column.name]),
        }
        for column in FEATURES
    ]


def _significant_digits(value: float, n_digits: int) -> str:
    """Write a number with at least so many significant digits: ``-0.06659``, ``1,336``."""
    if not value:
        return "0"
    n_decimals = max(0, n_digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{n_decimals}f}"


def _or_dash(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"
