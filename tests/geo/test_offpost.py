from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fix import Fix, Source
from geo.gaps import GapCause, Window
from geo.geofence import Geofence
from geo.policy import OffPostPolicy
from geo.presence import State
from tests.geo.scenes import (
    DUTY,
    FENCE,
    NINE,
    POST,
    fix,
    judge,
    left_for,
    minute,
    minutes_in,
    stay,
    walk,
)


def test_leaving_for_fifteen_minutes_is_one_absence() -> None:
    _, found = judge(left_for(15))
    assert len(found) == 1
    absence = found[0]
    assert abs(absence.start - minute(120)) < timedelta(minutes=1)
    assert absence.end is not None
    assert abs(absence.end - minute(135)) < timedelta(minutes=1.5)
    assert 280 < absence.max_distance_m < 340
    assert absence.margin_m > 0
    assert absence.confidence > 0.95
    assert absence.reasons == ("returned",)
    assert absence.duration_s == (absence.end - absence.start).total_seconds()


def test_alert_is_decided_by_the_first_fix_after_ten_minutes() -> None:
    fixes = left_for(15)
    (absence,) = judge(fixes)[1]
    assert timedelta(minutes=10) <= absence.decided_at - absence.start < timedelta(minutes=11)
    assert absence.decided_at in {f.fixed_at for f in fixes}
    just_before = absence.decided_at - timedelta(seconds=1)
    assert judge(fixes, as_of=just_before)[1] == ()
    (live,) = judge(fixes, as_of=absence.decided_at)[1]
    assert live.end is None
    assert live.reasons == ("open",)
    assert live.decided_at == absence.decided_at


def test_two_stray_fixes_in_different_directions_prove_nothing() -> None:
    rare = [fix(at) for at in range(0, 480, 10) if at not in {120, 130}]
    strays = [fix(120, 900.0, accuracy_m=5.0), fix(131, -700.0, accuracy_m=5.0)]
    assert judge([*rare, *strays])[1] == ()
    away = [fix(120, 900.0, accuracy_m=5.0), fix(131, 880.0, accuracy_m=5.0)]
    assert len(judge([*rare, *away])[1]) == 1
    third = fix(136, -100.0, 800.0, accuracy_m=5.0)
    assert len(judge([*rare, *strays, third])[1]) == 1


def test_leaving_for_seven_minutes_is_none() -> None:
    assert judge(left_for(7))[1] == ()


@pytest.mark.parametrize("every_s", [5, 10, 30, 60, 120])
def test_jumps_of_200_m_that_claim_2_m_are_none(every_s: int) -> None:
    fixes = stay(0, 480, every_min=every_s / 60)
    for i in range(0, len(fixes), 7):
        at = (fixes[i].fixed_at - NINE) / timedelta(minutes=1)
        fixes[i] = fix(at, 300.0, accuracy_m=2.0)
    presence, found = judge(fixes)
    assert found == ()
    assert minutes_in(presence, State.OUTSIDE) == 0


@pytest.mark.parametrize("run", [2, 3, 5, 20])
def test_runs_of_jumps_at_unreachable_speed_are_none(run: int) -> None:
    fixes = stay(0, 480, every_min=1 / 6)
    for first in range(100, len(fixes) - run, 300):
        for i in range(first, first + run):
            at = (fixes[i].fixed_at - NINE) / timedelta(minutes=1)
            fixes[i] = fix(at, 300.0 + i % 3, accuracy_m=2.0)
    presence, found = judge(fixes)
    assert found == ()
    assert minutes_in(presence, State.OUTSIDE) == 0


def test_wandering_indoors_with_poor_accuracy_is_none() -> None:
    fixes = stay(0, 480, jitter_m=60.0, accuracy_m=65.0)
    presence, found = judge(fixes)
    assert found == ()
    assert minutes_in(presence, State.INSIDE) > 470


def test_flapping_at_the_edge_keeps_the_state() -> None:
    at_door = [fix(i, 100.0 + (15 if i % 2 else -15)) for i in range(480)]
    presence, found = judge(at_door)
    assert found == ()
    assert [i.state for i in presence.intervals] == [State.INSIDE]


def test_standing_at_the_edge_after_work_outside_does_not_hide_the_absence() -> None:
    fixes = [*stay(0, 60), *stay(60, 75, east_m=400), *[fix(i, 110.0) for i in range(75, 90)]]
    (absence,) = judge(fixes, duty=[Window(NINE, minute(90))])[1]
    assert absence.start == minute(60)
    assert absence.confidence < 1.0


def test_silent_phone_is_a_gap_and_no_absence() -> None:
    presence, found = judge([*stay(0, 120), *stay(167, 480)])
    assert found == ()
    (gap,) = presence.gaps
    assert (gap.cause, gap.bridged) == (GapCause.SILENT, False)
    assert (gap.start, gap.end) == (minute(119), minute(167))
    assert minutes_in(presence, State.UNKNOWN) == 48


def test_silence_after_leaving_proves_nothing_more() -> None:
    left = [*stay(0, 120), *stay(120, 126, east_m=400)]
    presence, found = judge(left)
    assert found == ()
    assert presence.intervals[-1].state is State.UNKNOWN
    assert presence.intervals[-1].start == minute(125)

    longer = [*stay(0, 120), *stay(120, 140, east_m=400)]
    (absence,) = judge(longer)[1]
    assert absence.end == minute(139)
    assert absence.reasons == ("silence",)


def test_absence_counts_until_duty_ends() -> None:
    (absence,) = judge([*stay(0, 465), *stay(465, 500, east_m=400)])[1]
    assert (absence.start, absence.end) == (minute(465), DUTY.end)
    assert absence.reasons == ("duty_end",)


def test_settling_in_is_not_absence() -> None:
    late_by_14 = [*stay(0, 14, east_m=600), *stay(14, 480)]
    assert judge(late_by_14, off_post=OffPostPolicy(settle_s=600))[1] == ()
    (absence,) = judge(late_by_14)[1]
    assert absence.start == NINE


def test_excused_time_is_subtracted() -> None:
    fixes = left_for(60)
    whole = Window(minute(110), minute(190))
    assert judge(fixes, excused=[whole])[1] == ()
    first_half = Window(minute(100), minute(150))
    (absence,) = judge(fixes, excused=[first_half])[1]
    assert absence.start == minute(150)
    both = [Window(minute(125), minute(150)), Window(minute(145), minute(176)), first_half]
    assert judge(fixes, excused=both)[1] == ()


def test_excuse_in_the_middle_cuts_the_absence_in_two() -> None:
    found = judge(left_for(60), excused=[Window(minute(140), minute(150))])[1]
    assert [(a.reasons[0]) for a in found] == ["excused", "returned"]
    assert found[0].end == minute(140)
    assert found[1].start == minute(150)


def test_cell_fixes_alone_prove_no_absence_from_a_post_smaller_than_their_error() -> None:
    far = stay(60, 90, east_m=9_000, accuracy_m=2_000, source=Source.CELL, every_min=5)
    fixes = [*stay(0, 60), *far, *stay(90, 480)]
    assert judge(fixes)[1] == ()
    seen = fix(72.0, 9_000.0)
    assert len(judge([*fixes, seen])[1]) == 1


def test_cell_fixes_far_from_a_large_post_are_a_lower_grade() -> None:
    town = Geofence.circle(lon_deg=POST[0], lat_deg=POST[1], radius_m=3_000.0)
    far = stay(60, 90, east_m=9_000, accuracy_m=2_000, source=Source.CELL, every_min=5)
    (absence,) = judge([*stay(0, 60), *far, *stay(90, 480)], fence=town)[1]
    assert "cell_only" in absence.reasons
    assert absence.confidence <= 0.6


def test_cell_fixes_whose_circle_reaches_the_post_decide_nothing() -> None:
    near = stay(60, 120, east_m=1_500, accuracy_m=2_000, source=Source.CELL, every_min=5)
    presence, found = judge([*stay(0, 60), *near, *stay(120, 480)])
    assert found == ()
    assert minutes_in(presence, State.OUTSIDE) == 0
    assert [gap.cause for gap in presence.gaps] == [GapCause.COARSE]


def test_cell_position_without_accuracy_decides_nothing() -> None:
    fixes = stay(0, 480, east_m=30_000, accuracy_m=None, source=Source.CELL)
    presence, found = judge(fixes)
    assert found == ()
    assert minutes_in(presence, State.UNKNOWN) == 480


def test_mock_positions_are_no_evidence() -> None:
    away = [fix(i, 5_000.0, mock=True) for i in range(60, 120)]
    presence, found = judge([*stay(0, 60), *away, *stay(120, 480)])
    assert found == ()
    assert [gap.cause for gap in presence.gaps] == [GapCause.UNTRUSTED]


def test_pings_prove_nothing() -> None:
    pings = [fix(i, 400.0, trigger="p") for i in range(60, 120)]
    presence, found = judge([*stay(0, 60), *pings, *stay(120, 480)])
    assert found == ()
    assert [gap.cause for gap in presence.gaps] == [GapCause.NO_POSITION]


def test_night_shift_over_midnight() -> None:
    night = Window(minute(13 * 60), minute(21 * 60))
    fixes = [
        *stay(13 * 60, 17 * 60),
        *stay(17 * 60, 17 * 60 + 20, east_m=300),
        *stay(17 * 60 + 20, 21 * 60),
    ]
    (absence,) = judge(fixes, duty=[night])[1]
    assert absence.start == minute(17 * 60)
    assert absence.duration_s == 20 * 60


def test_two_windows_are_judged_apart() -> None:
    morning, afternoon = Window(NINE, minute(180)), Window(minute(240), minute(480))
    lunch = [*stay(0, 175), *stay(175, 245, east_m=500), *stay(245, 480)]
    presence, found = judge(lunch, duty=[morning, afternoon])
    assert found == ()
    assert sum(((i.end - i.start) for i in presence.intervals), timedelta()) == timedelta(hours=7)


def test_courtyard_of_a_polygon_is_outside() -> None:
    def ring(half_m: float) -> list[list[float]]:
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
        placed = [fix(0, half_m * x, half_m * y) for x, y in corners]
        return [[one.lon_deg, one.lat_deg] for one in placed]

    fence = Geofence.from_geojson({"type": "Polygon", "coordinates": [ring(500), ring(200)]})
    fixes = [*stay(0, 60, east_m=350), *stay(60, 90), *stay(90, 480, east_m=350)]
    (absence,) = judge(fixes, fence=fence)[1]
    assert absence.start == minute(60)
    assert 170 < absence.max_distance_m <= 200


def test_evidence_explains_and_repeats() -> None:
    (first,) = judge(left_for(15))[1]
    (again,) = judge(reversed(left_for(15)))[1]
    assert first.evidence.to_bytes() == again.evidence.to_bytes()
    assert first.evidence.thresholds["off_post"]["min_outside_s"] == 600.0
    assert first.evidence.figures["duration_s"] == first.duration_s
    assert set(first.fix_keys) <= {f.key for f in left_for(15)}


def test_many_proofs_are_thinned_but_keep_their_ends() -> None:
    fixes = [*stay(0, 60), *stay(60, 240, east_m=400), *stay(240, 480)]
    (absence,) = judge(fixes)[1]
    assert len(absence.fix_keys) == 50
    assert absence.evidence.inputs["fix_count"] == 180
    assert absence.fix_keys[0].startswith("m60.")
    assert absence.fix_keys[-1].startswith("m239.")


scene = st.lists(
    st.builds(
        fix,
        st.integers(-30, 520).map(lambda half: half / 1.0),
        st.sampled_from([0.0, 40.0, 95.0, 115.0, 140.0, 400.0, 3_000.0]),
        accuracy_m=st.sampled_from([None, 2.0, 15.0, 80.0, 150.0, 900.0, 2_500.0]),
        source=st.sampled_from(Source),
        trigger=st.sampled_from([None, None, None, "p"]),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(scene, st.randoms())
def test_order_and_duplicates_change_nothing(fixes: list[Fix], dice: object) -> None:
    shuffled = [*fixes, *fixes[: len(fixes) // 2]]
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert judge(fixes) == judge(shuffled)


@settings(max_examples=60, deadline=None)
@given(scene)
def test_time_after_the_window_changes_nothing(fixes: list[Fix]) -> None:
    assert judge(fixes) == judge(fixes, as_of=DUTY.end + timedelta(days=2))


@settings(max_examples=60, deadline=None)
@given(scene, st.integers(1, 479))
def test_the_present_knows_nothing_of_the_future(fixes: list[Fix], now: int) -> None:
    past = [f for f in fixes if f.fixed_at <= minute(now)]
    assert judge(fixes, as_of=minute(now)) == judge(past, as_of=minute(now))


@settings(max_examples=60, deadline=None)
@given(scene)
def test_absences_are_proven_by_fixes_outside(fixes: list[Fix]) -> None:
    presence, found = judge(fixes)
    for absence in found:
        proofs = [f for f in fixes if f.key in absence.fix_keys]
        assert len(proofs) >= 2
        for proof in proofs:
            off = FENCE.signed_distance_m(lon_deg=proof.lon_deg, lat_deg=proof.lat_deg)
            assert off > 20.0
        assert absence.decided_at - absence.start >= timedelta(minutes=10)
        assert any(
            i.state is State.OUTSIDE and i.start <= absence.start < i.end
            for i in presence.intervals
        )


def test_accuracy_too_good_to_be_true_is_not_believed() -> None:
    near = [fix(i, 122.0, accuracy_m=0.1) for i in range(60, 90)]
    assert judge([*stay(0, 60), *near, *stay(90, 480)])[1] == ()


def test_walking_home_slowly_is_seen() -> None:
    (absence,) = judge([*stay(0, 400), *walk(400, 480, 0.0, 4_000.0)])[1]
    assert minute(401) < absence.start < minute(405)
