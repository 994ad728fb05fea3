"""Many people at once, and where they belong on a date."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from fixtures.stack import DatabaseUrls
from server.db import tables
from server.errors import Conflict, InvalidInput, NotFound
from server.people.models import UnitKind
from server.people.services import (
    Correction,
    Hire,
    add_unit,
    correct_employees,
    hire_employees,
    move_employees,
)
from server.people.staff import staff_by_number, staff_of_units, units_of_tenant
from tests.factories.company import DAY, Company, company


@pytest.fixture
def acme(database: DatabaseUrls) -> Iterator[Company]:
    with company(database) as made:
        yield made


def hire(number: str, acme: Company, **facts: object) -> Hire:
    given = {"name": "某", "unit_id": acme.branch_id, "hired_on": DAY} | facts
    return Hire(number=number, **given)  # type: ignore[arg-type]


def test_all_are_hired_or_none(acme: Company) -> None:
    with acme.transaction() as session:
        hire_employees(session, acme.clock, tenant_id=acme.tenant_id, hires=[hire("1", acme)])
    for taken in ([hire("2", acme), hire("1", acme)], [hire("3", acme), hire("3", acme)]):
        with pytest.raises(Conflict, match="exists already"), acme.transaction() as session:
            hire_employees(session, acme.clock, tenant_id=acme.tenant_id, hires=taken)
    foreign = [hire("4", acme, unit_id=acme.post_id)]
    with pytest.raises(NotFound), acme.transaction() as session:
        hire_employees(session, acme.clock, tenant_id=acme.tenant_id, hires=foreign)
    with acme.transaction() as session:
        assert session.scalars(text("SELECT number FROM employees")).all() == ["1"]


def test_corrections_and_moves_of_somebody_unknown_change_nobody(acme: Company) -> None:
    with acme.transaction() as session:
        (known,) = hire_employees(
            session, acme.clock, tenant_id=acme.tenant_id, hires=[hire("1", acme)]
        )
    wanted = [
        Correction(employee_id=person, name="别名", title=None, phone=None)
        for person in (known, acme.post_id)
    ]
    with pytest.raises(NotFound), acme.transaction() as session:
        correct_employees(session, acme.clock, tenant_id=acme.tenant_id, corrections=wanted)
    move = {"to": {known: acme.branch_id, acme.post_id: acme.branch_id}, "from_on": DAY}
    with pytest.raises(NotFound), acme.transaction() as session:
        move_employees(session, acme.clock, tenant_id=acme.tenant_id, **move)  # type: ignore[arg-type]
    early = DAY - timedelta(days=1)
    with pytest.raises(InvalidInput), acme.transaction() as session:
        move_employees(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            to={known: acme.branch_id},
            from_on=early,
        )
    with acme.transaction() as session:
        assert session.scalars(text("SELECT name FROM employees")).all() == ["某"]


def test_people_are_shown_where_they_belong_will_or_did(acme: Company) -> None:
    with acme.transaction() as session:
        team = add_unit(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            parent_id=acme.branch_id,
            kind=UnitKind.TEAM,
            name="一组",
        ).id
        hires = [hire("1", acme), hire("2", acme, hired_on=DAY + timedelta(days=9))]
        stays, _later = hire_employees(session, acme.clock, tenant_id=acme.tenant_id, hires=hires)
        move_employees(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            to={stays: team},
            from_on=DAY + timedelta(days=5),
        )
    with acme.transaction() as session:
        units = select(tables.units.c.id).where(tables.units.c.id == acme.branch_id)

        def seen(days: int) -> list[tuple[str, bool, bool]]:
            on = DAY + timedelta(days=days)
            found = staff_of_units(session, units, tenant_id=acme.tenant_id, on=on)
            return [(p.number, p.belongs, p.upcoming) for p in found]

        assert seen(0) == [("1", True, False), ("2", False, True)]
        assert seen(6) == [("2", False, True)]
        assert seen(9) == [("2", True, False)]
        known = staff_by_number(
            session, tenant_id=acme.tenant_id, numbers=["1", "9"], on=DAY + timedelta(days=6)
        )
        assert {number: p.unit_id for number, p in known.items()} == {"1": team}
        names = [unit.name for unit in units_of_tenant(session, tenant_id=acme.tenant_id)]
        assert names[-1] == "一组"
