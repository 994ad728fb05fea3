"""Checks claims beside the engine's worker, in its process; any number may run."""

from sqlalchemy.orm import Session, sessionmaker

from server.claims.roads import RoadSource
from server.claims.services import audit_due
from server.clock import Clock
from server.db.rounds import Rounds


class Auditor(Rounds):
    """Checks due claims until stopped.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells which claims are due.
    roads : where to ask for ways; None measures by the positions alone.
    at_once : claims a round.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Clock,
        *,
        roads: RoadSource | None = None,
        at_once: int = 10,
    ) -> None:
        super().__init__("auditor")
        self._sessions = sessions
        self._clock = clock
        self._roads = roads
        self._at_once = at_once

    def run_once(self) -> int:
        """Check a few claims; returns how many were looked at."""
        return audit_due(self._sessions, self._clock, roads=self._roads, limit=self._at_once)
