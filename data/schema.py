"""The only place that names a column; labels, units, sliders, limits and checks are derived from it.

To bring another small regression table, edit this file and the CSV beside it, then run
``python -m model train``.
"""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass

from data.errors import DataError, Problem
from data.numbers import read_number

INPUT_PREFIX = "input."  # before the name of a column where the same name means something else


@dataclass(frozen=True)
class Column:
    """A numeric column: its meaning, its unit, and the values it may take."""

    name: str
    label: str
    short_label: str  # where space is short
    unit: str
    template: str  # how a number and its unit look where space is short, e.g. "${}"
    minimum: float  # the least and the most that a file or a scenario may say,
    maximum: float  # in the stored unit; anything beyond is a mistake
    decimals: int  # shown at rest; a value with more digits shows them all
    help: str
    aliases: tuple[str, ...] = ()  # other header spellings that a file may use
    scale: float = 1.0  # shown value / stored value: 100 for a share shown as a percentage
    low: float = math.nan  # ends of the slider, in the stored unit; of the target, its usual range
    high: float = math.nan
    step: float = math.nan
    slider_format: str = "plain"
    default: float = math.nan
    direction: int = 0  # +1 or -1 where raising it is known to raise or lower the target

    def __post_init__(self) -> None:
        """Refuse a name with a dot or another sign: the app's own names have one, so no column can take them."""
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", self.name):
            cure = "Begin with a letter, and use only letters from A to Z, digits and underscores."
            raise DataError([f"schema.py: a column cannot be called {self.name!r}. {cure}"])

    def name_beside(self, others: Collection[str]) -> str:
        """Return the name, or ``"input.version"`` if ``version`` is among the others, which are in lower case."""
        return f"{INPUT_PREFIX}{self.name}" if self.name.lower() in others else self.name

    @property
    def is_share(self) -> bool:
        """Whether the column holds a share of one that people read as a percentage."""
        return self.scale == 100

    @property
    def n_steps(self) -> int:
        """How many positions the slider has."""
        return round((self.high - self.low) / self.step) + 1

    @property
    def grid(self) -> list[float]:
        """The slider's positions in the stored unit, free of accumulated rounding."""
        return [round(self.low + i * self.step, 9) for i in range(self.n_steps)]

    def shown(self, value: float) -> float:
        """Turn a stored value into the shown unit: ``0.565`` -> ``56.5``."""
        return round(value * self.scale, 9)

    def n_decimals(self, value: float) -> int:
        """Count the decimals that show a stored value in full, six at most and never fewer than at rest."""
        shown = self.shown(value)
        return next((n for n in range(self.decimals, 6) if abs(shown - round(shown, n)) < 1e-9), 6)

    def text(self, value: float) -> str:
        """Write a stored value in its shown unit without the unit: ``0.565`` -> ``"56.5"``."""
        return f"{self.shown(value):,.{self.n_decimals(value)}f}"

    def about(self, value: float) -> str:
        """Write a mean or a quartile in its shown unit: ``7.668`` -> ``"7.67"``, ``4241.8`` -> ``"4,242"``."""
        return f"{self.shown(value):,.{self.decimals + (self.decimals > 0)}f}"

    def text_with_unit(self, value: float) -> str:
        """Write a stored value with its short unit: ``0.565`` -> ``"56.5 %"``."""
        return self.template.format(self.text(value))

    @property
    def short_unit(self) -> str:
        """The unit where space is short: ``"¢"``."""
        return self.template.replace("{}", "").strip()

    def check(self, value: object) -> float:
        """Return a finite number within ``minimum`` and ``maximum`` [stored unit].

        Raises
        ------
        DataError
            If ``value`` is not a number, not finite, or outside the limits: with what was wrong and the cure.
        """
        try:
            if isinstance(value, bool):
                raise TypeError
            number = read_number(value) if isinstance(value, str) else float(value)  # type: ignore[arg-type] # TypeError is caught
        except (TypeError, ValueError, OverflowError) as error:
            reason = str(error) if isinstance(value, str) else f"{str(value)[:60]!r} is not a number."
            raise self._refusal(value, reason.removesuffix(".")) from None
        if not math.isfinite(number) or not self.minimum <= number <= self.maximum:
            raise self._refusal(value, f"{number:.10g} is not possible")
        return number

    def _refusal(self, value: object, reason: str) -> DataError:
        return DataError([Problem(f"{self.name}: {reason}. {self.limits}", self.name, value, self.limits)])

    @property
    def shown_limits(self) -> str:
        """The cure for a bad value in the shown unit, as a sentence."""
        low, high = self.shown(self.minimum), self.shown(self.maximum)
        return f"Give a number from {low:,.10g} to {high:,.10g} {self.unit}."

    @property
    def units(self) -> frozenset[str]:
        """Spellings of this column's unit that a header may have in brackets, in lower case."""
        words = self.unit.lower().split()
        parts = {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
        return frozenset(
            parts | {self.short_unit.lower()} | ({"percent", "share", "fraction"} if self.is_share else set())
        )

    @property
    def limits(self) -> str:
        """The cure for a bad value, as a sentence."""
        kind = " (a share, not a percentage)" if self.is_share else f" {self.unit}"
        return f"Give a number from {self.minimum:,.10g} to {self.maximum:,.10g}{kind}."


ROW = "state"  # what a row is called, which is also the name of the column that identifies it
ROWS = "states"
ROW_ALIASES = ("State", "states", "code")
QUESTION = "How much petrol would a US state use per person?"
PERIOD = "1971–72"

FEATURES = (
    Column(
        name="petrol_tax",
        label="Petrol tax",
        short_label="tax",
        unit="cents per gallon",
        template="{} ¢",
        minimum=0,
        maximum=50,
        decimals=1,
        low=5.0,
        high=10.0,
        step=0.1,
        slider_format="%g",
        default=7.5,
        direction=-1,
        help="State motor-fuel tax in 1972, US cents per gallon.",
    ),
    Column(
        name="average_income",
        label="Average income",
        short_label="income",
        unit="US dollars",
        template="${}",
        minimum=500,
        maximum=50_000,
        decimals=0,
        low=3000.0,
        high=5400.0,
        step=20.0,
        slider_format="$%,.0f",
        default=4300.0,
        help="Personal income per head in 1972, US dollars of that year.",
    ),
    Column(
        name="paved_highways",
        label="Paved highways",
        short_label="highways",
        unit="miles",
        template="{} mi",
        minimum=0,
        maximum=100_000,
        decimals=0,
        low=400.0,
        high=18000.0,
        step=100.0,
        slider_format="%,.0f",
        default=4700.0,
        help="Federal-aid primary highways in 1971, miles. Not every paved road of the state.",
        aliases=("highway",),
    ),
    Column(
        name="driver_licence_share",
        label="Licensed drivers",
        short_label="drivers",
        unit="% of people",
        template="{} %",
        minimum=0.05,
        maximum=1,
        decimals=1,
        scale=100,
        low=0.45,
        high=0.73,
        step=0.001,
        slider_format="percent",
        default=0.565,
        direction=+1,
        help="Licensed drivers divided by population in 1971.",
        aliases=(
            "Population_Driver_licence(%)",
            "Population_Driver_license(%)",
            "driver_license_share",
            "licence",
            "license",
            "Proportion of population with driver's licenses",
        ),
    ),
)

TARGET = Column(
    name="petrol_consumption",
    label="Petrol consumption",
    short_label="petrol use",
    unit="gallons per person per year",
    template="{} gal",
    minimum=1,
    maximum=5000,
    decimals=0,
    help="Motor fuel used in 1972 divided by population, US gallons per person per year.",
    low=300,
    high=1000,
    aliases=("consumption", "Consumption of petrol", "used"),
)

COLUMNS = (*FEATURES, TARGET)
FEATURE_NAMES = tuple(column.name for column in FEATURES)

# fmt: off
ROW_NAMES = {
    "ME": "Maine", "NH": "New Hampshire", "VT": "Vermont", "MA": "Massachusetts", "RI": "Rhode Island",
    "CT": "Connecticut", "NY": "New York", "NJ": "New Jersey", "PA": "Pennsylvania", "OH": "Ohio",
    "IN": "Indiana", "IL": "Illinois", "MI": "Michigan", "WI": "Wisconsin", "MN": "Minnesota", "IA": "Iowa",
    "MO": "Missouri", "ND": "North Dakota", "SD": "South Dakota", "NE": "Nebraska", "KS": "Kansas",
    "DE": "Delaware", "MD": "Maryland", "VA": "Virginia", "WV": "West Virginia", "NC": "North Carolina",
    "SC": "South Carolina", "GA": "Georgia", "FL": "Florida", "KY": "Kentucky", "TN": "Tennessee",
    "AL": "Alabama", "MS": "Mississippi", "AR": "Arkansas", "LA": "Louisiana", "OK": "Oklahoma",
    "TX": "Texas", "MT": "Montana", "ID": "Idaho", "WY": "Wyoming", "CO": "Colorado", "NM": "New Mexico",
    "AZ": "Arizona", "UT": "Utah", "NV": "Nevada", "WA": "Washington", "OR": "Oregon", "CA": "California",
}
# fmt: on

# A tile for each row, roughly where it lies on the map; rows of other tables have none.
_TILES = """
 .  .  .  .  .  .  .  .  .  .  ME
 .  .  .  .  .  .  .  .  .  VT NH
 WA ID MT ND MN IL WI MI NY RI MA
 OR NV WY SD IA IN OH PA NJ CT .
 CA UT CO NE MO KY WV VA MD DE .
 .  AZ NM KS AR TN NC SC .  .  .
 .  .  .  OK LA MS AL GA .  .  .
 .  .  .  TX .  .  .  .  FL .  .
"""
TILES = {
    code: (across, down)
    for down, line in enumerate(_TILES.strip("\n").split("\n"))
    for across, code in enumerate(line.split())
    if code != "."
}


def row_name(code: str) -> str:
    """Name a row in full: ``"OH"`` -> ``"Ohio"``; a code without a longer name is its own name."""
    return ROW_NAMES.get(code, code)
