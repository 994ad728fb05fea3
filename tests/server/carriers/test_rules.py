"""The breaker, and words for every refusal."""

from datetime import UTC, datetime, timedelta

from server.carriers.rules import REFUSALS, Breaker, BreakerState, RefusalCode

NOW = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)
FAULT = RefusalCode.TIMEOUT


def test_every_refusal_has_words() -> None:
    assert set(REFUSALS) == set(RefusalCode)
    assert len(set(REFUSALS.values())) == len(REFUSALS)


def test_it_opens_after_three_faults_and_pauses_longer_each_time() -> None:
    breaker, now, pauses = Breaker(), NOW, []
    for _ in range(10):
        breaker = breaker.after(FAULT, now)
        if breaker.open_until_at is not None:
            pauses.append((breaker.open_until_at - now).total_seconds())
            assert breaker.state(now) is BreakerState.OPEN
            now = breaker.open_until_at
            assert breaker.state(now) is BreakerState.TRIAL
        else:
            assert breaker.state(now) is BreakerState.CLOSED
    assert pauses == [30, 60, 120, 240, 480, 600, 600, 600]


def test_a_position_or_a_word_about_the_person_closes_it() -> None:
    tried = Breaker(5, NOW)
    for outcome in (None, RefusalCode.ABSENT, RefusalCode.CONSENT_WITHDRAWN):
        assert tried.after(outcome, NOW) == Breaker()


def test_only_one_tries_while_it_is_half_open() -> None:
    half = Breaker(4, NOW)
    trying = half.trying(NOW, within=timedelta(seconds=25))
    assert half.state(NOW) is BreakerState.TRIAL
    assert trying.state(NOW) is BreakerState.OPEN
    assert trying.state(NOW + timedelta(seconds=25)) is BreakerState.TRIAL, "lost, not stuck"
    closed = Breaker(1)
    assert closed.trying(NOW, within=timedelta(seconds=25)) == closed
