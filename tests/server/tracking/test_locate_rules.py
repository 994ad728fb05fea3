from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from server.tracking.locate_rules import Asked, LocateLimits, wait_before_asking

NOW = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
AGES = st.lists(st.integers(0, 5_000), max_size=40)


def at(ages_s: list[int]) -> tuple[datetime, ...]:
    return tuple(sorted((NOW - timedelta(seconds=age) for age in ages_s), reverse=True))


def test_nobody_who_never_asked_has_to_wait() -> None:
    assert wait_before_asking(Asked(), LocateLimits(), now=NOW) == timedelta(0)


@given(by=AGES, about=AGES, both=AGES)
def test_after_the_wait_it_is_allowed_and_a_second_before_it_is_not(
    by: list[int], about: list[int], both: list[int]
) -> None:
    asked = Asked(at(by), at(about), at(both))
    limits = LocateLimits(asker_per_hour=6, person_per_hour=4)
    wait = wait_before_asking(asked, limits, now=NOW)
    assert wait >= timedelta(0)
    assert wait_before_asking(asked, limits, now=NOW + wait) == timedelta(0)
    if wait >= timedelta(seconds=1):
        just_before = NOW + wait - timedelta(seconds=1)
        assert wait_before_asking(asked, limits, now=just_before) > timedelta(0)


@given(by=AGES)
def test_never_more_than_allowed_within_an_hour(by: list[int]) -> None:
    limits = LocateLimits(asker_per_hour=5)
    recent = sum(age < 3_600 for age in by)
    allowed = wait_before_asking(Asked(by_asker=at(by)), limits, now=NOW) == timedelta(0)
    assert allowed == (recent < 5)


def test_a_limit_of_none_means_nobody_may_ask() -> None:
    limits = LocateLimits(person_per_hour=0)
    assert wait_before_asking(Asked(), limits, now=NOW) == timedelta(hours=1)
