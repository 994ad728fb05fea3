"""Who may hear which event, looked up again every few seconds while a stream is open."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.session import unit_of_work
from server.people.policy import employees_in_scope
from server.people.rules import (
    Action,
    Principal,
    allows_self,
    granting_units,
    may_somewhere,
)
from server.people.sessions import SessionToken, load_principal
from server.tracking.live import LiveType, StoredEvent

RECHECK_S: Final = 3.0
"""Sign-out, revoked roles and moves end a person's events within 5 s: this, plus a margin."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Employees whose events one principal may receive."""

    live: frozenset[UUID]
    findings: frozenset[UUID]


class Watch:
    """The standing of one open stream's session.

    Parameters
    ----------
    token : of the session that opened the stream; looking does not keep it from idling out.
    """

    def __init__(self, sessions: sessionmaker[Session], clock: Clock, token: SessionToken) -> None:
        self._sessions = sessions
        self._clock = clock
        self._token = token
        self._checked_s: float | None = None
        self._scope = Scope(frozenset(), frozenset())

    def still_open(self) -> bool:
        """Tell whether the session stands and may look; reads the database when it is time."""
        started_s = time.monotonic()
        if self._checked_s is not None and started_s - self._checked_s < RECHECK_S:
            return True
        with unit_of_work(self._sessions, tenant_id=self._token.tenant_id) as session:
            principal = load_principal(session, self._clock, self._token, touch=False)
            if principal is None or not may_somewhere(principal, Action.VIEW_LIVE):
                return False
            self._scope = _scope(session, principal, self._clock.now())
        self._checked_s = started_s
        return True

    def allows(self, event: StoredEvent) -> bool:
        """Decide on one event by the scope as last read."""
        if event.employee_id is None:
            return False
        if event.type is LiveType.ALERT:
            return event.employee_id in self._scope.findings
        return event.employee_id in self._scope.live


def _scope(session: Session, principal: Principal, now: datetime) -> Scope:
    live = _employees(session, principal, Action.VIEW_LIVE, now)
    # Today the same roles give both; one statement less for each open map every few seconds.
    same = granting_units(principal, Action.VIEW_LIVE) == granting_units(
        principal, Action.VIEW_FINDINGS
    ) and allows_self(principal, Action.VIEW_LIVE) == allows_self(principal, Action.VIEW_FINDINGS)
    if same:
        return Scope(live, live)
    return Scope(live, _employees(session, principal, Action.VIEW_FINDINGS, now))


def _employees(
    session: Session, principal: Principal, action: Action, now: datetime
) -> frozenset[UUID]:
    return frozenset(session.scalars(employees_in_scope(principal, action, now=now)))
