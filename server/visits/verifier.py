"""Judges visits beside the engine's worker, in its process; any number may run."""

from collections.abc import Sequence

from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.db.setbacks import OnClaim, Setbacks
from server.visits.services import RoundKey, verify_due


class Verifier(Rounds):
    """Judges due visits until stopped.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells which windows are over.
    at_once : due visits a transaction; the engine waits for those of a day it derives, so few.
    """

    def __init__(self, sessions: sessionmaker[Session], clock: Clock, *, at_once: int = 20) -> None:
        super().__init__("verifier")
        self._sessions = sessions
        self._clock = clock
        self._at_once = at_once
        self._setbacks = Setbacks[RoundKey]("verifier", clock, label=lambda key: key.on_date)

    def run_once(self) -> int:
        """Judge one claim; returns how many due visits were done. A bad one keeps no other."""
        return self._setbacks.do(self._verify, batch=self._at_once)

    def _verify(self, *, limit: int, skip: Sequence[RoundKey], on_claim: OnClaim[RoundKey]) -> int:
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return verify_due(session, self._clock, limit=limit, skip=skip, on_claim=on_claim)
