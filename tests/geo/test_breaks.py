from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from geo.breaks import charge_breaks, used_s
from geo.fix import Fix
from geo.gaps import Window
from geo.offpost import OffPostInterval
from geo.policy import OffPostPolicy
from geo.presence import Presence, State
from tests.geo.scenes import DUTY, judge, left_for, minute, stay
from tests.geo.test_offpost import scene


def budget(minutes: float, *, settle_s: float = 0.0) -> OffPostPolicy:
    return OffPostPolicy(break_budget_s=60.0 * minutes, settle_s=settle_s)


def charged(
    presence: Presence, policy: OffPostPolicy, excused: list[Window] | None = None
) -> list[tuple[float, float]]:
    spans = charge_breaks(presence, DUTY, excused=excused or [], policy=policy)
    return [((w.start - DUTY.start) / minute_s, (w.end - DUTY.start) / minute_s) for w in spans]


minute_s = timedelta(minutes=1)


def outside_twice() -> list[Fix]:
    return [
        *stay(0, 60),
        *stay(60, 80, east_m=400),
        *stay(80, 200),
        *stay(200, 240, east_m=400),
        *stay(240, 480),
    ]


def test_time_outside_is_charged_in_time_order_until_the_budget_is_used_up() -> None:
    presence, _ = judge(outside_twice())
    assert charged(presence, budget(10)) == [(60, 70)]
    assert charged(presence, budget(30)) == [(60, 80), (200, 210)]
    assert charged(presence, budget(90)) == [(60, 80), (200, 240)]
    assert charged(presence, budget(0)) == []


def test_an_absence_begins_where_the_budget_is_used_up_and_needs_its_dwell_from_there() -> None:
    fixes = outside_twice()
    assert [a.start for a in judge(fixes)[1]] == [minute(60), minute(200)]
    (absence,) = judge(fixes, off_post=budget(28))[1]
    assert absence.start == minute(208)
    assert absence.decided_at == minute(218)
    assert absence.duration_s == 32 * 60
    # Of 40 minutes the last 9 are not borne: too short for the dwell limit of ten.
    assert judge(fixes, off_post=budget(51))[1] == ()


def test_evidence_shows_which_spans_used_the_budget() -> None:
    (absence,) = judge(outside_twice(), off_post=budget(28))[1]
    assert absence.evidence.figures["break_used_s"] == 28 * 60
    assert absence.evidence.inputs["breaks"] == (
        Window(minute(60), minute(80)),
        Window(minute(200), minute(208)),
    )
    assert absence.evidence.thresholds["off_post"]["break_budget_s"] == 28 * 60


def test_settling_in_and_excused_time_cost_nothing() -> None:
    late = [*stay(0, 20, east_m=600), *stay(20, 100), *stay(100, 160, east_m=600), *stay(160, 480)]
    presence, _ = judge(late)
    outing = [Window(minute(110), minute(130))]
    assert charged(presence, budget(25, settle_s=600.0), outing) == [
        (10, 20),
        (100, 110),
        (130, 135),
    ]


def test_silence_costs_nothing() -> None:
    presence, _ = judge([*stay(0, 60), *stay(60, 75, east_m=400), *stay(130, 480, east_m=400)])
    assert charged(presence, budget(20)) == [(60, 74), (130, 136)]


def test_parts_of_a_shift_share_its_budget() -> None:
    presence, _ = judge(outside_twice())
    policy = budget(30)
    first = charge_breaks(presence, Window(DUTY.start, minute(100)), policy=policy)
    both = charge_breaks(presence, Window(minute(100), DUTY.end), policy=policy, before=first)
    assert both == charge_breaks(presence, DUTY, policy=policy)


def test_each_window_of_duty_has_a_budget_of_its_own() -> None:
    halves = [Window(DUTY.start, minute(150)), Window(minute(150), DUTY.end)]
    assert judge(outside_twice(), duty=halves, off_post=budget(39))[1] == ()


def outside_s(presence: Presence) -> float:
    spans = (i.end - i.start for i in presence.intervals if i.state is State.OUTSIDE)
    return sum(s.total_seconds() for s in spans)


budgets = st.floats(0, 300).map(lambda m: round(m, 2))


@settings(max_examples=80, deadline=None)
@given(scene, budgets)
def test_what_is_borne_and_what_counts_are_all_the_time_outside(
    fixes: list[Fix], minutes: float
) -> None:
    presence, found = judge(fixes, off_post=budget(minutes))
    borne = charge_breaks(presence, DUTY, policy=budget(minutes))
    assert abs(used_s(borne) - min(minutes * 60, outside_s(presence))) < 1e-3
    for window in borne:
        assert any(
            i.state is State.OUTSIDE and i.start <= window.start and window.end <= i.end
            for i in presence.intervals
        )
    for absence in found:
        assert absence.end is not None
        assert all(b.end <= absence.start for b in borne)
    counted = sum(absence.duration_s for absence in found)
    assert counted <= outside_s(presence) - used_s(borne) + 1e-3


def spans(found: tuple[OffPostInterval, ...]) -> list[tuple[object, object]]:
    return [(a.start, a.end) for a in found]


@settings(max_examples=80, deadline=None)
@given(scene, budgets, budgets)
def test_a_larger_budget_adds_no_absence(fixes: list[Fix], one: float, other: float) -> None:
    small, large = (judge(fixes, off_post=budget(m))[1] for m in sorted((one, other)))
    for absence in large:
        assert any(a.start <= absence.start and a.end == absence.end for a in small)
    assert len(large) <= len(small)


@settings(max_examples=40, deadline=None)
@given(scene, budgets, st.randoms())
def test_order_changes_nothing(fixes: list[Fix], minutes: float, dice: object) -> None:
    shuffled = list(fixes)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    policy = budget(minutes)
    assert judge(fixes, off_post=policy) == judge(shuffled, off_post=policy)


def test_without_a_budget_nothing_is_said_of_it() -> None:
    (absence,) = judge(left_for(15))[1]
    assert "breaks" not in absence.evidence.inputs
    assert "break_used_s" not in absence.evidence.figures
