"""The model card of a version: what it is for, what it was made from, how good it is, and its limits."""

import hashlib
from collections.abc import Iterator

from data.edit import write_rows
from data.schema import COLUMNS, FEATURES, PERIOD, QUESTION, ROW, ROWS, TARGET, Column
from model.fitting import artifact
from model.fitting.algorithms import ALGORITHMS, Algorithm
from model.fitting.metadata import Metadata
from model.fitting.refits import KINDS, N_REFITS, SEED, SIMULATED, make_refits
from model.fitting.train import Model
from model.store.history import Promotion
from model.store.versions import Version

_PURPOSE = f"For teaching and what-if questions about {PERIOD}; not a forecast, and no proof of cause and effect."
_VERDICTS = {-1: "misses by clearly less than", 0: "cannot be told apart from", 1: "misses by clearly more than"}


def write_card(version: Version, model: Model, promotions: list[Promotion]) -> str:
    """Write the model card of a version.

    Parameters
    ----------
    model
        The same version, loaded.
    promotions
        Those of all versions, oldest first.

    Returns
    -------
    str
        Markdown.
    """
    metadata, algorithm = version.metadata, ALGORITHMS[version.recipe.algorithm]
    labels = {parameter.name: parameter.label for parameter in algorithm.parameters}
    parameters = (
        ", ".join(f"{labels[name].lower()} {value:g} ({name})" for name, value in version.recipe.parameters.items())
        or "none"
    )
    libraries = ", ".join(f"{name} {release}" for name, release in metadata.libraries.items())
    folds = metadata.folds
    sections = {
        "Purpose": [f"{QUESTION} {_PURPOSE}"],
        "Data": [
            f"- Data set {version.data_set.id}, {_quote(version.data_set.origin)}: {len(model.rows):,} {ROWS}"
            + (f" of {version.data_set.n_rows:,}; {len(version.excluded):,} left out" if version.excluded else ""),
            f"- SHA-256 of the rows used: `{metadata.data.sha256}`",
        ],
        "Units": [f"- {column.label}: {_describe_values(column)}. {column.help}".rstrip() for column in COLUMNS],
        "Recipe": [
            f"- Algorithm: {algorithm.label}; parameters: {parameters}; seed {version.recipe.seed}",
            *_describe_directions(algorithm),
        ],
        "Scores": [*_tabulate_scores(metadata), "", *_describe_comparisons(metadata)],
        "Intervals": [*_describe_intervals(model)],
        "Changes": [
            f"- How sure a change is, say {N_REFITS} refits each of {_list_kinds()} on resampled {ROWS}, seed {SEED}",
            f"- In simulations with a known truth, 90 % intervals held {', '.join(_list_simulated())} of 100 changes",
        ],
        "Limits": [
            f"- The interval is equally wide everywhere. Far from every {ROW} errors can be larger than it promises.",
            "- How each figure is made: the Method page, `docs/method.md`.",
            f"- Scored by {folds.n_repeats} × {folds.n_splits}-fold cross-validation.",
            f"- ± is one standard error for these {ROWS} and folds; in simulations up to 1.4 times as much.",
        ],
        "Lineage": [
            f"- Trained {metadata.trained_at[:16].replace('T', ' ')} UTC, asked for by {_quote(version.created_by)}",
            *([f"- Compared with version {version.rival_id}, active at the time"] if version.rival_id else []),
            *(
                f"- Promoted {promotion.at:%Y-%m-%d %H:%M} UTC by {_quote(promotion.by)}: {_quote(promotion.reason)}"
                for promotion in promotions
                if promotion.version_id == version.id
            ),
            f"- Model file: {version.n_bytes:,} bytes, SHA-256 `{metadata.model_sha256}`",
        ],
        "Libraries": [f"- {libraries}"],
    }
    for note, text in (("Notice", version.notice), ("Broken", version.broken)):
        if text:
            sections = {note: [text]} | sections
    body = "\n\n".join(f"## {title}\n\n" + "\n".join(lines) for title, lines in sections.items())
    return f"# Version {version.id}: {algorithm.label}\n\n{body}\n"


def _describe_values(column: Column) -> str:
    return f"one of {', '.join(column.choices)}" if column.choices else column.unit or "a number without a unit"


def _quote(text: str) -> str:
    """Quote typed text as Markdown code, on one line."""
    return f"`{' '.join(str(text).replace('`', chr(39)).split())}`"


def _describe_directions(algorithm: Algorithm) -> list[str]:
    if not algorithm.holds_directions:
        return []
    statements = [
        f"{column.label.lower()} never {'lowers' if column.direction > 0 else 'raises'} the answer"
        for column in FEATURES
        if column.direction
    ]
    return [f"- Built in: {'; '.join(statements)}"] if statements else []


def _describe_intervals(model: Model) -> Iterator[str]:
    for interval in model.intervals:
        width = f"- {interval.level * 100:g} %: ± {TARGET.estimate(interval.half_width)} {TARGET.unit}"
        if interval.held_by_chance is None:
            yield f"{width}; how many {ROWS} it holds was not measured"
            continue
        low, high = interval.held_by_chance
        yield (
            f"{width}; of {interval.n_rows:,} {ROWS} that set neither fit nor width it held "
            f"{interval.nested_held:,.0f} ({interval.held_expected:,.0f} expected; chance alone gives {low:,} to "
            f"{high:,})"
        )


def _list_kinds() -> str:
    *first_labels, last_label = (ALGORITHMS[kind].label for kind in KINDS)
    return f"{', '.join(first_labels)} and {last_label}"


def _list_simulated() -> Iterator[str]:
    for n_rows, shares in SIMULATED.items():
        for truth, share in shares.items():
            yield f"{share:.0f} ({truth}, {n_rows:,} rows)"


def _tabulate_scores(metadata: Metadata) -> list[str]:
    lines = [f"| {TARGET.unit} | MAE | RMSE | R² (no unit) |", "|:--|--:|--:|--:|"]
    for name, score in metadata.scores.items():
        label = "**this model**" if name == "model" else ALGORITHMS[name].label
        figures = (
            f"{estimate.value:.{digits}f} ± {estimate.standard_error:.{digits}f}"
            for estimate, digits in ((score.mae, 1), (score.rmse, 1), (score.r2, 2))
        )
        lines.append(f"| {label} | {' | '.join(figures)} |".replace("-", "−"))
    return lines


def _describe_comparisons(metadata: Metadata) -> Iterator[str]:
    n_rows = metadata.data.n_rows
    for name, difference in metadata.mae_difference.items():
        interval = f"{difference.value:+.1f}, 90 % interval {difference.low:+.1f} to {difference.high:+.1f}".replace(
            "-", "−"
        )
        yield (
            f"- On {n_rows:,} {ROWS} it {_VERDICTS[difference.verdict]} {ALGORITHMS[name].label}: "
            f"difference of the MAE {interval} {TARGET.unit} (Nadeau and Bengio)."
        )


def export_version(version: Version, model: Model, promotions: list[Promotion], content: bytes) -> dict[str, bytes]:
    """Export the files needed to use a version elsewhere.

    Parameters
    ----------
    version, model, promotions
        As for `write_card`.
    content
        The pickled model as stored; if the model had to be fitted anew, the new one is exported instead.

    Returns
    -------
    dict
        File name -> bytes: the model, its refits and their sidecar for `model.fitting.artifact.load`, rows, card.
    """
    is_unchanged = hashlib.sha256(content).hexdigest() == model.metadata.model_sha256 and model.notice == version.notice
    pickled = content if is_unchanged else artifact.to_bytes(model.pipeline)
    refits = (model.refits or make_refits(model.X, model.y)).to_bytes()
    return {
        artifact.PICKLED: pickled,
        artifact.REFITS: refits,
        artifact.RECORD: artifact.sidecar(model, pickled, refits),
        "rows.csv": write_rows(model.rows).encode(),
        "model_card.md": write_card(version, model, promotions).encode(),
    }
