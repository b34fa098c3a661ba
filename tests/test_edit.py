"""Rows edited by hand: what was not touched is the same to the last bit, and what was is checked as a file is."""

import numpy as np
import pandas as pd
import pytest

from data.edit import from_shown, template, to_shown
from data.load import fingerprint, load_rows
from data.schema import DataError


def test_rows_not_edited_come_back_to_the_last_bit(rows):
    assert fingerprint(from_shown(to_shown(rows))) == fingerprint(rows)


def test_rows_are_shown_in_shown_units_under_their_number_in_a_file(rows):
    table = to_shown(rows)
    assert table.loc[2, "state"] == "ME"
    assert table.loc[2, "driver_licence_share"] == 52.5
    assert table.index.tolist() == list(range(2, 50))


def test_an_edited_figure_is_the_figure(rows):
    table = to_shown(rows)
    table.loc[2, ["petrol_tax", "driver_licence_share"]] = 8.25, 60.1
    edited = from_shown(table)
    assert edited.loc[0, ["petrol_tax", "driver_licence_share"]].tolist() == [8.25, 0.601]
    pd.testing.assert_frame_equal(edited.iloc[1:], rows.iloc[1:])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("petrol_tax", np.nan, "row 3, petrol_tax: the cell is empty. Give a number from 0 to 50"),
        ("petrol_tax", None, "row 3, petrol_tax: the cell is empty."),
        ("average_income", -5.0, 'row 3, average_income: "-5.0" is not possible. Give a number from 500'),
        ("driver_licence_share", 0.6, 'row 3, driver_licence_share: "0.6%" is not possible.'),
        ("driver_licence_share", np.nan, "row 3, driver_licence_share: the cell is empty."),
    ],
)
def test_an_impossible_figure_is_named_by_row_column_and_value(rows, column, value, said):
    table = to_shown(rows)
    table[column] = table[column].astype(object)
    table.loc[3, column] = value
    with pytest.raises(DataError, match="^" + said.replace("(", r"\(")):
        from_shown(table)


def test_the_template_is_a_file_that_is_read(rows):
    pd.testing.assert_frame_equal(load_rows(template(rows).encode()), rows.head(3))
