import itertools
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import InvalidInput
from server.posts.rules import (
    DutyPolicy,
    RosteredShift,
    Span,
    day_bounds,
    first_instant,
    local_date,
    shift_instants,
    subtract,
    windows_of,
)

ZONES = (
    "Asia/Shanghai",
    "Europe/Helsinki",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "Pacific/Chatham",
    "Africa/Casablanca",
    "America/Havana",
    "Antarctica/Troll",
    "UTC",
)
dates = st.dates(date(1990, 1, 1), date(2036, 12, 31))
clock_times = st.times().map(lambda t: t.replace(microsecond=0))
zones = st.sampled_from(ZONES)


def instants_or_none(on: date, starts: time, ends: time, zone: str) -> Span | None:
    with suppress(InvalidInput):
        return shift_instants(on, starts, ends, zone)
    return None


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_day_shift_in_china() -> None:
    assert shift_instants(date(2026, 11, 18), time(9), time(18), "Asia/Shanghai") == (
        utc("2026-11-18T01:00"),
        utc("2026-11-18T10:00"),
    )


def test_a_night_shift_belongs_to_the_date_it_starts_on() -> None:
    start, end = shift_instants(date(2026, 11, 18), time(22), time(6), "Asia/Shanghai")
    assert (start, end) == (utc("2026-11-18T14:00"), utc("2026-11-18T22:00"))
    assert local_date(start, "Asia/Shanghai") == date(2026, 11, 18)
    assert local_date(end, "Asia/Shanghai") == date(2026, 11, 19)


def test_equal_times_are_a_whole_day() -> None:
    start, end = shift_instants(date(2026, 11, 18), time(8), time(8), "Asia/Shanghai")
    assert end - start == timedelta(hours=24)


@pytest.mark.parametrize(
    ("on", "hours"), [(date(2026, 3, 29), 7), (date(2026, 10, 25), 9), (date(2026, 6, 1), 8)]
)
def test_a_night_shift_over_the_change_of_clocks(on: date, hours: int) -> None:
    start, end = shift_instants(on - timedelta(days=1), time(22), time(6), "Europe/Helsinki")
    assert end - start == timedelta(hours=hours)


@pytest.mark.parametrize(
    ("on", "hours"), [(date(2026, 3, 8), 23), (date(2026, 11, 1), 25), (date(2026, 7, 4), 24)]
)
def test_days_of_23_and_25_hours(on: date, hours: int) -> None:
    start, end = day_bounds(on, "America/New_York")
    assert end - start == timedelta(hours=hours)


def test_a_skipped_start_waits_for_the_jump() -> None:
    start, end = shift_instants(date(2026, 3, 8), time(2, 30), time(10), "America/New_York")
    assert start == utc("2026-03-08T07:00")
    assert end == utc("2026-03-08T14:00")


def test_a_time_shown_twice_is_the_first_of_the_two() -> None:
    start, _ = shift_instants(date(2026, 11, 1), time(1, 30), time(10), "America/New_York")
    assert start == utc("2026-11-01T05:30")


def test_a_shift_that_clocks_jump_over_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        shift_instants(date(2026, 3, 8), time(2, 10), time(2, 50), "America/New_York")
    assert refused.value.code == "shift_skipped"


def test_a_date_that_never_was_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        shift_instants(date(2011, 12, 30), time(9), time(17), "Pacific/Apia")
    assert refused.value.code == "shift_skipped"


@pytest.mark.parametrize("name", ["Mars/Olympus", "", "../etc/passwd", "Asia", "a" * 300])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        shift_instants(date(2026, 1, 1), time(9), time(17), name)
    assert refused.value.code == "unknown_zone"


@given(on=dates, wall=clock_times, zone=zones)
def test_the_first_instant_is_the_first(on: date, wall: time, zone: str) -> None:
    place = ZoneInfo(zone)
    local = datetime.combine(on, wall)
    at = first_instant(local, place)
    assert at.astimezone(place).replace(tzinfo=None) >= local
    assert (at - timedelta(seconds=1)).astimezone(place).replace(tzinfo=None) < local


@given(on=dates, first=clock_times, second=clock_times, zone=zones)
def test_later_on_the_clock_is_never_earlier_in_time(
    on: date, first: time, second: time, zone: str
) -> None:
    place = ZoneInfo(zone)
    early, late = sorted((first, second))
    assert first_instant(datetime.combine(on, early), place) <= first_instant(
        datetime.combine(on, late), place
    )


@given(on=dates, change=clock_times, zone=zones)
def test_shifts_that_touch_on_the_clock_tile_the_time(on: date, change: time, zone: str) -> None:
    day = instants_or_none(on, time(0, 1), change, zone)
    night = instants_or_none(on, change, time(0, 0), zone)
    if change > time(0, 1) and day and night:
        assert day[1] == night[0]


@given(on=dates, zone=zones)
def test_days_tile_the_calendar(on: date, zone: str) -> None:
    _, end = day_bounds(on, zone)
    assert end == day_bounds(on + timedelta(days=1), zone)[0]


@given(on=dates, starts=clock_times, ends=clock_times, zone=zones)
def test_a_shift_is_never_empty_nor_longer_than_a_day_and_a_change(
    on: date, starts: time, ends: time, zone: str
) -> None:
    span = instants_or_none(on, starts, ends, zone)
    if span is None:
        assert first_instant(datetime.combine(on, starts), ZoneInfo(zone)) >= first_instant(
            datetime.combine(on, ends), ZoneInfo(zone)
        )
    else:
        assert timedelta() < span[1] - span[0] <= timedelta(hours=26)


T0 = utc("2026-11-18T00:00")


def at(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


spans = st.tuples(st.integers(0, 600), st.integers(1, 300)).map(
    lambda pair: (at(pair[0]), at(pair[0] + pair[1]))
)


@given(span=spans, closed=st.lists(spans, max_size=6))
def test_subtracting_leaves_exactly_the_open_minutes(span: Span, closed: list[Span]) -> None:
    rest = subtract(span, closed)

    def within(minute: datetime, many: list[Span]) -> bool:
        return any(start <= minute < end for start, end in many)

    for offset in range(920):
        minute = at(offset)
        expected = within(minute, [span]) and not within(minute, closed)
        assert within(minute, rest) == expected
    assert all(start < end for start, end in rest)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(rest))


def shift(start: int, end: int) -> RosteredShift:
    return RosteredShift(
        tenant_id=1,
        employee_id=UUID(int=1),
        roster_entry_id=UUID(int=2),
        work_on=date(2026, 11, 18),
        starts_at=at(start),
        ends_at=at(end),
        post_id=None,
    )


def test_grace_lies_around_duty() -> None:
    [window] = windows_of(shift(60, 540), [], policy=DutyPolicy())
    assert (window.starts_at, window.ends_at) == (at(60), at(540))
    assert (window.opens_at, window.closes_at) == (at(50), at(550))
    assert window.holds(at(50))
    assert not window.holds(at(550))


def test_leave_closes_the_window_and_has_no_grace() -> None:
    first, second = windows_of(shift(60, 540), [(at(200), at(300))], policy=DutyPolicy())
    assert (first.ends_at, first.closes_at) == (at(200), at(200))
    assert (second.starts_at, second.opens_at) == (at(300), at(300))


def test_leave_over_the_shift_leaves_nothing_even_of_the_grace() -> None:
    assert windows_of(shift(60, 540), [(at(60), at(540))], policy=DutyPolicy()) == []


def test_leave_that_ends_at_the_start_takes_the_grace_before() -> None:
    [window] = windows_of(shift(60, 540), [(at(0), at(60))], policy=DutyPolicy())
    assert window.opens_at == window.starts_at == at(60)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"graces": 1}, "unknown_threshold"),
        ({"grace_s": -1}, "bad_threshold"),
        ({"grace_s": True}, "bad_threshold"),
        ({"grace_s": "600"}, "bad_threshold"),
        ({"stale_s": float("nan")}, "bad_threshold"),
        ({"no_signal_s": 100}, "bad_threshold"),
    ],
)
def test_a_senseless_duty_policy_is_refused(params: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        DutyPolicy.from_params(params, version=1)
    assert refused.value.code == code
