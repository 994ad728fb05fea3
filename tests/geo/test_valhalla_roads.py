"""Real tiles of the packaged extract, built here."""

import hashlib
import random
from pathlib import Path

import numpy as np
import pytest

from fixtures.simulator.day import DayPlan, live_day
from fixtures.simulator.phone import DENSE, PhoneModel, measure
from fixtures.simulator.roads import LegalStreets, Mode, load_roads
from fixtures.tiles import build_tiles
from geo.distance import consecutive_m, geodesic_m
from geo.policy import TrackPolicy
from geo.roads import Profile, RoadsUnavailable
from geo.trajectory import Trip, reconstruct_day
from geo.valhalla_roads import ValhallaRoads

STATION, HARBOUR = (24.9414, 60.1709), (24.9520, 60.1680)


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiles(tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="module")
def roads(tiles: Path) -> ValhallaRoads:
    return ValhallaRoads(tiles)


def test_shortest_way_is_longer_than_the_straight_line(roads: ValhallaRoads) -> None:
    way = roads.shortest([STATION, HARBOUR], profile=Profile.PEDESTRIAN)
    assert way is not None
    straight = geodesic_m(
        lon1_deg=STATION[0], lat1_deg=STATION[1], lon2_deg=HARBOUR[0], lat2_deg=HARBOUR[1]
    )
    assert straight < way.length_m < 2 * straight
    path = np.array(way.path)
    assert consecutive_m(path[:, 0], path[:, 1]).sum() == pytest.approx(way.length_m, rel=0.02)


def test_where_no_road_is_there_is_no_answer(roads: ValhallaRoads) -> None:
    assert roads.shortest([(10.0, 0.0), (10.1, 0.0)], profile=Profile.AUTO) is None
    assert roads.shortest([STATION], profile=Profile.AUTO) is None
    nowhere = np.array([10.0, 10.001]), np.array([0.0, 0.0])
    times, exact = np.array([0.0, 60.0]), np.array([5.0, 5.0])
    assert roads.match(*nowhere, times, exact, profile=Profile.AUTO) is None
    alone = np.array([10.0])
    assert roads.match(alone, alone, alone, alone, profile=Profile.AUTO) is None


def test_a_day_on_foot_is_matched_and_no_worse_than_its_trace(tiles: Path) -> None:
    streets = load_roads(None, tiles)
    assert isinstance(streets, LegalStreets)
    plan = DayPlan(start_s=1_763_427_600.0, end_s=1_763_449_200.0, mode=Mode.WALK)
    quiet = PhoneModel(
        sampling=DENSE, silences=(0, 0), doze_share=0.0, killed_share=0.0, canyon_every_s=1e9
    )
    errors = {"roads": 0.0, "trace": 0.0}
    matched = 0
    for seed in range(3):
        day = live_day(plan, roads=streets, rng=random.Random(seed))
        fixes = measure(day, quiet, rng=np.random.default_rng(seed))
        for name, network in (("roads", streets.network), ("trace", None)):
            found = reconstruct_day(
                fixes, policy=TrackPolicy(), roads=network, profile=Profile.PEDESTRIAN
            )
            errors[name] += abs(found.distance.mid_m / day.length_m - 1.0)
            assert found.distance.low_m <= found.distance.mid_m <= found.distance.high_m
            matched += sum(bool(s.path) for s in found.segments if isinstance(s, Trip))
    assert matched > 0
    assert errors["roads"] < errors["trace"] + 0.06


def test_tiles_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RoadsUnavailable) as missing:
        ValhallaRoads(tmp_path / "tiles.tar")
    assert missing.value.code == "no_tiles"


def test_the_version_is_that_of_the_very_tiles(tiles: Path, roads: ValhallaRoads) -> None:
    assert roads.version == ValhallaRoads(tiles).version
    assert roads.version.program.startswith("Valhalla 3.")
    digest = hashlib.sha256(tiles.read_bytes()).hexdigest()
    assert roads.version.tiles == f"SHA-256 {digest}"
