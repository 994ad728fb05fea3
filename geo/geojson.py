"""Reading a geofence from GeoJSON (RFC 7946), refusing what cannot be meant.

Databases accept much of what is refused here and then answer wrongly: bow-ties with area 0,
spikes, a ring across the antimeridian that covers nothing. So the reader is our own, and
each refusal says why and where.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import shapely

from geo.errors import GeofenceError

MAX_VERTICES: Final = 5_000
MAX_NESTING: Final = 4
MIN_RING_POSITIONS: Final = 4

_WGS84_NAMES: Final = re.compile(r"(CRS:?84|EPSG:+4326)$", re.IGNORECASE)
_INVALID: Final = re.compile(r"^(?P<reason>[^\[]+)(\[(?P<x>\S+) (?P<y>\S+)\])?")
_CODES: Final = {
    "Self-intersection": "self_intersection",
    "Ring Self-intersection": "self_intersection",
    "Hole lies outside shell": "hole_outside",
    "Holes are nested": "nested_holes",
    "Nested shells": "overlap",
    "Duplicate Rings": "overlap",
    "Interior is disconnected": "self_intersection",
    "Too few points in geometry component": "too_few_points",
}


@dataclass(frozen=True, slots=True)
class CircleShape:
    """Centre in degrees and radius in metres, not yet judged."""

    lon_deg: float
    lat_deg: float
    radius_m: float


@dataclass(frozen=True, slots=True)
class PolygonShape:
    """Valid areas in degrees whose longitudes run on past 180 where they cross it."""

    unwrapped: shapely.Polygon | shapely.MultiPolygon


def read_shape(document: object) -> CircleShape | PolygonShape:
    """Read one geofence shape from parsed GeoJSON.

    Accepts a geometry, a Feature or a FeatureCollection: one Point with ``radius_m`` (member
    or property), or Polygons and MultiPolygons, which together are one area. Positions are
    WGS-84 ``[lon, lat]``.

    Raises
    ------
    GeofenceError : with a code of `geo.geofence.REFUSALS` and, when there is one, the place.
    """
    points, polygons = _collect(document, {}, 0)
    if points and (polygons or len(points) > 1):
        raise GeofenceError("unsupported_geometry", "a geofence is one circle or some polygons")
    if points:
        return points[0]
    if not polygons:
        raise GeofenceError("empty", "there is no shape in it")
    if sum(len(ring) for rings in polygons for ring in rings) > MAX_VERTICES:
        raise GeofenceError("too_many_vertices", f"more than {MAX_VERTICES} vertices")
    return PolygonShape(_assemble([_polygon(rings) for rings in polygons]))


_Rings = list[list[tuple[float, float]]]


def _collect(
    node: object, properties: Mapping[str, object], depth: int
) -> tuple[list[CircleShape], list[_Rings]]:
    if not isinstance(node, Mapping) or depth > MAX_NESTING:
        raise GeofenceError("not_geojson", "not a GeoJSON object")
    _check_crs(node)
    kind = node.get("type")
    if kind == "FeatureCollection":
        return _merge([_collect(f, {}, depth + 1) for f in _list(node.get("features"))])
    if kind == "Feature":
        inner = node.get("properties")
        return _collect(
            node.get("geometry"), inner if isinstance(inner, Mapping) else {}, depth + 1
        )
    if kind == "Point":
        lon, lat = _position(node.get("coordinates"))
        radius = node.get("radius_m", properties.get("radius_m"))
        return [CircleShape(lon, lat, _radius(radius))], []
    if kind == "Polygon":
        return [], [_rings(node.get("coordinates"))]
    if kind == "MultiPolygon":
        return [], [_rings(part) for part in _list(node.get("coordinates"))]
    raise GeofenceError("unsupported_geometry", f"a geofence cannot be a {str(kind)[:40]}")


def _merge(
    parts: Sequence[tuple[list[CircleShape], list[_Rings]]],
) -> tuple[list[CircleShape], list[_Rings]]:
    return [p for points, _ in parts for p in points], [r for _, rings in parts for r in rings]


def _check_crs(node: Mapping[str, object]) -> None:
    """Refuse another reference system; the old member may only repeat what is always so."""
    crs = node.get("crs")
    if crs is None:
        return
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    if not (isinstance(name, str) and _WGS84_NAMES.search(name)):
        raise GeofenceError("crs_refused", "coordinates have to be WGS-84 longitude and latitude")


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise GeofenceError("not_geojson", "a list is missing")
    return value


def _position(value: object) -> tuple[float, float]:
    pair = _list(value)
    if len(pair) > 2:  # longitude and latitude
        raise GeofenceError("dimensions", "a position has two numbers, no height")
    numbers = [float(v) for v in pair if isinstance(v, (int, float)) and not isinstance(v, bool)]
    if len(numbers) != len(pair) or len(numbers) != 2:  # as above
        raise GeofenceError("not_geojson", "a position has to be [longitude, latitude]")
    lon, lat = numbers
    if not (math.isfinite(lon) and math.isfinite(lat)):
        raise GeofenceError("not_finite", "a coordinate is not a finite number")
    if not (-180.0 <= lon <= 180.0 and -90.0 <= lat <= 90.0):
        hint = "; are longitude and latitude swapped?" if abs(lat) > 90.0 >= abs(lon) else ""
        raise GeofenceError("out_of_range", f"[{lon}, {lat}] is not on Earth{hint}")
    return lon, lat


def _radius(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise GeofenceError("radius_missing", "a Point needs radius_m in metres")
    return float(value)


def _rings(value: object) -> _Rings:
    rings = [[_position(p) for p in _list(ring)] for ring in _list(value)]
    if not rings:
        raise GeofenceError("empty", "a polygon without a ring")
    for ring in rings:
        if len(ring) < MIN_RING_POSITIONS:
            raise GeofenceError(
                "too_few_points", "a ring needs four positions", ring[0] if ring else None
            )
        if ring[0] != ring[-1]:
            raise GeofenceError("unclosed_ring", "a ring has to end where it starts", ring[-1])
    return rings


def _polygon(rings: _Rings) -> shapely.Polygon:
    shell = _unwrap(rings[0])
    middle = (min(x for x, _ in shell) + max(x for x, _ in shell)) / 2.0
    holes = [_near(_unwrap(ring), middle) for ring in rings[1:]]
    polygon = shapely.Polygon(shell, holes)
    _refuse_invalid(polygon)
    return polygon


def _unwrap(ring: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Let longitudes run on where a ring crosses the antimeridian: it stays in one piece."""
    unwrapped = [ring[0]]
    for lon, lat in ring[1:]:
        turns = round((unwrapped[-1][0] - lon) / 360.0)
        unwrapped.append((lon + 360.0 * turns, lat))
    if unwrapped[0] != unwrapped[-1]:
        raise GeofenceError("encloses_pole", "a ring goes round a pole", ring[0])
    return unwrapped


def _near(ring: list[tuple[float, float]], middle_deg: float) -> list[tuple[float, float]]:
    centre = (min(x for x, _ in ring) + max(x for x, _ in ring)) / 2.0
    shift = 360.0 * round((middle_deg - centre) / 360.0)
    return [(lon + shift, lat) for lon, lat in ring]


def _assemble(polygons: list[shapely.Polygon]) -> shapely.Polygon | shapely.MultiPolygon:
    if len(polygons) == 1:
        return polygons[0]
    # Parts cut at the antimeridian, as the standard asks, are put together again.
    if any(p.bounds[2] == 180.0 for p in polygons) and any(p.bounds[0] == -180.0 for p in polygons):
        moved = [
            shapely.transform(p, lambda xy: xy + np.array([360.0, 0.0])) if p.bounds[2] <= 0 else p
            for p in polygons
        ]
        joined = shapely.union_all(moved)
        if isinstance(joined, (shapely.Polygon, shapely.MultiPolygon)):
            _refuse_invalid(joined)
            return joined
    area = shapely.MultiPolygon(polygons)
    _refuse_invalid(area)
    return area


def _refuse_invalid(area: shapely.Polygon | shapely.MultiPolygon) -> None:
    if area.is_valid:
        return
    found = _INVALID.match(shapely.is_valid_reason(area))
    assert found is not None
    reason = found["reason"].strip()
    code = _CODES.get(reason, "invalid")
    if shapely.convex_hull(area).area == 0.0:
        code, reason = "zero_area", "the shape has no area"
    point = None
    if found["x"]:
        lon = (float(found["x"]) + 180.0) % 360.0 - 180.0
        point = (lon, float(found["y"]))
    raise GeofenceError(code, reason, point)
