from datetime import timedelta

import pytest

from geo.fix import Fix, FixArray
from geo.gaps import Gap
from geo.policy import TrackPolicy
from geo.trajectory import Trajectory, Trip, reconstruct_day
from tests.geo.scenes import NINE, fix, stay
from tests.geo.test_ways import Town


def reconstruct(fixes: list[Fix], *, roads: bool = True) -> Trajectory:
    return reconstruct_day(
        FixArray.from_fixes(fixes),
        policy=TrackPolicy(),
        start=NINE,
        end=NINE + timedelta(hours=2),
        roads=Town() if roads else None,
    )


ROUND_THE_CORNER = [
    *stay(0, 30, jitter_m=3),
    fix(31, 700),
    fix(38, 4_000, 2_000),
    fix(40, 4_000, 3_300),
    *[fix(43 + k, 4_000, 4_000) for k in range(60)],
]
"""Four kilometres east and four north between two stays, seen three times on the way."""


def test_rare_fixes_are_measured_along_roads() -> None:
    found = reconstruct(ROUND_THE_CORNER)
    assert found.distance.mid_m == pytest.approx(8_000, rel=0.005)
    assert found.distance.low_m <= found.distance.mid_m <= found.distance.high_m
    alone = reconstruct(ROUND_THE_CORNER, roads=False)
    assert abs(alone.distance.mid_m - 8_000) > 2 * abs(found.distance.mid_m - 8_000)
    assert any(s.path for s in found.segments if isinstance(s, Trip))


def test_a_silence_on_the_way_has_its_part_of_the_way() -> None:
    silent = [f for f in ROUND_THE_CORNER if f.fixed_at < NINE + timedelta(minutes=31, seconds=1)]
    silent += [fix(60, 4_000, 3_300), fix(62, 4_000, 3_700), *stay(63, 100, east_m=4_000)]
    silent = [f for f in silent if f.fixed_at < NINE + timedelta(minutes=63)]
    silent += [fix(63 + k, 4_000, 4_000) for k in range(40)]
    found = reconstruct(silent)
    assert any(isinstance(s, Gap) for s in found.segments)
    seen = sum(s.distance.mid_m for s in found.segments if isinstance(s, Trip))
    assert 700 < seen < 2_500
    assert found.distance.mid_m == pytest.approx(8_000, rel=0.01)


def test_dense_fixes_leave_no_room_for_a_way_round() -> None:
    across_the_park = [fix(k / 6, 100 + 15 * k, 100 + 15 * k) for k in range(100)]
    found = reconstruct(across_the_park)
    assert all(not s.path for s in found.segments if isinstance(s, Trip))
    assert found.distance.mid_m == pytest.approx(99 * 15 * 2**0.5, rel=0.03)
