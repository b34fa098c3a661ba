"""A column: its meaning, its unit or its choices, the values it may take, and how they are written."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data.errors import DataError, Problem
from data.numbers import read_number

FloatArray = NDArray[np.float64]
INPUT_PREFIX = "input."  # before the name of a column where the same name means something else


@dataclass(frozen=True)
class Column:
    """A column of numbers or of choices: its meaning, its unit, and the values it may take.

    A choice is stored as its code, its place among the choices, and shown by its label.
    """

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
    default: float = math.nan  # where the slider begins; of the target, the goal that a page begins with
    direction: int = 0  # +1 or -1 where raising it is known to raise or lower the target
    choices: tuple[str, ...] = ()  # labels of a category; its codes are 0, 1 and so on

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

    def plain(self, value: float) -> float | str:
        """Return a stored value as files and programs have it: the label of a choice, or the number itself."""
        return self.choices[int(value)] if self.choices else value

    def text(self, value: float) -> str:
        """Write a stored value in its shown unit without the unit: ``0.565`` -> ``"56.5"``; of a choice its label."""
        if self.choices:
            return self.choices[int(value)]
        return f"{self.shown(value):,.{self.n_decimals(value)}f}"

    def about(self, value: float) -> str:
        """Write a mean or a quartile in its shown unit: ``7.668`` -> ``"7.67"``, ``4241.8`` -> ``"4,242"``."""
        return f"{self.shown(value):,.{self.decimals + (self.decimals > 0)}f}"

    def round(self, value: "FloatArray | float") -> Any:
        """Round stored values, a number or an array, to what `estimate` shows of them."""
        return np.round(value * self.scale, self.decimals) / self.scale + 0.0

    def estimate(self, value: float, sign: str = "", *, n_more: int = 0) -> str:
        """Write a prediction, a difference or an error in its shown unit: ``566.6`` -> ``"567"``.

        Parameters
        ----------
        sign
            ``"+"`` to write it before a positive number, too; what is shown as 0 has none.
        n_more
            Decimals beyond those at rest.
        """
        text = f"{self.shown(value):{sign}z,.{self.decimals + n_more}f}"
        return text if set(text) & set("123456789") else text.lstrip("+")

    def text_with_unit(self, value: float) -> str:
        """Write a stored value with its short unit: ``0.565`` -> ``"56.5 %"``."""
        return self.template.format(self.text(value))

    @property
    def short_unit(self) -> str:
        """The unit where space is short: ``"¢"``."""
        return self.template.replace("{}", "").strip()

    @property
    def unit_note(self) -> str:
        """The unit as it follows a title: ``" (miles)"``; empty where there is none."""
        return f" ({self.unit})" if self.unit else ""

    @property
    def short_unit_note(self) -> str:
        """The short unit as it follows a title: ``" (mi)"``; empty where there is none."""
        return f" ({self.short_unit})" if self.short_unit else ""

    def find_code(self, label: str) -> float | None:
        """Return the code of the choice with this label, in any case if none is written just so; None without one."""
        label = label.strip()
        folded = [choice.casefold() for choice in self.choices]
        if label in self.choices:
            return float(self.choices.index(label))
        return float(folded.index(label.casefold())) if label.casefold() in folded else None

    def check(self, value: object) -> float:
        """Return a finite number within ``minimum`` and ``maximum`` [stored unit].

        Parameters
        ----------
        value
            A number, or text that is one; of a category a label, or a code as it is stored.

        Raises
        ------
        DataError
            If ``value`` is not a number, not finite, or outside the limits, or no choice: with what was wrong and the
            cure.
        """
        if self.choices:
            code = self.find_code(value) if isinstance(value, str) else value
            if isinstance(code, float) and code in range(len(self.choices)):
                return code
            raise self._refusal(value, f"{str(value)[:60]!r} is none of the choices")
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
        if self.choices:
            return self.limits
        low, high = self.shown(self.minimum), self.shown(self.maximum)
        return f"Give a number from {low:,.10g} to {high:,.10g} {self.unit}".rstrip() + "."

    @property
    def units(self) -> frozenset[str]:
        """Spellings of this column's unit that a header may have in brackets, in lower case."""
        if self.choices:
            return frozenset()
        words = self.unit.lower().split()
        parts = {" ".join(words[i:j]) for i in range(len(words)) for j in range(i + 1, len(words) + 1)}
        return frozenset(
            parts | {self.short_unit.lower()} | ({"percent", "share", "fraction"} if self.is_share else set())
        )

    @property
    def limits(self) -> str:
        """The cure for a bad value, as a sentence."""
        if self.choices:
            labels = ", ".join(f"'{choice}'" for choice in self.choices)
            return f"Give one of {labels}."
        kind = " (a share, not a percentage)" if self.is_share else f" {self.unit}".rstrip()
        return f"Give a number from {self.minimum:,.10g} to {self.maximum:,.10g}{kind}."


def fold(header: object) -> str:
    """Take case, spaces and signs out of a header, so that ``Paved_Roads`` and ``paved roads `` are equal."""
    return re.sub(r"[^a-z0-9]+", "_", str(header).lower()).strip("_")
