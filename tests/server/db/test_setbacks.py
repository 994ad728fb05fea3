"""What cannot be done waits by itself; the rest goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.exc import OperationalError

from server.clock import ManualClock
from server.db.setbacks import OnClaim, Setbacks


@dataclass
class Queue:
    """Pieces that are due; those that are `bad` cannot be done."""

    due: list[str]
    bad: set[str] = field(default_factory=set)
    error: Exception = field(default_factory=ArithmeticError)
    failures: int = 0

    def work(self, *, limit: int, skip: Sequence[str], on_claim: OnClaim[str]) -> int:
        taken = [piece for piece in self.due if piece not in skip][:limit]
        on_claim(taken)
        if self.bad.intersection(taken):
            self.failures += 1
            raise self.error
        self.due = [piece for piece in self.due if piece not in taken]
        return len(taken)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(datetime(2026, 11, 18, tzinfo=UTC))


def setbacks(clock: ManualClock) -> Setbacks[str]:
    return Setbacks("test", clock, label=lambda piece: piece)


def test_a_bad_piece_keeps_no_other_from_being_done(clock: ManualClock) -> None:
    queue, worker = Queue(["a", "b", "c"], bad={"a"}), setbacks(clock)
    assert worker.do(queue.work, batch=5) == 2
    assert queue.due == ["a"]
    assert worker.do(queue.work, batch=5) == 0


def test_it_waits_longer_each_time_and_is_forgotten_when_it_is_done(clock: ManualClock) -> None:
    queue, worker = Queue(["a"], bad={"a"}), setbacks(clock)
    worker.do(queue.work, batch=5)
    for seconds in (5, 60, 600, 600):
        before = queue.failures
        clock.advance(timedelta(seconds=seconds - 1))
        assert worker.do(queue.work, batch=5) == 0
        assert queue.failures == before, "it is not tried yet"
        clock.advance(timedelta(seconds=1))
        worker.do(queue.work, batch=5)
        assert queue.failures > before
    clock.advance(timedelta(minutes=10))
    queue.bad.clear()
    assert worker.do(queue.work, batch=5) == 1
    queue.due, queue.bad = ["a"], {"a"}
    worker.do(queue.work, batch=5)
    clock.advance(timedelta(seconds=5))
    queue.bad.clear()
    assert worker.do(queue.work, batch=5) == 1, "it waits briefly again"


def test_a_lost_connection_is_nobodys_fault(clock: ManualClock) -> None:
    gone = OperationalError("SELECT", {}, Exception(), connection_invalidated=True)
    queue, worker = Queue(["a"], bad={"a"}, error=gone), setbacks(clock)
    with pytest.raises(OperationalError):
        worker.do(queue.work, batch=5)
    queue.bad.clear()
    assert worker.do(queue.work, batch=5) == 1


def test_what_fails_before_anything_is_taken_is_told(clock: ManualClock) -> None:
    def fails(**_asked: object) -> int:
        raise KeyError

    with pytest.raises(KeyError):
        setbacks(clock).do(fails, batch=5)
