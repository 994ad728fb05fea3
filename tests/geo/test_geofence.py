import json
from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import LocalPlane, destination, geodesic_m
from geo.errors import GeofenceError
from geo.geofence import REFUSALS, Geofence

BOX = [[116.0, 40.0], [116.1, 40.0], [116.1, 40.1], [116.0, 40.1], [116.0, 40.0]]
HOLE = [[116.04, 40.04], [116.06, 40.04], [116.06, 40.06], [116.04, 40.06], [116.04, 40.04]]


def polygon(*rings: object) -> dict[str, object]:
    return {"type": "Polygon", "coordinates": list(rings)}


def octagon(lon: float, lat: float, radius_m: float) -> list[list[float]]:
    corners = [
        destination(lon_deg=lon, lat_deg=lat, azimuth_deg=a, distance_m=radius_m)
        for a in range(0, 360, 45)
    ]
    return [list(c) for c in [*corners, corners[0]]]


def refusal(document: object) -> GeofenceError:
    with pytest.raises(GeofenceError) as found:
        Geofence.from_geojson(document)
    assert found.value.code in REFUSALS
    assert "\n" not in found.value.detail
    return found.value


def test_circle_measures_from_its_edge() -> None:
    fence = Geofence.circle(lon_deg=116.0, lat_deg=40.0, radius_m=100.0)
    for away in (0.0, 60.0, 99.9, 100.1, 5_000.0):
        lon, lat = destination(lon_deg=116.0, lat_deg=40.0, azimuth_deg=33, distance_m=away)
        off = fence.signed_distance_m(lon_deg=lon, lat_deg=lat)
        assert off == pytest.approx(away - 100.0, abs=1e-6)
    assert fence.area_m2 == pytest.approx(31_415.9, abs=0.1)


@pytest.mark.parametrize("radius", [0, -5, 19.9, 50_001, 1e9, float("nan"), float("inf")])
def test_circle_radius_has_bounds(radius: float) -> None:
    assert refusal({"type": "Point", "coordinates": [116, 40], "radius_m": radius}).code == (
        "radius_out_of_range"
    )


def test_point_needs_a_radius_as_member_or_property() -> None:
    bare = {"type": "Point", "coordinates": [116, 40]}
    assert refusal(bare).code == "radius_missing"
    assert refusal(bare | {"radius_m": "100"}).code == "radius_missing"
    feature = {"type": "Feature", "properties": {"radius_m": 50}, "geometry": bare}
    assert Geofence.from_geojson(feature).radius_m == 50.0
    assert Geofence.from_geojson(bare | {"radius_m": 50}).radius_m == 50.0


def test_boundary_is_inside_and_hole_is_outside() -> None:
    fence = Geofence.from_geojson(polygon(BOX, HOLE))
    assert fence.covers(lon_deg=116.02, lat_deg=40.02)
    assert fence.covers(lon_deg=116.0, lat_deg=40.05)
    assert fence.covers(lon_deg=116.04, lat_deg=40.05)
    assert not fence.covers(lon_deg=116.05, lat_deg=40.05)
    assert not fence.covers(lon_deg=115.99, lat_deg=40.05)


def test_distances_to_a_polygon_are_metres_on_the_ellipsoid() -> None:
    fence = Geofence.from_geojson(polygon(BOX, HOLE))
    off = fence.signed_distance_m(lon_deg=116.2, lat_deg=40.05)
    true = geodesic_m(lon1_deg=116.1, lat1_deg=40.05, lon2_deg=116.2, lat2_deg=40.05)
    assert off == pytest.approx(true, rel=1e-4)
    inside_hole = fence.signed_distance_m(lon_deg=116.041, lat_deg=40.05)
    assert inside_hole == pytest.approx(85.4, abs=0.2)
    deep = fence.signed_distance_m(lon_deg=116.02, lat_deg=40.01)
    assert deep == pytest.approx(-1_110.4, abs=1.0)


@settings(max_examples=40, deadline=None)
@given(
    lon=st.floats(-180, 180),
    lat=st.floats(-70, 70),
    radius=st.floats(100, 40_000),
    azimuth=st.floats(0, 360),
    share=st.floats(0, 3),
)
def test_polygon_distance_is_right_to_a_thousandth(
    lon: float, lat: float, radius: float, azimuth: float, share: float
) -> None:
    ring = octagon(lon, lat, radius)
    fence = Geofence.from_geojson(polygon(ring))
    x, y = destination(lon_deg=lon, lat_deg=lat, azimuth_deg=azimuth, distance_m=radius * share)
    off = abs(fence.signed_distance_m(lon_deg=x, lat_deg=y))
    edge = np.array(ring)
    edge[:, 0] = lon + (edge[:, 0] - lon + 180.0) % 360.0 - 180.0
    walked = shapely.get_coordinates(shapely.segmentize(shapely.LineString(edge), 0.002))
    plane = LocalPlane(x, y)
    east, north = plane.forward(walked[:, 0], walked[:, 1])
    true = shapely.distance(shapely.Point(0, 0), shapely.LineString(np.column_stack([east, north])))
    assert off == pytest.approx(true, rel=1e-3, abs=0.5)


@settings(max_examples=60, deadline=None)
@given(st.floats(115.9, 116.2), st.floats(39.9, 40.2))
def test_sign_is_that_of_covers(lon: float, lat: float) -> None:
    fence = Geofence.from_geojson(polygon(BOX, HOLE))
    covers = shapely.covers(fence.geometry, shapely.Point(lon, lat))
    assert fence.covers(lon_deg=lon, lat_deg=lat) == covers


def test_columns_agree_with_scalars() -> None:
    fence = Geofence.from_geojson(polygon(BOX, HOLE))
    lon, lat = np.array([116.05, 116.01, 116.3]), np.array([40.05, 40.01, 39.0])
    many = fence.signed_distances_m(lon, lat).tolist()
    assert many == [
        fence.signed_distance_m(lon_deg=x, lat_deg=y)
        for x, y in zip(lon.tolist(), lat.tolist(), strict=True)
    ]
    assert len(fence.signed_distances_m([], [])) == 0


def test_across_the_antimeridian() -> None:
    ring = [[179, 0], [-179, 0], [-179, 1], [179, 1], [179, 0]]
    fence = Geofence.from_geojson(polygon(ring))
    assert isinstance(fence.geometry, shapely.MultiPolygon)
    assert fence.geometry.is_valid
    west, _, east, _ = fence.geometry.bounds
    assert (west, east) == (-180.0, 180.0)
    for lon in (179.5, -179.5, 180.0, -180.0):
        assert fence.covers(lon_deg=lon, lat_deg=0.5)
        assert shapely.covers(fence.geometry, shapely.Point(lon, 0.5))
    assert not fence.covers(lon_deg=0.0, lat_deg=0.5)
    # Far from any edge at 180 degrees: the cut is no edge.
    assert fence.signed_distance_m(lon_deg=180.0, lat_deg=0.5) == pytest.approx(-55_287, abs=1)
    again = Geofence.from_geojson(fence.to_geojson())
    assert again.signed_distance_m(lon_deg=180.0, lat_deg=0.5) == pytest.approx(-55_287, abs=1)
    assert again.area_m2 == pytest.approx(fence.area_m2, rel=1e-3)


@pytest.mark.parametrize(
    ("code", "ring"),
    [
        ("self_intersection", [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]),
        ("zero_area", [[0, 0], [1, 1], [2, 2], [0, 0]]),
        ("zero_area", [[0, 0], [1e-5, 0], [1e-5, 1e-5], [0, 0]]),
        ("unclosed_ring", [[0, 0], [1, 0], [1, 1], [0, 1]]),
        ("too_few_points", [[0, 0], [1, 0], [0, 0]]),
        ("too_few_points", []),
        ("not_finite", [[0, 0], [1, float("nan")], [1, 1], [0, 0]]),
        ("not_finite", [[0, 0], [1, float("inf")], [1, 1], [0, 0]]),
        ("out_of_range", [[0, 0], [500, 0], [1, 1], [0, 0]]),
        ("dimensions", [[0, 0, 5], [1, 0, 5], [1, 1, 5], [0, 0, 5]]),
        ("not_geojson", [[0, 0], [1], [1, 1], [0, 0]]),
        ("not_geojson", [[0, 0], ["1", "0"], [1, 1], [0, 0]]),
        ("not_geojson", [[0, 0], [True, False], [1, 1], [0, 0]]),
        ("encloses_pole", [[0, 80], [120, 80], [-120, 80], [0, 80]]),
        ("too_many_vertices", [[0, 0]] * 5_001),
    ],
)
def test_rings_that_cannot_be_meant(code: str, ring: object) -> None:
    assert refusal(polygon(ring)).code == code


def test_bow_tie_is_refused_where_it_crosses() -> None:
    found = refusal(polygon([[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]))
    assert found.point == pytest.approx((0.5, 0.5))


def test_swapped_coordinates_get_a_hint() -> None:
    assert "swapped" in refusal(polygon([[40, 116], [40, 117], [41, 117], [40, 116]])).detail


@pytest.mark.parametrize(
    ("code", "document"),
    [
        ("hole_outside", polygon(BOX, [[5, 5], [6, 5], [6, 6], [5, 5]])),
        ("self_intersection", polygon(BOX, BOX)),
        ("nested_holes", polygon(BOX, HOLE, [[116.045, 40.045], [116.05, 40.045],
                                            [116.05, 40.05], [116.045, 40.045]])),
        ("overlap", {"type": "MultiPolygon", "coordinates": [[BOX], [HOLE]]}),
        ("unsupported_geometry", {"type": "LineString", "coordinates": BOX}),
        ("unsupported_geometry", {"type": "GeometryCollection", "geometries": []}),
        ("unsupported_geometry", {"type": None}),
        ("not_geojson", [1, 2]),
        ("not_geojson", "fence"),
        ("not_geojson", {"type": "Feature", "geometry": None}),
        ("not_geojson", {"type": "Polygon"}),
        ("empty", {"type": "FeatureCollection", "features": []}),
        ("empty", {"type": "Polygon", "coordinates": []}),
        ("out_of_range", {"type": "Point", "coordinates": [0, 91], "radius_m": 50}),
        ("crs_refused", polygon(BOX) | {"crs": {"type": "name", "properties":
                                                {"name": "urn:ogc:def:crs:EPSG::3857"}}}),
        ("crs_refused", polygon(BOX) | {"crs": "EPSG:4490"}),
    ],
)  # fmt: skip
def test_documents_that_are_refused(code: str, document: object) -> None:
    assert refusal(document).code == code


def test_two_circles_or_a_mixture_are_refused() -> None:
    circle = {"type": "Point", "coordinates": [116, 40], "radius_m": 50}
    for pair in ([circle, circle], [circle, polygon(BOX)]):
        features = [{"type": "Feature", "properties": {}, "geometry": g} for g in pair]
        found = refusal({"type": "FeatureCollection", "features": features})
        assert found.code == "unsupported_geometry"


def test_features_together_are_one_area() -> None:
    far = [[x + 1, y] for x, y in BOX]
    features = [{"type": "Feature", "geometry": polygon(r)} for r in (BOX, far)]
    fence = Geofence.from_geojson({"type": "FeatureCollection", "features": features})
    assert fence.covers(lon_deg=116.05, lat_deg=40.05)
    assert fence.covers(lon_deg=117.05, lat_deg=40.05)
    assert not fence.covers(lon_deg=116.5, lat_deg=40.05)


def test_winding_does_not_matter() -> None:
    there, back = (Geofence.from_geojson(polygon(r)) for r in (BOX, BOX[::-1]))
    assert there.area_m2 == pytest.approx(back.area_m2)
    assert back.covers(lon_deg=116.05, lat_deg=40.05)


def test_geojson_round_trip() -> None:
    fence = Geofence.from_geojson(polygon(BOX, HOLE))
    document = json.loads(json.dumps(fence.to_geojson()))
    assert document == polygon(BOX, HOLE)
    assert Geofence.from_geojson(document) == fence
    circle = Geofence.circle(lon_deg=116.0, lat_deg=40.0, radius_m=75.0)
    assert Geofence.from_geojson(circle.to_geojson()) == circle
    assert Geofence.polygon(shapely.Polygon(BOX, [HOLE])) == fence


def test_area_subtracts_holes_and_tells_large_ones() -> None:
    whole, holed = Geofence.from_geojson(polygon(BOX)), Geofence.from_geojson(polygon(BOX, HOLE))
    assert whole.area_m2 == pytest.approx(94.7e6, rel=0.01)
    assert holed.area_m2 == pytest.approx(whole.area_m2 * 0.96, rel=1e-3)
    assert not whole.is_large
    province = [[110, 30], [113, 30], [113, 33], [110, 33], [110, 30]]
    assert Geofence.from_geojson(polygon(province)).is_large


@pytest.mark.data
def test_real_campus_is_read(reference_data: Path) -> None:
    path = reference_data / "geolife" / "tsinghua_campus_wgs84.geojson"
    fence = Geofence.from_geojson(json.loads(path.read_text()))
    assert fence.area_m2 == pytest.approx(3.2e6, rel=0.01)
    assert fence.covers(lon_deg=116.3268, lat_deg=40.0033)
