"""A spreadsheet saved as CSV: its lines as cells by column, and what could not be read."""

import csv
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from sos.members.member import fold


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that a person should look at: the line of the file, the column, and a key that says why."""

    line: int
    column: str
    key: str
    facts: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Table:
    """The filled cells of each line by column; lines that are wholly empty are left out."""

    lines: tuple[tuple[int, dict[str, str]], ...] = ()
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def read_table(raw: bytes | str, columns: Collection[str], required: Collection[str]) -> Table:
    """Cells by column; headings may be in any order and case, columns divided by commas, semicolons or tabs."""
    try:
        text = raw.decode("utf-8-sig") if isinstance(raw, bytes) else raw.removeprefix("\ufeff")
    except UnicodeDecodeError as wrong:
        line = wrong.object.count(b"\n", 0, wrong.start) + 1
        return Table(problems=(Problem(line, "", "import.file.not_utf8"),))
    lines = _Lines(text)
    header, remarks = _read_header(next(iter(lines), (1, []))[1], columns)
    missing = tuple(Problem(1, column, "import.column.missing") for column in required if column not in header)
    if missing:
        return Table(problems=missing, remarks=remarks)
    read = [(number, cells) for number, cells in lines if any(cells)]
    too_long = [Problem(number, "", "import.file.unreadable") for number, cells in read if any(cells[len(header) :])]
    spoilt = {problem.line for problem in too_long}
    good = tuple((number, _by_column(header, cells)) for number, cells in read if number not in spoilt)
    return Table(good, (*too_long, *lines.problems), remarks)


class _Lines:
    """The lines of a CSV text with their numbers; where quotes go astray the reading ends with a problem."""

    def __init__(self, text: str) -> None:
        first = text.partition("\n")[0]
        delimiter = max(",;\t", key=first.count)
        self._reader = csv.reader(text.splitlines(keepends=True), delimiter=delimiter, strict=True)
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[tuple[int, list[str]]]:
        while True:
            number = self._reader.line_num + 1
            try:
                cells = next(self._reader)
            except StopIteration:
                return
            except csv.Error:
                self.problems.append(Problem(number, "", "import.file.unreadable"))
                return
            yield number, [cell.strip() for cell in cells]


def _read_header(cells: list[str], columns: Collection[str]) -> tuple[list[str], tuple[Problem, ...]]:
    """Our name for each column of the file, or "" for one that is unknown or stands there twice."""
    known = {fold(column): column for column in columns}
    header: list[str] = []
    for cell in cells:
        column = known.get(fold(cell), "")
        header.append(column if column not in header else "")
    strange = [cell for cell, column in zip(cells, header, strict=True) if cell and not column]
    return header, tuple(Problem(1, cell, "import.column.unknown") for cell in strange)


def _by_column(header: list[str], cells: list[str]) -> dict[str, str]:
    return {column: cell for column, cell in zip(header, cells, strict=False) if column and cell}
