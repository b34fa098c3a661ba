"""Rows -> plotly figures. No Streamlit in here, so that each picture can be tested for what it shows.

Text, grid and background take their colours from the theme; the rest are middle tones that both themes can show.
"""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from data.schema import COLUMNS, FEATURES, ROW, ROWS, TARGET, TILES, Column
from data.statistics import NUMBERS, histogram
from model.fitting.scores import Estimate
from model.judging.regression import Regression
from pages.shared.pictures.drawing import (
    ACCENT,
    AT_REST,
    FINER,
    LEGEND,
    MUTED,
    POINT,
    Points,
    Trace,
    axis_of,
    axis_title,
    draw_blank,
    lay_out,
    round_ticks,
    ticks_of,
)

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_BAND_COLOUR = "rgba(138, 151, 165, 0.25)"
_SHADES = ["#c9e4ec", "#9fd0df", "#76b9cd", "#56a4bb", "#3f93ac"]  # seen on white and on dark, with dark text
_N_NAMED = 5
_MOST_LABELS = 8  # of a category beside a small picture
_DIVERGING = ["#d9773f", "#efb694", "#f6f2ec", "#b0d5e0", "#5aa5bd"]  # dark text can be read on each of them
_DARK_TEXT = "#06202a"
_FAINT_TEXT = "#7a8794"  # of what is not selected, seen in both themes


def draw_tile_map(points: Points, column: Column) -> go.Figure:
    """Draw one square per row at its usual place on a map, coloured by a column."""
    is_known = [code in TILES for code in points.rows[ROW]]
    if not any(is_known):
        return draw_blank(f"None of these {ROWS} has a place on the map.")
    on_map = Points(points.rows[is_known], points.selected, points.doubts)
    codes, values = on_map.rows[ROW], on_map.values(column)
    low, high = float(values.min()), float(values.max())
    across, down = zip(*TILES.values(), strict=True)
    colour_bar = {"title": {"text": axis_title(column), "side": "bottom"}, "orientation": "h", "thickness": 10}
    marker = {"symbol": "square", "size": 28, "color": values, "cmin": low, "cmax": high, "colorscale": _SHADES}
    tiles = on_map.scatter(
        x=[TILES[code][0] for code in codes],
        y=[TILES[code][1] for code in codes],
        mode="markers+text",
        text=[f"{code}*" if is_doubtful else code for code, is_doubtful in zip(codes, on_map.is_doubtful, strict=True)],
        textfont={"size": 11, "color": [_DARK_TEXT if opacity == 1 else _FAINT_TEXT for opacity in on_map.opacity]},
        marker=marker | {"colorbar": colour_bar | {"y": 0, "yanchor": "top"}},
    )
    xaxis = {"visible": False, "range": [-0.6, max(across) + 0.6]}
    yaxis = {"visible": False, "range": [max(down) + 0.6, -0.6]}
    return lay_out([tiles], 370, xaxis, yaxis, margin={"l": 8, "r": 8, "t": 28, "b": 8})


def draw_input_and_target(
    points: Points, column: Column, curves: Any, here: tuple[float, float], *, with_names: bool = False
) -> go.Figure:
    """Draw one input against the target, with the straight line, the model's average response, and a scenario.

    Parameters
    ----------
    column
        The input; of a category the points lie in strips, with the mean of each.
    curves
        From `model.judging.survey.Survey.curves`; None if the rows allow no line.
    here
        The scenario's value of the input [stored unit] and its prediction.
    with_names
        Whether names stand beside the points.
    """
    data: list[Trace] = []
    if curves and column.choices:
        data += _list_means(column, curves)
    elif curves:
        grid, fitted, half_width = curves["at"] * column.scale, curves["fitted"], curves["half_width"]
        low, high = fitted - half_width, fitted + half_width
        data.append({
            "x": np.concatenate([grid, grid[::-1]]), "y": np.concatenate([high, low[::-1]]),
            "fill": "toself", "fillcolor": _BAND_COLOUR, "line": {"width": 0}, "mode": "lines", "hoverinfo": "skip",
            "name": "95 % confidence band of the line",
        })  # fmt: skip
        lines = (("Straight line", fitted, MUTED, "dash"), ("Model, on average", curves["response"], POINT, "solid"))
        data += [
            {
                "x": grid, "y": values, "mode": "lines", "name": name,
                "line": {"color": colour, "width": 2.5, "dash": dash},
                "hovertemplate": f"{name}: %{{y:{AT_REST}}} {TARGET.unit}<extra></extra>",
            }
            for name, values, colour, dash in lines
        ]  # fmt: skip
    names = {"mode": "markers+text", "text": points.labels, "textposition": "top center", "textfont": {"size": 9}}
    data.append(points.scatter(points.values(column), points.values(TARGET), **names if with_names else {}))
    x, y = here
    data.append({
        "x": [x * column.scale], "y": [y], "mode": "markers", "name": "Your what-if scenario",
        "marker": {"symbol": "star", "size": 17, "color": ACCENT, "line": {"width": 1, "color": "#ffffff"}},
        "hovertemplate": f"<b>Your what-if scenario</b><br>{column.label} {escape(column.text(x))} {column.unit}<br>"
        f"Predicted {TARGET.estimate(y)} {TARGET.unit}<extra></extra>",
    })  # fmt: skip
    data = [*data[-2:-1], *data[:-2], data[-1]] if column.choices else data  # the points below the means
    return lay_out(data, 420, axis_of(column), axis_of(TARGET), legend=LEGEND)


def _list_means(column: Column, curves: Any) -> list[Trace]:
    """Draw the mean of each choice with its interval, and beside it the model's average response."""
    at, half_width = curves["at"], curves["half_width"]
    labels = [escape(label) for label in column.choices]
    shared = {"mode": "markers", "customdata": labels}
    return [
        shared | {
            "x": at, "y": curves["fitted"], "name": "Mean, with 95 % confidence interval",
            "marker": {"symbol": "line-ew-open", "size": 26, "color": MUTED, "line": {"width": 3}},
            "error_y": {"array": half_width, "color": MUTED, "thickness": 2, "width": 8},
            "hovertemplate": f"%{{customdata}}: %{{y:{AT_REST}}} {TARGET.unit} on average<extra></extra>",
        },
        shared | {
            "x": at, "y": curves["response"], "name": "Model, on average",
            "marker": {"symbol": "diamond", "size": 13, "color": POINT, "line": {"width": 1.5, "color": "#ffffff"}},
            "hovertemplate": f"Model, on average, %{{customdata}}: %{{y:{AT_REST}}} {TARGET.unit}<extra></extra>",
        },
    ]  # fmt: skip


def draw_choices(column: Column, values: FloatArray) -> go.Figure:
    """Draw how many rows have each choice of a category."""
    height = max(220, 90 + 26 * len(column.choices))
    bars = _bars(values, column)
    bars |= {"orientation": "h", "x": bars["y"], "y": bars["x"]}
    ticks = ticks_of(column) | {"range": [len(column.choices) - 0.4, -0.6]}
    return lay_out([bars], height, {"title": {"text": f"Number of {ROWS}"}}, ticks)


def draw_distribution(points: Points, column: Column, values: FloatArray) -> go.Figure:
    """Draw a histogram of one column, and below it a box plot and a rug with one mark per row.

    Parameters
    ----------
    points
        For the rug.
    values
        All rows [stored unit].
    """
    low, lower, middle, upper, high = np.quantile(values * column.scale, [0, 0.25, 0.5, 0.75, 1])
    box = {
        "type": "box", "q1": [lower], "median": [middle], "q3": [upper], "lowerfence": [low], "upperfence": [high],
        "y": [1], "name": "", "orientation": "h", "width": 0.6, "line": {"color": MUTED}, "fillcolor": _BAND_COLOUR,
        "showlegend": False, "hoverinfo": "x", "yaxis": "y2",
    }  # fmt: skip
    symbol = ["diamond-open" if is_doubtful else "line-ns-open" for is_doubtful in points.is_doubtful]
    marker = {"symbol": symbol, "size": 13}
    rug = points.scatter(points.values(column), [0] * len(points.rows), marker=marker, yaxis="y2")
    yaxis = {"title": {"text": f"Number of {ROWS}"}, "domain": [0.31, 1]}
    lower_axis = {"visible": False, "range": [-0.6, 1.6], "domain": [0, 0.28]}
    xaxis = {"title": {"text": axis_title(column)}, "anchor": "y2"} | round_ticks(histogram(values)[1] * column.scale)
    return lay_out([_bars(values, column), box, rug], 420, xaxis, yaxis, yaxis2=lower_axis)


def _bars(values: FloatArray, column: Column) -> Trace:
    """Return the bars of a histogram, with the bins of the table behind it; of a category one for each choice."""
    if column.choices:
        counts = np.bincount(values.astype(int), minlength=len(column.choices))
        return {
            "type": "bar", "x": np.arange(len(counts)), "y": counts, "hoverinfo": "text", "showlegend": False,
            "hovertext": [f"{n:,} {ROWS}: {escape(label)}" for n, label in zip(counts, column.choices, strict=True)],
            "marker": {"color": POINT, "opacity": 0.7}, "width": 0.7,
        }  # fmt: skip
    counts, edges = histogram(values)
    spans = [f"{column.text(low)} to {column.text(high)} {column.unit}" for low, high in pairwise(edges)]
    return {
        "type": "bar", "x": (edges[:-1] + edges[1:]) / 2 * column.scale, "y": counts,
        "width": np.diff(edges) * column.scale, "hoverinfo": "text", "showlegend": False,
        "hovertext": [f"{count} {ROWS}: {span}" for count, span in zip(counts, spans, strict=True)],
        "marker": {"color": POINT, "opacity": 0.7},
    }  # fmt: skip


def draw_matrix(points: Points, rows: "pd.DataFrame", columns: Sequence[Column] = COLUMNS) -> go.Figure:
    """Draw each column against each other, with histograms on the diagonal.

    Parameters
    ----------
    rows
        All rows, for the histograms.
    columns
        Which to draw, in their order.
    """
    n, gap = len(columns), 0.02
    size = (1 - (n - 1) * gap) / n
    spans = [[i * (size + gap), min(i * (size + gap) + size, 1.0)] for i in range(n)]
    data: list[Trace] = []
    axes: dict[str, Trace] = {}
    for i, column in enumerate(columns):
        title = {"text": f"{column.short_label.capitalize()}<br>{column.short_unit_note}", "font": {"size": 11}}
        axis = {"title": title, "tickfont": {"size": 10}, "nticks": 3, "tickangle": 0}
        axis |= {"tickformat": "~s"} if rows[column.name].abs().max() * column.scale >= 1000 else {}
        upright = axis
        if column.choices:
            has_room = len(column.choices) <= _MOST_LABELS
            axis |= ticks_of(column) | {"tickfont": {"size": 8}, "showticklabels": has_room}
            upright = axis | {"tickangle": 90 if len(column.choices) > 2 else 0}
        # One x axis per column at the bottom, one y axis per row at the left, and one y axis per histogram.
        axes[f"xaxis{i + 1}"] = upright | {"domain": spans[i], "anchor": f"y{n}" if i < n - 1 else f"y{2 * n}"}
        axes[f"yaxis{i + 1}"] = axis | {"domain": spans[n - 1 - i], "visible": i > 0}
        axes[f"yaxis{n + i + 1}"] = {"domain": spans[n - 1 - i], "anchor": f"x{i + 1}", "visible": False}
        data.append(_bars(rows[column.name].to_numpy(float), column) | {"xaxis": f"x{i + 1}", "yaxis": f"y{n + i + 1}"})
        for j, across in enumerate(columns[:i]):
            figures = (f"{c.label} %{{{side}}} {c.unit}" for c, side in ((across, "x"), (column, "y")))
            template = "<br>".join(["<b>%{text}</b>", *figures, "<extra></extra>"])
            has_choices = bool(column.choices or across.choices)  # whose codes say nothing
            data.append(
                points.scatter(
                    points.values(across),
                    points.values(column),
                    **({} if has_choices else {"text": points.names, "hovertext": None, "hoverinfo": None}),
                    **({} if has_choices else {"hovertemplate": template}),
                    marker={"size": 5},
                    xaxis=f"x{j + 1}",
                    yaxis=f"y{i + 1}",
                )
            )
    return lay_out(data, 600, axes.pop("xaxis1"), axes.pop("yaxis1"), **axes)


def draw_correlations(
    pearson: FloatArray, spearman: FloatArray, n_rows: int, columns: Sequence[Column] = NUMBERS
) -> go.Figure:
    """Draw Pearson's correlations below the diagonal and Spearman's above, with the numbers in the cells.

    Parameters
    ----------
    pearson, spearman
        Of all numbers.
    columns
        Those to draw.
    """
    places = [NUMBERS.index(column) for column in columns]
    is_below = np.tri(len(columns), k=-1, dtype=bool)
    correlations = np.where(is_below, pearson[np.ix_(places, places)], spearman[np.ix_(places, places)])
    np.fill_diagonal(correlations, np.nan)
    texts = np.where(
        np.isnan(correlations), "–", np.char.replace(np.char.mod("%.2f", correlations.round(2) + 0.0), "-", "−")
    ).astype(object)
    np.fill_diagonal(texts, "")
    labels = [column.short_label.capitalize() for column in columns]
    cells = {
        "type": "heatmap", "z": correlations, "x": labels, "y": labels, "text": texts, "zmin": -1,
        "zmax": 1, "colorscale": _DIVERGING, "xgap": 2, "ygap": 2, "showscale": False,
        "texttemplate": "%{text}", "textfont": {"color": _DARK_TEXT},
        "customdata": np.where(is_below, "Pearson", "Spearman"),
        "hovertemplate": f"%{{customdata}}, %{{y}} and %{{x}}: %{{text}}<br>n = {n_rows:,} {ROWS}<extra></extra>",
    }  # fmt: skip
    title = {
        "text": f"Correlation (no unit): Pearson below, Spearman above<br>n = {n_rows:,} {ROWS}",
        "font": {"size": 12},
    }
    xaxis = {"title": title, "showgrid": False, "tickangle": 0}
    return lay_out([cells], 420, xaxis, {"autorange": "reversed", "showgrid": False})


def draw_influence(points: Points, regression: Regression, positions: NDArray[np.intp]) -> go.Figure:
    """Draw leverage against studentised residual, with Cook's distance as size, and the thresholds.

    Parameters
    ----------
    positions
        Which of the regression's rows the points are.
    """
    leverage, residual, cook = (
        values[positions] for values in (regression.leverage, regression.studentised, regression.cook)
    )
    high_leverage, outlying = regression.high_leverage, regression.outlying
    largest_cook = np.argsort(-np.nan_to_num(cook))[:_N_NAMED]
    named_indexes = np.union1d(largest_cook, np.flatnonzero(np.abs(residual) > outlying)[: 2 * _N_NAMED])
    names = np.full(len(cook), "", dtype=object)
    names[named_indexes] = np.array(points.names, dtype=object)[named_indexes]
    # A name stands above its point, but below it where another name is close above.
    text_position = np.full(len(cook), "top center", dtype=object)
    for i in named_indexes:
        if any(0 < residual[j] - residual[i] < 0.5 and abs(leverage[j] - leverage[i]) < 0.03 for j in named_indexes):
            text_position[i] = "bottom center"
    dots = points.scatter(
        leverage, residual, mode="markers+text",
        textposition=text_position, text=names,
        hovertext=[
            f"{hover}<br>Leverage {h:.3f}, studentised residual {r:.2f}<br>Cook’s distance {c:.3f}"
            for hover, h, r, c in zip(points.hover, leverage, residual, cook, strict=True)
        ],
        marker={"size": 7 + 28 * np.sqrt(np.nan_to_num(cook).clip(max=2))},
    )  # fmt: skip
    line_style: Trace = {"type": "line", "line": {"color": ACCENT, "dash": "dot", "width": 1.5}}
    horizontal: Trace = {"xref": "paper", "x0": 0, "x1": 1}
    lines = [{"yref": "paper", "y0": 0, "y1": 1, "x0": high_leverage, "x1": high_leverage}] if high_leverage < 1 else []
    lines += [horizontal | {"y0": level, "y1": level} for level in (outlying, -outlying)]
    note_style: Trace = {"showarrow": False, "font": {"size": 11}, "xanchor": "left", "yanchor": "bottom"}
    notes = [note_style | {"x": 0.01, "xref": "paper", "y": outlying, "text": f"outlier beyond ±{outlying:.1f}"}]
    if high_leverage < 1:
        text = f" twice the average ({high_leverage:.2g})"
        notes.append(note_style | {"x": high_leverage, "y": 0, "yref": "paper", "text": text})
    xaxis = {"title": {"text": "Leverage (0 to 1, no unit)"}, "rangemode": "tozero"}
    limit = 1.25 * max(outlying, np.nanmax(np.abs(residual)))
    yaxis = {"title": {"text": "Studentised residual (standard deviations)"}, "range": [-limit, limit]}
    return lay_out([dots], 430, xaxis, yaxis, shapes=[line_style | line for line in lines], annotations=notes)


def draw_importances(held_out: Mapping[str, Estimate], in_sample: Mapping[str, Estimate]) -> go.Figure:
    """Draw how much the root mean square error rises with each input exchanged, on unseen rows and the model's own.

    Parameters
    ----------
    held_out, in_sample
        From `model.fitting.importance.importances`.
    """
    kinds = (("On rows it has not seen", held_out, POINT), ("On its own rows", in_sample, MUTED))
    data = []
    for name, rises, colour in kinds:
        values, errors = ([getattr(rises[c.name], part) for c in FEATURES] for part in ("value", "standard_error"))
        data.append({
            "type": "bar", "x": values, "y": [column.label for column in FEATURES], "orientation": "h",
            "name": name, "marker": {"color": colour}, "customdata": errors,
            "error_x": {"array": errors, "thickness": 1.5, "color": ACCENT},
            "hovertemplate": f"%{{y}}: %{{x:{FINER}}} ± %{{customdata:{FINER}}} {TARGET.unit}<extra>{name}</extra>",
        })  # fmt: skip
    xaxis = {"title": {"text": f"Rise of the root mean square error<br>{TARGET.unit_note}"}}
    height = max(360, 120 + 34 * len(FEATURES))
    return lay_out(data, height, xaxis, {"autorange": "reversed"}, barmode="group", bargap=0.3, legend=LEGEND)
