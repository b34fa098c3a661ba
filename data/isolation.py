"""Read an untrusted file in a separate process, so that a crash there does not end the app.

A C++ or Rust library that unpacks a damaged file may crash its process, or ask for all memory.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from data.errors import DataError

MAX_UNPACKED = 256 * 2**20  # [bytes]
_MAX_ADDRESS_SPACE = 4 * 2**30  # [bytes]; a million rows need a fraction of it
_TIMEOUT = 60  # [s]


def read_isolated(module: str, arguments: list[str], raw: bytes, what: str, cure: str) -> tuple[dict[str, Any], bytes]:
    """Run one of our modules on a file; return the summary and the content that its `serve_reader` writes.

    Parameters
    ----------
    module
        It calls `serve_reader` when it is run as a program.
    arguments
        For its command line.
    what, cure
        For messages: ``"The Parquet file"``, ``"Write it anew."``

    Raises
    ------
    DataError
        If the module refuses the file, or the process crashes or takes too long.
    """
    command = [sys.executable, "-m", module, *arguments]
    options: dict[str, Any] = {"input": raw, "capture_output": True, "cwd": Path(__file__).parent.parent}
    try:
        process = subprocess.run(command, check=False, timeout=_TIMEOUT, **options)  # noqa: S603 - our own module
    except subprocess.TimeoutExpired:
        raise DataError([f"{what} takes more than {_TIMEOUT} s to read. {cure}"]) from None
    if process.returncode:
        raise DataError([f"{what} cannot be read (its reader broke off). {cure}"])
    first_line, _, content = process.stdout.partition(b"\n")
    summary = json.loads(first_line)
    if summary["refused"]:
        raise DataError(summary["refused"])
    return summary, content


def serve_reader(read: Callable[[bytes], tuple[dict[str, Any], Callable[[IO[bytes]], None]]]) -> None:
    """Act as that process: read the file from standard input, write the summary as a line of JSON, then the content.

    Parameters
    ----------
    read
        Takes the file; returns the summary, and a function that writes the content. May raise DataError.
    """
    with suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MAX_ADDRESS_SPACE, _MAX_ADDRESS_SPACE))
    out = sys.stdout.buffer
    try:
        summary, write = read(sys.stdin.buffer.read())
    except DataError as error:
        out.write(json.dumps({"refused": error.problems}).encode() + b"\n")
    else:
        out.write(json.dumps({"refused": []} | summary).encode() + b"\n")
        write(out)


def require_small(size: int) -> None:
    """Raise DataError for a file that unpacks to too many bytes."""
    if size > MAX_UNPACKED:
        raise DataError(
            [f"The file unpacks to more than {MAX_UNPACKED // 2**20} MB. Send fewer rows, or shorter text."]
        )
