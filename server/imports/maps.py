"""Reading GeoJSON and KML: a feature is a row, its shape a cell of it."""

import io
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from server.imports.cells import Unreadable, Value
from server.imports.columns import match_header
from server.imports.kinds import FileFormat, Kind
from server.imports.table import FileRefused, Row, Table

MAX_FEATURES: Final = 20_000
MAX_MAP_BYTES: Final = 8 * 1024 * 1024
"""Maps are held in memory as a whole, at ten times their size."""
_MAX_DEPTH: Final = 64
_SKIPPED: Final = frozenset({"styleUrl", "open", "visibility", "Snippet"})


def open_geojson(content: bytes, kind: Kind) -> Table:
    """Open a FeatureCollection (or one Feature); properties are cells, WGS-84 degrees.

    Raises
    ------
    FileRefused : `map_too_large`, `not_geojson`, `too_many_rows`, `no_features`.
    """
    _check_size(content)
    try:
        document = json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise FileRefused("not_geojson") from None
    if not isinstance(document, dict):
        raise FileRefused("not_geojson")
    features = (
        document.get("features") if document.get("type") == "FeatureCollection" else [document]
    )
    if not isinstance(features, list):
        raise FileRefused("not_geojson")
    crs = document.get("crs")
    rows = []
    for number, feature in enumerate(features, start=1):
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            raise FileRefused("not_geojson", fields={"line": str(number)})
        properties = feature.get("properties") or {}
        if not isinstance(properties, dict):
            raise FileRefused("not_geojson", fields={"line": str(number)})
        shape = feature.get("geometry")
        if isinstance(shape, dict) and isinstance(crs, dict):
            shape = {**shape, "crs": crs}
        rows.append((number, {str(k): _json_value(v) for k, v in properties.items()}, shape))
    return _table(FileFormat.GEOJSON, rows, kind)


def open_kml(content: bytes, kind: Kind) -> Table:
    """Open the placemarks of a KML document: points, polygons and groups of polygons.

    KML is WGS-84 by its standard; heights are left out.

    Raises
    ------
    FileRefused : `map_too_large`, `not_kml`, `xml_entities`, `too_many_rows`, `no_features`.
    """
    _check_size(content)
    rows: list[tuple[int, dict[str, Value], object]] = []
    depth = 0
    try:
        for event, element in iterparse(
            io.BytesIO(content), events=("start", "end"), forbid_dtd=True
        ):
            depth += 1 if event == "start" else -1
            if depth > _MAX_DEPTH:
                raise FileRefused("not_kml")
            if event == "end" and _local(element) == "Placemark":
                rows.append((len(rows) + 1, _placemark_cells(element), _placemark_shape(element)))
                element.clear()
    except DefusedXmlException:
        raise FileRefused("xml_entities") from None
    except (ParseError, ValueError):
        raise FileRefused("not_kml") from None
    return _table(FileFormat.KML, rows, kind)


def _check_size(content: bytes) -> None:
    if len(content) > MAX_MAP_BYTES:
        raise FileRefused("map_too_large", fields={"limit": str(MAX_MAP_BYTES // 1024 // 1024)})


def _table(
    written: FileFormat, rows: list[tuple[int, dict[str, Value], object]], kind: Kind
) -> Table:
    if not rows:
        raise FileRefused("no_features")
    if len(rows) > MAX_FEATURES:
        raise FileRefused("too_many_rows", fields={"limit": str(MAX_FEATURES)})
    titles = list(dict.fromkeys(title for _no, cells, _shape in rows for title in cells))
    columns = match_header(titles, kind)
    names = {titles[at]: key for at, key in columns.items()}
    reading = {
        "columns": [[title, key] for title, key in names.items()],
        "unused": [title for title in titles if title not in names],
    }
    return Table(written, _rows(rows, names), reading, len(rows))


def _rows(
    rows: list[tuple[int, dict[str, Value], object]], names: Mapping[str, str]
) -> Iterator[Row]:
    for number, found, shape in rows:
        cells: dict[str, Value] = {}
        for title, value in found.items():
            if title in names and value not in (None, ""):
                cells.setdefault(names[title], value)
        if shape is not None:
            cells["geometry"] = json.dumps(shape)
        yield Row(number, cells)


def _json_value(value: object) -> Value:
    if value is None or isinstance(value, (str, int, float)):
        return value
    return Unreadable("nested", json.dumps(value)[:60])


def _no_constant(name: str) -> float:
    raise ValueError(name)


def _local(element: Element) -> str:
    return element.tag.rpartition("}")[2]


def _placemark_cells(placemark: Element) -> dict[str, Value]:
    cells: dict[str, Value] = {}
    for child in placemark:
        name = _local(child)
        if name in {"name", "address", "description"} and child.text:
            cells[name] = child.text.strip()
    for data in placemark.iter():
        if _local(data) == "Data":
            values = [c.text or "" for c in data if _local(c) == "value"]
            cells[data.get("name", "")] = values[0].strip() if values else None
        elif _local(data) == "SimpleData":
            cells[data.get("name", "")] = (data.text or "").strip()
    return cells


def _placemark_shape(placemark: Element) -> dict[str, Any] | None:
    polygons = [_polygon(e) for e in placemark.iter() if _local(e) == "Polygon"]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    if polygons:
        return {"type": "MultiPolygon", "coordinates": polygons}
    for element in placemark.iter():
        kind = _local(element)
        if kind == "Point":
            points = _positions(element)
            return {"type": "Point", "coordinates": points[0]} if points else None
        if kind in {"LineString", "Track", "Model"}:
            return {"type": "LineString", "coordinates": []}
    return None


def _polygon(polygon: Element) -> list[list[list[float]]]:
    outer, inner = [], []
    for boundary in polygon:
        if _local(boundary) == "outerBoundaryIs":
            outer.append(_positions(boundary))
        elif _local(boundary) == "innerBoundaryIs":
            inner.append(_positions(boundary))
    return [*outer, *inner]


def _positions(element: Element) -> list[list[float]]:
    for found in element.iter():
        if _local(found) == "coordinates":
            positions = [[float(n) for n in place.split(",")[:2]] for place in _places(found.text)]
            # Some programs repeat a corner; the standard says nothing against it.
            return positions[:1] + [b for a, b in pairwise(positions) if a != b]
    return []


def _places(text: str | None) -> list[str]:
    return (text or "").replace(", ", ",").split()
