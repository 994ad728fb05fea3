from dataclasses import replace

import pytest

from geo.distance import geodesic_m
from geo.fix import Fix, FixArray, to_epoch_s
from geo.policy import TrackPolicy
from geo.staypoints import Staypoint, detect_staypoints
from geo.trackpoints import select_trackpoints
from tests.geo.scenes import POST, fix, stay, walk


def stays(fixes: list[Fix], policy: TrackPolicy | None = None) -> tuple[Staypoint, ...]:
    policy = policy or TrackPolicy()
    track = select_trackpoints(FixArray.from_fixes(fixes), policy=policy)
    return detect_staypoints(track, policy=policy)


def test_centre_is_where_most_fixes_are() -> None:
    strays = [fix(10.5, 90.0), fix(20.5, 85.0), fix(30.5, 95.0)]
    (stop,) = stays([*stay(0, 40), *strays])
    off = geodesic_m(
        lon1_deg=stop.lon_deg, lat1_deg=stop.lat_deg, lon2_deg=POST[0], lat2_deg=POST[1]
    )
    assert off < 6
    assert stop.radius_m < 40


def test_stay_ends_at_its_last_fix_not_at_the_next_one() -> None:
    found = stays([*stay(0, 10), *stay(40, 50, east_m=3_000)])
    assert [(s.first, s.last) for s in found] == [(0, 9), (10, 19)]


def test_arriving_and_leaving_belong_to_the_trips() -> None:
    fixes = [*walk(0, 5, -500, 0), *stay(5, 35, jitter_m=4), *walk(35, 40, 0, 500)]
    (stop,) = stays(fixes)
    assert abs(stop.first - 15) <= 2
    assert abs(stop.last - 44) <= 2


@pytest.mark.parametrize(("minutes", "count"), [(4, 0), (7, 1)])
def test_a_stay_has_a_minimum(minutes: int, count: int) -> None:
    way = [*walk(0, 5, -600, 0), *stay(5, 5 + minutes, every_min=0.25)]
    assert len(stays([*way, *walk(5 + minutes, 10 + minutes, 0, 600)])) == count


def test_slow_walk_is_no_stay() -> None:
    assert stays(walk(0, 60, 0, 3_600)) == ()


def test_short_excursion_does_not_end_a_stay() -> None:
    out = [fix(20.5, 150), fix(21.0, 200), fix(21.4, 130)]
    (stop,) = stays([*stay(0, 21), *out, *stay(22, 40)])
    assert (stop.first, stop.last) == (0, 41)


def test_a_loop_past_the_place_before_going_is_way() -> None:
    def ride(start: float, metres: list[float]) -> list[Fix]:
        return [fix(start + i / 12, m, accuracy_m=4.0) for i, m in enumerate(metres)]

    loop = [40.0 * k for k in range(1, 7)]
    passing = [*loop, *loop[::-1], *([15.0] * 12), *[40.0 * k for k in range(60)]]
    (left,) = stays([*stay(0, 20, every_min=1 / 12), *ride(20, passing)])
    assert left.last <= 240  # not when it was passed again, two minutes later
    (came,) = stays([*ride(0, passing[::-1]), *stay(len(passing) / 12, 40, every_min=1 / 12)])
    assert came.first >= len(passing) - 6
    # Who comes back to stay was on an errand and stays at one place.
    (both,) = stays([*stay(0, 20), *ride(20, [*loop, *loop[::-1]]), *stay(21, 41)])
    assert (both.first, both.last) == (0, 51)


def test_two_stays_close_in_time_and_place_are_one() -> None:
    policy = replace(TrackPolicy(), stop_outlier_s=0.0)
    out = [fix(20.5, 150), fix(21.0, 200), fix(21.4, 130)]
    assert len(stays([*stay(0, 21), *out, *stay(22, 40)], policy)) == 1
    apart = replace(policy, stop_merge_s=0.0)
    assert len(stays([*stay(0, 21), *out, *stay(22, 40)], apart)) == 2


def test_first_fix_after_silence_may_be_farther_off() -> None:
    fixes = [*stay(0, 20), fix(500, 160.0), *walk(501, 520, 200, 3_000)]
    (stop,) = stays(fixes)
    assert stop.last == 20


def test_silence_beyond_the_bridge_parts_stays() -> None:
    assert len(stays([*stay(0, 20), *stay(1_500, 1_520)])) == 2


def test_a_stay_reaches_as_far_as_the_way_leaves_time_over() -> None:
    way = [fix(0, -6_000), fix(10, -3_000)]
    fixes = [*way, *stay(20, 40), fix(50, 3_000), fix(60, 6_000)]
    (stop,) = stays(fixes)
    seen_s = (to_epoch_s(fixes[2].fixed_at), to_epoch_s(fixes[21].fixed_at))
    assert seen_s[0] - 600 < stop.arrived_s <= seen_s[0]
    assert seen_s[1] <= stop.left_s < seen_s[1] + 660


def test_slow_going_with_waits_is_no_stay() -> None:
    going = [fix(i / 12, 55.0 * (i / 12)) for i in range(96)]  # under a metre a second
    assert stays(going) == ()


def test_a_single_stray_fix_ends_no_stay_however_rare_fixes_are() -> None:
    rare = [fix(10.0 * i) for i in range(12)]
    rare[6] = fix(60.0, 400.0)
    (stop,) = stays(rare)
    assert (stop.first, stop.last) == (0, 11)


def test_two_waits_of_a_slow_walker_are_no_stay() -> None:
    # A minute at each of two lights 90 m apart, at a fix every five seconds.
    def going(start: float, end: float, since_m: float, until_m: float) -> list[Fix]:
        count = round((end - start) * 12)
        return [
            fix(start + i / 12, since_m + (until_m - since_m) * i / count, accuracy_m=4.0)
            for i in range(count)
        ]

    fixes = [
        *going(0, 3, -250, 0),
        *going(3, 4.5, 0, 0.5),
        *going(4.5, 5.7, 0.5, 90),
        *going(5.7, 7.2, 90, 90.5),
        *going(7.2, 10, 90.5, 330),
    ]
    assert stays(fixes) == ()


def test_walking_out_of_a_silence_is_no_stay_before_it() -> None:
    fixes = [*walk(0, 5, -400, 0), *walk(14, 16, 150, 290), *walk(16, 25, 290, 1_000)]
    assert stays(fixes) == ()


def test_long_silence_is_a_stay_where_it_began_though_the_phone_woke_on_the_way() -> None:
    fixes = [*walk(0, 10, -3_000, 100), *walk(190, 210, 420, 3_000)]
    (stop,) = stays(fixes)
    off = geodesic_m(
        lon1_deg=stop.lon_deg, lat1_deg=stop.lat_deg, lon2_deg=POST[0], lat2_deg=POST[1]
    )
    assert off < 60
    assert to_epoch_s(fixes[0].fixed_at) + 9 * 60 < stop.arrived_s
    woke_s = to_epoch_s(fixes[30].fixed_at)
    assert woke_s - 600 < stop.left_s < woke_s - 60
    # Half an hour has room for going somewhere else instead.
    assert stays([*walk(0, 10, -3_000, 100), *walk(40, 60, 420, 3_000)]) == ()


def test_middle_is_where_a_silence_began_not_where_most_fixes_are() -> None:
    fixes = [*stay(0, 12, every_min=0.25), *stay(12, 15, east_m=80.0), *stay(500, 503, east_m=80.0)]
    (stop,) = stays(fixes)
    off = geodesic_m(
        lon1_deg=stop.lon_deg, lat1_deg=stop.lat_deg, lon2_deg=POST[0], lat2_deg=POST[1]
    )
    assert 60 < off < 100


def test_stray_fix_before_a_silence_does_not_move_the_middle() -> None:
    (stop,) = stays([*stay(0, 30), fix(30.5, 400.0, accuracy_m=190.0), *stay(200, 230)])
    off = geodesic_m(
        lon1_deg=stop.lon_deg, lat1_deg=stop.lat_deg, lon2_deg=POST[0], lat2_deg=POST[1]
    )
    assert off < 30
