"""A document to hand on as one HTML file: it opens without the app, asks nobody for anything, and prints."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from data.schema import TARGET, TITLE, Column

_WIDTH, _HEIGHT, _LEFT, _BELOW = 320, 120, 48, 22  # of a curve [px]
_STYLE = """
:root { color-scheme: light; }
body { font: 15px/1.45 system-ui, sans-serif; color: #1b2733; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.3rem; margin: 0; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .5rem; }
.number { font-size: 3rem; font-weight: 750; line-height: 1.1; } .grey { color: #55636f; }
table { border-collapse: collapse; } td, th { padding: .25rem .7rem .25rem 0; text-align: left; vertical-align: top; }
td.figure, th.figure { text-align: right; font-variant-numeric: tabular-nums; }
tr + tr { border-top: 1px solid #d8dee4; } th { font-weight: 400; color: #55636f; }
.curves { display: grid; grid-template-columns: repeat(auto-fill, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; break-inside: avoid; } figcaption { font-size: .9rem; }
svg { width: 100%; height: auto; } svg text { font-size: 11px; fill: #55636f; }
.bar { display: inline-block; height: .7rem; border-radius: 3px; background: #0b6e8a; }
.bar.more { background: #c63f0d; } .band { fill: #0b6e8a; fill-opacity: .16; }
.line { fill: none; stroke: #0b6e8a; stroke-width: 2; } .choice { fill: #0b6e8a; }
.from { fill: #fff; stroke: #8a97a5; stroke-width: 1.5; } .to { fill: #c63f0d; stroke: #fff; stroke-width: 1.5; }
@media print { body { margin: 0; max-width: none; } section { break-inside: avoid; }
  .bar { print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
"""


def write_document(title: str, subtitle: str, sections: Mapping[str, str], link_text: str = "", link: str = "") -> str:
    """Write a document.

    Parameters
    ----------
    sections
        Heading -> escaped HTML; without a heading under an empty one, and left out where it is empty.
    link
        Address of the same in the app; empty where that is not known.

    Returns
    -------
    str
        HTML without scripts and without anything that is fetched.
    """
    body = "".join(
        f"<section>{f'<h2>{escape(heading)}</h2>' if heading else ''}{content}</section>\n"
        for heading, content in sections.items()
        if content
    )
    back = f'<p class="grey">{escape(link_text)}: <a href="{escape(link)}">{escape(link)}</a></p>' if link else ""
    head = f'<meta charset="utf-8"><title>{escape(TITLE)}</title><style>{_STYLE}</style>'
    policy = "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
    top = f'<h1>{escape(title)}</h1><p class="grey">{escape(subtitle)}</p>'
    return f'<!doctype html><html lang="en"><head>{head}{policy}</head><body>{top}\n{body}{back}</body></html>\n'


def write_table(headings: Sequence[str], rows: Sequence[Sequence[str]], n_texts: int = 1) -> str:
    """Write a table of escaped HTML; the columns after the first few hold figures."""

    def line(cells: Sequence[str], tag: str) -> str:
        kinds = ("" if i < n_texts else ' class="figure"' for i in range(len(cells)))
        return f"<tr>{''.join(f'<{tag}{kind}>{cell}</{tag}>' for cell, kind in zip(cells, kinds, strict=True))}</tr>"

    return f"<table>{line(headings, 'th')}{''.join(line(row, 'td') for row in rows)}</table>"


class Frame:
    """Where a curve stands in its picture, with the ends of both axes written at them.

    Parameters
    ----------
    column
        Along the curve.
    span
        Lowest and highest prediction [unit of the target].
    """

    def __init__(self, column: Column, span: tuple[float, float]) -> None:
        self._column, (self._low, self._high) = column, span

    def x(self, share: Any) -> Any:
        """Place a share of the way along the column."""
        return _LEFT + 6 + (_WIDTH - _LEFT - 12) * share

    def y(self, value: Any) -> Any:
        """Place a prediction."""
        return 6 + (_HEIGHT - _BELOW - 12) * (self._high - value) / ((self._high - self._low) or 1.0)

    def draw(self, parts: Sequence[str], name: str) -> str:
        """Draw the parts of a picture, and the ends of its axes."""
        ends = [
            f'<text x="{_LEFT - 4}" y="{self.y(end) + 4:.1f}" text-anchor="end">{TARGET.estimate(end)}</text>'
            for end in (self._low, self._high)
        ]
        for share, anchor, end in ((0, "start", self._column.low), (1, "end", self._column.high)):
            place = f'x="{self.x(share):.1f}" y="{_HEIGHT - 6}" text-anchor="{anchor}"'
            ends.append(f"<text {place}>{escape(self._column.text(end))}</text>")
        label = f'role="img" aria-label="{escape(name)}"'
        return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" {label}>{"".join([*parts, *ends])}</svg>'


def list_points(points: Sequence[tuple[float, float]]) -> str:
    """Write points as an attribute of SVG."""
    return " ".join(f"{left:.1f},{top:.1f}" for left, top in points)
