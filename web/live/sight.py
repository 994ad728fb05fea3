"""The stream of one window of a map of very many people.

Only people in the window are told of, and of each it is decided whether this viewer may hear
it: the rights of a hundred thousand are not read every few seconds for a window of a hundred.
"""

from datetime import datetime
from uuid import UUID

import orjson
from sqlalchemy import Select
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.session import unit_of_work
from server.people.policy import employees_in_scope
from server.people.rules import Action, Principal
from server.people.sessions import SessionToken
from server.tracking.hexagons import Box
from server.tracking.live import LiveType, StoredEvent
from server.tracking.live_many import people_within
from server.tracking.queries import duty_spans
from web.live.watch import AHEAD, Scope, Watch

MAX_ASKED = 5_000
"""People whose rights one window keeps in mind; the oldest questions go first."""


class WindowWatch(Watch):
    """The standing of a stream that shows one window, or none at all and alerts only.

    Parameters
    ----------
    box : the window; None tells of alerts only.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Clock,
        token: SessionToken,
        *,
        box: Box | None,
    ) -> None:
        super().__init__(sessions, clock, token)
        self._box = box
        self._inside: set[UUID] = set()
        self._asked: dict[UUID, bool] = {}

    def wants(self, event: StoredEvent) -> bool:
        """Tell whether an event concerns the window; runs in the hub's thread.

        Somebody who leaves the window is told of once more, from outside of it.
        """
        person = event.employee_id
        if person is None:
            return False
        if event.type is LiveType.ALERT:
            return True
        if event.type is LiveType.POSITION and self._box is not None:
            data = orjson.loads(event.json)
            if self._box.holds(lon=data.get("lon"), lat=data.get("lat")):
                if len(self._inside) >= MAX_ASKED:
                    # A window that wide is drawn as counts.
                    return person in self._inside
                self._inside.add(person)
                return True
            if person in self._inside:
                self._inside.discard(person)
                return True
            return False
        return person in self._inside

    def allows(self, event: StoredEvent) -> bool:
        """Decide on one event, asking the rules for a person who is new in the window."""
        person = event.employee_id
        if person is None:
            return False
        if event.type is LiveType.ALERT:
            return self._may_hear_alert(person)
        if person not in self._asked:
            self._ask(person)
        return super().allows(event)

    def _read_scope(self, session: Session, principal: Principal, now: datetime) -> Scope:
        """Read the rights of the people in the window, and of those asked for since."""
        if self._box is None:
            return Scope({}, frozenset())
        scope = employees_in_scope(principal, Action.VIEW_LIVE, now=now)
        within = people_within(session, scope, box=self._box, limit=MAX_ASKED)
        concerned = within | self._inside.copy()
        self._inside |= within
        spans = duty_spans(session, _only(principal, concerned, now=now), now=now, ahead=AHEAD)
        self._asked = dict.fromkeys(concerned, True)
        return Scope(spans, frozenset())

    def _ask(self, person: UUID) -> None:
        viewer = self._viewer
        if viewer is None:
            return
        now = self._clock.now()
        with unit_of_work(self._sessions, tenant_id=viewer.tenant_id) as session:
            spans = duty_spans(session, _only(viewer, {person}, now=now), now=now, ahead=AHEAD)
        self._asked[person] = True
        self._scope = Scope({**self._scope.live, **spans}, frozenset())

    def _may_hear_alert(self, person: UUID) -> bool:
        viewer = self._viewer
        if viewer is None:
            return False
        now = self._clock.now()
        scope = employees_in_scope(viewer, Action.VIEW_FINDINGS, now=now)
        (employee_id,) = scope.selected_columns
        with unit_of_work(self._sessions, tenant_id=viewer.tenant_id) as session:
            return session.scalar(scope.where(employee_id == person)) is not None


def _only(principal: Principal, people: set[UUID], *, now: datetime) -> Select[UUID]:
    scope = employees_in_scope(principal, Action.VIEW_LIVE, now=now)
    (employee_id,) = scope.selected_columns
    return scope.where(employee_id.in_(people))
