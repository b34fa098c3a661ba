"""Commands that ask the active model: ``predict``, ``change``, ``find``, ``report`` and ``validate``."""

import argparse
import json
import sys
from functools import partial
from typing import Any

from data.errors import DataError
from data.inputs import load_inputs
from data.load import load_rows
from data.schema import FEATURES, INPUT_PREFIX, PAST, ROW, ROWS, TARGET, row_name
from model.answering.change import (
    agreement_in_words,
    amount_in_words,
    find_row,
    predict_change,
    predict_with_change,
    start_figures,
)
from model.answering.find import find, moves_in_words
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.prediction import Prediction, predict
from model.answering.question import read_question
from model.answering.scoring import score_file, write_csv
from model.fitting import artifact
from model.fitting.algorithms import ALGORITHMS
from model.fitting.errors import ModelError
from model.fitting.interval import possible_levels
from model.fitting.train import Model
from model.judging.report import write_report
from model.judging.validation import validate_beside
from model.store import history, versions
from model.store.database import StoreError


def require_file(options: argparse.Namespace, has_file: object, option: str) -> None:
    """Refuse options that describe a file if there is none."""
    if not has_file and (options.columns or options.sheet):
        raise DataError([f"--columns and --sheet are about a file: give {option}, too."])


def show_progress(task: str, unit: str, done: int, total: int) -> None:
    """Write how far a task is, on one line."""
    n_filled = 30 * done // total
    bar = "#" * n_filled + "." * (30 - n_filled)
    end = "\n" if done == total else ""
    print(f"\r{task} [{bar}] {done}/{total} {unit}", end=end, file=sys.stderr, flush=True)


def _active_model() -> Model:
    try:
        store = history.open_store()
        model, notice, _ = history.load_active_model(store, lambda number: versions.load_version(store, number))
    except StoreError as error:
        model, notice = artifact.load(load_rows()), str(error) if error.may_hide_promotions else ""
    if notice:
        print(notice, file=sys.stderr)
    return model


def _model_for_level(options: argparse.Namespace) -> Model:
    """Return the active model if its rows suffice for the requested level."""
    model = _active_model()
    if options.coverage not in possible_levels(len(model.distinct)):
        raise ModelError(f"coverage: {options.coverage:g} needs more than {len(model.rows)} rows.")
    return model


def _read_inputs(options: argparse.Namespace) -> dict[str, Any]:
    """Return the inputs set on the command line: column name -> text."""
    texts = {column.name: getattr(options, f"{INPUT_PREFIX}{column.name}") for column in FEATURES}
    return {name: text for name, text in texts.items() if text is not None}


def run_change(options: argparse.Namespace) -> int:
    """Say what changes from a start to a scenario, and how sure that is."""
    model = _model_for_level(options)
    start_name, start, observed = _find_start(model, options.start)
    answer = predict_change(model, start, start | _read_inputs(options), options.coverage, observed)
    if options.json:
        print(json.dumps(answer.to_record() | {"version": model.version}))
        return 0
    amount, _, word = amount_in_words(answer.value).partition(" ")
    is_changed = TARGET.round(answer.value)
    text = f"{amount} {TARGET.unit} {word} than {start_name}" if is_changed else f"no change from {start_name}"
    print(f"{text}: {TARGET.estimate(answer.start_prediction)} -> {TARGET.estimate(answer.prediction)}")
    if answer.low is None or answer.high is None:
        print("how sure that is: not known, this version has no refits; the app makes them when it runs")
    else:
        stretched = ", stretched to hold the change" if answer.is_stretched else ""
        interval = f"{amount_in_words(answer.low)} to {amount_in_words(answer.high)}{stretched}"
        print(f"{answer.level:.0%} interval: {interval}; {agreement_in_words(answer)}")
        others = (f"{ALGORITHMS[name].label} {TARGET.estimate(value, '+')}" for name, value in answer.others.items())
        print("others: " + ", ".join(others))
    if observed is not None:
        expected = TARGET.estimate(observed + answer.value)
        print(f"{start_name} {PAST} {TARGET.estimate(observed)}; with this change about {expected}")
    return 0


def run_find(options: argparse.Namespace) -> int:
    """Find the cheapest changes from a start that reach an aim."""
    model = _model_for_level(options)
    start_name, start, _ = _find_start(model, options.start)
    ranges: dict[str, dict[str, Any]] = {}
    for name, given in options.range:
        if twice := ranges.setdefault(name, {}).keys() & given.keys():
            raise DataError([f"--range: {name} has {', '.join(sorted(twice))} twice. Give it once."])
        ranges[name] |= given
    demands = {"fixed": options.fixed, "ranges": ranges, "support": options.support}
    question = read_question(
        model, start | _read_inputs(options), options.aim, options.goal, share=options.share, **demands
    )
    result = find(model, question, options.coverage)
    if options.json:
        print(json.dumps(result.to_record() | {"version": model.version}))
        return 0
    print(f"{result.aim_in_words}, from {TARGET.estimate(result.start_prediction)} ({start_name})")
    if not result.answers:
        print(f"nothing as close to a real {ROW} as was asked was found in these ranges")
    elif not result.is_reached:
        print("no way was found in these ranges, as close to real rows as was asked; the closest:")
    elif not result.is_sure:
        print(f"nothing was found that {options.share:.0%} of the refits say reaches it; these do without:")
    for answer in result.answers:
        moves = ", ".join(f"{label} {old} -> {new}" for label, old, new in moves_in_words(result, answer))
        print(f"{TARGET.estimate(answer.prediction.value)}: {moves or 'nothing to move'}")
        support = answer.prediction.support
        near = f"close to real {ROWS}" if support == SUPPORT_LEVELS[0] else f"{support} from every {ROW}"
        figures = [f"cost {answer.cost:.2f}", near]
        if answer.share is not None:
            figures.insert(1, f"{answer.share:.0%} of the refits {'agree' if question.goal is None else 'reach it'}")
        if answer.is_steady is False:
            figures.append("one slider step further or back misses it")
        print(f"  {'; '.join(figures)}")
    return 0


def run_predict(options: argparse.Namespace) -> int:
    """Predict one scenario, or a file of them."""
    require_file(options, options.file, "--file")
    model = _model_for_level(options)
    if options.file or options.out:
        return _score(options, model)
    scenario = {column.name: column.default for column in FEATURES} | _read_inputs(options)
    answer = predict(model, scenario, options.coverage, with_reasons=options.json)
    if options.json:
        print(json.dumps(answer.to_record()))
        return 0
    nearest = answer.nearest[0]
    observed = model.records[nearest.index][TARGET.name]
    print(f"{TARGET.estimate(answer.value)} {TARGET.unit}".rstrip())
    interval = f"{TARGET.estimate(answer.low)} to {TARGET.estimate(answer.high)}"
    print(f"{answer.level:.0%} interval: {interval}{_measured_coverage(answer)}")
    print(f"closest: {row_name(nearest.name)}, {nearest.distance:.1f} s.d. away, {PAST} {TARGET.estimate(observed)}")
    if answer.support != "near":
        print(f"caution: this scenario is {answer.support} from every real row")
    return 0


def run_report(options: argparse.Namespace) -> int:
    """Write a report of a scenario and its change from a start."""
    model = _model_for_level(options)
    start_name, start, observed = _find_start(model, options.start)
    answer, change = predict_with_change(model, start, start | _read_inputs(options), options.coverage, observed)
    try:
        options.out.write_text(write_report(model, answer, change, start_name), encoding="utf-8")
    except OSError as error:
        raise DataError([f"{options.out}: cannot be written ({error.strerror}). Check --out."]) from None
    print(f"{options.out}: {TARGET.estimate(answer.value)} {TARGET.unit}".rstrip())
    return 0


def _find_start(model: Model, name: str | None) -> tuple[str, dict[str, float], float | None]:
    """Name, inputs and target of the row that a change starts from, or of the typical one."""
    if not name:
        return f"the typical {ROW}", {column.name: column.default for column in FEATURES}, None
    row_index = find_row(model, name)
    return row_name(str(model.rows[ROW].iloc[row_index])), *start_figures(model, row_index)


def _measured_coverage(answer: Prediction) -> str:
    """Say how many rows the interval of an answer held when it was measured; empty if it was not."""
    (interval,) = (measured for measured in answer.intervals if measured.level == answer.level)
    if interval.held_by_chance is None:
        return ""
    low, high = interval.held_by_chance
    return (
        f" (held {interval.nested_held:,.0f} of {interval.n_rows:,} {ROWS} that set neither fit nor width; "
        f"{interval.held_expected:,.0f} expected, chance alone gives {low:,} to {high:,})"
    )


def _score(options: argparse.Namespace, model: Model) -> int:
    if not (options.file and options.out):
        raise DataError(["--file and --out go together: give the file to score and the file to write."])
    inputs = load_inputs(options.file, columns=options.columns, sheet=options.sheet)
    result = score_file(model, inputs, options.coverage, partial(show_progress, "scoring", "rows"))
    try:
        options.out.write_bytes(write_csv(result))
    except OSError as error:
        raise DataError([f"{options.out}: cannot be written ({error.strerror}). Check --out."]) from None
    for remark in result.remarks:
        print(remark, file=sys.stderr)
    reason = f"; {result.n_problems:,} could not be, see its column {result.added[-1]}" if result.n_problems else ""
    print(f"{options.out}: {len(result.scored.value):,} of {len(result.table):,} rows scored{reason}.")
    return 0 if len(result.scored.value) else 2


def run_validate(options: argparse.Namespace) -> int:
    """Say how well the active model does on the rows of a file, and another version beside it."""
    model = _model_for_level(options)
    inputs = load_inputs(options.file, columns=options.columns, sheet=options.sheet)
    for remark in inputs.table.remarks:
        print(remark, file=sys.stderr)
    if n_dropped := int((~inputs.usable).sum()):
        print(f"Left out: {n_dropped:,} rows with an input that cannot be read.", file=sys.stderr)
    if TARGET.name not in inputs.table.positions:
        cure = f"Name it with --columns {TARGET.name}=TITLE."
        raise DataError([f"{options.file}: no one column is {TARGET.name}, so nothing was observed there. {cure}"])
    other = versions.load_version(history.open_store(), options.beside) if options.beside else None
    record = validate_beside(model, inputs.X[inputs.usable], inputs.y[inputs.usable], options.coverage, other)
    records, numbers = [record, *([record["beside"]] if other else [])], inputs.table.cells.index[inputs.usable]
    for each in records:
        each["worst"] = [int(numbers[position]) for position in each["worst"]]  # rows of the file; the header is row 1
    if options.json:
        print(json.dumps(record))
        return 0
    for each in records:
        low, high = each["held_by_chance"]
        name = f"version {each['version']}" if each["version"] else "the shipped model"
        miss = TARGET.estimate(each["mae"]["value"], n_more=1)
        bias = TARGET.estimate(each["bias"]["value"], "+", n_more=1)
        print(
            f"{name}: typical miss {miss} {TARGET.unit} on {each['n_rows']:,} {ROWS}, bias {bias}; {each['held']:,} "
            f"inside the {options.coverage:.0%} interval (chance alone gives {low:,} to {high:,})"
        )
    if other:
        ends = (TARGET.estimate(record["mae_difference"][end], "+", n_more=1) for end in ("value", "low", "high"))
        print("difference of the typical miss: {} ({} to {})".format(*ends))
    return 0
