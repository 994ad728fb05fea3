from datetime import timedelta

from hypothesis import given, settings

from geo.fix import Fix, FixArray, Source
from geo.gaps import GapCause, GapSign, Window, detect_gaps
from geo.policy import PresencePolicy
from geo.presence import CrossingKind, State, crossings, detect_presence
from tests.geo.scenes import DUTY, FENCE, NINE, fix, judge, minute, minutes_in, stay
from tests.geo.test_offpost import scene


def test_unknown_until_the_first_evidence() -> None:
    presence, _ = judge([*stay(5, 480)])
    assert [i.state for i in presence.intervals] == [State.UNKNOWN, State.INSIDE]
    assert presence.intervals[1].start == minute(5)
    assert presence.gaps == ()


def test_fix_shortly_before_duty_speaks_for_its_start() -> None:
    presence, _ = judge([fix(-10), *stay(4, 480)])
    assert presence.intervals[0].state is State.INSIDE
    assert presence.intervals[0].start == NINE


def test_fix_of_the_evening_before_says_nothing_about_the_morning() -> None:
    presence, _ = judge([fix(-600), *stay(4, 480)])
    assert presence.intervals[0].state is State.UNKNOWN


def test_no_fix_at_all_is_unknown_and_a_gap() -> None:
    presence, found = judge([])
    assert [i.state for i in presence.intervals] == [State.UNKNOWN]
    assert presence.coverage == 0.0
    assert [(g.start, g.end, g.cause) for g in presence.gaps] == [
        (DUTY.start, DUTY.end, GapCause.SILENT)
    ]
    assert found == ()


def test_short_silence_inside_is_inferred_and_still_reported() -> None:
    presence, _ = judge([*stay(0, 100), *stay(125, 480)])
    assert {i.state for i in presence.intervals} == {State.INSIDE}
    assert [i.inferred for i in presence.intervals] == [False, True, False]
    assert [g.bridged for g in presence.gaps] == [True]
    assert 0.94 < presence.coverage < 0.95


def test_short_silence_outside_is_not_inferred() -> None:
    presence, _ = judge([*stay(0, 100, east_m=400), *stay(125, 480, east_m=400)])
    assert minutes_in(presence, State.UNKNOWN) == 26


def test_one_fix_outside_is_not_an_exit() -> None:
    presence, _ = judge([*stay(0, 100), fix(100, 400.0), *stay(101, 480)])
    assert minutes_in(presence, State.OUTSIDE) == 0


def test_a_fix_at_the_edge_does_not_make_the_second_of_two() -> None:
    presence, _ = judge([*stay(0, 100), fix(100, 400.0), fix(102, 110.0), *stay(103, 480)])
    assert minutes_in(presence, State.OUTSIDE) == 0


def test_two_fixes_outside_are_an_exit_from_the_first_of_them() -> None:
    presence, _ = judge([*stay(0, 100), fix(100, 400.0), fix(101, 410.0), *stay(102, 480)])
    assert [(i.state, i.start) for i in presence.intervals] == [
        (State.INSIDE, NINE),
        (State.OUTSIDE, minute(100)),
        (State.INSIDE, minute(102)),
    ]


def test_coverage_is_the_observed_share() -> None:
    presence, _ = judge(stay(0, 240))
    assert abs(presence.coverage - 239 / 480) < 1e-9


def test_windows_after_as_of_are_not_judged() -> None:
    later = Window(minute(600), minute(700))
    presence, _ = judge(stay(0, 100), duty=[DUTY, later], as_of=minute(60))
    assert presence.intervals[-1].end == minute(60)


def test_gap_causes() -> None:
    drained = [*stay(0, 59), fix(59, battery_pct=3)]
    assert [g.cause for g in judge(drained)[0].gaps] == [GapCause.BATTERY]
    coarse = [*stay(0, 60), fix(90, 0.0, accuracy_m=3_000, source=Source.CELL), *stay(110, 480)]
    assert [g.cause for g in judge(coarse)[0].gaps] == [GapCause.COARSE]


def test_a_sign_names_the_cause() -> None:
    columns = FixArray.from_fixes([*stay(0, 60), *stay(200, 480)])
    signs = [
        GapSign(minute(61), GapCause.OFFLINE),
        GapSign(minute(70), GapCause.OFF),
        GapSign(minute(300), GapCause.OFFLINE),
    ]
    policy = PresencePolicy()
    gaps = detect_gaps(columns, [DUTY], policy=policy, as_of=DUTY.end, signs=signs)
    assert [(g.start, g.end, g.cause) for g in gaps] == [(minute(59), minute(200), GapCause.OFF)]
    presence = detect_presence(columns, FENCE, [DUTY], policy=policy, as_of=DUTY.end, signs=signs)
    assert presence.gaps == gaps


def test_gaps_need_no_fence() -> None:
    columns = FixArray.from_fixes([*stay(0, 60, east_m=90_000), *stay(90, 480)])
    gaps = detect_gaps(columns, [DUTY], policy=PresencePolicy(), as_of=minute(80))
    assert [(g.start, g.end) for g in gaps] == [(minute(59), minute(80))]


@settings(max_examples=80, deadline=None)
@given(scene)
def test_intervals_tile_the_window(fixes: list[Fix]) -> None:
    presence, _ = judge(fixes)
    assert presence.intervals[0].start == DUTY.start
    assert presence.intervals[-1].end == DUTY.end
    for before, after in zip(presence.intervals, presence.intervals[1:], strict=False):
        assert before.end == after.start
        assert (before.state, before.inferred) != (after.state, after.inferred)
    assert all(i.start < i.end for i in presence.intervals)
    assert 0.0 <= presence.coverage <= 1.0


@settings(max_examples=80, deadline=None)
@given(scene)
def test_unknown_time_longer_than_allowed_is_reported_as_gap(fixes: list[Fix]) -> None:
    presence, _ = judge(fixes)
    longest = timedelta(seconds=presence.policy.max_gap_s)
    for gap in presence.gaps:
        inside = [i for i in presence.intervals if i.start < gap.end and gap.start < i.end]
        assert gap.bridged or {i.state for i in inside} == {State.UNKNOWN}
        assert DUTY.start <= gap.start < gap.end <= DUTY.end
        # A gap that began before duty is cut to it and may be shorter inside.
        assert gap.end - gap.start > longest or gap.start == DUTY.start


def test_grazing_the_edge_is_no_return() -> None:
    away = stay(0, 60, east_m=160.0, jitter_m=2.0)
    grazed = [*away[:30], fix(30.2, 97.0), fix(30.6, 98.0), *away[31:]]
    states = [i.state for i in judge(grazed, duty=(Window(NINE, minute(60)),))[0].intervals]
    assert states == [State.OUTSIDE]
    came = [*away[:30], *stay(30, 60, east_m=90.0, jitter_m=2.0)]
    (_, back) = judge(came, duty=(Window(NINE, minute(60)),))[0].intervals
    assert back.state is State.INSIDE
    assert abs(back.start - minute(30)) < timedelta(minutes=1)


def test_a_fix_just_inside_starts_the_count_of_an_absence_again() -> None:
    away = stay(0, 14, east_m=160.0, jitter_m=2.0)
    grazed = [*away[:7], fix(7.2, 97.0), *away[8:]]
    window = (Window(NINE, minute(14)),)
    assert len(judge(away, duty=window)[1]) == 1
    assert judge(grazed, duty=window)[1] == ()
    longer = [*grazed, *stay(14, 25, east_m=160.0, jitter_m=2.0)]
    (absence,) = judge(longer, duty=(Window(NINE, minute(25)),))[1]
    assert absence.start == minute(7.2)


def passing(*fixes: Fix) -> list[tuple[CrossingKind, float]]:
    presence, _ = judge(fixes, duty=(Window(NINE, minute(60)),))
    return [(c.kind, (c.at - NINE).total_seconds()) for c in crossings(presence)]


def line(*parts: tuple[float, float, float], every_s: float = 5.0) -> list[Fix]:
    """Fixes of somebody so many metres east of the middle from one second to another."""
    made = []
    for start_s, end_s, east_m in parts:
        count = round((end_s - start_s) / every_s)
        made += [fix((start_s + i * every_s) / 60, east_m, accuracy_m=8.0) for i in range(count)]
    return made


def test_an_excursion_counts_from_a_minute_on_in_both_directions() -> None:
    leave, enter = CrossingKind.LEAVE, CrossingKind.ENTER
    assert passing(*line((0, 600, 70), (600, 655, 132), (655, 1200, 70))) == []
    out = line((0, 600, 70), (600, 665, 132), (665, 1200, 70))
    assert passing(*out) == [(leave, 600), (enter, 665)]
    assert passing(*line((0, 600, 132), (600, 655, 70), (655, 1200, 132))) == []
    back = line((0, 600, 132), (600, 665, 70), (665, 1200, 132))
    assert passing(*back) == [(enter, 600), (leave, 665)]


def test_walking_along_the_edge_is_neither_leaving_nor_coming_back() -> None:
    edge = [(600 + 20 * i, 620 + 20 * i, 100 + (18 if i % 2 else -18)) for i in range(8)]
    assert passing(*line((0, 600, 70), *edge, (760, 1200, 70))) == []
    assert passing(*line((0, 600, 132), *edge, (760, 1200, 132))) == []


def test_staying_just_inside_the_edge_is_a_return_after_five_minutes() -> None:
    short = line((0, 600, 132), (600, 890, 92), (890, 1500, 132))
    assert passing(*short) == []
    long = line((0, 600, 132), (600, 910, 92), (910, 1500, 132))
    assert passing(*long) == [(CrossingKind.ENTER, 600), (CrossingKind.LEAVE, 910)]


def test_a_rare_fix_well_inside_is_believed_until_the_next_one_outside() -> None:
    out, back = [fix(m, 300) for m in range(0, 21, 5)], [fix(m, 300) for m in range(30, 60, 5)]
    presence, _ = judge([*out, fix(25, 0), *back], duty=(Window(NINE, minute(60)),))
    assert [(i.state, i.start) for i in presence.intervals] == [
        (State.OUTSIDE, NINE),
        (State.UNKNOWN, minute(25)),
        (State.OUTSIDE, minute(30)),
    ]
    live, _ = judge([*out, fix(25, 0)], duty=(Window(NINE, minute(60)),), as_of=minute(26))
    assert live.intervals[-1].state is State.INSIDE


def test_a_return_that_falls_silent_is_unknown_from_its_first_fix() -> None:
    fixes = line((0, 1200, 300), (1200, 1240, 0))
    presence, found = judge(fixes, duty=(Window(NINE, minute(60)),))
    assert [(i.state, i.start) for i in presence.intervals] == [
        (State.OUTSIDE, NINE),
        (State.UNKNOWN, minute(20)),
    ]
    assert [(a.end, a.reasons) for a in found] == [(minute(20), ("returned",))]
    stayed, _ = judge([*fixes, fix(45, 0)], duty=(Window(NINE, minute(60)),))
    assert [(i.state, i.inferred) for i in stayed.intervals] == [
        (State.OUTSIDE, False),
        (State.INSIDE, False),
        (State.INSIDE, True),
        (State.INSIDE, False),
    ]


def test_a_crossing_that_fell_into_silence_is_none() -> None:
    assert passing(*line((0, 600, 0)), *line((1800, 2400, 300))) == []


def test_probability_follows_distance_and_accuracy() -> None:
    def of(east_m: float, accuracy_m: float) -> float:
        fixes = [fix(m, east_m, accuracy_m=accuracy_m) for m in range(10)]
        presence, _ = judge(fixes, duty=(Window(NINE, minute(10)),))
        (interval,) = presence.intervals
        assert interval.probability is not None
        return interval.probability

    assert of(0.0, 12.0) > 0.999
    assert of(160.0, 12.0) > 0.999
    assert 0.8 < of(92.0, 12.0) < 0.9
    assert of(0.0, 150.0) < of(0.0, 80.0) < of(0.0, 30.0)


@settings(max_examples=80, deadline=None)
@given(scene)
def test_what_was_seen_has_a_probability_and_nothing_else(fixes: list[Fix]) -> None:
    presence, _ = judge(fixes)
    for interval in presence.intervals:
        seen = interval.state is not State.UNKNOWN and not interval.inferred
        assert (interval.probability is not None) == seen
        assert interval.probability is None or 0.0 <= interval.probability <= 1.0
