"""A scenario as a document to hand on."""

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.schema import FEATURES, PAST, QUESTION, ROW, ROWS, TARGET, TITLE, Column, row_name
from model.answering.change import Change, ChangeBand, agreement_in_words, amount_in_words, bands
from model.answering.prediction import Prediction
from model.fitting.algorithms import ALGORITHMS
from model.fitting.train import Model
from model.judging.document import Frame, list_points, write_document, write_table

FloatArray = NDArray[np.float64]
_N_STEPS = 9  # of a slider at which the interval of the change is drawn


def write_report(model: Model, answer: Prediction, change: Change, start: str, link: str = "") -> str:
    """Write a report of a scenario and its change from a start.

    Parameters
    ----------
    answer, change
        From `model.answering.change.predict_with_change`, with all curves.
    start
        What the start is called.
    link
        Address of the scenario in the app; empty where that is not known.

    Returns
    -------
    str
        HTML without scripts and without anything that is fetched.
    """
    version = f"version {model.version}" if model.version else "the shipped model"
    sections = {
        "": _write_answer(answer, change, start),
        "Inputs": _write_inputs(change, start),
        "Along each input": _write_curves(model, answer, change),
        "How sure the change is": _write_sureness(change),
        f"The nearest {ROWS}": _write_neighbours(model, answer),
        "The model": _write_model(model, answer),
    }
    return write_document(QUESTION, f"{TITLE}, answered by {version}", sections, "The scenario in the app", link)


def _signed(amount: float) -> str:
    return TARGET.estimate(amount, "+").replace("-", "−")


def _write_answer(answer: Prediction, change: Change, start: str) -> str:
    ends = f"{TARGET.estimate(answer.low)} to {TARGET.estimate(answer.high)}"
    interval = f"{answer.level * 100:g} % interval {ends}"
    number = f'<div class="number">{TARGET.estimate(answer.value)}</div><div>{escape(TARGET.unit)} ({interval})</div>'
    rows = f"close to real {ROWS}" if answer.support == "near" else f"{answer.support} from every real {ROW}"
    sentences = [f"The scenario is {rows}."]
    if change.start == change.scenario:
        return f"{number}<p>This is {escape(start)} itself. {escape(sentences[0])}</p>"
    than = "than" if TARGET.round(change.value) else "from"
    before = TARGET.estimate(change.start_prediction)
    if change.observed is not None:
        about, was = TARGET.estimate(change.observed + change.value), TARGET.estimate(change.observed)
        sentences.append(f"{start} {PAST} {was}; if the model’s miss stays, it would be about {about}.")
    moved = f"<b>{escape(amount_in_words(change.value))}</b> {than} {escape(start)} ({before})"
    return f"{number}<p>{moved}. {escape(' '.join(sentences))}</p>"


def _write_inputs(change: Change, start: str) -> str:
    widest = max(map(abs, change.reasons.contributions.values()), default=0.0) or 1.0
    rows = []
    for column in FEATURES:
        old, new = (escape(column.text_with_unit(values[column.name])) for values in (change.start, change.scenario))
        amount = change.reasons.contributions[column.name]
        kind, width = "bar more" if amount > 0 else "bar", round(90 * abs(amount) / widest)
        bar = f'<span class="{kind}" style="width: {width}px"></span> {_signed(amount)}'
        rows.append([escape(column.label), old, new, bar if old != new else ""])
    adds = f"Adds to the change{escape(TARGET.unit_note)}"
    headings = ["Input", escape(start[:1].upper() + start[1:]), "Scenario", adds]
    error = change.reasons.sampling_error
    note = f"sampled, standard error {TARGET.estimate(error)}" if error else "exact Shapley values"
    together = f"What each adds: {note}; together the change of {_signed(change.value)}."
    return f'{write_table(headings, rows)}<p class="grey">{together}</p>'


def _write_curves(model: Model, answer: Prediction, change: Change) -> str:
    drawn = [column for column in FEATURES if column.name in answer.curves]
    band_of = bands(model, change.start, change.scenario, answer.level, _N_STEPS) if model.refits else {}
    ends = [*answer.curves.values()] + [
        change.start_prediction + part for band in band_of.values() for part in (band.low, band.high)
    ]
    span = float(min(part.min() for part in ends)), float(max(part.max() for part in ends))
    figures = [
        f"<figure>{_draw_curve(column, answer, change, band_of.get(column.name), span)}"
        f"<figcaption>{escape(column.label)}{escape(column.unit_note)}</figcaption></figure>"
        for column in drawn
    ]
    shaded = f"; shaded, where the change from the start may lie ({answer.level * 100:g} %)" if band_of else ""
    note = escape(f"The prediction{TARGET.unit_note} along each input, the others held{shaded}.")
    return f'<div class="curves">{"".join(figures)}</div><p class="grey">{note}</p>'


def _draw_curve(
    column: Column, answer: Prediction, change: Change, band: ChangeBand | None, span: tuple[float, float]
) -> str:
    curve, frame = answer.curves[column.name], Frame(column, span)
    last = max(len(curve) - 1, 1)

    def x(step: Any) -> Any:
        return frame.x(step / last)

    y = frame.y
    points = [(x(step), y(value)) for step, value in enumerate(curve)]
    parts = []
    if band is not None:
        upper, lower = (
            [(x(step), y(change.start_prediction + end)) for step, end in zip(band.steps, ends, strict=True)]
            for ends in (band.high, band.low)
        )
        if column.choices:
            bars = ((left, top, max(1.0, bottom - top)) for (left, top), (_, bottom) in zip(upper, lower, strict=True))
            parts += [
                f'<rect class="band" x="{left - 4:.1f}" y="{top:.1f}" width="8" height="{height:.1f}"/>'
                for left, top, height in bars
            ]
        else:
            parts.append(f'<polygon class="band" points="{list_points([*upper, *lower[::-1]])}"/>')
    if column.choices:
        parts += [
            f'<circle class="choice" cx="{cx:.1f}" cy="{cy:.1f}" r="3.5"><title>{escape(label)}</title></circle>'
            for label, (cx, cy) in zip(column.choices, points, strict=True)
        ]
    else:
        parts.append(f'<polyline class="line" points="{list_points(points)}"/>')
    for kind, values in (("from", change.start), ("to", change.scenario)):
        step = (values[column.name] - column.low) / column.step
        if 0 <= step <= last:  # a start may lie beyond the slider
            value = float(np.interp(step, np.arange(len(curve)), curve))
            parts.append(f'<circle class="{kind}" cx="{x(step):.1f}" cy="{y(value):.1f}" r="4.5"/>')
    said = f"from {TARGET.estimate(curve[0])} to {TARGET.estimate(curve[-1])} {TARGET.unit}"
    if column.choices:
        pairs = zip(column.choices, curve, strict=True)
        said = f"{', '.join(f'{label} {TARGET.estimate(value)}' for label, value in pairs)} {TARGET.unit}"
    written = f'<p class="grey">{escape(said.rstrip())}</p>' if column.choices else ""
    return frame.draw(parts, f"{column.label}: {said}".rstrip()) + written


def _write_sureness(change: Change) -> str:
    if change.start == change.scenario:
        return ""
    if change.low is None or change.high is None:
        return "<p>Not known: this version has no refits.</p>"
    stretched = ", stretched to hold the change" if change.is_stretched else ""
    interval = f"{amount_in_words(change.low)} to {amount_in_words(change.high)}{stretched}"
    others = [[escape(ALGORITHMS[name].label), _signed(value)] for name, value in change.others.items()]
    table = write_table(["What other algorithms say", f"Change{escape(TARGET.unit_note)}"], others)
    agreement = escape(agreement_in_words(change))
    return f"<p>{change.level * 100:g} % interval of the change: {escape(interval)}. {agreement}.</p>{table}"


def _write_neighbours(model: Model, answer: Prediction) -> str:
    rows = []
    for neighbour in answer.nearest:
        record = model.records[neighbour.index]
        figures = [escape(column.text(record[column.name])) for column in FEATURES]
        observed = TARGET.text(record[TARGET.name])
        rows.append([escape(row_name(neighbour.name)), f"{neighbour.distance:.1f}", observed, *figures])
    titles = [escape(f"{column.short_label}{column.short_unit_note}") for column in FEATURES]
    return write_table(
        [escape(ROW.capitalize()), "s.d. away", escape(f"{PAST}{TARGET.short_unit_note}"), *titles], rows
    )


def _write_model(model: Model, answer: Prediction) -> str:
    metadata = model.metadata
    parameters = ", ".join(f"{name} {value:g}" for name, value in metadata.recipe.parameters.items()) or "none"
    facts = (
        f"{model.label}; parameters: {parameters}; seed {metadata.recipe.seed}. Trained {metadata.trained_at[:10]} on "
        f"{metadata.data.n_rows:,} {ROWS}, SHA-256 {metadata.data.sha256[:16]}…"
    )
    rows = []
    for name, score in metadata.scores.items():
        figures = [
            f"{TARGET.estimate(estimate.value, n_more=1)} ± {TARGET.estimate(estimate.standard_error, n_more=1)}"
            for estimate in (score.mae, score.rmse)
        ]
        label = "this model" if name == "model" else ALGORITHMS[name].label
        rows.append([escape(label), *figures, f"{score.r2.value:.2f}".replace("-", "−")])
    (interval,) = (interval for interval in answer.intervals if interval.level == answer.level)
    sentences = [f"It learned from {ROWS} side by side; it does not show what a change would cause."]
    if interval.held_by_chance:
        low, high = interval.held_by_chance
        expected = f"{interval.held_expected:,.0f} were expected, and chance alone gives {low:,} to {high:,}"
        held = f"the interval held {interval.nested_held:,.0f}; {expected}."
        sentences.insert(0, f"Of {interval.n_rows:,} {ROWS} that set neither fit nor width, {held}")
    unit = escape(TARGET.unit_note)
    scores = write_table(["Out of fold", f"Typical miss, MAE{unit}", f"RMSE{unit}", "R²"], rows)
    return f'<p>{escape(facts)}</p>{scores}<p class="grey">{escape(" ".join(sentences))}</p>'
