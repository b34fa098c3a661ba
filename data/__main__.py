"""Command line: ``python -m data describe FILE --target TITLE``."""

import argparse
import sys
from pathlib import Path

from data.definition import FILE, read_definition
from data.describe import draft_table, write_toml
from data.errors import DataError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; 0 when it worked, 2 when the input was bad."""
    parser = argparse.ArgumentParser(prog="python -m data", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    describing = commands.add_parser("describe", help="draft a table from a file")
    describing.add_argument("file", type=Path, help="CSV, Excel or Parquet")
    describing.add_argument("--target", required=True, metavar="TITLE", help="of the column to predict")
    describing.add_argument("--names", default="", metavar="TITLE", help="of the column that names the rows")
    describing.add_argument("--to", type=Path, metavar="FOLDER", help="for the table (default: named as the file)")
    describing.add_argument("--drop-missing", action="store_true", help="leave out rows with a missing value")
    options = parser.parse_args(arguments)
    try:
        return _describe(options)
    except DataError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _describe(options: argparse.Namespace) -> int:
    folder = options.to or Path(options.file.stem)
    if (folder / FILE).exists():
        raise DataError([f"{folder / FILE} is there already. Name another folder with --to, or move it away."])
    draft = draft_table(options.file, options.target, names=options.names, drop_missing=options.drop_missing)
    title = options.file.stem.replace("_", " ").capitalize()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(write_toml(draft, title), encoding="utf-8")
        draft.rows.to_csv(folder / "rows.csv", index=False)
    except OSError as error:
        raise DataError([f"{folder}: cannot be written ({error.strerror}). Name another folder with --to."]) from None
    read_definition(folder)
    *inputs, target = draft.columns
    for column, reason in draft.left_out.items():
        print(f"Left out: {column}, for {reason}.")
    if draft.n_dropped:
        print(f"Left out: {draft.n_dropped:,} rows with a missing value.")
    print(f"{folder}: {target.name} from {len(inputs)} inputs, {len(draft.rows):,} rows.")
    print(f"Look at {folder / FILE}, then: make run TABLE={folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
