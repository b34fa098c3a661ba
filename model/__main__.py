"""Command line: ``python -m model train | predict | change | list | promote | export | card | store ...``."""

import argparse
import csv
import getpass
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import DataError
from data.inputs import load_inputs
from data.load import SHIPPED, load_rows
from data.schema import A_ROW, COLUMNS, FEATURES, INPUT_PREFIX, PAST, ROW, ROWS, TARGET, row_name
from model import upkeep
from model.answering.change import agreement_in_words, amount_in_words, find_row, predict_change, start_figures
from model.answering.prediction import Prediction, predict
from model.answering.scoring import score_file, write_csv
from model.fitting import artifact
from model.fitting.algorithms import ALGORITHMS, DEFAULT, OFFERED
from model.fitting.errors import ModelError
from model.fitting.interval import LEVELS, possible_levels
from model.fitting.recipe import Recipe, make_recipe
from model.fitting.scores import Scores
from model.fitting.train import Model, require_usable, train
from model.judging.card import export_version, write_card
from model.queue import jobs
from model.queue.dispatcher import Dispatcher
from model.queue.duration import estimate_duration
from model.queue.processes import worthwhile_processes
from model.store import history, versions
from model.store.database import StoreError
from model.store.history import Promotion
from model.store.tables import OPEN
from model.store.versions import Version

if TYPE_CHECKING:
    import pandas as pd

# Names that an input's option must not have: it becomes, say, --input.file.
_RESERVED_OPTIONS = ("help", "coverage", "json", "file", "out", "columns", "sheet", "from", "to")


def main(arguments: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0 if it worked, 1 if it found damage, 2 if it failed, 130 if stopped."""
    logging.basicConfig(format="%(message)s")
    options = _build_parser().parse_args(arguments)
    try:
        return options.run(options)
    except (DataError, ModelError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _build_parser() -> Any:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add_command(name: str, run: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(run=run)
        return command

    train_command = add_command("train", _train, "train and score a model, and keep it")
    train_command.add_argument("--algorithm", default=DEFAULT, help=f"one of {', '.join(OFFERED)}")
    for name, algorithms in _algorithms_by_parameter().items():
        train_command.add_argument(f"--{name}", metavar="N", help=f"of {', '.join(algorithms)}")
    train_command.add_argument("--seed", default="0", metavar="N", help="of whatever is random in it (default 0)")
    train_command.add_argument(
        "--data", type=Path, default=SHIPPED, metavar="FILE", help="CSV, Excel or Parquet (default: shipped)"
    )
    train_command.add_argument(
        "--store", action="store_true", help="keep it as a version of the store, not as the shipped"
    )
    predict_command = add_command("predict", _predict, "predict one scenario, or a file of them, with the active model")
    change_command = add_command("change", _change, "say what changes from a start to a scenario, and how sure that is")
    change_command.add_argument("--from", dest="start", metavar="NAME", help=f"of {A_ROW} (default: the typical one)")
    for command in (predict_command, change_command):
        for column in FEATURES:
            unit = ", ".join(column.choices) or ("share of people, 0 to 1" if column.is_share else column.unit)
            default = "as the start" if command is change_command else column.plain(column.default)
            metavar = "LABEL" if column.choices else "N"
            option, help_text = f"--{column.name_beside(_RESERVED_OPTIONS)}", f"{unit} (default {default})"
            command.add_argument(option, dest=f"{INPUT_PREFIX}{column.name}", metavar=metavar, help=help_text)
        command.add_argument(
            "--coverage", type=float, choices=LEVELS, default=0.9, help="level of the interval (default 0.9)"
        )
        command.add_argument("--json", action="store_true", help="print JSON")
    predict_command.add_argument("--file", type=Path, metavar="FILE", help="score its rows, in place of one scenario")
    for command in (train_command, predict_command):
        help_text = f"which column of the file is which, like {FEATURES[0].name}=Ptax, with commas between several"
        command.add_argument("--columns", type=_read_columns, default={}, metavar="NAME=TITLE", help=help_text)
        command.add_argument("--sheet", default="", metavar="NAME", help="of an Excel file (default: the first)")
    predict_command.add_argument("--out", type=Path, metavar="CSV", help="where the scored file goes")
    add_command("list", _list, "list the versions in the store")
    for name, run, help_text in (
        ("promote", _promote, "make a version the active one"),
        ("export", _export, "write a version's model, record, rows and card as files"),
        ("card", _card, "print a version's model card"),
    ):
        add_command(name, run, help_text).add_argument("number", type=int, metavar="N", help="of the version")
    upkeep.add_commands(commands.add_parser("store", help="copy, check, back up, prune the store, or erase a name"))
    commands.choices["promote"].add_argument("--reason", required=True, help="why, for the record")
    commands.choices["promote"].add_argument("--by", default=_user_name(), help="who (default the user)")
    commands.choices["export"].add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="(default here)")
    return parser


def _user_name() -> str:
    """Return the user's name, or the uid if it has none (`docker run --user 20000`)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return f"uid {os.getuid()}"


def _read_columns(text: str) -> dict[str, str]:
    """Read ``NAME=TITLE,NAME=TITLE``: name of a column -> its title in the file."""
    names, titles = (ROW, *(column.name for column in COLUMNS)), {}
    # Quotation marks hold a pair together if its title has a comma.
    for pair in chain.from_iterable(csv.reader(text.splitlines(keepends=True))):
        name, _, title = (part.strip() for part in pair.partition("="))
        if name not in names or not title:
            cure = f"Write NAME=TITLE, with a NAME of {', '.join(names)}; the fourth column is #4, too."
            raise argparse.ArgumentTypeError(f"{pair!r} says no column. {cure}")
        if name in titles:
            raise argparse.ArgumentTypeError(f"{name} is given twice. Give it once.")
        titles[name] = title
    return titles


def _require_file(options: argparse.Namespace, has_file: object, option: str) -> None:
    """Refuse options that describe a file if there is none."""
    if not has_file and (options.columns or options.sheet):
        raise DataError([f"--columns and --sheet are about a file: give {option}, too."])


def _algorithms_by_parameter() -> dict[str, list[str]]:
    """Parameter name -> the algorithms that take it."""
    algorithms: dict[str, list[str]] = {}
    for name in OFFERED:
        for parameter in ALGORITHMS[name].parameters:
            algorithms.setdefault(parameter.name, []).append(name)
    return algorithms


def _train(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    parameters = {name: value for name in _algorithms_by_parameter() if (value := getattr(options, name)) is not None}
    seed = int(options.seed) if options.seed.isdecimal() else options.seed
    recipe = make_recipe(options.algorithm, parameters, seed)
    _require_file(options, options.data != SHIPPED, "--data")
    rows = load_rows(options.data, columns=options.columns, sheet=options.sheet)
    for remark in rows.attrs["warnings"]:
        print(remark, file=sys.stderr)
    if options.store:
        version = _train_in_store(rows, options, recipe)
        scores = version.metadata.scores
        kept_as = f"version {version.id} of the store, not promoted"
    else:
        if options.data != SHIPPED:
            raise ModelError(f"--data {options.data}: the shipped model is of the shipped rows. Add --store.")
        n_jobs = worthwhile_processes(estimate_duration(recipe, len(rows)), most=-1)
        model = train(rows, recipe, n_jobs=n_jobs, progress=_show_fits)
        try:
            kept_as = ", ".join(path.name for path in artifact.save(model))
        except OSError as error:
            raise ModelError(
                f"{error.filename} cannot be written ({error.strerror}). Run this as a user who may write there, or "
                "keep the model in a store: --store."
            ) from error
        scores = model.metadata.scores
    print(f"\nOut-of-fold scores on {len(rows)} {ROWS}, {TARGET.unit}:")
    print(f"{'':34}{'MAE':>8}{'+-':>6}{'RMSE':>8}{'+-':>6}{'R2':>8}{'+-':>6}")
    for name in scores:
        print(f"{recipe.label if name == 'model' else ALGORITHMS[name].label:34}{_format_scores(scores[name])}")
    print(f"Kept as {kept_as}, {time.perf_counter() - started:.1f} s.")
    return 0


def _train_in_store(rows: "pd.DataFrame", options: argparse.Namespace, recipe: Recipe) -> Version:
    """Queue a job like everybody else, and show its progress until it ends."""
    require_usable(rows)
    store = history.open_store()
    user, data = _user_name(), (rows, "shipped" if options.data == SHIPPED else options.data.name)
    number = jobs.submit(store, user, data, [recipe.algorithm], parameters=recipe.parameters, seed=recipe.seed, by=user)
    dispatcher = Dispatcher()
    try:
        while (job := jobs.find_job(store, number)) and job.state in OPEN:
            dispatcher.dispatch(store)
            if job.total:
                _show_fits(job.done, job.total)
            time.sleep(0.2)
    except KeyboardInterrupt:
        jobs.cancel(store, number)
        raise
    if not job or job.state != "done":
        raise ModelError(f"job {number} {job.state}: {job.message}" if job else f"job {number} was removed")
    return versions.list_versions_of_job(store, number)[0]


def _format_scores(scores: Scores) -> str:
    return "".join(
        f"{estimate.value:8.{digits}f}{estimate.standard_error:6.{digits}f}"
        for estimate, digits in ((scores.mae, 1), (scores.rmse, 1), (scores.r2, 2))
    )


def _show_progress(task: str, unit: str, done: int, total: int) -> None:
    n_filled = 30 * done // total
    bar = "#" * n_filled + "." * (30 - n_filled)
    end = "\n" if done == total else ""
    print(f"\r{task} [{bar}] {done}/{total} {unit}", end=end, file=sys.stderr, flush=True)


_show_fits = partial(_show_progress, "cross-validation", "fits")


def _list(_: argparse.Namespace) -> int:
    store = history.open_store()
    active, _newest = history.find_active(store)
    print(f"{'version':>9}  {'algorithm':34}{'rows':>8}{'MAE':>8}{'+-':>6}  trained (UTC)     data")
    for version in versions.list_versions(store):
        mae = version.metadata.scores["model"].mae
        print(
            f"{'*' if version.id == active else '':>3}{version.id:6}  {version.recipe.label:34}"
            f"{version.metadata.data.n_rows:8,}{mae.value:8.1f}{mae.standard_error:6.1f}  "
            f"{version.created_at:%Y-%m-%d %H:%M}  {version.data_set.origin}{' (broken)' if version.broken else ''}"
        )
    print(f"* active. MAE in {TARGET.unit}, +- one standard error.")
    return 0


def _promote(options: argparse.Namespace) -> int:
    store = history.open_store()
    history.promote(store, options.number, options.by, options.reason)
    print(f"{versions.read_version(store, options.number).label} is now active.")
    return 0


def _load_version(number: int) -> tuple[Version, Model, list[Promotion]]:
    store = history.open_store()
    return versions.read_version(store, number), versions.load_version(store, number), history.list_promotions(store)


def _export(options: argparse.Namespace) -> int:
    version, model, promotions = _load_version(options.number)
    stored = versions.read_pipeline(history.open_store(), options.number)
    for name, content in export_version(version, model, promotions, stored).items():
        try:
            options.to.mkdir(parents=True, exist_ok=True)
            (options.to / name).write_bytes(content)
        except OSError as error:
            raise ModelError(f"{options.to / name}: cannot be written ({error.strerror}). Check --to.") from None
        print(options.to / name)
    return 0


def _card(options: argparse.Namespace) -> int:
    print(write_card(*_load_version(options.number)))
    return 0


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


def _change(options: argparse.Namespace) -> int:
    model, start_name, observed = _model_for_level(options), f"the typical {ROW}", None
    start = {column.name: column.default for column in FEATURES}
    if options.start:
        row_index = find_row(model, options.start)
        start_name = row_name(str(model.rows[ROW].iloc[row_index]))
        start, observed = start_figures(model, row_index)
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


def _predict(options: argparse.Namespace) -> int:
    _require_file(options, options.file, "--file")
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
    result = score_file(model, inputs, options.coverage, partial(_show_progress, "scoring", "rows"))
    try:
        options.out.write_bytes(write_csv(result))
    except OSError as error:
        raise DataError([f"{options.out}: cannot be written ({error.strerror}). Check --out."]) from None
    for remark in result.remarks:
        print(remark, file=sys.stderr)
    reason = f"; {result.n_problems:,} could not be, see its column {result.added[-1]}" if result.n_problems else ""
    print(f"{options.out}: {len(result.scored.value):,} of {len(result.table):,} rows scored{reason}.")
    return 0 if len(result.scored.value) else 2


if __name__ == "__main__":
    sys.exit(main())
