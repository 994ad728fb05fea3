import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import (
    LocalPlane,
    consecutive_m,
    degree_m,
    destination,
    geodesic_m,
    geodesics_m,
    metres_per_degree,
)

lons, lats = st.floats(-180, 180), st.floats(-89, 89)


def test_a_degree_of_latitude_at_the_equator() -> None:
    assert geodesic_m(lon1_deg=0, lat1_deg=0, lon2_deg=0, lat2_deg=1) == pytest.approx(
        110_574.4, abs=0.1
    )


def test_five_centimetres_are_five_centimetres() -> None:
    lon, lat = destination(lon_deg=116.4, lat_deg=39.9, azimuth_deg=45, distance_m=0.05)
    back = geodesic_m(lon1_deg=116.4, lat1_deg=39.9, lon2_deg=lon, lat2_deg=lat)
    assert back == pytest.approx(0.05, abs=1e-6)


def test_neighbours_across_the_antimeridian() -> None:
    across = geodesic_m(lon1_deg=179.9, lat1_deg=0, lon2_deg=-179.9, lat2_deg=0)
    assert across == pytest.approx(22_263.9, abs=0.1)


@given(lons, lats, lons, lats)
def test_distance_is_the_same_both_ways(x1: float, y1: float, x2: float, y2: float) -> None:
    there = geodesic_m(lon1_deg=x1, lat1_deg=y1, lon2_deg=x2, lat2_deg=y2)
    back = geodesic_m(lon1_deg=x2, lat1_deg=y2, lon2_deg=x1, lat2_deg=y1)
    assert there == pytest.approx(back, abs=1e-6)


def test_columns_agree_with_scalars_and_broadcast() -> None:
    lon, lat = np.array([116.4, 121.5, -179.9]), np.array([39.9, 31.2, 10.0])
    many = geodesics_m(lon1_deg=lon, lat1_deg=lat, lon2_deg=114.0, lat2_deg=22.5)
    one = [
        geodesic_m(lon1_deg=x, lat1_deg=y, lon2_deg=114.0, lat2_deg=22.5)
        for x, y in zip(lon.tolist(), lat.tolist(), strict=True)
    ]
    assert many.tolist() == one


def test_empty_columns() -> None:
    nothing = np.zeros(0)
    assert len(geodesics_m(lon1_deg=[], lat1_deg=[], lon2_deg=[], lat2_deg=[])) == 0
    assert len(consecutive_m(nothing, nothing)) == 0
    assert len(consecutive_m(np.zeros(1), np.zeros(1))) == 0
    assert [len(c) for c in LocalPlane(0, 0).forward([], [])] == [0, 0]


@given(lons, lats, st.floats(0, 360), st.floats(0, 50_000))
def test_plane_is_exact_from_its_centre_and_reversible(
    lon: float, lat: float, azimuth: float, away: float
) -> None:
    plane = LocalPlane(lon, lat)
    there = destination(lon_deg=lon, lat_deg=lat, azimuth_deg=azimuth, distance_m=away)
    east, north = plane.forward([there[0]], [there[1]])
    assert float(np.hypot(east[0], north[0])) == pytest.approx(away, abs=1e-3)
    back = plane.inverse(east, north)
    gap = geodesic_m(
        lon1_deg=there[0], lat1_deg=there[1], lon2_deg=float(back[0][0]), lat2_deg=float(back[1][0])
    )
    assert gap < 1e-3


@given(
    st.floats(-180, 180),
    st.floats(-75, 75),
    st.floats(0, 360),
    st.floats(0, 360),
    st.floats(1_000, 50_000),
)
def test_plane_keeps_lengths_to_one_in_ten_thousand(
    lon: float, lat: float, first: float, second: float, away: float
) -> None:
    a = destination(lon_deg=lon, lat_deg=lat, azimuth_deg=first, distance_m=away)
    b = destination(lon_deg=lon, lat_deg=lat, azimuth_deg=second, distance_m=away)
    east, north = LocalPlane(lon, lat).forward([a[0], b[0]], [a[1], b[1]])
    flat = float(np.hypot(east[1] - east[0], north[1] - north[0]))
    true = geodesic_m(lon1_deg=a[0], lat1_deg=a[1], lon2_deg=b[0], lat2_deg=b[1])
    assert flat == pytest.approx(true, rel=1e-4, abs=0.01)


@given(lats)
def test_a_degree_is_as_long_by_itself_as_among_others(lat: float) -> None:
    east, north = metres_per_degree(np.array([0.0, lat]))
    assert degree_m(lat) == pytest.approx((east[1], north[1]), rel=1e-12)
