"""What all pictures have in common: their layout, and how a row looks in each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.schema import COLUMNS, ROW, TARGET, Column, row_name

if TYPE_CHECKING:
    import pandas as pd

# How plotly.js writes the target, or an amount in its unit; and with a decimal more.
AT_REST, FINER = f",.{TARGET.decimals}f", f",.{TARGET.decimals + 1}f"
Trace = dict[str, Any]  # a part of a figure as plotly.js reads it

# Middle tones of Okabe and Ito's palette, seen on white and on the dark theme alike.
POINT, ACCENT, MUTED = "#1b8ba8", "#d55e00", "#8a97a5"
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
_DIM_OPACITY = 0.3  # of what is not selected while something is
_STRIP = 0.6  # width of the strip of points that have one choice
_MAX_TICK = 18  # characters of a label beside an axis
_GOLDEN = (5**0.5 - 1) / 2  # multiples of it fill a strip evenly, however many there are


@dataclass(frozen=True)
class Points:
    """Rows to draw, alike in every picture: their names, which are selected, and which have a doubtful figure.

    Attributes
    ----------
    selected
        Indexes of the selected rows.
    doubts
        Index of a row -> what to know about its figures.
    """

    rows: "pd.DataFrame"
    selected: frozenset[int] = frozenset()
    doubts: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def opacity(self) -> list[float]:
        """Full for all rows, or for the selected ones alone."""
        indexes = self.rows.index
        if not self.selected.intersection(indexes):
            return [1] * len(indexes)
        return [1 if index in self.selected else _DIM_OPACITY for index in indexes]

    @cached_property
    def is_doubtful(self) -> list[bool]:
        """Whether each row has a doubtful figure."""
        return [index in self.doubts for index in self.rows.index]

    @cached_property
    def symbol(self) -> list[str]:
        """A diamond for each row with a doubtful figure, a circle for the others."""
        return ["diamond-open" if is_doubtful else "circle" for is_doubtful in self.is_doubtful]

    @cached_property
    def names(self) -> list[str]:
        """Names of the rows, with nothing in them that plotly would read as markup."""
        return [escape(row_name(str(code))) for code in self.rows[ROW]]

    @cached_property
    def labels(self) -> list[str]:
        """Short names to write beside the points: of the selected rows if there are any, else of all."""
        has_selection = bool(self.selected.intersection(self.rows.index))
        codes = zip(self.rows.index, self.rows[ROW], strict=True)
        return ["" if has_selection and index not in self.selected else escape(str(code)) for index, code in codes]

    @cached_property
    def hover(self) -> list[str]:
        """Text of each row: its name, all figures with their units, and any doubts."""
        figures = self.rows[[column.name for column in COLUMNS]].to_numpy(float)
        texts = []
        for index, name, values in zip(self.rows.index, self.names, figures, strict=True):
            lines = [f"<b>{name}</b>"]
            lines += [f"{c.label} {escape(c.text(v))} {c.unit}" for c, v in zip(COLUMNS, values, strict=True)]
            lines += [f"<i>{escape(doubt)}</i>" for doubt in self.doubts.get(index, ())]
            texts.append("<br>".join(lines))
        return texts

    def values(self, column: Column) -> NDArray[np.float64]:
        """Return one column in its shown unit; codes of choices a little apart, so that no point hides another."""
        values = self.rows[column.name].to_numpy(float) * column.scale
        if not column.choices:
            return values
        return values + _STRIP * (self.rows.index.to_numpy() * _GOLDEN % 1 - 0.5)

    def scatter(self, x: Any, y: Any, **options: Any) -> Trace:
        """Return a trace with one marker per row; ``marker`` and other options override the defaults."""
        marker = {"color": POINT, "size": 9, "opacity": self.opacity, "symbol": self.symbol} | options.pop("marker", {})
        defaults: Trace = {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "hoverinfo": "text",
            "hovertext": self.hover,
        }
        return defaults | {"x": x, "y": y, "customdata": self.rows.index.tolist(), "marker": marker} | options


def lay_out(data: Sequence[Trace], height: int, xaxis: Trace, yaxis: Trace, **layout: Any) -> go.Figure:
    """Return a figure of traces, laid out like every other; ``layout`` adds axes and overrides the defaults.

    Built from one dictionary: plotly's own methods check the whole anew with each trace and axis, ten times slower.

    Parameters
    ----------
    height
        [px]
    """
    axes = {"xaxis": xaxis, "yaxis": yaxis} | {name: axis for name, axis in layout.items() if "axis" in name}
    # Ranges are fixed, so that a swipe over a picture scrolls the page.
    axes = {name: {"fixedrange": True, "zeroline": False} | axis for name, axis in axes.items()}
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    # Streamlit would set these for a picture in which rows can be selected, and draw it once more for that.
    defaults: Trace = {"clickmode": "event+select", "dragmode": "pan", "hovermode": "closest"}
    defaults |= {"height": height, "margin": margin, "hoverlabel": {"align": "left"}, "bargap": 0.04}
    return go.Figure({"data": data, "layout": defaults | layout | axes})


def axis_of(column: Column) -> Trace:
    """Return title and ticks of an axis: of a category, a tick for each choice."""
    axis: Trace = {"title": {"text": axis_title(column)}}
    return axis | ticks_of(column)


def ticks_of(column: Column) -> Trace:
    """Return a tick for each choice of a category, and what plotly chooses for numbers."""
    if not column.choices:
        return {}
    labels = [escape(label if len(label) <= _MAX_TICK else f"{label[: _MAX_TICK - 1]}…") for label in column.choices]
    return {"tickvals": [*range(len(labels))], "ticktext": labels, "range": [-0.6, len(labels) - 0.4]}


def axis_title(column: Column) -> str:
    """Return the label and the unit of a column; every axis shows both."""
    return f"{column.label}{column.unit_note}"


def draw_blank(why: str) -> go.Figure:
    """Say in the place of a picture why there is none."""
    annotation = {"text": escape(why), "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    return lay_out([], 140, {"visible": False}, {"visible": False}, annotations=[annotation])


def round_ticks(edges: NDArray[np.float64]) -> Trace:
    """Put the ticks of an axis at edges of bins, which are round; by default plotly begins in the middle of a bin."""
    if len(edges) == 2:  # the values never vary, and their edges are not round
        return {}
    return {"tick0": float(edges[0]), "dtick": float(edges[-1] - edges[0]) / (len(edges) - 1) * -(-len(edges) // 9)}
