"""Pure rules: money never grows, dates are the tenant's, remarks name what they rest on."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.gaps import Window
from server.claims.rules import (
    MAX_LINES,
    ClaimVerdict,
    gravest,
    read_facts,
    remarks,
    suggested,
)
from server.errors import InvalidInput

NINE = datetime(2026, 11, 18, 1, tzinfo=UTC)
PLACE = {"lon": 114.0579, "lat": 22.5431, "name": "Shenzhen"}
KM: dict[str, Any] = {
    "id": "1",
    "kind": "mileage",
    "start": "2026-11-18T01:00:00Z",
    "end": "2026-11-18T17:00:00Z",
    "km": "46.0",
}
NIGHT: dict[str, Any] = {
    "id": "2",
    "kind": "night",
    "on": "2026-11-20",
    "zone": "Asia/Shanghai",
    "place": PLACE,
    "amount": "300.00",
}


def claim(*lines: dict[str, Any], rate: str = "1.255") -> dict[str, Any]:
    return {"currency": "CNY", "rate_per_km": rate, "lines": list(lines)}


def test_a_claim_is_worth_its_kilometres_and_its_amounts() -> None:
    facts = read_facts(claim(KM, NIGHT), zone="Asia/Shanghai")
    assert facts.amounts == {"1": Decimal("57.73"), "2": Decimal("300.00")}
    assert facts.claimed == Decimal("357.73")
    # 17:00 UTC is the next day in Shanghai; the night ends on the day after it began.
    assert (facts.first_on, facts.last_on) == (date(2026, 11, 18), date(2026, 11, 21))
    assert facts.span.start == NINE
    assert read_facts(claim(KM), zone="UTC").last_on == date(2026, 11, 18)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (claim(), "unreadable"),
        (claim(KM | {"km": 46.0}), "unreadable"),
        (claim(NIGHT | {"amount": 300}), "bad_amount"),
        (claim(NIGHT | {"amount": "-1"}), "bad_amount"),
        (claim(NIGHT | {"amount": "NaN"}), "bad_amount"),
        (claim(*(KM | {"id": str(k)} for k in range(MAX_LINES + 1))), "too_many_lines"),
        (claim(KM, NIGHT | {"on": "2027-03-01"}), "too_many_days"),
    ],
)
def test_what_is_no_claim_is_refused(document: dict[str, Any], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_facts(document, zone="Asia/Shanghai")
    assert refused.value.code == code


MONEY = st.decimals(0, 100_000, places=2)
KILOMETRES = st.decimals(0, 5_000, places=1)


@given(km=KILOMETRES, high=KILOMETRES, rate=st.decimals(0, 20, places=3))
def test_what_is_suggested_is_never_more_than_claimed_nor_less_than_nothing(
    km: Decimal, high: Decimal, rate: Decimal
) -> None:
    facts = read_facts(claim(KM | {"km": str(km)}, rate=str(rate)), zone="UTC")
    (line,), amount = facts.claim.lines, facts.amounts["1"]
    worth = suggested(line, amount, high=high, over=True)
    assert 0 <= worth <= amount
    assert suggested(line, amount, high=high, over=False) == amount
    if high >= km:
        assert worth == amount


@given(amount=MONEY)
def test_a_ride_that_was_not_taken_is_worth_nothing(amount: Decimal) -> None:
    ride = {
        **{key: KM[key] for key in ("id", "start", "end")},
        "kind": "transport",
        "mode": "train",
        "from": PLACE,
        "to": PLACE,
        "amount": str(amount),
    }
    facts = read_facts(claim(ride), zone="UTC")
    assert facts.claimed == amount
    assert suggested(facts.claim.lines[0], amount, high=None, over=True) == 0


@given(
    start_min=st.integers(-2_000, 2_000),
    length_min=st.integers(1, 600),
)
def test_leave_is_named_exactly_when_it_meets_the_line(start_min: int, length_min: int) -> None:
    (line,) = read_facts(claim(KM), zone="UTC").claim.lines
    start = NINE + timedelta(minutes=start_min)
    leave = Window(start, start + timedelta(minutes=length_min))
    found = remarks(line, leave=[(UUID(int=7), leave)], earlier=[])
    meets = start_min < 16 * 60 and start_min + length_min > 0
    assert [r.reason for r in found] == (["on_leave"] if meets else [])
    assert all(r.ids == (str(UUID(int=7)),) for r in found)


def test_only_a_line_of_the_same_kind_is_claimed_twice() -> None:
    kilometres, night = read_facts(claim(KM, NIGHT), zone="UTC").claim.lines
    earlier = [(UUID(int=1), (kilometres,))]
    assert [r.reason for r in remarks(kilometres, leave=[], earlier=earlier)] == ["claimed_twice"]
    assert remarks(night, leave=[], earlier=earlier) == ()


@given(st.lists(st.sampled_from(ClaimVerdict)))
def test_the_gravest_verdict_does_not_depend_on_the_order(verdicts: list[ClaimVerdict]) -> None:
    assert gravest(verdicts) is gravest(reversed(verdicts))
    if ClaimVerdict.OVER in verdicts:
        assert gravest(verdicts) is ClaimVerdict.OVER


@pytest.mark.parametrize("on", ["9999-12-31", "0001-01-01", "1999-12-31", "2100-01-01"])
def test_a_date_that_no_journey_has_is_refused(on: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_facts({"lines": [{**NIGHT, "on": on}]}, zone="Asia/Shanghai")
    assert refused.value.code == "unreadable"


def test_an_instant_that_no_zone_can_tell_is_refused() -> None:
    line = {**KM, "start": "9999-12-31T20:00:00Z", "end": "9999-12-31T23:00:00Z"}
    with pytest.raises(InvalidInput) as refused:
        read_facts({"lines": [line]}, zone="Asia/Shanghai")
    assert refused.value.code == "unreadable"


def test_kilometres_worth_more_than_any_claim_are_refused() -> None:
    document = {"rate_per_km": "99999999", "lines": [{**KM, "km": "99999999"}]}
    with pytest.raises(InvalidInput) as refused:
        read_facts(document, zone="Asia/Shanghai")
    assert refused.value.code == "bad_amount"
