"""Writing files that spreadsheets and maps open, that run nothing there, and that come back."""

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Any, Final
from xml.etree.ElementTree import Element, SubElement, tostring

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from server.errors import InvalidInput
from server.imports.columns import COLUMNS, header_of
from server.imports.csv_files import guarded
from server.imports.exports import Cells
from server.imports.kinds import FileFormat, Kind

MEDIA_TYPES: Final = {
    FileFormat.CSV: "text/csv",
    FileFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    FileFormat.GEOJSON: "application/geo+json",
    FileFormat.KML: "application/vnd.google-earth.kml+xml",
}
_PART: Final = 30_000
"""Characters of a geometry that go into one cell; the rest goes on in further columns."""
_MOST_PARTS: Final = 20
_LONGEST: Final = 32_767
_FIRST_DATE: Final = date(1901, 1, 1)
"""Spreadsheets count days from 1900 and do it wrongly at first."""
_NEEDS_ESCAPE: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)|[\x00-\x08\x0b-\x1f\ufffe\uffff]")
_NO_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FORBIDDEN_IN_TITLE: Final = re.compile(r"[\[\]:*?/\\]")
_KML: Final = "http://www.opengis.net/kml/2.2"


def write_file(kind: Kind, written: FileFormat, rows: Iterable[Cells], *, locale: str) -> bytes:
    """Return rows as a file with the header of a language.

    Parameters
    ----------
    rows : from `exports.export_rows`; none gives an empty file to fill in.
    written : one of `opening.FORMATS` of the kind.
    locale : `zh` or `en`.

    Raises
    ------
    InvalidInput : `too_long_for_workbook` when a text is longer than a cell can hold.
    """
    if written is FileFormat.GEOJSON:
        return _geojson(rows)
    if written is FileFormat.KML:
        return _kml(rows)
    keys = [column.key for column in COLUMNS[kind]]
    header = header_of(kind, locale)
    if "geometry" in keys:
        rows = list(rows)
        extra = max((_parts(row.get("geometry")) for row in rows), default=1)
        header += [f"{header[-1]} {number}" for number in range(2, extra + 1)]
    lines = (_line(keys, row) for row in rows)
    if written is FileFormat.XLSX:
        return workbook_of(header, lines, title=kind.value)
    return csv_of(header, lines)


def csv_of(header: Sequence[str], lines: Iterable[Sequence[object]]) -> bytes:
    """Return lines as CSV in UTF-8 with a mark, which Excel needs for Chinese.

    A cell that a spreadsheet would run gets an apostrophe, which our import takes off.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    writer.writerows([_csv_cell(value) for value in line] for line in lines)
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()


def workbook_of(
    header: Sequence[str], lines: Iterable[Sequence[object]], *, title: str = "export"
) -> bytes:
    """Return lines as an XLSX workbook of one sheet; texts are texts, dates are dates.

    Raises
    ------
    InvalidInput : `too_long_for_workbook`.
    """
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_FORBIDDEN_IN_TITLE.sub(" ", title)[:31])
    sheet.freeze_panes = "A2"
    for index in range(len(header)):
        sheet.column_dimensions[chr(ord("A") + index) if index < 26 else "AA"].width = 20
    sheet.append([_workbook_cell(sheet, text) for text in header])
    for line in lines:
        sheet.append([_workbook_cell(sheet, value) for value in line])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def escaped(text: str) -> str:
    """Return text as the format keeps characters that XML cannot: `_x000D_` and the like."""
    return _NEEDS_ESCAPE.sub(lambda found: f"_x{ord(found[0]):04X}_", text)


def _line(keys: Sequence[str], row: Cells) -> list[object]:
    values = [row.get(key) for key in keys]
    if keys[-1] != "geometry":
        return values
    text = _geometry(values[-1])
    if text is None:
        return values
    return values[:-1] + [text[at : at + _PART] for at in range(0, len(text), _PART)]


def _parts(shape: object) -> int:
    text = _geometry(shape)
    parts = 1 if text is None else -(-len(text) // _PART)
    if parts > _MOST_PARTS:
        raise InvalidInput("too_long_for_workbook", fields={"column": "geometry"})
    return parts


def _geometry(shape: object) -> str | None:
    return None if shape is None else json.dumps(shape, separators=(",", ":"))


def _csv_cell(value: object) -> object:
    if isinstance(value, str):
        return guarded(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    return "" if value is None else value


def _workbook_cell(sheet: Any, value: object) -> object:  # noqa: ANN401 - openpyxl's sheet
    if isinstance(value, datetime):
        # Workbooks know no zones: an instant is written out with its own.
        value = value.isoformat(" ", "seconds") if value.tzinfo else value
    elif isinstance(value, date) and value < _FIRST_DATE:
        return value.isoformat()
    elif value is not None and not isinstance(value, (str, int, float, date)):
        value = str(value)
    if isinstance(value, float) and not value.is_integer():
        # The library writes 16 digits, one too few to bring every number back.
        exact = WriteOnlyCell(sheet, value=repr(value))
        exact.data_type = "n"
        return exact
    if not isinstance(value, str):
        return value
    text = escaped(value)
    if len(text) > _LONGEST:
        raise InvalidInput("too_long_for_workbook", fields={"text": value[:40]})
    if not text.startswith("="):
        return text
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    # Keeps the text a text also when it is edited or saved as CSV.
    cell.quotePrefix = True
    return cell


def _geojson(rows: Iterable[Cells]) -> bytes:
    features = [
        {"type": "Feature", "geometry": shape, "properties": properties}
        for properties, shape in map(_split, rows)
    ]
    document = {"type": "FeatureCollection", "features": features}
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=1).encode()


def _kml(rows: Iterable[Cells]) -> bytes:
    root = Element("kml", xmlns=_KML)
    document = SubElement(root, "Document")
    for properties, shape in map(_split, rows):
        placemark = SubElement(document, "Placemark")
        _text(placemark, "name", properties.pop("name"))
        extended = SubElement(placemark, "ExtendedData")
        for key, value in properties.items():
            _text(SubElement(extended, "Data", name=key), "value", value)
        if shape is not None:
            _kml_shape(placemark, shape)
    body: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + body


def _split(row: Cells) -> tuple[dict[str, Any], dict[str, Any] | None]:
    properties = {
        key: value.isoformat() if isinstance(value, date) else value
        for key, value in row.items()
        if key not in {"lon", "lat", "geometry"} and value is not None
    }
    shape = row.get("geometry")
    if shape is None and row.get("lon") is not None:
        shape = {"type": "Point", "coordinates": [row["lon"], row["lat"]]}
    return properties, shape


def _text(parent: Element, tag: str, value: object) -> None:
    SubElement(parent, tag).text = _NO_XML.sub("\ufffd", str(value))


def _kml_shape(placemark: Element, shape: dict[str, Any]) -> None:
    coordinates = shape["coordinates"]
    if shape["type"] == "Point":
        _text(SubElement(placemark, "Point"), "coordinates", _place(coordinates))
    elif shape["type"] == "Polygon":
        _kml_polygon(placemark, coordinates)
    else:
        group = SubElement(placemark, "MultiGeometry")
        for polygon in coordinates:
            _kml_polygon(group, polygon)


def _kml_polygon(parent: Element, rings: list[list[list[float]]]) -> None:
    polygon = SubElement(parent, "Polygon")
    for tag, ring in zip(_boundaries(), rings, strict=False):
        linear = SubElement(SubElement(polygon, tag), "LinearRing")
        _text(linear, "coordinates", " ".join(map(_place, ring)))


def _boundaries() -> Iterator[str]:
    yield "outerBoundaryIs"
    while True:
        yield "innerBoundaryIs"


def _place(position: Sequence[float]) -> str:
    return f"{position[0]!r},{position[1]!r}"
