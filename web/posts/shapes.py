"""What the editor says about a shape: size, vertices, and which other posts it covers."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from geo.distance import LocalPlane
from geo.geofence import Geofence
from server.posts.queries import PostView

_FAR_M = 120_000.0
"""Posts farther apart than two of the largest circles cannot overlap."""
_TOUCH = 0.001
"""A shared sliver below this part of the area is drawing, not overlap."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Another post that shares ground; `share` is the part of the new shape, 0 to 1."""

    post_id: UUID
    name: str
    share: float


def vertices_of(fence: Geofence) -> int:
    """Return how many corners a shape has; 0 for a circle."""
    if fence.radius_m is not None:
        return 0
    return int(shapely.get_num_coordinates(fence.geometry)) - sum(
        1 + len(part.interiors) for part in shapely.get_parts(fence.geometry)
    )


def overlaps(fence: Geofence, posts: Iterable[PostView]) -> list[Overlap]:
    """Return the posts whose fences share ground with a shape, the largest share first.

    Computed in a plane around the shape, which is right to 0.1 % up to 50 km.
    """
    lon, lat = fence.centre
    plane = LocalPlane(lon, lat)
    own = _in_plane(fence, plane)
    found = []
    for post in posts:
        if post.shape is None:
            continue
        other = _in_plane(Geofence.from_geojson(post.shape), plane)
        if own.distance(other) > _FAR_M or not own.intersects(other):
            continue
        share = own.intersection(other).area / own.area
        if share >= _TOUCH:
            found.append(Overlap(post.id, post.name, share))
    return sorted(found, key=lambda o: (-o.share, o.name))


def measures(post: PostView) -> dict[str, Any]:
    """Return what lists say of a post's shape: kind, radius, vertices, area in m²."""
    if post.shape is None:
        return {"kind": "none", "radius_m": None, "vertices": 0, "area_m2": 0.0}
    fence = Geofence.from_geojson(post.shape)
    return {
        "kind": "polygon" if fence.radius_m is None else "circle",
        "radius_m": fence.radius_m,
        "vertices": vertices_of(fence),
        "area_m2": fence.area_m2,
    }


def drawing(fence: Geofence) -> dict[str, Any]:
    """Return an area in GeoJSON for a map; a circle becomes a ring of 64 corners."""
    if fence.radius_m is None:
        return fence.to_geojson()
    lon, lat = fence.centre
    plane = LocalPlane(lon, lat)
    turns = np.linspace(0.0, 2.0 * np.pi, 65)
    ring_lon, ring_lat = plane.inverse(
        fence.radius_m * np.cos(turns), fence.radius_m * np.sin(turns)
    )
    ring = [[float(x), float(y)] for x, y in zip(ring_lon, ring_lat, strict=True)]
    return {"type": "Polygon", "coordinates": [ring]}


def feature(fence: Geofence, *, id_: str, name: str) -> dict[str, Any]:
    """Return a fence as a GeoJSON feature with `id`, `name` and where its label stands."""
    return {
        "type": "Feature",
        "geometry": drawing(fence),
        "properties": {"id": id_, "name": name, "label": list(fence.centre)},
    }


def _in_plane(fence: Geofence, plane: LocalPlane) -> BaseGeometry:
    if fence.radius_m is not None:
        lon, lat = fence.centre
        east, north = plane.forward(np.array([lon]), np.array([lat]))
        return shapely.Point(float(east[0]), float(north[0])).buffer(fence.radius_m, 32)
    return shapely.transform(
        fence.geometry, lambda xy: np.column_stack(plane.forward(xy[:, 0], xy[:, 1]))
    )
