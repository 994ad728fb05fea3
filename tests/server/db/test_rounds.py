"""What works beside a process goes on after work that cannot be done."""

import psycopg
import pytest

from server.db import rounds
from server.db.rounds import Rounds


class Worker(Rounds):
    """Meets what it is given, one a round; stops when nothing is left."""

    def __init__(self, *outcomes: int | Exception) -> None:
        super().__init__("worker", poll_s=0.0)
        self.outcomes = list(outcomes)

    def run_once(self) -> int:
        if len(self.outcomes) == 1:
            self.stop()
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


@pytest.mark.parametrize("trouble", [KeyError("bad row"), psycopg.OperationalError("gone")])
def test_a_round_that_fails_is_not_the_last(
    trouble: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "_RETRY_S", 0.0)
    worker = Worker(trouble, 3, 0, 0)
    worker.run()
    assert worker.outcomes == []


def test_it_ends_after_the_round_in_hand() -> None:
    class Patient(Rounds):
        rounds = 0

        def run_once(self) -> int:
            self.rounds += 1
            return 0

    worker = Patient("patient", poll_s=60.0)
    worker.start()
    worker.stop()
    assert not worker.is_alive()
    assert worker.rounds <= 1
