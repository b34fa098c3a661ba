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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import DataError
from data.inputs import load_inputs
from data.load import SHIPPED, load_rows
from data.schema import COLUMNS, FEATURES, INPUT_PREFIX, PAST, ROW, ROWS, TARGET, row_name
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

# Of `predict`: no input has such an option, it is --input.file then.
_OPTIONS = ("help", "coverage", "json", "file", "out", "columns", "sheet", "from", "to")


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 when it worked, 1 when it found damage, 2 when the input was bad."""
    logging.basicConfig(format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (DataError, ModelError, StoreError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nStopped.", file=sys.stderr)
        return 130


def _parser() -> Any:
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: Callable[[argparse.Namespace], int], words: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=words)
        added.set_defaults(run=run)
        return added

    training = command("train", _train, "train and score a model, and keep it")
    training.add_argument("--algorithm", default=DEFAULT, help=f"one of {', '.join(OFFERED)}")
    for name, takers in _parameters().items():
        training.add_argument(f"--{name}", metavar="N", help=f"of {', '.join(takers)}")
    training.add_argument("--seed", default="0", metavar="N", help="of whatever is random in it (default 0)")
    training.add_argument(
        "--data", type=Path, default=SHIPPED, metavar="FILE", help="CSV, Excel or Parquet (default: shipped)"
    )
    training.add_argument("--store", action="store_true", help="keep it as a version of the store, not as the shipped")
    asking = command("predict", _predict, "predict one scenario, or a file of them, with the active model")
    changing = command("change", _change, "say what changes from a start to a scenario, and how sure that is")
    changing.add_argument("--from", dest="start", metavar="NAME", help=f"of a {ROW} (default: the typical one)")
    for added in (asking, changing):
        for column in FEATURES:
            unit = "share of people, 0 to 1" if column.is_share else column.unit
            option, default = (
                f"--{column.name_beside(_OPTIONS)}",
                "as the start" if added is changing else column.default,
            )
            words = f"{unit} (default {default})"
            added.add_argument(option, dest=f"{INPUT_PREFIX}{column.name}", metavar="N", help=words)
        added.add_argument(
            "--coverage", type=float, choices=LEVELS, default=0.9, help="level of the interval (default 0.9)"
        )
        added.add_argument("--json", action="store_true", help="print JSON")
    asking.add_argument("--file", type=Path, metavar="FILE", help="score its rows, in place of one scenario")
    for added in (training, asking):
        words = f"which column of the file is which, like {FEATURES[0].name}=Ptax, with commas between several"
        added.add_argument("--columns", type=_columns, default={}, metavar="NAME=TITLE", help=words)
        added.add_argument("--sheet", default="", metavar="NAME", help="of an Excel file (default: the first)")
    asking.add_argument("--out", type=Path, metavar="CSV", help="where the scored file goes")
    command("list", _list, "list the versions in the store")
    for name, run, words in (
        ("promote", _promote, "make a version the active one"),
        ("export", _export, "write a version's model, record, rows and card as files"),
        ("card", _card, "print a version's model card"),
    ):
        command(name, run, words).add_argument("number", type=int, metavar="N", help="of the version")
    upkeep.add_commands(commands.add_parser("store", help="copy, check, back up, prune the store, or erase a name"))
    commands.choices["promote"].add_argument("--reason", required=True, help="why, for the record")
    commands.choices["promote"].add_argument("--by", default=_user(), help="who (default the user)")
    commands.choices["export"].add_argument("--to", type=Path, default=Path(), metavar="FOLDER", help="(default here)")
    return parser


def _user() -> str:
    """Return the name of whoever runs this; a uid without one (`docker run --user 20000`) stands for itself."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # KeyError before Python 3.13
        return f"uid {os.getuid()}"


def _columns(text: str) -> dict[str, str]:
    """Read which column of a file is which: ``NAME=TITLE,NAME=TITLE``."""
    names, given = (ROW, *(column.name for column in COLUMNS)), {}
    for pair in next(csv.reader([text]), []):  # a title with a comma stands in quotation marks, together with its name
        name, _, title = (part.strip() for part in pair.partition("="))
        if name not in names or not title:
            cure = f"Write NAME=TITLE, with a NAME of {', '.join(names)}; the fourth column is #4, too."
            raise argparse.ArgumentTypeError(f"{pair!r} says no column. {cure}")
        if name in given:
            raise argparse.ArgumentTypeError(f"{name} is given twice. Give it once.")
        given[name] = title
    return given


def _require_file(options: argparse.Namespace, has_file: object, option: str) -> None:
    """Refuse what is said of a file where there is none."""
    if not has_file and (options.columns or options.sheet):
        raise DataError([f"--columns and --sheet are about a file: give {option}, too."])


def _parameters() -> dict[str, list[str]]:
    """Parameter name -> the algorithms that take it."""
    takers: dict[str, list[str]] = {}
    for name in OFFERED:
        for parameter in ALGORITHMS[name].parameters:
            takers.setdefault(parameter.name, []).append(name)
    return takers


def _train(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    given = {name: value for name in _parameters() if (value := getattr(options, name)) is not None}
    recipe = make_recipe(options.algorithm, given, int(options.seed) if options.seed.isdecimal() else options.seed)
    _require_file(options, options.data != SHIPPED, "--data")
    rows = load_rows(options.data, columns=options.columns, sheet=options.sheet)
    for remark in rows.attrs["warnings"]:
        print(remark, file=sys.stderr)
    if options.store:
        version = _train_in_store(rows, options, recipe)
        scores = version.metadata.scores
        kept = f"version {version.id} of the store, not promoted"
    else:
        if options.data != SHIPPED:
            raise ModelError(f"--data {options.data}: the shipped model is of the shipped rows. Add --store.")
        n_jobs = worthwhile_processes(estimate_duration(recipe, len(rows)), most=-1)
        model = train(rows, recipe, n_jobs=n_jobs, progress=_FITS)
        try:
            kept = ", ".join(path.name for path in artifact.save(model))
        except OSError as error:
            raise ModelError(
                f"{error.filename} cannot be written ({error.strerror}). Run this as a user who may write there, or "
                "keep the model in a store: --store."
            ) from error
        scores = model.metadata.scores
    print(f"\nOut-of-fold scores on {len(rows)} {ROWS}, {TARGET.unit}:")
    print(f"{'':34}{'MAE':>8}{'+-':>6}{'RMSE':>8}{'+-':>6}{'R2':>8}{'+-':>6}")
    for name in scores:
        print(f"{recipe.label if name == 'model' else ALGORITHMS[name].label:34}{_figures(scores[name])}")
    print(f"Kept as {kept}, {time.perf_counter() - started:.1f} s.")
    return 0


def _train_in_store(rows: "pd.DataFrame", options: argparse.Namespace, recipe: Recipe) -> Version:
    """Queue up with everybody else, and show how it goes."""
    require_usable(rows)
    store = history.open_store()
    who, data = _user(), (rows, "shipped" if options.data == SHIPPED else options.data.name)
    number = jobs.submit(store, who, data, [recipe.algorithm], parameters=recipe.parameters, seed=recipe.seed, by=who)
    dispatcher = Dispatcher()
    try:
        while (job := jobs.find_job(store, number)) and job.state in OPEN:
            dispatcher.dispatch(store)
            if job.total:
                _FITS(job.done, job.total)
            time.sleep(0.2)
    except KeyboardInterrupt:
        jobs.cancel(store, number)
        raise
    if not job or job.state != "done":
        raise ModelError(f"job {number} {job.state}: {job.message}" if job else f"job {number} was removed")
    return versions.list_versions_of_job(store, number)[0]


def _figures(scores: Scores) -> str:
    return "".join(
        f"{estimate.value:8.{digits}f}{estimate.standard_error:6.{digits}f}"
        for estimate, digits in ((scores.mae, 1), (scores.rmse, 1), (scores.r2, 2))
    )


def _bar(what: str, of: str, done: int, total: int) -> None:
    filled = 30 * done // total
    end = "\n" if done == total else ""
    print(
        f"\r{what} [{'#' * filled}{'.' * (30 - filled)}] {done}/{total} {of}",
        end=end,
        file=sys.stderr,
        flush=True,
    )


_FITS = partial(_bar, "cross-validation", "fits")


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


def _loaded(number: int) -> tuple[Version, Model, list[Promotion]]:
    store = history.open_store()
    return versions.read_version(store, number), versions.load_version(store, number), history.list_promotions(store)


def _export(options: argparse.Namespace) -> int:
    version, model, promotions = _loaded(options.number)
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
    print(write_card(*_loaded(options.number)))
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


def _asked_model(options: argparse.Namespace) -> Model:
    """Return the active model, if its rows can set the level that is asked for."""
    model = _active_model()
    if options.coverage not in possible_levels(len(model.distinct)):
        raise ModelError(f"coverage: {options.coverage:g} needs more than {len(model.rows)} rows.")
    return model


def _given(options: argparse.Namespace) -> dict[str, Any]:
    """Inputs that were given: column name -> text."""
    given = {column.name: getattr(options, f"{INPUT_PREFIX}{column.name}") for column in FEATURES}
    return {name: value for name, value in given.items() if value is not None}


def _change(options: argparse.Namespace) -> int:
    model, name, observed = _asked_model(options), f"the typical {ROW}", None
    start = {column.name: column.default for column in FEATURES}
    if options.start:
        index = find_row(model, options.start)
        name, (start, observed) = row_name(str(model.rows[ROW].iloc[index])), start_figures(model, index)
    answer = predict_change(model, start, start | _given(options), options.coverage, observed)
    if options.json:
        print(json.dumps(answer.to_record() | {"version": model.version}))
        return 0
    amount, _, word = amount_in_words(answer.value).partition(" ")
    text = f"{amount} {TARGET.unit} {word} than {name}" if TARGET.round(answer.value) else f"no change from {name}"
    print(f"{text}: {TARGET.estimate(answer.start_prediction)} -> {TARGET.estimate(answer.prediction)}")
    if answer.low is None or answer.high is None:
        print("how sure that is: not known, this version has no refits; the app makes them when it runs")
    else:
        stretched = ", stretched to hold the change" if answer.is_stretched else ""
        interval = f"{amount_in_words(answer.low)} to {amount_in_words(answer.high)}{stretched}"
        print(f"{answer.level:.0%} interval: {interval}; {agreement_in_words(answer)}")
        said = (f"{ALGORITHMS[each].label} {TARGET.estimate(value, '+')}" for each, value in answer.others.items())
        print("others: " + ", ".join(said))
    if observed is not None:
        expected = TARGET.estimate(observed + answer.value)
        print(f"{name} {PAST} {TARGET.estimate(observed)}; with this change about {expected}")
    return 0


def _predict(options: argparse.Namespace) -> int:
    _require_file(options, options.file, "--file")
    model = _asked_model(options)
    if options.file or options.out:
        return _score(options, model)
    scenario = {column.name: column.default for column in FEATURES} | _given(options)
    answer = predict(model, scenario, options.coverage, with_reasons=options.json)
    if options.json:
        print(json.dumps(answer.to_record()))
        return 0
    nearest = answer.nearest[0]
    used = model.records[nearest.index][TARGET.name]
    print(f"{TARGET.estimate(answer.value)} {TARGET.unit}".rstrip())
    interval = f"{TARGET.estimate(answer.low)} to {TARGET.estimate(answer.high)}"
    print(f"{answer.level:.0%} interval: {interval}{_measured(answer)}")
    print(f"closest: {row_name(nearest.name)}, {nearest.distance:.1f} s.d. away, {PAST} {TARGET.estimate(used)}")
    if answer.support != "near":
        print(f"caution: this scenario is {answer.support} from every real row")
    return 0


def _measured(answer: Prediction) -> str:
    """What was measured of the interval of an answer, if anything was."""
    (interval,) = (each for each in answer.intervals if each.level == answer.level)
    if interval.held_by_chance is None:
        return ""
    low, high = interval.held_by_chance
    return (
        f" (held {interval.nested_held:.0f} of {interval.n_rows:,} {ROWS} that set neither fit nor width; "
        f"{interval.held_expected:.0f} expected, chance alone gives {low:,} to {high:,})"
    )


def _score(options: argparse.Namespace, model: Model) -> int:
    if not (options.file and options.out):
        raise DataError(["--file and --out go together: give the file to score and the file to write."])
    inputs = load_inputs(options.file, columns=options.columns, sheet=options.sheet)
    done = score_file(model, inputs, options.coverage, partial(_bar, "scoring", "rows"))
    try:
        options.out.write_bytes(write_csv(done))
    except OSError as error:
        raise DataError([f"{options.out}: cannot be written ({error.strerror}). Check --out."]) from None
    for remark in done.remarks:
        print(remark, file=sys.stderr)
    reason = f"; {done.n_problems:,} could not be, see its column {done.added[-1]}" if done.n_problems else ""
    print(f"{options.out}: {len(done.scored.value):,} of {len(done.table):,} rows scored{reason}.")
    return 0 if len(done.scored.value) else 2


if __name__ == "__main__":
    sys.exit(main())
