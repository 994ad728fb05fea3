"""All spatial SQL and the conversion between PostGIS and shapely.

Verdicts come from `geo`; PostGIS only narrows candidates, so what is here is small.
`ST_DWithin` on geometry(4326) would mean degrees; nothing here offers it.
"""

from typing import Any

import shapely
from geoalchemy2 import WKBElement
from geoalchemy2.shape import from_shape, to_shape
from shapely import Point
from shapely.geometry.base import BaseGeometry
from sqlalchemy import ColumnElement, func

SRID = 4326


def point(*, lon_deg: float, lat_deg: float) -> WKBElement:
    """Return a WGS-84 point for a column."""
    return from_shape(Point(lon_deg, lat_deg), srid=SRID)


def shape_to_column(shape: BaseGeometry) -> WKBElement:
    """Return any WGS-84 shape for a column."""
    return from_shape(shape, srid=SRID)


def column_to_shape(value: WKBElement) -> BaseGeometry:
    """Return the shapely shape of a column's value."""
    return to_shape(value)


def lon_of(column: ColumnElement[Any]) -> ColumnElement[float]:
    """Return the SQL for a point's longitude, degrees."""
    return func.ST_X(column)


def lat_of(column: ColumnElement[Any]) -> ColumnElement[float]:
    """Return the SQL for a point's latitude, degrees."""
    return func.ST_Y(column)


def extent_of(
    column: ColumnElement[object],
) -> tuple[ColumnElement[float], ColumnElement[float], ColumnElement[float], ColumnElement[float]]:
    """Return the SQL for west, south, east and north of all shapes of a column, degrees."""
    return (
        func.min(func.ST_XMin(column)),
        func.min(func.ST_YMin(column)),
        func.max(func.ST_XMax(column)),
        func.max(func.ST_YMax(column)),
    )


def point_sql(lon: str, lat: str) -> str:
    """Return SQL text for the WGS-84 point of two SQL expressions, degrees; never of input."""
    return f"ST_SetSRID(ST_MakePoint({lon}, {lat}), {SRID})"


def lon_sql(column: str) -> str:
    """Return SQL text for a point's longitude, degrees; `column` is a name, never input."""
    return f"ST_X({column})"


def lat_sql(column: str) -> str:
    """Return SQL text for a point's latitude, degrees; `column` is a name, never input."""
    return f"ST_Y({column})"


def on_earth_sql(column: str) -> str:
    """Return SQL text for "this point is on Earth", for a CHECK constraint."""
    return f"{lon_sql(column)} BETWEEN -180 AND 180 AND {lat_sql(column)} BETWEEN -90 AND 90"


def in_box(
    column: ColumnElement[object], *, west: float, south: float, east: float, north: float
) -> ColumnElement[bool]:
    """Return the SQL for "the point lies in this box", usable by the spatial index under RLS."""
    return column.op("&&")(func.ST_MakeEnvelope(west, south, east, north, SRID))


def point_hex(*, lon_deg: float, lat_deg: float) -> str:
    """Return the EWKB hex of a point, for COPY."""
    return str(
        shapely.to_wkb(shapely.set_srid(Point(lon_deg, lat_deg), SRID), hex=True, include_srid=True)
    )
