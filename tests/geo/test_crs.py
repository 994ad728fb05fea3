import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shapely import Point

from geo.crs import Datum, convert, convert_point
from geo.distance import geodesic_m, geodesics_m
from geo.mainland import OUTLINE

BEIJING = (116.39747, 39.908823)
OUTSIDE = {
    "Yonaguni": (123.0, 24.46),
    "Batanes": (121.95, 20.6),
    "Seoul": (126.978, 37.5665),
    "Pyongyang": (125.7625, 39.0392),
    "Ulaanbaatar": (106.9057, 47.8864),
    "Vladivostok": (131.8855, 43.1155),
    "Hanoi": (105.8342, 21.0278),
    "Kathmandu": (85.324, 27.7172),
    "Almaty": (76.8897, 43.2389),
    "Blagoveshchensk": (127.5405, 50.2907),
    "Helsinki": (24.945, 60.17),
    "New York": (-74.0, 40.7),
}
INSIDE = {
    "Shenzhen Luohu": (114.12, 22.55),
    "Shekou": (113.92, 22.485),
    "Zhuhai": (113.577, 22.271),
    "Hengqin": (113.52, 22.13),
    "Dandong": (124.37, 40.13),
    "Heihe": (127.49, 50.245),
    "Hekou": (103.94, 22.53),
    "Khorgos": (80.42, 44.2),
    "Suifenhe": (131.15, 44.4),
    "Xiamen": (118.09, 24.48),
    "Zhoushan": (122.2, 29.99),
    "Sanya": (109.51, 18.25),
    "Ruili": (97.86, 24.01),
    "Manzhouli": (117.43, 49.59),
    "Hong Kong": (114.169361, 22.319304),
    "Yuen Long": (114.03, 22.445),
    "Macau": (113.592, 22.15),
    "Taipei": (121.565418, 25.032969),
}


@pytest.mark.parametrize("place", OUTSIDE)
@pytest.mark.parametrize("datum", [Datum.GCJ02, Datum.BD09])
def test_abroad_every_datum_is_the_same(place: str, datum: Datum) -> None:
    lon, lat = OUTSIDE[place]
    for source, target in ((datum, Datum.WGS84), (Datum.WGS84, datum)):
        assert convert_point(lon_deg=lon, lat_deg=lat, source=source, target=target) == (lon, lat)


@pytest.mark.parametrize("place", INSIDE)
def test_chinese_cities_shift_by_a_few_hundred_metres(place: str) -> None:
    lon, lat = INSIDE[place]
    there = convert_point(lon_deg=lon, lat_deg=lat, source=Datum.WGS84, target=Datum.GCJ02)
    shift = geodesic_m(lon1_deg=lon, lat1_deg=lat, lon2_deg=there[0], lat2_deg=there[1])
    assert 60 < shift < 700


@settings(deadline=None)
@given(
    lon=st.floats(98, 119),
    lat=st.floats(30, 40),
    source=st.sampled_from(Datum),
    target=st.sampled_from(Datum),
)
def test_round_trip_is_exact(lon: float, lat: float, source: Datum, target: Datum) -> None:
    there = convert([lon], [lat], source=source, target=target)
    back = convert(*there, source=target, target=source)
    assert abs(back[0][0] - lon) < 1e-9
    assert abs(back[1][0] - lat) < 1e-9


@settings(max_examples=300, deadline=None)
@given(
    lon=st.floats(70, 140),
    lat=st.floats(15, 56),
    datum=st.sampled_from([Datum.GCJ02, Datum.BD09]),
)
def test_anywhere_a_round_trip_ends_where_it_began_and_abroad_nothing_moves(
    lon: float, lat: float, datum: Datum
) -> None:
    # Within a shift's width of the outline it is not defined on which side something began.
    assume(OUTLINE.boundary.distance(Point(lon, lat)) > 0.02)
    there = convert_point(lon_deg=lon, lat_deg=lat, source=Datum.WGS84, target=datum)
    back = convert_point(lon_deg=there[0], lat_deg=there[1], source=datum, target=Datum.WGS84)
    if OUTLINE.contains(Point(lon, lat)):
        shift_m = geodesic_m(lon1_deg=lon, lat1_deg=lat, lon2_deg=there[0], lat2_deg=there[1])
        assert 1 < shift_m < 2_000
        off_m = geodesic_m(lon1_deg=lon, lat1_deg=lat, lon2_deg=back[0], lat2_deg=back[1])
        assert off_m < 0.01
    else:
        assert there == back == (lon, lat)


def test_columns_convert_like_points() -> None:
    lon, lat = np.array([BEIJING[0], 24.945, 121.4737]), np.array([BEIJING[1], 60.17, 31.2304])
    columns = convert(lon, lat, source=Datum.WGS84, target=Datum.BD09)
    for i in range(3):
        one = convert_point(lon_deg=lon[i], lat_deg=lat[i], source=Datum.WGS84, target=Datum.BD09)
        assert one == (columns[0][i], columns[1][i])


def test_input_stays_as_it_was() -> None:
    lon, lat = np.array([BEIJING[0]]), np.array([BEIJING[1]])
    convert(lon, lat, source=Datum.GCJ02, target=Datum.WGS84)
    assert (lon[0], lat[0]) == BEIJING


def test_nothing_in_nothing_out() -> None:
    lon, lat = convert([], [], source=Datum.GCJ02, target=Datum.WGS84)
    assert len(lon) == len(lat) == 0


@pytest.mark.data
def test_published_city_vectors_agree_within_a_centimetre(reference_data: Path) -> None:
    with (reference_data / "gcj" / "wgs_gcj_bd.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert len(rows) == 16

    def column(name: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.array([float(r[name]) for r in rows])

    truth = {Datum.WGS84: "wgs", Datum.GCJ02: "gcj", Datum.BD09: "bd"}
    for source, source_name in truth.items():
        for target, target_name in truth.items():
            lon, lat = convert(
                column(f"{source_name}_lon"),
                column(f"{source_name}_lat"),
                source=source,
                target=target,
            )
            off = geodesics_m(
                lon1_deg=lon,
                lat1_deg=lat,
                lon2_deg=column(f"{target_name}_lon"),
                lat2_deg=column(f"{target_name}_lat"),
            )
            assert off.max() < 0.01, (source, target)
