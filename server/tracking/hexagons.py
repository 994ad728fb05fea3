"""Hexagons that people are counted by: H3 cells as integers; pure.

The parent of a cell is bits of its number, so that PostgreSQL counts by larger hexagons
without an extension. Parents hold their children by number, not by outline: along edges a
small cell may stick out of its parent by a fraction of its own width.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt
import shapely
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

FINEST: Final = 11
COARSEST: Final = 2
"""Resolutions that counts are shown in: hexagons of 2,150 m² to 86,800 km²."""
_RESOLUTION_BIT: Final = 52
_DIGIT_BITS: Final = 3
_DIGITS: Final = 15
_COVER: Final = 200


@dataclass(frozen=True, slots=True)
class Box:
    """A window of the map, WGS-84 degrees; never across the date line."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def parse(cls, text: str) -> "Box | None":
        """Return the box of `west,south,east,north`; None for anything else."""
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError:
            return None
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            return None
        return cls(west, south, east, north)

    def holds(self, *, lon: float | None, lat: float | None) -> bool:
        """Tell whether a place lies in the box; an unknown one does not."""
        if lon is None or lat is None:
            return False
        return self.west <= lon <= self.east and self.south <= lat <= self.north

    def touches(self, cell: int) -> bool:
        """Tell whether a hexagon reaches into the box, by the box around it."""
        lon, lat = zip(*ring(cell), strict=True)
        return bool(
            min(lon) <= self.east
            and max(lon) >= self.west
            and min(lat) <= self.north
            and max(lat) >= self.south
        )

    def shape(self) -> Polygon:
        """Return the box as an area."""
        return shapely.box(self.west, self.south, self.east, self.north)


def parent_masks(resolution: int) -> tuple[int, int]:
    """Return what to AND and to OR a finer cell with to get its parent."""
    keep = ~(0xF << _RESOLUTION_BIT)
    unused = (1 << (_DIGIT_BITS * (_DIGITS - resolution))) - 1
    return keep, (resolution << _RESOLUTION_BIT) | unused


def parent(cell: int, resolution: int) -> int:
    """Return the hexagon of a coarser (or the same) resolution that holds a cell."""
    keep, add = parent_masks(resolution)
    return (cell & keep) | add


def cell_of(*, lon_deg: float, lat_deg: float, resolution: int) -> int:
    """Return the hexagon at a place."""
    return int(h3.latlng_to_cell(lat_deg, lon_deg, resolution))


def name_of(cell: int) -> str:
    """Return the name under which other tools know a hexagon."""
    return str(h3.int_to_str(cell))


def centre(cell: int) -> tuple[float, float]:
    """Return a hexagon's centre as lon, lat degrees."""
    lat, lon = h3.cell_to_latlng(cell)
    return round(lon, 6), round(lat, 6)


def ring(cell: int) -> list[tuple[float, float]]:
    """Return a hexagon's corners as a closed ring of lon, lat degrees.

    A hexagon across the date line continues beyond 180 degrees instead of around the world.
    """
    corners = [(lon, lat) for lat, lon in h3.cell_to_boundary(cell)]
    if max(lon for lon, _ in corners) - min(lon for lon, _ in corners) > 180:
        corners = [(lon + 360 if lon < 0 else lon, lat) for lon, lat in corners]
    rounded = [(round(lon, 6), round(lat, 6)) for lon, lat in corners]
    return [*rounded, rounded[0]]


def cover(area: BaseGeometry) -> tuple[int, list[int]]:
    """Return hexagons that together hold every cell whose centre lies in an area.

    Parameters
    ----------
    area : polygons in WGS-84 degrees, not across the date line.

    Returns
    -------
    Their resolution and, at most some hundreds of, hexagons; more than needed, never less.
    """
    outlines = [part for part in getattr(area, "geoms", [area]) if not part.is_empty]
    resolution = _resolution_for(area)
    found: set[int] = set()
    for part in outlines:
        outer = [(lat, lon) for lon, lat in part.exterior.coords]
        for cell in h3.h3shape_to_cells_experimental(
            h3.LatLngPoly(outer), resolution, contain="overlap"
        ):
            # A cell inside the area may belong to a hexagon just outside of it.
            found.update(h3.grid_disk(cell, 1))
    return resolution, sorted(found)


def inside(area: BaseGeometry, cells: Iterable[int]) -> npt.NDArray[np.bool_]:
    """Tell of each cell whether its centre lies in an area. About 1.5 µs a cell."""
    places = np.array([h3.cell_to_latlng(cell) for cell in cells], dtype=np.float64)
    if not len(places):
        return np.zeros(0, dtype=np.bool_)
    return np.asarray(shapely.contains_xy(area, places[:, 1], places[:, 0]), dtype=np.bool_)


def _resolution_for(area: BaseGeometry) -> int:
    """Return the finest resolution in which an area's box takes few hexagons."""
    west, south, east, north = area.bounds
    middle = np.radians((south + north) / 2)
    width_km = (east - west) * 111.32 * max(float(np.cos(middle)), 0.01)
    height_km = (north - south) * 110.57
    for resolution in range(FINEST, 0, -1):
        across_km = h3.average_hexagon_area(resolution, "km^2") ** 0.5
        if (width_km / across_km + 1) * (height_km / across_km + 1) <= _COVER:
            return resolution
    return 0
