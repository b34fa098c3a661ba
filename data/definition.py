"""What a table is: ``table.toml`` read and checked, each problem with its place, the value received and the cure."""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.column import Column, fold
from data.errors import DataError

FILE = "table.toml"
MAX_INPUTS = 20
MAX_STEPS = 1000  # of a slider: each is a point of a curve, and all of them are predicted at every move
MAX_CHOICES, MAX_LABEL = 30, 60  # of a category, and characters of a label
_NAME = r"[A-Za-z][A-Za-z0-9_]*"


@dataclass(frozen=True)
class Suspicion:
    """A published figure that is probably wrong: where it stands, what it probably was, and why."""

    row: str
    column: str
    likely: float  # [stored unit]
    why: str


@dataclass(frozen=True)
class Notes:
    """What is known of rows beyond their figures: source, period, facts (Markdown), and the figures to doubt."""

    rows_sha256: str  # of the rows that they are about
    source: str
    period: str
    facts: tuple[str, ...]
    suspicious: tuple[Suspicion, ...]


@dataclass(frozen=True)
class Definition:
    """A table without its rows.

    Attributes
    ----------
    row, rows
        What a row is called, and several; ``row`` is also the name of the column that identifies them.
    row_aliases
        Other header spellings of that column.
    row_names
        What that column has -> a longer name.
    verb, past
        What a row does with the target, and did: "use", "used".
    tiles
        What that column has -> (column, line) of its tile on a map; empty without a map.
    """

    title: str
    question: str
    period: str
    row: str
    rows: str
    row_aliases: tuple[str, ...]
    row_names: Mapping[str, str]
    tiles: Mapping[str, tuple[int, int]]
    inputs: tuple[Column, ...]
    target: Column
    verb: str
    past: str
    notes: Notes | None


def read_definition(folder: Path) -> Definition:
    """Read and check the ``table.toml`` of a folder.

    Raises
    ------
    DataError
        With every problem: place, value received and cure.
    """
    path = folder / FILE
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError([f"{path}: cannot be read ({error.strerror}). Check the path of the folder."]) from None
    except UnicodeDecodeError:
        raise DataError([f"{path}: is not UTF-8. Save it as UTF-8."]) from None
    except (ValueError, RecursionError) as error:  # of tomllib, or of what it calls
        raise DataError([f"{path}: {error}. Mend that line; text stands in quotation marks."]) from None
    problems: list[str] = []
    definition = _define(_Section(values, "", problems))
    if problems:
        raise DataError(f"{path}: {problem}" for problem in problems)
    return definition


def with_article(noun: str) -> str:
    """Put the indefinite article before a noun, by its first letter: ``"orchard"`` -> ``"an orchard"``."""
    return f"{'an' if noun[:1].lower() in {*'aeiou'} else 'a'} {noun}"


class _Section:
    """A part of the file. What is taken from it is checked, and each problem noted with its place."""

    def __init__(self, values: object, place: str, problems: list[str]) -> None:
        self.place, self.problems, self._known = place, problems, set[str]()
        self._values: dict[str, Any] = values if isinstance(values, dict) else {}
        if not isinstance(values, dict):
            self.report("", f"is {_shown(values)}, not a part with keys of its own. Write it as [{place}]")

    def report(self, key: str, problem: str) -> None:
        """Note a problem of a key, or of the whole part."""
        self.problems.append(f"{', '.join(word for word in (self.place, key) if word)}: {problem}.")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def _take(self, key: str, kind: type | tuple[type, ...], what: str, example: str, default: Any) -> Any:
        self._known.add(key)
        value = self._values.get(key, default)
        if value is None:
            self.report(key, f"is missing. Write {key} = {example}")
        elif not isinstance(value, kind) or isinstance(value, bool) is not (kind is bool):
            self.report(key, f"{_shown(value)} is not {what}. Write {key} = {example}")
        else:
            return value
        return None

    def text(self, key: str, default: str | None = None, example: str = '"..."') -> str:
        """Take a text; one without a default may be neither missing nor empty."""
        value = self._take(key, str, "a text in quotation marks", example, default)
        if value is not None and not value.strip() and default is None:
            self.report(key, f"is empty. Write {key} = {example}")
        return value or ""

    def number(self, key: str, example: str, default: float | None = None) -> float:
        """Take a finite number, with or without a decimal point."""
        value = self._take(key, (int, float), "a number", example, default)
        if value is not None and not abs(value) < 1e300:
            self.report(key, f"{value} is not possible. Write {key} = {example}")
            return 0.0
        return float(value or 0)

    def whole(self, key: str, low: int, high: int, default: int) -> int:
        """Take a whole number within limits."""
        value = self._take(key, int, "a whole number", str(default), default)
        if value is not None and not low <= value <= high:
            self.report(key, f"{value} is not from {low} to {high}. Write {key} = {default}")
        return value or 0

    def flag(self, key: str) -> bool:
        """Take true or false, which is the default."""
        return bool(self._take(key, bool, "true or false", "true", False))

    def texts(self, key: str) -> tuple[str, ...]:
        """Take a list of texts; none by default."""
        value = self._take(key, list, "a list", '["...", "..."]', [])
        if any(not isinstance(text, str) for text in value or ()):
            self.report(key, f'{_shown(value)} is not a list of texts. Write {key} = ["...", "..."]')
            return ()
        return tuple(value or ())

    def part(self, key: str) -> "_Section":
        """Take a part of this one: ``[key]``; without it, one without keys."""
        self._known.add(key)
        return _Section(self._values.get(key, {}), self._placed(key), self.problems)

    def parts(self, key: str) -> list["_Section"]:
        """Take a list of parts: ``[[key]]``."""
        values = self._take(key, list, f"a list of parts. Begin each with [[{self._placed(key)}]]", "[]", [])
        parts = []
        for number, value in enumerate(values or (), 1):
            name = value.get("name") if isinstance(value, dict) else None
            named = f" ({name[:60]})" if isinstance(name, str) else ""
            parts.append(_Section(value, f"{self._placed(key)} {number}{named}", self.problems))
        return parts

    def mapping(self, key: str) -> dict[str, str]:
        """Take a part in which every value is a text."""
        part = self.part(key)
        return {name: part.text(name) for name in part._values}  # noqa: SLF001 - of this class

    def require_nothing_else(self) -> None:
        """Report the keys that nothing has asked for: slips of the pen, which would else count for nothing."""
        for key in self._values.keys() - self._known:
            close = difflib.get_close_matches(key, self._known, 1)
            self.report(key, f"is not known here. {f'Write {close[0]}' if close else 'Remove it'}")

    def _placed(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key


def _shown(value: object) -> str:
    return repr(value)[:60]


def _define(file: _Section) -> Definition:
    row = file.part("row")
    row_name = row.text("name", example='"car"')
    row_names = row.mapping("names")
    parts = file.parts("input")
    inputs, target_part = tuple(_read_input(part) for part in parts), file.part("target")
    target = _read_column(target_part, default=target_part.number("default", "50"))
    if target.is_share:
        target_part.report("is_share", "is for inputs alone. Remove it, and have the rows hold what people read")
    verb, past = target_part.text("verb", "have"), target_part.text("past", "had")
    target_part.require_nothing_else()
    notes = _read_notes(file.part("notes"), [column.name for column in (*inputs, target)]) if "notes" in file else None
    plan = file.part("map")
    definition = Definition(
        title=file.text("title", example='"Fuel of cars"'),
        question=file.text("question", example='"How far would a car go on a gallon?"'),
        period=file.text("period", ""),
        row=row_name,
        rows=row.text("plural", f"{row_name}s"),
        row_aliases=row.texts("aliases"),
        row_names=row_names,
        tiles=_read_tiles(plan.text("tiles", "")),
        inputs=inputs,
        target=target,
        verb=verb,
        past=past,
        notes=notes,
    )
    for part in (row, plan, file):
        part.require_nothing_else()
    if not 1 <= len(inputs) <= MAX_INPUTS:
        file.report("input", f"there are {len(inputs)}. Give from 1 to {MAX_INPUTS}, each below a line [[input]]")
    if not re.fullmatch(_NAME, row_name):
        row.report("name", _name_problem(row_name))
    _require_distinct(definition, [row, *parts, target_part])
    return definition


def _read_input(part: _Section) -> Column:
    if "choices" in part:
        return _read_category(part)
    n_problems = len(part.problems)
    column = _read_column(
        part,
        step=part.number("step", "0.1"),
        default=part.number("default", "1.0"),
        slider_format=part.text("slider_format", "plain"),
        direction=part.whole("direction", -1, 1, 0),
    )
    part.require_nothing_else()
    if len(part.problems) > n_problems:
        return column
    n_steps = (column.high - column.low) / column.step if column.step > 0 else 0
    if column.step <= 0:
        part.report("step", f"{column.step:g} is not above 0. Write step = {(column.high - column.low) / 100:g}")
    elif not 0.5 < n_steps < MAX_STEPS + 0.5 or abs(n_steps - round(n_steps)) > 1e-6:
        cure = f"Choose one that goes into it a whole number of times, {MAX_STEPS} at most"
        part.report("step", f"{column.step:g} goes {n_steps:g} times from {column.low:g} to {column.high:g}. {cure}")
    elif not any(abs(column.default - position) < column.step * 1e-6 for position in column.grid):
        nearest = min(column.grid, key=lambda position: abs(position - column.default))
        part.report("default", f"{column.default:g} is no position of the slider. Write default = {nearest:.10g}")
    return column


def _read_category(part: _Section) -> Column:
    name, label = _read_names(part)
    choices = tuple(choice.strip() for choice in part.texts("choices"))
    if not 2 <= len(choices) <= MAX_CHOICES:
        part.report("choices", f"there are {len(choices)}. Give from 2 to {MAX_CHOICES}, each in quotation marks")
    for choice in choices:
        if not choice or len(choice) > MAX_LABEL or not choice.isprintable():
            part.report("choices", f"{_shown(choice)} is no label. Give one of 1 to {MAX_LABEL} printable characters")
        elif [other.casefold() for other in choices].count(choice.casefold()) > 1:
            part.report("choices", f"{choice!r} is there twice, for capitals do not count. Keep one")
    default = part.text("default", example='"..."')
    if default and default not in choices:
        part.report("default", f"{_shown(default)} is none of the choices. Write one of {', '.join(choices)[:200]}")
    column = Column(
        name=name,
        label=label,
        short_label=part.text("short_label", label.lower()),
        unit="",
        template="{}",
        minimum=0.0,
        maximum=float(len(choices) - 1),
        decimals=0,
        help=part.text("help", ""),
        aliases=part.texts("aliases"),
        low=0.0,
        high=float(len(choices) - 1),
        step=1.0,
        default=float(choices.index(default)) if default in choices else 0.0,
        choices=choices,
    )
    part.require_nothing_else()
    return column


def _read_names(part: _Section) -> tuple[str, str]:
    name = part.text("name", example='"weight"')
    if name and not re.fullmatch(_NAME, name):
        part.report("name", _name_problem(name))
    return name, part.text("label", name.replace("_", " ").capitalize())


def _read_column(part: _Section, **of_slider: Any) -> Column:
    n_problems = len(part.problems)
    name, label = _read_names(part)
    unit = part.text("unit", "")
    template = part.text("template", "{}" + f" {unit}".rstrip())
    if template.count("{}") != 1 or set("{}") & set(template.replace("{}", "")):
        part.report("template", f'{_shown(template)} has no place for the number. Write template = "{{}} {unit}"')
    column = Column(
        name=name,
        label=label,
        short_label=part.text("short_label", label.lower()),
        unit=unit,
        template=template,
        minimum=part.number("minimum", "0"),
        maximum=part.number("maximum", "100"),
        decimals=part.whole("decimals", 0, 6, 0),
        help=part.text("help", ""),
        aliases=part.texts("aliases"),
        scale=100.0 if part.flag("is_share") else 1.0,
        low=part.number("low", "10"),
        high=part.number("high", "90"),
        **of_slider,
    )
    for smaller, larger in (("minimum", "low"), ("low", "high"), ("high", "maximum")):
        first, second = getattr(column, smaller), getattr(column, larger)
        if len(part.problems) == n_problems and (first > second or (smaller == "low" and first == second)):
            part.report(larger, f"{second:g} is below {smaller}, {first:g}. Raise it, or lower {smaller}")
    return column


def _name_problem(name: str) -> str:
    cure = "Begin with a letter, and use only letters from A to Z, digits and underscores"
    return f"a column cannot be called {name!r}. {cure}"


def _read_tiles(drawing: str) -> dict[str, tuple[int, int]]:
    return {
        code: (across, down)
        for down, line in enumerate(drawing.strip("\n").split("\n"))
        for across, code in enumerate(line.split())
        if code != "."
    }


def _read_notes(part: _Section, columns: Sequence[str]) -> Notes:
    suspicious = []
    for figure in part.parts("suspicious"):
        column = figure.text("column")
        if column not in columns:
            figure.report("column", f"{_shown(column)} is no column. The columns are {', '.join(columns)}")
        suspicious.append(Suspicion(figure.text("row"), column, figure.number("likely", "1.5"), figure.text("why")))
        figure.require_nothing_else()
    notes = Notes(
        rows_sha256=part.text("rows_sha256"),
        source=part.text("source"),
        period=part.text("period", ""),
        facts=part.texts("facts"),
        suspicious=tuple(suspicious),
    )
    part.require_nothing_else()
    return notes


def _require_distinct(definition: Definition, parts: Sequence[_Section]) -> None:
    """Report each spelling, of a name or an alias, by which a header could mean two columns."""
    spellings = [
        (definition.row, *definition.row_aliases),
        *((column.name, column.label, *column.aliases) for column in (*definition.inputs, definition.target)),
    ]
    owners: dict[str, _Section] = {}
    for part, names in zip(parts, spellings, strict=True):
        for name in names:
            owner = owners.setdefault(fold(name), part)
            if fold(name) and owner is not part:
                part.report("name" if name == names[0] else "aliases", f"{name!r} also means {owner.place}. Change one")
