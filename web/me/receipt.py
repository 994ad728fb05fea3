"""The privacy receipt of a day: what was received, kept and dropped, and who looked."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select
from sqlalchemy.orm import Session

from server.audit.queries import Look, looks_at
from server.posts.queries import DutyWindow, windows_of_day
from server.posts.rules import day_bounds
from server.tracking.queries import ledger


@dataclass(frozen=True, slots=True)
class Receipt:
    """One day of one person.

    Attributes
    ----------
    received, stored, duplicate, off_duty, refused, ignored : records of the person's phones
        on the days of receipt, in UTC, that the local date touches; the first is the sum of
        the others.
    windows : duty with the grace around it; outside of it nothing is stored.
    looks : who looked on that date or at that date, newest first.
    """

    on: date
    received: int
    stored: int
    duplicate: int
    off_duty: int
    refused: int
    ignored: int
    windows: Sequence[DutyWindow]
    looks: Sequence[Look]


def receipt_of(
    session: Session,
    scope: Select[UUID],
    *,
    tenant_id: int,
    employee_id: UUID,
    on: date,
    zone: str,
) -> Receipt:
    """Return the receipt of one local date. Five statements.

    Parameters
    ----------
    scope : the person themselves, as a scope.
    on, zone : local date and IANA zone.
    """
    start, end = day_bounds(on, zone)
    rows = ledger(
        session,
        scope,
        first_on=start.date(),
        last_on=(end - timedelta(microseconds=1)).date(),
    )
    looks = looks_at(session, employee_id, tenant_id=tenant_id, since_at=start, limit=500)
    return Receipt(
        on=on,
        received=sum(r.received for r in rows),
        stored=sum(r.stored for r in rows),
        duplicate=sum(r.duplicate for r in rows),
        off_duty=sum(r.off_duty for r in rows),
        refused=sum(r.quarantined for r in rows),
        ignored=sum(r.ignored for r in rows),
        windows=windows_of_day(session, tenant_id=tenant_id, employee_id=employee_id, work_on=on),
        looks=[look for look in looks if _concerns(look, on, start, end)],
    )


def _concerns(look: Look, on: date, start: datetime, end: datetime) -> bool:
    return look.about_on == on or start <= look.at < end
