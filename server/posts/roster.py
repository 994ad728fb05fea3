"""Use cases on shifts, roster and excusals; public through `server.posts.services`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db import tables
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound
from server.posts import store
from server.posts.models import Excusal, Post, RosterEntry, Shift
from server.posts.rules import ExcusalKind, clean_name, local_date, shift_instants

_MAX_EXCUSAL = timedelta(days=400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One person's shift on one work date; `zone` defaults to the post's, then the tenant's."""

    employee_id: UUID
    shift_id: UUID
    on_date: date
    post_id: UUID | None = None
    zone: str | None = None


def create_shift(session: Session, *, tenant_id: int, name: str, starts: time, ends: time) -> UUID:
    """Create a named span of wall-clock time; an end not after the start is the next day.

    Raises
    ------
    InvalidInput : `name_missing`, `name_too_long`, `aware_time`.
    Conflict : `shift_name_taken`.
    """
    if starts.tzinfo is not None or ends.tzinfo is not None:
        raise InvalidInput("aware_time", "shift times are wall-clock times without a zone")
    label = clean_name(name)
    taken = select(Shift.id).where(Shift.tenant_id == tenant_id, Shift.name == label)
    if session.scalar(taken) is not None:
        raise Conflict("shift_name_taken", fields={"name": "shift_name_taken"})
    shift = Shift(tenant_id=tenant_id, id=new_id(), name=label, starts=starts, ends=ends)
    session.add(shift)
    session.flush()
    return shift.id


def retire_shift(session: Session, clock: Clock, *, tenant_id: int, shift_id: UUID) -> None:
    """Offer a shift no longer for work dates from today (in the tenant's zone) on.

    The past keeps it.

    Raises
    ------
    NotFound : `shift_not_found`.
    """
    shift = store.load_shift(session, tenant_id=tenant_id, shift_id=shift_id)
    shift.retired_on = local_date(clock.now(), _tenant_zone(session, tenant_id) or "UTC")
    session.flush()


def assign_shift(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    shift_id: UUID,
    on_date: date,
    post_id: UUID | None = None,
    zone: str | None = None,
    actor_id: UUID | None = None,
) -> UUID:
    """Put one person on the roster for one work date; see `assign_shifts`."""
    assignment = Assignment(
        employee_id=employee_id, shift_id=shift_id, on_date=on_date, post_id=post_id, zone=zone
    )
    return assign_shifts(
        session, clock, tenant_id=tenant_id, assignments=[assignment], actor_id=actor_id
    )[0]


def assign_shifts(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    assignments: Sequence[Assignment],
    actor_id: UUID | None = None,
) -> list[UUID]:
    """Put people on the roster, all of them or none.

    Returns
    -------
    Ids in the order given. Days that have begun are queued for the engine.

    Raises
    ------
    NotFound : `employee_not_found`, `shift_not_found`, `post_not_found`.
    InvalidInput : `unknown_zone`, `shift_skipped` when clocks jump over it.
    Conflict : `post_closed`, `shift_retired`, `roster_overlap` with another assignment of
        the same person.
    """
    _require_employees(session, tenant_id=tenant_id, ids={a.employee_id for a in assignments})
    tenant_zone = _tenant_zone(session, tenant_id)
    # Held here: the session lets go of what nobody holds and would ask again for each row.
    shifts = {
        shift_id: store.load_shift(session, tenant_id=tenant_id, shift_id=shift_id)
        for shift_id in {a.shift_id for a in assignments}
    }
    posts = {
        post_id: store.load_post(session, tenant_id=tenant_id, post_id=post_id)
        for post_id in {a.post_id for a in assignments}
        if post_id is not None
    }
    rows = [
        _roster_row(
            a,
            shift=shifts[a.shift_id],
            post=posts[a.post_id] if a.post_id is not None else None,
            tenant_id=tenant_id,
            tenant_zone=tenant_zone,
            actor_id=actor_id,
        )
        for a in assignments
    ]
    if not rows:
        return []
    kept = set(
        session.scalars(
            insert(RosterEntry).values(rows).on_conflict_do_nothing().returning(RosterEntry.id)
        )
    )
    refused = [row for row in rows if row["id"] not in kept]
    if refused:
        raise Conflict(
            "roster_overlap",
            f"{len(refused)} of {len(rows)} overlap another assignment",
            fields={"on_date": refused[0]["on_date"].isoformat()},
        )
    now = clock.now()
    begun = [
        store.AffectedDay(row["employee_id"], row["on_date"], row["starts_at"])
        for row in rows
        if row["starts_at"] <= now
    ]
    store.note_duty_change(session, tenant_id=tenant_id, days=begun)
    return [row["id"] for row in rows]


def cancel_assignment(session: Session, clock: Clock, *, tenant_id: int, entry_id: UUID) -> None:
    """Take an assignment off the roster; what was concluded from it is judged again.

    Raises
    ------
    NotFound : `assignment_not_found`.
    Conflict : `already_cancelled`.
    """
    entry = store.load_entry(session, tenant_id=tenant_id, entry_id=entry_id)
    if entry.cancelled_at is not None:
        raise Conflict("already_cancelled")
    entry.cancelled_at = clock.now()
    session.flush()
    day = store.AffectedDay(entry.employee_id, entry.on_date, entry.starts_at)
    store.note_duty_change(session, tenant_id=tenant_id, days=[day])


def excuse(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    kind: ExcusalKind,
    starts_at: datetime,
    ends_at: datetime,
    note: str | None = None,
    actor_id: UUID | None = None,
) -> UUID:
    """Excuse somebody from the post over a span; leave and pause also end duty for it.

    Raises
    ------
    NotFound : `employee_not_found`.
    InvalidInput : `naive_time`, `empty_span`, `span_too_long`.
    """
    del clock
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise InvalidInput("naive_time", "an excusal needs instants with a zone")
    if ends_at <= starts_at:
        raise InvalidInput("empty_span", fields={"ends_at": "empty_span"})
    if ends_at - starts_at > _MAX_EXCUSAL:
        raise InvalidInput("span_too_long", fields={"ends_at": "span_too_long"})
    _require_employees(session, tenant_id=tenant_id, ids={employee_id})
    row = Excusal(
        tenant_id=tenant_id,
        id=new_id(),
        employee_id=employee_id,
        kind=kind,
        starts_at=starts_at,
        ends_at=ends_at,
        note=note,
        created_by=actor_id,
    )
    session.add(row)
    session.flush()
    _note_excusal(session, row)
    return row.id


def withdraw_excusal(session: Session, clock: Clock, *, tenant_id: int, excusal_id: UUID) -> None:
    """Take an excusal back; the days it touched are judged again.

    Raises
    ------
    NotFound : `excusal_not_found`.
    Conflict : `already_withdrawn`.
    """
    row = store.load_excusal(session, tenant_id=tenant_id, excusal_id=excusal_id)
    if row.withdrawn_at is not None:
        raise Conflict("already_withdrawn")
    row.withdrawn_at = clock.now()
    session.flush()
    _note_excusal(session, row)


def _tenant_zone(session: Session, tenant_id: int) -> str | None:
    return session.scalar(select(tables.tenants.c.zone).where(tables.tenants.c.id == tenant_id))


def _roster_row(
    assignment: Assignment,
    *,
    shift: Shift,
    post: Post | None,
    tenant_id: int,
    tenant_zone: str | None,
    actor_id: UUID | None,
) -> dict[str, Any]:
    if shift.retired_on is not None and assignment.on_date >= shift.retired_on:
        raise Conflict("shift_retired")
    zone = assignment.zone
    if post is not None:
        if post.closed_on is not None and assignment.on_date >= post.closed_on:
            raise Conflict("post_closed")
        zone = zone or post.zone
    zone = zone or tenant_zone or "UTC"
    starts_at, ends_at = shift_instants(assignment.on_date, shift.starts, shift.ends, zone)
    return {
        "tenant_id": tenant_id,
        "id": new_id(),
        "employee_id": assignment.employee_id,
        "shift_id": assignment.shift_id,
        "post_id": assignment.post_id,
        "on_date": assignment.on_date,
        "zone": zone,
        "starts_at": starts_at,
        "ends_at": ends_at,
        "created_by": actor_id,
    }


def _note_excusal(session: Session, row: Excusal) -> None:
    days = store.affected_days(
        session,
        tenant_id=row.tenant_id,
        start_at=row.starts_at,
        end_at=row.ends_at,
        employee_id=row.employee_id,
    )
    store.note_duty_change(session, tenant_id=row.tenant_id, days=days)


def _require_employees(session: Session, *, tenant_id: int, ids: set[UUID]) -> None:
    people = tables.employees
    known = set(
        session.scalars(
            select(people.c.id).where(people.c.tenant_id == tenant_id, people.c.id.in_(ids))
        )
    )
    if ids - known:
        raise NotFound("employee_not_found")
