"""A field for a number, read like every number in the app; problems are shown below it."""

from typing import Any

from data.numbers import read_number
from pages.shared.words.wording import escape


def draw_number_field(
    cell: Any,
    label: str,
    default: float,
    limits: tuple[float, float],
    *,
    key: str,
    **options: Any,
) -> float | None:
    """Draw a field for a number, and read it.

    Streamlit's own number field keeps its former number while it shows a refused one in red.

    Parameters
    ----------
    default
        Shown at first; if it is a whole number, only whole numbers are accepted.
    limits
        Smallest and largest number accepted.
    options
        For ``st.text_input``.

    Returns
    -------
    float or None
        None if the text cannot be used; a message below the field says why.
    """
    typed = cell.text_input(label, f"{default:.10g}", key=key, **options)
    value, problem = read_field(typed, limits, is_whole=isinstance(default, int))
    if problem:
        cell.markdown(f":red[{escape(problem)}]")
    return value


def read_field(typed: str, limits: tuple[float, float], *, is_whole: bool) -> tuple[float | None, str]:
    """Return the number that was typed, or None and what is wrong with it, with the cure."""
    low, high = limits
    kind = "a whole number" if is_whole else "a number"
    cure = f"Give {kind} from {low:,.10g} to {high:,.10g}."
    try:
        number = read_number(typed)
    except ValueError as error:
        return None, f"{error if typed.strip() else 'The field is empty.'} {cure}"
    if not low <= number <= high:
        return None, f"{typed.strip()[:40]} is out of bounds. {cure}"
    if is_whole and number != int(number):
        return None, f"{typed.strip()[:40]} is not a whole number. {cure}"
    return (int(number) if is_whole else number), ""
