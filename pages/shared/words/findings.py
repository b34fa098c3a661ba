"""What the Explore page says about the rows that are shown, in Markdown."""

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from data.definition import Notes
from data.schema import COLUMNS, FEATURES, PERIOD, ROW, ROWS, TARGET, TARGET_UNIT, TILES, Column, row_name
from data.statistics import NUMBERS, variance_inflation
from model.fitting.errors import ModelError
from model.fitting.scores import Estimate
from model.fitting.train import Model
from pages.shared.words.wording import escape, standard_error_note

if TYPE_CHECKING:
    import pandas as pd

    from model.judging.regression import Regression
    from model.judging.survey import Survey

FloatArray = NDArray[np.float64]
_HIGH_INFLATION = 10  # variance inflation from which inputs cannot be told apart


def name_rows(model: Model, places: Sequence[int], n_named: int = 4) -> str:
    """Name some rows: the first few, then how many more."""
    names = [escape(row_name(model.records[index][ROW])) for index in places]
    if len(names) > n_named:
        names = [*names[: n_named - 1], f"{len(names) - n_named + 1:,} more"]
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def selection_in_words(model: Model, selected: Sequence[int], shown: Sequence[int]) -> str:
    """Say which rows are selected, and whether the filter hides some of them."""
    if not selected:
        return f":gray[No {ROW} is selected.]"
    hidden = len(selected) - len(shown)
    note = "hidden by the filter" if hidden == len(selected) else f"{hidden:,} of them hidden by the filter"
    note = f" :gray[({note})]" if hidden else ""
    return f"Selected: **{name_rows(model, selected)}**{note}"


def list_doubts(notes: Notes | None, rows: "pd.DataFrame") -> dict[int, list[str]]:
    """Return the doubts about the figures of rows: index of a row -> sentences."""
    doubts: dict[int, list[str]] = {}
    for doubt in notes.suspicious if notes else ():
        column = next(column for column in COLUMNS if column.name == doubt.column)
        text = f"{column.label} is probably {column.text_with_unit(doubt.likely)}"
        for index in rows.index[rows[ROW] == doubt.row]:
            doubts.setdefault(index, []).append(text)
    return doubts


def spread_in_words(column: Column, value: float, n_rows: int, n: int) -> str:
    """Say how many rows share the commonest value of a column."""
    if n == 1:
        return f"One {ROW}: {column.text(value)} {column.unit}".rstrip() + "."
    if column.choices:
        return f"{n_rows:,} of {n:,} {ROWS} have “{escape(column.text(value))}”, the commonest {column.label.lower()}."
    if n_rows == 1:
        return f"No two of the {n:,} {ROWS} have the same {column.label.lower()}."
    figure = f"{column.text(value)} {column.unit}".rstrip()
    return f"{n_rows:,} of {n:,} {ROWS} share a {column.label.lower()} of exactly {figure}."


def strongest_correlation(pearson: FloatArray, spearman: FloatArray, n_rows: int) -> str:
    """Say which input is most closely related to the target."""
    target = len(NUMBERS) - 1
    if not target:
        return "Every input is a category, and has no correlation."
    if np.isnan(pearson[target, :-1]).all():
        return "These rows vary too little for a correlation."
    strongest = int(np.nanargmax(np.abs(pearson[target, :-1])))
    if abs(pearson[target, strongest]) < 2 / np.sqrt(n_rows):
        return (
            f"No input is clearly related to {TARGET.label.lower()}: the largest correlation, of "
            f"{NUMBERS[strongest].label.lower()}, is {pearson[target, strongest]:.2f}, and below "
            f"{2 / np.sqrt(n_rows):.2f} it can be chance on {n_rows:,} {ROWS}."
        )
    sentence = (
        f"{TARGET.label} is most closely related to {NUMBERS[strongest].label.lower()}: "
        f"Pearson {pearson[target, strongest]:.2f}, Spearman {spearman[target, strongest]:.2f}."
    )
    return sentence + " Correlation is not causation."


def influential_rows(codes: Sequence[str], regression: "Regression") -> str:
    """Name the outliers and the row with the largest leverage."""
    outliers = np.flatnonzero(np.abs(regression.studentised) > regression.outlying).tolist()
    outlier_names = [
        f"**{escape(row_name(codes[i]))}** ({regression.studentised[i]:.2f} s.d., Cook’s distance "
        f"{regression.cook[i]:.2f})"
        for i in sorted(outliers, key=lambda i: -abs(regression.studentised[i]))[:5]
    ]
    outlier_sentence = f"No {ROW} is an outlier."
    if outliers:
        subject = "The one outlier is" if len(outliers) == 1 else f"{len(outliers):,} outliers, first of all"
        outlier_sentence = f"{subject} {', '.join(outlier_names)}."
    most_unusual, average = int(np.nanargmax(regression.leverage)), regression.high_leverage / 2
    unusual_name = f"**{escape(row_name(codes[most_unusual]))}**"
    if np.isnan(regression.cook[most_unusual]):
        return f"{outlier_sentence} Without {unusual_name} (leverage 1) there is no line at all."
    largest_cook = np.argsort(-regression.cook)[:3].tolist()
    movers = ", ".join(f"{escape(row_name(codes[i]))} {regression.cook[i]:.2f}" for i in largest_cook)
    return (
        f"{outlier_sentence} By Cook’s distance these move the line most: {movers}. {unusual_name} has the most "
        f"unusual inputs (leverage {regression.leverage[most_unusual]:.3g}, the average is {average:.3g}), with a "
        f"Cook’s distance of {regression.cook[most_unusual]:.2g}."
    )


def influence_thresholds(regression: "Regression") -> str:
    """Say what the picture of influence shows besides the points."""
    return (
        "Larger points have a larger Cook’s distance. Beyond the horizontal lines lies an outlier (5 %, Bonferroni "
        f"over {regression.n_rows:,} {ROWS}); right of the vertical one, more than twice the average leverage."
    )


def rows_to_notice(survey: "Survey", doubts: Mapping[int, Sequence[str]]) -> str:
    """Say in one line which rows have doubtful figures, and which row lies farthest from the line."""
    doubtful_indexes = [index for index in doubts if index in survey.rows.index]
    sentences = []
    if doubtful_indexes:
        sentences.append(
            f"\\* {name_rows(survey.model, doubtful_indexes)}: figures that are probably misprints, see About the data."
        )
    with contextlib.suppress(ModelError):
        farthest = survey.rows.index[int(np.nanargmax(np.abs(survey.regression.studentised)))]
        sentences.append(f"Farthest from the straight line: {name_rows(survey.model, [farthest])}.")
    return " ".join(sentences)


def suspicious_figures(notes: Notes, rows: "pd.DataFrame") -> str:
    """List the figures to doubt: as published, and as they probably were."""
    published = rows.drop_duplicates(ROW).set_index(ROW)
    columns = {column.name: column for column in COLUMNS}
    return "\n".join(
        f"- **{row_name(doubt.row)}, {columns[doubt.column].label.lower()}**: "
        f"{columns[doubt.column].text_with_unit(published.loc[doubt.row, doubt.column])} as published, probably "
        f"{columns[doubt.column].text_with_unit(doubt.likely)}; {doubt.why}"
        for doubt in notes.suspicious
    )


def fit_in_words(regression: "Regression") -> str:
    """Say how well the straight line fits, and how to read the table of its coefficients."""
    n_inputs = len(regression.coefficients) - 1
    return (
        f"Coefficients in {TARGET_UNIT}, for each step named in the first column. "
        f"R² {regression.r2:.3f} (adjusted {regression.adjusted_r2:.3f}), residual s.d. "
        f"{TARGET.estimate(regression.deviation, n_more=1)}, F {regression.f:.1f} on {n_inputs} and "
        f"{regression.df:,} degrees of freedom, n = {regression.n_rows:,} {ROWS}. "
        "VIF is variance inflation: 1 means none; above 5, the inputs are hard to tell apart."
    )


def importance_note(model: Model) -> str:
    """Say what the picture of importances measures."""
    return (
        f"How much worse the model ({model.label}) predicts when each {ROW} gets another {ROW}’s value of an input. "
        f"{standard_error_note()}"
    )


def shared_importance(pearson: FloatArray) -> str:
    """Say which inputs are so closely related that they share their importance; empty if none are."""
    inflation = variance_inflation(pearson[:-1, :-1])
    shared = [
        column.label.lower() for column, vif in zip(NUMBERS[:-1], inflation, strict=True) if vif >= _HIGH_INFLATION
    ]
    if not shared:
        return ""
    if len(shared) == 1:
        subject, relation = shared[0], "nearly follows from the other inputs"
    else:
        subject, relation = f"{', '.join(shared[:-1])} and {shared[-1]}", "nearly follow from each other"
    return (
        f"{subject[0].upper()}{subject[1:]} {relation} (variance inflation above {_HIGH_INFLATION}). Such inputs share "
        "their importance: exchanged alone, each seems to matter less, or more, than the group does."
    )


def misleading_importance(held_out: Mapping[str, Estimate], in_sample: Mapping[str, Estimate]) -> str:
    """Say where the importance on the model's own rows is no guide; empty if it is nowhere clearly larger."""
    excess = {
        column: in_sample[column.name].value - held_out[column.name].value
        for column in FEATURES
        if in_sample[column.name].value - held_out[column.name].value
        > 2 * np.hypot(in_sample[column.name].standard_error, held_out[column.name].standard_error)
    }
    if not excess:
        return ""
    inflated = max(excess, key=excess.__getitem__)
    own, unseen = (rises[inflated.name].value for rises in (in_sample, held_out))
    return (
        "The grey bars mislead: on rows that the model was fitted to, it leans on what it has learned by heart, so "
        f"exchanging an input looks worse than it is for new rows. {inflated.label}: {TARGET.estimate(own)} on its own "
        f"rows, {TARGET.estimate(unseen)} on rows it has not seen{TARGET.unit_note}."
    )


def provenance(notes: Notes | None, model: Model) -> str:
    """Say where the rows come from."""
    if notes:
        return f"{notes.source} {notes.period}"
    sha256 = model.metadata.data.sha256
    return f"Nothing is known about these {len(model.rows):,} {ROWS} beyond the file itself, SHA-256 `{sha256[:16]}…`."


def rows_in_words(n: int) -> str:
    """Say how many rows there are, and what was measured for each."""
    inputs = ", ".join(column.label.lower() for column in FEATURES)
    return (
        f"{n:,} {ROWS}{PERIOD and f', {PERIOD}'}. For each: {inputs}, and {TARGET.label.lower()}. "
        f"Click a {'tile, a ' if TILES else ''}point or a row, and that {ROW} lights up everywhere."
    )


def column_meanings() -> str:
    """Say what was measured, column by column."""
    return "  \n".join(f"**{column.label}**: {column.help}" for column in COLUMNS if column.help)


def curves_note(column: Column) -> str:
    """Say what the three curves are, or the marks of a category."""
    if column.choices:
        return (
            f"The mean {TARGET.label.lower()} of the {ROWS} with each choice, and where the true mean may lie (95 %), "
            f"not where {ROWS} lie. The model’s mark is its answer on average over them with that one input set to "
            "each choice. Neither shows cause and effect."
        )
    return (
        f"The straight line relates {column.label.lower()} alone to the {TARGET.label.lower()} of these {ROWS}. "
        f"The grey band is where the line itself may lie (95 % at each value), not where {ROWS} lie. "
        "The model’s curve is its answer on average over them with that one input set to each value. "
        "Neither shows cause and effect."
    )
