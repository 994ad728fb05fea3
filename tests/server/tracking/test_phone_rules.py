"""What silence of a phone most likely means."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.tracking.phone_rules import (
    KILLED_AFTER,
    Condition,
    Trouble,
    health_of,
    troubles_of,
)

NOON = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
NINE = NOON - timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone that reported a moment ago, unless said otherwise."""

    kind: str = "owntracks_android"
    enrolled_at: datetime = NOON - timedelta(days=3)
    revoked_at: datetime | None = None
    seen_at: datetime | None = NOON
    fixed_at: datetime | None = NOON
    battery_pct: int | None = 60
    charging: bool | None = None
    mode: str | None = "move"
    lost_at: datetime | None = None
    late_at: datetime | None = None
    status: dict[str, Any] | None = None


def ago(minutes: float) -> datetime:
    return NOON - timedelta(minutes=minutes)


def silent(minutes: float) -> dict[str, Any]:
    return {"seen_at": ago(minutes), "fixed_at": ago(minutes)}


@pytest.mark.parametrize(
    ("changes", "duty_since", "expected"),
    [
        ({}, NINE, Condition.OK),
        (silent(540), None, Condition.IDLE),
        (silent(16), NINE, Condition.SILENT),
        (silent(30), NINE, Condition.KILLED),
        # The night before is no silence on duty.
        (silent(14 * 60), ago(5), Condition.OK),
        (silent(14 * 60), ago(31), Condition.KILLED),
        # It speaks and knows no position.
        ({"fixed_at": ago(45)}, NINE, Condition.NO_FIX),
        ({"fixed_at": None}, NINE, Condition.NO_FIX),
        ({"fixed_at": ago(20)}, NINE, Condition.SILENT),
        # It is behind, not blind: what it kept is on its way.
        ({"fixed_at": ago(300), "late_at": ago(1)}, NINE, Condition.ARRIVING),
        ({"fixed_at": ago(2), "late_at": ago(1)}, NINE, Condition.OK),
        (silent(60) | {"late_at": ago(60)}, NINE, Condition.KILLED),
        ({"fixed_at": ago(300), "late_at": ago(1)}, None, Condition.IDLE),
        # An app that sends radio cells only has no positions of its own.
        ({"fixed_at": None, "kind": "network_survey"}, NINE, Condition.OK),
        ({"fixed_at": None, "kind": "network_survey", "seen_at": ago(40)}, NINE, Condition.KILLED),
        (silent(60) | {"battery_pct": 4}, NINE, Condition.BATTERY),
        (silent(60) | {"battery_pct": 4, "charging": True}, NINE, Condition.KILLED),
        (silent(60) | {"battery_pct": None}, NINE, Condition.KILLED),
        ({"seen_at": None, "fixed_at": None}, NINE, Condition.NEVER),
        ({"mode": "quiet"}, NINE, Condition.QUIET),
        (silent(60) | {"mode": "manual"}, NINE, Condition.QUIET),
        ({"revoked_at": NOON, "seen_at": None}, NINE, Condition.REVOKED),
    ],
)
def test_silence_means_something_on_duty_only(
    changes: dict[str, Any], duty_since: datetime | None, expected: Condition
) -> None:
    phone = replace(Phone(), **changes)
    assert health_of(phone, duty_since=duty_since, now=NOON).condition is expected


@given(
    seen=st.integers(0, 1_000),
    fixed=st.integers(0, 1_000),
    duty=st.integers(0, 600),
    battery=st.one_of(st.none(), st.integers(0, 100)),
)
def test_nobody_is_called_killed_before_half_an_hour_of_duty(
    seen: int, fixed: int, duty: int, battery: int | None
) -> None:
    phone = Phone(seen_at=ago(seen), fixed_at=ago(max(seen, fixed)), battery_pct=battery)
    health = health_of(phone, duty_since=ago(duty), now=NOON)
    if health.condition is Condition.KILLED:
        assert timedelta(minutes=min(seen, duty)) >= KILLED_AFTER
        assert battery is None or battery > 10
    assert health.silent_s is not None
    assert 0 <= health.silent_s <= duty * 60


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (None, ()),
        ({}, ()),
        ({"platform": "android", "loc": 0, "ps": 0, "bo": 0, "hib": 0}, ()),
        ({"platform": "android", "loc": -1}, (Trouble.COARSE,)),
        ({"platform": "android", "loc": -2}, (Trouble.NOT_ALWAYS,)),
        ({"platform": "android", "loc": -3}, (Trouble.NOT_ALWAYS, Trouble.COARSE)),
        ({"platform": "android", "loc": -4}, (Trouble.LOCATION_OFF,)),
        (
            {"platform": "android", "ps": 1, "bo": True, "hib": 1},
            (Trouble.POWER_SAVE, Trouble.OPTIMISED, Trouble.HIBERNATES),
        ),
        ({"platform": "android", "loc": "-4", "ps": None, "bo": "1"}, ()),
        (
            {
                "platform": "ios",
                "locationManagerAuthorizationStatus": 3,
                "backgroundRefreshStatus": 2,
            },
            (),
        ),
        (
            {
                "platform": "ios",
                "locationManagerAuthorizationStatus": 4,
                "backgroundRefreshStatus": 1,
            },
            (Trouble.NOT_ALWAYS, Trouble.NO_REFRESH),
        ),
        ({"platform": "ios", "locationManagerAuthorizationStatus": 2}, (Trouble.LOCATION_OFF,)),
    ],
)
def test_what_the_phone_says_stands_in_the_way(
    status: dict[str, Any] | None, expected: tuple[Trouble, ...]
) -> None:
    assert troubles_of(status) == expected
