import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.cell_footprint import AreaRecord, CellPolicy, CellRecord
from geo.cell_identity import CellId, Radio, network_code
from geo.cells import CellPlace, CellSeen, CellUnknown, locate_cells
from geo.distance import destination, geodesic_m

NOW_S = 1_790_000_000.0
DAY_S = 86_400.0
LTE = network_code(Radio.LTE, mcc=460, mnc=0)
HOME = (114.05, 22.54)


def record(
    cell: int,
    *,
    east_m: float = 0.0,
    area: int = 100,
    range_m: float | None = 500.0,
    samples: int = 100,
    age_days: float = 10.0,
    source: str = "table:1",
) -> CellRecord:
    lon, lat = destination(lon_deg=HOME[0], lat_deg=HOME[1], azimuth_deg=90, distance_m=east_m)
    return CellRecord(
        network=LTE,
        area=area,
        cell=cell,
        lon_deg=lon,
        lat_deg=lat,
        range_m=range_m,
        samples=samples,
        updated_s=NOW_S - age_days * DAY_S,
        source=source,
    )


def seen(
    cell: int | None,
    *,
    area: int | None = 100,
    radio: Radio | None = Radio.LTE,
    signal_dbm: float | None = None,
    age_s: float | None = None,
    serving: bool | None = None,
) -> CellSeen:
    return CellSeen(
        radio=radio,
        mcc=460,
        mnc=0,
        area=area,
        cell=cell,
        signal_dbm=signal_dbm,
        age_s=age_s,
        serving=serving,
    )


def locate(
    cells: list[CellSeen], records: list[CellRecord], areas: list[AreaRecord] | None = None
) -> CellPlace | CellUnknown:
    return locate_cells(cells, records=records, areas=areas or [], now_s=NOW_S)


def place(
    cells: list[CellSeen], records: list[CellRecord], areas: list[AreaRecord] | None = None
) -> CellPlace:
    found = locate(cells, records, areas)
    assert isinstance(found, CellPlace)
    return found


def east_of_home_m(found: CellPlace) -> float:
    away_m = geodesic_m(
        lon1_deg=HOME[0], lat1_deg=HOME[1], lon2_deg=found.lon_deg, lat2_deg=found.lat_deg
    )
    return away_m if found.lon_deg >= HOME[0] else -away_m


def test_one_cell_is_its_own_place_with_its_reach() -> None:
    found = place([seen(1)], [record(1), record(2, east_m=900)])
    assert east_of_home_m(found) == pytest.approx(0.0, abs=0.01)
    assert found.used == (CellId(LTE, 100, 1),)
    assert found.accuracy_m >= 500
    assert not found.is_area


def test_a_cell_seldom_surveyed_is_a_wide_circle() -> None:
    many = place([seen(1)], [record(1, range_m=400, samples=5_000)])
    few = place([seen(1)], [record(1, range_m=7, samples=2)])
    once = place([seen(1)], [record(1, range_m=None, samples=1)])
    assert many.accuracy_m == pytest.approx(402, abs=1)
    assert few.accuracy_m > 900
    assert once.accuracy_m > 1_000


def test_no_circle_is_smaller_than_the_floor() -> None:
    tiny = place([seen(1)], [record(1, range_m=3, samples=1_000_000)])
    assert tiny.accuracy_m == CellPolicy().floor_m


def test_several_cells_meet_between_them_and_narrow_the_circle() -> None:
    records = [record(1), record(2, east_m=600)]
    found = place([seen(1), seen(2)], records)
    assert 250 < east_of_home_m(found) < 350
    assert set(found.used) == {CellId(LTE, 100, 1), CellId(LTE, 100, 2)}


def test_a_strong_signal_draws_and_an_old_one_counts_less() -> None:
    records = [record(1), record(2, east_m=600)]
    even = east_of_home_m(place([seen(1), seen(2)], records))
    strong = east_of_home_m(place([seen(1, signal_dbm=-110), seen(2, signal_dbm=-70)], records))
    stale = east_of_home_m(place([seen(1), seen(2, age_s=40)], records))
    serving = east_of_home_m(place([seen(1), seen(2, serving=True)], records))
    assert strong > even + 100
    assert stale < even - 50
    assert serving > even + 50


def test_the_circle_grows_with_the_age_of_what_was_heard() -> None:
    now = place([seen(1)], [record(1)])
    then = place([seen(1, age_s=60)], [record(1)])
    assert then.accuracy_m == pytest.approx(now.accuracy_m + 600)
    old = locate([seen(1, age_s=7_200)], [record(1)])
    assert old == CellUnknown(reason="stale", dropped={"stale": 1})


def test_the_cluster_with_more_evidence_wins_and_the_rest_is_named() -> None:
    records = [record(1), record(2, east_m=400), record(3, east_m=50_000)]
    found = place([seen(1), seen(2), seen(3)], records)
    assert 0 <= east_of_home_m(found) <= 400
    assert found.notes == ("left_out",)
    assert found.dropped == {"left_out": 1}


def test_an_unknown_cell_in_a_known_area_is_an_area() -> None:
    area = AreaRecord(LTE, 100, *HOME, radius_m=9_000.0, cells=40)
    found = place([seen(77)], [record(1)], [area])
    assert found.is_area
    assert found.accuracy_m == 9_000
    assert found.used == (CellId(LTE, 100, None),)
    assert place([seen(None)], [], [area]).is_area


def test_a_known_cell_is_never_answered_with_its_area() -> None:
    area = AreaRecord(LTE, 100, *HOME, radius_m=300.0, cells=40)
    assert not place([seen(1), seen(77)], [record(1)], [area]).is_area


def test_the_area_of_the_serving_cell_is_taken() -> None:
    areas = [AreaRecord(LTE, 100, *HOME, 5_000.0, 9), AreaRecord(LTE, 200, 120.0, 30.0, 900.0, 9)]
    found = place([seen(8, serving=True), seen(9, area=200)], [], areas)
    assert found.used == (CellId(LTE, 100, None),)


def test_nothing_known_is_an_answer_with_its_reason() -> None:
    assert locate([], []) == CellUnknown(reason="no_cells")
    assert locate([seen(5)], []) == CellUnknown(reason="not_found")
    bad = locate([seen(268_435_455), seen(3, area=0)], [])
    assert bad == CellUnknown(
        reason="cell_invalid", dropped={"cell_reserved": 1, "area_reserved": 1}
    )


def test_an_invalid_tower_is_dropped_and_the_rest_answers() -> None:
    found = place([seen(1), seen(2_147_483_647)], [record(1)])
    assert found.dropped == {"cell_reserved": 1}


def test_a_cell_whose_area_was_drawn_anew_is_known_still() -> None:
    assert place([seen(1, area=555)], [record(1)]).used == (CellId(LTE, 100, 1),)
    assert place([seen(1, area=None)], [record(1)]).used == (CellId(LTE, 100, 1),)
    both = [record(1), record(1, area=555, east_m=60_000)]
    assert place([seen(1, area=555)], both).used == (CellId(LTE, 555, 1),)


def test_two_tables_that_agree_are_one_cell() -> None:
    found = place([seen(1)], [record(1), record(1, east_m=200, source="learned")])
    assert found.notes == ()
    assert 50 < east_of_home_m(found) < 150


def test_a_cell_in_two_cities_is_a_conflict_as_wide_as_the_spread() -> None:
    found = place([seen(1)], [record(1), record(1, east_m=80_000, source="table:2")])
    assert found.notes == ("conflict",)
    assert found.accuracy_m >= 80_000


def test_a_cell_that_moved_is_where_it_was_last() -> None:
    old = record(1, age_days=400)
    new = record(1, east_m=80_000, age_days=5, source="table:2")
    found = place([seen(1)], [old, new])
    assert found.notes == ("moved",)
    assert east_of_home_m(found) == pytest.approx(80_000, rel=0.01)


def test_a_cell_heard_across_a_country_says_so() -> None:
    found = place([seen(1)], [record(1, range_m=300_000)])
    assert found.notes == ("conflict",)
    assert found.accuracy_m == 300_000


def test_a_phone_that_names_no_radio_is_found_by_its_numbers() -> None:
    assert place([seen(1, radio=None)], [record(1)]).used == (CellId(LTE, 100, 1),)


@settings(deadline=None)
@given(st.randoms(use_true_random=False))
def test_order_never_matters(shuffle: random.Random) -> None:
    records = [
        record(1), record(1, east_m=300, source="learned"), record(2, east_m=500),
        record(3, east_m=70_000), record(3, east_m=90_000, source="learned"),
    ]  # fmt: skip
    heard = [seen(1, signal_dbm=-90), seen(1, signal_dbm=-80), seen(2), seen(3), seen(9)]
    expected = locate(heard, records)
    shuffle.shuffle(records)
    shuffle.shuffle(heard)
    assert locate(heard, records) == expected


@settings(deadline=None)
@given(
    east_m=st.lists(st.floats(0, 3_000), min_size=2, max_size=6),
    ranges=st.lists(st.floats(50, 5_000), min_size=6, max_size=6),
)
def test_the_answer_lies_among_its_cells_and_is_no_better_than_they_allow(
    east_m: list[float], ranges: list[float]
) -> None:
    records = [
        record(i + 1, east_m=e, range_m=r)
        for i, (e, r) in enumerate(zip(east_m, ranges, strict=False))
    ]
    found = place([seen(r.cell) for r in records], records)
    used = [r for r in records if r.name in found.used]
    assert min(r.lon_deg for r in used) - 1e-9 <= found.lon_deg
    assert found.lon_deg <= max(r.lon_deg for r in used) + 1e-9
    assert found.accuracy_m >= CellPolicy().floor_m


def test_the_antimeridian_is_no_border() -> None:
    west = CellRecord(network=LTE, area=1, cell=1, lon_deg=179.999, lat_deg=0.0, range_m=500,
                      samples=99, source="a")  # fmt: skip
    east = CellRecord(network=LTE, area=1, cell=1, lon_deg=-179.999, lat_deg=0.0, range_m=500,
                      samples=99, source="b")  # fmt: skip
    found = place([seen(1, area=1)], [west, east])
    assert abs(abs(found.lon_deg) - 180.0) < 0.001
    assert found.accuracy_m < 1_000
