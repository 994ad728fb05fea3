"""The tree, its closure, and dated membership."""

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import enter_tenant, unit_of_work
from server.errors import Conflict, InvalidInput, NotFound
from server.people import queries, services
from server.people.models import Employee, Membership, Unit, UnitAncestor, UnitKind
from server.people.policy import employees_in_scope, units_in_scope
from server.people.rules import Action, Principal, Role
from tests.factories.world import World

CLOCK = ManualClock()
KINDS = list(UnitKind)


def test_a_tenant_begins_with_its_top_unit(world: World, module_database: DatabaseUrls) -> None:
    owner = make_engine(module_database.owner, pool_size=1)
    with unit_of_work(make_session_factory(owner), tenant_id=None) as session:
        made = services.create_tenant(session, CLOCK, slug="new-co", name="New", zone="Asia/Tokyo")
        top = services.top_unit(session, tenant_id=made.id)
        assert (top.kind, top.name) == (UnitKind.GROUP, "New")
        for slug, zone in (("-x", "Asia/Tokyo"), ("ok-co", "Mars/Base"), ("ok-co", "../etc")):
            with pytest.raises(InvalidInput):
                services.create_tenant(session, CLOCK, slug=slug, name="Bad", zone=zone)
        with pytest.raises(Conflict):
            services.create_tenant(
                session, CLOCK, slug="alpha", name="Twin", zone="Asia/Tokyo", locale="en"
            )
    owner.dispose()
    assert made.id not in {world.alpha.id, world.beta.id}


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(picks=st.lists(st.tuples(st.integers(0, 50), st.sampled_from(KINDS)), max_size=10))
def test_the_closure_equals_the_walk_up_the_parents(
    world: World, app_sessions: sessionmaker[Session], picks: list[tuple[int, UnitKind]]
) -> None:
    tenant_id = world.alpha.id
    with app_sessions() as session, session.begin() as outer:
        # Everything of one example is undone at its end.
        enter_tenant(session, tenant_id=tenant_id)
        for pick, kind in picks:
            units = session.scalars(select(Unit).order_by(Unit.created_at, Unit.id)).all()
            parent = units[pick % len(units)]
            lower = KINDS.index(kind) > KINDS.index(parent.kind)
            if not lower:
                with pytest.raises(InvalidInput):
                    services.add_unit(
                        session,
                        CLOCK,
                        tenant_id=tenant_id,
                        parent_id=parent.id,
                        kind=kind,
                        name="wrong",
                    )
                continue
            services.add_unit(
                session, CLOCK, tenant_id=tenant_id, parent_id=parent.id, kind=kind, name="u"
            )
        parent_of = {u.id: u.parent_id for u in session.scalars(select(Unit))}
        walked = set()
        for unit, parent_id in parent_of.items():
            walked.add((unit, unit, 0))
            above, depth = parent_id, 1
            while above is not None:
                walked.add((above, unit, depth))
                above, depth = parent_of[above], depth + 1
        rows = session.execute(
            select(UnitAncestor.ancestor_id, UnitAncestor.unit_id, UnitAncestor.depth)
        )
        assert {(row[0], row[1], row[2]) for row in rows} == walked
        outer.rollback()


def test_a_move_changes_the_days_from_then_on_only(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha = world.alpha
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        person = services.hire_employee(
            session,
            CLOCK,
            tenant_id=alpha.id,
            number="M1",
            name="mover",
            unit_id=alpha.units["n1"],
            hired_on=date(2026, 1, 1),
        ).id
        for unit, month in (("n2", 3), ("s1", 6), ("s1", 7)):
            services.move_employee(
                session,
                CLOCK,
                tenant_id=alpha.id,
                employee_id=person,
                unit_id=alpha.units[unit],
                from_on=date(2026, month, 1),
            )
        services.end_employment(
            session, CLOCK, tenant_id=alpha.id, employee_id=person, left_on=date(2026, 9, 1)
        )
        rows = session.scalars(select(Membership).where(Membership.employee_id == person)).all()
        spans = sorted((r.during_on.lower, r.during_on.upper, r.unit_id) for r in rows)
        assert spans == [
            (date(2026, 1, 1), date(2026, 3, 1), alpha.units["n1"]),
            (date(2026, 3, 1), date(2026, 6, 1), alpha.units["n2"]),
            (date(2026, 6, 1), date(2026, 9, 1), alpha.units["s1"]),
        ]
        with pytest.raises(InvalidInput, match="no unit"):
            services.move_employee(
                session,
                CLOCK,
                tenant_id=alpha.id,
                employee_id=person,
                unit_id=alpha.units["n1"],
                from_on=date(2026, 9, 1),
            )
        left_on = session.scalar(select(Employee.left_on).where(Employee.id == person))
        assert left_on == date(2026, 9, 1)


def test_nobody_belongs_to_two_units_on_one_day(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha = world.alpha

    def belong_twice() -> None:
        with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
            session.add(
                Membership(
                    tenant_id=alpha.id,
                    employee_id=alpha.people["employee"],
                    unit_id=alpha.units["s1"],
                    during_on=Range(date(2026, 6, 1), date(2026, 6, 2)),
                )
            )

    with pytest.raises(IntegrityError, match="one_at_a_time"):
        belong_twice()


def test_units_and_numbers_of_another_tenant_are_out_of_reach(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha, beta = world.alpha, world.beta
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        with pytest.raises(NotFound):
            services.add_unit(
                session,
                CLOCK,
                tenant_id=alpha.id,
                parent_id=beta.units["north"],
                kind=UnitKind.TEAM,
                name="ours",
            )
        with pytest.raises(NotFound):
            services.hire_employee(
                session,
                CLOCK,
                tenant_id=alpha.id,
                number="X9",
                name="x",
                unit_id=beta.units["n1"],
                hired_on=date(2026, 1, 1),
            )
        with pytest.raises(Conflict):
            services.hire_employee(
                session,
                CLOCK,
                tenant_id=alpha.id,
                number="E001",
                name="x",
                unit_id=alpha.units["n1"],
                hired_on=date(2026, 1, 1),
            )


def test_lists_show_a_scope_and_nothing_beyond(
    world: World, app_sessions: sessionmaker[Session]
) -> None:
    alpha = world.alpha
    login = alpha.logins["hr"]
    who = Principal(
        tenant_id=alpha.id,
        tenant_slug="alpha",
        account_id=login.account_id,
        employee_id=None,
        name="hr",
        login="hr",
        locale="en",
        theme=None,
        zone="Asia/Shanghai",
        grants=((Role.HR, alpha.units["north"]), (Role.ADMIN, alpha.units["north"])),
        epoch=0,
    )
    now = world.clock.now()
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        scope = employees_in_scope(who, Action.VIEW_PEOPLE, now=now)
        everybody = queries.people(session, who, scope, now=now)
        names = {person.name.split()[0] for person in everybody}
        assert names == {
            *("employee", "peer", "other_team", "manager_n1", "manager_n2", "supervisor_north")
        }
        found = queries.people(session, who, scope, now=now, search="PEER%")
        assert found == []
        found = queries.people(session, who, scope, now=now, search="PEER")
        assert [person.unit_id for person in found] == [alpha.units["n1"]]
        units = units_in_scope(who, Action.VIEW_PEOPLE, now=now)
        nodes = {node.id: node for node in queries.units(session, who, units, now=now)}
        assert set(nodes) == {alpha.units[n] for n in ("north", "n1", "n2")}
        assert nodes[alpha.units["n1"]].people == 3
        accounts = queries.accounts(session, tenant_id=alpha.id, scope=scope, now=now)
        by_login = {account.login: account for account in accounts}
        assert set(by_login) == names
        (grant,) = by_login["manager_n1"].grants
        assert (grant.role, grant.unit_id) == (Role.MANAGER, alpha.units["n1"])
        devices = employees_in_scope(who, Action.VIEW_DEVICES, now=now)
        phones = queries.devices_of(session, tenant_id=alpha.id, scope=devices)
        assert [phone.employee_name.split()[0] for phone in phones] == [
            "employee",
            "other_team",
            "peer",
        ]
        with pytest.raises(NotFound):
            queries.device_in_scope(
                session,
                tenant_id=alpha.id,
                scope=devices,
                device_id=alpha.devices["other_branch"].device_id,
            )
