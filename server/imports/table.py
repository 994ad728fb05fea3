"""A file as rows of named cells, whatever it was written in; and the limits of files."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from server.errors import InvalidInput
from server.imports.cells import Value
from server.imports.columns import match_header, required_of
from server.imports.kinds import FileFormat, Kind

MAX_BYTES: Final = 20 * 1024 * 1024
"""Size of a file as it arrives."""
MAX_ROWS: Final = 200_000
"""Rows with something in them."""
MAX_COLUMNS: Final = 64
HEADER_WITHIN: Final = 20
"""Titles and notes above the header may fill so many rows."""


class FileRefused(InvalidInput):
    """A file cannot be read as a whole; `code` says why, `fields` where and what."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its number as people count, and the cells by key; blank ones are absent."""

    no: int
    cells: Mapping[str, Value]


@dataclass(slots=True)
class Table:
    """An opened file.

    Attributes
    ----------
    reading : what people should check: `encoding`, `separator`, `sheet`, `header_row`,
        `columns` used and `unused` ones.
    rows : read while they are asked for; raises `FileRefused` at the place that is bad.
    expected : how many rows there may be, for progress; None when nobody knows.
    """

    format: FileFormat
    rows: Iterator[Row]
    reading: dict[str, Any] = field(default_factory=dict)
    expected: int | None = None


def named_rows(
    lines: Iterator[tuple[int, Sequence[Value]]], kind: Kind, reading: dict[str, Any]
) -> Iterator[Row]:
    """Find the header and return the rows below it.

    The header is the row, among the first twenty, in which most of our columns are named.

    Parameters
    ----------
    lines : number and cells of each line, the first first.
    kind : decides which columns there are.
    reading : filled with where the header was and what it named.

    Raises
    ------
    FileRefused : `file_empty`, `no_header`, `columns_missing`, `column_twice` at once;
        `too_many_rows` while reading.
    """
    head: list[tuple[int, Sequence[Value]]] = []
    for line in lines:
        head.append(line)
        if len(head) == HEADER_WITHIN:
            break
    if not any(_filled(cells) for _no, cells in head):
        raise FileRefused("file_empty")
    matches = [match_header(_texts(cells), kind) for _no, cells in head]
    best = max(range(len(head)), key=lambda i: (len(set(matches[i].values())), -i))
    columns = matches[best]
    _check_columns(columns, kind)
    number, titles = head[best]
    names = _texts(titles)
    reading |= {
        "header_row": number,
        "columns": [[names[at], key] for at, key in columns.items()],
        "unused": [n for at, n in enumerate(names) if n.strip() and at not in columns],
    }
    return _below(head[best + 1 :], lines, columns)


def _below(
    kept: Sequence[tuple[int, Sequence[Value]]],
    lines: Iterator[tuple[int, Sequence[Value]]],
    columns: Mapping[int, str],
) -> Iterator[Row]:
    count = 0
    for source in (iter(kept), lines):
        for number, cells in source:
            named = {
                key: cells[at]
                for at, key in columns.items()
                if at < len(cells) and _says_something(cells[at])
            }
            if not named:
                continue
            count += 1
            if count > MAX_ROWS:
                raise FileRefused("too_many_rows", fields={"limit": str(MAX_ROWS)})
            yield Row(number, named)


def _check_columns(columns: Mapping[int, str], kind: Kind) -> None:
    keys = list(columns.values())
    if not keys:
        raise FileRefused("no_header")
    missing = [key for key in required_of(kind) if key not in keys]
    if missing:
        raise FileRefused("columns_missing", fields={"columns": " ".join(missing)})
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise FileRefused("column_twice", fields={"columns": " ".join(twice)})


def _texts(cells: Sequence[Value]) -> list[str]:
    return [cell if isinstance(cell, str) else "" for cell in cells]


def _filled(cells: Sequence[Value]) -> bool:
    return any(_says_something(cell) for cell in cells)


def _says_something(cell: Value) -> bool:
    return cell is not None and not (isinstance(cell, str) and not cell.strip())
