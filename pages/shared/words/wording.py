"""An answer as sentences and small tables, in Markdown."""

import re

from data.schema import FEATURES, PAST, ROW, ROWS, TARGET, TARGET_UNIT, row_name
from model.answering.change import Change, agreement_in_words, amount_in_words
from model.answering.explain import Reasons
from model.answering.prediction import Prediction
from model.fitting.algorithms import ALGORITHMS
from model.fitting.train import Model


def escape(text: object) -> str:
    """Escape text from a file, so that nothing in it is read as Markdown, as an icon, a colour or a link."""
    # Streamlit in the browser looks for icons, colours, arrows and addresses even where Markdown does not.
    text = re.sub(r"(?i):(?=[a-z/])|www(?=\.)|@|<(?=-)|-(?=>)", "\\g<0>\N{WORD JOINER}", str(text))
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])", r"\\\1", " ".join(str(text).split()))


def card_note(model: Model, answer: Prediction) -> str:
    """Say what the interval means, where the scenario stands, and what the number is not, as plain text."""
    support_note = ""
    if answer.support != "near":
        distance = f"The closest {ROW} is {answer.nearest[0].distance:.1f} s.d. away"
        support_note = f"{distance}{_how_far(model, answer)}. {_interval_beyond_rows(model, answer)} "
    return f"{interval_in_words(answer)} {support_note}{model_limits(model)}"


def answer_in_words(model: Model, answer: Prediction) -> str:
    """Say the number, how far it can be believed, and which real row is like it, in Markdown."""
    nearest = answer.nearest[0]
    used = model.records[nearest.index][TARGET.name]
    number = f"{TARGET.estimate(answer.value)} {TARGET.unit}".rstrip()
    sentences = [f"About **{number}**.", interval_in_words(answer)]
    if answer.support == "near":
        sentences.append(
            f":primary-badge[close to real {ROWS}] Closest is {escape(row_name(nearest.name))} "
            f"({nearest.distance:.1f} s.d. away), which {PAST} {TARGET.estimate(used)}."
        )
    else:
        colour = "red" if answer.support == "very far" else "orange"
        sentences.append(
            f":{colour}-badge[{answer.support} from every {ROW}] The closest, {escape(row_name(nearest.name))}, "
            f"which {PAST} {TARGET.estimate(used)}, is {nearest.distance:.1f} s.d. away{_how_far(model, answer)}. "
            f"{_interval_beyond_rows(model, answer)}"
        )
    return " ".join(sentences)


def _how_far(model: Model, answer: Prediction) -> str:
    """Say which limit a scenario is beyond."""
    if answer.nearest[0].distance > model.far_distances[1]:
        return f", farther than any {ROW} is from its nearest neighbour"
    if answer.support == "far":
        return f", farther than 95 % of the {ROWS} are from their nearest neighbour"
    unusual = f"its inputs together are more unusual than those of any {ROW} (leverage {answer.leverage:.2f}, theirs "
    return f", and {unusual}at most {model.most_leverage:.2f})"


def _interval_beyond_rows(model: Model, answer: Prediction) -> str:
    """Say what the interval is worth beyond the rows."""
    sentence = "The interval does not widen for that"
    if (coverage := model.metadata.coverage) and (beyond := coverage.beyond):
        n_held = next((interval.held for interval in beyond.held if interval.level == answer.level), None)
        column = next(column for column in FEATURES if column.name == beyond.input)
        if n_held is not None:
            sentence += (
                f": of the {beyond.n_rows:,} {ROWS} with the {beyond.end} {column.label.lower()}, left out "
                f"of the fit together, it held {n_held:,}"
            )
    flat_note = f" A {model.label} cannot go beyond the {ROWS}: farther out it answers as at their edge."
    return f"{sentence}.{flat_note if ALGORITHMS[model.metadata.recipe.algorithm].is_flat_beyond else ''}"


def change_in_words(change: Change, start: str = "where the sliders were") -> str:
    """Say how the prediction changes from a start, and how sure that is."""
    sentence = (
        f"**{amount_in_words(change.value)}** than {start}"
        if TARGET.round(change.value)
        else f"**No change** from {start}"
    )
    if change.low is None or change.high is None:
        return f"{sentence}. How sure that is cannot be said yet: this version has no refits, which are made by a job."
    stretched = ", stretched to hold the change" if change.is_stretched else ""
    interval = f"{amount_in_words(change.low)} to {amount_in_words(change.high)}{stretched}"
    return f"{sentence} ({change.level * 100:g} %: {interval}). {agreement_in_words(change)}."


def model_limits(model: Model) -> str:
    """Say what the number is not, and which directions of the curves were assumed."""
    sentence = f"The model learned from {ROWS} side by side; it does not show what a change would cause."
    if directions := assumed_directions(model):
        sentence += f" Assumed, not found: {'; '.join(directions)}."
    return sentence


def assumed_directions(model: Model) -> list[str]:
    """List the schema's known directions that are built into the model, one clause each."""
    if not ALGORITHMS[model.metadata.recipe.algorithm].holds_directions:
        return []
    return [
        f"the prediction never {'falls' if column.direction > 0 else 'rises'} with {column.label.lower()}"
        for column in FEATURES
        if column.direction
    ]


_LEVELS_IN_WORDS = {0.8: "8 in 10", 0.9: "9 in 10", 0.95: "19 in 20"}


def interval_in_words(answer: Prediction) -> str:
    """Say what width and level of the interval mean, and what was measured of it."""
    (interval,) = (interval for interval in answer.intervals if interval.level == answer.level)
    width = (
        f"±{TARGET.estimate(interval.half_width)}: set so that {_LEVELS_IN_WORDS[answer.level]} errors on {ROWS} "
        "that the model had not seen stay inside."
    )
    if interval.held_by_chance is None:
        return f"{width} How many it holds that set neither fit nor width was not measured."
    low, high = interval.held_by_chance
    return (
        f"{width} Counted on {ROWS} that set neither fit nor width: {interval.nested_held:,.0f} of "
        f"{interval.n_rows:,} ({interval.held_expected:,.0f} expected; chance alone gives {low:,} to {high:,})."
    )


def how_reasons_were_found(reasons: Reasons) -> str:
    """Name the contributions, with the error of sampling where they are sampled."""
    if not reasons.sampling_error:
        return "Exact Shapley contributions"
    error = TARGET.estimate(reasons.sampling_error)
    return f"Shapley contributions from random orders of the inputs (standard error {error})"


def score_table(model: Model) -> list[dict[str, str]]:
    """Tabulate the typical miss of the model beside those of least squares and the average."""
    table = []
    for name, score in model.metadata.scores.items():
        miss, square = (
            f"{TARGET.estimate(each.value)} ± {TARGET.estimate(each.standard_error)}"
            for each in (score.mae, score.rmse)
        )
        label = f"This {model.label}, cross-validated" if name == "model" else ALGORITHMS[name].label.capitalize()
        table.append({"Model": label, "Typical miss": f"**{miss}**", "Root mean square": square})
    return table


def scores_in_words(model: Model) -> str:
    """Say whether the scores tell the model from a straight line, and from the average."""
    metadata = model.metadata
    verdicts = {name: metadata.mae_difference[name].verdict for name in ("least_squares", "mean")}
    n = metadata.data.n_rows
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
    return f"{line} {average} Figures in {TARGET_UNIT}. {standard_error_note()}"


def standard_error_note() -> str:
    """Say what ± is worth: with a known truth it was 1.1 to 1.4 times as large, see ``docs/method.md``."""
    return f"± is one standard error for these {ROWS} and folds; in simulations the true one was up to 1.4 times it."


def model_facts(model: Model) -> str:
    """List where the model comes from, in Markdown."""
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
    if directions := assumed_directions(model):
        facts.insert(1, f"**Assumed, not found** {'; '.join(directions)}")
    return "\n".join(f"- {fact.replace('_', ' ')}" for fact in facts)
