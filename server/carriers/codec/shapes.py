"""Shapes of MLP as a point with the radius that holds all of the shape."""

import math
from dataclasses import dataclass
from typing import Final

from geo.distance import geodesic_m
from server.carriers.codec.angles import latitude_deg, longitude_deg
from server.carriers.codec.xml_tree import Element, Malformed

_UNITS_M: Final = {
    "": 1.0,
    "m": 1.0,
    "meter": 1.0,
    "meters": 1.0,
    "metre": 1.0,
    "metres": 1.0,
    "km": 1000.0,
    "kilometer": 1000.0,
    "kilometre": 1000.0,
}
_CORNERS: Final = ("LineString", "Polygon", "Box", "LinearRing")
_MANY: Final = ("MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
_ROUND: Final = ("CircularArea", "CircularArcArea", "EllipticalArea")
NAMES: Final = ("Point", *_ROUND, *_CORNERS, *_MANY)
_MAX_RADIUS_M: Final = 1_000_000.0
_SURE: Final = 0.95


@dataclass(frozen=True, slots=True)
class Disc:
    """A point and the radius round it; None for a bare point, whose error nobody told."""

    lon_deg: float
    lat_deg: float
    accuracy_m: float | None


def read_shape(shape: Element, *, confidence_pct: float | None = None) -> Disc | Malformed:
    """Return the disc that covers a shape.

    Parameters
    ----------
    shape : an element of one of `NAMES`; X is latitude, Y longitude, Z is not used (some
        servers write NaN), an `angle` inside a circle neither.
    confidence_pct : the chance that the phone is inside, in percent; below 95 the radius
        grows as for a round normal error, above it stays.

    Returns
    -------
    A disc. An arc gives its mast and outer radius: a disc holds the sector however its
    angles are meant. A circle of radius 0 is a point. Or why not: `crs`, `coordinate`,
    `radius`, `unit`.
    """
    if other_reference(shape):
        return Malformed("crs", "coordinates that are not WGS-84")
    points: list[tuple[float, float]] = []
    for coord in shape.all("coord"):
        if len(coord.all("X")) > 1 or len(coord.all("Y")) > 1:
            return Malformed("coordinate", "X or Y is given twice")
        x, y = coord.value("X"), coord.value("Y")
        lat, lon = latitude_deg(x or ""), longitude_deg(y or "")
        if lat is None or lon is None:
            return Malformed("coordinate", "X is no latitude or Y no longitude")
        points.append((lon, lat))
    if not points:
        return Malformed("coordinate", "a shape without coordinates")
    if shape.name in _ROUND:
        return _round(shape, points[0], confidence_pct)
    if len(points) == 1:
        return Disc(*points[0], None)
    return _cover(points, shape, confidence_pct)


def _round(
    shape: Element, centre: tuple[float, float], confidence_pct: float | None
) -> Disc | Malformed:
    name = {"CircularArea": "radius", "CircularArcArea": "outRadius"}.get(shape.name, "semiMajor")
    radius_m = _radius(shape, name)
    if shape.name == "EllipticalArea" and not isinstance(radius_m, Malformed):
        # Whichever of the two is longer.
        minor_m = _radius(shape, "semiMinor")
        radius_m = minor_m if isinstance(minor_m, Malformed) else max(radius_m, minor_m)
    if isinstance(radius_m, Malformed):
        return radius_m
    return Disc(*centre, _grown(radius_m, confidence_pct) if radius_m > 0 else None)


def _radius(shape: Element, name: str) -> float | Malformed:
    if len(shape.all(name)) > 1:
        return Malformed("radius", f"{name} is given twice")
    unit = _UNITS_M.get((shape.value("distanceUnit") or "").lower())
    if unit is None:
        return Malformed("unit", "a unit of length that is not known")
    try:
        radius_m = float(shape.value(name) or "") * unit
    except ValueError:
        return Malformed("radius", f"{name} is missing or no number")
    if not 0.0 <= radius_m <= _MAX_RADIUS_M:
        return Malformed("radius", f"{name} is out of range")
    return radius_m


def _cover(
    points: list[tuple[float, float]], shape: Element, confidence_pct: float | None
) -> Disc | Malformed:
    """Cover corners by a disc round the middle of their box; circles among them are kept in."""
    first = points[0][0]
    # Longitudes next to the first one's, so that the date line is no border.
    lons = [first + math.remainder(lon - first, 360.0) for lon, _ in points]
    lats = [lat for _, lat in points]
    lon = math.remainder((min(lons) + max(lons)) / 2.0, 360.0)
    lat = (min(lats) + max(lats)) / 2.0
    reach_m = max(
        geodesic_m(lon1_deg=lon, lat1_deg=lat, lon2_deg=there[0], lat2_deg=there[1])
        for there in points
    )
    if reach_m > _MAX_RADIUS_M:
        return Malformed("radius", "the shape is larger than any network's")
    for part in shape.all(*_ROUND):
        inner = _round(part, points[0], None)
        if isinstance(inner, Malformed):
            return inner
        reach_m = max(reach_m, reach_m + (inner.accuracy_m or 0.0))
    return Disc(lon, lat, _grown(reach_m, confidence_pct) if reach_m > 0 else None)


def _grown(radius_m: float, confidence_pct: float | None) -> float:
    """Return the radius that holds 95 % when the given one holds less."""
    if confidence_pct is None or not 0.0 < confidence_pct < _SURE * 100.0:
        return radius_m
    wanted, given = math.log(1.0 - _SURE), math.log(1.0 - confidence_pct / 100.0)
    return radius_m * math.sqrt(wanted / given)


def other_reference(shape: Element) -> bool:
    """Tell whether an element names a reference system other than EPSG 4326."""
    for element in shape.walk():
        named = element.attributes.get("srsName") or element.attributes.get("gid_srs")
        code = (named or "").rstrip("/ ").rsplit("#", 1)[-1].rsplit(":", 1)[-1]
        if named and code.isdigit() and code != "4326":
            return True
        if element.name == "Identifier" and (element.value("code") or "4326") != "4326":
            return True
    return False
