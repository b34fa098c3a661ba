"""Read a number as people type it: in a field, in a cell of the editor, in a link or on the command line."""

import re

_THOUSANDS_SIGN = re.compile(r"(?<=\d)[\s\u00a0\u2009\u202f'\u2019](?=\d{3}(?!\d))", re.ASCII)
_AMBIGUOUS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}", re.ASCII)
_DECIMAL_POINT = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+,\d+", re.ASCII)
_PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def read_number(typed: str) -> float:
    """Read a number with a decimal point, or with a comma where only that makes sense.

    ``numbers.js`` reads the fields of the What-if page by the same rules.

    Raises
    ------
    ValueError
        With what is wrong, and the cure where both readings are possible: ``1,234`` may be 1.234 or 1234.
    """
    text = _THOUSANDS_SIGN.sub("", typed.strip()).replace("\u2212", "-")
    if _AMBIGUOUS.fullmatch(text):
        readings = f"{text.replace(',', '.')} or {text.replace(',', '')}"
        raise ValueError(f"{text} can mean {readings}. Write it without the comma.")
    if _DECIMAL_POINT.fullmatch(text):
        text = text.replace(",", "")
    elif _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(".", "").replace(",", ".")
    else:
        text = text.replace(",", ".", 1)
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{typed.strip()[:60]!r} is not a number.")
    return float(text)
