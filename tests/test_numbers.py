"""One reader of numbers, in the page and behind it: as people type them, and asked where both readings are possible."""

import pytest

from data.errors import DataError
from data.numbers import read_number
from data.schema import FEATURES

READ = [
    ("7,5", "{} ¢", 7.5), ("7.5", "{} ¢", 7.5), ("7.5 ¢", "{} ¢", 7.5), ("7.5¢", "{} ¢", 7.5), (" 7. ", "{}", 7),
    (".5", "{}", 0.5), (",5", "{}", 0.5), ("+7,5", "{}", 7.5), ("-7,5", "{}", -7.5), ("−7.5", "{}", -7.5),
    ("0,565", "{}", 0.565), ("-0,565", "{} %", -0.565), ("56.5 %", "{} %", 56.5), ("56,5\xa0%", "{} %", 56.5),
    ("1 234,5", "{}", 1234.5), ("1\u202f234,5", "{}", 1234.5), ("5 000", "{}", 5000), ("1,234.5", "{}", 1234.5),
    ("1,234,567", "{}", 1234567), ("1.234,5", "{}", 1234.5), ("1.234.567,8", "{}", 1234567.8),
    ("12345,678", "{}", 12345.678), ("476,5", "{} mi", 476.5), ("476 mi", "{} mi", 476),
    ("$4,512.5", "${}", 4512.5), ("$ 4512", "${}", 4512), ("1e3", "{}", 1000), ("1,5E-1", "{}", 0.15),
]  # fmt: skip
ASKED = [("1,234", "1.234 or 1234"), ("-12,000", "-12.000 or -12000")]
WRONG = ["7 5", "12 34", "4 3000",
    "", " ", "abc", "1.2.3", "1,2,3", "1,2345,678", "1,23,456", "1.234.5,6", "0.123,4", "--5", "5-", ".", ",", "-",
    "7.5 %", "0x10", "1e", "NaN", "Infinity", "1_0", "7.5; 8", "٧", "<b>7</b>"]  # fmt: skip


@pytest.mark.parametrize(("typed", "template", "value"), READ)
def test_a_number_is_read_as_people_type_it(typed, template, value):
    """The same cases are read by the page's own reader in test_javascript.py."""
    assert read_number(typed.replace(template.replace("{}", "").strip(), "")) == value


@pytest.mark.parametrize(("typed", "readings"), ASKED)
def test_a_number_with_two_readings_is_asked_about(typed, readings):
    with pytest.raises(ValueError, match=f"^{typed} can mean {readings}. Write it without the comma"):
        read_number(typed)


@pytest.mark.parametrize("typed", WRONG)
def test_what_is_no_number_is_told_and_not_guessed(typed):
    with pytest.raises(ValueError, match="is not a number"):
        read_number(typed)


def test_an_input_on_the_command_line_or_in_a_link_is_read_alike():
    tax, income = FEATURES[0], FEATURES[1]
    assert tax.check("7,5") == tax.check("7.5") == tax.check(" 7.50 ") == 7.5
    assert income.check("4 300") == income.check("4300") == 4300
    with pytest.raises(DataError, match=r"4,300 can mean 4\.300 or 4300\. Write it without the comma\. Give a number"):
        income.check("4,300")
