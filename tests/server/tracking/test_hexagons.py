import h3.api.basic_int as h3
import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from server.tracking import hexagons
from server.tracking.hexagons import Box

LON = st.floats(-179.5, 179.5)
LAT = st.floats(-84, 84)


@given(lon=LON, lat=LAT, resolution=st.integers(0, 12))
def test_the_parent_is_the_one_that_h3_names(lon: float, lat: float, resolution: int) -> None:
    cell = hexagons.cell_of(lon_deg=lon, lat_deg=lat, resolution=12)
    assert hexagons.parent(cell, resolution) == h3.cell_to_parent(cell, resolution)
    assert cell < 2**63


@settings(deadline=None, max_examples=60)
@given(
    lon=st.floats(-170, 170),
    lat=st.floats(-75, 75),
    width=st.floats(1e-4, 5.0),
    height=st.floats(1e-4, 4.0),
    seed=st.integers(0, 2**32),
)
def test_a_cover_holds_every_cell_with_its_centre_inside(
    lon: float, lat: float, width: float, height: float, seed: int
) -> None:
    area = shapely.box(lon, lat, lon + width, lat + height)
    resolution, cover = hexagons.cover(area)
    assert len(cover) < 2_000
    held = set(cover)
    rng = np.random.default_rng(seed)
    for x, y in zip(rng.uniform(0, width, 40), rng.uniform(0, height, 40), strict=True):
        cell = hexagons.cell_of(lon_deg=lon + x, lat_deg=lat + y, resolution=12)
        if hexagons.inside(area, [cell])[0]:
            assert hexagons.parent(cell, resolution) in held


@given(lon=LON, lat=LAT, resolution=st.integers(hexagons.COARSEST, hexagons.FINEST))
def test_a_ring_is_closed_and_never_runs_around_the_world(
    lon: float, lat: float, resolution: int
) -> None:
    ring = hexagons.ring(hexagons.cell_of(lon_deg=lon, lat_deg=lat, resolution=resolution))
    assert ring[0] == ring[-1]
    assert 6 <= len(ring) <= 11
    longitudes = [x for x, _ in ring]
    assert max(longitudes) - min(longitudes) < 180


def test_a_cell_of_the_past_is_within_eleven_metres() -> None:
    assert h3.average_hexagon_edge_length(12, "m") < 11


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1,2,3",
        "1,2,3,x",
        "nan,0,1,1",
        "5,0,1,1",
        "0,5,1,1",
        "-181,0,1,1",
        "0,0,1,91",
        "1,2,1,3",
    ],
)
def test_what_is_no_box(text: str) -> None:
    assert Box.parse(text) is None


def test_a_box() -> None:
    assert Box.parse("24.9,60.1,25,60.2") == Box(24.9, 60.1, 25.0, 60.2)
