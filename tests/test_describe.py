"""A table drafted from a file of any columns."""

import io
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from data.__main__ import main
from data.definition import FILE, read_definition
from data.describe import draft_table, write_toml
from data.errors import DataError
from tests.conftest import ROOT

CARS = """\
model,weight (lb),cylinders,power,colour,made in,mpg
Ant,1600.5,4,?,red,US,38.0
Bee,2200.0,4,65,green,US,31.5
Cat,2800.0,6,95,blue,US,22.25
Dog,3500.0,6,NA,red,US,18.0
Elk,4300.0,8,150,green,US,14.0
Fox,5140.0,8,190,blue,US,11.5
"""


def drafted(folder, text, target, **options):
    """Draft a table from a text, write its definition and read it back."""
    draft = draft_table(text if isinstance(text, bytes) else text.encode(), target, **options)
    (folder / FILE).write_text(write_toml(draft, "Drafted"), encoding="utf-8")
    return draft, read_definition(folder)


def test_a_draft_is_complete_and_says_what_it_left_out_and_why(tmp_path):
    draft, definition = drafted(tmp_path, CARS, "mpg", names="model", drop_missing=True)
    assert [column.name for column in definition.inputs] == ["weight", "cylinders", "power", "colour"]
    assert [column.unit for column in definition.inputs] == ["lb", "", "", ""]
    assert [column.choices for column in definition.inputs] == [(), (), (), ("blue", "green")]  # red is left out
    assert draft.left_out == {"made in": "it is 'US' in every row"}
    assert draft.n_dropped == 2
    assert list(draft.rows["model"]) == ["Bee", "Cat", "Elk", "Fox"]
    assert definition.row == "model"
    assert definition.target.decimals == 1


def test_rows_with_missing_values_are_counted_and_only_left_out_where_that_is_asked_for():
    with pytest.raises(DataError, match=r"A value is missing in rows 2, 5\. Fill them in, or add --drop-missing"):
        draft_table(CARS.encode(), "mpg", names="model")


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("price", "--target price: no column of that title; the header has: model, weight"),
        ("colour", "--target colour: it is text, of 3 kinds. Name a column of numbers that vary."),
        ("made in", "--target made in: it is 'US' in every row."),
    ],
)
def test_a_target_that_cannot_be_one_is_refused_with_what_there_is(target, said):
    with pytest.raises(DataError) as caught:
        draft_table(CARS.encode(), target, names="model", drop_missing=True)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("x,y\n1,2\n3,4\n", {"target": "y", "names": "y"}, "--names y: that is the target. Name another column"),
        ("x,y\n1,2\n3,4,5\n", {"target": "y"}, 'row 3: more than the 2 fields of the header, beyond them "5".'),
        ("x,y\n", {"target": "y"}, "The file has a header and no rows. Add at least one row."),
        ("", {"target": "y"}, "The file is empty. It needs a header line (a title for each column) and rows."),
        ("1,2\n3,4\n5,6\n", {"target": "y"}, "The file has no header: it begins with 1, 2. Put a line above that"),
        ("x,y,z\n1,2,\n3,2,5\n4,9,\n5,8,7\n", {"target": "x"}, "A value is missing in rows 2, 4. Fill them in, or"),
        ("x,y\n1,\n,4\n3,\n,6\n", {"target": "x", "drop_missing": True}, "--target x: it does not vary in the 0 rows"),
        ("x,y\na,2\nb,4\n", {"target": "y"}, "0 columns could be inputs. A table has 1 to 20: take some out."),
    ],
)
def test_what_no_table_can_be_made_of_is_refused_with_the_cure(text, options, said):
    with pytest.raises(DataError) as caught:
        draft_table(text.encode(), **options)
    assert str(caught.value).startswith(said)


def test_a_column_that_varies_only_in_rows_that_are_left_out_is_no_input():
    draft = draft_table(b"x,y,z\n1,2,\n3,5,7\n3,6,8\n3,9,4\n", "y", drop_missing=True)
    assert [column.name for column in draft.columns] == ["z", "y"]
    assert draft.left_out == {"x": "it does not vary in the rows that have all values"}


@pytest.mark.parametrize("scale", [1e-5, 0.01, 0.37, 1.0, 12.0, 4567.0, 1e6])
@pytest.mark.parametrize("low", [-0.8, 0.0, 0.1, 3.0])
def test_a_slider_has_round_ends_around_all_values_and_positions_enough(tmp_path, scale, low):
    values = (low + np.random.default_rng(1).random(80)) * scale
    text = pd.DataFrame({"x": values, "y": values[::-1]}).to_csv(index=False)
    _, definition = drafted(tmp_path, text, "y")
    (column,) = definition.inputs
    assert column.low <= values.min() < values.max() <= column.high
    assert 50 <= column.n_steps <= 202
    assert column.high - column.low <= 1.1 * (values.max() - values.min())
    assert float(f"{column.step:.2g}") == column.step
    assert abs(column.default - np.median(values)) <= column.step
    assert column.minimum <= column.low
    assert column.maximum >= column.high


def test_whole_numbers_have_whole_steps(tmp_path):
    text = pd.DataFrame({"x": [3, 4, 5, 6, 8] * 4, "y": range(1, 40, 2)}).to_csv(index=False)
    _, definition = drafted(tmp_path, text, "y")
    assert definition.inputs[0].grid == [3, 4, 5, 6, 7, 8]


def test_a_column_that_numbers_the_rows_is_no_input(tmp_path):
    text = pd.DataFrame({"": range(1, 21), "x": np.arange(20.0) ** 2, "y": np.arange(20.0) ** 3}).to_csv(index=False)
    draft, _ = drafted(tmp_path, text, "y")
    assert draft.left_out == {"column 1": "it numbers the rows"}


def test_two_titles_that_would_have_one_name_have_two(tmp_path):
    text = "a b,A_B,1st,名前,y\n" + "".join(f"{i},{i * i},{-i},{i % 7},{i + 0.5}\n" for i in range(3, 30))
    _, definition = drafted(tmp_path, text, "y")
    assert [column.name for column in definition.inputs] == ["a_b", "a_b_2", "input_1st", "input"]
    assert definition.inputs[-1].label == "名前"


def test_the_same_rows_give_the_same_draft_from_csv_excel_and_parquet(tmp_path):
    rows = pd.read_csv(io.StringIO(CARS)).drop(columns=["power"])
    parquet = io.BytesIO()
    rows.to_parquet(parquet)
    semicolons = rows.to_csv(index=False, sep=";", decimal=",")
    expected, _ = drafted(tmp_path, rows.to_csv(index=False), "mpg", names="model")
    for content in (parquet.getvalue(), semicolons):
        draft, _ = drafted(tmp_path, content, "mpg", names="model")
        assert draft.columns == expected.columns
        pd.testing.assert_frame_equal(draft.rows, expected.rows)


def test_the_command_writes_a_table_once_and_never_over_another(tmp_path, capsys):
    file, folder = tmp_path / "cars.csv", tmp_path / "cars"
    file.write_text(CARS)
    arguments = ["describe", str(file), "--target", "mpg", "--names", "model", "--drop-missing", "--to", str(folder)]
    assert main(arguments) == 0
    told = capsys.readouterr().out
    assert "Left out: made in, for it is 'US' in every row." in told
    assert f"make run TABLE={folder}" in told
    before = (folder / FILE).read_bytes()
    assert main(arguments) == 2
    assert f"{folder / FILE} is there already. Name another folder with --to" in capsys.readouterr().err
    assert (folder / FILE).read_bytes() == before


@pytest.mark.slow
def test_what_the_command_wrote_is_the_table_in_use(tmp_path):
    file, folder = tmp_path / "cars.csv", tmp_path / "cars"
    file.write_text(CARS)
    arguments = ["describe", str(file), "--target", "mpg", "--names", "model", "--drop-missing", "--to", str(folder)]
    assert main(arguments) == 0
    code = "from data.load import load_rows; rows = load_rows(); print(list(rows), len(rows), rows.attrs['warnings'])"
    command, environment = [sys.executable, "-c", code], {"PETROL_TABLE": str(folder)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "['model', 'weight', 'cylinders', 'power', 'colour', 'mpg'] 4 []\n"


def test_a_category_has_its_labels_in_order_with_their_counts_and_the_commonest_first_chosen(tmp_path):
    kinds = ["Oak", "ash", "oak", "?", "Oak", "elm", "ash", "oak"]
    text = "kind,y\n" + "".join(f"{kind},{i * i}\n" for i, kind in enumerate(kinds))
    draft, definition = drafted(tmp_path, text, "y", drop_missing=True)
    (column,) = definition.inputs
    assert column.choices == ("ash", "elm", "Oak")  # "oak" is the same, written more rarely
    assert column.text(column.default) == "Oak"
    assert list(draft.rows["kind"]) == ["Oak", "ash", "Oak", "Oak", "elm", "ash", "Oak"]
    written = (tmp_path / FILE).read_text()
    assert '"ash",  # 2 rows\n' in written
    assert '"Oak",  # 4 rows\n' in written


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ([f"kind {i % 31}" for i in range(40)], "it is text, of 31 kinds, and a category has 30 at most"),
        ([f"name {i}" for i in range(40)], "it is text, other in every row"),
        (["yes", "Yes"] * 20, "it is 'yes' in every row"),
        (["short", "much longer than a label may be, because nobody could read it"] * 20, "its text 'much longer than"),
    ],
)
def test_text_that_is_no_category_is_left_out_and_named(cells, reason):
    rows = pd.DataFrame({"x": np.arange(40.0) ** 2, "text": cells, "y": np.arange(40.0) ** 3})
    draft = draft_table(rows.to_csv(index=False).encode(), "y")
    assert draft.left_out["text"].startswith(reason)
