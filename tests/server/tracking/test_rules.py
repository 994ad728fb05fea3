from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from server.tracking.rules import LiveStatus, PresenceState, live_status

NOW = datetime(2026, 11, 18, 3, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("on_duty", "presence", "alerted", "age_s", "expected"),
    [
        (False, PresenceState.INSIDE, False, 1.0, LiveStatus.OFF_DUTY),
        (True, None, False, None, LiveStatus.NO_SIGNAL),
        (True, PresenceState.INSIDE, False, 1.0, LiveStatus.ON_POST),
        (True, PresenceState.INSIDE, False, 300.0, LiveStatus.ON_POST),
        (True, PresenceState.INSIDE, False, 300.1, LiveStatus.STALE),
        (True, PresenceState.INSIDE, False, 900.0, LiveStatus.STALE),
        (True, PresenceState.INSIDE, False, 900.1, LiveStatus.NO_SIGNAL),
        (True, PresenceState.OUTSIDE, False, 10.0, LiveStatus.TRAVELLING),
        (True, PresenceState.OUTSIDE, True, 10.0, LiveStatus.OFF_POST),
        (True, PresenceState.UNKNOWN, True, 10.0, LiveStatus.OFF_POST),
        (True, PresenceState.OUTSIDE, True, 1_000.0, LiveStatus.NO_SIGNAL),
        (True, PresenceState.UNKNOWN, False, 10.0, LiveStatus.TRAVELLING),
        (True, None, False, -5.0, LiveStatus.TRAVELLING),
    ],
)
def test_a_marker_says_one_thing(
    *,
    on_duty: bool,
    presence: PresenceState | None,
    alerted: bool,
    age_s: float | None,
    expected: LiveStatus,
) -> None:
    status = live_status(
        on_duty=on_duty,
        presence=presence,
        finding_id=UUID(int=1) if alerted else None,
        fixed_at=None if age_s is None else NOW - timedelta(seconds=age_s),
        now=NOW,
    )
    assert status is expected
