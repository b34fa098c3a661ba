"""Trainings, versions and the evidence on them in words and tables, in Markdown."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from data.schema import PAST, ROW, ROWS, TARGET, row_name
from model.fitting.algorithms import ALGORITHMS
from model.fitting.interval import Interval
from model.fitting.scores import Difference, Scores
from model.fitting.train import Model
from pages.shared.words.wording import escape

if TYPE_CHECKING:
    from model.judging.evidence import Evidence
    from model.judging.ranking import Ranking
    from model.queue.jobs import Job
    from model.store.versions import Version

Rows = list[dict[str, str]]  # heading -> Markdown

_PLUS_MINUS = "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}"


def capitalise(text: str) -> str:
    """Make the first letter a capital, and leave the others as they are."""
    return text[:1].upper() + text[1:]


def training_data(version: "Version") -> str:
    """Name the data of a version: ``"shipped, 47 of 48 states"``."""
    n_all, n = version.data_set.n_rows, version.metadata.data.n_rows
    count = f"{n:,} of {n_all:,} {ROWS}" if version.excluded else f"{n_all:,} {ROWS}"
    return f"{version.data_set.origin}, {count}"


def difference_in_words(difference: Difference) -> str:
    """Write a difference of typical misses with its interval and its unit."""
    return (
        f"{_fine(difference.value, '+')} {TARGET.unit}, 90 % interval {_fine(difference.low, '+')} to "
        f"{_fine(difference.high, '+')}"
    ).replace("-", "−")


def headline(evidence: "Evidence") -> str:
    """Say whether the candidate is better than the active recipe, and how sure that is."""
    n, number = evidence.n_rows, evidence.active.version
    active = f"version {number}, which is active" if number else "the shipped model, which is active"
    if evidence.is_active:
        return f"Version {number} is the active one. There is nothing to compare it with."
    if evidence.difference is None:
        return (
            f"The active recipe was not evaluated on these {n:,} {ROWS}, so the two cannot be compared. "
            "Train this candidate again to have both on the same folds."
        )
    if evidence.has_same_rows and evidence.is_same_model:
        return f"It answers exactly as {active}: the same recipe on the same {ROWS}. Nothing would change."
    size = difference_in_words(evidence.difference)
    outcome = {
        -1: f"**misses by less** than {active}",
        0: f"and {active}, **cannot be told apart** on {n:,} {ROWS}",
        1: f"**misses by more** than {active}",
    }[evidence.difference.verdict]
    subject = "It" if evidence.difference.verdict else "This candidate"
    end = "" if evidence.difference.verdict == 0 else f", on {n:,} {ROWS}"
    return f"{subject} {outcome}{end}. Difference of the typical miss: {size}."


def list_objections(evidence: "Evidence") -> list[str]:
    """List what somebody must have seen before promoting; empty if nothing speaks against it."""
    objections = []
    if evidence.is_worse:
        objections.append("it misses by clearly more than the active recipe")
    if evidence.difference is None:
        objections.append("it was never compared with the active model")
    if not evidence.has_same_rows:
        objections.append(
            f"it was trained on other data, {evidence.n_rows:,} {ROWS} instead of {len(evidence.active.rows):,}"
        )
    return objections


def model_name(model: Model) -> str:
    """Name a model; the one that came with the app has a number only if it is in a store."""
    return f"Version {model.version}" if model.version else "Shipped model"


def largest_misses(evidence: "Evidence", n: int = 4) -> str:
    """Name the rows that a candidate misses by most, out of fold, with the observed and the predicted value."""
    errors, observed = evidence.residuals["candidate"], evidence.candidate.y
    codes = evidence.candidate.rows[ROW].to_numpy()
    misses = [
        f"{escape(row_name(str(codes[i])))} {PAST} {TARGET.estimate(observed[i])} "
        f"({TARGET.estimate(observed[i] - errors[i])} predicted)"
        for i in np.argsort(-np.abs(errors))[:n]
    ]
    return f"Largest misses: {', '.join(misses)}."


def scores_table(evidence: "Evidence") -> Rows:
    """Tabulate the scores on the candidate's rows, one row per model."""
    labels = {
        "candidate": f"**{model_name(evidence.candidate)}**, {evidence.candidate.label}",
        "active": f"Version {evidence.active.version} (active), {evidence.active.label}",
    }
    table = []
    for key, score in evidence.scores.items():
        texts = (
            f"{estimate.value:z.{digits}f}{_PLUS_MINUS}{estimate.standard_error:.{digits}f}"
            for estimate, digits in ((score.mae, 1), (score.rmse, 1), (score.r2, 2))
        )
        label = labels.get(key) or capitalise(ALGORITHMS[key].label)
        titles = f"MAE{TARGET.unit_note}", "RMSE", "R² (no unit)"
        table.append({"Model": label} | dict(zip(titles, texts, strict=True)))
    return table


def intervals_table(evidence: "Evidence") -> Rows:
    """Tabulate half the width of both intervals, level by level."""
    names = {
        "candidate": f"Version {evidence.candidate.version}",
        "active": f"Version {evidence.active.version} (active)",
    }
    half_widths = evidence.half_widths
    return [
        {"Interval": f"{level * 100:g} %"}
        | {names[key]: f"± {TARGET.estimate(widths[level])}" for key, widths in half_widths.items()}
        | {f"Version {evidence.candidate.version} held": _held_in_words(interval)}
        for level, interval in zip(half_widths["candidate"], evidence.candidate.intervals, strict=True)
    ]


def _held_in_words(interval: Interval) -> str:
    """Say how many rows an interval held that had no part in setting it, and how many to expect."""
    if interval.held_by_chance is None:
        return "not measured"
    low, high = interval.held_by_chance
    return (
        f"{interval.nested_held:,.0f} of {interval.n_rows:,} ({interval.held_expected:,.0f} expected, "
        f"{low:,} to {high:,} by chance)"
    )


def moves_table(evidence: "Evidence", names: Sequence[str], n_rows: int = 60) -> Rows:
    """Tabulate each row's prediction now and with the candidate, the largest change first."""
    before, after = evidence.moves
    order = abs(after - before).argsort()[::-1][:n_rows]
    return [
        {
            ROW.capitalize(): escape(names[i]),
            "Now": TARGET.estimate(before[i]),
            "With the candidate": TARGET.estimate(after[i]),
            f"Change{TARGET.unit_note}": _fine(after[i] - before[i], "+"),
        }
        for i in order
    ]


def moves_in_words(evidence: "Evidence") -> str:
    """Say how far the predictions would move."""
    before, after = evidence.moves
    change = abs(after - before)
    return (
        f"Over the {len(before):,} {ROWS} of the active model, predictions would move by {_fine(change.mean())} on "
        f"average and by {_fine(change.max())} at most{TARGET.unit_note}."
    )


def tie_in_words(ranking: "Ranking", n_rows: int) -> str:
    """Say how many candidates tie with the best, and how far one chosen as the best can be expected to miss."""
    best, *rest = ranking.table
    n_tied = sum(candidate.is_tied for candidate in rest)
    name = ALGORITHMS[best.algorithm].label
    expected_miss = (
        f"Chosen as the best of {len(ranking.table)}, {name} can be expected to miss by "
        f"{_fine(ranking.corrected)} on new {ROWS}, not by {_fine(best.scores.mae.value)}{TARGET.unit_note}."
    )
    if n_tied == len(rest):
        return f"No clear winner: on {n_rows:,} {ROWS} the differences are within chance. {expected_miss}"
    n_worse = len(rest) - n_tied
    sentence = f"{n_worse} of the others miss{'es' if n_worse == 1 else ''} by more than {name}"
    ties = f"; {n_tied} cannot be told apart from it" if n_tied else ""
    return f"On {n_rows:,} {ROWS} {sentence}{ties} (90 % intervals that hold for all pairs at once). {expected_miss}"


def tabulate_ranking(ranking: "Ranking", active: int, baseline: Scores) -> Rows:
    """Tabulate several candidates, the best first, and at the end the baseline that any of them must beat."""
    table = []
    for candidate in ranking.table:
        name = f"**Version {candidate.version}**{' (active)' if candidate.version == active else ''}"
        interval = f"{_fine(candidate.difference.low, '+')} to {_fine(candidate.difference.high, '+')}"
        distance = "the best" if candidate is ranking.table[0] else interval + (", tied" if candidate.is_tied else "")
        table.append(_ranking_row(f"{name}, {ALGORITHMS[candidate.algorithm].label}", candidate.scores, distance))
    return [*table, _ranking_row(capitalise(ALGORITHMS["mean"].label), baseline, "–")]


def _ranking_row(name: str, scores: Scores, distance: str) -> dict[str, str]:
    texts = (
        f"{estimate.value:z.{digits}f}{_PLUS_MINUS}{estimate.standard_error:.{digits}f}"
        for estimate, digits in ((scores.mae, 1), (scores.rmse, 1), (scores.r2, 2))
    )
    figures = zip(("MAE", "RMSE", "R² (no unit)"), texts, strict=True)
    return {"Version": name} | dict(figures) | {"Extra MAE over the best, 90 % interval": distance}


def format_duration(seconds: float) -> str:
    """Write a length of time as people say it: ``"8 s"``, ``"2 min"``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def format_memory(n_bytes: float) -> str:
    """Write a size as people say it."""
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{max(1, round(n_bytes / 1e6)):,} MB"


def progress_in_words(job: "Job", now: datetime) -> str:
    """Say what a running job is doing, how long it has run, and how long it may still take."""
    elapsed = (now - (job.started_at or now)).total_seconds()
    text = f"{job.message or 'Starting'} · {format_duration(elapsed)}"
    if job.done >= 3 and job.total:
        text += f", about {format_duration(elapsed * (job.total - job.done) / job.done)} to go"
    return text


def requested_training(job: "Job") -> str:
    """Say what a job is to train."""
    algorithms = job.request.algorithms
    if not algorithms:
        return "refits, which say how sure a change is"
    return ALGORITHMS[algorithms[0]].label if len(algorithms) == 1 else f"{len(algorithms)} algorithms"


def _fine(amount: float, sign: str = "") -> str:
    return TARGET.estimate(amount, sign, n_more=1)
