"""Two inputs at once: the prediction as a filled contour, real rows on it, and a click that sets both sliders."""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import streamlit as st

from data.schema import FEATURE_NAMES, FEATURES, ROW, ROWS, TARGET, Column, row_name
from model.answering.prediction import Scenario
from model.answering.surface import N_ROWS, Surface, measure_interaction, predict_surface
from model.fitting.train import Model
from pages.shared import controls, session
from pages.shared.pictures import text_tables
from pages.shared.what_if import describe_column, make_component
from pages.shared.words.wording import escape

_MOST_IN_TABLE = 7  # steps of an input


def draw_contour(model: Model, inputs: controls.Inputs, goal: float | None) -> None:
    """Draw the contour, if it is asked for.

    Parameters
    ----------
    goal
        Where a line is drawn [unit of the target].
    """
    if len(FEATURES) < 2:
        return
    with st.expander("Two inputs at once", key=session.CONTOUR_OPEN, on_change="rerun") as shown:
        if not shown.open:
            return
        labels = {column.name: column.label for column in FEATURES}
        first, second = (FEATURE_NAMES[i] for i in model.ranked_inputs[:2])
        left, right = st.columns(2)
        names = [
            cell.selectbox(
                title,
                FEATURE_NAMES,
                FEATURE_NAMES.index(usual),
                format_func=labels.__getitem__,
                key=key,
                persist_state="session",
            )
            for cell, title, usual, key in (
                (left, "Across", first, session.CONTOUR_ACROSS),
                (right, "Up", second, session.CONTOUR_UP),
            )
        ]
        if names[0] == names[1]:
            st.info("Choose two different inputs.")
            return
        across, up = (FEATURE_NAMES.index(name) for name in names)
        surface = predict_surface(model, Scenario(inputs.scenario), (across, up))
        start = controls.find_start(model, inputs.start).scenario
        data = describe_surface(model, surface, inputs.scenario, start, goal)
        make_component("contour")(key=session.CONTOUR, data=json.dumps(data), on_picked_change=_go_there)
        st.caption(surface_in_words(model, surface, goal))
        with st.popover("Show as table", type="tertiary", icon=":material/table_rows:"):
            st.markdown(text_tables.to_markdown(tabulate_surface(surface)))


def _positions(column: Column) -> Sequence[float]:
    return range(len(column.choices)) if column.choices else column.grid


def _go_there() -> None:
    """Set both sliders to where the picture was clicked; a browser may send anything.

    The click names its inputs: others may have been chosen since, on a slow line.
    """
    picked: Any = (st.session_state.get(session.CONTOUR) or {}).get("picked")
    columns = {column.name: column for column in FEATURES}
    try:
        values = {name: float(value) for name, value in picked.items()}
        is_possible = all(value in _positions(columns[name]) for name, value in values.items())
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return
    if is_possible:
        controls.write_inputs(controls.read_scenario() | values)


def describe_surface(
    model: Model, surface: Surface, scenario: dict[str, float], start: Any, goal: float | None
) -> dict[str, Any]:
    """Return what the browser draws; predictions in full, so that they are the model's own."""
    across, up = (FEATURES[i] for i in surface.inputs)
    closest = np.argsort(surface.distances, kind="stable")[: len(model.listed_records)][::-1]  # the nearest on top
    records = [(model.records[int(i)], float(surface.distances[i])) for i in closest]
    return {
        "x": describe_column(across)
        | {"values": surface.across.tolist(), "label": f"{across.label}{across.unit_note}"},
        "y": describe_column(up) | {"values": surface.up.tolist()},
        "z": surface.predictions.tolist(),
        "support": ["".join(level[0] for level in levels) for levels in surface.support],
        "points": [
            [row_name(str(row[ROW])), round(distance, 2), row[across.name], row[up.name]] for row, distance in records
        ],
        "here": [scenario[across.name], scenario[up.name]],
        "start": [start[across.name], start[up.name]],
        "goal": goal,
        "decimals": TARGET.decimals,
        "alt": _alternative(surface),
    }


def _alternative(surface: Surface) -> str:
    across, up = (FEATURES[i].label.lower() for i in surface.inputs)
    low, high = surface.predictions.min(), surface.predictions.max()
    return (
        f"{TARGET.label} over {across} and {up}, the other inputs as they are: {TARGET.estimate(low)} to "
        f"{TARGET.estimate(high)} {TARGET.unit}".rstrip()
    )


def surface_in_words(model: Model, surface: Surface, goal: float | None) -> str:
    """Say what the picture shows, and how much the two inputs act together."""
    across, up = (escape(FEATURES[i].label.lower()) for i in surface.inputs)
    share = _interaction(model, tuple(sorted(surface.inputs)))
    n_of = f"{N_ROWS} of the {ROWS}" if len(model.X) > N_ROWS else f"the {ROWS}"
    together = (
        f"Over {n_of}, {100 * share:.0f} % of how the prediction varies with {across} and {up} is the two acting "
        "together (Friedman's H²); the rest is what each does by itself."
    )
    sentences = [
        "The other inputs are as the sliders say. A click sets both.",
        f"A dot is one of the {ROWS}, the larger the nearer it is in the other inputs.",
        f"Hatched: no {ROW} is near." if (surface.support != "near").any() else "",
        _line_in_words(surface, goal),
        together if np.ptp(surface.predictions) else "Neither moves the prediction here.",
    ]
    return " ".join(filter(None, sentences))


def _line_in_words(surface: Surface, goal: float | None) -> str:
    if goal is None:
        return ""
    if surface.predictions.min() < goal <= surface.predictions.max():
        return f"The line is at {TARGET.estimate(goal)}."
    return f"All of it is {'below' if surface.predictions.max() < goal else 'at or above'} {TARGET.estimate(goal)}."


@lru_cache(maxsize=4)  # each holds a model
def _interaction(model: Model, inputs: tuple[int, ...]) -> float:
    first, second = inputs
    return measure_interaction(model, (first, second))


def tabulate_surface(surface: Surface) -> text_tables.Rows:
    """Tabulate predictions at some steps of both inputs; far from every row in brackets."""
    across, up = (FEATURES[i] for i in surface.inputs)
    columns, lines = (
        np.unique(np.linspace(0, n - 1, _MOST_IN_TABLE).round().astype(int)) if not column.choices else np.arange(n)
        for n, column in ((len(surface.across), across), (len(surface.up), up))
    )
    corner = f"{escape(up.short_label.capitalize())} \\ {escape(across.short_label)}"
    return [
        {corner: f"**{escape(up.text_with_unit(surface.up[j]))}**"}
        | {
            escape(across.text_with_unit(surface.across[i])): TARGET.estimate(surface.predictions[j, i])
            if surface.support[j, i] == "near"
            else f"({TARGET.estimate(surface.predictions[j, i])})"
            for i in columns
        }
        for j in lines[::-1]
    ]
