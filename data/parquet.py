"""Read columns of a Parquet file as cells of text, which then pass the same checks as those of a CSV file."""

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from data.headers import names_of
from data.schema import DataError
from data.text import CONTROL, MAX_ROWS, TOO_MANY_ROWS

MAX_UNPACKED = 256 * 2**20  # [bytes] of the columns that are read, as they are described and as they turn out
_MAX_PARTS = 1_000_000  # row groups times columns: a small file may be nothing but their descriptions
_AT_ONCE = 50_000  # rows
_MOST = 4 * 2**30  # [bytes] of addresses for the process that reads; a million rows take a part of it
_PATIENCE = 60  # [s] for it
_CURE = "Write it anew, or as CSV."


def is_parquet(raw):
    """Whether bytes are a Parquet file, or the beginning of one."""
    return raw.startswith(b"PAR1") and (raw.endswith(b"PAR1") or raw[4:5] == b"\x15")


def read(raw, wanted, problems):
    """Read the columns of some names as text, in a process of its own.

    Parquet is unpacked by a library in C++, which on some damaged files ends the process that it runs in.

    Parameters
    ----------
    raw : bytes
    wanted : iterable of str
        Names in the schema.
    problems : data.table.Problems
        As for `unpack`.

    Returns
    -------
    header : list of str
    cells : pandas.DataFrame of str, shape (n_rows, n_readable)
        Empty text where nothing is; the index is each row's number as in a file whose header is row 1.

    Raises
    ------
    DataError
        As `unpack`, and if the process ends or takes too long.
    """
    import pandas as pd
    import pyarrow as pa

    command = [sys.executable, "-m", __name__, *wanted]
    options = {"input": raw, "capture_output": True, "cwd": Path(__file__).parent.parent, "timeout": _PATIENCE}
    try:
        done = subprocess.run(command, check=False, **options)  # noqa: S603 - our own module and names of the schema
    except subprocess.TimeoutExpired:
        raise DataError([f"The Parquet file takes more than {_PATIENCE} s to read. {_CURE}"]) from None
    if done.returncode:
        raise DataError([f"The Parquet file cannot be read (its reader broke off). {_CURE}"])
    told, _, packed = done.stdout.partition(b"\n")
    told = json.loads(told)
    if told["refused"]:
        raise DataError(told["refused"])
    problems.extend((1, "", text) for text in told["problems"])
    table = pa.ipc.open_stream(packed).read_all()
    columns = {name: pd.array(table[name], dtype="str") for name in table.column_names}
    return told["header"], pd.DataFrame(columns, index=range(2, 2 + told["n_rows"]))


def main(wanted):
    """Be that process: a file comes in, and what it says goes out, as a line of JSON and the cells."""
    import pyarrow as pa

    with suppress(ImportError):  # not on Windows
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MOST, _MOST))
    told, table = {"refused": [], "problems": []}, pa.table({})
    try:
        told["header"], told["n_rows"], table = unpack(sys.stdin.buffer.read(), wanted, told["problems"])
    except DataError as error:
        told["refused"] = error.problems
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n")
    with pa.ipc.new_stream(sys.stdout.buffer, table.schema) as stream:
        stream.write_table(table)


def unpack(raw, wanted, problems):
    """Read the columns of some names as text, in this process.

    Parameters
    ----------
    raw : bytes
    wanted : iterable of str
    problems : list of str
        A column that holds neither numbers nor text is added.

    Returns
    -------
    header : list of str
    n_rows : int
    table : pyarrow.Table of string, shape (n_rows, n_readable)
        The wanted columns that can be read and whose header stands there once.

    Raises
    ------
    DataError
        If it cannot be read, is too large, or holds what no text has.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        options = {"thrift_string_size_limit": 2**22, "thrift_container_size_limit": _MAX_PARTS}
        options["page_checksum_verification"] = True  # where there are any
        file = ParquetFile(pa.BufferReader(raw), **options)
        described, names = file.metadata, names_of(file.schema_arrow.names)
        if described.num_rows > MAX_ROWS:
            raise DataError([TOO_MANY_ROWS])
        if described.num_row_groups * described.num_columns > _MAX_PARTS:
            raise DataError(["The Parquet file is in too many parts. Write it with fewer row groups and columns."])
        chosen = [
            field
            for field, name in zip(file.schema_arrow, names, strict=True)
            if name in wanted and names.count(name) == 1
        ]
        readable = [field.name for field in chosen if _is_readable(field.type)]
        problems += [
            f"column {field.name} holds {str(field.type)[:60]}, not numbers or text. Write it as numbers."
            for field in chosen
            if field.name not in readable
        ]
        _require_small(_described_size(described, {*readable}))
        texts = [field.name for field in chosen if _is_text(field.type)]
        # Text stays packed at first: one long name in every row is a few bytes in the file, and not in memory.
        file = ParquetFile(pa.BufferReader(raw), metadata=described, read_dictionary=texts, **options)
        return file.schema_arrow.names, described.num_rows, _cells(file, readable)
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        why = str(error).strip().split("\n")[0][:120]
        raise DataError([f"The Parquet file cannot be read ({why}). {_CURE}"]) from None


def _is_readable(kind):
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    return is_number or types.is_null(kind) or _is_text(kind)


def _is_text(kind):
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _described_size(described, names):
    groups = (described.row_group(i) for i in range(described.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names)


def _require_small(size):
    if size > MAX_UNPACKED:
        raise DataError(
            [f"The file unpacks to more than {MAX_UNPACKED // 2**20} MB. Send fewer rows, or shorter text."]
        )


def _cells(file, names):
    import pyarrow as pa

    parts, size, n_rows = [], 0, 0
    for batch in file.iter_batches(_AT_ONCE, columns=names) if names else ():
        packed = [_as_text(batch.column(name)) for name in names]
        size += sum(_size(*each) for each in packed)
        _require_small(size)
        texts = [values.take(codes) if codes is not None else values for values, codes in packed]
        parts.append(pa.table([text.fill_null("") for text in texts], names=names))
        n_rows += len(batch)
    if n_rows != file.metadata.num_rows and names:
        raise DataError([f"The Parquet file promises {file.metadata.num_rows:,} rows and has {n_rows:,}. {_CURE}"])
    return pa.concat_tables(parts) if parts else pa.table({name: pa.array([], pa.string()) for name in names})


def _as_text(column):
    """Text of a column, and which of it stands in each row where that is kept apart."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_packed = pa.types.is_dictionary(column.type)
    values = (column.dictionary if is_packed else column).cast(pa.string())
    if pc.any(pc.match_substring_regex(values, CONTROL)).as_py():
        raise DataError(["The file's text holds control characters. Take them out."])
    return values, column.indices if is_packed else None


def _size(values, codes):
    import pyarrow.compute as pc

    lengths = pc.binary_length(values)
    return pc.sum(lengths if codes is None else lengths.take(codes)).as_py() or 0


if __name__ == "__main__":
    main(sys.argv[1:])
