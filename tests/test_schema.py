"""The schema: sliders, texts and limits."""

import math

import pytest

from data.errors import DataError
from data.schema import COLUMNS, FEATURES, ROW_NAMES, TARGET, row_name


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_a_slider_runs_from_low_to_high_in_equal_steps_and_its_default_is_one_of_them(column):
    assert column.grid[0] == column.low
    assert column.grid[-1] == column.high
    steps = [b - a for a, b in zip(column.grid, column.grid[1:], strict=False)]
    assert steps == pytest.approx([column.step] * len(steps))
    assert column.default in column.grid


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_a_slider_stays_within_what_a_file_may_say(column):
    assert column.minimum <= column.low < column.high <= column.maximum


@pytest.mark.parametrize("column", FEATURES, ids=lambda column: column.name)
def test_a_slider_has_a_choice_of_positions_and_reaches_every_shipped_row(column, rows):
    assert 2 <= len(column.grid) <= 1000
    assert column.low <= rows[column.name].min()
    assert rows[column.name].max() <= column.high


def test_a_share_is_shown_as_a_percentage_with_one_decimal_and_other_values_in_full():
    tax, income, highways, share = FEATURES
    assert share.text_with_unit(0.5) == "50.0 %"
    assert share.text_with_unit(0.6025) == "60.25 %"
    assert tax.text_with_unit(7) == "7.0 ¢"
    assert tax.text(6.58) == "6.58"
    assert income.text_with_unit(4391) == "$4,391"
    assert highways.text_with_unit(17782) == "17,782 mi"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "seven", None, True, [], -1, 1e9, "1e999", 10**400])
@pytest.mark.parametrize("column", COLUMNS, ids=lambda column: column.name)
def test_what_is_no_possible_number_is_refused_with_the_limits(column, value):
    with pytest.raises(DataError) as caught:
        column.check(value)
    message = str(caught.value)
    assert message.startswith(f"{column.name}: ")
    assert f"{column.maximum:,.10g}" in message


def test_a_data_error_shows_fifty_problems_and_counts_the_rest():
    message = str(DataError(f"problem {i}" for i in range(1, 121)))
    assert len(message.splitlines()) == 51
    assert message.endswith("... and 70 more problems.")


def test_every_shipped_row_has_a_full_name(rows):
    assert set(rows["state"]) == set(ROW_NAMES)
    assert row_name("OH") == "Ohio"
    assert row_name("Bavaria") == "Bavaria"


def test_the_target_is_per_person_and_not_millions_of_gallons():
    assert TARGET.unit == "gallons per person per year"
