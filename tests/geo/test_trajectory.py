from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import geodesic_m
from geo.fix import Fix, FixArray, Source
from geo.gaps import Gap, GapCause
from geo.policy import TrackPolicy
from geo.trajectory import Segment, Stop, Trajectory, Trip, reconstruct_day
from tests.geo.scenes import NINE, POST, fix, minute, stay, walk


def day_of(fixes: list[Fix], **span: object) -> Trajectory:
    columns = FixArray.from_fixes(fixes)
    return reconstruct_day(columns, policy=TrackPolicy(), **span)  # type: ignore[arg-type]


def kinds(day: Trajectory) -> list[type[Segment]]:
    return [type(s) for s in day.segments]


VISIT = [
    *stay(0, 60),
    *walk(60, 75, 0.0, 1_500.0),
    *stay(75, 120, east_m=1_500.0),
    *walk(120, 135, 1_500.0, 0.0),
    *stay(135, 180),
]


def test_a_visit_and_back() -> None:
    day = day_of(VISIT)
    assert kinds(day) == [Stop, Trip, Stop, Trip, Stop]
    first, out, there, _, _ = day.segments
    assert isinstance(first, Stop)
    assert isinstance(out, Trip)
    assert isinstance(there, Stop)
    off = geodesic_m(
        lon1_deg=first.lon_deg, lat1_deg=first.lat_deg, lon2_deg=POST[0], lat2_deg=POST[1]
    )
    assert off < 15
    assert first.radius_m < 60
    assert abs(there.start - minute(74)) < timedelta(minutes=1.5)
    assert abs(there.end - minute(121)) < timedelta(minutes=1.5)
    # What is walked inside the circle of a stop belongs to the stop.
    assert 1_250 < out.distance.mid_m < 1_560
    assert day.coverage == 1.0


def test_jitter_of_a_day_at_the_desk_is_one_stop_without_distance() -> None:
    day = day_of(stay(0, 480, jitter_m=15.0))
    assert kinds(day) == [Stop]
    assert day.distance.high_m == 0.0


def test_spikes_do_not_break_a_stop() -> None:
    fixes = stay(0, 120)
    fixes[40] = fix(40, 900.0, accuracy_m=2.0)
    day = day_of(fixes)
    assert kinds(day) == [Stop]


def test_silent_night_at_one_place_is_inferred_stay() -> None:
    day = day_of([*stay(0, 20), *stay(600, 620)])
    (stop,) = day.segments
    assert isinstance(stop, Stop)
    assert stop.inferred_s == 581 * 60
    assert stop.observed_s == (stop.end - stop.start).total_seconds() - stop.inferred_s
    assert day.coverage == pytest.approx(38 / 619, abs=1e-9)


def test_silence_between_places_is_a_gap_that_has_a_distance() -> None:
    day = day_of([*stay(0, 30), *stay(150, 180, east_m=20_000.0)])
    assert kinds(day) == [Stop, Gap, Stop]
    gap = day.segments[1]
    assert isinstance(gap, Gap)
    assert (gap.start, gap.end, gap.cause) == (minute(29), minute(150), GapCause.SILENT)
    assert 19_000 < day.distance.low_m < 20_010
    assert day.distance.mid_m == pytest.approx(24_000, rel=0.01)


def test_gap_with_only_cell_fixes_says_so() -> None:
    cells = [fix(60 + i, 10_000, accuracy_m=1_500, source=Source.CELL) for i in range(10)]
    day = day_of([*stay(0, 30), *cells, *stay(150, 180, east_m=20_000.0)])
    gap = day.segments[1]
    assert isinstance(gap, Gap)
    assert gap.cause is GapCause.COARSE


def test_cell_only_day_is_one_gap() -> None:
    day = day_of([fix(i, 100.0 * i, accuracy_m=1_500, source=Source.CELL) for i in range(30)])
    assert kinds(day) == [Gap]
    assert day.distance.high_m == 0.0
    assert day.coverage == 0.0


def test_given_span_is_tiled_with_gaps_at_both_ends() -> None:
    day = day_of(stay(60, 120), start=NINE, end=minute(240))
    assert kinds(day) == [Gap, Stop, Gap]
    assert (day.segments[0].start, day.segments[-1].end) == (NINE, minute(240))
    outside_span = day_of([*stay(-60, -30), *stay(60, 120)], start=NINE, end=minute(240))
    assert outside_span.segments == day.segments


def test_nothing_is_nothing() -> None:
    assert day_of([]).segments == ()
    assert day_of([fix(0)]).segments == ()
    given = day_of([], start=NINE, end=minute(60))
    assert kinds(given) == [Gap]


def test_rejected_fixes_are_counted() -> None:
    fixes = stay(0, 30, every_min=1 / 6)
    fixes[90] = fix(15, 250.0, accuracy_m=2.0)
    assert day_of([*fixes, fix(20.05, mock=True)]).flags == {"mock": 1, "displaced": 1}


legs = st.lists(
    st.tuples(
        st.integers(1, 40),
        st.sampled_from([0.0, 30.0, 150.0, 1_000.0, 9_000.0]),
        st.sampled_from([0.2, 1.0, 4.0, 15.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


def played(plan: list[tuple[int, float, float, bool]]) -> list[Fix]:
    """Fixes of a random day: stays and ways, dense and sparse, with silence between."""
    fixes: list[Fix] = []
    now, here = 0.0, 0.0
    for minutes, there, every, silent in plan:
        if silent:
            now += minutes
        count = max(int(minutes / every), 1)
        for i in range(count):
            wobble = (i * 7 % 5) - 2.0
            fixes.append(fix(now + i * every, here + (there - here) * i / count + wobble))
        now += count * every
        here = there
    return fixes


@settings(max_examples=60, deadline=None)
@given(legs, st.randoms())
def test_order_and_copies_change_nothing(
    plan: list[tuple[int, float, float, bool]], dice: object
) -> None:
    fixes = played(plan)
    shuffled = [*fixes, *fixes[::2]]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    once, again = day_of(fixes), day_of(shuffled)
    assert once.segments == again.segments
    assert once.distance == again.distance
    assert once.flags == again.flags


def ends_of(day: Trajectory, number: int) -> list[tuple[float, float]]:
    """Where a trip begins and ends: in the middle of a stop beside it, else at its fixes."""
    trip = day.segments[number]
    assert isinstance(trip, Trip)
    fixes = day.track.fixes
    ends = [(float(fixes.lon_deg[k]), float(fixes.lat_deg[k])) for k in (trip.first, trip.last)]
    for end, beside in enumerate((number - 1, number + 1)):
        if 0 <= beside < len(day.segments):
            neighbour = day.segments[beside]
            if isinstance(neighbour, Stop):
                ends[end] = (neighbour.lon_deg, neighbour.lat_deg)
    return ends


@settings(max_examples=60, deadline=None)
@given(legs)
def test_segments_tile_and_distances_are_possible(
    plan: list[tuple[int, float, float, bool]],
) -> None:
    day = day_of(played(plan))
    if not day.segments:
        return
    assert day.start == day.segments[0].start
    assert day.end == day.segments[-1].end
    for before, after in zip(day.segments, day.segments[1:], strict=False):
        assert before.end == after.start
    total = 0.0
    for number, segment in enumerate(day.segments):
        assert segment.start < segment.end
        if isinstance(segment, Trip):
            (lon1, lat1), (lon2, lat2) = ends_of(day, number)
            straight = geodesic_m(lon1_deg=lon1, lat1_deg=lat1, lon2_deg=lon2, lat2_deg=lat2)
            d = segment.distance
            assert straight - 1e-3 <= d.low_m <= d.mid_m <= d.high_m
            total += d.mid_m
        if isinstance(segment, Stop):
            length = (segment.end - segment.start).total_seconds()
            assert length >= 300
            assert segment.observed_s + segment.inferred_s == pytest.approx(length)
    assert day.distance.mid_m >= total - 1e-6
    assert 0.0 <= day.coverage <= 1.0


@settings(max_examples=30, deadline=None)
@given(legs)
def test_again_on_its_own_track_is_the_same(plan: list[tuple[int, float, float, bool]]) -> None:
    day = day_of(played(plan))
    if not day.track.displaced:
        again = reconstruct_day(day.track.fixes, policy=TrackPolicy())
        assert again.segments == day.segments
