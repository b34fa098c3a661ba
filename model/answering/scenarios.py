"""The scenarios that a visitor keeps, and their files."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from data.cells import escape_cell
from data.errors import DataError
from data.inputs import load_inputs, load_json
from data.schema import FEATURE_NAMES, FEATURES
from model.answering.prediction import Scenario
from model.fitting.interval import LEVELS

MAX_KEPT = 50
MAX_NAME = 60  # characters
MAX_FILE_BYTES = 2**20  # of a file of scenarios
_MAX_STORED = 4000  # characters of a scenario in a browser's storage
_OTHER_TITLES = ("name", "coverage", "version", "start")  # beside the inputs in a file
_FIGURES = ("prediction", "low", "high", "change", "change_low", "change_high")
_INPUT_TITLES = {column.name: column.name_beside((*_OTHER_TITLES, *_FIGURES)) for column in FEATURES}


@dataclass(frozen=True)
class KeptScenario:
    """A named scenario, with its prediction at the time when it was kept.

    Attributes
    ----------
    coverage
        Level of the interval [1].
    version
        Of the model that predicted; 0 for the shipped model without a store.
    start
        Code of the row that it started from; empty for the typical row.
    value, low, high
        Prediction and the ends of its interval [unit of the target].
    change
        From the prediction at the start.
    change_low, change_high
        Ends of the interval of the change; None if the model had no refits.
    id
        Its key in a browser's storage, whatever its name.
    position
        In that storage.
    """

    name: str
    scenario: Scenario
    coverage: float
    version: int
    start: str
    value: float
    low: float
    high: float
    change: float
    change_low: float | None
    change_high: float | None
    id: str = ""
    position: int = 0


def clean_name(text: object, taken: Collection[str], otherwise: str = "Scenario") -> str:
    """Make a name from typed text: one line, not too long, and numbered if it is taken, as in ``"Ohio (2)"``.

    ``otherwise`` replaces a text without printable characters.
    """
    name = " ".join("".join(character if character.isprintable() else " " for character in str(text)).split())
    name = name[:MAX_NAME].strip() or otherwise
    numbered = (name if n == 1 else f"{name[: MAX_NAME - 5].strip()} ({n})" for n in range(1, len(taken) + 2))
    return next(unused for unused in numbered if unused not in taken)


def _to_record(kept: KeptScenario) -> dict[str, Any]:
    """Return what a file holds of a kept scenario."""
    return {
        "name": kept.name,
        **{_INPUT_TITLES[name]: value for name, value in Scenario(kept.scenario).to_record().items()},
        "coverage": kept.coverage,
        "version": kept.version,
        "start": kept.start,
        **dict(zip(_FIGURES, (kept.value, *(getattr(kept, name) for name in _FIGURES[1:])), strict=True)),
    }


def write_json(tray: Sequence[KeptScenario]) -> str:
    """Write kept scenarios as a JSON list."""
    return json.dumps([_to_record(kept) for kept in tray], indent=1)


def write_stored(kept: KeptScenario) -> str:
    """Write a kept scenario as a browser stores it."""
    return json.dumps(_to_record(kept) | {"place": kept.position})


def read_stored(text: str) -> tuple["ReadScenario", int]:
    """Read a kept scenario from a browser's storage, and its position there, with the checks that a file gets.

    Raises
    ------
    DataError
        If the text is not a valid scenario.
    """
    if len(text) > _MAX_STORED:
        raise DataError([f"It is longer than {_MAX_STORED:,} characters."])
    stored = load_json(text.encode(errors="replace"))
    scenario = _read_record(stored, "")
    position = stored.get("place")
    return scenario, position if isinstance(position, int) and abs(position) < 10**6 else 0


def write_csv(tray: Sequence[KeptScenario]) -> bytes:
    """Write kept scenarios as CSV without any cell that a spreadsheet would take for a formula."""
    import pandas as pd

    # A name that begins with an apostrophe gets another, because reading removes one.
    texts = ("start", *(_INPUT_TITLES[column.name] for column in FEATURES if column.choices))
    records = [
        record
        | {"name": "'" * record["name"].startswith("'") + escape_cell(record["name"])}
        | {title: escape_cell(record[title]) for title in texts}
        for record in map(_to_record, tray)
    ]
    text = pd.DataFrame(records).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


class ReadScenario(NamedTuple):
    """A scenario from a file, without a prediction; coverage and version are 0 if the file does not give them.

    ``where`` says where in the file it was; ``start`` is the text that names its start.
    """

    name: str
    scenario: Scenario
    coverage: float
    version: int
    start: str = ""
    where: str = ""


def read_scenarios(content: bytes) -> list[ReadScenario]:
    """Read one or more scenarios from a file: JSON as `write_json` writes it, or any CSV with the inputs.

    Predictions in the file are ignored, because they are made anew.

    Raises
    ------
    DataError
        With every problem: where, the value received, and the cure. No scenario is then read.
    """
    if len(content) > MAX_FILE_BYTES:
        raise DataError([f"The file is larger than {MAX_FILE_BYTES:,} bytes. Send fewer scenarios."])
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")
    scenarios, problems = (_read_json if is_json else _read_csv)(content)
    if problems:
        raise DataError(problems)
    return scenarios


def _read_json(content: bytes) -> tuple[list[ReadScenario], list[str]]:
    records = load_json(content)
    if not isinstance(records, list) or not records:
        raise DataError(["The file is not a list of scenarios. Send what was downloaded here, or CSV."])
    _require_room(len(records))
    scenarios: list[ReadScenario] = []
    problems: list[str] = []
    for number, record in enumerate(records, 1):
        where = f"scenario {number}"
        try:
            scenarios.append(_read_record(record, where))
        except DataError as error:
            separator = ", " if isinstance(record, dict) else ": "
            problems += [f"{where}{separator}{problem}" for problem in error.problems]
    return scenarios, problems


def _read_record(record: Any, where: str) -> ReadScenario:
    if not isinstance(record, dict):
        raise DataError([f"{str(record)[:60]!r} is not a scenario. Give an object with the inputs."])
    values = {column.name: record[title] for column in FEATURES if (title := _INPUT_TITLES[column.name]) in record}
    for column in FEATURES:
        if column.choices and isinstance(values.get(column.name), (int, float)):
            values[column.name] = str(values[column.name])  # a label, never a code
    scenario = Scenario(values)
    name, coverage, version, start = (record.get(title) for title in _OTHER_TITLES)
    return _check_record(where, name, coverage, version, start, scenario)


def _require_room(n_scenarios: int) -> None:
    if n_scenarios > MAX_KEPT:
        raise DataError([f"The file has {n_scenarios:,} scenarios. Send at most {MAX_KEPT}."])


def _read_csv(content: bytes) -> tuple[list[ReadScenario], list[str]]:
    inputs = load_inputs(content)
    cells = inputs.table.cells
    _require_room(len(cells))
    other_positions = [i for i in range(cells.shape[1]) if i not in inputs.table.positions.values()]
    other_columns = {cells.columns[i].strip().lower(): cells.iloc[:, i] for i in reversed(other_positions)}
    scenarios: list[ReadScenario] = []
    problems: list[str] = []
    for i, (row, reason) in enumerate(zip(cells.index, inputs.reasons, strict=True)):
        if reason:
            problems.append(f"row {row}, {reason}")
            continue
        scenario = Scenario(dict(zip(FEATURE_NAMES, inputs.X[i].tolist(), strict=True)))
        texts = {title: other_columns[title][row] if title in other_columns else "" for title in _OTHER_TITLES}
        coverage = texts["coverage"].replace(inputs.table.decimal, ".").strip() or None
        version = texts["version"].strip() or None
        try:
            name = texts["name"].removeprefix("'")
            start = texts["start"].strip().removeprefix("'")
            scenarios.append(_check_record(f"row {row}", name, coverage, version, start, scenario))
        except DataError as error:
            problems += [f"row {row}, {problem}" for problem in error.problems]
    return scenarios, problems


def _check_record(where: str, name: Any, coverage: Any, version: Any, start: Any, scenario: Scenario) -> ReadScenario:
    """Check what a file says beside the inputs; None stands for what it does not say."""
    problems, level, version_number = [], 0.0, 0
    coverage, version = (0 if value is None else value for value in (coverage, version))
    try:
        level = -1.0 if isinstance(coverage, bool) else float(coverage)
    except (TypeError, ValueError, OverflowError):
        level = -1.0
    if level not in (0, *LEVELS):
        levels = ", ".join(f"{known_level:g}" for known_level in LEVELS)
        problems.append(f"coverage: {str(coverage)[:60]!r} is not a level. Give one of {levels}.")
    text = str(version)
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or isinstance(version, bool):
        problems.append(f"version: {text[:60]!r} is not the number of a version. Leave it out if in doubt.")
    else:
        version_number = int(text)
    if problems:
        raise DataError(problems)
    return ReadScenario(str(name or ""), scenario, level, version_number, str(start or "")[:200], where)


def move_scenario(tray: Sequence[KeptScenario], name: str, by: int) -> list[KeptScenario]:
    """Move a kept scenario up (-1) or down (+1) in the tray, unless it is at that end already, or gone."""
    names, tray = [kept.name for kept in tray], list(tray)
    if name in names:
        index = names.index(name)
        tray.insert(min(max(index + by, 0), len(tray) - 1), tray.pop(index))
    return [replace(kept, position=position) for position, kept in enumerate(tray)]


def rename_scenario(tray: Sequence[KeptScenario], old: str, text: str) -> tuple[list[KeptScenario], str]:
    """Rename a kept scenario, unless it is gone; return the tray and the new name."""
    new = clean_name(text, [kept.name for kept in tray if kept.name != old], old)
    return [replace(kept, name=new) if kept.name == old else kept for kept in tray], new
