"""Scenarios that a visitor keeps, and files to carry them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from data.cells import harmless
from data.inputs import load_inputs, load_json
from data.schema import FEATURE_NAMES, FEATURES, DataError
from model.answering.predict import Scenario
from model.fitting.interval import LEVELS

MAX_KEPT = 50
MAX_NAME = 60  # characters
MAX_BYTES = 2**20  # of a file of scenarios
_MAX_STORED = 4000  # characters of one in a browser's storage
_BESIDE = ("name", "coverage", "version", "start")  # the inputs in a file
_FIGURES = ("prediction", "low", "high", "change", "change_low", "change_high")
_IN_FILE = {column.name: column.name_beside((*_BESIDE, *_FIGURES)) for column in FEATURES}


@dataclass(frozen=True)
class KeptScenario:
    """A scenario under a name, with what was answered when it was kept.

    Attributes
    ----------
    name : str
    scenario : Scenario
    coverage : float
        Level of the interval [1].
    version : int
        Of the model that answered; 0 for the shipped one without a store.
    start : str
        Code of the row that it started from; empty for the typical one.
    value, low, high : float
        Prediction and the ends of its interval then [unit of the target].
    change : float
        From the prediction at the start, then.
    change_low, change_high : float or None
        Ends of the interval of the change; None where the model had no refits.
    id : str
        By which a browser's storage knows it, whatever it is called.
    place : int
        Among the others in that storage.
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
    place: int = 0


def clean_name(text: str, taken: Iterable[str], otherwise: str = "Scenario") -> str:
    """Make a name of what was typed: one line, not too long, and not one that is taken.

    Parameters
    ----------
    otherwise
        For a text without a letter that can be shown.

    Returns
    -------
    str
        With a number in brackets where it was taken: ``"Ohio (2)"``.
    """
    name = " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())
    name = name[:MAX_NAME].strip() or otherwise
    taken = set(taken)
    return next(
        tried
        for n in range(1, len(taken) + 2)
        if (tried := name if n == 1 else f"{name[: MAX_NAME - 5].strip()} ({n})") not in taken
    )


def to_records(kept: list[KeptScenario]) -> list[dict[str, str | float]]:
    """Kept scenarios as plain dictionaries: what a file holds of each."""
    return [
        {
            "name": entry.name,
            **{_IN_FILE[name]: value for name, value in entry.scenario.items()},
            "coverage": entry.coverage,
            "version": entry.version,
            "start": entry.start,
            **dict(zip(_FIGURES, (entry.value, *(getattr(entry, name) for name in _FIGURES[1:])), strict=True)),
        }
        for entry in kept
    ]


def to_json(kept: list[KeptScenario]) -> str:
    """Write kept scenarios as a JSON list."""
    return json.dumps(to_records(kept), indent=1)


def to_stored(kept: KeptScenario) -> str:
    """Write one kept scenario as a browser stores it."""
    return json.dumps(to_records([kept])[0] | {"place": kept.place})


def read_stored(text: str) -> "tuple[ReadScenarios, int]":
    """Read a kept scenario that a browser has stored, with the care that a file gets.

    Returns
    -------
    place : int
        Among the others.

    Raises
    ------
    DataError
        With what is wrong.
    """
    if len(text) > _MAX_STORED:
        raise DataError([f"It is longer than {_MAX_STORED:,} characters."])
    stored = load_json(text.encode(errors="replace"))
    found, problems = _from_listed([stored])
    if problems:
        raise DataError([problem.removeprefix("scenario 1").lstrip(":, ") for problem in problems])
    place = stored.get("place")
    return found[0], place if isinstance(place, int) and abs(place) < 10**6 else 0


def to_csv(kept: list[KeptScenario]) -> bytes:
    """Write kept scenarios as CSV, of which a spreadsheet will calculate nothing."""
    import pandas as pd

    # What begins with an apostrophe itself gets one, too: one is taken off when it is read.
    records = [
        record | {"name": "'" * str(record["name"]).startswith("'") + harmless(str(record["name"]))}
        for record in to_records(kept)
    ]
    text = pd.DataFrame(records).to_csv(index=False, lineterminator="\n")
    return text.encode("utf-8" if text.isascii() else "utf-8-sig")


class ReadScenarios(NamedTuple):
    """A scenario from a file, not yet answered: 0 for a level or a version that the file does not say.

    ``where`` is its place in the file, and ``start`` the text that names where it starts.
    """

    name: str
    scenario: Scenario
    coverage: float
    version: int
    start: str = ""
    where: str = ""


def read_scenarios(content: bytes) -> list[ReadScenarios]:
    """Read scenarios from a file: JSON as `to_json` writes it, or any CSV with the inputs.

    What the file says was predicted is not believed: predictions are made anew.

    Returns
    -------
    list of ReadScenarios
        One at least.

    Raises
    ------
    DataError
        With every problem: where, the value received, and the cure. Then nothing is read.
    """
    if len(content) > MAX_BYTES:
        raise DataError([f"The file is larger than {MAX_BYTES:,} bytes. Send fewer scenarios."])
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"[", b"{")
    found, problems = (_from_json if is_json else _from_csv)(content)
    if problems:
        raise DataError(problems)
    return found


def _from_json(content: bytes) -> tuple[list[ReadScenarios], list[str]] | tuple[list[Any], list[str]]:
    listed = load_json(content)
    if not isinstance(listed, list) or not listed:
        raise DataError(["The file is not a list of scenarios. Send what was downloaded here, or CSV."])
    _require_room(listed)
    return _from_listed(listed)


def _from_listed(
    listed: list[Any],
) -> tuple[list[ReadScenarios], list[str]]:
    found, problems = list[ReadScenarios](), list[str]()
    for number, one in enumerate(listed, 1):
        where = f"scenario {number}"
        if not isinstance(one, dict):
            problems.append(f"{where}: {str(one)[:60]!r} is not a scenario. Give an object with the inputs.")
            continue
        try:
            scenario = Scenario({name: one[title] for name, title in _IN_FILE.items() if title in one})
            name, coverage, version, start = (one.get(title) for title in _BESIDE)
            found.append(_build(where, name, coverage, version, start, scenario))
        except DataError as error:
            problems += [f"{where}, {problem.removeprefix(where).lstrip(', ')}" for problem in error.problems]
    return found, problems


def _require_room(listed: Any) -> None:
    if len(listed) > MAX_KEPT:
        raise DataError([f"The file has {len(listed):,} scenarios. Send at most {MAX_KEPT}."])


def _from_csv(content: bytes) -> tuple[list[ReadScenarios], list[str]]:
    inputs = load_inputs(content)
    cells = inputs.table.cells
    _require_room(cells)
    beside = [place for place in range(cells.shape[1]) if place not in inputs.table.places.values()]
    columns = {cells.columns[place].strip().lower(): cells.iloc[:, place] for place in reversed(beside)}
    found, problems = list[ReadScenarios](), list[str]()
    for place, (row, reason) in enumerate(zip(cells.index, inputs.reasons, strict=True)):
        if reason:
            problems.append(f"row {row}, {reason}")
            continue
        scenario = Scenario(dict(zip(FEATURE_NAMES, inputs.X[place].tolist(), strict=True)))
        said = {name: columns[name][row] if name in columns else "" for name in _BESIDE}
        level = said["coverage"].replace(inputs.table.decimal, ".").strip() or None
        try:
            name = said["name"].removeprefix("'")
            start = said["start"].strip().removeprefix("'")
            found.append(_build(f"row {row}", name, level, said["version"].strip() or None, start, scenario))
        except DataError as error:
            problems += error.problems
    return found, problems


def _build(
    where: str,
    name: Any,
    coverage: Any,
    version: Any,
    start: Any,
    scenario: Scenario,
) -> ReadScenarios:
    """Check what stands beside the inputs, or is left out."""
    problems, level, number = [], 0.0, 0
    name, coverage, version = (0 if value is None else value for value in (name or "", coverage, version))
    try:
        level = -1.0 if isinstance(coverage, bool) else float(coverage)
    except (TypeError, ValueError, OverflowError):
        level = -1.0
    if level not in (0, *LEVELS):
        levels = ", ".join(f"{level:g}" for level in LEVELS)
        problems.append(f"{where}, coverage: {str(coverage)[:60]!r} is not a level. Give one of {levels}.")
    text = str(version)
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or isinstance(version, bool):
        problems.append(f"{where}, version: {text[:60]!r} is not the number of a version. Leave it out if in doubt.")
    else:
        number = int(text)
    if problems:
        raise DataError(problems)
    return ReadScenarios(str(name), scenario, level, number, str(start or "")[:200], where)


def move_scenario(kept: list[KeptScenario], name: str, by: int) -> list[KeptScenario]:
    """Move one of the kept scenarios up or down in the list.

    Parameters
    ----------
    name
        Of the one to move; where it is gone nothing moves.
    by
        -1 for up, +1 for down; at an end nothing moves.

    Returns
    -------
    list of Kept
        Each with its place.
    """
    places = {one.name: place for place, one in enumerate(kept)}
    kept = list(kept)
    if name in places:
        to = min(max(places[name] + by, 0), len(kept) - 1)
        kept.insert(to, kept.pop(places[name]))
    return [replace(one, place=place) for place, one in enumerate(kept)]


def rename_scenario(kept: list[KeptScenario], old: str, text: str) -> tuple[list[KeptScenario], str]:
    """Give one of the kept scenarios another name.

    Parameters
    ----------
    old
        Its name; where it is gone nothing changes.

    Returns
    -------
    new : str
        The name that it got.
    """
    new = clean_name(text, [entry.name for entry in kept if entry.name != old], old)
    return [replace(entry, name=new) if entry.name == old else entry for entry in kept], new
