"""Looks for signs in days that are over, beside the engine's worker in its process."""

import logging
from collections.abc import Callable, Sequence

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.findings.rules import DayKey
from server.tracking.engine import Setbacks
from server.tracking.signs import BATCH, judge_signs

_log = logging.getLogger(__name__)


class SignsWorker(Rounds):
    """Looks at days that wait until stopped; nobody waits for it.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells which days are over.
    """

    def __init__(self, sessions: sessionmaker[Session], clock: Clock) -> None:
        super().__init__("signs")
        self._sessions = sessions
        self._clock = clock
        self._setbacks = Setbacks()

    def run_once(self) -> int:
        """Look at some days in one transaction; returns how many there were.

        A day that cannot be looked at waits, longer each time, and keeps no other from it.
        """
        try:
            return self._look(BATCH)
        except Exception as error:
            if isinstance(error, DBAPIError) and error.connection_invalidated:
                raise
            _log.exception("signs of a batch failed, its days are tried one by one")
        return sum(self._look_at_one() for _ in range(BATCH))

    def _look(self, limit: int, on_claim: Callable[[Sequence[DayKey]], None] | None = None) -> int:
        waiting = self._setbacks.waiting(self._clock.now())
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return judge_signs(session, self._clock, limit=limit, skip=waiting, on_claim=on_claim)

    def _look_at_one(self) -> int:
        claimed: list[DayKey] = []
        try:
            done = self._look(1, claimed.extend)
        except Exception as error:
            if not claimed or (isinstance(error, DBAPIError) and error.connection_invalidated):
                raise
            _log.exception("signs of a day of %s cannot be looked for", claimed[0].work_on)
            self._setbacks.failed(claimed[0], self._clock.now())
            return 0
        self._setbacks.succeeded(claimed)
        return done
