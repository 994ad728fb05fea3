"""Checks claims beside the engine's worker, in its process; any number may run."""

from sqlalchemy.orm import Session, sessionmaker

from server.claims.services import audit_due
from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work


class Auditor(Rounds):
    """Checks due claims until stopped.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells which claims are due.
    at_once : claims a transaction.
    """

    def __init__(self, sessions: sessionmaker[Session], clock: Clock, *, at_once: int = 10) -> None:
        super().__init__("auditor")
        self._sessions = sessions
        self._clock = clock
        self._at_once = at_once

    def run_once(self) -> int:
        """Check one batch; returns how many claims were looked at."""
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return audit_due(session, self._clock, limit=self._at_once)
