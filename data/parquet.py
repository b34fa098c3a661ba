"""Read columns of a Parquet file as cells of text, which then pass the same checks as those of a CSV file."""

import sys
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import IO, TYPE_CHECKING, Any

from data.errors import DataError, FileProblems
from data.headers import match_headers
from data.isolation import read_isolated, require_small, serve_reader
from data.schema import ROW
from data.text import CONTROL, MAX_ROWS, TOO_MANY_ROWS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa
    from pyarrow.parquet import FileMetaData, ParquetFile

_MAX_PARTS = 1_000_000  # row groups times columns: a small file may hold nothing but their descriptions
_ROWS_PER_BATCH = 50_000
_CURE = "Write it anew, or as CSV."


def is_parquet(raw: bytes) -> bool:
    """Whether bytes are a Parquet file, or the beginning of one."""
    return raw.startswith(b"PAR1") and (raw.endswith(b"PAR1") or raw[4:5] == b"\x15")


def read_columns(
    raw: bytes, wanted: Iterable[str], problems: FileProblems, *, needs_all: bool, optional: Collection[str] = ()
) -> "tuple[list[str], pd.DataFrame]":
    """Read the wanted columns as text, in a separate process.

    Parameters
    ----------
    wanted
        Names in the schema.
    problems
        A column that holds neither numbers nor text is added.
    needs_all
        Whether to read every column, because a person says which is which. All are also read if one is missing.
    optional
        Names of more columns to read where the file has them.

    Returns
    -------
    header : list of str
    cells : pandas.DataFrame of str, shape (n_rows, n_readable)
        Empty text for an empty cell; the index is each row's number as in a file whose header is row 1.

    Raises
    ------
    DataError
        As `unpack`, and if the process ends or takes too long.
    """
    import pandas as pd
    import pyarrow as pa

    arguments = [f"{needs_all:d}", *wanted, *(f"?{name}" for name in optional)]
    summary, content = read_isolated(__name__, arguments, raw, "The Parquet file", _CURE)
    for sentence in summary["problems"]:
        problems.add(1, sentence)
    table = pa.ipc.open_stream(content).read_all()
    # Nulls are filled here: in the other process that would import pandas, half the time of a small file.
    columns = {name: pd.array(table[name].fill_null(""), dtype="str") for name in table.column_names}
    return summary["header"], pd.DataFrame(columns, index=range(2, 2 + summary["n_rows"]))


def _read_file(raw: bytes, wanted: list[str], *, needs_all: bool) -> tuple[dict[str, Any], Callable[[IO[bytes]], None]]:
    import pyarrow as pa

    problems: list[str] = []
    header, n_rows, table = unpack(raw, wanted, problems, needs_all=needs_all)

    def write(out: IO[bytes]) -> None:
        with pa.ipc.new_stream(out, table.schema) as stream:
            stream.write_table(table)

    return {"problems": problems, "header": header, "n_rows": n_rows}, write


def unpack(
    raw: bytes, wanted: Iterable[str], problems: list[str], *, needs_all: bool = False
) -> "tuple[list[str], int, pa.Table]":
    """Read the wanted columns as text, in this process.

    Parameters
    ----------
    wanted, needs_all
        As for `read_columns`; a name that begins with ``?`` is of a column that may be missing.
    problems
        A column that holds neither numbers nor text is added.

    Returns
    -------
    header : list of str
    n_rows : int
    table : pyarrow.Table of string, shape (n_rows, n_readable)
        The columns that can be read and whose header occurs once; null for an empty cell.

    Raises
    ------
    DataError
        If the file cannot be read, is too large, or holds control characters.
    """
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    try:
        options = {"thrift_string_size_limit": 2**22, "thrift_container_size_limit": _MAX_PARTS}
        options["page_checksum_verification"] = True  # if the file has checksums
        file = ParquetFile(pa.BufferReader(raw), **options)
        metadata, names = file.metadata, match_headers(file.schema_arrow.names)
        if metadata.num_rows > MAX_ROWS:
            raise DataError([TOO_MANY_ROWS])
        if metadata.num_row_groups * metadata.num_columns > _MAX_PARTS:
            raise DataError(["The Parquet file is in too many parts. Write it with fewer row groups and columns."])
        title_counts, wanted = Counter(file.schema_arrow.names), list(wanted)
        needed = {name for name in wanted if not name.startswith("?")} - {ROW}
        wanted = [name.removeprefix("?") for name in wanted]
        needs_all = needs_all or not needed <= {*names}
        chosen_fields = [
            field
            for field, name in zip(file.schema_arrow, names, strict=True)
            if (name in wanted and names.count(name) == 1) or (needs_all and title_counts[field.name] == 1)
        ]
        readable_titles = [field.name for field in chosen_fields if _is_readable(field.type)]
        problems += [
            f"column {field.name} holds {str(field.type)[:60]}, not numbers or text. Write it as numbers."
            for field, name in zip(file.schema_arrow, names, strict=True)
            if name in needed | {ROW} and field in chosen_fields and field.name not in readable_titles
        ]
        require_small(_unpacked_size(metadata, {*readable_titles}))
        text_titles = [field.name for field in chosen_fields if _is_text(field.type)]
        # Text stays dictionary-encoded at first: a long name in every row is short in the file, but not unpacked.
        file = ParquetFile(pa.BufferReader(raw), metadata=metadata, read_dictionary=text_titles, **options)
        return file.schema_arrow.names, metadata.num_rows, _read_cells(file, readable_titles)
    except (pa.ArrowException, OSError, UnicodeDecodeError, OverflowError) as error:
        reason = str(error).strip().split("\n")[0][:120]
        raise DataError([f"The Parquet file cannot be read ({reason}). {_CURE}"]) from None


def _is_readable(kind: "pa.DataType") -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    is_number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind) or types.is_boolean(kind)
    return is_number or types.is_null(kind) or _is_text(kind)


def _is_text(kind: "pa.DataType") -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind)


def _unpacked_size(metadata: "FileMetaData", names: set[str]) -> int:
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    columns = (group.column(i) for group in groups for i in range(group.num_columns))
    return sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names)


def _read_cells(file: "ParquetFile", names: list[str]) -> "pa.Table":
    import pyarrow as pa

    parts, size, n_rows = [], 0, 0
    for batch in file.iter_batches(_ROWS_PER_BATCH, columns=names) if names else ():
        columns = [_as_text(batch.column(name)) for name in names]
        size += sum(_text_size(*column) for column in columns)
        require_small(size)
        texts = [values.take(codes) if codes is not None else values for values, codes in columns]
        parts.append(pa.table(texts, names=names))
        n_rows += len(batch)
    if n_rows != file.metadata.num_rows and names:
        raise DataError([f"The Parquet file promises {file.metadata.num_rows:,} rows and has {n_rows:,}. {_CURE}"])
    return pa.concat_tables(parts) if parts else pa.table({name: pa.array([], pa.string()) for name in names})


def _as_text(column: "pa.Array") -> "tuple[pa.Array, pa.Array | None]":
    """Return a column's values as text and, if it is dictionary-encoded, the index of each row's value."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_packed = pa.types.is_dictionary(column.type)
    values = (column.dictionary if is_packed else column).cast(pa.string())
    if pc.any(pc.match_substring_regex(values, CONTROL)).as_py():
        raise DataError(["The file's text holds control characters. Take them out."])
    return values, column.indices if is_packed else None


def _text_size(values: "pa.Array", codes: "pa.Array | None") -> int:
    import pyarrow.compute as pc

    lengths = pc.binary_length(values)
    return pc.sum(lengths if codes is None else lengths.take(codes)).as_py() or 0


if __name__ == "__main__":
    serve_reader(lambda raw: _read_file(raw, sys.argv[2:], needs_all=sys.argv[1] == "1"))
