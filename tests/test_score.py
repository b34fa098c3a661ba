"""A file of scenarios comes back whole: good rows answered as the page would, bad rows with their reason."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from data.cells import escape_cell, unescape_cell
from data.errors import DataError
from data.inputs import load_inputs
from data.schema import FEATURE_NAMES, FEATURES
from model.answering.change import find_row, predict_change, start_figures
from model.answering.neighbours import classify_support, nearest_rows
from model.answering.prediction import predict, predict_rows
from model.answering.scoring import score_file, score_scenarios, write_csv
from model.fitting.interval import LEVELS
from model.fitting.train import train

HEADER = "petrol_tax,average_income,paved_highways,driver_licence_share"
GOOD = "7.5,4300,4700,0.565"


def scored(model, text, **options):
    return score_file(model, load_inputs(text.encode()), **options)


def as_read(content, **options):
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig")), **options))


def grid_rows(n, seed=0):
    random = np.random.default_rng(seed)
    return np.column_stack([random.choice(column.grid, n) for column in FEATURES])


@pytest.mark.parametrize("level", LEVELS)
def test_each_row_is_answered_to_the_last_bit_as_the_page_answers_it(model, level):
    X = grid_rows(200)
    answers = score_scenarios(model, X, level)
    for i, x in enumerate(X):
        alone = predict(model, dict(zip(FEATURE_NAMES, x, strict=True)), level)
        assert (answers.value[i], answers.low[i], answers.high[i]) == (alone.value, alone.low, alone.high)
        assert answers.nearest[i] == alone.nearest[0].index
        assert answers.distance[i] == alone.nearest[0].distance
        assert answers.support[i] == alone.support


@pytest.mark.slow
def test_all_real_rows_are_told_apart_and_served_as_the_trained_pipeline_says(model):
    """What this app descends from gave raw inputs to a model of standardised ones: nearly one number for all."""
    served = score_scenarios(model, model.X)
    assert np.array_equal(served.value, model.pipeline.predict(model.X))
    assert len(np.unique(served.value)) == len(model.X) == 48
    assert np.corrcoef(served.value, model.y)[0, 1] > 0.9
    assert served.value.max() - served.value.min() > 250
    assert np.array_equal(served.nearest, np.arange(48))
    standardised = (model.X - model.X.mean(axis=0)) / model.X.std(axis=0)
    wrongly = train(model.rows.assign(**dict(zip(FEATURE_NAMES, standardised.T, strict=True))), n_repeats=1)
    assert np.ptp(predict_rows(wrongly, model.X)) < 30  # as it was there


def test_a_good_row_is_never_lost_because_of_bad_ones(model):
    bad = [
        "x,4300,4700,0.565", ",4300,4700,0.565", "7.5,4300,4700", "7.5,4300,4700,0.565,9", "nan,4300,4700,0.565",
        "1e999,4300,4700,0.565", "7.5,-4300,4700,0.565", "7.5,4300,4700,56.5", '"7,5",4300,4700,0.565',
    ]  # fmt: skip
    lines = [line for each in bad for line in (GOOD, each, GOOD)]
    result = scored(model, "\n".join([HEADER, *lines]))
    assert len(result.table) == len(lines)
    assert result.n_problems == len(bad)
    reasons = result.table["problem"].tolist()
    is_bad = [line != GOOD for line in lines]
    assert [bool(reason) for reason in reasons] == is_bad
    assert result.table["prediction"].isna().tolist() == is_bad
    value = predict(model, dict(zip(FEATURE_NAMES, (7.5, 4300, 4700, 0.565), strict=True))).value
    assert set(result.scored.value) == {value}
    said = dict(zip(lines, reasons, strict=True))
    assert said["x,4300,4700,0.565"].startswith('petrol_tax: "x" is not a number. ')
    assert 'beyond them "9"' in said["7.5,4300,4700,0.565,9"]
    assert "among shares" in said["7.5,4300,4700,56.5"]


def test_every_problem_of_a_row_is_in_its_reason(model):
    result = scored(model, f"{HEADER}\nx,,1e9,0.5\n{GOOD}")
    reason = result.table["problem"].iloc[0]
    assert [name for name in FEATURE_NAMES if f"{name}: " in reason] == list(FEATURE_NAMES[:3])


def test_the_majority_says_whether_a_column_holds_percentages(model):
    lines = ["7.5,4300,4700,56.5", "7.5,4300,4700,57.5 %", "7.5,4300,4700,0.565"]
    result = scored(model, "\n".join([HEADER, *lines]))
    assert result.table["problem"].astype(bool).tolist() == [False, False, True]
    expected = score_scenarios(model, np.array([[7.5, 4300, 4700, 0.565], [7.5, 4300, 4700, 0.575]]))
    assert np.array_equal(result.scored.value, expected.value)


def test_other_columns_are_carried_through_in_their_order_and_nothing_overwrites_them(model):
    text = f"prediction,note,{HEADER},prediction_2,note,problem\n99,Ünit,{GOOD},a,b,mine"
    result = scored(model, text)
    head, row = as_read(write_csv(result))
    assert head[:9] == ["prediction", "note", *FEATURE_NAMES, "prediction_2", "note", "problem"]
    assert row[:9] == ["99", "Ünit", *GOOD.split(","), "a", "b", "mine"]
    assert head[9:] == ["prediction_3", "low", "high", "nearest_state", "distance_sd", "support", "problem_2"]
    assert row[9:] == ["601.36", "470.23", "732.49", "Florida", "0.67", "near", ""]


def test_a_file_comes_back_with_its_own_separator_and_decimal_sign(model):
    text = "\n".join([HEADER.replace(",", ";"), "7,5;4300;4700;0,565"])
    head, row = as_read(write_csv(scored(model, text)), delimiter=";")
    assert dict(zip(head, row, strict=True))["prediction"] == "601,36"
    tabs = as_read(write_csv(scored(model, f"{HEADER}\n{GOOD}".replace(",", "\t"))), delimiter="\t")
    assert tabs[1][4] == "601.36"


def test_a_scored_file_can_be_scored_again(model):
    once = write_csv(scored(model, f"{HEADER}\n{GOOD}\nx,1,2,3"))
    again = score_file(model, load_inputs(once))
    assert again.table["prediction"].tolist() == ["601.36", ""]
    assert again.table["prediction_2"].round(2).tolist()[0] == 601.36


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", " =1", "＝1+1", "-x", "-2+A1"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_neutralised(model, cell):
    result = scored(model, f'note,"{cell}",{HEADER}\n"{cell}",b,{GOOD}\n"{cell}",b,x,4300,4700,0.565')
    for row in as_read(write_csv(result)):
        assert not [text for text in row if text.lstrip()[:1] in tuple("=+@＝") or text.startswith("-")]
        assert f"'{cell}" in row


@pytest.mark.parametrize(
    "cell",
    [
        "-5",
        "+5",
        "-1,234.5",
        "-5 %",
        "-1e-3",
        "x",
        "",
        "5=5",
        "Portland, -5 degrees",
        "45.5,-122.6",
        "+49 170 123",
        "-2+3",
    ],
)
def test_a_number_and_a_word_stay_as_they_are(cell):
    assert escape_cell(cell) == cell


@given(some.one_of(some.text(max_size=30), some.text("=@+-;,\t '1a", max_size=8)))
def test_whatever_the_text_it_is_kept_and_begins_no_formula(text):
    made = escape_cell(text)
    assert made in (text, f"'{text}")
    assert made.lstrip()[:1] not in tuple("=@＝＠")
    assert unescape_cell(made) == unescape_cell(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("petrol_tax,average_income\n1,2", "columns paved_highways, driver_licence_share are missing"),
        (f"{HEADER},Petrol_Tax\n{GOOD},1", "column petrol_tax appears 2 times"),
        (HEADER, "a header and no rows"),
        (f'"{HEADER}\n{GOOD}', "row 1: a quotation mark opens here and never closes"),
        ("", "The file is empty. It needs a header line (petrol_tax, average_income, paved_highways,"),
    ],
)
def test_a_file_that_is_no_table_of_scenarios_is_refused_as_a_whole(text, expected):
    with pytest.raises(DataError) as caught:
        load_inputs(text.encode())
    assert expected in str(caught.value)


def test_a_quotation_mark_that_never_closes_costs_the_rows_before_it_nothing(model):
    result = scored(model, f'{HEADER},note\n{GOOD},a\n{GOOD},"b\n{GOOD},c\n')
    assert result.table["prediction"].notna().tolist() == [True, False]
    assert "never closes" in result.table["problem"].iloc[1]
    assert result.table["note"].iloc[1] == f"b\n{GOOD},c\n"


def test_rows_between_two_stray_quotation_marks_are_pointed_out(model):
    result = scored(model, f'{HEADER},note\n{GOOD},a\n{GOOD},"b\n{GOOD},c\n{GOOD},d"\n{GOOD},e')
    assert len(result.table) == 3
    assert "row 3: one cell holds 3 lines that look like rows" in result.remarks[0]


def test_cells_are_carried_through_with_their_spaces_and_lines(model):
    cells = ["  two  ", "\N{NO-BREAK SPACE}x ", "a\r\nb", "x" * 140_000, '"Big" Joe']
    lines = [f'{GOOD},"{cell.replace(chr(34), 2 * chr(34))}"' for cell in cells]
    result = scored(model, "\r\n".join([f"{HEADER}, my note ", *lines, f"{GOOD},1,2,3"]))
    assert result.table[" my note "].tolist() == [*cells, "1"]
    assert result.n_problems == 1
    assert [row[4] for row in csv.reader(io.StringIO(write_csv(result).decode("utf-8-sig"), newline=""))][1:6] == cells


def test_a_header_may_have_lines_and_a_first_line_may_name_the_separator(model):
    header = HEADER.replace("driver_licence_share", '"driver\nlicence share"')
    assert scored(model, f"{header},note\n{GOOD},hello").n_problems == 0
    assert scored(model, f"sep=;\r\n{HEADER},note\n{GOOD},hello".replace(",", ";")).n_problems == 0


@pytest.mark.parametrize("odd", ["about 7, maybe", "7,5", "n/a, unknown"])
def test_one_odd_cell_does_not_turn_the_decimal_sign_of_a_file(model, odd):
    lines = ["7.5;4300;4700;0.565;520", f"{odd};4300;4700;0.5;{odd}", "7.2;4400;4800;0.571;530"]
    result = scored(model, "\n".join([f"{HEADER},petrol_consumption".replace(",", ";"), *lines]))
    assert result.table["problem"].astype(bool).tolist() == [False, True, False]


@pytest.mark.parametrize("line", ["7;4300;4,700;57", "7;4300;4.700;57", "7\t4300\t4,700\t57"])
def test_what_may_be_thousands_or_decimals_is_refused_unless_the_file_shows_which(model, line):
    separator = "\t" if "\t" in line else ";"
    header = HEADER.replace(",", separator)
    result = scored(model, f"{header}\n{line}")
    assert "may be a number of thousands or one with decimals" in result.table["problem"].iloc[0]
    decimal = "," if ".700" in line else "."
    shown = line.replace("57", f"57{decimal}5")
    assert (
        scored(model, f"{header}\n{shown}").scored.value.tolist()
        == score_scenarios(model, np.array([[7, 4300, 4700, 0.575]])).value.tolist()
    )


def test_impossible_shares_do_not_make_percentages_of_the_others(model):
    result = scored(model, f"{HEADER}\n{GOOD}\n8,4300,4700,999\n8,4300,4700,12345\n8,4300,4700,57%%")
    assert result.table["problem"].astype(bool).tolist() == [False, True, True, True]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{HEADER}\n" + "1,,,\n" * 300_000, "The file has 300,000 rows. Send at most 250,000 at once."),
        (f"{HEADER}{',x' * 9_000}\n" + f"{GOOD}\n" * 1400, "The file has more than 12,000,000 cells."),
        (f"{HEADER}{',x' * 20_000}\n{GOOD}", "The file has 20,004 columns. Send at most 10,000."),
    ],
    ids=["rows", "cells", "columns"],
)
def test_a_file_that_would_fill_the_memory_is_refused(text, expected):
    with pytest.raises(DataError, match=expected):
        load_inputs(text.encode())


def test_a_file_without_one_good_row_still_comes_back(model):
    result = scored(model, f"{HEADER}\nx,4300,4700,0.565\n")
    assert len(result.scored.value) == 0
    assert as_read(write_csv(result))[1][4:] == ["", "", "", "", "", "", result.table["problem"].iloc[0]]


def test_progress_counts_the_rows(model):
    seen = []
    score_scenarios(model, grid_rows(25_000), progress=lambda *counts: seen.append(counts))
    assert seen == [(10_000, 25_000), (20_000, 25_000), (25_000, 25_000)]


def test_a_tree_finds_the_same_neighbours_as_looking_at_every_row(model):
    many = replace(model, rows=model.rows.sample(600, replace=True, random_state=0))
    X = grid_rows(300)
    _, distances = nearest_rows(many, X, 3)
    every = np.sort(np.linalg.norm((many.X - X[:, None]) / many.scale, axis=2), axis=1)[:, :3]
    assert np.allclose(distances, every, rtol=0, atol=1e-12)
    assert classify_support(model, np.empty((0, 4)), []).tolist() == []


def test_a_column_start_adds_the_change_from_that_row(model):
    lines = [f"{GOOD},Ohio", f"{GOOD},oh", f"{GOOD},", f"{GOOD},Atlantis", "x,4300,4700,0.565,OH"]
    result = scored(model, "\n".join([f"{HEADER},Start", *lines]), level=0.8)
    assert result.added[6:] == ("change", "change_low", "change_high", "problem")
    start, _ = start_figures(model, find_row(model, "OH"))
    answer = predict_change(model, start, dict(zip(FEATURE_NAMES, map(float, GOOD.split(",")), strict=True)), 0.8)
    figures = result.table[[*result.added[6:9]]].to_numpy(float)
    assert figures[0] == pytest.approx([answer.value, answer.low, answer.high], abs=1e-6)
    assert (figures[1] == figures[0]).all()
    assert np.isnan(figures[2:]).all()
    problems = result.table["problem"].tolist()
    assert problems[:3] == [""] * 3
    assert problems[3] == (
        "start: 'Atlantis' is no state that is known. Name one of the model's 48 states, or leave it empty."
    )
    assert problems[4].startswith('petrol_tax: "x" is not a number.')
    assert result.n_problems == 2
    assert set(result.figures) == {"prediction", "low", "high", "distance_sd", "change", "change_low", "change_high"}


@pytest.mark.parametrize("lines", [[f"{GOOD},Nowhere"], ["x,4300,4700,0.565,OH", f"{GOOD},"]], ids=["unknown", "mixed"])
def test_where_no_usable_row_has_a_start_the_file_comes_back_all_the_same(model, lines):
    result = scored(model, "\n".join([f"{HEADER},start", *lines]))
    assert np.isnan(result.table[[*result.added[6:9]]].to_numpy(float)).all()
    assert result.n_problems == 1


def test_without_a_start_nothing_is_added(model):
    result = scored(model, f"{HEADER},start\n{GOOD},\n")
    assert "change" not in result.added
