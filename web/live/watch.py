"""Who may hear which event, looked up again every few seconds while a stream is open.

With each reading the looks at people whose position was sent are written down.
"""

import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy.orm import Session, sessionmaker

from server.audit.services import COALESCE, Purpose, record_looks
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
from server.tracking.queries import DutySpan, LiveStatus, duty_spans

RECHECK_S: Final = 3.0
"""Sign-out, revoked roles and moves end a person's events within 5 s: this, plus a margin."""
AHEAD: Final = timedelta(seconds=10)
"""Shifts that begin before the next reading are known in time for their first position."""
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """Employees whose events one principal may receive; `live` with when they are on duty."""

    live: Mapping[UUID, tuple[DutySpan, ...]]
    findings: AbstractSet[UUID]


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
        self._scope = Scope({}, frozenset())
        self._viewer: Principal | None = None
        self._sent: set[UUID] = set()
        self._logged: dict[UUID, datetime] = {}

    def still_open(self) -> bool:
        """Tell whether the session stands and may look; reads the database when it is time."""
        started_s = time.monotonic()
        if self._checked_s is not None and started_s - self._checked_s < RECHECK_S:
            return True
        with unit_of_work(self._sessions, tenant_id=self._token.tenant_id) as session:
            self._record_looks(session)
            principal = load_principal(session, self._clock, self._token, touch=False)
            if principal is None or not may_somewhere(principal, Action.VIEW_LIVE):
                return False
            self._scope = self._read_scope(session, principal, self._clock.now())
            self._viewer = principal
        self._sent.clear()
        self._checked_s = started_s
        return True

    def allows(self, event: StoredEvent) -> bool:
        """Decide on one event by the scope as last read, and by the clock.

        Where people are is told while they are on duty; that duty is over is told as well.
        """
        if event.employee_id is None:
            return False
        if event.type is LiveType.ALERT:
            return event.employee_id in self._scope.findings
        spans = self._scope.live.get(event.employee_id)
        if spans is None:
            return False
        now = self._clock.now()
        if any(starts_at <= now < ends_at for starts_at, ends_at in spans):
            return True
        return event.type is LiveType.STATE and _says_off_duty(event)

    def sent(self, event: StoredEvent) -> None:
        """Take note of an event that goes out; looks are written with the next reading."""
        if event.type is LiveType.POSITION and event.employee_id is not None:
            self._sent.add(event.employee_id)

    def close(self) -> None:
        """Write the looks that no reading has written yet; for the end of the stream."""
        if self._due():
            with unit_of_work(self._sessions, tenant_id=self._token.tenant_id) as session:
                self._record_looks(session)
        self._sent.clear()

    def _read_scope(self, session: Session, principal: Principal, now: datetime) -> Scope:
        return _scope(session, principal, now)

    def _due(self) -> set[UUID]:
        """Return whose position was sent and has not been recorded within the hour."""
        since = self._clock.now() - COALESCE
        return {each for each in self._sent if self._logged.get(each, _NEVER) <= since}

    def _record_looks(self, session: Session) -> None:
        due, now = self._due(), self._clock.now()
        if due and self._viewer is not None:
            # The name of the snapshot's looks: snapshot and stream are one look at one map.
            record_looks(session, self._viewer, due, Purpose.LIVE_SUPERVISION, "live_map", now=now)
            self._logged |= dict.fromkeys(due, now)


def _says_off_duty(event: StoredEvent) -> bool:
    return bool(orjson.loads(event.json).get("status") == LiveStatus.OFF_DUTY)


def _scope(session: Session, principal: Principal, now: datetime) -> Scope:
    live = duty_spans(
        session, employees_in_scope(principal, Action.VIEW_LIVE, now=now), now=now, ahead=AHEAD
    )
    # Today the same roles give both; one statement less for each open map every few seconds.
    same = granting_units(principal, Action.VIEW_LIVE) == granting_units(
        principal, Action.VIEW_FINDINGS
    ) and allows_self(principal, Action.VIEW_LIVE) == allows_self(principal, Action.VIEW_FINDINGS)
    if same:
        return Scope(live, live.keys())
    found = employees_in_scope(principal, Action.VIEW_FINDINGS, now=now)
    return Scope(live, frozenset(session.scalars(found)))
