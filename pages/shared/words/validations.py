"""How well a model does on the rows of a file, in words and as tables."""

from typing import TYPE_CHECKING

from data.schema import FEATURES, ROW, ROWS, TARGET, Column
from model.fitting.scores import Difference, Estimate
from model.fitting.train import Model
from model.judging.validation import Group, Validation
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    from model.answering.scoring import ScoredFile

_N_WORST = 5


def tabulate_validation(
    validation: Validation, model: Model, other: tuple[str, Validation] | None
) -> list[dict[str, str]]:
    """Tabulate misses on the file's rows beside those of training, of the average, and of another version.

    Parameters
    ----------
    other
        Name of another version, and how well it does on the same rows.
    """
    level = f"{validation.level * 100:g} %"
    low, high = validation.held_by_chance
    held = f"{validation.held:,} of {validation.n_rows:,} (chance alone: {low:,} to {high:,})"
    titles = ("", f"Typical miss{TARGET.unit_note}", f"Bias{TARGET.unit_note}", f"Inside the {level} interval")
    lines = [("**These rows**", _with_error(validation.mae), _with_ends(validation.bias), held)]
    if other:
        name, its = other
        its_low, its_high = its.held_by_chance
        its_held = f"{its.held:,} of {its.n_rows:,} (chance alone: {its_low:,} to {its_high:,})"
        lines.append((f"{name}, these rows", _with_error(its.mae), _with_ends(its.bias), its_held))
    (interval,) = (interval for interval in model.intervals if interval.level == validation.level)
    trained = "not measured"
    if interval.held_by_chance:
        low, high = interval.held_by_chance
        trained = f"{interval.nested_held:,.0f} of {interval.n_rows:,} (chance alone: {low:,} to {high:,})"
    lines.append(("Training, out of fold", _with_error(model.metadata.scores["model"].mae), "", trained))
    lines.append(("Always the training average, these rows", _with_error(validation.mae_of_average), "", ""))
    return [dict(zip(titles, line, strict=True)) for line in lines]


def _with_error(estimate: Estimate) -> str:
    return f"{TARGET.estimate(estimate.value, n_more=1)} ± {TARGET.estimate(estimate.standard_error, n_more=1)}"


def _with_ends(difference: Difference) -> str:
    low, high = (TARGET.estimate(end, "+", n_more=1) for end in (difference.low, difference.high))
    return f"{TARGET.estimate(difference.value, '+', n_more=1)} ({low} to {high})".replace("-", "−")


def validation_in_words(validation: Validation) -> str:
    """Say which rows count, and whether any group of them stands out."""
    n_groups, group = len(validation.groups), validation.outstanding
    subject = f"One more {ROW} of the file is" if validation.n_known == 1 else f"{validation.n_known:,} more {ROWS} are"
    known = f"{subject} of those that the model was trained on, and do not count. " if validation.n_known else ""
    if validation.n_known == 1:
        known = known.replace("do not", "does not")
    bias = "Bias is observed minus predicted, on average, with its 90 % interval; ± is one standard error. "
    if not n_groups:
        return f"{bias}{known}Too few {ROWS} to look at groups of them."
    names = {group.input for group in validation.groups}
    has_choices = {bool(column.choices) for column in FEATURES if column.name in names}
    kinds = "thirds of each number, and choices" if len(has_choices) == 2 else "thirds of each input"
    kinds = "choices" if has_choices == {True} else kinds
    looked = f"Groups were looked at, {n_groups} in all: {kinds}"
    if group is None:
        return f"{bias}{known}{looked}. None stands out from the other {ROWS}."
    side = "higher" if group.excess.value > 0 else "lower"
    amount, *ends = (TARGET.estimate(abs(value)) for value in (group.excess.value, group.excess.low, group.excess.high))
    first, second = sorted(ends, key=lambda text: float(text.replace(",", "")))
    return (
        f"{bias}{known}{looked}. One stands out: **{name_group(group)}** ({group.n_rows:,} {ROWS}), with a typical "
        f"miss of {TARGET.estimate(group.mae)}. There, observed minus predicted is {amount} {side} than for the other "
        f"{ROWS} ({first} to {second}, wide enough for all groups)."
    )


def difference_in_words(name: str, difference: Difference) -> str:
    """Say whether the model misses less or more than another version on the same rows."""
    verdicts = {
        -1: "clearly less than",
        0: "neither more nor less, as far as they can tell, than",
        1: "clearly more than",
    }
    figures = f"difference of the typical miss {_with_ends(difference)}{TARGET.unit_note}"
    return f"On these rows it misses by {verdicts[difference.verdict]} {name}: {figures}."


def name_group(group: Group) -> str:
    """Name a group by its input and its values: ``"income 3,500 to 4,200 dollars"``."""
    column = _column_of(group.input)
    if column.choices:
        return escape(f"{column.label.lower()} {column.text(group.low)}")
    return escape(
        f"{column.label.lower()} {column.text(group.low)} to {column.text(group.high)} {column.unit}".rstrip()
    )


def _column_of(name: str) -> Column:
    return next(column for column in FEATURES if column.name == name)


def tabulate_groups(validation: Validation) -> list[dict[str, str]]:
    """Tabulate every group that was looked at."""
    return [
        {
            "Group": name_group(group),
            f"Number of {ROWS}": f"{group.n_rows:,}",
            f"Typical miss{TARGET.unit_note}": TARGET.estimate(group.mae, n_more=1),
            f"Bias beyond that of the others{TARGET.unit_note}": _with_ends(group.excess),
        }
        for group in validation.groups
    ]


def tabulate_worst(validation: Validation, result: "ScoredFile") -> list[dict[str, str]]:
    """Tabulate the rows that were missed most, with how far they are from all rows of the training."""
    scored = result.scored
    usable = result.table.index[result.table[result.added[0]].notna()]
    lines = []
    for place in validation.worst(_N_WORST):
        position = validation.positions[place]
        lines.append({
            "Row of the file": f"{usable[position]:,}",
            f"Observed{TARGET.unit_note}": TARGET.text(result.y[position]),
            f"Predicted{TARGET.unit_note}": TARGET.estimate(scored.value[position]),
            f"Miss{TARGET.unit_note}": TARGET.estimate(validation.errors[place], "+").replace("-", "−"),
            f"From every real {ROW}": str(scored.support[position]),
        })  # fmt: skip
    return lines
