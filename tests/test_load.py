"""Reading files: every spelling that means the same is read the same, and everything else is named."""

import io

import numpy as np
import pandas as pd
import pytest

from data.errors import DataError
from data.load import SHIPPED, fingerprint, load_rows
from data.schema import COLUMNS

TEXT = SHIPPED.read_text(encoding="utf-8")
CELLS = [line.split(",") for line in TEXT.split()]
KNOWN = "Petrol_tax,Average_income,Paved_Highways,Population_Driver_licence(%),Petrol_Consumption"
FIRST = "ME,9,3571,1976,0.525,541"


def write(cells, separator=","):
    return "\n".join(separator.join(line) for line in cells)


def change(column, edit):
    """Return the file with one column edited."""
    place = CELLS[0].index(column)
    return write([CELLS[0], *([*line[:place], edit(line[place]), *line[place + 1 :]] for line in CELLS[1:])])


def grouped(text, sign):
    return f"{int(text):,}".replace(",", sign)


def european(cells):
    """Decimal commas, points between thousands."""
    name, tax, income, highways, share, used = cells
    return [name, tax.replace(".", ","), grouped(income, "."), grouped(highways, "."), share.replace(".", ","), used]


SAME = {
    "byte-order mark": ("\ufeff" + TEXT).encode(),
    "UTF-16": TEXT.encode("utf-16"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16 big endian": TEXT.encode("utf-16-be"),
    "CRLF": TEXT.replace("\n", "\r\n").encode(),
    "blank lines": TEXT.replace("\n", "\n\n").encode(),
    "spaces around": TEXT.replace(",", " , ").encode(),
    "tabs": TEXT.replace(",", "\t").encode(),
    "semicolons and decimal commas": TEXT.replace(",", ";").replace(".", ",").encode(),
    "semicolons and decimal points": TEXT.replace(",", ";").encode(),
    "semicolons, decimal commas, grouped": write([CELLS[0], *map(european, CELLS[1:])], ";").encode(),
    "quoted": write([[f'"{cell}"' for cell in line] for line in CELLS]).encode(),
    "thousands": change("average_income", lambda cell: f'"{grouped(cell, ",")}"').encode(),
    "thousands by spaces": change("paved_highways", lambda cell: grouped(cell, "\u00a0")).encode(),
    "thousands, semicolons, points": write(
        [CELLS[0], *([n, t, grouped(i, ","), h, s, u] for n, t, i, h, s, u in CELLS[1:])], ";"
    ).encode(),
    "percentages": change("driver_licence_share", lambda cell: f"{float(cell) * 100:.4g}").encode(),
    "percent signs": change("driver_licence_share", lambda cell: f"{float(cell) * 100:.4g} %").encode(),
    "other spellings": TEXT.replace(TEXT.splitlines()[0], f"State,{KNOWN}").encode(),
    "trailing separators": "\n".join(line + "," for line in TEXT.split()).encode(),
}


@pytest.mark.parametrize("raw", SAME.values(), ids=SAME.keys())
def test_every_spelling_of_the_same_table_gives_the_same_rows(raw, rows):
    pd.testing.assert_frame_equal(load_rows(raw), rows)


def test_the_shipped_file_holds_the_published_figures(rows):
    """Means and standard deviations as every tutorial on these data prints them."""
    assert len(rows) == 48
    assert rows.attrs["warnings"] == []
    figures = rows.drop(columns="state")
    assert figures.mean().round(6).tolist() == [7.668333, 4241.833333, 5565.416667, 0.570333, 576.770833]
    assert figures.std().round(6).tolist() == [0.95077, 573.623768, 3491.507166, 0.05547, 111.885816]
    assert rows.set_index("state").loc["OK", "petrol_tax"] == 6.58
    assert (rows["petrol_tax"] == 7).sum() == 19


def test_the_popular_tutorial_is_reproduced_from_the_file(rows):
    """The well-known figures of the random forest that this data set is taught with: MAE 51.765, MSE 4216.17."""
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    X, y = rows.iloc[:, 1:5].to_numpy(), rows.iloc[:, 5].to_numpy()
    X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=0)
    scaler = StandardScaler().fit(X_train)
    forest = RandomForestRegressor(n_estimators=20, random_state=0).fit(scaler.transform(X_train), y_train)
    error = y_test - forest.predict(scaler.transform(X_test))
    assert np.abs(error).mean() == pytest.approx(51.765, abs=5e-4)
    assert (error**2).mean() == pytest.approx(4216.17, abs=5e-3)


def test_column_order_does_not_matter_and_extra_columns_are_ignored_by_name(rows):
    table = pd.read_csv(SHIPPED).assign(governor="?", region="?").iloc[:, ::-1]
    read = load_rows(table.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(read, rows)
    assert read.attrs["warnings"] == ["Ignored columns: region, governor."]


def test_the_widely_known_copy_without_names_is_read_with_row_numbers_as_names(rows):
    lines = [KNOWN] + [line.split(",", 1)[1] for line in TEXT.split()[1:]]
    read = load_rows("\n".join(lines).encode())
    pd.testing.assert_frame_equal(read.drop(columns="state"), rows.drop(columns="state"))
    assert read["state"].iloc[0] == "row 2"
    assert "each row is called by its number" in read.attrs["warnings"][0]


def test_a_file_object_and_a_path_are_read_alike(rows):
    with SHIPPED.open("rb") as file:
        pd.testing.assert_frame_equal(load_rows(file), rows)
    pd.testing.assert_frame_equal(load_rows(str(SHIPPED)), rows)


def test_percentages_are_said_to_have_been_read_as_such():
    assert "read as percentages" in load_rows(SAME["percentages"]).attrs["warnings"][0]


def test_a_doubled_row_and_a_doubled_name_are_warnings_and_nothing_is_dropped():
    read = load_rows(f"{TEXT}{FIRST}\nME,8,4000,5000,0.55,500\n".encode())
    assert len(read) == 50
    assert read.attrs["warnings"] == [
        "row 50: the same figures as row 2. Kept; remove it if it is a copy.",
        'state "ME" appears 3 times, first in row 2. All are kept.',
    ]


BAD = {
    "empty": (b"", ["The file is empty", "state, petrol_tax"]),
    "blank": (b" \n\n ", ["The file is empty"]),
    "header only": (TEXT.splitlines()[0].encode(), ["a header and no rows"]),
    "binary": (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 20, ["not text", "Save the table as CSV"]),
    "wrong table": (
        b"a,b\n1,2\n",
        ["columns petrol_tax, average_income, paved_highways,", "petrol_consumption are missing; the header has: a, b"],
    ),
    "missing column": (TEXT.replace("petrol_tax", "toll").encode(), ["column petrol_tax is missing"]),
    "doubled column": (
        TEXT.replace("average_income", "Petrol tax").encode(),
        ["column petrol_tax appears 2 times (petrol_tax, Petrol tax). Keep one.", "average_income is missing"],
    ),
    "an exponent alone": (TEXT.replace("ME,9,", "ME,e5,").encode(), ['row 2, petrol_tax: "e5" is not a number.']),
    "other digits": (TEXT.replace("ME,9,", "ME,٩,").encode(), ['row 2, petrol_tax: "٩" is not a number.']),
    "text": (TEXT.replace("ME,9,", "ME,nine,").encode(), ['row 2, petrol_tax: "nine" is not a number.']),
    "decimal comma": (
        TEXT.replace("ME,9,", 'ME,"7,5",').encode(),
        ['row 2, petrol_tax: "7,5" is not a number. Use a point for decimals.'],
    ),
    "nan": (TEXT.replace("ME,9,", "ME,nan,").encode(), ['row 2, petrol_tax: the value is missing ("nan").', "0 to 50"]),
    "inf": (TEXT.replace("ME,9,", "ME,-inf,").encode(), ['row 2, petrol_tax: "-inf" is not a number.']),
    "overflow": (TEXT.replace("ME,9,", "ME,1e999,").encode(), ['row 2, petrol_tax: "1e999" is not possible.']),
    "formula": (TEXT.replace("ME,9,", "ME,=1+1,").encode(), ['row 2, petrol_tax: "=1+1" is not a number.']),
    "code": (TEXT.replace("ME,9,", "ME,__import__('os'),").encode(), ["is not a number"]),
    "empty cell": (TEXT.replace("ME,9,", "ME,,").encode(), ["row 2, petrol_tax: the cell is empty."]),
    "negative": (TEXT.replace("ME,9,", "ME,-9,").encode(), ['row 2, petrol_tax: "-9" is not possible.']),
    "absurd": (
        TEXT.replace("3571", "3571000").encode(),
        ['row 2, average_income: "3571000" is not possible. Give a number from 500 to 50,000 US dollars.'],
    ),
    "mixed shares": (
        TEXT.replace("0.525", "52.5", 1).encode(),
        ['row 2, driver_licence_share: "52.5" among shares. Write the whole column one way'],
    ),
    "mixed percentages": (
        SAME["percent signs"].replace(b"52.5 %", b"0.525", 1),
        ['row 2, driver_licence_share: "0.525" among percentages.'],
    ),
    "short row": (TEXT.replace(FIRST, "ME,9,3571").encode(), ["row 2, petrol_consumption: the cell is empty."]),
    "long row": (
        TEXT.replace(FIRST, FIRST + ",1").encode(),
        ['row 2: more than the 6 fields of the header, beyond them "1".'],
    ),
    "longer row": (
        TEXT.replace(FIRST, FIRST + ",1,2,3").encode(),
        ['row 2: more than the 6 fields of the header, beyond them "1,2,3".'],
    ),
    "open quotation mark": (
        TEXT.replace("ME,", '"ME,').encode(),
        ["row 2: a quotation mark opens here and never closes"],
    ),
}


@pytest.mark.parametrize(("raw", "expected"), BAD.values(), ids=BAD.keys())
def test_a_bad_file_is_refused_with_row_column_value_and_cure(raw, expected):
    with pytest.raises(DataError) as caught:
        load_rows(raw)
    for part in expected:
        assert part in str(caught.value)


def refusals_of_damaged_files(n):
    """Read random mutations of the shipped file (quotation marks, separators, bytes, cuts); return what is said."""
    random = np.random.default_rng(17)
    raw = SHIPPED.read_bytes()
    signs = [
        b",",
        b";",
        b'"',
        b"\n",
        b"\r",
        b"\x00",
        b"%",
        b"\t",
        b".",
        b"-",
        b"\xff",
        b"\xef\xbb\xbf",
        b"1e999",
        b'""',
        b"sep=;",
    ]
    messages = set()
    for _ in range(n):
        damaged = bytearray(raw[: random.choice([len(raw), 300, 80, 40, 3])])
        for _ in range(random.choice([1, 2, 3, 8, 30])):
            place = random.integers(min(len(damaged), random.choice([120, len(raw)])) + 1)
            match random.integers(3):
                case 0:
                    damaged[place:place] = signs[random.integers(len(signs))]
                case 1:
                    del damaged[place : place + random.choice([1, 3, 20])]
                case 2:
                    damaged[place : place + 1] = random.bytes(1)
        try:
            load_rows(bytes(damaged))
        except DataError as error:
            messages.add(str(error))
    return messages


def test_a_damaged_file_is_a_data_error_and_nothing_else():
    messages = refusals_of_damaged_files(100)  # ten thousand in `make soak`
    assert len(messages) > 40
    assert all(messages)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b",,,\n,,\n", "The file is empty"),
        (b"\x00 ", "The file is"),
        (TEXT.replace("paved_highways", "paved_hi\rghways").encode(), "columns paved_highways, driver_licence_share, "),
    ],
    ids=["only separators", "half a character", "a line end in the header"],
)
def test_what_once_broke_the_reader_is_refused_in_words(raw, expected):
    with pytest.raises(DataError, match=expected):
        load_rows(raw)


def test_every_problem_of_a_file_is_listed_in_the_order_of_its_rows():
    broken = TEXT.replace("ME,9,3571", "ME,x,").replace("CA,7,5002", "CA,-7,inf").replace("NH,9,", "NH,9,9,")
    with pytest.raises(DataError) as caught:
        load_rows(broken.encode())
    starts = [problem.split(":")[0] for problem in caught.value.problems]
    assert starts == [
        "row 2, petrol_tax",
        "row 2, average_income",
        "row 3",
        "row 49, petrol_tax",
        "row 49, average_income",
    ]


def test_a_file_over_the_limit_is_refused_and_one_at_the_limit_is_read():
    raw = SHIPPED.read_bytes()
    assert len(load_rows(raw, max_bytes=len(raw))) == 48
    for source in (raw, io.BytesIO(raw), SHIPPED):
        with pytest.raises(DataError, match=f"larger than {len(raw) - 1:,} bytes"):
            load_rows(source, max_bytes=len(raw) - 1)


def test_a_path_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read"):
        load_rows("nowhere.csv")


def test_the_fingerprint_follows_the_figures_and_not_the_file(rows):
    assert fingerprint(load_rows(SAME["UTF-16"])) == fingerprint(rows)
    changed = rows.copy()
    changed.loc[0, COLUMNS[0].name] = np.nextafter(9, 10)
    assert fingerprint(changed) != fingerprint(rows)


def test_a_large_file_is_read_in_full():
    body = TEXT.split("\n", 1)[1]
    assert len(load_rows((TEXT + body * 999).encode())) == 48_000
