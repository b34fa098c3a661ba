"""Command line: ``python -m model train`` and ``python -m model predict --petrol_tax 9 ...``."""

import argparse
import json
import logging
import sys
import time

from data.load import load_rows
from data.schema import FEATURES, TARGET, DataError, row_name
from model import artifact, history, versions
from model.predict import COVERAGES, coverages, predict
from model.recipe import ALGORITHMS, ModelError
from model.store import StoreError
from model.train import train


def main(arguments=None):
    """Run a command; 0 when it worked, 2 when the input was bad."""
    logging.basicConfig(format="%(message)s")
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (DataError, ModelError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _parser():
    parser = argparse.ArgumentParser(prog="python -m model", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    training = commands.add_parser("train", help="train and score the default model, and keep it")
    training.set_defaults(run=_train)
    asking = commands.add_parser("predict", help="predict one scenario")
    asking.set_defaults(run=_predict)
    for column in FEATURES:
        unit = "share of people, 0 to 1" if column.is_share else column.unit
        asking.add_argument(
            f"--{column.name}", default=column.default, metavar="N", help=f"{unit} (default {column.default:g})"
        )
    asking.add_argument("--coverage", type=float, choices=COVERAGES, default=0.9, help="of the band (default 0.9)")
    asking.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _train(options):
    started = time.perf_counter()
    model = train(load_rows(), n_jobs=-1, progress=_bar)
    model_path, record_path = artifact.save(model)
    scores = model.record["scores"]
    print(f"\nOut-of-fold scores on {len(model.rows)} rows, {TARGET.unit}:")
    print(f"{'':24}{'MAE':>8}{'+-':>6}{'RMSE':>8}{'+-':>6}{'R2':>8}{'+-':>6}")
    for name in scores:
        label = model.label if name == "model" else ALGORITHMS[name].label
        figures = "".join(
            f"{scores[name][score]['value']:8.{digits}f}{scores[name][score]['standard_error']:6.{digits}f}"
            for score, digits in (("mae", 1), ("rmse", 1), ("r2", 2))
        )
        print(f"{label:24}{figures}")
    print(f"Kept as {model_path.name} and {record_path.name}, {time.perf_counter() - started:.1f} s.")
    return 0


def _bar(done, total):
    filled = 30 * done // total
    end = "\n" if done == total else ""
    print(
        f"\rcross-validation [{'#' * filled}{'.' * (30 - filled)}] {done}/{total} folds",
        end=end,
        file=sys.stderr,
        flush=True,
    )


def _active_model():
    try:
        store = history.open_store()
        model, notice = history.active_model(store, lambda number: versions.load(store, number))
    except StoreError as error:
        model, notice = artifact.load(load_rows()), str(error) if error.hides else ""
    if notice:
        print(notice, file=sys.stderr)
    return model


def _predict(options):
    model = _active_model()
    if options.coverage not in coverages(len(model.rows)):
        raise ModelError(f"coverage: {options.coverage:g} needs more than {len(model.rows)} rows.")
    answer = predict(model, {column.name: getattr(options, column.name) for column in FEATURES}, options.coverage)
    if options.json:
        print(
            json.dumps(
                {
                    "scenario": answer.scenario,
                    "value": answer.value,
                    "low": answer.low,
                    "high": answer.high,
                    "coverage": answer.coverage,
                    "unit": TARGET.unit,
                    "nearest": [{"name": row_name(near.name), "distance_sd": near.distance} for near in answer.nearest],
                    "support": answer.support,
                    "average": answer.average,
                    "contributions": answer.contributions,
                }
            )
        )
        return 0
    nearest = answer.nearest[0]
    used = model.records[nearest.index][TARGET.name]
    print(f"{answer.value:.0f} {TARGET.unit}")
    print(
        f"{answer.coverage:.0%} band: {answer.low:.0f} to {answer.high:.0f} "
        f"(set by the other rows, it held {answer.n_held} of {answer.n_rows})"
    )
    print(f"closest: {row_name(nearest.name)}, {nearest.distance:.1f} s.d. away, used {used:.0f}")
    if answer.support != "near":
        print(f"caution: this scenario is {answer.support} from every real row")
    return 0


if __name__ == "__main__":
    sys.exit(main())
