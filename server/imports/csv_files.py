"""Reading CSV and other separated text."""

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any, Final

from server.imports.cells import Unreadable, Value
from server.imports.encodings import best_separator, detect_encoding
from server.imports.kinds import FileFormat, Kind
from server.imports.table import HEADER_WITHIN, MAX_COLUMNS, FileRefused, Table, named_rows

MAX_LINE: Final = 1_000_000
"""Characters of one line; a file without line ends is no table."""
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_BLANK: Final = " \u00a0\u3000"


def open_csv(content: bytes, kind: Kind, *, encoding: str | None = None) -> Table:
    """Open separated text.

    Parameters
    ----------
    content : the whole file.
    kind : what it is about.
    encoding : one of `encodings.ENCODINGS` that somebody chose; None to find out.

    Raises
    ------
    FileRefused : `undecodable`, `nul`, `line_too_long`, `cell_too_long`, and those of
        `table.named_rows`; at once for the first lines, else while rows are read.
    """
    name, certain = detect_encoding(content, kind, wanted=encoding)
    separator = _separator(content, name, kind)
    reading: dict[str, Any] = {
        "encoding": name,
        "encoding_certain": certain,
        "separator": separator,
    }
    cells = _cells(csv.reader(_lines(content, name), delimiter=separator))
    rows = named_rows(cells, kind, reading)
    expected = max(content.count(b"\n"), content.count(b"\r")) or None
    return Table(FileFormat.CSV, rows, reading, expected)


def _separator(content: bytes, encoding: str, kind: Kind) -> str:
    first = []
    for line in _lines(content, encoding):
        first.append(line)
        if len(first) == HEADER_WITHIN:
            break
    told = first[0].strip("\r\n") if first else ""
    if len(told) == len("sep=;") and told.casefold().startswith("sep="):
        return told[-1]
    return best_separator(first or [""], kind)[0]


def _lines(content: bytes, encoding: str) -> Iterator[str]:
    """Return decoded lines with their ends, refusing what no table has."""
    number = 0
    with io.TextIOWrapper(io.BytesIO(content), encoding, newline="") as text:
        try:
            for line in text:
                number += 1
                if len(line) > MAX_LINE:
                    raise FileRefused("line_too_long", fields={"line": str(number)})
                if "\x00" in line:
                    raise FileRefused("nul", fields={"line": str(number)})
                yield line
        except UnicodeDecodeError:
            raise FileRefused("undecodable", fields={"line": str(number + 1)}) from None


def _cells(reader: Any) -> Iterator[tuple[int, Sequence[Value]]]:  # noqa: ANN401 - csv names no type
    start = 1
    try:
        for fields in reader:
            yield start, [_value(field) for field in fields[:MAX_COLUMNS]]
            start = reader.line_num + 1
    except csv.Error:
        # In practice a quote that never ends and swallows the rest.
        raise FileRefused("cell_too_long", fields={"line": str(start)}) from None


def _value(field: str) -> Value:
    if field.startswith("'") and is_guarded(field):
        return field[1:]
    if field.lstrip(_BLANK).startswith("="):
        return Unreadable("formula", field)
    return field


def is_guarded(field: str) -> bool:
    """Tell whether the apostrophe before a cell is a guard of ours and not part of it."""
    rest = field[1:]
    return rest.startswith("'") or rest.lstrip(_BLANK).startswith(_FORMULA)


def guarded(text: str) -> str:
    """Return text as a cell that no spreadsheet runs; `_value` takes the guard off again."""
    if text.startswith("'") or text.lstrip(_BLANK).startswith(_FORMULA):
        return f"'{text}"
    return text
