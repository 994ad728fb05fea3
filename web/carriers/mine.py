"""What people see of themselves: their consent, and what the carrier was asked about them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from flask_babel.speaklater import LazyString
from sqlalchemy import select
from sqlalchemy.orm import Session

from server.carriers.queries import ConsentView, RequestView, consent_views, newest_requests
from server.carriers.services import Withdrawn
from server.db import tables
from server.http.context import now, principal
from web.carriers import words


@dataclass(frozen=True, slots=True)
class OwnCarrier:
    """One's own consent and the requests of the last 30 days."""

    consent: ConsentView
    given_on: date | None
    asked: list[RequestView]
    withdrawn: Mapping[Withdrawn, LazyString]

    def outcome(self, code: str | None) -> str:
        """Return what came of a request, in words."""
        return words.outcome(code)


def own_carrier(session: Session, *, tenant_id: int, employee_id: UUID) -> OwnCarrier | None:
    """Return what the carrier has to do with a person; None when it has nothing. Two statements."""
    people = tables.employees
    me = select(people.c.id).where(people.c.tenant_id == tenant_id, people.c.id == employee_id)
    (consent,), _count = consent_views(session, me)
    since_at = now() - timedelta(days=30)
    asked = newest_requests(session, tenant_id=tenant_id, employee_id=employee_id, limit=50)
    lately = [request for request in asked if request.asked_at >= since_at]
    if consent.given_at is None and not lately:
        return None
    given_at = consent.given_at
    given_on = given_at.astimezone(ZoneInfo(principal().zone)).date() if given_at else None
    return OwnCarrier(consent, given_on, lately, words.WITHDRAWN)
