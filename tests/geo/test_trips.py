import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.distance import LocalPlane, geodesic_m
from geo.policy import TrackPolicy
from geo.trips import DistanceInterval, detour, gap_distance, trip_distance

PLANE = LocalPlane(114.06, 22.54)
POLICY = TrackPolicy()


def length(
    east: list[float], north: list[float], *, every_s: float, accuracy_m: float = 5.0
) -> DistanceInterval:
    lon, lat = PLANE.inverse(east, north)
    t = np.arange(len(lon), dtype=np.float64) * every_s
    return trip_distance(t, lon, lat, np.full(len(lon), accuracy_m), policy=POLICY)


def test_straight_line() -> None:
    found = length([i * 10.0 for i in range(101)], [0.0] * 101, every_s=1)
    assert found.low_m == pytest.approx(1_000, rel=1e-4)
    assert found.mid_m == pytest.approx(1_000, rel=5e-3)
    # What nobody can know is three in a hundred even of a straight line.
    assert found.high_m == pytest.approx(1_030, rel=5e-3)


@pytest.mark.parametrize("speed_mps", [1.4, 5.0, 15.0])
def test_noise_does_not_lengthen_the_middle(speed_mps: float) -> None:
    dice = random.Random(7)
    count = 1_200
    east = [i * speed_mps + dice.gauss(0, 3) for i in range(count)]
    north = [dice.gauss(0, 3) for _ in range(count)]
    found = length(east, north, every_s=1)
    true = (count - 1) * speed_mps
    assert found.mid_m == pytest.approx(true, rel=0.12)
    assert found.low_m == pytest.approx(true, rel=0.02)
    assert found.low_m <= found.mid_m <= found.high_m


def test_waiting_at_a_light_adds_nothing() -> None:
    dice = random.Random(3)
    drive = [i * 12.0 for i in range(60)]
    wait = [drive[-1] + dice.gauss(0, 2) for _ in range(120)]
    on = [drive[-1] + i * 12.0 for i in range(60)]
    east = [*drive, *wait, *on]
    found = length(east, [0.0] * len(east), every_s=1)
    assert found.mid_m == pytest.approx(118 * 12.0, rel=0.02)


def test_sparse_steps_leave_room_above() -> None:
    found = length([0, 600, 600], [0, 0, 600], every_s=60)
    assert found.low_m == pytest.approx(1_200, rel=1e-3)
    # Streets bend between fixes a minute apart, the more where the line turns.
    assert 1_200 * 1.05 < found.mid_m < 1_200 * 1.25
    assert found.mid_m < found.high_m < 1_200 * 1.5


def test_way_is_never_shorter_than_its_chord_and_longer_the_longer_nobody_looked() -> None:
    steps = np.array([1.0, 10.0, 60.0, 300.0, 3_600.0])
    chords = 5.0 * steps
    straight = detour(chords, steps, np.zeros(6), POLICY)
    turning = detour(chords, steps, np.full(6, 1.0), POLICY)
    assert (straight >= 1.0).all()
    assert (np.diff(straight) > 0).all()
    assert (turning > straight).all()
    assert turning.max() < 1.7
    # The same minute hides less of the corners of who walks than of who rides.
    walked, ridden = (
        detour(np.array([m]), np.array([60.0]), np.ones(2), POLICY) for m in (80, 400)
    )
    assert walked < ridden


def test_a_corner_between_two_fixes_is_where_the_lines_before_and_after_meet() -> None:
    chord = np.hypot(30.0, 20.0)
    first = np.arctan2(20.0, 30.0)
    turns = np.array([0.0, first, np.pi / 2 - first, 0.0])
    factor = detour(np.array([50.0, chord, 50.0]), np.full(3, 5.0), turns, POLICY)
    hidden = 50.0 / chord - 1.0
    assert factor[1] - 1.0 == pytest.approx(POLICY.corner_share * hidden, rel=0.1)
    # A bend that goes on is none: its chords are nearly as long as itself.
    arc = detour(np.full(9, 50.0), np.full(9, 5.0), np.r_[0, np.full(8, 0.2), 0], POLICY)
    assert arc[4] < 1.01


@given(turns=st.lists(st.floats(-np.pi, np.pi), min_size=2, max_size=2))
def test_a_way_is_as_long_there_as_back_and_on_the_other_side(turns: list[float]) -> None:
    chord, step = np.array([40.0, 90.0, 30.0]), np.array([5.0, 20.0, 8.0])
    turn = np.array([0.0, *turns, 0.0])
    there = detour(chord, step, turn, POLICY)
    assert there == pytest.approx(detour(chord, step, -turn, POLICY))
    assert there == pytest.approx(detour(chord[::-1], step[::-1], turn[::-1], POLICY)[::-1])


def test_a_circuit_is_not_its_straight_line() -> None:
    angle = np.linspace(0, 2 * np.pi, 181)
    found = length((300 * np.cos(angle)).tolist(), (300 * np.sin(angle)).tolist(), every_s=1)
    assert found.mid_m == pytest.approx(2 * np.pi * 300, rel=0.02)
    assert found.low_m > 1_700


def test_too_short_to_have_a_length() -> None:
    one = np.zeros(1)
    assert trip_distance(one, one, one, one, policy=POLICY) == DistanceInterval()


def test_gap_is_at_least_the_straight_line_less_accuracy() -> None:
    assert gap_distance(1_000, 50, policy=POLICY) == DistanceInterval(950, 1_200, 1_650)
    assert gap_distance(30, 50, policy=POLICY).low_m == 0.0


def test_intervals_add() -> None:
    assert DistanceInterval(1, 2, 3) + DistanceInterval(10, 20, 30) == DistanceInterval(11, 22, 33)


def test_across_the_antimeridian() -> None:
    lon = np.array([179.99, 179.995, -180.0, -179.995, -179.99])
    found = trip_distance(np.arange(5.0) * 60, lon, np.zeros(5), np.full(5, 5.0), policy=POLICY)
    true = geodesic_m(lon1_deg=179.99, lat1_deg=0, lon2_deg=-179.99, lat2_deg=0)
    assert found.low_m == pytest.approx(true, rel=1e-6)


def test_network_fixes_between_satellite_ones_do_not_lengthen_the_way() -> None:
    t = np.arange(60, dtype=np.float64) * 10.0
    east, north = t * 1.4, np.zeros(60)
    accuracy = np.full(60, 5.0)
    coarse = np.arange(3, 57, 4)
    north[coarse], accuracy[coarse] = 45.0, 50.0
    lon, lat = PLANE.inverse(east, north)
    found = trip_distance(t, lon, lat, accuracy, policy=POLICY)
    assert found.mid_m == pytest.approx(590 * 1.4, rel=0.05)
    # Where nothing finer is near, coarse fixes are what there is.
    alone = trip_distance(t, lon, lat, np.full(60, 50.0), policy=POLICY)
    assert alone.mid_m >= 590 * 1.4
