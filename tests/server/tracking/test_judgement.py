from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from geo.distance import destination
from geo.fix import Fix, FixArray, Source
from geo.geofence import Geofence
from geo.policy import OffPostPolicy, Policy
from geo.verdict import canonical_json
from server.findings.rules import DayKey, FindingDraft, FindingKind, FindingState
from server.posts.queries import DutyWindow, ExcusalKind, ExcusalView, FenceVersion
from server.tracking.facts import DayFacts
from server.tracking.judgement import DayVerdict, Tile, judge_day
from server.tracking.rules import LiveThresholds, PresenceState

NINE = datetime(2026, 11, 18, 1, 0, tzinfo=UTC)
SIX = NINE + timedelta(hours=9)
LON_DEG, LAT_DEG = 121.4737, 31.2304
POST = UUID(int=3)
KEY = DayKey(1, UUID(int=1), date(2026, 11, 18))


def at(minute: float) -> datetime:
    return NINE + timedelta(minutes=minute)


def fix(minute: float, east_m: float, *, accuracy_m: float = 8.0) -> Fix:
    lon, lat = destination(lon_deg=LON_DEG, lat_deg=LAT_DEG, azimuth_deg=90.0, distance_m=east_m)
    return Fix(
        fixed_at=at(minute),
        lon_deg=lon,
        lat_deg=lat,
        accuracy_m=accuracy_m,
        source=Source.GPS,
        key=f"{minute:012.3f}",
    )


def window(start: datetime = NINE, end: datetime = SIX) -> DutyWindow:
    grace = timedelta(minutes=10)
    return DutyWindow(
        tenant_id=1,
        employee_id=KEY.employee_id,
        roster_entry_id=UUID(int=2),
        work_on=KEY.work_on,
        starts_at=start,
        ends_at=end,
        opens_at=start - grace,
        closes_at=end + grace,
        post_id=POST,
    )


def fence(version: int = 1, *, since: datetime = NINE, radius_m: float = 100.0) -> FenceVersion:
    return FenceVersion(
        post_id=POST,
        version_id=UUID(int=10 + version),
        version=version,
        valid_from_at=since - timedelta(days=1) if version == 1 else since,
        valid_until_at=None,
        geofence=Geofence.circle(lon_deg=LON_DEG, lat_deg=LAT_DEG, radius_m=radius_m),
        grace_s=600,
        buffer_m=None,
    )


def facts(*fixes: Fix) -> DayFacts:
    return DayFacts(
        key=KEY,
        windows=[window()],
        fences={POST: [fence()]},
        excusals=[],
        fixes=FixArray.from_fixes(fixes),
        signs=[],
        policy=Policy(),
        thresholds=LiveThresholds(),
    )


def outing(start: datetime, end: datetime) -> ExcusalView:
    return ExcusalView(
        id=UUID(int=7),
        tenant_id=1,
        employee_id=KEY.employee_id,
        kind=ExcusalKind.OUTING,
        starts_at=start,
        ends_at=end,
        note=None,
    )


def test_before_duty_nothing_is_derived() -> None:
    verdict = judge_day(facts(fix(-5, 0)), as_of=NINE)
    assert verdict.as_of_at is None
    assert (verdict.tiles, verdict.drafts, verdict.summary) == ((), (), {})


def test_tiles_cover_duty_up_to_the_watermark() -> None:
    verdict = judge_day(facts(*[fix(m, 0) for m in range(0, 100, 5)]), as_of=at(97))
    assert verdict.tiles[0].starts_at == NINE
    assert verdict.tiles[-1].ends_at == at(97)
    assert not verdict.final


def test_a_tile_says_how_probable_its_state_is_by_distance_and_accuracy() -> None:
    def first_tile(east_m: float, accuracy_m: float) -> Tile:
        fixes = [fix(m, east_m, accuracy_m=accuracy_m) for m in range(0, 60, 5)]
        return judge_day(facts(*fixes), as_of=at(57)).tiles[0]

    deep, vague, edge = first_tile(0, 8), first_tile(0, 60), first_tile(92, 8)
    assert {t.state for t in (deep, vague, edge)} == {PresenceState.INSIDE}
    assert deep.probability == 1.0
    for worse in (vague, edge):
        assert worse.probability is not None
        assert 0.5 < worse.probability < deep.probability
    silent = judge_day(facts(*[fix(m, 0) for m in range(0, 60, 5)]), as_of=at(200)).tiles[-1]
    assert silent.state is PresenceState.UNKNOWN
    assert silent.probability is None


def test_a_watermark_past_the_end_changes_nothing_more() -> None:
    known = facts(*[fix(m, 0 if m < 300 else 500) for m in range(0, 540, 7)])
    first, later = (judge_day(known, as_of=SIX + timedelta(hours=h)) for h in (0, 48))
    assert first.final
    assert first == later


def out_then_silent() -> list[Fix]:
    return [fix(m, 0 if m < 60 else 400) for m in range(0, 91, 3)]


def absences(verdict: DayVerdict) -> list[FindingDraft]:
    return [d for d in verdict.drafts if d.kind is FindingKind.OFF_POST]


def test_switching_the_phone_off_closes_no_alert() -> None:
    known = facts(*out_then_silent())
    for minute in (95, 120, 400, 539):
        verdict = judge_day(known, as_of=at(minute))
        [found] = absences(verdict)
        assert (found.state, found.starts_at) == (FindingState.OPEN, at(60))
        assert verdict.current is not None
        assert verdict.current.finding_id == found.id
    [found] = absences(judge_day(known, as_of=at(539)))
    assert found.evidence["reasons"] == ["silence"]
    assert found.evidence["figures"]["duration_s"] == 30 * 60
    assert found.evidence["figures"]["silent_s"] == (539 - 90) * 60
    assert found.evidence["inputs"]["outside"] == [
        {"start": "2026-11-18T02:00:00Z", "end": "2026-11-18T02:30:00Z"}
    ]
    [found] = absences(judge_day(known, as_of=SIX))
    assert (found.state, found.ends_at) == (FindingState.CLOSED, SIX)
    assert found.evidence["reasons"] == ["duty_end", "silence"]
    assert found.evidence["figures"]["duration_s"] == 30 * 60


def test_an_absence_with_silences_is_one_until_somebody_is_seen_back() -> None:
    again = [fix(m, 500) for m in range(150, 181, 3)]
    back = [fix(m, 0) for m in range(240, 300, 3)]
    known = facts(*out_then_silent(), *again, *back)
    [found] = absences(judge_day(known, as_of=at(170)))
    assert (found.state, found.evidence["reasons"]) == (FindingState.OPEN, ["open"])
    [found] = absences(judge_day(known, as_of=SIX))
    assert (found.starts_at, found.ends_at) == (at(60), at(240))
    assert found.evidence["reasons"] == ["returned", "silence"]
    assert len(found.evidence["inputs"]["outside"]) == 2
    assert found.evidence["figures"]["duration_s"] == 60 * 60
    assert found.evidence["figures"]["silent_s"] == 120 * 60
    assert judge_day(known, as_of=SIX).summary["off_posts"] == 1


def test_a_new_fence_ends_what_the_old_one_proved_and_says_so() -> None:
    versions = [fence(), fence(2, since=at(40), radius_m=120.0)]
    known = replace(facts(*[fix(m, 500) for m in range(0, 21, 2)]), fences={POST: versions})
    [found] = absences(judge_day(known, as_of=at(60)))
    assert found.ends_at == at(40)
    assert found.evidence["reasons"] == ["fence_changed", "silence"]


def test_being_seen_inside_between_makes_two_absences() -> None:
    known = facts(*out_then_silent(), fix(130, 0), *[fix(m, 500) for m in range(150, 181, 3)])
    first, second = absences(judge_day(known, as_of=at(181)))
    assert (first.ends_at, first.state) == (at(130), FindingState.CLOSED)
    assert (second.starts_at, second.state) == (at(150), FindingState.OPEN)


def test_an_outing_ends_an_absence_that_fell_silent() -> None:
    known = replace(facts(*out_then_silent()), excusals=[outing(at(200), at(260))])
    assert absences(judge_day(known, as_of=at(199)))[0].state is FindingState.OPEN
    [found] = absences(judge_day(known, as_of=at(300)))
    assert (found.ends_at, found.evidence["reasons"]) == (at(200), ["excused", "silence"])


def test_leave_in_the_middle_splits_the_day() -> None:
    known = facts(*[fix(m, 0) for m in range(0, 540, 5)])
    split = replace(known, windows=[window(NINE, at(120)), window(at(240), SIX)])
    verdict = judge_day(split, as_of=SIX)
    assert [(t.starts_at, t.ends_at) for t in verdict.tiles] == [(NINE, at(120)), (at(240), SIX)]
    assert judge_day(split, as_of=at(180)).current is None
    assert not judge_day(split, as_of=at(180)).final


def test_the_post_has_the_say_on_grace_and_edge() -> None:
    known = facts(*[fix(m, 180) for m in range(0, 30, 2)])
    assert any(d.kind is FindingKind.OFF_POST for d in judge_day(known, as_of=at(30)).drafts)
    lenient = {POST: [replace(fence(), grace_s=3_600)]}
    assert not judge_day(replace(known, fences=lenient), as_of=at(30)).drafts
    wide = {POST: [replace(fence(), buffer_m=200.0)]}
    assert not judge_day(replace(known, fences=wide), as_of=at(30)).drafts


def test_a_post_without_a_grace_of_its_own_follows_the_policy() -> None:
    known = facts(*[fix(m, 180) for m in range(0, 30, 2)])
    plain = {POST: [replace(fence(), grace_s=None)]}
    assert judge_day(replace(known, fences=plain), as_of=at(30)).drafts
    patient = Policy(off_post=OffPostPolicy(min_outside_s=3_600.0))
    assert not judge_day(replace(known, fences=plain, policy=patient), as_of=at(30)).drafts
    [draft] = judge_day(replace(known, policy=patient), as_of=at(30)).drafts
    assert draft.evidence["thresholds"]["off_post"]["min_outside_s"] == 600.0
    assert draft.evidence["would_change"][0]["limit"] == 600.0


def twice_out() -> list[Fix]:
    return [fix(m, 0 if m < 60 or 90 <= m < 200 or m >= 260 else 400) for m in range(0, 540, 2)]


def with_budget(minutes: float) -> Policy:
    return Policy(off_post=OffPostPolicy(break_budget_s=60.0 * minutes))


def test_a_break_budget_is_used_once_a_shift_whatever_cuts_it() -> None:
    known = replace(facts(*twice_out()), policy=with_budget(45))
    assert [a.starts_at for a in absences(judge_day(facts(*twice_out()), as_of=SIX))] == [
        at(60),
        at(200),
    ]
    reshaped = {POST: [fence(), fence(2, since=at(120), radius_m=120.0)]}
    split = [window(NINE, at(140)), window(at(150), SIX)]
    for cut in (known, replace(known, fences=reshaped), replace(known, windows=split)):
        [found] = absences(judge_day(cut, as_of=SIX))
        assert (found.starts_at, found.ends_at) == (at(215), at(260))
        assert found.evidence["figures"]["break_used_s"] == 45 * 60
        assert found.evidence["inputs"]["breaks"] == [
            {"start": "2026-11-18T02:00:00Z", "end": "2026-11-18T02:30:00Z"},
            {"start": "2026-11-18T04:20:00Z", "end": "2026-11-18T04:35:00Z"},
        ]
        assert found.evidence["would_change"][-1] == {
            "if": "break_budget_above_s",
            "limit": 45 * 60,
            "actual": 80 * 60,
        }
    assert not absences(judge_day(replace(known, policy=with_budget(80.1)), as_of=SIX))


def test_two_shifts_of_a_day_have_a_budget_each() -> None:
    evening = replace(window(at(150), SIX), roster_entry_id=UUID(int=22))
    known = replace(facts(*twice_out()), windows=[window(NINE, at(140)), evening])
    [found] = absences(judge_day(replace(known, policy=with_budget(45)), as_of=SIX))
    assert found.starts_at == at(245)


def test_judging_stored_facts_again_gives_the_same_bytes() -> None:
    once, again = (
        judge_day(
            replace(facts(*fixes), policy=with_budget(10), excusals=[outing(at(220), at(230))]),
            as_of=SIX,
        )
        for fixes in (twice_out(), reversed(twice_out()))
    )
    assert [canonical_json(d.evidence) for d in once.drafts] == [
        canonical_json(d.evidence) for d in again.drafts
    ]
    assert len(once.drafts) == 3


def test_a_post_without_a_shape_yet_is_expected_nowhere() -> None:
    known = replace(facts(*[fix(m, 500) for m in range(0, 60, 2)]), fences={})
    verdict = judge_day(known, as_of=at(60))
    assert (list(verdict.tiles), list(verdict.drafts)) == ([], [])
    assert verdict.current is not None
    assert verdict.current.distance_m is None


def test_an_open_absence_is_named_by_the_live_picture() -> None:
    verdict = judge_day(facts(*[fix(m, 500) for m in range(0, 20, 2)]), as_of=at(19))
    [draft] = verdict.drafts
    assert verdict.current is not None
    assert (draft.state, verdict.current.finding_id) == (FindingState.OPEN, draft.id)
    assert verdict.current.state is PresenceState.OUTSIDE
    assert verdict.current.distance_m == 400.0


minutes = st.floats(-20, 400).map(lambda m: round(m, 1))
fixes = st.lists(
    st.builds(
        fix,
        minutes,
        st.sampled_from([0.0, 90.0, 110.0, 160.0, 900.0]),
        accuracy_m=st.sampled_from([5.0, 60.0, 1_500.0]),
    ),
    max_size=25,
)


def outlook(verdict: DayVerdict) -> tuple[object, ...] | None:
    current = verdict.current
    if current is None:
        return None
    findings = sorted((d.id, d.state) for d in verdict.drafts)
    return current.state, current.since_at, current.finding_id, current.distance_m, findings


@settings(max_examples=150, deadline=None)
@given(
    known=fixes,
    as_of=st.floats(0.1, 400).map(at),
    share=st.floats(0.0, 0.999),
    out=st.tuples(minutes, st.floats(1, 90)),
    reshaped=st.booleans(),
    budget_min=st.sampled_from([0.0, 0.0, 7.5, 45.0]),
)
def test_nothing_changes_by_itself_before_it_is_due(
    known: list[Fix],
    as_of: datetime,
    share: float,
    out: tuple[float, float],
    reshaped: bool,  # noqa: FBT001  # hypothesis names it
    budget_min: float,
) -> None:
    versions = [fence(), *([fence(2, since=at(200), radius_m=800.0)] if reshaped else [])]
    day = replace(
        facts(*known),
        fences={POST: versions},
        policy=with_budget(budget_min),
        excusals=[outing(at(out[0]), at(out[0] + out[1]))],
    )
    now = judge_day(day, as_of=as_of, with_trajectory=False)
    assert now.current is not None
    assert now.current.due_at > as_of
    last = now.current.due_at - timedelta(microseconds=1)
    until = min(as_of + (now.current.due_at - as_of) * share, last)
    then = judge_day(day, as_of=until, with_trajectory=False)
    assert outlook(then) == outlook(now)
