from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geo.claim_lines import (
    Line,
    MileageLine,
    NightLine,
    PerDiemLine,
    TransportLine,
    find_clashes,
)
from geo.gaps import Window
from geo.policy import ClaimPolicy
from geo.whereabouts import Place
from tests.geo.scenes import minute

SHANGHAI = ZoneInfo("Asia/Shanghai")
HERE, THERE = Place(114.06, 22.54, 20_000.0), Place(113.26, 23.13, 20_000.0)
FIRST = date(2026, 11, 18)


def driven(name: str, start_min: float, end_min: float, km: str = "60") -> MileageLine:
    return MileageLine(name, Window(minute(start_min), minute(end_min)), Decimal(km))


def night(name: str, place: Place, days_on: int = 0) -> NightLine:
    return NightLine(name, FIRST + timedelta(days=days_on), SHANGHAI, place)


def days(name: str, first: int, last: int, place: Place = HERE) -> PerDiemLine:
    return PerDiemLine(
        name, FIRST + timedelta(days=first), FIRST + timedelta(days=last), SHANGHAI, place
    )


def told(*lines: Line) -> list[tuple[tuple[str, ...], float]]:
    clashes = find_clashes(lines, rules=ClaimPolicy())
    return [(clashes[line.id].reasons, float(clashes[line.id].twice)) for line in lines]


def test_the_same_time_is_driven_once() -> None:
    both = told(driven("1", 0, 60), driven("2", 0, 60))
    assert both == [(("span_claimed_twice",), 0), (("span_claimed_twice",), 60)]
    assert told(driven("1", 0, 60), driven("2", 30, 90))[1][1] == 30
    assert told(driven("1", 0, 60), driven("2", 60, 90))[1] == ((), 0)
    assert told(driven("1", 0, 60), driven("2", 50, 120))[1] == ((), 0)
    assert told(driven("1", 0, 60), driven("2", 10, 18))[1][1] == 60


def test_a_night_is_slept_once_and_in_one_place() -> None:
    assert told(night("1", HERE), night("2", HERE))[1] == (("night_claimed_twice",), 1)
    apart = told(night("1", HERE), night("2", THERE))
    assert apart == [(("nights_in_two_places",), 0)] * 2
    assert told(night("1", HERE), night("2", THERE, 1)) == [((), 0)] * 2


def test_a_day_is_paid_once() -> None:
    assert told(days("1", 0, 3), days("2", 2, 5, THERE))[1] == (("days_claimed_twice",), 2)
    assert told(days("1", 0, 1), days("2", 2, 5, THERE))[1] == ((), 0)


def test_nobody_rides_two_trains_at_once() -> None:
    train = TransportLine("1", "train", HERE, THERE, Window(minute(0), minute(90)))
    assert told(train, replace(train, id="2"))[1] == (("span_claimed_twice",), 1)
    assert told(train, driven("2", 0, 60))[1] == ((), 0)


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(20, 200)), max_size=6))
def test_nothing_is_claimed_twice_by_more_than_it_claims(spans: list[tuple[int, int]]) -> None:
    lines = [driven(str(k), at, at + length) for k, (at, length) in enumerate(spans)]
    clashes = find_clashes(lines, rules=ClaimPolicy())
    for line in lines:
        clash = clashes[line.id]
        assert 0 <= clash.twice <= line.km
        for other in clash.others:
            assert line.id in clashes[other].others
    assert all(clashes[line.id].twice == 0 for line in lines[:1])


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_lines_cannot_clash(count: int) -> None:
    assert told(*[night(str(k), HERE) for k in range(count)]) == [((), 0)] * count
