"""An answer as sentences and small tables, in Markdown."""

import re

from data.schema import FEATURES, ROW, ROWS, TARGET, row_name
from model.recipe import ALGORITHMS


def plain(text):
    """Text from a file as it stands, with nothing in it read as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])", r"\\\1", str(text))


def answer_in_words(model, answer):
    """Say the number, how far it can be believed, and which real row is like it.

    Parameters
    ----------
    model : model.train.Model
    answer : model.predict.Prediction

    Returns
    -------
    str
        Markdown.
    """
    nearest = answer.nearest[0]
    used = model.records[nearest.index][TARGET.name]
    others = f"the other {answer.n_rows - 1} {ROWS}"
    sentences = [
        f"About **{answer.value:.0f} {TARGET.unit}**.",
        f"The {answer.coverage * 100:g} % band, set by {others}, held {answer.n_held} of {answer.n_rows}.",
    ]
    if answer.support == "near":
        sentences.append(
            f":primary-badge[close to real {ROWS}] Closest is {plain(row_name(nearest.name))} "
            f"({nearest.distance:.1f} s.d. away), which used {used:.0f}."
        )
    else:
        colour, than = (
            ("red", f"any {ROW} is") if answer.support == "very far" else ("orange", f"95 % of the {ROWS} are")
        )
        sentences.append(
            f":{colour}-badge[{answer.support} from every {ROW}] The closest, {plain(row_name(nearest.name))}, "
            f"which used {used:.0f}, is {nearest.distance:.1f} s.d. away, farther than {than} from the nearest other. "
            "Nothing like it was measured, and the band does not widen for that."
        )
    return " ".join(sentences)


def trust_table(model):
    """Typical miss of the model beside least squares and the average.

    Returns
    -------
    list of dict
        A row each: column heading -> Markdown.
    """
    table = []
    for name, score in model.record["scores"].items():
        miss, square = (f"{score[kind]['value']:.0f} ± {score[kind]['standard_error']:.0f}" for kind in ("mae", "rmse"))
        label = f"This {model.label}, cross-validated" if name == "model" else ALGORITHMS[name].label.capitalize()
        table.append({"": label, "Typical miss": f"**{miss}**", "Root mean square": square})
    return table


def trust_in_words(model):
    """Say whether the scores tell the model from a straight line, and from the average."""
    record = model.record
    verdicts = {name: _verdict(record["mae_difference"][name]) for name in ("least_squares", "mean")}
    n = record["data"]["n_rows"]
    unit = TARGET.unit
    line = {
        0: f"On {n} {ROWS}, this model and a straight line (least squares) cannot be told apart.",
        -1: f"On {n} {ROWS}, this model misses by less than a straight line (least squares).",
        1: f"On {n} {ROWS}, a straight line (least squares) misses by less than this model.",
    }[verdicts["least_squares"]]
    average = {
        0: "It cannot be told from always answering the average.",
        -1: "It clearly beats always answering the average.",
        1: "Always answering the average would miss by less.",
    }[verdicts["mean"]]
    return f"{line} {average} Figures in {unit}, ± one standard error over the {ROWS}."


def _verdict(difference):
    """-1 better, 0 not to be told apart, 1 worse: outside twice the standard error or not."""
    if abs(difference["value"]) <= 2 * difference["standard_error"]:
        return 0
    return 1 if difference["value"] > 0 else -1


def model_facts(model):
    """Where the model comes from, as a Markdown list."""
    record = model.record
    parameters = ", ".join(f"{name} {value}" for name, value in record["parameters"].items()) or "none"
    folds = record["folds"]
    libraries = ", ".join(f"{name} {version}" for name, version in record["libraries"].items())
    directions = [
        f"{column.label.lower()} {'raises' if column.direction > 0 else 'lowers'} the answer or leaves it"
        for column in FEATURES
        if column.direction
    ]
    facts = [
        f"**Algorithm** {model.label}; parameters: {parameters}; seed {record['seed']}",
        f"**Data** {record['data']['n_rows']} {ROWS}, SHA-256 `{record['data']['sha256'][:16]}…`",
        f"**Scored on** {folds['n_repeats']} × {folds['n_splits']}-fold cross-validation",
        f"**Trained** {record['trained_at'][:10]} with {libraries}",
    ]
    if record["algorithm"] == "forest" and directions:
        facts.insert(1, f"**Directions held** {'; '.join(directions)}")
    return "\n".join(f"- {fact.replace('_', ' ')}" for fact in facts)
