"""The command line: as a real process, and where only its words matter, in this one."""

import contextlib
import io
import json
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from data.load import load_rows
from data.schema import FEATURES
from model.__main__ import main
from model.answering.change import agreement_in_words, amount_in_words, find_row, predict_change, start_figures
from model.answering.prediction import predict, predict_rows
from model.fitting import artifact
from model.fitting.recipe import make_recipe
from model.fitting.train import train
from tests.conftest import ROOT

MAINE = {"petrol_tax": 9, "average_income": 3571, "paved_highways": 1976, "driver_licence_share": 0.525}


def run(*arguments, cwd=ROOT):
    command = [sys.executable, "-m", "model", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


def called(*arguments):
    """Do what a command does without a process of its own, which costs seconds; return the same three things."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main([*map(str, arguments)])
        except SystemExit as ending:
            code = ending.code
    return SimpleNamespace(returncode=code, stdout=out.getvalue(), stderr=err.getvalue())


def flags(values):
    return [part for name, value in values.items() for part in (f"--{name}", value)]


@pytest.mark.slow
def test_predict_prints_number_interval_and_nearest_state(model):
    answer = predict(model, MAINE)
    done = run("predict", *flags(MAINE))
    assert done.returncode == 0, done.stderr
    number, interval, nearest = done.stdout.splitlines()
    assert number == f"{answer.value:.0f} gallons per person per year"
    held = next(each.nested_held for each in model.intervals if each.level == 0.9)
    assert interval == (
        f"90% interval: {answer.low:.0f} to {answer.high:.0f} (held {held:.0f} of 48 states that set neither fit nor "
        "width; 43 expected, chance alone gives 39 to 47)"
    )
    assert nearest == "closest: Maine, 0.0 s.d. away, used 541"


def test_predict_prints_json_for_machines(model):
    done = called("predict", "--json", "--coverage", "0.8", *flags(MAINE))
    answer, printed = predict(model, MAINE, 0.8), json.loads(done.stdout)
    assert printed["value"] == answer.value
    assert (printed["low"], printed["high"]) == (answer.low, answer.high)
    assert printed["scenario"] == MAINE
    assert printed["intervals"] == [each.to_record() for each in model.intervals]
    assert printed["nearest"][0] == {"name": "Maine", "distance_sd": 0.0}


def test_a_scenario_far_from_all_states_is_said_to_be(model):
    done = called("predict", "--petrol_tax", 10, "--paved_highways", 18000)
    assert "caution: this scenario is very far from every real row" in done.stdout


def test_bad_input_is_told_in_full_with_exit_code_2():
    done = called("predict", "--petrol_tax", "nine", "--driver_licence_share", "52.5")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [
        "error: petrol_tax: 'nine' is not a number. Give a number from 0 to 50 cents per gallon.",
        "driver_licence_share: 52.5 is not possible. Give a number from 0.05 to 1 (a share, not a percentage).",
    ]


@pytest.mark.parametrize(
    "arguments", [["predict", "--speed", "9"], ["predict", "--columns", "petrol_tax=a\rb"], ["guess"], []], ids=str
)
def test_an_unknown_flag_or_command_exits_with_2_and_a_message(arguments):
    done = called(*arguments)
    assert done.returncode == 2
    assert "usage: python -m model" in done.stderr


def figures(record):
    """All numbers in nested dictionaries, in their order."""
    return [each for part in record.values() for each in (figures(part) if isinstance(part, dict) else [part])]


@pytest.mark.slow
@pytest.mark.parametrize("n_trees", [10, pytest.param(None, marks=pytest.mark.soak)], ids=["few trees", "shipped"])
def test_training_again_gives_identical_predictions_scores_and_residuals(project, model, rows, n_trees):
    chosen = {"n_estimators": n_trees} if n_trees else {}
    model = train(rows, make_recipe("forest", chosen)) if n_trees else model
    before = model.metadata.to_record()
    for name in ("petrol.joblib", "petrol.npz", "petrol.json"):
        (project / "model" / name).unlink()
    done = run("train", *flags(chosen), cwd=project)
    assert done.returncode == 0, done.stderr
    assert "70/70 fits" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[3:6]] == ["random", "least", "always"]
    again = artifact.load(load_rows(), project / "model")
    assert again.notice == ""
    X = np.vstack([model.X, [[column.default for column in FEATURES]]])
    assert (predict_rows(again, X) == predict_rows(model, X)).all()
    after = again.metadata.to_record()
    changed = {name for name in before if before[name] != after[name]}
    assert (again.predictions == model.predictions).all()
    rounded = set() if n_trees else {"scores", "mae_difference"}  # shipped from another processor: its last bits differ
    assert changed <= {"trained_at", "model_sha256", "libraries"} | rounded
    for name in rounded:
        assert figures(after[name]) == pytest.approx(figures(before[name]), rel=1e-9)


def test_change_prints_what_the_interface_answers(model):
    start, observed = start_figures(model, find_row(model, "OH"))
    answer = predict_change(model, start, start | {"petrol_tax": 9.0}, observed=observed)
    done = called("change", "--from", "OH", "--petrol_tax", "9", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == answer.to_record() | {"version": 1}
    first, interval, others, used = called("change", "--from", "ohio", "--petrol_tax", "9").stdout.splitlines()
    assert first == "46 gallons per person per year less than Ohio: 533 -> 487"
    ends = f"{amount_in_words(answer.low)} to {amount_in_words(answer.high)}"
    assert interval == f"90% interval: {ends}; {agreement_in_words(answer)}"
    assert others.startswith("others: random forest -46, extra trees -")
    assert used == "Ohio used 498; with this change about 452"


def test_change_without_a_start_begins_at_the_typical_state():
    lines = called("change").stdout.splitlines()
    assert lines[0].startswith("no change from the typical state: ")
    assert "100 of 100 refits say no change" in lines[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "Atlantis"], "from: 'Atlantis' is no state of the active model."),
        (["--petrol_tax", "much"], "petrol_tax: 'much' is not a number."),
    ],
)
def test_a_change_that_cannot_be_answered_exits_with_2_and_the_cure(arguments, message):
    done = called("change", *arguments)
    assert done.returncode == 2
    assert f"error: {message}" in done.stderr
