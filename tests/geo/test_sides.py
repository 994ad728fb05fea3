import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.fix import FixArray, QualityFlag, Source
from geo.geofence import Geofence
from geo.policy import PresencePolicy
from geo.sides import (
    INSIDE,
    OUTSIDE,
    UNDECIDED,
    credible,
    edge_buffer_m,
    judge_sides,
    surely_inside,
)
from tests.geo.scenes import FENCE, POST, fix

# The fence has a radius of 100 m, so the edge buffer is the least one, 20 m.


@pytest.mark.parametrize(
    ("east_m", "accuracy_m", "source", "side"),
    [
        (0, 10, Source.GPS, INSIDE),
        (99, 10, Source.GPS, INSIDE),
        (101, 10, Source.GPS, UNDECIDED),
        (129, 10, Source.GPS, UNDECIDED),
        (131, 10, Source.GPS, OUTSIDE),
        (131, 10, Source.WIFI, OUTSIDE),
        (219, 180, Source.GPS, UNDECIDED),  # credited with the cap of 100 m
        (221, 180, Source.GPS, OUTSIDE),
        (400, 300, Source.GPS, UNDECIDED),  # coarse: the whole circle has to be out
        (421, 300, Source.GPS, OUTSIDE),
        (0, 300, Source.GPS, UNDECIDED),  # coarse: the whole circle has to be in
        (0, 90, Source.CELL, INSIDE),
        (0, 1_000, Source.CELL, UNDECIDED),
        (1_100, 1_000, Source.CELL, UNDECIDED),
        (1_121, 1_000, Source.CELL, OUTSIDE),
        (1_121, 1_000, Source.LBS, OUTSIDE),
        (50_000, None, Source.CELL, UNDECIDED),
        (50_000, None, Source.UNKNOWN, UNDECIDED),
        (131, None, Source.GPS, OUTSIDE),
        (129, None, Source.GPS, UNDECIDED),
    ],
)
def test_side_of_one_fix(
    east_m: float, accuracy_m: float | None, source: Source, side: int
) -> None:
    one = FixArray.from_fixes([fix(0, east_m, accuracy_m=accuracy_m, source=source)])
    found = judge_sides(one, FENCE, policy=PresencePolicy())
    assert found.side.tolist() == [side]
    assert (found.margin_m[0] > 0) == (side == OUTSIDE)


def test_undecided_fine_fix_is_evidence_and_undecided_coarse_one_is_silence() -> None:
    two = FixArray.from_fixes([fix(0, 115.0), fix(1, 500.0, accuracy_m=900, source=Source.CELL)])
    assert judge_sides(two, FENCE, policy=PresencePolicy()).evidence.tolist() == [True, False]


@pytest.mark.parametrize(
    ("east_m", "accuracy_m", "source", "flags", "sure"),
    [
        (20, 12, Source.GPS, QualityFlag.NONE, True),
        (20, 12, Source.WIFI, QualityFlag.LATE, True),
        (87, 12, Source.GPS, QualityFlag.NONE, True),
        (89, 12, Source.GPS, QualityFlag.NONE, False),  # the circle reaches over the edge
        (96, 1, Source.GPS, QualityFlag.NONE, False),  # nobody is as good as 1 m
        (0, 99, Source.GPS, QualityFlag.NONE, True),
        (0, 101, Source.GPS, QualityFlag.NONE, False),
        (0, None, Source.GPS, QualityFlag.NONE, False),
        (0, 12, Source.CELL, QualityFlag.NONE, False),
        (0, 12, Source.GPS, QualityFlag.MOCK, False),
    ],
)
def test_what_shows_somebody_inside_beyond_doubt(
    east_m: float, accuracy_m: float | None, source: Source, flags: QualityFlag, *, sure: bool
) -> None:
    one = FixArray.from_fixes([fix(0, east_m, accuracy_m=accuracy_m, source=source, flags=flags)])
    wide = Geofence.circle(lon_deg=POST[0], lat_deg=POST[1], radius_m=102.0)
    fence = wide if accuracy_m is not None and accuracy_m > 90 else FENCE
    assert surely_inside(one, fence, policy=PresencePolicy()).tolist() == [sure]


@given(
    east_m=st.floats(-300, 300),
    accuracy_m=st.one_of(st.none(), st.floats(0.1, 400)),
    source=st.sampled_from(Source),
    cap_m=st.floats(0, 400),
)
def test_surely_inside_never_contradicts_the_judgement(
    east_m: float, accuracy_m: float | None, source: Source, cap_m: float
) -> None:
    policy = PresencePolicy(accuracy_cap_m=cap_m)
    one = FixArray.from_fixes([fix(0, east_m, accuracy_m=accuracy_m, source=source)])
    sure = surely_inside(one, FENCE, policy=policy)
    sides = judge_sides(one, FENCE, policy=policy)
    assert not sure[0] or (sides.side[0] == INSIDE and sides.evidence[0])
    assert not sure[0] or credible(one, policy=policy)[0]


def test_buffer_grows_with_the_circle() -> None:
    policy = PresencePolicy()
    wide = Geofence.circle(lon_deg=POST[0], lat_deg=POST[1], radius_m=1_000)
    assert edge_buffer_m(FENCE, policy=policy) == 20.0
    assert edge_buffer_m(wide, policy=policy) == 100.0
