from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.fix import Fix, FixArray
from geo.gaps import Window
from geo.rounds import PlannedVisit, verify_round
from geo.visits import Site, Visit, VisitVerdict
from tests.geo.scenes import NINE, PLANE, minute, stay, walk

DAY = Window(NINE, NINE + timedelta(hours=3))


def planned(
    key: str, east_m: float = 0.0, *, group: str | None = None, window: Window = DAY
) -> PlannedVisit:
    lon, lat = PLANE.inverse(east_m, 0.0)
    site = Site(float(lon[0]), float(lat[0]), 100.0)
    return PlannedVisit(key=key, site=site, window=window, group=group)


def called(minutes: float = 30) -> list[Fix]:
    until = 60 + minutes
    return [
        *walk(-10, 60, -9_000, -200),
        *walk(60, 61, -200, 0),
        *stay(61, until),
        *walk(until, until + 2, 0, 300),
        *walk(until + 2, 190, 300, 9_000),
    ]


def judged(fixes: list[Fix], *visits: PlannedVisit) -> dict[str, Visit]:
    return verify_round(FixArray.from_fixes(fixes), visits)


def test_one_stay_counts_for_the_nearer_of_two_sites() -> None:
    found = judged(called(), planned("far", 60), planned("near", 5))
    assert found["near"].verdict is VisitVerdict.VERIFIED
    assert found["far"].verdict is VisitVerdict.PASSED_BY
    assert found["far"].reasons == ("stay_counts_for_another",)
    assert found["far"].evidence.would_change[0]["if"] == "declared_together"
    assert found["far"].place is None


def test_visits_declared_together_share_a_stay() -> None:
    found = judged(called(), planned("far", 60, group="tower"), planned("near", 5, group="tower"))
    assert {each.verdict for each in found.values()} == {VisitVerdict.VERIFIED}
    other = judged(called(), planned("far", 60, group="tower"), planned("near", 5, group="mall"))
    assert other["far"].verdict is VisitVerdict.PASSED_BY


def test_two_calls_on_one_site_need_two_stays() -> None:
    twice = [*stay(0, 30), *walk(30, 40, 0, 2_000), *walk(40, 50, 2_000, 0), *stay(50, 90)]
    twice += stay(90, 190, east_m=4_000)
    both = judged(twice, planned("a"), planned("b"))
    assert {each.verdict for each in both.values()} == {VisitVerdict.VERIFIED}
    assert both["a"].arrived_at != both["b"].arrived_at
    once = judged(called(), planned("a"), planned("b"))
    assert sorted(each.verdict for each in once.values()) == ["passed_by", "verified"]


def test_a_stay_over_two_windows_counts_for_one_of_them() -> None:
    first, second = Window(minute(0), minute(75)), Window(minute(75), minute(180))
    found = judged(called(40), planned("a", window=first), planned("b", window=second))
    assert sorted(each.verdict for each in found.values()) == ["passed_by", "verified"]


def test_the_way_there_and_back_belongs_to_a_verified_visit() -> None:
    day = [
        *stay(-30, 40, east_m=-3_000),
        *walk(40, 61, -3_000, 0),
        *stay(61, 90),
        *walk(90, 110, 0, 3_000),
        *stay(110, 190, east_m=3_000),
    ]
    way = judged(day, planned("a"))["a"].way
    assert way is not None
    assert abs(way.start - minute(40)) < timedelta(minutes=3)
    assert abs(way.end - minute(110)) < timedelta(minutes=3)
    assert judged(called(3), planned("a"))["a"].way is None


def test_a_stay_beside_the_pin_is_told_without_being_a_visit() -> None:
    off = [*walk(-10, 60, -9_000, 250), *stay(60, 100, east_m=250), *walk(100, 190, 250, 9_000)]
    found = judged(off, planned("a"))["a"]
    assert found.verdict is not VisitVerdict.VERIFIED
    assert found.place is not None
    assert found.evidence.figures["beside_off_m"] == pytest.approx(250, abs=15)
    assert {name: found.evidence.would_change[0][name] for name in ("if", "limit")} == {
        "if": "stay_within_m",
        "limit": 130.0,
    }


@settings(max_examples=25, deadline=None)
@given(
    st.permutations(range(4)),
    st.lists(st.sampled_from([None, "g", "h"]), min_size=4, max_size=4),
    st.lists(st.integers(-150, 150), min_size=4, max_size=4),
)
def test_no_stay_counts_twice_and_order_changes_nothing(
    order: list[int], groups: list[str | None], places: list[int]
) -> None:
    fixes = [*called(), *stay(170, 200, east_m=4_500)]
    visits = [planned(str(n), places[n], group=groups[n]) for n in range(4)]
    found = judged(fixes, *visits)
    again = judged(fixes[::-1], *(visits[n] for n in order))
    assert {key: one.evidence.digest for key, one in found.items()} == {
        key: one.evidence.digest for key, one in again.items()
    }
    verified = [n for n in range(4) if found[str(n)].verdict is VisitVerdict.VERIFIED]
    for one in verified:
        for other in verified:
            mine, theirs = found[str(one)], found[str(other)]
            apart = mine.left_at <= theirs.arrived_at or theirs.left_at <= mine.arrived_at  # type: ignore[operator]
            together = groups[one] is not None and groups[one] == groups[other]
            assert one == other or apart or together


def test_a_round_of_one_is_the_visit() -> None:
    alone = planned("a")
    assert judged(called(), alone)["a"] == judged(called(), alone, replace(alone, key="b"))["a"]
