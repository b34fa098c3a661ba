"""An answer as sentences and small tables, in Markdown."""

import contextlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from data.notes import Notes
from data.schema import COLUMNS, FEATURES, PERIOD, ROW, ROWS, TARGET, Column, row_name
from data.statistics import variance_inflation
from model.answering.change import Change, agreement_in_words, amount_in_words
from model.answering.prediction import Prediction
from model.fitting.algorithms import ALGORITHMS
from model.fitting.errors import ModelError
from model.fitting.scores import Estimate
from model.fitting.train import Model
from model.judging.regression import Regression
from model.judging.survey import Survey

if TYPE_CHECKING:
    import pandas as pd

_SHARED = 10  # variance inflation from which inputs cannot be told apart


def plain(text: str) -> str:
    """Text from a file as it stands, with nothing in it read as Markdown, as an icon, a colour or a link."""
    # The browser's part looks for icons, colours, arrows and addresses even where Markdown does not.
    text = re.sub(r"(?i):(?=[a-z/])|www(?=\.)|@|<(?=-)|-(?=>)", "\\g<0>\N{WORD JOINER}", str(text))
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])", r"\\\1", " ".join(str(text).split()))


def note(model: Model, answer: Prediction) -> str:
    """Say what the interval means, where the scenario stands, and what the number is not, as plain text."""
    beyond = ""
    if answer.support != "near":
        distance = f"The closest {ROW} is {answer.nearest[0].distance:.1f} s.d. away"
        beyond = f"{distance}{_how_far(model, answer)}. {_beyond(model, answer)} "
    return f"{interval_in_words(answer)} {beyond}{limits_of(model)}"


def answer_in_words(model: Model, answer: Prediction) -> str:
    """Say the number, how far it can be believed, and which real row is like it, in Markdown."""
    nearest = answer.nearest[0]
    used = model.records[nearest.index][TARGET.name]
    sentences = [f"About **{answer.value:.0f} {TARGET.unit}**.", interval_in_words(answer)]
    if answer.support == "near":
        sentences.append(
            f":primary-badge[close to real {ROWS}] Closest is {plain(row_name(nearest.name))} "
            f"({nearest.distance:.1f} s.d. away), which used {used:.0f}."
        )
    else:
        colour = "red" if answer.support == "very far" else "orange"
        sentences.append(
            f":{colour}-badge[{answer.support} from every {ROW}] The closest, {plain(row_name(nearest.name))}, "
            f"which used {used:.0f}, is {nearest.distance:.1f} s.d. away{_how_far(model, answer)}. "
            f"{_beyond(model, answer)}"
        )
    return " ".join(sentences)


def _how_far(model: Model, answer: Prediction) -> str:
    """Say which of the two limits a scenario is beyond."""
    if answer.nearest[0].distance > model.far[1]:
        return f", farther than any {ROW} is from its nearest neighbour"
    unusual = f"its inputs together are more unusual than those of any {ROW} (leverage {answer.leverage:.2f}, theirs "
    unusual += f"at most {model.most_leverage:.2f})"
    if answer.support == "far":
        return f", farther than 95 % of the {ROWS} are from their nearest neighbour"
    return f", and {unusual}"


def _beyond(model: Model, answer: Prediction) -> str:
    """Say what the interval is worth beyond the rows."""
    sentence = "The interval does not widen for that"
    if (coverage := model.metadata.coverage) and (beyond := coverage.beyond):
        held = next((each.held for each in beyond.held if each.level == answer.level), None)
        column = next(column for column in FEATURES if column.name == beyond.input)
        if held is not None:
            sentence += (
                f": of the {beyond.n_rows:,} {ROWS} with the {beyond.end} {column.label.lower()}, left out "
                f"of the fit together, it held {held:,}"
            )
    flat = f" A {model.label} cannot go beyond the {ROWS}: farther out it answers as at their edge."
    return f"{sentence}.{flat if ALGORITHMS[model.metadata.recipe.algorithm].is_flat_beyond else ''}"


def change_in_words(change: Change, start: str = "where the sliders were") -> str:
    """Say how the prediction changes from a start, and how sure that is."""
    text = f"**{amount_in_words(change.value)}** than {start}" if round(change.value) else f"**No change** from {start}"
    if change.low is None or change.high is None:
        return f"{text}. How sure that is cannot be said yet: this version has no refits, which are made by a job."
    stretched = ", stretched to hold the change" if change.is_stretched else ""
    ends = f"{amount_in_words(change.low)} to {amount_in_words(change.high)}{stretched}"
    return f"{text} ({change.level * 100:g} %: {ends}). {agreement_in_words(change)}."


def limits_of(model: Model) -> str:
    """Say what the number is not, and which directions of the curves were assumed."""
    text = f"The model learned from {ROWS} side by side; it does not show what a change would cause."
    if directions := directions_of(model):
        text += f" Assumed, not found: {'; '.join(directions)}."
    return text


def directions_of(model: Model) -> list[Any]:
    """What is built into the model of the schema's known directions, a clause each."""
    if not ALGORITHMS[model.metadata.recipe.algorithm].holds_directions:
        return []
    return [
        f"the prediction never {'falls' if column.direction > 0 else 'rises'} with {column.label.lower()}"
        for column in FEATURES
        if column.direction
    ]


_OF_TEN = {0.8: "8 in 10", 0.9: "9 in 10", 0.95: "19 in 20"}


def interval_in_words(answer: Prediction) -> str:
    """Say what width and level of the interval mean, and what was measured of it."""
    (of_level,) = (each for each in answer.intervals if each.level == answer.level)
    width = (
        f"±{of_level.half_width:.0f}: set so that {_OF_TEN[answer.level]} errors on {ROWS} that the model had not "
        "seen stay inside."
    )
    if of_level.held_by_chance is None:
        return f"{width} How many it holds that set neither fit nor width was not measured."
    low, high = of_level.held_by_chance
    return (
        f"{width} Counted on {ROWS} that set neither fit nor width: {of_level.nested_held:.0f} of "
        f"{of_level.n_rows:,} ({of_level.held_expected:.0f} expected; chance alone gives {low:,} to {high:,})."
    )


def trust_table(model: Model) -> list[dict[str, str]]:
    """Typical miss of the model beside least squares and the average, a row each: column heading -> Markdown."""
    table = []
    for name, score in model.metadata.scores.items():
        miss, square = (f"{each.value:.0f} ± {each.standard_error:.0f}" for each in (score.mae, score.rmse))
        label = f"This {model.label}, cross-validated" if name == "model" else ALGORITHMS[name].label.capitalize()
        table.append({"Model": label, "Typical miss": f"**{miss}**", "Root mean square": square})
    return table


def trust_in_words(model: Model) -> str:
    """Say whether the scores tell the model from a straight line, and from the average."""
    metadata = model.metadata
    verdicts = {name: metadata.mae_difference[name].verdict for name in ("least_squares", "mean")}
    n = metadata.data.n_rows
    unit = TARGET.unit
    line = {
        0: f"On {n:,} {ROWS}, this model and a straight line (least squares) cannot be told apart.",
        -1: f"On {n:,} {ROWS}, this model misses by less than a straight line (least squares).",
        1: f"On {n:,} {ROWS}, a straight line (least squares) misses by less than this model.",
    }[verdicts["least_squares"]]
    if metadata.recipe.algorithm == "least_squares":
        line = "This model is the straight line."
    average = {
        0: "It cannot be told from always answering the average.",
        -1: "It misses by less than always answering the average.",
        1: "Always answering the average would miss by less.",
    }[verdicts["mean"]]
    return f"{line} {average} Figures in {unit}. {standard_error()}"


def standard_error() -> str:
    """Say what ± is worth: with a known truth it was 1.1 to 1.4 times as large, see ``docs/method.md``."""
    return f"± is one standard error for these {ROWS} and folds; in simulations the true one was up to 1.4 times it."


def model_facts(model: Model) -> str:
    """Where the model comes from, as a Markdown list."""
    metadata = model.metadata
    parameters = ", ".join(f"{name} {value}" for name, value in metadata.recipe.parameters.items()) or "none"
    folds = metadata.folds
    libraries = ", ".join(f"{name} {version}" for name, version in metadata.libraries.items())
    facts = [
        f"**Algorithm** {model.label}; parameters: {parameters}; seed {metadata.recipe.seed}",
        f"**Data** {metadata.data.n_rows:,} {ROWS}, SHA-256 `{metadata.data.sha256[:16]}…`",
        f"**Scored on** {folds.n_repeats} × {folds.n_splits}-fold cross-validation",
        f"**Trained** {metadata.trained_at[:10]} with {libraries}",
    ]
    if directions := directions_of(model):
        facts.insert(1, f"**Assumed, not found** {'; '.join(directions)}")
    return "\n".join(f"- {fact.replace('_', ' ')}" for fact in facts)


def names(model: Model, places: Sequence[int], n_named: int = 4) -> str:
    """Name some rows: the first few, then how many more."""
    named = [plain(row_name(model.records[place][ROW])) for place in places]
    if len(named) > n_named:
        named = [*named[: n_named - 1], f"{len(named) - n_named + 1:,} more"]
    return " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def selection(model: Model, selected: Sequence[int], shown: Sequence[int]) -> str:
    """Say which rows are selected, and whether the filter hides some of them."""
    if not selected:
        return f":gray[No {ROW} is selected.]"
    hidden = len(selected) - len(shown)
    note = "hidden by the filter" if hidden == len(selected) else f"{hidden:,} of them hidden by the filter"
    note = f" :gray[({note})]" if hidden else ""
    return f"Selected: **{names(model, selected)}**{note}"


def doubts(notes: Notes | None, rows: "pd.DataFrame") -> dict[int, list[str]]:
    """Place of a row -> list of what is to be doubted in it."""
    found: dict[int, list[str]] = {}
    for doubt in notes.suspicious if notes else ():
        column = next(column for column in COLUMNS if column.name == doubt.column)
        text = f"{column.label} is probably {column.text_with_unit(doubt.likely)}"
        for place in rows.index[rows[ROW] == doubt.row]:
            found.setdefault(place, []).append(text)
    return found


def spread(column: Column, value: float, n_rows: int, n: int) -> str:
    """Say how many rows share the commonest value of a column."""
    if n == 1:
        return f"One {ROW}: {column.text(value)} {column.unit}."
    if n_rows == 1:
        return f"No two of the {n:,} {ROWS} have the same {column.label.lower()}."
    return f"{n_rows:,} of {n:,} {ROWS} share a {column.label.lower()} of exactly {column.text(value)} {column.unit}."


def strongest(pearson: NDArray[np.float64], spearman: NDArray[np.float64], n_rows: int) -> str:
    """Say which input goes together with the target most."""
    last = len(COLUMNS) - 1
    if np.isnan(pearson[last, :-1]).all():
        return "These rows vary too little for a correlation."
    best = int(np.nanargmax(np.abs(pearson[last, :-1])))
    if abs(pearson[last, best]) < 2 / np.sqrt(n_rows):
        return (
            f"No input is clearly related to {COLUMNS[last].label.lower()}: the largest correlation, of "
            f"{COLUMNS[best].label.lower()}, is {pearson[last, best]:.2f}, and below {2 / np.sqrt(n_rows):.2f} it can "
            f"be chance on {n_rows:,} {ROWS}."
        )
    sentence = (
        f"{COLUMNS[last].label} is most closely related to {COLUMNS[best].label.lower()}: "
        f"Pearson {pearson[last, best]:.2f}, Spearman {spearman[last, best]:.2f}."
    )
    return sentence + " Correlation is not causation."


def influence(codes: Any, regression: Regression) -> str:
    """Name the outliers and the row with the largest leverage."""
    far = np.flatnonzero(np.abs(regression.studentised) > regression.outlying)
    named = [
        f"**{plain(row_name(codes[i]))}** ({regression.studentised[i]:.2f} s.d., Cook’s distance "
        f"{regression.cook[i]:.2f})"
        for i in sorted(far, key=lambda i: -abs(regression.studentised[i]))[:5]
    ]
    outliers = {0: f"No {ROW} is an outlier."}.get(
        len(far),
        f"{'The one outlier is' if len(far) == 1 else f'{len(far):,} outliers, first of all'} {', '.join(named)}.",
    )
    top, average = int(np.nanargmax(regression.leverage)), regression.high_leverage / 2
    if np.isnan(regression.cook[top]):
        return f"{outliers} Without **{plain(row_name(codes[top]))}** (leverage 1) there is no line at all."
    hardest = np.argsort(-regression.cook)[:3]
    movers = ", ".join(f"{plain(row_name(codes[i]))} {regression.cook[i]:.2f}" for i in hardest)
    return (
        f"{outliers} By Cook’s distance these move the line most: {movers}. "
        f"**{plain(row_name(codes[top]))}** has the most unusual inputs (leverage {regression.leverage[top]:.3g}, "
        f"the average is {average:.3g}), with a Cook’s distance of {regression.cook[top]:.2g}."
    )


def thresholds(regression: Regression) -> str:
    """Say what the picture of influence shows beside the points."""
    return (
        "Larger points have a larger Cook’s distance. Beyond the horizontal lines lies an outlier (5 %, Bonferroni "
        f"over {regression.n_rows:,} {ROWS}); right of the vertical one, more than twice the average leverage."
    )


def at_a_glance(survey: Survey, doubts: Any) -> Any:
    """Say in one line which rows carry a figure to doubt, and which lies farthest from the line."""
    doubtful = [place for place in doubts if place in survey.rows.index]
    sentences = []
    if doubtful:
        sentences.append(
            f"\\* {names(survey.model, doubtful)}: figures that are probably misprints, see About the data."
        )
    with contextlib.suppress(ModelError):
        farthest = survey.rows.index[int(np.nanargmax(np.abs(survey.regression.studentised)))]
        sentences.append(f"Farthest from the straight line: {names(survey.model, [farthest])}.")
    return " ".join(sentences)


def suspicions(notes: Notes, rows: "pd.DataFrame") -> str:
    """List the figures to doubt: as published, and as they probably were."""
    published = rows.drop_duplicates(ROW).set_index(ROW)
    columns = {column.name: column for column in COLUMNS}
    return "\n".join(
        f"- **{row_name(doubt.row)}, {columns[doubt.column].label.lower()}**: "
        f"{columns[doubt.column].text_with_unit(published.loc[doubt.row, doubt.column])} as published, probably "
        f"{columns[doubt.column].text_with_unit(doubt.likely)}; {doubt.why}"
        for doubt in notes.suspicious
    )


def fit(regression: Regression) -> str:
    """The reference line as a whole."""
    p = len(regression.coefficients) - 1
    return (
        f"Coefficients in {TARGET.unit}, for each step named in the first column. "
        f"R² {regression.r2:.3f} (adjusted {regression.adjusted_r2:.3f}), residual s.d. "
        f"{regression.deviation:.1f}, F {regression.f:.1f} on {p} and {regression.df:,} degrees of freedom, "
        f"n = {regression.n_rows:,} {ROWS}. "
        "VIF is variance inflation: 1 means none; above 5, the inputs are hard to tell apart."
    )


def importance(model: Model) -> str:
    """Say what the picture of importances measures."""
    return (
        f"How much worse the model ({model.label}) predicts when each {ROW} gets another {ROW}’s value of an input. "
        f"{standard_error()}"
    )


def sharing(pearson: NDArray[np.float64]) -> str:
    """Say which inputs go together so closely that they share their importance; empty where none do.

    Parameters
    ----------
    pearson
        Of shape (n_columns, n_columns).
        From `data.statistics.correlations`.
    """
    inflation = variance_inflation(pearson[:-1, :-1])
    shared = [column.label.lower() for column, vif in zip(FEATURES, inflation, strict=True) if vif >= _SHARED]
    if not shared:
        return ""
    if len(shared) == 1:
        subject, how = shared[0], "nearly follows from the other inputs"
    else:
        subject, how = f"{', '.join(shared[:-1])} and {shared[-1]}", "nearly follow from each other"
    return (
        f"{subject[0].upper()}{subject[1:]} {how} (variance inflation above {_SHARED}). Such inputs share their "
        "importance: exchanged alone, each seems to matter less, or more, than the group does."
    )


def misleading(held_out: dict[str, Estimate], in_sample: dict[str, Estimate]) -> str:
    """Say where the importance on the model's own rows is no guide; empty where it is not clearly larger."""
    beyond = {
        column: in_sample[column.name].value - held_out[column.name].value
        for column in FEATURES
        if in_sample[column.name].value - held_out[column.name].value
        > 2 * np.hypot(in_sample[column.name].standard_error, held_out[column.name].standard_error)
    }
    if not beyond:
        return ""
    inflated = max(beyond, key=beyond.__getitem__)
    own, unseen = (rises[inflated.name].value for rises in (in_sample, held_out))
    return (
        "The grey bars mislead: on rows that the model was fitted to, it leans on what it has learned by heart, so "
        f"exchanging an input looks worse than it is for new rows. {inflated.label}: {own:.0f} on its own rows, "
        f"{unseen:.0f} on rows it has not seen ({TARGET.unit})."
    )


def provenance(notes: Any, model: Model) -> str:
    """Say where the rows come from."""
    if notes:
        return f"{notes.source} {notes.period}"
    sha256 = model.metadata.data.sha256
    return f"Nothing is known about these {len(model.rows):,} {ROWS} beyond the file itself, SHA-256 `{sha256[:16]}…`."


def rows_in_words(n: int) -> str:
    """Say what a row is and what was measured."""
    inputs = ", ".join(column.label.lower() for column in FEATURES)
    return (
        f"{n:,} {ROWS}, {PERIOD}. For each: {inputs}, and the motor fuel used per person in a year. "
        f"Click a tile, a point or a row, and that {ROW} lights up everywhere."
    )


def meanings() -> str:
    """Say what was measured, column by column."""
    return "  \n".join(f"**{column.label}**: {column.help}" for column in COLUMNS)


def one_input(column: Column) -> str:
    """Say what the three curves are."""
    return (
        f"The straight line relates {column.label.lower()} alone to the {TARGET.label.lower()} of these {ROWS}. "
        "The grey band is where the line itself may lie (95 % at each value), not where states lie. "
        "The model’s curve is its answer on average over them with that one input set to each value. "
        "Neither shows cause and effect."
    )
