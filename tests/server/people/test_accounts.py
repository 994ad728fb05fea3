"""Accounts and grants: who may be made, and who may grant what to whom."""

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from server.audit.models import SecurityEvent
from server.clock import ManualClock
from server.db.session import unit_of_work
from server.errors import Conflict, Forbidden, InvalidInput, NotFound
from server.people import services
from server.people.models import Account
from server.people.rules import Principal, Role
from tests.factories.world import PASSWORD, World


@pytest.fixture
def clock(world: World) -> ManualClock:
    return ManualClock(world.clock.now() + timedelta(hours=1))


@pytest.fixture
def admin_of_north(world: World) -> Principal:
    alpha = world.alpha
    login = alpha.logins["admin"]
    return Principal(
        tenant_id=alpha.id,
        tenant_slug="alpha",
        account_id=login.account_id,
        employee_id=login.employee_id,
        name="admin",
        login="admin",
        locale="en",
        theme=None,
        zone="Asia/Shanghai",
        grants=((Role.ADMIN, alpha.units["north"]),),
        epoch=0,
    )


@pytest.mark.parametrize("login", ["", "a b", "ann@acme", "-ann", "李", "a" * 64, "an\nn"])
def test_a_malformed_login_is_refused(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock, login: str
) -> None:
    with (
        unit_of_work(app_sessions, tenant_id=world.alpha.id) as session,
        pytest.raises(InvalidInput) as refusal,
    ):
        services.create_account(
            session,
            clock,
            tenant_id=world.alpha.id,
            login=login,
            name="Ann",
            password=PASSWORD,
        )
    assert refusal.value.fields == {"login": "login"}


def test_a_login_and_an_employee_have_one_account_each(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    alpha, beta = world.alpha, world.beta

    def create(login: str, employee_id: UUID | None) -> None:
        with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
            services.create_account(
                session,
                clock,
                tenant_id=alpha.id,
                login=login,
                name="Ann",
                password=PASSWORD,
                employee_id=employee_id,
            )

    with pytest.raises(Conflict):
        create("peer", None)
    with pytest.raises(Conflict):
        create("second", alpha.people["peer"])
    with pytest.raises(NotFound):
        create("second", beta.people["peer"])
    create("Second.One", None)


def test_an_admin_grants_inside_their_units_only_and_never_to_themselves(
    world: World,
    app_sessions: sessionmaker[Session],
    clock: ManualClock,
    admin_of_north: Principal,
) -> None:
    alpha, beta = world.alpha, world.beta
    target = alpha.logins["finance"].account_id

    def grant(account: UUID, unit: UUID, actor: Principal = admin_of_north) -> None:
        with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
            services.grant_role(
                session,
                clock,
                tenant_id=alpha.id,
                account_id=account,
                role=Role.MANAGER,
                unit_id=unit,
                actor=actor,
            )

    grant(target, alpha.units["n2"])
    for unit in (alpha.units["group"], alpha.units["s1"], beta.units["north"]):
        with pytest.raises(NotFound):
            grant(target, unit)
    with pytest.raises(NotFound):
        grant(beta.logins["finance"].account_id, alpha.units["n2"])
    with pytest.raises(Forbidden):
        grant(admin_of_north.account_id, alpha.units["n2"])
    supervisor = replace(admin_of_north, grants=((Role.SUPERVISOR, alpha.units["north"]),))
    with pytest.raises(NotFound):
        grant(target, alpha.units["n2"], supervisor)
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        event = session.scalars(
            select(SecurityEvent)
            .where(SecurityEvent.kind == "role_granted", SecurityEvent.subject == str(target))
            .order_by(SecurityEvent.id.desc())
        ).first()
    assert event is not None
    assert event.actor_id == admin_of_north.account_id
    assert event.detail == {"role": "manager", "unit": str(alpha.units["n2"])}


def test_a_grant_outside_the_admins_units_cannot_be_revoked_by_them(
    world: World,
    app_sessions: sessionmaker[Session],
    clock: ManualClock,
    admin_of_north: Principal,
) -> None:
    alpha = world.alpha
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        made = services.grant_role(
            session,
            clock,
            tenant_id=alpha.id,
            account_id=alpha.logins["peer"].account_id,
            role=Role.MANAGER,
            unit_id=alpha.units["s1"],
        ).id
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        with pytest.raises(NotFound):
            services.revoke_grant(
                session, clock, tenant_id=alpha.id, grant_id=made, actor=admin_of_north
            )
        # Given and taken within one instant.
        services.revoke_grant(session, clock, tenant_id=alpha.id, grant_id=made)
        clock.advance(timedelta(microseconds=1))
        with pytest.raises(NotFound):
            services.revoke_grant(session, clock, tenant_id=alpha.id, grant_id=made)


def test_preferences_are_kept_one_by_one(
    world: World, app_sessions: sessionmaker[Session], clock: ManualClock
) -> None:
    alpha = world.alpha
    account_id = alpha.logins["employee"].account_id

    def prefer(**wish: str) -> None:
        with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
            services.set_preferences(
                session,
                clock,
                tenant_id=alpha.id,
                account_id=account_id,
                locale=wish.get("locale"),
                theme=wish.get("theme"),
            )

    prefer(locale="zh")
    prefer(theme="dark")
    with unit_of_work(app_sessions, tenant_id=alpha.id) as session:
        kept = session.get_one(Account, (alpha.id, account_id))
        assert (kept.locale, kept.theme) == ("zh", "dark")
    for wish in ({"locale": "fi"}, {"theme": "pink"}):
        with pytest.raises(InvalidInput):
            prefer(**wish)
