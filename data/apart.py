"""Read a file that others have made in a process of its own: what ends that process ends nobody else.

A library in C++ or Rust that unpacks a damaged file may end the process that it runs in, or ask for all memory.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from data.schema import DataError

MAX_UNPACKED = 256 * 2**20  # [bytes] of what is read of a file
_MOST = 4 * 2**30  # [bytes] of addresses for the process; a million rows take a part of it
_PATIENCE = 60  # [s] for it


def read(module: str, arguments: list[str], raw: bytes, what: str, cure: str) -> tuple[dict[str, Any], bytes]:
    """Have a module of ours read a file, and return what `answer` says there.

    Parameters
    ----------
    module
        Run as a program, it calls `answer`.
    arguments
        For its command line.
    raw
        The file.
    what, cure
        For the message: ``"The Parquet file"``, ``"Write it anew."``

    Raises
    ------
    DataError
        What the module says, or that the process has ended or takes too long.
    """
    command = [sys.executable, "-m", module, *arguments]
    options: dict[str, Any] = {"input": raw, "capture_output": True, "cwd": Path(__file__).parent.parent}
    try:
        done = subprocess.run(command, check=False, timeout=_PATIENCE, **options)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        raise DataError([f"{what} takes more than {_PATIENCE} s to read. {cure}"]) from None
    if done.returncode:
        raise DataError([f"{what} cannot be read (its reader broke off). {cure}"])
    head, _, content = done.stdout.partition(b"\n")
    summary = json.loads(head)
    if summary["refused"]:
        raise DataError(summary["refused"])
    return summary, content


def answer(reading: Callable[[bytes], tuple[dict[str, Any], Callable[[Any], None]]]) -> None:
    """Be that process: read the file from the input, and write a line of JSON and what follows it.

    Parameters
    ----------
    reading
        Takes the file; returns what the line says, and a function that writes what follows. May raise DataError.
    """
    with suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))
    out = sys.stdout.buffer
    try:
        summary, write = reading(sys.stdin.buffer.read())
    except DataError as error:
        out.write(json.dumps({"refused": error.problems}).encode() + b"\n")
    else:
        out.write(json.dumps({"refused": []} | summary).encode() + b"\n")
        write(out)


def require_small(size: int) -> None:
    """Refuse what unpacks to too much.

    Parameters
    ----------
    size
        [bytes]

    Raises
    ------
    DataError
    """
    if size > MAX_UNPACKED:
        raise DataError(
            [f"The file unpacks to more than {MAX_UNPACKED // 2**20} MB. Send fewer rows, or shorter text."]
        )
