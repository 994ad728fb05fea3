"""Coordinates of files: their datum, and longitude and latitude in each other's place."""

import json
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from geo.crs import Datum, convert
from server.errors import InvalidInput
from server.imports.cells import BadCell, Value, number_of, text_of
from server.imports.planning import Options, Reader, Task
from server.imports.table import Row
from server.posts.queries import extent_of_posts
from server.sites.queries import extent_of_sites
from server.sites.rules import check_position

Box: TypeAlias = tuple[float, float, float, float]
"""West, south, east, north in degrees."""
_AROUND_DEG: Final = 2.0
"""Places of one organisation lie this near to those it has already, or are new ground."""
_MAX_PARTS: Final = 20
_MAX_DEPTH: Final = 8


class Places:
    """Reads positions and shapes of one file and brings them to WGS-84."""

    def __init__(self, options: Options, extent: Box | None) -> None:
        self._options = options
        self._extent = extent

    @classmethod
    def of(cls, task: Task) -> "Places":
        """Return a reader that knows where the tenant's places are. Two statements."""
        boxes = [
            box
            for box in (
                extent_of_posts(task.session, tenant_id=task.tenant_id),
                extent_of_sites(task.session, tenant_id=task.tenant_id),
            )
            if box is not None
        ]
        extent = None
        if boxes:
            west, south, east, north = zip(*boxes, strict=True)
            extent = (min(west), min(south), max(east), max(north))
        return cls(task.options, extent)

    def position(self, reader: Reader) -> tuple[float, float] | None:
        """Return the position of a row from `lon` and `lat` or a Point; None without one.

        What is wrong is noted in the reader: `position_incomplete`, `out_of_range`,
        `null_island`, `swapped` (a question), `not_geojson`, `shape_not_point`.
        """
        if reader.has("geometry"):
            return reader.read("geometry", self._point)
        lon, lat = reader.read("lon", number_of), reader.read("lat", number_of)
        if reader.has("lon") != reader.has("lat"):
            reader.refuse("lat" if reader.has("lon") else "lon", "position_incomplete")
            return None
        if lon is None or lat is None:
            return None
        try:
            return self.placed(lon, lat)
        except BadCell as bad:
            reader.refuse("lon", bad.code, **bad.params)
            return None

    def placed(self, lon_deg: float, lat_deg: float) -> tuple[float, float]:
        """Return a position as WGS-84 longitude and latitude.

        Raises
        ------
        BadCell : `swapped`, `not_finite`, `out_of_range`, `null_island`.
        """
        if self._options.axes == "swap":
            lon_deg, lat_deg = lat_deg, lon_deg
        if self._options.axes != "keep" and self._looks_swapped(lon_deg, lat_deg):
            raise BadCell("swapped", lon=f"{lon_deg:.6g}", lat=f"{lat_deg:.6g}")
        try:
            check_position(lon_deg, lat_deg)
        except InvalidInput as refused:
            raise BadCell(refused.code, lon=f"{lon_deg:.6g}", lat=f"{lat_deg:.6g}") from None
        if self._options.datum is Datum.WGS84:
            return lon_deg, lat_deg
        lons, lats = convert([lon_deg], [lat_deg], source=self._options.datum, target=Datum.WGS84)
        return float(lons[0]), float(lats[0])

    def shape(self, text: str) -> dict[str, Any]:
        """Return a GeoJSON geometry in WGS-84 from its text; `geo` judges it as a fence.

        Raises
        ------
        BadCell : `not_geojson`, and those of `placed`.
        """
        document = _json(text)
        if document.get("type") == "Feature" and isinstance(document.get("geometry"), dict):
            document = document["geometry"]
        return _moved(document, self.placed)

    def _point(self, value: Value) -> tuple[float, float] | None:
        text = text_of(value, longest=10_000_000)
        if text is None:
            return None
        shape = _json(text)
        if shape.get("type") != "Point":
            raise BadCell("shape_not_point", text=str(shape.get("type"))[:20])
        lon, lat = _moved(shape, self.placed)["coordinates"]
        return lon, lat

    def _looks_swapped(self, lon_deg: float, lat_deg: float) -> bool:
        if abs(lat_deg) > 90.0:
            return abs(lat_deg) <= 180.0 and abs(lon_deg) <= 90.0
        if self._extent is None or abs(lon_deg) > 90.0:
            return False
        return _near(self._extent, lat_deg, lon_deg) and not _near(self._extent, lon_deg, lat_deg)


def geometry_text(row: Row) -> Value:
    """Return the text of a geometry, put together from its parts; None without one."""
    first = row.cells.get("geometry")
    if not isinstance(first, str):
        return first
    parts = [first]
    for number in range(2, _MAX_PARTS + 1):
        part = row.cells.get(f"geometry:{number}")
        if not isinstance(part, str):
            break
        parts.append(part)
    return "".join(parts)


def _near(box: Box, lon_deg: float, lat_deg: float) -> bool:
    west, south, east, north = box
    return (
        west - _AROUND_DEG <= lon_deg <= east + _AROUND_DEG
        and south - _AROUND_DEG <= lat_deg <= north + _AROUND_DEG
    )


def _json(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise BadCell("not_geojson") from None
    if not isinstance(document, dict):
        raise BadCell("not_geojson")
    return document


def _moved(
    shape: dict[str, Any], placed: Callable[[float, float], tuple[float, float]]
) -> dict[str, Any]:
    return {**shape, "coordinates": _moved_list(shape.get("coordinates"), placed, 0)}


def _moved_list(
    node: object, placed: Callable[[float, float], tuple[float, float]], depth: int
) -> list[Any]:
    if not isinstance(node, list) or depth > _MAX_DEPTH:
        raise BadCell("not_geojson")
    if node and all(isinstance(n, (int, float)) and not isinstance(n, bool) for n in node):
        if len(node) < 2:
            raise BadCell("not_geojson")
        # Heights say nothing about a fence; map programs write them everywhere.
        lon, lat = node[0], node[1]
        return list(placed(float(lon), float(lat)))
    return [_moved_list(child, placed, depth + 1) for child in node]
