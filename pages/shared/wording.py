"""An answer as sentences and small tables, in Markdown."""

import re

import numpy as np

from data.schema import COLUMNS, FEATURES, PERIOD, ROW, ROWS, TARGET, row_name
from model.recipe import ALGORITHMS


def plain(text):
    """Text from a file as it stands, with nothing in it read as Markdown."""
    return re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:@&])", r"\\\1", " ".join(str(text).split()))


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


def names(model, places, n_named=4):
    """Name some rows: the first few, then how many more."""
    named = [plain(row_name(model.records[place][ROW])) for place in places]
    if len(named) > n_named:
        named = [*named[: n_named - 1], f"{len(named) - n_named + 1:,} more"]
    return " and ".join(filter(None, [", ".join(named[:-1]), *named[-1:]]))


def selection(model, selected, shown):
    """Say which rows are selected, and whether the filter hides some of them."""
    if not selected:
        return f":gray[No {ROW} is selected.]"
    hidden = len(selected) - len(shown)
    note = "hidden by the filter" if hidden == len(selected) else f"{hidden:,} of them hidden by the filter"
    note = f" :gray[({note})]" if hidden else ""
    return f"Selected: **{names(model, selected)}**{note}"


def doubts(notes, rows):
    """Place of a row -> list of what is to be doubted in it."""
    found = {}
    for doubt in notes.suspicious if notes else ():
        column = next(column for column in COLUMNS if column.name == doubt.column)
        text = f"{column.label} is probably {column.text_with_unit(doubt.likely)}"
        for place in rows.index[rows[ROW] == doubt.row]:
            found.setdefault(place, []).append(text)
    return found


def spread(column, value, n_rows, n):
    """Say how many rows share the commonest value of a column."""
    if n == 1:
        return f"One {ROW}: {column.text(value)} {column.unit}."
    if n_rows == 1:
        return f"No two of the {n:,} {ROWS} have the same {column.label.lower()}."
    return f"{n_rows:,} of {n:,} {ROWS} share a {column.label.lower()} of exactly {column.text(value)} {column.unit}."


def strongest(pearson, spearman):
    """Say what goes together with the target most, and which inputs go together."""
    last = len(COLUMNS) - 1
    if np.isnan(pearson[last, :-1]).all():
        return "These rows vary too little for a correlation."
    best = int(np.nanargmax(np.abs(pearson[last, :-1])))
    sentence = (
        f"{COLUMNS[last].label} goes most with {COLUMNS[best].label.lower()}: Pearson {pearson[last, best]:.2f}, "
        f"Spearman {spearman[last, best]:.2f}."
    )
    return sentence + " A correlation is no cause."


def influence(codes, regression):
    """Name the outliers and the row with the largest leverage."""
    far = [i for i in range(len(codes)) if abs(regression.studentised[i]) > regression.outlying]
    named = [
        f"**{plain(row_name(codes[i]))}** ({regression.studentised[i]:.2f} s.d., Cook’s distance "
        f"{regression.cook[i]:.2f})"
        for i in sorted(far, key=lambda i: -abs(regression.studentised[i]))[:5]
    ]
    outliers = {0: f"No {ROW} is an outlier."}.get(
        len(far),
        f"{'The one outlier is' if len(far) == 1 else f'{len(far):,} outliers, first of all'} {', '.join(named)}.",
    )
    top = int(np.nanargmax(regression.leverage))
    if np.isnan(regression.cook[top]):
        return f"{outliers} Without **{plain(row_name(codes[top]))}** (leverage 1) there is no line at all."
    return (
        f"{outliers} **{plain(row_name(codes[top]))}** has the largest leverage ({regression.leverage[top]:.3g}; "
        f"the average is {regression.high_leverage / 2:.3g})."
    )


def fit(regression):
    """The reference line as a whole."""
    p = len(regression.coefficients) - 1
    return (
        f"Coefficients in {TARGET.unit}. R² {regression.r2:.3f} (adjusted {regression.adjusted_r2:.3f}), residual s.d. "
        f"{regression.deviation:.1f}, F {regression.f:.1f} on {p} and {regression.df:,} degrees of freedom, "
        f"n = {regression.n_rows:,} {ROWS}. "
        "VIF is variance inflation: 1 is none, above 5 inputs are hard to tell apart."
    )


def importance(model):
    """Say what the picture of importances measures."""
    return (
        f"How much worse the active model ({model.label}) predicts when one input is taken from other {ROWS}. "
        "± is one standard error over the rows."
    )


def misleading(held_out, in_sample):
    """Say why the importance on the model's own rows is no guide."""
    inflated = max(FEATURES, key=lambda c: in_sample[c.name]["value"] - held_out[c.name]["value"])
    own, unseen = (rises[inflated.name]["value"] for rises in (in_sample, held_out))
    return (
        "The paler bars mislead: on rows that the model was fitted to, it leans on what it has learned by heart, so "
        f"taking an input away looks worse than it is for new rows. {inflated.label}: {own:.0f} on its own rows, "
        f"{unseen:.0f} on rows it has not seen ({TARGET.unit})."
    )


def provenance(notes, model):
    """Say where the rows come from."""
    if notes:
        return f"{notes.source} {notes.period}"
    sha256 = model.record["data"]["sha256"]
    return f"Nothing is known about these {len(model.rows):,} {ROWS} beyond the file itself, SHA-256 `{sha256[:16]}…`."


def rows_in_words(n):
    """Say what a row is and what was measured."""
    inputs = ", ".join(column.label.lower() for column in FEATURES)
    return (
        f"{n:,} {ROWS}, {PERIOD}. Of each: {inputs}, and the petrol that its people used. "
        f"Click a tile, a point or a row, and that {ROW} lights up everywhere."
    )


def meanings():
    """Say what was measured, column by column."""
    return "  \n".join(f"**{column.label}**: {column.help}" for column in COLUMNS)


def one_input(column):
    """Say what the three curves are."""
    return (
        f"The straight line relates {column.label.lower()} alone to the {TARGET.label.lower()} of these {ROWS}. "
        "The model’s curve is its answer on average over them with that one input set to each value. "
        "Neither is a cause."
    )
