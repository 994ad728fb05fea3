"""People with the place they belong to, by staff number or by unit; for lists and files."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, case, func, select
from sqlalchemy.orm import Session

from server.people.models import Employee, Membership, Unit, UnitAncestor
from server.people.policy import UnitView

_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class StaffRecord:
    """One person and their membership nearest to a date.

    Attributes
    ----------
    unit_id : of the membership that holds on the date; else of the next one, of somebody
        hired ahead; else of the last one, of somebody who has left.
    since_on : first local date of that membership.
    belongs : whether that membership holds on the date.
    upcoming : whether it begins after the date.
    """

    id: UUID
    number: str
    name: str
    title: str | None
    phone: str | None
    hired_on: date
    left_on: date | None
    unit_id: UUID | None
    since_on: date | None
    belongs: bool
    upcoming: bool


def staff_by_number(
    session: Session, *, tenant_id: int, numbers: Collection[str], on: date
) -> dict[str, StaffRecord]:
    """Return the people with these staff numbers; one statement."""
    query = _staff(tenant_id, on).where(Employee.number.in_(list(numbers)))
    return {record.number: record for record in _records(session.execute(query).all(), on)}


def staff_of_units(
    session: Session, units: Select[UUID], *, tenant_id: int, on: date
) -> Iterator[StaffRecord]:
    """Return those who belong to units on a date or will, by number, a few thousand at a time."""
    after = ""
    while True:
        rows = session.execute(
            _staff(tenant_id, on)
            .where(
                Employee.number > after,
                Membership.unit_id.in_(units),
                func.coalesce(func.upper(Membership.during_on), date.max) > on,
            )
            .order_by(Employee.number)
            .limit(_BATCH)
        ).all()
        yield from _records(rows, on)
        if len(rows) < _BATCH:
            return
        after = rows[-1].number


def _staff(tenant_id: int, on: date) -> Any:  # noqa: ANN401 - a select of many columns
    nearest = case(
        (Membership.during_on.contains(on), 0), (func.lower(Membership.during_on) > on, 1), else_=2
    )
    beginning = func.lower(Membership.during_on)
    member = (
        select(Membership.id)
        .where(Membership.tenant_id == Employee.tenant_id, Membership.employee_id == Employee.id)
        .order_by(nearest, case((beginning > on, beginning)), beginning.desc())
        .limit(1)
        .correlate(Employee)
        .scalar_subquery()
    )
    return (
        select(
            Employee.id,
            Employee.number,
            Employee.name,
            Employee.title,
            Employee.phone,
            Employee.hired_on,
            Employee.left_on,
            Membership.unit_id,
            Membership.during_on,
        )
        .outerjoin(
            Membership,
            and_(Membership.tenant_id == Employee.tenant_id, Membership.id == member),
        )
        .where(Employee.tenant_id == tenant_id)
    )


def _records(rows: Sequence[Any], on: date) -> Iterator[StaffRecord]:
    for row in rows:
        during = row.during_on
        yield StaffRecord(
            id=row.id,
            number=row.number,
            name=row.name,
            title=row.title,
            phone=row.phone,
            hired_on=row.hired_on,
            left_on=row.left_on,
            unit_id=row.unit_id,
            since_on=None if during is None else during.lower,
            belongs=during is not None and during.contains(on),
            upcoming=during is not None and during.lower is not None and during.lower > on,
        )


def units_of_tenant(session: Session, *, tenant_id: int) -> list[UnitView]:
    """Return all units of a tenant, parents before their children."""
    depth = (
        select(func.max(UnitAncestor.depth))
        .where(UnitAncestor.tenant_id == Unit.tenant_id, UnitAncestor.unit_id == Unit.id)
        .correlate(Unit)
        .scalar_subquery()
    )
    rows = session.scalars(
        select(Unit)
        .where(Unit.tenant_id == tenant_id)
        .order_by(depth, Unit.position, Unit.created_at, Unit.id)
    )
    return [UnitView(id=u.id, parent_id=u.parent_id, kind=u.kind, name=u.name) for u in rows]
