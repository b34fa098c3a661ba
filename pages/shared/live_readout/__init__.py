"""The live readout: number, band and response curves that follow the thumb without asking the server.

With the other inputs held, all that a slider can say is known before it is touched: it is the response curve at
the slider's own steps. The curves travel with each answer, and the browser looks the value up.
"""

from pathlib import Path

import numpy as np
import streamlit as st

from data.schema import FEATURES, ROW, TARGET, row_name

_HERE = Path(__file__).parent

# Styles are not isolated: on a phone the number must leave its column to stay in sight above the sliders.
# One sheet serves both, because it travels with each answer.
_readout = st.components.v2.component(
    "live_readout",
    js=(_HERE / "readout.js").read_text(encoding="utf-8"),
    css=(_HERE / "readout.css").read_text(encoding="utf-8"),
    isolate_styles=False,
)
_contributions = st.components.v2.component(
    "contributions", js=(_HERE / "contributions.js").read_text(encoding="utf-8"), isolate_styles=False
)


def live_readout(model, answer):
    """Draw the number, the band on the scale of the rows, and one response curve for each slider.

    Parameters
    ----------
    model : model.train.Model
    answer : model.predict.Prediction
    """
    width = answer.value - answer.low
    used = model.rows[TARGET.name]
    lowest = min(used.min(), *(curve.min() for curve in answer.curves.values())) - width
    highest = max(used.max(), *(curve.max() for curve in answer.curves.values())) + width
    _readout(
        key="live_readout",
        data={
            "now": _texts(answer.value, width),
            "unit": TARGET.unit,
            "coverage": f"{answer.coverage * 100:g} % band",
            "scale": [int(lowest // 100) * 100, int(-(-highest // 100)) * 100],
            "used": used.round().astype(int).tolist(),
            "names": [row_name(code) for code in model.rows[ROW]],
            "row": ROW,
            "curves": [
                {
                    "key": column.name,
                    "label": column.label,
                    "ends": [column.text_with_unit(column.low), column.text_with_unit(column.high)],
                    "start": column.low,
                    "step": column.step,
                    "at": answer.scenario[column.name],
                    "rug": model.rows[column.name].tolist(),
                    **_texts(answer.curves[column.name], width),
                }
                for column in FEATURES
            ],
        },
    )


def contributions(answer):
    """Draw the contributions as signed bars; a component, because stock charts flicker on each move."""
    _contributions(
        key="contributions",
        data={
            "title": f"Why {answer.value:.0f} and not the average {answer.average:.0f}",
            "bars": [
                {
                    "label": f"{column.label} {column.text_with_unit(answer.scenario[column.name])}",
                    "value": round(answer.contributions[column.name], 1),
                }
                for column in FEATURES
            ],
            "note": f"Exact Shapley contributions, {TARGET.unit}. Before rounding they add up to the difference.",
        },
    )


def _texts(value, width):
    """Number and band ends as whole numbers, rounded here once so that the browser only looks up."""
    low, high = np.rint([value - width, value + width]).astype(int).tolist()
    return {"value": np.rint(value).astype(int).tolist(), "low": low, "high": high}
