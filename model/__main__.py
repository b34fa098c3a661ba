"""Command line: ``python -m model train | predict | change | find | report | validate | list | promote | ...``."""

import argparse
import csv
import getpass
import logging
import os
import re
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.errors import DataError
from data.load import SHIPPED, load_rows
from data.schema import A_ROW, COLUMNS, FEATURES, INPUT_PREFIX, ROW, ROWS, TARGET, TARGET_UNIT
from model import upkeep
from model.answering.neighbours import SUPPORT_LEVELS
from model.answering.question import AIMS, CHOICE_KEYS, RANGE_KEYS
from model.asking import require_file, run_change, run_find, run_predict, run_report, run_validate, show_progress
from model.fitting import artifact
from model.fitting.algorithms import ALGORITHMS, DEFAULT, OFFERED
from model.fitting.errors import ModelError
from model.fitting.interval import LEVELS
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
_RESERVED_OPTIONS = (
    *("help", "coverage", "json", "file", "out", "columns", "sheet", "from", "to"),
    *("aim", "goal", "fixed", "range", "support", "share"),
)


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
    predict_command = add_command(
        "predict", run_predict, "predict one scenario, or a file of them, with the active model"
    )
    change_command = add_command(
        "change", run_change, "say what changes from a start to a scenario, and how sure that is"
    )
    report_command = add_command("report", run_report, "write what a scenario gives as one HTML file to hand on")
    report_command.add_argument("--out", type=Path, required=True, metavar="HTML", help="where the report goes")
    find_command = add_command("find", run_find, "find the cheapest changes that bring the prediction to an aim")
    find_command.add_argument("--aim", choices=AIMS, default=AIMS[0], help="(default reach: at the goal or past it)")
    find_command.add_argument("--goal", metavar="N", help=f"prediction to reach [{TARGET.unit}]".replace("%", "%%"))
    find_command.add_argument(
        "--fixed", action="append", default=[], metavar="NAME", help="input that must not move; may be repeated"
    )
    find_command.add_argument(
        "--range",
        action="append",
        default=[],
        type=_read_range,
        metavar="NAME=KEY:VALUE,...",
        help=f"what an input may do: {', '.join(RANGE_KEYS)}, or choices of a category with | between them",
    )
    find_command.add_argument(
        "--support",
        choices=SUPPORT_LEVELS,
        default=SUPPORT_LEVELS[0],
        help="the farthest from real rows (default near)",
    )
    find_command.add_argument("--share", type=float, default=0, metavar="N", help="of the refits that must agree")
    for command in (change_command, report_command, find_command):
        command.add_argument("--from", dest="start", metavar="NAME", help=f"of {A_ROW} (default: the typical one)")
    for command in (predict_command, change_command, report_command, find_command):
        for column in FEATURES:
            unit = ", ".join(column.choices) or ("share of people, 0 to 1" if column.is_share else column.unit)
            default = column.plain(column.default) if command is predict_command else "as the start"
            metavar = "LABEL" if column.choices else "N"
            help_text = f"{unit} (default {default})".replace("%", "%%")  # argparse fills in what follows a %
            option = f"--{column.name_beside(_RESERVED_OPTIONS)}"
            command.add_argument(option, dest=f"{INPUT_PREFIX}{column.name}", metavar=metavar, help=help_text)
        command.add_argument(
            "--coverage", type=float, choices=LEVELS, default=0.9, help="level of the interval (default 0.9)"
        )
        if command is not report_command:
            command.add_argument("--json", action="store_true", help="print JSON")
    predict_command.add_argument("--file", type=Path, metavar="FILE", help="score its rows, in place of one scenario")
    validate_command = add_command(
        "validate", run_validate, "say how well the active model does on a file with the target"
    )
    validate_command.add_argument("--file", type=Path, required=True, metavar="FILE", help="CSV, Excel or Parquet")
    validate_command.add_argument("--beside", type=int, metavar="N", help="version to compare it with")
    validate_command.add_argument("--json", action="store_true", help="print JSON")
    validate_command.add_argument("--coverage", type=float, choices=LEVELS, default=0.9, help="level of the interval")
    for command in (train_command, predict_command, validate_command):
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


def _read_range(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``NAME=low:6,step:0.5``: name of an input, and what differs for it."""
    name, _, pairs = text.partition("=")
    given: dict[str, Any] = {}
    for pair in re.split(rf",(?=\s*(?:{'|'.join(RANGE_KEYS + CHOICE_KEYS)}):)", pairs):  # a label may have a comma
        key, _, value = (part.strip() for part in pair.partition(":"))
        try:
            given[key] = value.split("|") if key == "choices" else float(value)
        except ValueError:
            message = f"{pair!r} says no range. Write NAME=low:1,high:2,step:0.5,cost:3, of which any may be left out."
            raise argparse.ArgumentTypeError(message) from None
    return name.strip(), given


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
    require_file(options, options.data != SHIPPED, "--data")
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
    print(f"\nOut-of-fold scores on {len(rows)} {ROWS}, in {TARGET_UNIT}:")
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


_show_fits = partial(show_progress, "cross-validation", "fits")


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
    print(f"* active. MAE in {TARGET_UNIT}, +- one standard error.")
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


if __name__ == "__main__":
    sys.exit(main())
