"""Parquet files: the same rows and the same words as of a CSV, and no file that fills the memory."""

import base64
import io
import re
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data import isolation, parquet
from data.errors import DataError
from data.inputs import load_inputs
from data.load import SHIPPED, fingerprint, load_rows
from data.schema import COLUMNS, ROW
from data.text import MAX_ROWS
from model.answering.scoring import score_file

pytestmark = pytest.mark.slow  # each file is read in a process of its own
TEXT = pd.read_csv(SHIPPED, dtype=str)
NUMBERS = [column.name for column in COLUMNS]


def packed(table, **options):
    """Write a table as Parquet: a DataFrame, or one of pyarrow's."""
    file = io.BytesIO()
    table = table if isinstance(table, pa.Table) else pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(table, file, **options)
    return file.getvalue()


def unpacked(raw):
    """Read as `load_rows` does, but in this process, whose limits a test can set."""
    return parquet.unpack(raw, [ROW, *NUMBERS], [])


def changed(rows, name, place, value):
    """Return the table as text with one other cell."""
    table = TEXT.loc[TEXT.index.repeat(rows)].reset_index(drop=True)
    table.loc[place, name] = value
    return table


KINDS = {
    "numbers": lambda rows: pa.Table.from_pandas(rows, preserve_index=False),
    "text": lambda _: pa.Table.from_pandas(TEXT, preserve_index=False),
    "categories": lambda rows: pa.Table.from_pandas(rows.astype({ROW: "category"}), preserve_index=False),
    "large text": lambda rows: (t := pa.Table.from_pandas(rows)).set_column(0, ROW, t[ROW].cast(pa.large_string())),
    "decimals": lambda rows: (t := pa.Table.from_pandas(rows)).set_column(1, "tax", t[1].cast(pa.decimal128(9, 4))),
    "whole numbers": lambda rows: (t := pa.Table.from_pandas(rows)).set_column(2, "income", t[2].cast(pa.int16())),
    "other order": lambda rows: pa.Table.from_pandas(rows.iloc[:, ::-1], preserve_index=False),
    "percentages": lambda rows: pa.Table.from_pandas(
        rows.assign(driver_licence_share=(100 * rows.driver_licence_share).round(1)), preserve_index=False
    ),
}


@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
def test_every_kind_of_parquet_gives_the_rows_of_the_csv(make, rows):
    pd.testing.assert_frame_equal(load_rows(packed(make(rows), row_group_size=20)), rows, check_exact=True)


def test_numbers_come_through_to_the_last_bit(rows):
    rng = np.random.default_rng(3)
    many = rows.sample(5000, replace=True, random_state=0, ignore_index=True)
    for column in COLUMNS:
        many[column.name] = rng.uniform(column.minimum, column.maximum, len(many))
    assert fingerprint(load_rows(packed(many))) == fingerprint(many)


def test_a_missing_name_is_the_rows_number_and_an_unknown_column_is_named():
    table = TEXT.assign(governor="?")
    table.loc[1, ROW] = None
    read = load_rows(packed(table))
    assert read[ROW].iloc[1] == "row 3"
    assert read.attrs["warnings"] == ["Ignored columns: governor."]


CELLS = ["", "nine", "nan", "1e999", "-9", "7,5", "=1+1", "1e9", " ", "1 0", "12%"]


@pytest.mark.parametrize("name", [NUMBERS[0], NUMBERS[3], NUMBERS[4]])
def test_bad_cells_are_told_in_the_words_of_the_csv(name):
    table = TEXT.copy()
    for place, cell in enumerate(CELLS, 7):
        table.loc[place, name] = cell
    with pytest.raises(DataError) as of_csv:
        load_rows(table.to_csv(index=False).encode())
    with pytest.raises(DataError) as of_parquet:
        load_rows(packed(table))
    assert of_parquet.value.problems == of_csv.value.problems
    rows = [int(re.match(rf"row (\d+), {name}: ", problem)[1]) for problem in of_csv.value.problems]
    assert rows == [place + 2 for place in range(7, 7 + len(CELLS))]


HEADERS = {
    "missing": TEXT.drop(columns="petrol_tax"),
    "doubled": TEXT.assign(Petrol_Tax="7"),
    "no rows": TEXT.head(0),
    "all missing": TEXT.head(10).assign(petrol_tax=None),
}


@pytest.mark.parametrize("table", HEADERS.values(), ids=HEADERS.keys())
def test_a_bad_table_is_told_in_the_words_of_the_csv(table):
    messages = []
    for raw in (table.to_csv(index=False).encode(), packed(table)):
        with pytest.raises(DataError) as caught:
            load_rows(raw)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]


NO_NUMBERS = (
    {
        "petrol_tax": (pa.array([[7.0]] * 48), r"holds list<.*double>, not numbers or text. Write it as numbers"),
        "average_income": (pa.array([{"a": 7.0}] * 48), "holds struct<a: double>, not"),
        "paved_highways": (pa.array([0] * 48, pa.timestamp("ms")), r"holds timestamp\[ms\], not"),
        "driver_licence_share": (pa.array([b"7"] * 48), "holds binary, not"),
    },
    {
        "petrol_tax": (pa.array([True] * 48), r'row 2, petrol_tax: "true" is not a number\.'),
        "average_income": (pa.array([float("nan")] * 48), r'row 2, average_income: the value is missing \("nan"\)\.'),
    },
    {"petrol_tax": (pa.array(["7\x00"] * 48), r"control characters\. Take them out")},
)


@pytest.mark.parametrize("columns", NO_NUMBERS, ids=["kinds", "values", "NUL"])
def test_what_holds_no_numbers_is_named(columns, rows):
    table = pa.Table.from_pandas(rows, preserve_index=False)
    for name, (values, _) in columns.items():
        table = table.set_column(table.column_names.index(name), name, values)
    with pytest.raises(DataError) as caught:
        load_rows(packed(table))
    for name, (_, said) in columns.items():
        assert re.search(f"column {name} {said}" if said.startswith("holds") else said, str(caught.value))


def refusals_of_damaged_files(rows, n):
    """Read files with flipped bits or a lost end; return what is said of those that do not give the whole table.

    The names of columns have no checksum in Parquet: of another one it is told that it is ignored or missing.
    """
    raw, rng = packed(rows, compression="zstd", write_page_checksum=True), np.random.default_rng(1)
    whole, damaged = fingerprint(rows), []
    for _ in range(n):
        damaged.append(bytearray(raw[: rng.choice([len(raw), len(raw), rng.integers(5, len(raw))])]))
        for place in rng.integers(4, len(damaged[-1]), rng.integers(1, 4)):
            damaged[-1][place] ^= 1 << rng.integers(8)

    def told(content):
        try:
            read = load_rows(bytes(content))
        except DataError as error:
            return str(error)
        return whole if fingerprint(read) == whole else " ".join(read.attrs["warnings"])

    with ThreadPoolExecutor(2) as readers:
        return [text for text in readers.map(told, damaged) if text != whole]


IN_OUR_WORDS = re.compile(r"The Parquet file |column \w+ is missing; |Ignored columns: ")


@pytest.mark.slow
def test_a_damaged_file_is_refused_in_words_or_read_as_it_was(rows):
    refusals = refusals_of_damaged_files(rows, 12)  # a thousand in `make soak`
    assert all(map(IN_OUR_WORDS.match, refusals))
    assert len(refusals) > 3
    with pytest.raises(DataError, match="Write it anew, or as CSV"):
        load_rows(packed(rows)[:-10])


# A table of one row with two flipped bits: the library that unpacks it ends the process that it runs in.
ENDS_ITS_READER = zlib.decompress(
    base64.b85decode(
        "c-oaz%}T>S5Z<gclpuwQyJR7UAT(64)e3qF7~i0HE`*RSO`uKEB(-"
        "`I&pv?%UqFuvK7?L8d+14g3BgVOlC()BOCVpq8NP33GHm<evV{PWQ1cK$26)6vVi`=&zBWS~Lm1Ro*a%gt>{Wj~`jsm~03iE-"
        "+#;5v`u(KEXsMcFb5&U^M|JY3#b~LTVslklY+d!^Jvx)~7)7e<Y?kUGmQ(A`trnwYttmFQRu)4g(mw?vAD9*$7)Ss}s6kQiXz06r"
        "Jv6Q(VoR(TSJXFpRJR?|9ne`;#baz&x9pxZHg19$x!3h=maF$|lR75V1IzH|`MYyf({+N;zzc2H0T>dAbQB;Vfz)_FlGbPkL;S$u"
        "XHF@rV#dPct`U*gkN|=}J>ZElZ8>4F(oDkUg;NVH);~V!`6PTMP%X4-"
        "n|(4zo^ZP_sfAW>vs=brOnAL*tA!Rb!wcW>7%FA_#e=%+8UAoY!-na34a4`{vCKLRn5TSl);w;uNJj!7`G8NR(PsD1AHV$ZE&"
    )
)


def test_a_file_that_ends_its_reader_ends_nobody_else():
    with pytest.raises(DataError, match=r"The Parquet file cannot be read \(.*\)\. Write it anew, or as CSV\."):
        load_rows(ENDS_ITS_READER)


def test_a_file_is_not_read_for_ever(monkeypatch, rows):
    monkeypatch.setattr(isolation, "_TIMEOUT", 0.001)
    with pytest.raises(DataError, match=r"takes more than 0\.001 s to read\. Write it anew, or as CSV\."):
        load_rows(packed(rows))


def reads_a_million_and_not_one_more(rows):
    """Whether the largest table is read and the next one refused: part of `make soak`, for it takes a minute."""
    many = pd.DataFrame(np.tile(rows.drop(columns=ROW).to_numpy(), (20834, 1))[: MAX_ROWS + 1], columns=NUMBERS)
    with pytest.raises(DataError, match=r"more than 1,000,000 rows\. Send a part of them, chosen at random"):
        load_rows(packed(many))
    return len(load_rows(packed(many[:MAX_ROWS]))) == MAX_ROWS


def test_more_rows_than_are_taken_are_refused_alike_whatever_the_kind_of_file(monkeypatch, rows):
    for module in ("data.text", "data.parquet"):
        monkeypatch.setattr(f"{module}.MAX_ROWS", 47)
    for read, raw in ((unpacked, packed(rows)), (load_rows, TEXT.to_csv(index=False).encode())):
        with pytest.raises(DataError, match=r"^The file has more than 1,000,000 rows\."):
            read(raw)


def test_a_name_that_fills_every_row_is_not_unpacked(rows):
    """Of 400 kB, it would be ten gigabytes in memory."""
    many = pa.table({name: np.full(100_000, rows[name].iloc[0]) for name in NUMBERS})
    name = pa.DictionaryArray.from_arrays(np.zeros(100_000, np.int32), ["x" * 100_000])
    raw = packed(many.add_column(0, ROW, name), compression="zstd")
    assert len(raw) < 500_000
    before = pa.total_allocated_bytes()
    with pytest.raises(DataError, match=r"unpacks to more than 256 MB\. Send fewer rows, or shorter text"):
        unpacked(raw)
    assert pa.default_memory_pool().max_memory() - before < 200e6


@pytest.mark.slow
def test_columns_that_are_not_needed_are_not_read(rows):
    """However large they are: the description alone says so."""
    wide = pa.Table.from_pandas(rows, preserve_index=False).append_column("blob", pa.array(["x" * 6 * 10**6] * 48))
    raw = packed(wide, compression="zstd", use_dictionary=False)
    assert len(load_rows(raw)) == 48
    large = wide.rename_columns([*wide.column_names[:-1], "code"]).drop_columns([ROW])
    with pytest.raises(DataError, match="unpacks to more than 256 MB"):
        load_rows(packed(large, compression="zstd", use_dictionary=False))


def test_a_file_of_nothing_but_descriptions_is_refused(rows, monkeypatch):
    monkeypatch.setattr(parquet, "_MAX_PARTS", 47)
    with pytest.raises(DataError, match=r"cannot be read|too many parts"):
        unpacked(packed(rows, row_group_size=1))


def test_a_parquet_file_can_be_scored_for_its_inputs(model, rows):
    result = score_file(model, load_inputs(packed(rows.assign(note="x"))))
    assert result.n_problems == 0
    assert result.remarks == ["Left out, for a Parquet file is read for its inputs alone: note."]
    expected = score_file(model, load_inputs(SHIPPED))
    assert (result.scored.value == expected.scored.value).all()


@pytest.mark.slow
def test_of_many_problems_the_first_are_told_and_the_others_counted():
    many = changed(3000, NUMBERS[0], slice(None), "x")
    many.loc[5, NUMBERS[1]] = ""
    for raw in (packed(many), many.to_csv(index=False).encode()):
        with pytest.raises(DataError) as caught:
            load_rows(raw)
        assert len(caught.value.problems) == DataError.SHOWN + 1
        lines = str(caught.value).split("\n")
        assert lines[0] == f'row 2, {NUMBERS[0]}: "x" is not a number. {COLUMNS[0].limits}'
        assert re.match(f"row 7, {NUMBERS[1]}: the cell is empty", lines[6])
        assert lines[-1] == f"... and {48 * 3000 + 1 - DataError.SHOWN:,} more problems."


def test_of_many_long_rows_and_spread_cells_the_first_are_told():
    text = TEXT.to_csv(index=False)
    head, body = text.split("\n", 1)
    with pytest.raises(DataError) as caught:
        load_rows((head + "\n" + body.replace("\n", ",1\n") * 100).encode())
    assert len(caught.value.problems) == DataError.SHOWN
    assert str(caught.value).endswith(f"... and {4800 - DataError.SHOWN:,} more problems.")
    spread = "A\n,,,,,\nB"
    lines = [f'"{spread}"{line[2:]}' for line in body.splitlines()] * 2
    remarks = load_rows("\n".join([head, *lines]).encode()).attrs["warnings"]
    told = [remark for remark in remarks if "lines" in remark]
    assert len(told) == DataError.SHOWN + 1
    assert told[-1] == f"... and {96 - DataError.SHOWN} more cells that hold lines."


def test_the_number_of_doubled_rows_is_told_however_many():
    read = load_rows((TEXT.to_csv(index=False) + TEXT.to_csv(index=False).split("\n", 1)[1] * 99).encode())
    assert len(read.attrs["warnings"]) == DataError.SHOWN + 1
    n_doubled = 48 * 99 + 48
    assert read.attrs["warnings"][-1] == (
        f"... and {n_doubled - DataError.SHOWN:,} more rows or names that appear twice."
    )
