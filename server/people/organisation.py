"""Tenants, the tree of units and where people belong in it."""

import re
from datetime import date
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import insert, literal, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.clock import Clock
from server.errors import Conflict, InvalidInput, NotFound
from server.people.models import (
    Account,
    Employee,
    Membership,
    Tenant,
    Unit,
    UnitAncestor,
    UnitKind,
)
from server.people.sessions import raise_epoch
from server.people.staffing import Hire, hire_employees, move_employees

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{1,30}")
_LEVELS = tuple(UnitKind)


def create_tenant(
    session: Session, clock: Clock, *, slug: str, name: str, zone: str, locale: str = "zh"
) -> Tenant:
    """Create a customer organisation with the top of its tree.

    Runs with the owner's rights: no other role may add a tenant. One transaction covers
    the tenant and its top unit, which bears the same name.

    Parameters
    ----------
    session : a transaction of the owner's role.
    clock : unused by the rows, which carry the database's time.
    slug : the part after `@` in sign-in names, 2-31 of ``a-z 0-9 -``.
    name : as shown on screen.
    zone : IANA zone in which its days begin.
    locale : `zh` or `en`, the language of accounts that chose none.

    Raises
    ------
    InvalidInput : malformed slug, unknown zone or locale.
    Conflict : the slug is taken.
    """
    del clock
    if not _SLUG.fullmatch(slug):
        raise InvalidInput("slug", "2 to 31 of a-z, 0-9 and -", fields={"slug": "slug"})
    _check_zone(zone)
    if locale not in {"zh", "en"}:
        raise InvalidInput("locale", "zh or en", fields={"locale": "locale"})
    if session.scalar(select(Tenant.id).where(Tenant.slug == slug)) is not None:
        raise Conflict("slug_taken", f"a tenant {slug} exists already")
    tenant = Tenant(slug=slug, name=name, zone=zone, locale=locale)
    session.add(tenant)
    session.flush()
    _insert_unit(session, tenant_id=tenant.id, parent_id=None, kind=UnitKind.GROUP, name=name)
    record_security_event(session, tenant_id=tenant.id, kind="tenant_created", subject=slug)
    return tenant


def add_unit(
    session: Session, clock: Clock, *, tenant_id: int, parent_id: UUID, kind: UnitKind, name: str
) -> Unit:
    """Add a unit below another and its rows in the closure of the tree.

    Raises
    ------
    NotFound : no such parent in this tenant.
    InvalidInput : empty name, or a kind that is not below the parent's kind.
    """
    del clock
    parent = session.scalar(select(Unit).where(Unit.tenant_id == tenant_id, Unit.id == parent_id))
    if parent is None:
        raise NotFound
    if _LEVELS.index(kind) <= _LEVELS.index(parent.kind):
        detail = f"a {kind.value} cannot be below a {parent.kind.value}"
        raise InvalidInput("unit_kind", detail, fields={"kind": "unit_kind"})
    if not name.strip():
        raise InvalidInput("name_missing", "a unit has a name", fields={"name": "name_missing"})
    return _insert_unit(
        session, tenant_id=tenant_id, parent_id=parent_id, kind=kind, name=name.strip()
    )


def hire_employee(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    number: str,
    name: str,
    unit_id: UUID,
    hired_on: date,
    title: str | None = None,
    phone: str | None = None,
) -> Employee:
    """Add a person and their membership from `hired_on` (local date of the tenant) on.

    Raises
    ------
    NotFound : no such unit in this tenant.
    Conflict : the staff number is taken.
    """
    hire = Hire(
        number=number, name=name, unit_id=unit_id, hired_on=hired_on, title=title, phone=phone
    )
    (employee_id,) = hire_employees(session, clock, tenant_id=tenant_id, hires=[hire])
    return session.scalars(
        select(Employee).where(Employee.tenant_id == tenant_id, Employee.id == employee_id)
    ).one()


def move_employee(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    unit_id: UUID,
    from_on: date,
) -> None:
    """Move a person to another unit from a local date on; earlier days stay where they were.

    Raises
    ------
    NotFound : no such person or unit in this tenant.
    InvalidInput : the person belongs nowhere on that date.
    """
    move_employees(session, clock, tenant_id=tenant_id, to={employee_id: unit_id}, from_on=from_on)


def end_employment(
    session: Session, clock: Clock, *, tenant_id: int, employee_id: UUID, left_on: date
) -> None:
    """Let a person leave: from `left_on` on they belong nowhere and cannot sign in.

    Only what people knows: doors call `server.posts.services.let_go`, which also ends duty
    and takes phones and account away.

    Raises
    ------
    NotFound : no such person in this tenant.
    InvalidInput : the person belongs nowhere on that date.
    """
    del clock
    current = _membership_on(session, tenant_id=tenant_id, employee_id=employee_id, on=left_on)
    if current.during_on.lower == left_on:
        raise InvalidInput("left_on", "cannot leave on the first day of a membership")
    current.during_on = Range(current.during_on.lower, left_on, bounds="[)")
    session.execute(
        update(Employee)
        .where(Employee.tenant_id == tenant_id, Employee.id == employee_id)
        .values(left_on=left_on)
    )
    account_id = session.scalar(
        select(Account.id).where(Account.tenant_id == tenant_id, Account.employee_id == employee_id)
    )
    if account_id is not None:
        raise_epoch(session, tenant_id=tenant_id, account_id=account_id)
    record_security_event(
        session, tenant_id=tenant_id, kind="employment_ended", subject=str(employee_id)
    )


def top_unit(session: Session, *, tenant_id: int) -> Unit:
    """Return the unit at the top of a tenant's tree."""
    return session.scalars(
        select(Unit).where(Unit.tenant_id == tenant_id, Unit.parent_id.is_(None))
    ).one()


def _insert_unit(
    session: Session, *, tenant_id: int, parent_id: UUID | None, kind: UnitKind, name: str
) -> Unit:
    unit = Unit(tenant_id=tenant_id, parent_id=parent_id, kind=kind, name=name)
    session.add(unit)
    session.flush()
    session.add(UnitAncestor(tenant_id=tenant_id, ancestor_id=unit.id, unit_id=unit.id, depth=0))
    session.flush()
    if parent_id is not None:
        above = select(
            UnitAncestor.tenant_id,
            UnitAncestor.ancestor_id,
            literal(unit.id),
            UnitAncestor.depth + 1,
        ).where(UnitAncestor.tenant_id == tenant_id, UnitAncestor.unit_id == parent_id)
        columns = ["tenant_id", "ancestor_id", "unit_id", "depth"]
        session.execute(insert(UnitAncestor).from_select(columns, above))
    return unit


def _membership_on(session: Session, *, tenant_id: int, employee_id: UUID, on: date) -> Membership:
    person = session.scalar(
        select(Employee.id).where(Employee.tenant_id == tenant_id, Employee.id == employee_id)
    )
    if person is None:
        raise NotFound
    current = session.scalar(
        select(Membership)
        .where(
            Membership.tenant_id == tenant_id,
            Membership.employee_id == employee_id,
            Membership.during_on.contains(on),
        )
        .with_for_update()
    )
    if current is None:
        raise InvalidInput("no_membership", "this person belongs to no unit on that date")
    return current


def _check_zone(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(
            "zone", f"{zone!r} is not an IANA time zone", fields={"zone": "zone"}
        ) from None
