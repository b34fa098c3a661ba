"""A field for a number, read as every number of the app is; what cannot be used is told below it."""

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
    """Draw a field, and read it.

    A number field of Streamlit's keeps its former number while another one that it refuses stands there in red.

    Parameters
    ----------
    cell
        Where it is drawn.
    label, key
        Of the field.
    default
        What stands there at first; where it is a whole number, so must others be.
    limits
        The least and the most that can be used.
    options
        For ``st.text_input``.

    Returns
    -------
    float or None
        None where it cannot be used, which is told below the field.
    """
    typed = cell.text_input(label, f"{default:.10g}", key=key, **options)
    value, problem = read_field(typed, limits, is_whole=isinstance(default, int))
    if problem:
        cell.markdown(f":red[{escape(problem)}]")
    return value


def read_field(typed: str, limits: tuple[float, float], *, is_whole: bool) -> tuple[float | None, str]:
    """Return the number that was typed, or what is wrong with it and the cure."""
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
