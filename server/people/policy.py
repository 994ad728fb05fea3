"""The scoped loader: the rules of `server.people.rules`, compiled to SQL.

Pages, exports and streams find people and units through here and nowhere else. An object
outside the scope and an object that does not exist give the same `NotFound`.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import (
    ColumnElement,
    Date,
    Select,
    Uuid,
    and_,
    cast,
    false,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.orm import Session

from server.errors import NotFound
from server.people.models import Employee, Membership, Unit, UnitAncestor, UnitKind
from server.people.rules import Action, Principal, allows_self, granting_units


@dataclass(frozen=True, slots=True)
class EmployeeView:
    """What screens need of one person; holds no location."""

    id: UUID
    number: str
    name: str
    title: str | None
    phone: str | None
    unit_id: UUID | None
    unit_name: str | None
    hired_on: date
    left_on: date | None


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit of the tree."""

    id: UUID
    parent_id: UUID | None
    kind: UnitKind
    name: str


def local_date(now: datetime, zone: str) -> date:
    """Return the calendar date of an instant in an IANA zone."""
    return now.astimezone(ZoneInfo(zone)).date()


def units_in_scope(principal: Principal, action: Action, *, now: datetime) -> Select[UUID]:
    """Return the SQL for the ids of the units on which `action` is allowed.

    Parameters
    ----------
    principal : who asks; `principal.grants` are those in force at `now`.
    action : what they want to do.
    now : aware instant; unused by today's rules, which depend on grants only.

    Returns
    -------
    A select of unit ids, usable as a subquery.
    """
    del now
    return select(UnitAncestor.unit_id).where(_below_grants(principal, action)).distinct()


def employees_in_scope(
    principal: Principal, action: Action, *, now: datetime, on: date | None = None
) -> Select[UUID]:
    """Return the SQL for the ids of the people to whom `action` is allowed.

    Parameters
    ----------
    principal : who asks.
    action : what they want to do.
    now : aware instant; membership counts on its local date in the tenant's zone.
    on : for what was on a past day: membership counts on this local date instead, so that
        who leads somebody now does not read of their time elsewhere.

    Returns
    -------
    A select of employee ids, usable as a subquery. The principal's own id is among them
    when the action is open to oneself.
    """
    members = select(Membership.employee_id).where(
        Membership.tenant_id == principal.tenant_id,
        Membership.during_on.contains(on or local_date(now, principal.zone)),
        Membership.unit_id.in_(units_in_scope(principal, action, now=now)),
    )
    reach: ColumnElement[bool] = Employee.id.in_(members)
    if allows_self(principal, action):
        reach = or_(reach, Employee.id == principal.employee_id)
    return select(Employee.id).where(Employee.tenant_id == principal.tenant_id, reach)


def was_in_scope(
    principal: Principal,
    action: Action,
    *,
    employee_id: ColumnElement[UUID],
    on: ColumnElement[date],
    now: datetime,
) -> ColumnElement[bool]:
    """Return the SQL condition that a row about a person's day is open to `action`.

    Parameters
    ----------
    employee_id, on : columns of the row: whom it is about and the local date, on which
        membership counts.
    """
    allowed: ColumnElement[bool] = (
        select(Membership.employee_id)
        .where(
            Membership.tenant_id == principal.tenant_id,
            Membership.employee_id == employee_id,
            Membership.during_on.contains(on),
            Membership.unit_id.in_(units_in_scope(principal, action, now=now)),
        )
        .exists()
    )
    if allows_self(principal, action):
        allowed = or_(allowed, employee_id == principal.employee_id)
    return allowed


def in_scope_throughout(
    session: Session,
    principal: Principal,
    action: Action,
    employee_id: UUID,
    *,
    first_on: date,
    last_on: date,
    now: datetime,
) -> bool:
    """Tell whether `action` is open to one person's data of every date, both ends included.

    One statement; False for nobody and for an empty span.
    """
    days = select(
        cast(
            func.generate_series(first_on, last_on, timedelta(days=1)).column_valued(), Date
        ).label("day")
    ).subquery("days")
    reach = was_in_scope(
        principal, action, employee_id=literal(employee_id, Uuid()), on=days.c.day, now=now
    )
    return bool(session.scalar(select(func.bool_and(reach)).select_from(days)))


def was_below(
    unit_id: UUID, *, employee_id: ColumnElement[UUID], on: ColumnElement[date]
) -> ColumnElement[bool]:
    """Return the SQL condition that somebody belonged to a unit or one below it on a date."""
    below = select(UnitAncestor.unit_id).where(UnitAncestor.ancestor_id == unit_id)
    return (
        select(Membership.employee_id)
        .where(
            Membership.employee_id == employee_id,
            Membership.during_on.contains(on),
            Membership.unit_id.in_(below),
        )
        .exists()
    )


def scoped_employee(
    session: Session,
    principal: Principal,
    action: Action,
    employee_id: UUID,
    *,
    now: datetime,
    on: date | None = None,
) -> EmployeeView:
    """Load one person for one action; `on` as for `employees_in_scope`.

    Raises
    ------
    NotFound : there is no such person, or not for this principal and action.
    """
    day = on or local_date(now, principal.zone)
    row = session.execute(
        select(Employee, Membership.unit_id, Unit.name)
        .outerjoin(
            Membership,
            and_(
                Membership.tenant_id == Employee.tenant_id,
                Membership.employee_id == Employee.id,
                Membership.during_on.contains(day),
            ),
        )
        .outerjoin(Unit, and_(Unit.tenant_id == Employee.tenant_id, Unit.id == Membership.unit_id))
        .where(
            Employee.tenant_id == principal.tenant_id,
            Employee.id == employee_id,
            Employee.id.in_(employees_in_scope(principal, action, now=now, on=on)),
        )
    ).one_or_none()
    if row is None:
        raise NotFound
    person, unit_id, unit_name = row
    return EmployeeView(
        id=person.id,
        number=person.number,
        name=person.name,
        title=person.title,
        phone=person.phone,
        unit_id=unit_id,
        unit_name=unit_name,
        hired_on=person.hired_on,
        left_on=person.left_on,
    )


def is_in_scope(
    session: Session,
    principal: Principal,
    action: Action,
    employee_id: UUID,
    *,
    now: datetime,
    on: date | None = None,
) -> bool:
    """Tell whether one action is open on one person; `on` as for `employees_in_scope`."""
    try:
        scoped_employee(session, principal, action, employee_id, now=now, on=on)
    except NotFound:
        return False
    return True


def scoped_unit(
    session: Session, principal: Principal, action: Action, unit_id: UUID, *, now: datetime
) -> UnitView:
    """Load one unit for one action.

    Raises
    ------
    NotFound : there is no such unit, or not for this principal and action.
    """
    unit = session.scalars(
        select(Unit).where(
            Unit.tenant_id == principal.tenant_id,
            Unit.id == unit_id,
            Unit.id.in_(units_in_scope(principal, action, now=now)),
        )
    ).one_or_none()
    if unit is None:
        raise NotFound
    return UnitView(id=unit.id, parent_id=unit.parent_id, kind=unit.kind, name=unit.name)


def _below_grants(principal: Principal, action: Action) -> ColumnElement[bool]:
    units = granting_units(principal, action)
    if not units:
        return false()
    return and_(
        UnitAncestor.tenant_id == principal.tenant_id,
        UnitAncestor.ancestor_id.in_(sorted(units)),
    )
