"""Evidence -> plotly figures: a candidate beside the active model, several candidates, and what was active when."""

from collections.abc import Sequence
from datetime import datetime
from html import escape

import numpy as np
import plotly.graph_objects as go

from data.schema import FEATURES, ROW, TARGET, row_name
from model.fitting.algorithms import ALGORITHMS
from model.judging.evidence import Evidence
from model.judging.ranking import RankedVersion
from model.store.history import Promotion
from pages.shared.pictures.drawing import ACCENT, AT_REST, FINER, LEGEND, MUTED, POINT, Trace, axis_of, lay_out
from pages.shared.words.verdicts import model_name

_N_NAMED = 4
_BAND_COLOUR = "rgba(138, 151, 165, 0.16)"


def _row_names(evidence: Evidence) -> list[str]:
    codes = evidence.candidate.rows[ROW].to_numpy()[evidence.shown]
    return [escape(row_name(str(code))) for code in codes]


def _list_styles(evidence: Evidence) -> list[tuple[str, str, str, str]]:
    """List how to draw each model, the active one first and so below: key, label, colour, symbol."""
    active = ("active", f"Version {evidence.active.version} (active)", MUTED, "circle-open")
    candidate = ("candidate", model_name(evidence.candidate), POINT, "circle")
    return [style for style in (active, candidate) if style[0] in evidence.residuals]


def draw_observed(evidence: Evidence) -> go.Figure:
    """Draw each observed value against its out-of-fold prediction, with the line of equality."""
    observed, names = evidence.candidate.y[evidence.shown], _row_names(evidence)
    data, drawn_values = [], [observed]
    largest_misses = np.argsort(-np.abs(evidence.residuals["candidate"][evidence.shown]))[:_N_NAMED]
    for key, label, colour, symbol in _list_styles(evidence):
        predicted = observed - evidence.residuals[key][evidence.shown]
        drawn_values.append(predicted)
        texts = [name if i in largest_misses else "" for i, name in enumerate(names)]
        data.append({
            "x": predicted, "y": observed, "name": label,
            "mode": "markers+text" if key == "candidate" else "markers",
            "text": texts, "textposition": "top center", "textfont": {"size": 11}, "cliponaxis": False,
            "marker": {"color": colour, "symbol": symbol, "size": 8},
            "customdata": names,
            "hovertemplate": f"<b>%{{customdata}}</b><br>Observed %{{y:{AT_REST}}}, "
            f"predicted %{{x:{AT_REST}}} {TARGET.unit}"
            f"<extra>{label}</extra>",
        })  # fmt: skip
    low, high = (float(end(map(end, drawn_values))) for end in (min, max))
    line = {"type": "line", "x0": low, "x1": high, "y0": low, "y1": high, "line": {"color": ACCENT, "dash": "dot"}}
    xaxis = {"title": {"text": f"Predicted out of fold{TARGET.unit_note}"}}
    yaxis = {"title": {"text": f"Observed{TARGET.unit_note}"}}
    return lay_out(data, 400, xaxis, yaxis, shapes=[line], legend=LEGEND)


def draw_residuals(evidence: Evidence) -> go.Figure:
    """Draw each out-of-fold error against its prediction."""
    observed, names, data = evidence.candidate.y[evidence.shown], _row_names(evidence), []
    for key, label, colour, symbol in _list_styles(evidence):
        errors = evidence.residuals[key][evidence.shown]
        data.append({
            "x": observed - errors, "y": errors, "mode": "markers", "name": label, "customdata": names,
            "marker": {"color": colour, "symbol": symbol, "size": 8},
            "hovertemplate": f"<b>%{{customdata}}</b><br>Residual %{{y:+{AT_REST}}} {TARGET.unit}"
            f"<extra>{label}</extra>",
        })  # fmt: skip
    xaxis = {"title": {"text": f"Predicted out of fold{TARGET.unit_note}"}}
    yaxis = {"title": {"text": f"Residual: observed minus predicted<br>{TARGET.unit_note}"}, "zeroline": True}
    return lay_out(data, 400, xaxis, yaxis, legend=LEGEND)


def draw_curves(evidence: Evidence, scenario: dict[str, float]) -> go.Figure:
    """Draw response curves through a scenario, the candidate's over the active model's, one panel per input.

    Parameters
    ----------
    scenario
        Column name -> number in the stored unit.
    """
    curves, data = evidence.curves(scenario), []
    axes: dict[str, Trace] = {}
    values = np.concatenate([np.concatenate(pair) for _, *pair in curves.values()])
    margin = 0.06 * (values.max() - values.min() or 1)
    span, n_lines = [float(values.min() - margin), float(values.max() + margin)], -(-len(FEATURES) // 2)
    for i, column in enumerate(FEATURES):
        across, down, suffix = i % 2, i // 2, "" if i == 0 else str(i + 1)
        grid, *pair = curves[column.name]
        styles = (f"Version {evidence.active.version} (active)", MUTED, "dash"), (
            f"Version {evidence.candidate.version}", POINT, "solid",
        )  # fmt: skip
        for (label, colour, dash), curve in zip(styles, pair, strict=True):
            data.append({
                "x": grid * column.scale, "y": curve, "name": label, "showlegend": i == 0,
                "mode": "markers" if column.choices else "lines", "marker": {"color": colour, "size": 9},
                "line": {"color": colour, "dash": dash, "width": 2.5}, "xaxis": f"x{suffix}", "yaxis": f"y{suffix}",
                "text": [escape(column.text(value)) for value in grid] if column.choices else None,
                "hovertemplate": f"%{{{'text' if column.choices else 'x'}}} {column.unit}: %{{y:{AT_REST}}} "
                f"{TARGET.unit}<extra>{label}</extra>",
            })  # fmt: skip
        x = scenario[column.name] * column.scale
        scenario_line: Trace = {"x": [x, x], "y": span, "mode": "lines", "hoverinfo": "skip"}
        scenario_line |= {"line": {"color": ACCENT, "dash": "dot", "width": 1.5}, "showlegend": i == 0}
        data.append(scenario_line | {"name": "Your what-if scenario", "xaxis": f"x{suffix}", "yaxis": f"y{suffix}"})
        height = 1 / n_lines
        top = 1 - down * height
        domain = [across * 0.53, across * 0.53 + 0.47]
        axes[f"xaxis{suffix}"] = axis_of(column) | {"anchor": f"y{suffix}", "domain": domain}
        axes[f"yaxis{suffix}"] = {"anchor": f"x{suffix}", "range": span, "domain": [top - 0.68 * height, top]}
    axes["yaxis"]["title"] = {"text": TARGET.unit}
    return lay_out(data, 280 * n_lines, axes.pop("xaxis"), axes.pop("yaxis"), legend=LEGEND | {"y": 1.03}, **axes)


def draw_moves(evidence: Evidence) -> go.Figure:
    """Draw how far each row's prediction would move, against its prediction now."""
    before, after = evidence.moves
    names = [escape(row_name(str(code))) for code in evidence.active.rows[ROW]]
    order = np.argsort(-np.abs(after - before))[:300]
    largest_moves = set(order[:_N_NAMED].tolist())
    dots = {
        "x": before[order], "y": (after - before)[order], "mode": "markers+text", "textposition": "top center",
        "text": [names[i] if i in largest_moves else "" for i in order], "customdata": [names[i] for i in order],
        "marker": {"color": POINT, "size": 8}, "showlegend": False, "textfont": {"size": 11}, "cliponaxis": False,
        "hovertemplate": f"<b>%{{customdata}}</b><br>Now %{{x:{AT_REST}}}, change %{{y:+{FINER}}} {TARGET.unit}"
        "<extra></extra>",
    }  # fmt: skip
    xaxis = {"title": {"text": f"Prediction now{TARGET.unit_note}"}}
    yaxis = {"title": {"text": f"Change with the candidate<br>{TARGET.unit_note}"}, "zeroline": True}
    return lay_out([dots], 380, xaxis, yaxis)


def draw_ranking(table: Sequence[RankedVersion]) -> go.Figure:
    """Draw several candidates by their typical miss with its standard error; those that tie are shaded."""
    labels = [f"{ALGORITHMS[ranked.algorithm].label}<br>version {ranked.version}" for ranked in table]
    values, errors = ([getattr(ranked.scores.mae, part) for ranked in table] for part in ("value", "standard_error"))
    dots = {
        "x": values, "y": labels, "mode": "markers", "showlegend": False,
        "marker": {"size": 10, "color": [POINT if ranked.is_tied else MUTED for ranked in table]},
        "error_x": {"array": errors, "thickness": 1.5, "color": MUTED}, "customdata": errors,
        "hovertemplate": f"%{{y}}: %{{x:{FINER}}} ± %{{customdata:{FINER}}} {TARGET.unit}<extra></extra>",
    }  # fmt: skip
    bands = [
        {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": i - 0.5, "y1": i + 0.5, "fillcolor": _BAND_COLOUR,
         "line": {"width": 0}, "layer": "below"}
        for i, ranked in enumerate(table) if ranked.is_tied
    ]  # fmt: skip
    xaxis = {"title": {"text": f"Typical miss: mean absolute error, ± one standard error<br>{TARGET.unit_note}"}}
    yaxis = {"autorange": "reversed", "type": "category"}
    return lay_out([dots], 90 + 48 * len(table), xaxis, yaxis, shapes=bands)


def draw_timeline(promotions: Sequence[Promotion], now: datetime) -> go.Figure:
    """Draw which version was active when, with a bar for each time that one was.

    Parameters
    ----------
    promotions
        The oldest first.
    now
        Where the last bar ends.
    """
    ends = [*(promotion.at for promotion in promotions[1:]), now]
    data = [
        {
            "x": [promotion.at.isoformat(), end.isoformat()], "y": [f"Version {promotion.version_id}"] * 2,
            "mode": "lines+markers",
            "marker": {"size": 14, "symbol": "line-ns", "line": {"width": 3, "color": POINT if end is now else MUTED}},
            "line": {"width": 16, "color": POINT if end is now else MUTED}, "showlegend": False,
            "hoverinfo": "text",
            "hovertext": f"Version {promotion.version_id}, from {promotion.at:%Y-%m-%d %H:%M} UTC<br>"
            f"{escape(promotion.by)}: {escape(promotion.reason[:80])}",
        }
        for promotion, end in zip(promotions, ends, strict=True)
    ]  # fmt: skip
    n_versions = len({promotion.version_id for promotion in promotions})
    yaxis = {"type": "category", "range": [-0.6, n_versions - 0.4]}
    return lay_out(data, 90 + 34 * n_versions, {"title": {"text": "Time (UTC)"}, "type": "date"}, yaxis)
