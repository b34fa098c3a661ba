"""What all pictures have in common: their layout, and how a row looks in each of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.schema import COLUMNS, ROW, Column, row_name
from data.statistics import NAMES

if TYPE_CHECKING:
    import pandas as pd

Trace = dict[str, Any]  # a part of a figure as plotly.js reads it

# Middle tones of Okabe and Ito's palette, seen on white and on the dark theme alike.
POINT, ACCENT, MUTED = "#1b8ba8", "#d55e00", "#8a97a5"
LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}
_DIM = 0.3  # opacity of what is not selected while something is


@dataclass(frozen=True)
class Points:
    """Rows to draw, the same in every picture: who they are, which are selected, which carry a doubtful figure.

    Attributes
    ----------
    selected
        Places (index of the rows) that are selected.
    doubts
        Place -> what to know about its figures.
    """

    rows: "pd.DataFrame"
    selected: frozenset[int] = frozenset()
    doubts: Mapping[int, Sequence[str]] = field(default_factory=dict)

    @cached_property
    def opacity(self) -> list[float]:
        """Full for all, or for the selected alone."""
        places = self.rows.index
        if not self.selected.intersection(places):
            return [1] * len(places)
        return [1 if place in self.selected else _DIM for place in places]

    @cached_property
    def is_doubted(self) -> list[bool]:
        """Whether a row carries a figure that is in doubt."""
        return [place in self.doubts for place in self.rows.index]

    @cached_property
    def symbol(self) -> list[str]:
        """A diamond where a figure is in doubt."""
        return ["diamond-open" if is_doubted else "circle" for is_doubted in self.is_doubted]

    @cached_property
    def names(self) -> list[str]:
        """What the rows are called, with nothing in it that plotly would read as markup."""
        return [escape(row_name(str(code))) for code in self.rows[ROW]]

    @cached_property
    def labels(self) -> list[str]:
        """Short names for beside the points: of the selected rows, or of all."""
        is_some = bool(self.selected.intersection(self.rows.index))
        codes = zip(self.rows.index, self.rows[ROW], strict=True)
        return ["" if is_some and place not in self.selected else escape(str(code)) for place, code in codes]

    @cached_property
    def hover(self) -> list[str]:
        """Name, all figures with their units, and any doubt."""
        figures = self.rows[NAMES].to_numpy(float)
        texts = []
        for place, name, values in zip(self.rows.index, self.names, figures, strict=True):
            lines = [f"<b>{name}</b>"]
            lines += [f"{c.label} {c.text(v)} {c.unit}" for c, v in zip(COLUMNS, values, strict=True)]
            lines += [f"<i>{escape(doubt)}</i>" for doubt in self.doubts.get(place, ())]
            texts.append("<br>".join(lines))
        return texts

    def values(self, column: Column) -> NDArray[np.float64]:
        """One column in its shown unit."""
        return self.rows[column.name].to_numpy(float) * column.scale

    def scatter(self, x: Any, y: Any, **options: Any) -> Trace:
        """One marker a row; ``marker`` and other options replace what is usual."""
        marker = {"color": POINT, "size": 9, "opacity": self.opacity, "symbol": self.symbol} | options.pop("marker", {})
        usual: Trace = {
            "type": "scatter",
            "mode": "markers",
            "showlegend": False,
            "hoverinfo": "text",
            "hovertext": self.hover,
        }
        return usual | {"x": x, "y": y, "customdata": self.rows.index.tolist(), "marker": marker} | options


def lay_out(data: Sequence[Trace], height: int, xaxis: Trace, yaxis: Trace, **layout: Any) -> go.Figure:
    """Lay out traces as every picture is.

    Built from one dictionary: plotly's own methods check the whole anew with each trace and axis, ten times slower.

    Parameters
    ----------
    data
        Traces.
    height
        [px]
    xaxis, yaxis
    **layout
        Other axes, and whatever replaces what is usual.
    """
    axes = {"xaxis": xaxis, "yaxis": yaxis} | {name: axis for name, axis in layout.items() if "axis" in name}
    # Ranges are fixed, so that a swipe over a picture scrolls the page.
    axes = {name: {"fixedrange": True, "zeroline": False} | axis for name, axis in axes.items()}
    margin = {"l": 8, "r": 8, "t": 8, "b": 8}
    # What Streamlit would set for pictures that select, and draw once more for it.
    usual: Trace = {"clickmode": "event+select", "dragmode": "pan", "hovermode": "closest"}
    usual |= {"height": height, "margin": margin, "hoverlabel": {"align": "left"}, "bargap": 0.04}
    return go.Figure({"data": data, "layout": usual | layout | axes})


def axis_title(column: Column) -> str:
    """Label and unit: no axis goes without."""
    return f"{column.label} ({column.unit})"


def draw_blank(why: str) -> go.Figure:
    """Say in a picture's place why there is none."""
    words = {"text": escape(why), "showarrow": False, "x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    return lay_out([], 140, {"visible": False}, {"visible": False}, annotations=[words])


def round_ticks(edges: NDArray[np.float64]) -> Trace:
    """Put the ticks of an axis at ends of bins, which are round: left alone, plotly begins in the middle of one."""
    if len(edges) == 2:  # of values that never vary, whose ends are not round
        return {}
    return {"tick0": float(edges[0]), "dtick": float(edges[-1] - edges[0]) / (len(edges) - 1) * -(-len(edges) // 9)}
