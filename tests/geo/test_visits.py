from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fix import Fix, FixArray
from geo.gaps import Window
from geo.policy import Policy
from geo.visits import Site, Visit, VisitType, VisitVerdict, verify_visit
from tests.geo.scenes import NINE, POST, fix, minute, stay, walk

HERE = Site(*POST, radius_m=100.0)
DAY = Window(NINE, NINE + timedelta(hours=3))


def visit(fixes: list[Fix], kind: VisitType = VisitType.REGULAR, site: Site = HERE) -> Visit:
    return verify_visit(FixArray.from_fixes(fixes), site, DAY, kind=kind, policy=Policy())


def called(minutes: float) -> list[Fix]:
    """Come from two kilometres off, stay for a while, and go on."""
    until = 60 + minutes
    return [
        *walk(-10, 60, -9_000, -200),
        *walk(60, 61, -200, 0),
        *stay(61, 60 + minutes),
        *walk(until, until + 2, 0, 300),
        *walk(until + 2, 190, 300, 9_000),
    ]


def test_a_call_of_half_an_hour_is_verified() -> None:
    found = visit(called(30))
    assert found.verdict is VisitVerdict.VERIFIED
    assert found.arrived_at is not None
    assert found.left_at is not None
    assert abs(found.arrived_at - minute(61)) < timedelta(minutes=3)
    assert abs(found.left_at - minute(90)) < timedelta(minutes=3)
    assert 1_500 < found.dwell_s < 2_000
    assert found.nearest_m is not None
    assert found.nearest_m < 30
    assert found.reasons == ("stay_at_site",)
    assert found.evidence.figures["margin_s"] > 0


def test_a_cold_call_may_be_short_and_a_regular_one_not() -> None:
    brief = called(6)
    assert visit(brief, VisitType.COLD).verdict is VisitVerdict.VERIFIED
    short = visit(brief)
    assert short.verdict is VisitVerdict.PASSED_BY
    assert short.dwell_s < 600


def test_driving_past_is_no_visit() -> None:
    passed = visit(walk(-10, 190, -90_000, 90_000))
    assert passed.verdict is VisitVerdict.PASSED_BY
    assert passed.reasons == ("way_crosses_site",)
    assert passed.dwell_s == 0


def test_a_way_between_two_fixes_touches_the_site() -> None:
    two = [*stay(-10, 80, east_m=-2_000), *stay(85, 190, east_m=2_000)]
    assert visit(two).verdict is VisitVerdict.PASSED_BY


def test_elsewhere_all_the_time_is_not_visited() -> None:
    found = visit(stay(-10, 190, east_m=5_000))
    assert found.verdict is VisitVerdict.NOT_VISITED
    assert found.nearest_m is not None
    assert found.nearest_m > 4_900


def test_silence_with_room_for_a_visit_is_not_observable() -> None:
    silent = [*stay(-10, 60, east_m=3_000), *stay(110, 190, east_m=3_000)]
    assert visit(silent).verdict is VisitVerdict.NOT_OBSERVABLE
    far = [*stay(-10, 60, east_m=40_000), *stay(110, 190, east_m=40_000)]
    assert visit(far).verdict is VisitVerdict.NOT_VISITED


def test_a_short_silence_at_one_place_elsewhere_has_no_room() -> None:
    napping = [*stay(-10, 60, east_m=3_000), *stay(80, 190, east_m=3_000)]
    assert visit(napping).verdict is VisitVerdict.NOT_VISITED


def test_no_fix_says_nothing() -> None:
    nothing = visit([])
    assert nothing.verdict is VisitVerdict.NOT_OBSERVABLE
    assert nothing.nearest_m is None
    assert nothing.arrived_at is None


def test_mock_fixes_alone_are_a_contradiction_for_a_person_to_look_at() -> None:
    claimed = [replace(f, mock=True) for f in stay(30, 90)]
    found = visit([*stay(-10, 30, east_m=4_000), *claimed, *stay(90, 190, east_m=4_000)])
    assert found.verdict is VisitVerdict.CONTRADICTED
    assert found.reasons == ("only_mock_fixes_at_site",)


@pytest.mark.parametrize(
    ("fixes", "verdict", "wanted"),
    [
        (called(30), VisitVerdict.VERIFIED, {"stay_below_s", "reach_below_m"}),
        (called(6), VisitVerdict.PASSED_BY, {"stay_at_least_s"}),
        (
            [*stay(-10, 60, east_m=3_000), *stay(110, 190, east_m=3_000)],
            VisitVerdict.NOT_OBSERVABLE,
            {"silence_below_s", "nearest_within_m", "stay_at_least_s"},
        ),
        (
            stay(-10, 190, east_m=5_000),
            VisitVerdict.NOT_VISITED,
            {"nearest_within_m", "stay_at_least_s"},
        ),
    ],
)
def test_the_evidence_says_what_would_have_changed_it(
    fixes: list[Fix], verdict: VisitVerdict, wanted: set[str]
) -> None:
    found = visit(fixes)
    assert found.verdict is verdict
    assert {item["if"] for item in found.evidence.would_change} == wanted
    for item in found.evidence.would_change:
        assert item["limit"] != item["actual"]


@pytest.mark.parametrize("minutes", [12, 30])
def test_the_same_evidence_has_the_same_bytes(minutes: int) -> None:
    fixes = called(minutes)
    assert visit(fixes).evidence.to_bytes() == visit(fixes[::-1]).evidence.to_bytes()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 179), st.integers(-3_000, 3_000)), max_size=30))
def test_any_fixes_get_one_answer_that_adds_up(places: list[tuple[int, int]]) -> None:
    fixes = [fix(float(at), float(east)) for at, east in places]
    found = visit(fixes)
    assert found == visit([*fixes, *fixes[:3]][::-1])
    assert 0.0 <= found.dwell_s <= (DAY.end - DAY.start).total_seconds()
    if found.verdict is VisitVerdict.VERIFIED:
        assert found.dwell_s >= 600
    if found.arrived_at is not None and found.left_at is not None:
        assert found.arrived_at <= found.left_at
