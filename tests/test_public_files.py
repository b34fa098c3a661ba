"""Files that people have: copies of these data as they stand in public, each with what it must give."""

import io
import re
import zipfile

import pandas as pd
import pytest
from xlsxwriter import Workbook

from data.errors import DataError
from data.inputs import load_inputs
from data.load import load_rows
from data.matching import match_columns
from data.schema import COLUMNS, FEATURES, ROW, TARGET
from tests.conftest import ROOT

FILES = ROOT / "tests" / "files_of_others"
NAMES = [column.name for column in COLUMNS]
WANTED = [ROW, *NAMES]
BY_HAND = {
    "petrol_abbreviated_header.csv": ["Ptax", "AI", "PH", "PPDL", "CP"],
    "petrol_spanish_header.csv": [
        "gasolina_impuesto", "ingreso_promedio", "carretereras_pavimen", "poblacion_lic_conducir(%)",
        "consumo_gasolina",
    ],
    "petrol_roualdes.csv": ["tax", "income", "highway", "dl", "consumption"],
    "petrol_excel_sno_40rows.csv": [
        "Petrol_Tax", "Average_Income", "Paved_Highways", "Driver_Percentage", "Consumption_of_Petrol",
    ],
    "petrol_excel.xlsx": [
        "Petrol_Tax", "Average_Income", "Paved_Highways", "Driver_Percentage", "Consumption_of_Petrol",
    ],
}  # fmt: skip


def refused(source, load=load_rows, **options):
    with pytest.raises(DataError) as caught:
        load(source, **options)
    return caught.value


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("petrol_mlflow_workshop.csv", None),
        ("petrol_pandas_index_column.csv", None),
        ("petrol_us_spelling_license.csv", None),
        ("petrol_burkardt_x16_with_header.txt", "Ignored columns: Index,  One."),
    ],
)
def test_a_file_whose_header_says_enough_gives_the_48_rows_without_a_question(rows, name, ignored):
    read = load_rows(FILES / name)
    pd.testing.assert_frame_equal(read[NAMES], rows[NAMES], check_exact=False, rtol=1e-12)
    assert [text for text in read.attrs["warnings"] if text.startswith("Ignored")] == ([ignored] if ignored else [])


def test_a_unit_in_brackets_that_is_another_is_remarked_on():
    remarks = load_rows(FILES / "petrol_burkardt_x16_with_header.txt").attrs["warnings"]
    assert "'Consumption of petrol (millions of gallons)' is read in gallons per person per year." in remarks
    assert len([text for text in remarks if "is read in" in text]) == 1  # cents per gallon, dollars and miles are ours


@pytest.mark.parametrize("name", BY_HAND)
def test_where_the_header_does_not_say_the_likeliest_columns_are_the_right_ones(rows, name):
    table = refused(FILES / name).table
    asked = match_columns(table.cells, WANTED, table.positions)
    likeliest = {column: None if place is None else asked.titles[place] for column, place in asked.likeliest.items()}
    assert likeliest == {ROW: None} | dict(zip(NAMES, BY_HAND[name], strict=True))
    assert all(len(samples) == 3 for samples in asked.samples)
    read = load_rows(FILES / name, columns={column: title for column, title in likeliest.items() if title})
    pd.testing.assert_frame_equal(read[NAMES], rows[NAMES].head(len(read)))
    assert len(read) == (40 if name == "petrol_excel_sno_40rows.csv" else 48)


def test_an_excel_file_gives_what_its_csv_gives():
    columns = {"driver_licence_share": "Driver_Percentage", TARGET.name: "Consumption_of_Petrol"}
    from_excel = load_rows(FILES / "petrol_excel.xlsx", columns=columns)
    from_csv = load_rows(FILES / "petrol_excel_sno_40rows.csv", columns=columns)
    assert len(from_csv) == 40
    pd.testing.assert_frame_equal(from_excel.head(40), from_csv)


def test_a_title_that_stands_there_twice_is_matched_by_its_place(rows):
    error = refused(FILES / "petrol_doubled_header.csv")
    assert "column paved_highways appears 2 times" in str(error)
    asked = match_columns(error.table.cells, WANTED, error.table.positions)
    assert [asked.likeliest[name] for name in NAMES] == [0, 1, 2, 3, 4]
    read = load_rows(FILES / "petrol_doubled_header.csv", columns={"paved_highways": 2, "driver_licence_share": 3})
    pd.testing.assert_frame_equal(read[NAMES], rows[NAMES])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ((FILES / "petrol_no_header.csv").read_bytes(), "The file has no header: it begins with 9.00, 3571, 1976"),
        ((FILES / "petrol_access_denied_xml.csv").read_bytes(), "This is XML, not a table: it begins with '<?xml"),
        (b"<!DOCTYPE html>\n<html><head><title>404, a,b,c,d</title>", "This is a web page, not a table"),
        (b'{"petrol_tax": 7.5, "average_income": 4300}', "This is JSON, not a table"),
        (b'[{"petrol_tax": 7.5}]', "This is JSON, not a table"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "This is an old Excel file (.xls), or one with a password."),
        (b"PK\x03\x04" + bytes(100), "This is a zip archive and no Excel file that can be read"),
    ],
    ids=["no header", "XML", "HTML", "JSON", "JSON list", "xls", "zip"],
)
@pytest.mark.parametrize("load", [load_rows, load_inputs])
def test_what_is_no_table_is_named_once_with_the_likely_cause(content, said, load):
    message = str(refused(content, load))
    assert message.startswith(said)
    assert "\n" not in message
    assert "missing" not in message


def test_rows_that_cannot_be_used_are_left_out_only_where_that_is_wanted_and_a_slip_is_remarked_on(rows):
    path = FILES / "petrol_nan_and_zero_tax.csv"
    message = str(refused(path))
    assert message.count("the value is missing") == 5
    assert 'row 7, paved_highways: the value is missing ("NaN"). Give a number from 0 to 100,000 miles.' in message
    read = load_rows(path, leave_out=True)
    assert read.attrs["left_out"] == (7, 8, 11, 13, 48)
    kept = [i for i in range(48) if i + 2 not in read.attrs["left_out"]]
    whole = rows[NAMES].iloc[kept].reset_index(drop=True)
    assert (read[NAMES] != whole).to_numpy().sum() == 1  # the tax of 0, which was a 9
    (odd,) = [text for text in read.attrs["warnings"] if "far from all others" in text]
    assert odd == (
        "row 4, petrol_tax: 0.0 ¢ is far from all others: half of the states have 7.0 to 8.0 ¢. Taken; check it."
    )


@pytest.mark.parametrize(
    ("column", "value", "is_odd"),
    [
        ("petrol_tax", 0, True), ("petrol_tax", 45, True), ("petrol_tax", 5, False), ("petrol_tax", 10.5, False),
        ("average_income", 42418, True), ("average_income", 542, True), ("average_income", 5900, False),
        ("paved_highways", 99_000, True), ("paved_highways", 20_000, False), ("paved_highways", 300, False),
        ("driver_licence_share", 0.0572, True), ("driver_licence_share", 0.75, False),
        ("petrol_consumption", 54, True), ("petrol_consumption", 1050, False),
    ],
)  # fmt: skip
def test_a_value_is_odd_where_a_person_would_say_so(rows, column, value, is_odd):
    changed = rows.copy()
    changed.loc[5, column] = value
    warnings = load_rows(changed.to_csv(index=False).encode()).attrs["warnings"]
    assert [text.startswith(f"row 7, {column}: ") for text in warnings] == [True] * is_odd


LINES = (ROOT / "data" / "petrol" / "rows.csv").read_text(encoding="utf-8").splitlines()
SAME = {
    "a title and a comment above": "\n".join(["Petrol in 48 states", "", "# a table of 1972; units below", *LINES]),
    "an empty header line above": "\n".join([",,,,,", *LINES]),
    "blanks": "\n".join("   ".join(line.split(",")) for line in LINES),
    "blanks and tabs, ragged": "\n".join("  " + " \t ".join(line.split(",")) + "  " for line in LINES),
    "as R writes it": "\n".join([LINES[0].replace(",", " "), *(f'"7" {line.replace(",", " ")}' for line in LINES[1:])]),
    "as Explore shows it": "\n".join([
        "State,Tax (¢),Income ($),Highways (mi),Drivers (%),Petrol use (gal)", *LINES[1:],
    ]),
    "in words, with units": "\n".join([
        ("State,Petrol tax (cents per gallon),Average income [US dollars],Paved highways (miles),Licensed drivers (%),"
         "Petrol consumption (gallons per person per year)"),
        *LINES[1:],
    ]),
    "beside other columns that are spelled like ours": "\n".join([
        LINES[0] + ",tax,income,license,code,consumption", *[line + ",1,x,,5,-" for line in LINES[1:]],
    ]),
}  # fmt: skip


@pytest.mark.parametrize("text", SAME.values(), ids=SAME.keys())
def test_whatever_stands_around_the_table_it_gives_the_same_rows(text, rows):
    read = load_rows(text.encode())
    pd.testing.assert_frame_equal(read, rows)
    assert not [remark for remark in read.attrs["warnings"] if "is read in" in remark]


def test_an_exact_name_beats_another_spelling_in_a_file_to_score_too(model):
    inputs = load_inputs(SAME["beside other columns that are spelled like ours"].encode())
    assert inputs.usable.all()
    assert (inputs.X == model.X).all()


def workbook(sheets):
    """Write an Excel file: name of a sheet -> its rows."""
    file = io.BytesIO()
    with Workbook(file) as book:
        for name, lines in sheets.items():
            sheet = book.add_worksheet(name)
            for number, line in enumerate(lines):
                sheet.write_row(number, 0, line)
    return file.getvalue()


def test_another_sheet_than_the_first_can_be_chosen(rows):
    table = [list(rows.columns), *rows.itertuples(index=False)]
    content = workbook({"Cover": [["Petrol in 48 states"], ["See the next sheet"]], "Figures": table})
    error = refused(content)
    assert error.table.sheets == ["Cover", "Figures"]
    read = load_rows(content, sheet="Figures")
    pd.testing.assert_frame_equal(read, rows)
    assert read.attrs["warnings"] == ["Read is the sheet 'Figures', one of 2."]
    assert str(refused(content, sheet="Sums")) == "There is no sheet 'Sums'. The file has: Cover, Figures."


def test_an_excel_file_that_would_fill_the_memory_is_refused_in_words():
    bomb = io.BytesIO()
    with (
        zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(bytes(2**20))
    assert len(bomb.getvalue()) < 2**20
    assert str(refused(bomb.getvalue())).startswith("The file unpacks to more than 256 MB.")
    with Workbook(far := io.BytesIO()) as book:
        sheet = book.add_worksheet()
        sheet.write(0, 0, "a")
        sheet.write(1_048_575, 16_383, "b")
    assert re.match(r"The file has more than|The Excel file cannot be read", str(refused(far.getvalue())))


HEADER, FIRST = LINES[0], [line.split(",") for line in LINES[1:]]


def table(edit, separator=",", header=HEADER):
    """Write the rows with each one's cells edited."""
    return "\n".join([header.replace(",", separator), *(separator.join(edit(list(cells))) for cells in FIRST)]).encode()


def with_points(cells):
    return [*cells[:3], f"{int(cells[3]):,}".replace(",", "."), *cells[4:]]


MEANT = {
    "Markdown": ("\n".join(["| " + LINES[0].replace(",", " | ") + " |", "|---" * 6 + "|"])
                 + "".join(f"\n| {line.replace(',', ' | ')} |" for line in LINES[1:])).encode(),
    "commas and blanks, all quoted": "\n".join(
        ", ".join(f'"{cell}"' for cell in line.split(",")) for line in LINES
    ).encode(),
    "R's write.table": "\n".join([LINES[0], *(f'"{i}",{line}' for i, line in enumerate(LINES[1:]))]).encode(),
    "thirty lines of comment": "\n".join([*(f"# note {i}, of two parts" for i in range(30)), *LINES]).encode(),
    "a title that names columns": "\n".join(["Tax, income, highways and licence of 48 states", *LINES]).encode(),
    "units and formulas in cells": table(
        lambda c: [c[0], f"{c[1]}¢", f"${c[2]}", f'"=""{c[3]}"""', c[4], f"{c[5]} gal"]
    ),
    "thin spaces and Swiss signs": table(
        lambda c: [*c[:2], f"{int(c[2]):,}".replace(",", "\u2009"), f"{int(c[3]):,}".replace(",", "’"), *c[4:]]
    ),
}  # fmt: skip


@pytest.mark.parametrize("content", MEANT.values(), ids=MEANT.keys())
def test_figures_are_read_as_a_person_reads_them(content, rows):
    pd.testing.assert_frame_equal(load_rows(content)[NAMES], rows[NAMES])


def test_points_in_one_column_separate_thousands_unless_the_numbers_are_usual_as_they_are_written(rows):
    expected, highways = rows[NAMES].copy(), FEATURES[2]
    if highways.low < 5:  # half of the states have less than 4.8 thousand miles
        expected.loc[expected[highways.name] >= 1000, highways.name] /= 1000
    pd.testing.assert_frame_equal(load_rows(table(with_points))[NAMES], expected)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda c: [c[0], f"{float(c[1]) / 100:.4f}", *c[2:]], "petrol_tax: half of the values are above 0.07, "),
        (lambda c: [*c[:3], f"{int(c[3]) * 5.28:.0f}", *c[4:]], "paved_highways: half of the values are above 25,"),
        (lambda c: [*c[:5], f"{int(c[5]) * 3.785:.0f}"], "petrol_consumption: half of the values are above 2,"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("load", [load_rows, load_inputs])
def test_a_column_in_another_unit_is_remarked_on(edit, said, load):
    read = load(table(edit))
    remarks = read.attrs["warnings"] if load is load_rows else read.table.remarks
    assert bool([text for text in remarks if text.startswith(said)]) == (load is load_rows or "consumption" not in said)


def test_a_summary_below_the_table_is_remarked_on_and_south_dakota_is_none():
    content = "\n".join([*LINES, "Mean,7.67,4241.8,5565.4,0.570,576.8"]).encode()
    (remark,) = [text for text in load_rows(content).attrs["warnings"] if "summary" in text]
    assert remark.startswith('row 50, state: "Mean" looks like a summary')


def test_the_first_sheet_that_is_seen_and_not_empty_is_read(rows):
    file = io.BytesIO()
    with Workbook(file) as book:
        for name in ("Old draft", "Empty", "Data", "Notes"):
            sheet = book.add_worksheet(name)
            if name in ("Old draft", "Data"):
                for number, line in enumerate(
                    [list(rows.columns), *rows.itertuples(index=False)][: 49 - 9 * (name != "Data")]
                ):
                    sheet.write_row(number, 0, line)
        book.worksheets()[2].activate()
        book.worksheets()[0].hide()
    read = load_rows(file.getvalue())
    pd.testing.assert_frame_equal(read, rows)
    assert read.attrs["sheets"] == ["Empty", "Data", "Notes"]
    error = refused(file.getvalue(), sheet="Notes")
    assert (error.sheet, error.sheets) == ("Notes", ["Empty", "Data", "Notes"])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"average_income": "PH", "paved_highways": "PH"}, "The column 'PH' cannot be both average_income and"),
        ({"average_income": "Income"}, "There is no column 'Income'; the header has: Ptax, AI, PH, PPDL, CP."),
        ({"average_income": "#9"}, "There is no column '#9'"),
    ],
)
def test_columns_that_cannot_be_meant_are_told(columns, said):
    assert str(refused(FILES / "petrol_abbreviated_header.csv", columns=columns)).startswith(said)


def test_a_column_may_be_named_by_its_number_from_one(rows):
    columns = {"paved_highways": "#3", "driver_licence_share": "#4"}
    pd.testing.assert_frame_equal(load_rows(FILES / "petrol_doubled_header.csv", columns=columns)[NAMES], rows[NAMES])
