"""Malformed files through the upload and the scorer of a running server, and what must become of them."""

import asyncio
import csv
import io
import random
import re

import numpy as np

from bench.visit import Visit
from data.errors import DataError
from data.inputs import load_inputs
from data.load import SHIPPED, load_rows
from data.schema import FEATURE_NAMES, TARGET
from model.answering.prediction import predict_rows
from model.answering.scoring import score_file
from model.fitting import artifact

TEXT = SHIPPED.read_text(encoding="utf-8")
_HEADER, *_LINES = [line.split(",") for line in TEXT.split()]
NAMES = _HEADER[1:]  # of the columns that hold numbers
_ROW = 7  # the one that gets the bad cell
_NO_NUMBERS = (
    *("", " ", "nan", "NaN", "inf", "-inf", "Infinity", "1e999", "-1", "abc", "=1+1", "+SUM(A1)", "@A1", "1/2", "0x10"),
    *("1_000", "1 2", "--5", "5-", "5e", "e5", "٩", "９", "²", "½", "None", "null", "true", "#REF!", "2026-01-01"),
    *("12:30", "€5", "5 USD", "1.2.3", "9" * 400, "<script>alert(1)</script>", "'; DROP TABLE job; --", "\\x00"),
)
_SCORED = re.compile(r"\*\*([\d,]+) of ([\d,]+) rows scored\*\*")


def with_cell(column, cell):
    """Return the table with one other cell."""
    place = _HEADER.index(column)
    lines = [[*line[:place], cell, *line[place + 1 :]] if i == _ROW else line for i, line in enumerate(_LINES)]
    return _table([_HEADER, *lines])


def _table(lines):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue().encode()


def bad_cells():
    """Return files with one cell that is no possible number of its column: name -> column and content."""
    return {f"{column}={cell[:20]!r}": (column, with_cell(column, cell)) for column in NAMES for cell in _NO_NUMBERS}


def not_tables():
    """Return files that hold no table of this kind at all: name -> content."""
    noise = random.Random(1)  # noqa: S311 - repeatable
    first, rest = TEXT.split("\n", 1)
    found = {
        "empty": b"",
        "blank": b" \n\t\n ",
        "header alone": first.encode(),
        "rows alone, too few fields": "\n".join(line.split(",", 2)[2] for line in rest.split()).encode(),
        "separators alone": b",,,,,\n" * 50,
        "a line of commas": b"," * 100_000,
        "one very long field": b"x" * 10**6,
        "NULs": bytes(5000),
        "NULs among text": TEXT.replace(",", ",\0").encode(),
        "PNG": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 30,
        "ZIP or spreadsheet": b"PK\3\4\x14\0\6\0\x08\0\0\0!\0" * 30,
        "PDF": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\n",
        "GZIP": b"\x1f\x8b\x08\0\0\0\0\0\0\3" + noise.randbytes(500),
        "Parquet": b"PAR1" + noise.randbytes(500) + b"PAR1",
        "database": b"SQLite format 3\0" + bytes(500),
        "program": b"\x7fELF\2\1\1\0" + noise.randbytes(500),
        "page": b"<!doctype html><script>alert(1)</script><table><tr><td>9</td></tr></table>",
        "JSON": b'[{"petrol_tax": 9, "average_income": 3571}]',
        "half of a character": TEXT.encode() + b"\xf0\x9f",
        "UTF-16 cut in a character": TEXT.encode("utf-16")[:-1],
        "a quotation mark that never closes": TEXT.replace("\n", '\n"', 1).encode(),
        "cut in the middle": TEXT.encode()[: len(TEXT) // 2].rpartition(b",")[0],
    }
    found |= {f"noise {i}": noise.randbytes(2000) for i in range(8)}
    found |= {f"without {name}": TEXT.replace(name, "other", 1).encode() for name in NAMES}
    return found | {f"twice {name}": TEXT.replace(_HEADER[0], name, 1).encode() for name in NAMES}


def mutations(n, seed=7):
    """Yield the table with a few random bytes changed, doubled or lost."""
    noise, whole = random.Random(seed), TEXT.encode()  # noqa: S311 - repeatable
    for _ in range(n):
        content = bytearray(whole)
        for _ in range(noise.randrange(1, 4)):
            place = noise.randrange(len(content))
            content[place : place + noise.randrange(2)] = noise.randbytes(noise.randrange(3))
        yield bytes(content)


def wrong_rows(content):
    """Read a file as training does, and count the rows that are not what a strict reader finds; -1 if it finds none."""
    try:
        rows = load_rows(io.BytesIO(content))
    except DataError:
        return 0
    try:
        lines = list(csv.reader(io.StringIO(content.decode("utf-8-sig").replace("\r", "\n"))))
        places = [lines[0].index(name) for name in NAMES]
        strict = [[float(line[place]) for place in places] for line in lines[1:] if any(line)]
    except (ValueError, IndexError, UnicodeDecodeError):
        return -1  # nothing to hold it against
    return int((rows[NAMES].to_numpy(float) != np.array(strict)).any(axis=1).sum())


def wrong_scores(model, column, content):
    """Score a file, and count the rows that are not answered as they should be."""
    try:
        result = score_file(model, load_inputs(io.BytesIO(content)))
    except DataError:
        return 0
    found = result.table[result.added[0]].to_numpy(float)
    expected = predict_rows(model, load_rows()[list(FEATURE_NAMES)].to_numpy(float))
    if not column:  # whatever of it can still be read
        places = np.flatnonzero(~np.isnan(found))
        return int((found[places] != expected[places]).sum())
    if column != TARGET.name:
        expected[_ROW] = np.nan  # that one is not answered, and all others are
    return int((~np.isclose(found, expected, 0, 0, equal_nan=True)).sum())


async def through_the_pages(url, files):
    """Upload files to Retrain and to the Score page.

    Parameters
    ----------
    url : str
    files : dict
        Name -> the column of its bad cell or None where there is no table, and the content.

    Returns
    -------
    list of str
        What should not have been: exceptions on the screen, files that were accepted, rows that were scored.
    """
    training, scoring, complaints = await Visit.open(url, "retrain"), await Visit.open(url, "score"), []
    await training.choose("Rows", "A CSV, Excel or Parquet file")
    for name, (column, content) in files.items():
        for visit in (training, scoring):
            await visit.upload("file.csv", content)
            complaints += [f"{name}: {message}" for message in visit.exceptions()]
        if training.has("button", "Retrain"):
            complaints.append(f"{name}: can be trained on")
        scored = _SCORED.search(scoring.text)
        n_scored = 48 if column == TARGET.name else 47
        if column and not (scored and scored.groups() == (f"{n_scored}", "48")):
            complaints.append(f"{name}: {scored and scored[0]}, and not {n_scored} of 48")
    await training.close()
    await scoring.close()
    return complaints


def run(url, n, n_mutations):
    """Upload so many of the files to a running server, and read these and random ones here.

    Parameters
    ----------
    url : str
    n, n_mutations : int

    Returns
    -------
    n : int
        Files that were uploaded, to two pages each.
    complaints : list of str
        See `through_the_pages`.
    n_wrong : int
        Rows that were read or scored, and not as they stand in their files.
    """
    everything = bad_cells() | {name: (None, content) for name, content in not_tables().items()}
    chosen = dict(list(everything.items())[:: max(1, len(everything) // n)])
    model = artifact.load(load_rows())
    n_wrong = sum(wrong_scores(model, *each) for each in chosen.values())
    n_wrong += sum(max(0, wrong_rows(content)) for content in mutations(n_mutations))
    return len(chosen), asyncio.run(through_the_pages(url, chosen)), n_wrong
