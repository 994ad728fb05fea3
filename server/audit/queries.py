"""Reading of looks: by the person looked at, and by auditors."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, Text, and_, cast, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.expression import FromClause

from server.audit.models import AccessEntry, AggregateLook, Purpose, SecurityEvent
from server.db import tables
from server.db.paging import Page, Paging


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
class LookRow:
    """A look with the name and staff number of the person looked at."""

    look: Look
    subject_name: str
    subject_number: str


@dataclass(frozen=True, slots=True)
class SecurityRow:
    """One security event; `about` names its subject where that is known."""

    at: datetime
    actor_id: UUID | None
    actor_name: str | None
    kind: str
    subject: str | None
    about: str | None
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CountRow:
    """A look at how many people were where; `unit` names what was counted when it is a unit."""

    at: datetime
    actor_id: UUID | None
    actor_name: str
    purpose: Purpose
    view: str
    about_on: date
    reach: str
    unit: str | None
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailFilter(Paging):
    """What part of a trail is wanted.

    Parameters
    ----------
    since_at, until_at : half-open span of aware instants; None leaves a side open.
    words : part of a name of those concerned.
    kind : a purpose of looks, a kind of security events.
    subject : id of what a security event is about.
    """

    since_at: datetime | None = None
    until_at: datetime | None = None
    words: str = ""
    kind: str = ""
    subject: str = ""


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


def look_subject() -> ColumnElement[UUID]:
    """Return the column of whom a look is about, for a scope."""
    return AccessEntry.subject_id.expression


def look_day(zone: str) -> ColumnElement[date]:
    """Return the local date of a look in an IANA zone, for a scope."""
    return cast(func.timezone(zone, AccessEntry.at), Date)


def list_looks(
    session: Session, reach: ColumnElement[bool], *, tenant_id: int, wanted: TrailFilter
) -> Page[LookRow]:
    """Return a page of the looks of a tenant for its auditors, newest first. Two statements.

    Parameters
    ----------
    reach : which looks the auditor may read; a condition on `look_subject` and `look_day`.
    """
    query = (
        select(AccessEntry, tables.employees.c.name, tables.employees.c.number)
        .join(
            tables.employees,
            and_(
                tables.employees.c.tenant_id == AccessEntry.tenant_id,
                tables.employees.c.id == AccessEntry.subject_id,
            ),
        )
        .where(AccessEntry.tenant_id == tenant_id, reach, *_within(AccessEntry.at, wanted))
    )
    if wanted.words:
        query = query.where(
            or_(
                AccessEntry.actor_name.icontains(wanted.words, autoescape=True),
                tables.employees.c.name.icontains(wanted.words, autoescape=True),
                tables.employees.c.number == wanted.words,
            )
        )
    if wanted.kind:
        query = query.where(cast(AccessEntry.purpose, Text) == wanted.kind)
    rows = session.execute(_page(query, AccessEntry.at, AccessEntry.id, wanted))
    return Page(
        [LookRow(_look(entry), name, number) for entry, name, number in rows],
        _count(session, query),
    )


def list_security_events(
    session: Session, *, tenant_id: int, wanted: TrailFilter
) -> Page[SecurityRow]:
    """Return a page of a tenant's security events, newest first. Two statements.

    Their words are searched in the names of who did it and of what it was done to.
    """
    actor, account = tables.accounts.alias("actor"), tables.accounts.alias("account")
    person = tables.employees.alias("person")
    device, holder = tables.devices.alias("device"), tables.employees.alias("holder")
    event = SecurityEvent

    def joined(other: FromClause, key: ColumnElement[bool]) -> ColumnElement[bool]:
        return and_(other.c.tenant_id == event.tenant_id, key)

    about = func.coalesce(
        account.c.name, person.c.name, func.concat_ws(" · ", holder.c.name, device.c.label)
    )
    query = (
        select(event, actor.c.name, func.nullif(about, ""))
        .outerjoin(actor, joined(actor, actor.c.id == event.actor_id))
        .outerjoin(account, joined(account, cast(account.c.id, Text) == event.subject))
        .outerjoin(person, joined(person, cast(person.c.id, Text) == event.subject))
        .outerjoin(device, joined(device, cast(device.c.id, Text) == event.subject))
        .outerjoin(holder, joined(holder, holder.c.id == device.c.employee_id))
        .where(event.tenant_id == tenant_id, *_within(event.at, wanted))
    )
    if wanted.words:
        query = query.where(
            or_(
                actor.c.name.icontains(wanted.words, autoescape=True),
                about.icontains(wanted.words, autoescape=True),
            )
        )
    if wanted.kind:
        query = query.where(event.kind == wanted.kind)
    if wanted.subject:
        query = query.where(event.subject == wanted.subject)
    rows = session.execute(_page(query, event.at, event.id, wanted))
    return Page(
        [
            SecurityRow(row.at, row.actor_id, by, row.kind, row.subject, of, row.detail)
            for row, by, of in rows
        ],
        _count(session, query),
    )


def list_aggregate_looks(
    session: Session, *, tenant_id: int, wanted: TrailFilter
) -> Page[CountRow]:
    """Return a page of a tenant's looks at counts of people, newest first. Two statements.

    They name nobody who was counted; the words are searched in who looked and in the unit.
    """
    look, unit = AggregateLook, tables.units
    named = and_(unit.c.tenant_id == look.tenant_id, cast(unit.c.id, Text) == look.reach)
    query = (
        select(look, unit.c.name)
        .outerjoin(unit, named)
        .where(look.tenant_id == tenant_id, *_within(look.at, wanted))
    )
    if wanted.words:
        query = query.where(
            or_(
                look.actor_name.icontains(wanted.words, autoescape=True),
                unit.c.name.icontains(wanted.words, autoescape=True),
            )
        )
    if wanted.kind:
        query = query.where(cast(look.purpose, Text) == wanted.kind)
    rows = session.execute(_page(query, look.at, look.id, wanted))
    return Page(
        [
            CountRow(
                row.at, row.actor_id, row.actor_name, row.purpose, row.view, row.about_on,
                row.reach, name, row.people,
            )
            for row, name in rows
        ],
        _count(session, query),
    )  # fmt: skip


def kinds_of_events(session: Session, *, tenant_id: int) -> list[str]:
    """Return the kinds of security events that a tenant has, sorted."""
    query = select(SecurityEvent.kind).where(SecurityEvent.tenant_id == tenant_id).distinct()
    return sorted(session.scalars(query))


def _within(at: InstrumentedAttribute[datetime], wanted: TrailFilter) -> list[ColumnElement[bool]]:
    span = []
    if wanted.since_at is not None:
        span.append(at >= wanted.since_at)
    if wanted.until_at is not None:
        span.append(at < wanted.until_at)
    return span


def _page(
    query: Select[Any],
    at: InstrumentedAttribute[datetime],
    id_: InstrumentedAttribute[UUID],
    wanted: TrailFilter,
) -> Select[Any]:
    return query.order_by(at.desc(), id_.desc()).limit(wanted.limit).offset(wanted.offset)


def _count(session: Session, query: Select[Any]) -> int:
    return session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0


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
