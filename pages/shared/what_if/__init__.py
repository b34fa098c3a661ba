"""The What-if page in the browser: a row of slider and curve for each input, and the card that follows the thumb.

With the other inputs held, all that a slider can say is known before it is touched: the response curve at the slider's
own steps, with the interval of the change at some of them. Both travel with each answer, and the browser looks values
up. The browser owns the inputs: each of its messages carries the whole scenario and a number that grows. Of many inputs
those that matter most are in sight; the others are folded, and have no curves until they are opened.
"""

import hashlib
import json
import math
import re
from functools import cache, lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from data.schema import FEATURES, PAST, ROW, ROWS, TARGET, VERB, Column, row_name
from model.answering.change import Change, bands, refits_either_side
from model.answering.prediction import Neighbour, Prediction, curve_support
from model.fitting.algorithms import ALGORITHMS
from model.fitting.interval import possible_levels
from model.fitting.train import Model
from pages.shared import metrics, session
from pages.shared.controls import Inputs, Start, find_start, list_starts
from pages.shared.words import wording

_HERE = Path(__file__).parent
_MODULES = (
    "numbers",
    "curves",
    "address",
    "drawing",
    "rows",
    "card",
    "contour",
    "main",
)  # each uses only those before it
_SHEETS = "style.css", "details.css"
_STYLING = """const styles = document.getElementById("wi-styles") ?? document.createElement("style");
document.body.append(Object.assign(styles, { id: "wi-styles", textContent: %s }));"""
_IN_SIGHT = 6  # inputs; of more, those that matter most to the model
# Decimals of a curve's values in the browser, which rounds them to those that are shown; whole numbers have 15 digits.
_DIGITS = min(TARGET.decimals + 3, 14 - math.ceil(math.log10(max(abs(TARGET.low), abs(TARGET.high), 1))))
_N_COARSE, _LEAST_COARSE = 36, 5  # steps of all sliders, and of one, at which the change's interval is known in a drag


@cache
def bundle_script() -> str:
    """Join all modules and the style sheets into one script; no two modules export the same name.

    The sheets are in the page before sliders and card are drawn: as elements of their own they came after it where a
    browser was busy, and what was aimed at had moved away.
    """
    text = "\n".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in _MODULES)
    lines = (line.strip() for line in text.splitlines())
    code = [line for line in lines if line and not line.startswith(("//", "import "))]
    code = [re.sub(r"^export (?!default)", "", line) for line in code]
    sheets = "\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SHEETS)
    return "\n".join([*code, _STYLING % json.dumps(sheets), "export { contour };"]) + "\n"


def inline_script(name: str) -> str:
    """Return the script with one of its exports as the default, for a page without routes."""
    if name == "default":
        return bundle_script()
    return bundle_script().replace("export default ", "").replace(f"export {{ {name} }};", f"export default {name};")


def script_address() -> str:
    """Return where the script is, relative to the app."""
    return f"parts/what_if-{hashlib.sha256(bundle_script().encode()).hexdigest()[:16]}.js"


async def _send_script(request: Request) -> Response:
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}  # another script would have another address
    return Response(bundle_script(), media_type="text/javascript", headers=headers)


def routes(bases: set[str]) -> list[Route]:
    """Return the routes that serve the script, so that it does not travel with each answer."""
    _served.append(True)
    return [Route(f"{base}/{script_address()}", _send_script) for base in bases]


_served: list[bool] = []  # not empty in a server with those routes; `streamlit run` has none


# Styles are not isolated: a part of the card must leave it on a phone, to stay in sight above the sliders.
_LOADER = "const part = await import(new URL('{address}', document.baseURI));\nexport default part.{name};\n"


@cache
def make_component(name: str) -> Any:
    """Make a component of what the script exports under a name: ``"default"`` or ``"contour"``."""
    text = _LOADER.format(address=script_address(), name=name) if _served else inline_script(name)
    return st.components.v2.component(f"what_if_{name}", js=text, isolate_styles=False)


def list_open_inputs(model: Model, *, is_rest_open: bool) -> list[int]:
    """List the inputs whose rows the browser shows: all, or of many those that matter most while the rest is folded."""
    order = _order(model)
    return order if is_rest_open else order[:_IN_SIGHT]


def _order(model: Model) -> list[int]:
    """Return the inputs as the table has them, or if they are many, as they matter to the model."""
    return model.ranked_inputs if len(FEATURES) > _IN_SIGHT else list(range(len(FEATURES)))


class Beside(NamedTuple):
    """What another version says: its number and label, its answer, and its prediction at the start."""

    number: int
    label: str
    answer: Prediction
    before: float


def draw_what_if(
    model: Model, inputs: Inputs, answer: Prediction, moved: Change, link: str, known: str, beside: Beside | None = None
) -> None:
    """Draw the rows and the card.

    Parameters
    ----------
    inputs
        Where the sliders are.
    answer, moved
        The prediction there, and the change from the start.
    link
        Parameters of a link to it, apart from the inputs.
    known
        Identity of the rows that the browser already has.
    beside
        What another version says of the same inputs.
    """
    rows = _rows(model)
    start = find_start(model, inputs.start)
    data = {
        "id": rows["id"],
        "epoch": inputs.epoch,
        "seq": inputs.seq,
        "values": list(inputs.scenario.values()),
        "start": _start(start),
        "level": answer.level,  # perhaps lower than the chosen one, if there are few rows
        "answer": _answer(model, answer, moved, link, beside),
        "beside": beside.number if beside else 0,
    }
    if known != rows["id"]:
        data["model"] = rows
    make_component("default")(
        key=session.WHAT_IF, data=json.dumps(data, separators=(",", ":")), on_scenario_change=metrics.begin_move
    )


def _start(start: Start) -> dict[str, Any]:
    start_data: dict[str, Any] = {"code": start.code, "name": start.name, "values": list(start.scenario.values())}
    return start_data if start.observed is None else start_data | {"observed": start.observed}


def _sample(model: Model) -> str:
    n_all, n = len(model.rows), len(model.background)
    return f"The average is over a fixed random sample of {n:,} of the {n_all:,} {ROWS}." if n < n_all else ""


def describe_column(column: Column) -> dict[str, Any]:
    """Describe an input for the browser."""
    described = {
        "name": column.name,
        "key": session.INPUT_KEYS[column.name],
        "label": column.label,
        "short": column.short_label,
        "unit": column.unit,
        "template": column.template,
        "help": column.help,
        "low": column.low,
        "high": column.high,
        "step": column.step,
        "scale": column.scale,
        "decimals": column.decimals,
    }
    return described | ({"choices": column.choices} if column.choices else {})


@lru_cache(maxsize=4)
def _rows(model: Model) -> dict[str, Any]:
    """What the page shows of the inputs and the rows, of many rows a part: the same for every answer of a model."""
    records = model.listed_records
    rows = {
        "unit": TARGET.unit,
        "decimals": TARGET.decimals,
        "digits": _DIGITS,
        "row": ROW,
        "verb": VERB,
        "past": PAST,
        "rows": ROWS,
        "order": _order(model),
        "inSight": _IN_SIGHT,
        "inputs": [describe_column(column) for column in FEATURES],
        "starts": [_start(start) for start in list_starts(model)],
        "levels": list(possible_levels(len(model.distinct))),
        "isWhole": len(records) == len(model.rows),
        "sample": _sample(model),
        "target": TARGET.short_label,
        "deviations": model.scale.tolist(),
        "names": [row_name(str(row[ROW])) for row in records],
        "used": [row[TARGET.name] for row in records],
        "X": [[row[column.name] for column in FEATURES] for row in records],
    }
    identity = hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]
    return {"id": identity} | rows


def _answer(model: Model, answer: Prediction, moved: Change, link: str, beside: Beside | None = None) -> dict[str, Any]:
    width = answer.value - answer.low
    drawn = [i for i, column in enumerate(FEATURES) if column.name in answer.curves]
    n_steps = max(_LEAST_COARSE, _N_COARSE // len(drawn))  # so that more inputs do not make a move slower
    interval_bands = bands(model, moved.start, moved.scenario, answer.level, n_steps, drawn) if model.refits else {}
    supports = curve_support(model, np.array(list(answer.scenario.values())), drawn)
    curves: list[dict[str, Any] | None] = []
    for column in FEATURES:
        if column.name not in answer.curves:
            curves.append(None)
            continue
        curve: dict[str, Any] = {"value": _in_steps(answer.curves[column.name])}
        curve["support"] = [(level[0], len(list(run))) for level, run in groupby(supports[column.name].tolist())]
        if column.name in interval_bands:
            band = interval_bands[column.name]
            curve["band"] = {"steps": band.steps, "low": _in_steps(band.low), "high": _in_steps(band.high)}
            curve["band"]["counts"] = band.counts
        curves.append(curve)
    now = {"value": answer.value, "change": moved.value, "support": answer.support}
    if moved.below is not None and moved.above is not None:
        now |= {"low": moved.low, "high": moved.high, "isStretched": moved.is_stretched}
        now["counts"] = refits_either_side(moved.below, moved.above)
    data = {
        "whySampled": wording.how_reasons_were_found(moved.reasons) if moved.reasons.sampling_error else "",
        "now": now,
        "before": moved.start_prediction,
        "width": width,
        "curves": curves,
        "domain": _domain(answer, moved, interval_bands, beside),
        "scale": _scale(model, answer, width),
        "contributions": list(moved.reasons.contributions.values()),
        "closest": [_closest(model, neighbour) for neighbour in answer.nearest],
        "note": wording.card_note(model, answer),
        "link": link,
    }
    if answer.reasons:
        data["average"], data["reasons"] = answer.reasons.base, list(answer.reasons.contributions.values())
        data["sampled"] = wording.how_reasons_were_found(answer.reasons)
    if beside:
        data["beside"] = {
            "label": beside.label,
            "value": beside.answer.value,
            "before": beside.before,
            "curves": [
                _in_steps(beside.answer.curves[column.name]) if column.name in beside.answer.curves else None
                for column in FEATURES
            ],
        }
    if moved.others:
        data["others"] = {ALGORITHMS[name].label: change for name, change in moved.others.items()}
    return data


def _closest(model: Model, neighbour: Neighbour) -> dict[str, Any]:
    row = model.records[neighbour.index]
    figures = {"used": row[TARGET.name], "values": [row[column.name] for column in FEATURES]}
    return {"place": neighbour.index, "name": row_name(neighbour.name), "distance": neighbour.distance} | figures


def _in_steps(values: NDArray[np.float64]) -> list[int]:
    """Write a curve as what each value adds to the one before, in units of the last digit: short, and mostly zero."""
    return np.diff(np.rint(values * 10.0**_DIGITS).astype(np.int64), prepend=0).tolist()


def _domain(answer: Prediction, moved: Change, interval_bands: dict[str, Any], beside: Beside | None) -> list[float]:
    """Ends of the y axis that all curves share, and that they and their intervals fill."""
    ends = [*answer.curves.values(), *(beside.answer.curves.values() if beside else ())]
    for band in interval_bands.values():
        ends += [moved.start_prediction + band.low, moved.start_prediction + band.high]
    low, high = min(values.min() for values in ends), max(values.max() for values in ends)
    return [float(low - 0.04 * (high - low)), float(high + 0.04 * (high - low))]


def _scale(model: Model, answer: Prediction, width: float) -> list[float]:
    """Ends of the scale of the rows: round numbers, which move only if a value would be beyond them."""
    targets = _rows(model)["used"]
    low = min(*targets, *(curve.min() for curve in answer.curves.values())) - width
    high = max(*targets, *(curve.max() for curve in answer.curves.values())) + width
    power = 10.0 ** np.floor(np.log10(max(high - low, 1e-9) / 2))
    return [float(np.floor(low / power) * power), float(np.ceil(high / power) * power)]
