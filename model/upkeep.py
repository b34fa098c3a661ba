"""Commands for the upkeep of a store: ``python -m model store copy | check | backup | prune | erase``."""

import argparse
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from model.queue import transfer
from model.store import erasure, pruning
from model.store.check import list_damages
from model.store.database import Store


def add_commands(parser: argparse.ArgumentParser) -> None:
    """Add the commands below ``store``."""
    commands = parser.add_subparsers(required=True)

    def add(name: str, run: Callable[[argparse.Namespace], int], help_text: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=help_text)
        command.set_defaults(run=run)
        return command

    copy_command = add("copy", _copy, "copy everything into an empty store, and check that it arrived")
    for name in ("FROM", "TO"):
        copy_command.add_argument(name, help="as for PETROL_STORE_URL; - is what that holds, out of sight of others")
    add("check", _check, "read everything, and say what is damaged; then the exit code is 1")
    backup_command = add("backup", _backup, "write the store as it is at this moment, also while it is in use")
    backup_command.add_argument("file", type=Path, metavar="FILE", help="a new one, of SQLite")
    prune_command = add("prune", _prune, "remove what is old and was never promoted, with data that nothing needs")
    prune_command.add_argument(
        "--older-than", type=_read_age, required=True, metavar="90d", help="in days; what is younger stays"
    )
    erase_command = add("erase", _erase, "replace a person's name wherever it stands, also in the record of promotions")
    erase_command.add_argument("name", metavar="NAME", help="an address, or what was typed as a name")
    for command in (prune_command, erase_command):
        command.add_argument(
            "--yes", action="store_true", help="do it; without this it is only said what would be done"
        )


def _read_age(text: str) -> timedelta:
    """Read an age in days, like ``90d``."""
    if not re.fullmatch(r"[0-9]{1,6}d", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days. Write it like 90d.")
    return timedelta(days=int(text[:-1]))


def _copy(options: argparse.Namespace) -> int:
    for table in transfer.copy_store(*("" if url == "-" else url for url in (options.FROM, options.TO))):
        print(f"{table.table:14}{table.n_rows:7,} rows  SHA-256 {table.sha256}")
    print("The same in both. Start the app with the second one's address in PETROL_STORE_URL.")
    return 0


def _check(_: argparse.Namespace) -> int:
    store = Store(create=False)
    damages = list_damages(store)
    for damage in damages:
        print(damage)
    if not damages:
        size = pruning.in_megabytes(pruning.size_of_store(store))
        print(f"Nothing in the store {store.location} is damaged. It takes up {size}.")
    return 1 if damages else 0


def _backup(options: argparse.Namespace) -> int:
    store = Store(create=False)
    transfer.write_backup(store, options.file)
    print(f"{options.file}: {options.file.stat().st_size:,} bytes, all that {store.location} holds.")
    return 0


def _prune(options: argparse.Namespace) -> int:
    store, days = Store(create=False), options.older_than.days
    prunable = (pruning.prune if options.yes else pruning.find_prunable)(store, options.older_than)
    if not any(prunable.counts.values()):
        print(f"Nothing in the store {store.location} is older than {days:,} days and no longer needed.")
        return 0
    summary = f"from the store {store.location}: {prunable.in_words()}, {pruning.in_megabytes(prunable.n_bytes)}."
    if not options.yes:
        print(f"This would remove {summary}")
        print("What was promoted or comes with the app stays. Nothing was removed: add --yes to do it.")
        return 0
    print(f"Removed {summary}")
    _compact(store)
    return 0


def _erase(options: argparse.Namespace) -> int:
    store = Store(create=False)
    mentions = (erasure.erase_name if options.yes else erasure.find_mentions)(store, options.name)
    print(f"The store {store.location}:")
    print(mentions.in_words(options.name, is_done=options.yes))
    if options.yes:
        _compact(store)  # even if no mention was left: the file may still hold what was removed
    elif mentions.n_replaced:
        print("Nothing was changed: add --yes to do it.")
    return 0


def _compact(store: Store) -> None:
    if store.is_file:
        store.compact()
        print(f"The file is {pruning.in_megabytes(pruning.size_of_store(store))} now.")
    else:
        print("PostgreSQL gives the room to new rows by itself; VACUUM FULL gives it back to the disk.")
