"""Reading of excusals; public through `server.posts.queries`."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Date, and_, cast, func, select
from sqlalchemy.orm import Session

from server.db import tables
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.posts.models import Excusal
from server.posts.rules import ExcusalKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcusalView:
    """A span in which somebody need not be at the post."""

    id: UUID
    tenant_id: int
    employee_id: UUID
    kind: ExcusalKind
    starts_at: datetime
    ends_at: datetime
    note: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExcusalRow:
    """An excusal for a list; `by` is None when a command or an import made it."""

    id: UUID
    employee_id: UUID
    employee_name: str
    kind: ExcusalKind
    starts_at: datetime
    ends_at: datetime
    note: str | None
    by: str | None
    created_at: datetime
    withdrawn_at: datetime | None


def excusals_between(
    session: Session,
    *,
    tenant_id: int,
    employee_id: UUID,
    start_at: datetime,
    end_at: datetime,
) -> list[ExcusalView]:
    """Return the excusals in force of one person that meet a span, in time order."""
    return excusals_of_people(
        session,
        tenant_ids=[tenant_id],
        employee_ids=[employee_id],
        start_at=start_at,
        end_at=end_at,
    )


def excusals_of_people(
    session: Session,
    *,
    tenant_ids: Collection[int],
    employee_ids: Collection[UUID],
    start_at: datetime,
    end_at: datetime,
) -> list[ExcusalView]:
    """Return the excusals in force of people that meet a span, in time order. One statement."""
    query = (
        select(Excusal)
        .where(
            Excusal.tenant_id.in_(tenant_ids),
            Excusal.employee_id.in_(employee_ids),
            Excusal.withdrawn_at.is_(None),
            Excusal.starts_at < end_at,
            Excusal.ends_at > start_at,
        )
        .order_by(Excusal.starts_at, Excusal.id)
    )
    return [
        ExcusalView(
            id=row.id,
            tenant_id=row.tenant_id,
            employee_id=row.employee_id,
            kind=row.kind,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            note=row.note,
        )
        for row in session.scalars(query)
    ]


def list_excusals(
    session: Session,
    principal: Principal,
    action: Action,
    *,
    now: datetime,
    start_at: datetime | None = None,
    end_at: datetime | None = None,
    employee_id: UUID | None = None,
    excusal_id: UUID | None = None,
) -> list[ExcusalRow]:
    """Return the excusals that meet a span and that `action` is open to, newest span first.

    Membership counts on the local date at which each begins. Withdrawn ones are among
    them. One statement.

    Parameters
    ----------
    start_at, end_at : half-open span; None leaves a side open.
    employee_id, excusal_id : only this person's, only this one.
    """
    people, accounts = tables.employees, tables.accounts
    query = (
        select(Excusal, people.c.name, accounts.c.name)
        .join(
            people,
            and_(people.c.tenant_id == Excusal.tenant_id, people.c.id == Excusal.employee_id),
        )
        .outerjoin(
            accounts,
            and_(accounts.c.tenant_id == Excusal.tenant_id, accounts.c.id == Excusal.created_by),
        )
        .where(
            was_in_scope(
                principal,
                action,
                employee_id=Excusal.employee_id.expression,
                on=cast(func.timezone(principal.zone, Excusal.starts_at), Date),
                now=now,
            ),
        )
        .order_by(Excusal.starts_at.desc(), people.c.name, Excusal.id)
    )
    if end_at is not None:
        query = query.where(Excusal.starts_at < end_at)
    if start_at is not None:
        query = query.where(Excusal.ends_at > start_at)
    if excusal_id is not None:
        query = query.where(Excusal.id == excusal_id)
    if employee_id is not None:
        query = query.where(Excusal.employee_id == employee_id)
    return [
        ExcusalRow(
            id=row.id,
            employee_id=row.employee_id,
            employee_name=name,
            kind=row.kind,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            note=row.note,
            by=by,
            created_at=row.created_at,
            withdrawn_at=row.withdrawn_at,
        )
        for row, name, by in session.execute(query)
    ]
