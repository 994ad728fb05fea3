"""Reading of looks: by the person looked at, and by auditors."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.audit.models import AccessEntry, Purpose, SecurityEvent


@dataclass(frozen=True, slots=True)
class Look:
    """One entry of the access log."""

    at: datetime
    actor_id: UUID | None
    actor_name: str
    subject_id: UUID
    purpose: Purpose
    view: str
    about_on: date | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class SecurityRecord:
    """One security event."""

    at: datetime
    actor_id: UUID | None
    kind: str
    subject: str | None


def looks_at(
    session: Session,
    employee_id: UUID,
    *,
    tenant_id: int,
    since_at: datetime | None = None,
    limit: int = 200,
) -> list[Look]:
    """Return who looked at one person, newest first.

    Parameters
    ----------
    session : transaction inside the tenant's wall.
    employee_id : the person looked at; the caller has checked that it is themselves or
        that they may read the audit.
    tenant_id : their tenant.
    since_at : aware instant; None for all.
    limit : at most so many entries.
    """
    query = select(AccessEntry).where(
        AccessEntry.tenant_id == tenant_id, AccessEntry.subject_id == employee_id
    )
    if since_at is not None:
        query = query.where(AccessEntry.at >= since_at)
    rows = session.scalars(query.order_by(AccessEntry.at.desc()).limit(limit))
    return [_look(row) for row in rows]


def recent_looks(
    session: Session, *, tenant_id: int, before_at: datetime | None = None, limit: int = 200
) -> list[Look]:
    """Return all looks of a tenant for its auditors, newest first, page by `before_at`."""
    query = select(AccessEntry).where(AccessEntry.tenant_id == tenant_id)
    if before_at is not None:
        query = query.where(AccessEntry.at < before_at)
    rows = session.scalars(query.order_by(AccessEntry.at.desc()).limit(limit))
    return [_look(row) for row in rows]


def recent_security_events(
    session: Session, *, tenant_id: int, before_at: datetime | None = None, limit: int = 200
) -> list[SecurityRecord]:
    """Return a tenant's security events for its auditors, newest first."""
    query = select(SecurityEvent).where(SecurityEvent.tenant_id == tenant_id)
    if before_at is not None:
        query = query.where(SecurityEvent.at < before_at)
    rows = session.scalars(query.order_by(SecurityEvent.at.desc()).limit(limit))
    return [SecurityRecord(row.at, row.actor_id, row.kind, row.subject) for row in rows]


def _look(row: AccessEntry) -> Look:
    return Look(
        at=row.at,
        actor_id=row.actor_id,
        actor_name=row.actor_name,
        subject_id=row.subject_id,
        purpose=row.purpose,
        view=row.view,
        about_on=row.about_on,
        reason=row.reason,
    )
