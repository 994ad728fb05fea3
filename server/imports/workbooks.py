"""Reading XLSX workbooks without trusting anything in them."""

import io
import re
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, Final

from defusedxml.common import DefusedXmlException
from openpyxl import load_workbook
from openpyxl.cell.read_only import EmptyCell, ReadOnlyCell
from openpyxl.utils.exceptions import InvalidFileException

from server.imports.cells import Unreadable, Value
from server.imports.columns import match_header
from server.imports.kinds import FileFormat, Kind
from server.imports.table import HEADER_WITHIN, MAX_COLUMNS, FileRefused, Table, named_rows

MAX_UNPACKED: Final = 256 * 1024 * 1024
MAX_STRINGS: Final = 96 * 1024 * 1024
"""Texts of a workbook are held in memory while it is read."""
MAX_TREE: Final = 16 * 1024 * 1024
MAX_RATIO: Final = 200
"""Tables pack about tenfold, the same row over and over up to a hundredfold."""
_SUSPICIOUS_FROM: Final = 16 * 1024 * 1024
MAX_PARTS: Final = 500
_LAST_ROW: Final = 1_048_576
_BROKEN: Final = (
    *(zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, TypeError, AttributeError),
    *(IndexError, EOFError, OSError, SyntaxError, AssertionError, NotImplementedError),
    *(RuntimeError, zipfile.LargeZipFile, OverflowError),
)
"""What a library raises on parts that contradict each other; SyntaxError is XML's ParseError."""
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")


def open_workbook(content: bytes, kind: Kind) -> Table:
    """Open a workbook: the first visible sheet in which columns of ours are named.

    Formulas are not computed: a cell that holds one is refused with its row.

    Raises
    ------
    FileRefused : `not_xlsx`, `macros`, `encrypted`, `zip_bomb`, `xml_entities`,
        `no_visible_sheet`, and those of `table.named_rows`.
    """
    _inspect(content)
    try:
        with warnings.catch_warnings():
            # What openpyxl warns of (styles, extensions) has nothing to do with values.
            warnings.simplefilter("ignore")
            book = load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
    except _BROKEN as error:
        raise _refused(error) from None
    sheets: list[Any] = [s for s in book.worksheets if s.sheet_state == "visible"]
    if not sheets:
        book.close()
        raise FileRefused("no_visible_sheet")
    promised: dict[str, Any] = {sheet.title: sheet.max_row for sheet in sheets}
    chosen = max(sheets, key=lambda sheet: _named(sheet, kind))
    expected = promised[chosen.title]
    reading: dict[str, Any] = {"sheet": chosen.title}
    if len(sheets) > 1:
        reading["other_sheets"] = [s.title for s in sheets if s is not chosen]
    rows = named_rows(_lines(chosen, book), kind, reading)
    return Table(FileFormat.XLSX, rows, reading, None if expected is None else expected - 1)


def _inspect(content: bytes) -> None:
    """Refuse by the directory of the archive, before anything is unpacked.

    The sizes it tells bind: the standard library unpacks no byte more than promised.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            parts = archive.infolist()
    except _BROKEN:
        raise FileRefused("not_xlsx") from None
    names = {part.filename.casefold() for part in parts}
    if any(part.flag_bits & 0x1 for part in parts):
        raise FileRefused("encrypted")
    if any(name.endswith("vbaproject.bin") for name in names):
        raise FileRefused("macros")
    if not any(name.endswith("xl/workbook.xml") for name in names):
        raise FileRefused("not_xlsx")
    if len(parts) > MAX_PARTS or len(names) < len(parts):
        raise FileRefused("zip_bomb")
    if sum(part.file_size for part in parts) > MAX_UNPACKED:
        raise FileRefused("zip_bomb")
    for part in parts:
        if part.file_size > _SUSPICIOUS_FROM and (
            part.file_size > MAX_RATIO * max(part.compress_size, 1)
        ):
            raise FileRefused("zip_bomb")
        if part.file_size > _most_of(part.filename.casefold()):
            raise FileRefused("zip_bomb")


def _most_of(name: str) -> int:
    """Return how large a part may be: sheets are streamed, all else is held as a tree."""
    if "sharedstrings" in name:
        return MAX_STRINGS
    if "worksheets/" in name or not name.endswith((".xml", ".rels")):
        return MAX_UNPACKED
    return MAX_TREE


def _named(sheet: Any, kind: Kind) -> int:  # noqa: ANN401 - openpyxl has several kinds of sheets
    try:
        sheet.reset_dimensions()
        rows = sheet.iter_rows(max_row=HEADER_WITHIN, max_col=MAX_COLUMNS, values_only=True)
        return max(
            (len(set(match_header([str(c or "") for c in row], kind).values())) for row in rows),
            default=0,
        )
    except _BROKEN as error:
        if _refused(error).code == "xml_entities":
            raise _refused(error) from None
        return 0


def _lines(sheet: Any, book: Any) -> Iterator[tuple[int, Sequence[Value]]]:  # noqa: ANN401
    before: object = None
    try:
        for number, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS), start=1):
            _check_number(number)
            if row is before:
                # The library gives one object for all rows of a gap, which may be a million.
                continue
            before = row
            yield number, [_value(cell) for cell in row]
    except FileRefused:
        raise
    except _BROKEN as error:
        raise _refused(error) from None
    finally:
        book.close()


def _refused(error: BaseException) -> FileRefused:
    """Return why a workbook is refused; the library wraps what the XML reader said."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, DefusedXmlException):
            return FileRefused("xml_entities")
        cause = cause.__cause__ or cause.__context__
    return FileRefused("not_xlsx")


def _check_number(number: int) -> None:
    if number > _LAST_ROW:
        raise FileRefused("too_many_rows", fields={"limit": str(_LAST_ROW)})


def _value(cell: ReadOnlyCell | EmptyCell) -> Value:
    found: Any = cell.value
    if found is None:
        return None
    if cell.data_type == "f":
        return Unreadable("formula", str(found))
    if cell.data_type == "e":
        return Unreadable("cell_error", str(found))
    if isinstance(found, str):
        return unescaped(found)
    if hasattr(found, "total_seconds"):
        return Unreadable("duration", str(found))
    assert found is None or isinstance(found, (int, float)) or hasattr(found, "isoformat")
    return found  # type: ignore[no-any-return]


def unescaped(text: str) -> str:
    """Return text with `_x000D_` and the like, as the format writes them, put back."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "_x" in text else text
