"""The error for bad rows, files and scenarios, and the collector of a file's problems."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Self


class Problem(str):
    """A problem as a sentence, with its parts for programs: input, value received (or None) and cure."""

    __slots__ = ("cure", "field", "value")
    field: str
    value: object
    cure: str

    def __new__(cls, text: str, field: str, value: object, cure: str) -> Self:
        """Make the sentence and attach its parts."""
        problem = super().__new__(cls, text)
        problem.field, problem.value, problem.cure = field, value, cure
        return problem


class DataError(ValueError):
    """Rows, a file or a scenario that cannot be used, with every problem in it.

    One class for the whole layer, so that a page or a command can show any bad input in the same way.

    Parameters
    ----------
    problems
        Each says where, what was received and what to do about it.
    n_more
        How many more there are.

    Attributes
    ----------
    sheet, sheets
        Of an Excel file: the sheet that was read, and all that can be read.
    """

    SHOWN = 50

    def __init__(self, problems: Iterable[str], n_more: int = 0) -> None:
        self.problems: list[str] = list(problems)
        self.sheet = ""
        self.sheets: list[str] = []
        shown = self.problems[: self.SHOWN]
        n_hidden = len(self.problems) - len(shown) + n_more
        super().__init__("\n".join(shown + ([f"... and {n_hidden:,} more problems."] if n_hidden else [])))


class FileProblem(NamedTuple):
    """A problem in a row of a file; the header is row 1. The column is empty if the whole row is meant."""

    row: int
    column: str
    sentence: str


class FileProblems(list[FileProblem]):
    """The problems of a file: at most ``limit`` of each kind, if there is a limit, and how many more."""

    def __init__(self, limit: int | None = None) -> None:
        super().__init__()
        self.limit, self.n_more = limit, 0

    def add(self, row: int, sentence: str, column: str = "") -> None:
        """Note one problem."""
        self.append(FileProblem(row, column, sentence))

    def add_rows(self, rows: Sequence[int], column: str, describe: Callable[[int], str]) -> None:
        """Note one kind of problem in several rows, in their order; ``describe`` writes the sentence for a row."""
        self.extend(FileProblem(int(row), column, describe(row)) for row in rows[: self.limit])
        self.n_more += len(rows[self.limit :]) if self.limit else 0

    @property
    def is_of_header(self) -> bool:
        """Whether the file as a whole cannot be used: a column is missing or doubled, or there are no rows."""
        return any(problem.row == 1 for problem in self)

    def sentences(self) -> list[str]:
        """The problems by row, each with its row and column; if the header has any, only those."""
        if self.is_of_header:
            return [problem.sentence for problem in self if problem.row == 1]
        return [
            f"row {row}{', ' if column else ''}{column}: {sentence}"
            for row, column, sentence in sorted(self, key=lambda problem: problem.row)
        ]
