"""People with the place they belong to, by staff number or by unit; for lists and files."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import Range
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
    """Return the people with these staff numbers; two statements."""
    people = session.execute(_people(tenant_id).where(Employee.number.in_(list(numbers)))).all()
    members = _memberships(session, tenant_id, people)
    return {p.number: _record(p, members.get(p.id, ()), on) for p in people}


def staff_of_units(
    session: Session, units: Select[UUID], *, tenant_id: int, on: date
) -> Iterator[StaffRecord]:
    """Return those who belong to units on a date or will, by number, a few thousand at a time."""
    within = set(session.scalars(units))
    after = ""
    while True:
        # Whom to leave out is decided here: asked for page by page, a condition on memberships
        # makes the database join all of them each time.
        people = session.execute(
            _people(tenant_id)
            .where(Employee.number > after)
            .order_by(Employee.number)
            .limit(_BATCH)
        ).all()
        members = _memberships(session, tenant_id, people)
        for person in people:
            record = _record(person, members.get(person.id, ()), on)
            if record.unit_id in within and (record.belongs or record.upcoming):
                yield record
        if len(people) < _BATCH:
            return
        after = people[-1].number


def _people(tenant_id: int) -> Any:  # noqa: ANN401 - a select of many columns
    return select(
        Employee.id,
        Employee.number,
        Employee.name,
        Employee.title,
        Employee.phone,
        Employee.hired_on,
        Employee.left_on,
    ).where(Employee.tenant_id == tenant_id)


def _memberships(
    session: Session, tenant_id: int, people: Sequence[Any]
) -> dict[UUID, list[tuple[UUID, Range[date]]]]:
    found: dict[UUID, list[tuple[UUID, Range[date]]]] = defaultdict(list)
    rows = session.execute(
        select(Membership.employee_id, Membership.unit_id, Membership.during_on).where(
            Membership.tenant_id == tenant_id,
            Membership.employee_id.in_([person.id for person in people]),
        )
    )
    for employee_id, unit_id, during in rows:
        found[employee_id].append((unit_id, during))
    return found


def _record(
    person: Any,  # noqa: ANN401 - a row of `_people`
    members: Sequence[tuple[UUID, Range[date]]],
    on: date,
) -> StaffRecord:
    unit_id, during = min(members, key=lambda m: _distance(m[1], on), default=(None, None))
    start = None if during is None else during.lower
    return StaffRecord(
        id=person.id,
        number=person.number,
        name=person.name,
        title=person.title,
        phone=person.phone,
        hired_on=person.hired_on,
        left_on=person.left_on,
        unit_id=unit_id,
        since_on=start,
        belongs=during is not None and during.contains(on),
        upcoming=start is not None and start > on,
    )


def _distance(during: Range[date], on: date) -> tuple[int, int]:
    """Order memberships: the one that holds, the next one, the last one."""
    start = during.lower or date.min
    if during.contains(on):
        return 0, 0
    return (1, (start - on).days) if start > on else (2, (on - start).days)


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
