"""The live readout: number, band and response curves that follow the thumb without asking the server.

With the other inputs held, all that a slider can say is known before it is touched: it is the response curve at
the slider's own steps. The curves travel with each answer, and the browser looks the value up.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import streamlit as st

from data.schema import FEATURES, ROW, ROWS, TARGET, row_name
from pages.shared import session

_HERE = Path(__file__).parent


def _component(name):
    """Register a script; it travels with every answer, so its comments and indentation stay here."""
    lines = (_HERE / f"{name}.js").read_text(encoding="utf-8").splitlines()
    script = "\n".join(line.strip() for line in lines if not line.lstrip().startswith("//"))
    # Styles are not isolated: on a phone the number must leave its column to stay in sight above the sliders.
    return st.components.v2.component(name, js=script, isolate_styles=False)


_readout, _details = _component("readout"), _component("details")


def style():
    """Send the style sheet of both components, once a page."""
    st.html(_HERE / "readout.css")


def live_readout(model, answer, link):
    """Draw the number, the interval on the scale of the rows, and one response curve for each slider.

    Parameters
    ----------
    model : model.train.Model
    answer : model.predict.Prediction
    link : str
        Parameters of the link to it.
    """
    width = answer.value - answer.low
    real = _real_rows(model)
    lowest = min(*real["used"], *(curve.min() for curve in answer.curves.values())) - width
    highest = max(*real["used"], *(curve.max() for curve in answer.curves.values())) + width
    data = {
        "now": _texts(answer.value, width),
        "unit": TARGET.unit,
        "coverage": f"{answer.level * 100:g} % interval",
        "scale": [int(lowest // 100) * 100, int(-(-highest // 100)) * 100],
        **real,
        "link": link,
        "curves": [
            {
                "key": column.name,
                "slider": session.css_class(session.INPUT_KEYS[column.name]),
                "label": column.label,
                "ends": [column.text_with_unit(column.low), column.text_with_unit(column.high)],
                "start": column.low,
                "step": column.step,
                "at": answer.scenario[column.name],
                **_texts(answer.curves[column.name], width),
            }
            for column in FEATURES
        ],
    }
    _readout(key=session.LIVE_READOUT, data=json.dumps(data, separators=(",", ":")))


def details(model, answer):
    """Draw the contributions as signed bars, and the closest rows with what they really used.

    A component, because stock charts flicker on each move and stock tables cost as much as the prediction.

    Parameters
    ----------
    model : model.train.Model
    answer : model.predict.Prediction
    """
    header = [ROW.capitalize(), TARGET.short_label, "distance", *(column.short_label for column in FEATURES)]
    closest = []
    for near in answer.nearest:
        row = model.records[near.index]
        used, distance = TARGET.text(row[TARGET.name]), f"{near.distance:.1f} s.d."
        figures = [column.text_with_unit(row[column.name]) for column in FEATURES]
        closest.append([row_name(near.name), used, distance, *figures])
    labels = {column.name: column.text_with_unit(answer.scenario[column.name]) for column in FEATURES}
    n_all, n = len(model.rows), len(model.background)
    of = f" The average is over a fixed random sample of {n:,} of the {n_all:,} {ROWS}." if n < n_all else ""
    _draw_details(
        session.DETAILS,
        f"Why {answer.value:.0f} and not the average {answer.average:.0f}",
        labels,
        answer.contributions,
        f"Closest {ROWS}",
        [header, *closest],
        of,
    )


def comparison(moved, table):
    """Draw why the prediction moves from one scenario to another, and both side by side.

    Parameters
    ----------
    moved : model.change.Change
    table : list of list of str
        The first row and column are headings.
    """
    labels = {}
    for column in FEATURES:
        old, new = (column.text_with_unit(scenario[column.name]) for scenario in (moved.start, moved.scenario))
        labels[column.name] = f"{old}, unchanged" if old == new else f"{old} → {new}"
    title = f"Why {moved.prediction:.0f} and not {moved.start_prediction:.0f}"
    title = "Nothing differs" if moved.start == moved.scenario else title
    _draw_details(session.COMPARISON, title, labels, moved.contributions, "Side by side", table)


def _draw_details(key, title, labels, contributions, table_title, rows, more=""):
    data = {
        "why": {
            "title": title,
            "bars": [
                {"label": f"{column.label} {labels[column.name]}", "value": round(contributions[column.name], 1)}
                for column in FEATURES
            ],
            "note": f"Exact Shapley contributions, {TARGET.unit}. Before rounding they add up to the difference.{more}",
        },
        "closest": {"title": table_title, "rows": rows},
    }
    _details(key=key, data=json.dumps(data))


@lru_cache(maxsize=4)
def _real_rows(model):
    """What the readout shows of the rows themselves, a part of many: the same for every answer of a model."""
    return {
        "row": ROW,
        "names": [row_name(row[ROW]) for row in model.some_records],
        "used": [round(row[TARGET.name]) for row in model.some_records],
        "rugs": {column.name: [row[column.name] for row in model.some_records] for column in FEATURES},
    }


def _texts(value, width):
    """Number and band ends as whole numbers, rounded here once so that the browser only looks up."""
    value, low, high = (np.rint(part).astype(int).tolist() for part in (value, value - width, value + width))
    return {"value": value, "low": low, "high": high}
