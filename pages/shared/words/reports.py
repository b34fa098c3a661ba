"""The evidence on a candidate, and kept scenarios, as documents to hand on."""

import re
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from data.schema import FEATURES, QUESTION, ROW, ROWS, TARGET, TITLE, row_name
from model.answering.scenarios import KeptScenario
from model.fitting.train import Model
from model.judging.document import Frame, list_points, write_document, write_table
from pages.shared.words import verdicts

if TYPE_CHECKING:
    from model.judging.evidence import Evidence
    from model.judging.ranking import Ranking

_N_MOVED = 20  # rows that would move most
_NEGATIVE = re.compile(r"(?<![\w−-])-(?=\d)")
_MARKS = re.compile(r"\\(.)|(\*\*)|(\N{WORD JOINER})")


def markdown_to_html(text: str) -> str:
    """Turn the Markdown of the app's sentences, which knows bold and escapes, into HTML."""
    parts, end, is_bold = list[str](), 0, False
    for mark in _MARKS.finditer(text):
        parts.append(escape(text[end : mark.start()]))
        end = mark.end()
        if mark[1]:
            parts.append(escape(mark[1]))
        elif mark[2]:
            is_bold = not is_bold
            parts.append("<b>" if is_bold else "</b>")
    return "".join([*parts, escape(text[end:]), "</b>" if is_bold else ""])


def _table_of(rows: verdicts.Rows) -> str:
    cells = [[_NEGATIVE.sub("−", markdown_to_html(row.get(heading, ""))) for heading in rows[0]] for row in rows]
    return write_table([markdown_to_html(heading) for heading in rows[0]], cells)


def write_evidence_report(
    evidence: "Evidence", ranking: "Ranking | None", scenario: dict[str, float], link: str = ""
) -> str:
    """Write the evidence on a candidate.

    Parameters
    ----------
    ranking
        Of the versions on the same rows, if there are several.
    scenario
        That the response curves go through.
    link
        Address of the evidence in the app.
    """
    candidate, active = evidence.candidate, evidence.active
    objections = verdicts.list_objections(evidence)
    against = f"<p>What speaks against it: {escape('; '.join(objections))}.</p>" if objections else ""
    folds = candidate.metadata.folds
    setting = f"All on the same {evidence.n_rows:,} {ROWS} and the same {folds.n_repeats} × {folds.n_splits} folds."
    now, then = evidence.answers(scenario)
    inputs = ", ".join(f"{column.label.lower()} {column.text_with_unit(scenario[column.name])}" for column in FEATURES)
    through = f"Through {inputs}: {TARGET.estimate(now)} now, {TARGET.estimate(then)} with version {candidate.version}."
    marks = "Dashed or hollow" if any(column.choices for column in FEATURES) else "Dashed"
    names = [row_name(str(code)) for code in np.asarray(active.rows[ROW])]
    sections = {
        "": f"<p>{markdown_to_html(verdicts.headline(evidence))}</p>{against}",
        "Scores": f'{_table_of(verdicts.scores_table(evidence))}<p class="grey">{escape(setting)}</p>',
        "All candidates": _write_ranking(evidence, ranking) if ranking else "",
        "Intervals": _table_of(verdicts.intervals_table(evidence)),
        "Curves": f'{_draw_curves(evidence, scenario)}<p class="grey">{escape(through)} {marks}: now.</p>',
        "What would move": f"<p>{markdown_to_html(verdicts.moves_in_words(evidence))}</p>"
        + _table_of(verdicts.moves_table(evidence, names, _N_MOVED)),
        "Where it misses": f"<p>{markdown_to_html(verdicts.largest_misses(evidence))}</p>",
    }
    title = f"{verdicts.model_name(candidate)} ({candidate.label}) against {verdicts.model_name(active).lower()}"
    return write_document(title, TITLE, sections, "The evidence in the app", link)


def _write_ranking(evidence: "Evidence", ranking: "Ranking") -> str:
    baseline = evidence.candidate.metadata.scores["mean"]
    table = verdicts.tabulate_ranking(ranking, evidence.active.version, baseline)
    return f"<p>{markdown_to_html(verdicts.tie_in_words(ranking, evidence.n_rows))}</p>{_table_of(table)}"


def _draw_curves(evidence: "Evidence", scenario: dict[str, float]) -> str:
    curves = evidence.curves(scenario)
    ends = [values for _, before, after in curves.values() for values in (before, after)]
    low, high = min(values.min() for values in ends), max(values.max() for values in ends)
    figures = []
    for column in FEATURES:
        grid, before, after = curves[column.name]
        frame, parts = Frame(column, (low, high)), list[str]()
        across = frame.x(np.linspace(0, 1, len(grid))).tolist()
        for dots, dashes, values in (("from", ' stroke-dasharray="5 3"', before), ("choice", "", after)):
            points = list(zip(across, frame.y(values).tolist(), strict=True))
            if column.choices:
                parts += [
                    f'<circle class="{dots}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>{escape(label)}</title></circle>'
                    for label, (x, y) in zip(column.choices, points, strict=True)
                ]
            else:
                parts.append(f'<polyline class="line"{dashes} points="{list_points(points)}"/>')
        figures.append(
            f"<figure>{frame.draw(parts, f'{column.label}: now and with the candidate')}"
            f"<figcaption>{escape(column.label)}{escape(column.unit_note)}</figcaption></figure>"
        )
    return f'<div class="curves">{"".join(figures)}</div>'


def write_kept_report(model: Model, scenarios: Sequence[KeptScenario], table: verdicts.Rows, link: str = "") -> str:
    """Write kept scenarios side by side.

    Parameters
    ----------
    scenarios
        At least one.
    table
        A line for each, as the page shows it: heading -> text.
    """
    headings = [escape(heading) for heading in table[0]]
    cells = [[escape(line.get(heading, "")) for heading in table[0]] for line in table]
    low, high = min(scenario.low for scenario in scenarios), max(scenario.high for scenario in scenarios)
    height, left, right = 26 * len(scenarios) + 22, 170, 600
    parts = []
    for number, scenario in enumerate(scenarios):
        at = [
            left + (right - left) * (value - low) / ((high - low) or 1.0)
            for value in (scenario.low, scenario.value, scenario.high)
        ]
        y = 26 * number + 14
        parts += [
            f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(scenario.name[:26])}</text>',
            f'<line x1="{at[0]:.1f}" x2="{at[2]:.1f}" y1="{y}" y2="{y}" stroke="#8a97a5" stroke-width="3"/>',
            f'<circle class="to" cx="{at[1]:.1f}" cy="{y}" r="5"/>',
        ]
    parts += [
        f'<text x="{x}" y="{height - 4}" text-anchor="{anchor}">{TARGET.estimate(end)}</text>'
        for x, anchor, end in ((left, "start", low), (right, "end", high))
    ]
    said = escape(f"{TARGET.label} of each scenario with its interval, {TARGET.unit}".rstrip(", "))
    picture = f'<svg viewBox="0 0 {right + 20} {height}" role="img" aria-label="{said}">{"".join(parts)}</svg>'
    version = f"version {model.version}" if model.version else "the shipped model"
    note = f'<p class="grey">{said}. A change is from the start of its line, with its interval.</p>'
    sections = {"": picture + note, "Side by side": write_table(headings, cells)}
    return write_document(
        f"{len(scenarios)} kept scenario{'s' * (len(scenarios) > 1)}",
        f"{QUESTION} {TITLE}, {version}",
        sections,
        "The app",
        link,
    )
