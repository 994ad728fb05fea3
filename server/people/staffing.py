"""Hiring, correcting and moving many people at once; one person is the list of one.

Each use case costs a handful of statements for its whole list, so lists of a few thousand
people are the unit to call them with.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from server.audit.services import record_security_events
from server.clock import Clock
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound
from server.people.models import Employee, Membership, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Hire:
    """A person to add; `hired_on` is a local date of the tenant."""

    number: str
    name: str
    unit_id: UUID
    hired_on: date
    title: str | None = None
    phone: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """How a person is called and reached from now on; all three are set."""

    employee_id: UUID
    name: str
    title: str | None
    phone: str | None


def hire_employees(
    session: Session, clock: Clock, *, tenant_id: int, hires: Sequence[Hire]
) -> list[UUID]:
    """Add people and their memberships, all of them or none.

    Returns
    -------
    Ids in the order given. Four statements.

    Raises
    ------
    NotFound : a unit is not of this tenant.
    Conflict : `number_taken`, by somebody else or within the list.
    """
    del clock
    require_units(session, tenant_id=tenant_id, unit_ids={hire.unit_id for hire in hires})
    numbers = [hire.number for hire in hires]
    taken = session.scalar(
        select(Employee.number)
        .where(Employee.tenant_id == tenant_id, Employee.number.in_(numbers))
        .limit(1)
    )
    if taken is None and len(set(numbers)) < len(numbers):
        taken = next(number for number in numbers if numbers.count(number) > 1)
    if taken is not None:
        raise Conflict("number_taken", f"staff number {taken} exists already")
    ids = [new_id() for _hire in hires]
    people = [
        {
            "tenant_id": tenant_id,
            "id": employee_id,
            "number": hire.number,
            "name": hire.name,
            "title": hire.title,
            "phone": hire.phone,
            "hired_on": hire.hired_on,
        }
        for employee_id, hire in zip(ids, hires, strict=True)
    ]
    memberships = [
        {
            "tenant_id": tenant_id,
            "employee_id": employee_id,
            "unit_id": hire.unit_id,
            "during_on": Range(hire.hired_on, None, bounds="[)"),
        }
        for employee_id, hire in zip(ids, hires, strict=True)
    ]
    if people:
        session.execute(insert(Employee), people)
        session.execute(insert(Membership), memberships)
    return ids


def correct_employees(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    corrections: Sequence[Correction],
    actor_id: UUID | None = None,
) -> None:
    """Correct names, titles and telephone numbers.

    That something was corrected is recorded of each person, not what.

    Raises
    ------
    NotFound : somebody is not of this tenant.
    InvalidInput : `name_missing`.
    """
    del clock
    if not corrections:
        return
    if any(not c.name.strip() for c in corrections):
        raise InvalidInput("name_missing", fields={"name": "name_missing"})
    changed = session.connection().execute(
        update(Employee)
        .where(Employee.tenant_id == tenant_id, Employee.id == bindparam("of"))
        .values(name=bindparam("called"), title=bindparam("as"), phone=bindparam("at")),
        [
            {"of": c.employee_id, "called": c.name, "as": c.title, "at": c.phone}
            for c in corrections
        ],
    )
    if changed.rowcount != len(corrections):
        raise NotFound
    session.expire_all()
    record_security_events(
        session,
        tenant_id=tenant_id,
        kind="employee_corrected",
        subjects=[str(c.employee_id) for c in corrections],
        actor_id=actor_id,
    )


def move_employees(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    to: Mapping[UUID, UUID],
    from_on: date,
    actor_id: UUID | None = None,
) -> None:
    """Move people to other units from a local date on; earlier days stay where they were.

    Parameters
    ----------
    to : employee → unit; who is there already stays.

    Raises
    ------
    NotFound : a person or unit is not of this tenant.
    InvalidInput : `no_membership` when somebody belongs nowhere on that date.
    """
    del clock
    require_units(session, tenant_id=tenant_id, unit_ids=set(to.values()))
    current = {
        row.employee_id: row
        for row in session.scalars(
            select(Membership)
            .where(
                Membership.tenant_id == tenant_id,
                Membership.employee_id.in_(to),
                Membership.during_on.contains(from_on),
            )
            .with_for_update()
        )
    }
    if len(current) < len(to):
        _refuse_absent(session, tenant_id=tenant_id, ids=set(to) - set(current))
    moved = [
        (current[person], unit) for person, unit in to.items() if current[person].unit_id != unit
    ]
    later = []
    for row, unit_id in moved:
        if row.during_on.lower == from_on:
            row.unit_id = unit_id
            continue
        later.append(
            {
                "tenant_id": tenant_id,
                "employee_id": row.employee_id,
                "unit_id": unit_id,
                "during_on": Range(from_on, row.during_on.upper, bounds="[)"),
            }
        )
        row.during_on = Range(row.during_on.lower, from_on, bounds="[)")
    session.flush()
    if later:
        session.execute(insert(Membership), later)
    record_security_events(
        session,
        tenant_id=tenant_id,
        kind="employee_moved",
        subjects=[str(row.employee_id) for row, _unit in moved],
        actor_id=actor_id,
    )


def require_units(session: Session, *, tenant_id: int, unit_ids: Collection[UUID]) -> None:
    """Refuse units that are not of a tenant.

    Raises
    ------
    NotFound : one of them is not.
    """
    known = set(
        session.scalars(
            select(Unit.id).where(Unit.tenant_id == tenant_id, Unit.id.in_(list(unit_ids)))
        )
    )
    if set(unit_ids) - known:
        raise NotFound


def _refuse_absent(session: Session, *, tenant_id: int, ids: set[UUID]) -> None:
    known = set(
        session.scalars(
            select(Employee.id).where(Employee.tenant_id == tenant_id, Employee.id.in_(ids))
        )
    )
    if ids - known:
        raise NotFound
    raise InvalidInput("no_membership", "this person belongs to no unit on that date")
