from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geo.claims import (
    Claim,
    ClaimVerdict,
    Line,
    LineCheck,
    MileageLine,
    NightLine,
    PerDiemLine,
    TransportLine,
    audit_claim,
)
from geo.fix import Fix, FixArray
from geo.gaps import Window
from geo.policy import Policy
from geo.whereabouts import Place
from tests.geo.scenes import NINE, PLANE, fix, minute, stay, walk

SHANGHAI = ZoneInfo("Asia/Shanghai")
SPAN = Window(NINE, NINE + timedelta(hours=3))
DRIVE = [*stay(0, 30), *walk(30, 90, 0, 30_000), *stay(90, 181, east_m=30_000)]
"""Thirty kilometres east, in an hour."""


def place(east_m: float, radius_m: float = 2_000.0) -> Place:
    lon, lat = PLANE.inverse(east_m, 0.0)
    return Place(float(lon[0]), float(lat[0]), radius_m, f"{east_m:g}")


def conditions(found: LineCheck) -> dict[str, tuple[object, object]]:
    return {c["if"]: (c["limit"], c["actual"]) for c in found.evidence.would_change}


def check(line: Line, fixes: list[Fix]) -> LineCheck:
    claim = Claim((line,), "CNY", Decimal("1.20"))
    verdict, (found,) = audit_claim(claim, FixArray.from_fixes(fixes), policy=Policy())
    assert verdict is found.verdict
    return found


def mileage(km: str, *stops: Place) -> MileageLine:
    return MileageLine("1", SPAN, Decimal(km), stops)


@pytest.mark.parametrize(
    ("km", "verdict"),
    [
        ("30.0", ClaimVerdict.SUPPORTED),
        ("31.5", ClaimVerdict.SUPPORTED),
        ("36.0", ClaimVerdict.OVER),
        ("15.0", ClaimVerdict.UNDER),
    ],
)
def test_kilometres_are_held_against_what_was_driven(km: str, verdict: ClaimVerdict) -> None:
    found = check(mileage(km), DRIVE)
    assert found.verdict is verdict
    assert found.observed == pytest.approx(Decimal(30), abs=Decimal("0.6"))
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.observed <= found.high


def test_the_suggestion_is_what_is_feasible_in_favour_of_the_claimant() -> None:
    found = check(mileage("46.0"), DRIVE)
    assert found.high is not None
    assert found.over_by == Decimal("46.0") - found.high
    assert found.suggested_amount == (found.high * Decimal("1.20")).quantize(Decimal("0.01"))
    assert check(mileage("30.0"), DRIVE).suggested_amount == Decimal("36.00")


def test_a_long_silence_makes_nobody_a_liar() -> None:
    tunnel = [f for f in DRIVE if not minute(35) <= f.fixed_at < minute(85)]
    assert check(mileage("30.0"), tunnel).verdict is ClaimVerdict.SUPPORTED
    blind = [f for f in DRIVE if not minute(5) <= f.fixed_at < minute(150)]
    unsure = check(mileage("60.0"), blind)
    assert unsure.verdict is ClaimVerdict.CANNOT_TELL
    assert unsure.reasons == ("coverage_too_low",)
    assert check(mileage("30.0"), []).verdict is ClaimVerdict.CANNOT_TELL


def test_what_would_have_changed_the_verdict_on_kilometres() -> None:
    over = check(mileage("46.0"), DRIVE)
    assert over.high is not None
    most, actual = conditions(over)["claimed_at_most_m"]
    assert (actual, over.reasons) == (46_000.0, ("more_than_feasible",))
    assert check(mileage(f"{most / 1_000:.1f}"), DRIVE).verdict is ClaimVerdict.SUPPORTED  # type: ignore[operator]
    blind = check(mileage("30.0"), [])
    assert conditions(blind) == {"coverage_at_least": (0.6, 0.0)}
    under = check(mileage("15.0"), DRIVE)
    least, _ = conditions(under)["claimed_at_least_m"]
    assert check(mileage(f"{least / 1_000:.3f}"), DRIVE).verdict is ClaimVerdict.SUPPORTED  # type: ignore[operator]


def test_between_fair_and_feasible_nobody_can_tell() -> None:
    away = [*stay(0, 20), *walk(20, 40, 0, 10_000), *stay(105, 181, east_m=12_000)]
    feasible = check(mileage("12.0"), away)
    assert feasible.verdict is ClaimVerdict.SUPPORTED
    assert feasible.high is not None
    assert feasible.high > 25  # more than an hour unseen, at half a kilometre a minute
    unsure = check(mileage(str(feasible.high)), away)
    assert unsure.reasons == ("too_little_seen_to_dispute",)
    assert check(mileage(str(feasible.high + 1)), away).verdict is ClaimVerdict.OVER


def test_lines_that_repeat_each_other_are_over_by_what_they_repeat() -> None:
    lines = (mileage("30.0"), replace(mileage("30.0"), id="2"))
    claim = Claim(lines, "CNY", Decimal("1.20"))
    _, (first, second) = audit_claim(claim, FixArray.from_fixes(DRIVE), policy=Policy())
    assert first.verdict is ClaimVerdict.SUPPORTED
    assert first.reasons == ("span_claimed_twice", "within_feasible")
    assert (second.verdict, second.over_by) == (ClaimVerdict.OVER, Decimal("30.0"))
    assert second.suggested_amount == Decimal("0.00")
    assert second.evidence.inputs["other_lines"] == ["1"]
    assert second.evidence.would_change[0] == {"if": "without_lines", "lines": ["1"]}


def test_a_claimed_stop_that_nobody_was_seen_at_is_named() -> None:
    found = check(mileage("30.0", place(0), place(10_000, 300), place(50_000)), DRIVE)
    assert "claimed_stop_not_seen" in found.reasons
    assert found.evidence.figures["stops_not_seen"] == ["50000"]


def night(on: date, where: Place) -> NightLine:
    return NightLine("n", on, SHANGHAI, where)


NIGHT_AT = 13 * 60  # 22:00 in Shanghai, in minutes after nine


def test_nights_are_where_somebody_slept() -> None:
    slept = stay(NIGHT_AT - 60, NIGHT_AT + 600, every_min=20)
    here, away = night(date(2026, 11, 18), place(0)), night(date(2026, 11, 18), place(300_000))
    assert check(here, slept).verdict is ClaimVerdict.SUPPORTED
    over = check(away, slept)
    assert (over.verdict, over.over_by) == (ClaimVerdict.OVER, Decimal(1))
    assert check(here, []).verdict is ClaimVerdict.CANNOT_TELL


def test_a_phone_that_slept_too_is_believed_when_it_wakes_at_the_place() -> None:
    silent = [*stay(NIGHT_AT - 60, NIGHT_AT), *stay(NIGHT_AT + 500, NIGHT_AT + 560)]
    assert check(night(date(2026, 11, 18), place(0)), silent).verdict is ClaimVerdict.SUPPORTED


def test_days_at_a_place_are_counted() -> None:
    days = PerDiemLine("d", date(2026, 11, 18), date(2026, 11, 20), SHANGHAI, place(0, 20_000))
    first = stay(0, 480, every_min=10)
    second = [replace(f, fixed_at=f.fixed_at + timedelta(days=1)) for f in first]
    third = [replace(f, fixed_at=f.fixed_at + timedelta(days=2)) for f in first]
    assert check(days, [*first, *second, *third]).verdict is ClaimVerdict.SUPPORTED
    partly = check(days, [*first, *third])
    assert partly.verdict is not ClaimVerdict.OVER
    gone = stay(20 * 60, 44 * 60, every_min=20, east_m=400_000)
    over = check(days, [*first, *gone])
    assert over.verdict is ClaimVerdict.OVER
    assert over.over_by == Decimal(1)


def test_a_ride_has_two_ends() -> None:
    train = TransportLine("t", "train", place(0), place(30_000), Window(minute(30), minute(90)))
    assert check(train, DRIVE).verdict is ClaimVerdict.SUPPORTED
    stayed = check(train, stay(0, 200))
    assert (stayed.verdict, stayed.reasons) == (ClaimVerdict.OVER, ("still_at_origin",))
    assert check(train, stay(0, 20)).verdict is ClaimVerdict.CANNOT_TELL
    flown = check(replace(train, mode="flight"), DRIVE)
    assert (flown.verdict, flown.reasons) == (ClaimVerdict.CANNOT_TELL, ("slower_than_mode",))
    assert conditions(stayed)["arrival_within_m"][0] == 2_000.0
    jump = TransportLine("t", "car", place(0), place(30_000), Window(minute(30), minute(32)))
    assert check(jump, DRIVE).verdict is ClaimVerdict.CANNOT_TELL


def test_the_gravest_line_speaks_for_the_claim() -> None:
    lines = (mileage("30.0"), replace(mileage("60.0"), id="2"))
    claim = Claim(lines, "CNY", Decimal(1))
    verdict, checks = audit_claim(claim, FixArray.from_fixes(DRIVE), policy=Policy())
    assert verdict is ClaimVerdict.OVER
    assert [c.id for c in checks] == ["1", "2"]


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 179), st.integers(0, 30_000)), max_size=40),
    st.integers(0, 200),
    st.randoms(),
)
def test_order_changes_nothing_and_intervals_are_in_order(
    places: list[tuple[int, int]], km: int, dice: object
) -> None:
    fixes = [fix(float(at), float(east)) for at, east in places]
    found = check(mileage(str(km)), fixes)
    dice.shuffle(fixes)  # type: ignore[attr-defined]
    again = check(mileage(str(km)), fixes)
    assert found.evidence.to_bytes() == again.evidence.to_bytes()
    assert found.low is not None
    assert found.observed is not None
    assert found.high is not None
    assert found.low <= found.observed <= found.high
    if found.verdict is ClaimVerdict.OVER:
        assert found.claimed is not None
        assert found.claimed > found.high
