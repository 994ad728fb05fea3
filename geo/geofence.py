"""A geofence: circle or polygons, and how far a position is from its edge."""

import math
from dataclasses import dataclass, field
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import shapely

from geo.distance import GEOD, FloatArray, LocalPlane, geodesics_m
from geo.errors import GeofenceError
from geo.geojson import CircleShape, PolygonShape, read_shape

MIN_RADIUS_M: Final = 20.0
MAX_RADIUS_M: Final = 50_000.0
MIN_AREA_M2: Final = 20.0
LARGE_AREA_M2: Final = 1e10
"""A fence above this (10,000 km2) deserves a second look before it is used."""

REFUSALS: Final = frozenset(
    {
        "crs_refused",
        "dimensions",
        "empty",
        "encloses_pole",
        "hole_outside",
        "invalid",
        "nested_holes",
        "not_finite",
        "not_geojson",
        "out_of_range",
        "overlap",
        "radius_missing",
        "radius_out_of_range",
        "self_intersection",
        "too_few_points",
        "too_many_vertices",
        "unclosed_ring",
        "unsupported_geometry",
        "zero_area",
    }
)
"""Every code a `GeofenceError` can carry."""

_EDGE_STEP_DEG: Final = 0.02
_MAX_EDGE_STEPS: Final = 2_000

_Area = shapely.Polygon | shapely.MultiPolygon


@dataclass(frozen=True, slots=True)
class Geofence:
    """A place with an edge. Its boundary belongs to it; the inside of a hole does not.

    Edges of polygons are straight in longitude and latitude, as in GeoJSON and PostGIS
    geometry, and distances to them are metres on the ellipsoid. Build with `circle`,
    `polygon` or `from_geojson`.

    Attributes
    ----------
    geometry : Point of a circle, else Polygon or MultiPolygon cut at the antimeridian,
        WGS-84 degrees; what a database stores.
    radius_m : of a circle; ``None`` for polygons.
    """

    geometry: shapely.Point | _Area
    radius_m: float | None
    _plane: LocalPlane = field(repr=False, compare=False)
    _unwrapped: _Area | None = field(repr=False, compare=False)
    _edge: shapely.MultiLineString | shapely.LineString | None = field(repr=False, compare=False)

    @classmethod
    def circle(cls, *, lon_deg: float, lat_deg: float, radius_m: float) -> Self:
        """Circle of 20 m to 50 km.

        Raises
        ------
        GeofenceError : ``radius_out_of_range``, ``out_of_range``.
        """
        if not MIN_RADIUS_M <= radius_m <= MAX_RADIUS_M:
            raise GeofenceError(
                "radius_out_of_range",
                f"a radius is {MIN_RADIUS_M:.0f} to {MAX_RADIUS_M:.0f} m",
                (lon_deg, lat_deg),
            )
        if not (-180.0 <= lon_deg <= 180.0 and -90.0 <= lat_deg <= 90.0):
            raise GeofenceError("out_of_range", f"[{lon_deg}, {lat_deg}] is not on Earth")
        centre = shapely.Point(lon_deg, lat_deg)
        return cls(centre, float(radius_m), LocalPlane(lon_deg, lat_deg), None, None)

    @classmethod
    def polygon(cls, area: _Area) -> Self:
        """Area from a shapely geometry in WGS-84 degrees, judged like one from GeoJSON."""
        return cls.from_geojson(shapely.geometry.mapping(area))

    @classmethod
    def from_geojson(cls, document: object) -> Self:
        """Geofence from parsed GeoJSON; see `geo.geojson.read_shape` for what is accepted.

        Raises
        ------
        GeofenceError : with a code of `REFUSALS`, a line of detail and often a place.
        """
        shape = read_shape(document)
        if isinstance(shape, CircleShape):
            return cls.circle(lon_deg=shape.lon_deg, lat_deg=shape.lat_deg, radius_m=shape.radius_m)
        return cls._from_shape(shape)

    @classmethod
    def _from_shape(cls, shape: PolygonShape) -> Self:
        area = shape.unwrapped
        west, south, east, north = area.bounds
        plane = LocalPlane((west + east) / 2.0, (south + north) / 2.0)
        # Straight lines in degrees bend in the plane: walk them in short steps.
        step = max(_EDGE_STEP_DEG, max(east - west, north - south) / _MAX_EDGE_STEPS)
        edge = shapely.transform(
            shapely.segmentize(area.boundary, step),
            lambda xy: np.column_stack(plane.forward(xy[:, 0], xy[:, 1])),
        )
        shapely.prepare(area)
        shapely.prepare(edge)
        fence = cls(_cut_at_antimeridian(area), None, plane, area, edge)
        if fence.area_m2 < MIN_AREA_M2:
            raise GeofenceError("zero_area", f"an area is {MIN_AREA_M2:.0f} m2 or more")
        return fence

    def to_geojson(self) -> dict[str, Any]:
        """Geometry as GeoJSON; a circle is a Point with the extra member ``radius_m``."""
        geometry = shapely.geometry.mapping(self.geometry)
        document: dict[str, Any] = {
            "type": geometry["type"],
            "coordinates": _lists(geometry["coordinates"]),
        }
        if self.radius_m is not None:
            document["radius_m"] = self.radius_m
        return document

    @property
    def area_m2(self) -> float:
        """Area on the ellipsoid, in square metres."""
        if self._unwrapped is None:
            assert self.radius_m is not None
            return float(np.pi * self.radius_m**2)
        oriented = shapely.orient_polygons(self._unwrapped)
        area, _ = GEOD.geometry_area_perimeter(oriented)
        return abs(float(area))

    @property
    def centre(self) -> tuple[float, float]:
        """Middle ``(lon_deg, lat_deg)``: of a circle its centre, else of the bounding box."""
        return (self._plane.lon_deg + 180.0) % 360.0 - 180.0, self._plane.lat_deg

    @property
    def size_m(self) -> float:
        """Radius, of a polygon that of the circle of its area."""
        return self.radius_m or math.sqrt(self.area_m2 / math.pi)

    @property
    def is_large(self) -> bool:
        """Whether the area is beyond 10,000 square kilometres."""
        return self.area_m2 > LARGE_AREA_M2

    def signed_distance_m(self, *, lon_deg: float, lat_deg: float) -> float:
        """Metres from a position to the edge: negative inside, 0 on it, positive outside."""
        return float(self.signed_distances_m([lon_deg], [lat_deg])[0])

    def signed_distances_m(self, lon_deg: npt.ArrayLike, lat_deg: npt.ArrayLike) -> FloatArray:
        """Metres from positions to the edge: negative inside, positive outside.

        Parameters
        ----------
        lon_deg, lat_deg : ``(n,)`` WGS-84 degrees.

        Returns
        -------
        ``(n,)`` metres. Circles are exact; polygons are right to 0.1 % up to 50 km from
        their middle. The sign of polygons is that of PostGIS ``ST_Covers``.
        """
        lon = np.atleast_1d(np.asarray(lon_deg, dtype=np.float64))
        lat = np.atleast_1d(np.asarray(lat_deg, dtype=np.float64))
        if self.radius_m is not None:
            from_centre = geodesics_m(
                lon1_deg=lon,
                lat1_deg=lat,
                lon2_deg=self._plane.lon_deg,
                lat2_deg=self._plane.lat_deg,
            )
            return from_centre - self.radius_m
        east, north = self._plane.forward(lon, lat)
        distance = shapely.distance(self._edge, shapely.points(east, north))
        near = lon + 360.0 * np.round((self._plane.lon_deg - lon) / 360.0)
        inside = shapely.intersects_xy(self._unwrapped, near, lat)
        return np.asarray(np.where(inside, -distance, distance), dtype=np.float64)

    def covers(self, *, lon_deg: float, lat_deg: float) -> bool:
        """Whether a position is inside or on the edge."""
        return self.signed_distance_m(lon_deg=lon_deg, lat_deg=lat_deg) <= 0.0


@dataclass(frozen=True, slots=True)
class _Shift:
    """Moves longitudes by whole turns."""

    by_deg: float

    def __call__(self, xy: FloatArray) -> FloatArray:
        return np.asarray(xy + np.array([self.by_deg, 0.0]))


def _cut_at_antimeridian(area: _Area) -> _Area:
    """Bring unwrapped longitudes back to -180..180, in parts where they cross it."""
    west, _, east, _ = area.bounds
    if west >= -180.0 and east <= 180.0:  # the antimeridian
        return area
    parts: list[shapely.Polygon] = []
    for turn in (-360.0, 0.0, 360.0):
        piece = shapely.intersection(area, shapely.box(-180.0 + turn, -90.0, 180.0 + turn, 90.0))
        moved = shapely.transform(piece, _Shift(-turn))
        parts += [p for p in shapely.get_parts(moved) if isinstance(p, shapely.Polygon) and p.area]
    return shapely.MultiPolygon(parts) if len(parts) > 1 else parts[0]


def _lists(coordinates: Any) -> Any:  # noqa: ANN401  # nesting differs by geometry type
    if isinstance(coordinates, (list, tuple)):
        return [_lists(c) for c in coordinates]
    return float(coordinates)
