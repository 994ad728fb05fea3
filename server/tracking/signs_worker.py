"""Looks for signs in days that are over, beside the engine's worker in its process."""

from collections.abc import Sequence

from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.db.setbacks import OnClaim, Setbacks
from server.findings.rules import DayKey
from server.tracking.signs import BATCH, judge_signs


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
        self._setbacks = Setbacks[DayKey]("signs", clock, label=lambda day: day.work_on)

    def run_once(self) -> int:
        """Look at some days; returns how many there were. A bad day keeps no other from it."""
        return self._setbacks.do(self._look, batch=BATCH)

    def _look(self, *, limit: int, skip: Sequence[DayKey], on_claim: OnClaim[DayKey]) -> int:
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return judge_signs(session, self._clock, limit=limit, skip=skip, on_claim=on_claim)
