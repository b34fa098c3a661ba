"""Rows edited by hand: what was not touched is the same to the last bit, and what was is checked as a file is."""

import csv
import io
import re

import pandas as pd
import pytest

from data.edit import from_shown, to_shown, write_rows, write_template
from data.errors import DataError
from data.load import fingerprint, load_rows
from pages.shared.pictures import text_tables


def test_rows_not_edited_come_back_to_the_last_bit(rows):
    assert fingerprint(from_shown(to_shown(rows), rows)) == fingerprint(rows)
    odd = rows.assign(driver_licence_share=rows["driver_licence_share"] + 1e-15)
    assert fingerprint(from_shown(to_shown(odd), odd)) == fingerprint(odd)


def test_rows_are_shown_in_shown_units_under_their_number_in_a_file(rows):
    table = to_shown(rows)
    assert table.loc[2].tolist() == ["ME", "9", "3571", "1976", "52.5", "541"]
    assert table.loc[37, "petrol_tax"] == "6.58"
    assert table.index.tolist() == list(range(2, 50))


@pytest.mark.parametrize(
    ("column", "typed", "stored"),
    [
        ("petrol_tax", ".5", 0.5),
        ("petrol_tax", "4,5", 4.5),
        ("petrol_tax", " 8.25 ", 8.25),
        ("average_income", "3571,5", 3571.5),
        ("average_income", "3 571.5", 3571.5),
        ("average_income", "12,571.5", 12571.5),
        ("paved_highways", "1.234,5", 1234.5),
        ("driver_licence_share", "60,1", 0.601),
        ("driver_licence_share", "60.1 %", 0.601),
    ],
)
def test_what_is_typed_or_pasted_is_the_figure_that_it_says(rows, column, typed, stored):
    """A grid of numbers reads .5 as 5, 4,5 as 45 and a pasted 3571,5 as 35715, without a word."""
    table = to_shown(rows)
    table.loc[2, column] = typed
    edited = from_shown(table, rows)
    assert edited.loc[0, column] == stored
    pd.testing.assert_frame_equal(edited.drop(columns=column).iloc[:1], rows.drop(columns=column).iloc[:1])
    pd.testing.assert_frame_equal(edited.iloc[1:], rows.iloc[1:])


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("petrol_tax", "", "row 3, petrol_tax: the cell is empty. Give a number from 0 to 50"),
        ("petrol_tax", "8,250", "row 3, petrol_tax: 8,250 can mean 8.250 or 8250. Write it without the comma."),
        ("petrol_tax", "x", "row 3, petrol_tax: 'x' is not a number."),
        ("average_income", "-5.0", "row 3, average_income: '-5.0' is not possible. Give a number from 500"),
        (
            "driver_licence_share",
            "0.6",
            "row 3, driver_licence_share: '0.6' is not possible. Give a number from 5 to 100",
        ),
        ("driver_licence_share", " ", "row 3, driver_licence_share: the cell is empty."),
    ],
)
def test_an_impossible_figure_is_named_by_row_column_and_value(rows, column, value, said):
    table = to_shown(rows)
    table.loc[3, column] = value
    with pytest.raises(DataError, match="^" + re.escape(said)):
        from_shown(table, rows)


@pytest.mark.parametrize("name", ["=1+1", "@SUM(A1)", "-x", " =1", "'=1", "Ohio", "-5", "＝1"])
def test_rows_in_a_file_are_no_formulas_and_are_read_as_they_were(rows, name):
    named = load_rows(rows.assign(state=[name, *rows["state"][1:]]).to_csv(index=False).encode())
    written = write_rows(named)
    cell = next(csv.reader(io.StringIO(written.split("\n")[1])))[0]
    assert cell == "-5" or cell.lstrip()[0] not in "=@＝-"
    assert fingerprint(load_rows(written.encode())) == fingerprint(named)


def test_the_pages_tables_can_be_downloaded_without_a_formula(rows):
    named = rows.assign(state=["=1+1", "@x", *rows["state"][2:]])
    assert text_tables.tabulate_rows(named, {1: ["odd"]})["State"].head(3).tolist() == ["'=1+1", "'@x *", "Vermont"]


def test_the_template_is_a_file_that_is_read(rows):
    pd.testing.assert_frame_equal(load_rows(write_template(rows).encode()), rows.head(3))
