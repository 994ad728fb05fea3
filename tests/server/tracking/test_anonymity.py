from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from server.tracking.anonymity import SMALLEST, STEP, step_of, told

NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


@given(st.integers(0, 100_000))
def test_fewer_than_five_are_never_told_and_no_count_is_exact(count: int) -> None:
    shown = told(count)
    assert shown == 0 or shown >= SMALLEST
    # Every answer stands for five counts that cannot be told apart.
    assert len({other for other in range(shown, shown + 10) if told(other) == shown}) == SMALLEST


@given(minutes=st.floats(0, 10_000))
def test_instants_are_quarter_hours(minutes: float) -> None:
    at = NOON + timedelta(minutes=minutes)
    step = step_of(at)
    assert step <= at < step + STEP
    assert (step - NOON) % STEP == timedelta(0)
