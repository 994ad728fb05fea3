"""Ways in a town of straight streets, a block every two hundred metres."""

import itertools
import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import FloatArray, consecutive_m
from geo.roads import Matched, Profile, RoadsVersion
from geo.ways import Trace, find_way, steers
from tests.geo.scenes import PLANE

BLOCK_M = 200.0
Spot = tuple[float, float]
"""Metres east and north."""


class Town:
    """Leads east first and then north, from corner to corner; matches nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.version = RoadsVersion("squares", "1")

    def shortest(
        self, places: list[Spot], *, profile: Profile, near_m: Sequence[float] = ()
    ) -> Matched | None:
        del profile, near_m
        self.asked += 1
        corners = [_corner(place) for place in places]
        line = [corners[0]]
        for (x, y), (east, north) in itertools.pairwise(corners):
            line += [(east, y), (east, north)] if (x, y) != (east, north) else []
        metres = np.abs(np.diff(np.array(line), axis=0)).sum()
        return Matched(float(metres), _degrees(line))

    def match(
        self,
        lon_deg: FloatArray,
        lat_deg: FloatArray,
        epoch_s: FloatArray,
        accuracy_m: FloatArray,
        *,
        profile: Profile,
    ) -> Matched | None:
        del lon_deg, lat_deg, epoch_s, accuracy_m, profile
        return None


class Straight(Town):
    """Leads straight on, and says that it is so many times as long."""

    def __init__(self, longer: float = 1.0) -> None:
        super().__init__()
        self.longer = longer

    def shortest(
        self, places: list[Spot], *, profile: Profile, near_m: Sequence[float] = ()
    ) -> Matched | None:
        del profile, near_m
        lon, lat = np.array(places).T
        return Matched(float(consecutive_m(lon, lat).sum()) * self.longer, tuple(places))


def _corner(place: Spot) -> Spot:
    east, north = PLANE.forward(*place)
    return (
        float(np.round(east[0] / BLOCK_M) * BLOCK_M),
        float(np.round(north[0] / BLOCK_M) * BLOCK_M),
    )


def _degrees(spots: Sequence[Spot]) -> tuple[Spot, ...]:
    lon, lat = PLANE.inverse(*np.array(spots).T)
    return tuple(zip(lon.tolist(), lat.tolist(), strict=True))


def trace(spots: Sequence[Spot], every_s: float = 60.0, accuracy_m: float = 8.0) -> Trace:
    lon, lat = PLANE.inverse(*np.array(spots, dtype=float).T)
    return Trace(
        lon_deg=lon,
        lat_deg=lat,
        epoch_s=np.arange(len(spots), dtype=np.float64) * every_s,
        accuracy_m=np.full(len(spots), accuracy_m),
    )


def length(spots: Sequence[Spot], **how: float) -> float:
    way = find_way(trace(spots, **how), roads=Town(), profile=Profile.AUTO)
    assert way is not None
    assert (np.diff(way.at_m) >= 0).all()
    return float(way.at_m[-1])


def test_rare_fixes_on_the_shortest_way_are_explained_by_it_with_few_questions() -> None:
    town = Town()
    seen = trace([(0, 0), (610, 5), (1_000, 405), (1_000, 1_000)])
    way = find_way(seen, roads=town, profile=Profile.AUTO)
    assert way is not None
    assert way.at_m == pytest.approx([0, 610, 1_405, 2_000], abs=20)
    assert town.asked == 3  # from the nearest road, and from any within two distances


class OneWay(Town):
    """The nearest road to a door is one way: who asks for no other goes far round."""

    def shortest(
        self, places: list[Spot], *, profile: Profile, near_m: Sequence[float] = ()
    ) -> Matched | None:
        way = super().shortest(places, profile=profile, near_m=near_m)
        assert way is not None
        (x, y), (east, north) = (_corner(places[0]), _corner(places[-1]))
        if near_m[0] > 0.0:
            return way
        round_ = [(x, y), (x, y - 1_000), (east, y - 1_000), (east, north)]
        metres = np.abs(np.diff(np.array(round_, dtype=float), axis=0)).sum()
        return Matched(float(metres), _degrees(round_))


def test_a_door_faces_every_road_beside_it() -> None:
    way = find_way(
        trace([(0, 10), (200, 0), (400, 0), (600, 5)]), roads=OneWay(), profile=Profile.AUTO
    )
    assert way is not None
    assert way.at_m[-1] == pytest.approx(615, abs=1)


def test_a_way_much_less_likely_than_a_line_is_none() -> None:
    ends: list[Spot] = [(0, 0), (200, 0), (400, 0), (600, 0)]
    far = Straight(longer=20.0)
    assert find_way(trace(ends), roads=far, profile=Profile.AUTO) is not None
    assert find_way(trace(ends), roads=far, profile=Profile.AUTO, line_m=610.0) is None


def test_a_fix_elsewhere_asks_for_a_way_past_it() -> None:
    north_first = [(0, 0), (0, 400), (0, 800), (400, 1_000), (1_000, 1_000)]
    assert length(north_first) == pytest.approx(2_000, abs=1)
    around = [(0, 0), (400, 0), (400, -600), (1_000, -600), (1_000, 0)]
    assert length(around) == pytest.approx(2_200, abs=1)


def test_a_single_error_of_measurement_makes_no_detour() -> None:
    straight: list[Spot] = [(float(x), 0.0) for x in range(0, 3_001, 100)]
    straight[14] = (1_400.0, 500.0)
    assert length(straight, every_s=10.0) == pytest.approx(3_000, abs=1)


def test_the_way_counts_from_door_to_door() -> None:
    assert length([(0, 20), (500, 0), (1_000, -30)]) == pytest.approx(1_050, abs=1)


def test_a_trace_off_the_roads_has_no_way() -> None:
    park = [(100.0, 100.0 + 200.0 * k) for k in range(9)]
    assert find_way(trace(park), roads=Town(), profile=Profile.PEDESTRIAN) is None
    assert find_way(trace([(0, 0)]), roads=Town(), profile=Profile.AUTO) is None


def test_marked_fixes_have_a_place_however_vague_they_are() -> None:
    seen = trace([(0, 0), (500, 60), (1_000, 0)])
    seen.accuracy_m[1] = 80.0
    assert steers(seen) == [0, 1, 2]  # nothing better came for a minute
    way = find_way(seen, roads=Town(), profile=Profile.AUTO, marks=[1])
    assert way is not None
    assert way.at_m[1] == pytest.approx(500, abs=20)
    assert way.between(0, 1)[0] == way.path[0]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=2, max_size=12))
def test_a_way_is_never_shorter_than_the_straight_line(corners: list[tuple[int, int]]) -> None:
    spots = [(x * BLOCK_M, y * BLOCK_M) for x, y in corners]
    way = find_way(trace(spots, every_s=300.0), roads=Town(), profile=Profile.AUTO)
    if way is not None:
        (x, y), (east, north) = spots[0], spots[-1]
        assert way.at_m[-1] >= np.hypot(east - x, north - y) - 1.0
        assert (np.diff(way.at_m) >= 0).all()


def test_a_long_drive_takes_no_more_memory_than_a_short_one() -> None:
    count = 12_000
    along_m = np.linspace(0.0, 600_000.0, count)
    lon, lat = PLANE.inverse(along_m, np.zeros(count))
    trace = Trace(lon_deg=lon, lat_deg=lat, epoch_s=along_m / 25.0, accuracy_m=np.full(count, 10.0))
    assert 20 < len(steers(trace)) * 600_000.0 / 15.0 < 4_400_000
    tracemalloc.start()
    way = find_way(trace, roads=Straight(), profile=Profile.AUTO)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert way is not None
    assert way.at_m[-1] == pytest.approx(600_000.0, rel=0.01)
    assert peak < 400 * 1024 * 1024


def test_a_way_absurdly_longer_than_its_trace_is_none() -> None:
    lon, lat = PLANE.inverse(np.linspace(0.0, 40_000.0, 800), np.zeros(800))
    trace = Trace(
        lon_deg=lon, lat_deg=lat, epoch_s=np.arange(800.0) * 10, accuracy_m=np.full(800, 10.0)
    )
    assert find_way(trace, roads=Straight(longer=1e4), profile=Profile.AUTO) is None
