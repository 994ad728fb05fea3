"""Sessions: what the table keeps, how they end, and who a cookie belongs to."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session as DbSession
from sqlalchemy.orm import sessionmaker

from fixtures.stack import DatabaseUrls
from server.audit.models import SecurityEvent
from server.clock import ManualClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import Unauthenticated
from server.people import services
from server.people.models import Account, Role, Session
from server.people.rules import Principal
from server.people.sessions import (
    ABSOLUTE,
    IDLE,
    SessionToken,
    load_principal,
    parse_cookie,
    sign_in,
    sign_out,
    split_sign_in_name,
)
from tests.factories.world import PASSWORD, TenantWorld, World

START = datetime(2026, 11, 18, 2, 0, tzinfo=UTC)


@dataclass
class Desk:
    """Signs in and looks up, each in a transaction of its own."""

    sessions: sessionmaker[DbSession]
    tenant: TenantWorld
    clock: ManualClock

    def sign_in(self, name: str, password: str = PASSWORD) -> SessionToken:
        with unit_of_work(self.sessions, tenant_id=None) as session:
            cookie = sign_in(session, self.clock, sign_in_name=name, password=password).cookie
        token = parse_cookie(cookie)
        assert token is not None
        return token

    def who(self, token: SessionToken, *, touch: bool = True) -> Principal | None:
        with unit_of_work(self.sessions, tenant_id=token.tenant_id) as session:
            return load_principal(session, self.clock, token, touch=touch)

    def do(self, work: Callable[[DbSession], object]) -> None:
        with unit_of_work(self.sessions, tenant_id=self.tenant.id) as session:
            work(session)


@pytest.fixture
def desk(world: World, app_sessions: sessionmaker[DbSession]) -> Desk:
    return Desk(app_sessions, world.alpha, ManualClock(START))


def test_a_session_names_its_account_with_the_grants_in_force(desk: Desk) -> None:
    login = desk.tenant.logins["supervisor_north"]
    who = desk.who(desk.sign_in("Supervisor_North@alpha "))
    assert who is not None
    assert (who.tenant_id, who.account_id) == (desk.tenant.id, login.account_id)
    assert who.employee_id == login.employee_id
    assert who.grants == ((Role.SUPERVISOR, desk.tenant.units["north"]),)
    assert (who.locale, who.zone) == ("en", "Asia/Shanghai")


def test_only_a_hash_of_the_secret_is_kept(desk: Desk) -> None:
    token = desk.sign_in("peer@alpha")
    with unit_of_work(desk.sessions, tenant_id=desk.tenant.id) as session:
        kept = session.scalars(select(Session.secret_hash)).all()
    assert token.secret_hash in kept
    assert all(token.secret.encode() not in row for row in kept)
    assert token.secret not in repr(token)


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("peer@alpha", "wrong-password-1"),
        ("nobody@alpha", PASSWORD),
        ("peer@nowhere", PASSWORD),
        ("peer", PASSWORD),
        ("peer@alpha@beta", PASSWORD),
        ("", ""),
    ],
)
def test_every_refusal_is_the_same(desk: Desk, name: str, password: str) -> None:
    with pytest.raises(Unauthenticated) as refusal:
        desk.sign_in(name, password)
    assert (refusal.value.code, refusal.value.detail) == ("unauthenticated", "")


def test_the_twin_tenants_account_is_another_one(desk: Desk, world: World) -> None:
    who = desk.who(desk.sign_in("peer@beta"))
    assert who is not None
    assert who.tenant_id == world.beta.id
    assert who.account_id == world.beta.logins["peer"].account_id


def test_a_secret_opens_nothing_in_another_tenant(desk: Desk, world: World) -> None:
    token = desk.sign_in("peer@alpha")
    assert desk.who(replace(token, tenant_id=world.beta.id)) is None


def test_a_session_ends_after_half_an_hour_of_idling(desk: Desk) -> None:
    token = desk.sign_in("peer@alpha")
    desk.clock.advance(IDLE - timedelta(seconds=1))
    assert desk.who(token) is not None
    desk.clock.advance(IDLE - timedelta(seconds=1))
    assert desk.who(token) is not None
    desk.clock.advance(IDLE)
    assert desk.who(token) is None


def test_a_stream_does_not_keep_a_session_alive(desk: Desk) -> None:
    token = desk.sign_in("peer@alpha")
    desk.clock.advance(timedelta(minutes=20))
    assert desk.who(token, touch=False) is not None
    desk.clock.advance(timedelta(minutes=10))
    assert desk.who(token, touch=False) is None


def test_a_session_ends_after_twelve_hours_however_busy(desk: Desk) -> None:
    token = desk.sign_in("peer@alpha")
    step = timedelta(minutes=20)
    for _ in range(int(ABSOLUTE / step) - 1):
        desk.clock.advance(step)
        assert desk.who(token) is not None
    desk.clock.advance(step)
    assert desk.who(token) is None


def test_signing_out_ends_this_session_and_raises_the_epoch(desk: Desk) -> None:
    token, other = desk.sign_in("peer@alpha"), desk.sign_in("peer@alpha")
    before = desk.who(other)
    desk.do(lambda session: sign_out(session, desk.clock, token))
    after = desk.who(other)
    assert desk.who(token) is None
    assert before is not None
    assert after is not None
    assert after.epoch == before.epoch + 1


def test_a_new_role_raises_the_epoch_and_a_revoked_one_is_gone(desk: Desk) -> None:
    token = desk.sign_in("finance@alpha")
    before = desk.who(token)
    account_id = desk.tenant.logins["finance"].account_id
    made = []
    desk.do(
        lambda session: made.append(
            services.grant_role(
                session,
                desk.clock,
                tenant_id=desk.tenant.id,
                account_id=account_id,
                role=Role.MANAGER,
                unit_id=desk.tenant.units["s1"],
            ).id
        )
    )
    with_role = desk.who(token)
    desk.clock.advance(timedelta(seconds=1))
    desk.do(
        lambda session: services.revoke_grant(
            session, desk.clock, tenant_id=desk.tenant.id, grant_id=made[0]
        )
    )
    without = desk.who(token)
    assert before is not None
    assert with_role is not None
    assert without is not None
    assert (Role.MANAGER, desk.tenant.units["s1"]) in with_role.grants
    assert without.grants == before.grants
    assert before.epoch < with_role.epoch < without.epoch


def test_a_new_password_ends_all_sessions(desk: Desk) -> None:
    token = desk.sign_in("other_team@alpha")
    account_id = desk.tenant.logins["other_team"].account_id
    desk.do(
        lambda session: services.set_password(
            session,
            desk.clock,
            tenant_id=desk.tenant.id,
            account_id=account_id,
            password="a-brand-new-one",
        )
    )
    assert desk.who(token) is None
    with pytest.raises(Unauthenticated):
        desk.sign_in("other_team@alpha")
    assert desk.who(desk.sign_in("other_team@alpha", "a-brand-new-one")) is not None


def test_an_account_that_is_switched_off_is_out_at_once(desk: Desk) -> None:
    token = desk.sign_in("manager_n2@alpha")
    account_id = desk.tenant.logins["manager_n2"].account_id
    desk.do(
        lambda session: services.set_active(
            session, desk.clock, tenant_id=desk.tenant.id, account_id=account_id, active=False
        )
    )
    assert desk.who(token) is None
    with pytest.raises(Unauthenticated):
        desk.sign_in("manager_n2@alpha")


def test_a_leaver_is_out_from_the_local_date_on(desk: Desk) -> None:
    with pytest.raises(Unauthenticated):
        desk.sign_in("leaver@alpha")
    # Midnight of 20 November in Shanghai is 16:00 of the 19th in UTC.
    desk.clock.at = datetime(2026, 11, 19, 15, 50, tzinfo=UTC)
    token = desk.sign_in("manager_n1@alpha")
    desk.do(
        lambda session: services.end_employment(
            session,
            desk.clock,
            tenant_id=desk.tenant.id,
            employee_id=desk.tenant.people["manager_n1"],
            left_on=date(2026, 11, 20),
        )
    )
    assert desk.who(token) is not None
    desk.clock.advance(timedelta(minutes=10))
    assert desk.who(token) is None


def test_an_old_hash_is_renewed_at_sign_in(desk: Desk) -> None:
    from argon2 import PasswordHasher  # noqa: PLC0415

    account_id = desk.tenant.logins["other_branch"].account_id
    weak = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1).hash(PASSWORD)

    def weaken(session: DbSession) -> None:
        session.get_one(Account, (desk.tenant.id, account_id)).password_hash = weak

    desk.do(weaken)
    desk.sign_in("other_branch@alpha")
    with unit_of_work(desk.sessions, tenant_id=desk.tenant.id) as session:
        now_kept = session.get_one(Account, (desk.tenant.id, account_id)).password_hash
    assert now_kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_sign_in_and_sign_out_are_on_record(desk: Desk) -> None:
    token = desk.sign_in("hr@alpha")
    desk.do(lambda session: sign_out(session, desk.clock, token))
    account_id = desk.tenant.logins["hr"].account_id
    with unit_of_work(desk.sessions, tenant_id=desk.tenant.id) as session:
        kinds = session.scalars(
            select(SecurityEvent.kind).where(SecurityEvent.actor_id == account_id)
        ).all()
    assert sorted(kinds) == ["sign_in", "sign_out"]


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", "1", "1.", ".abc", "0." + "a" * 43, "1." + "a" * 42, "x." + "a" * 43),
        *("1." + "a" * 43 + "\n", "-1." + "a" * 43, "9999999999." + "a" * 43, "１." + "a" * 43),
    ],
)
def test_a_cookie_of_another_form_is_none(value: str | None) -> None:
    assert parse_cookie(value) is None


def test_sign_in_names_are_login_and_tenant() -> None:
    assert split_sign_in_name(" Ann.Lee@acme ") == ("ann.lee", "acme")
    assert split_sign_in_name("ann") is None
    assert split_sign_in_name("ann@") is None


def test_upkeep_forgets_ended_sessions_of_all_tenants_and_keeps_live_ones(
    desk: Desk, module_database: DatabaseUrls
) -> None:
    desk.clock.advance(timedelta(days=2))
    old = [desk.sign_in("auditor@alpha"), desk.sign_in("auditor@beta")]
    desk.clock.advance(IDLE)
    live = desk.sign_in("auditor@alpha")
    engine = make_engine(module_database.owner, pool_size=1)
    with unit_of_work(make_session_factory(engine), tenant_id=None) as session:
        assert services.forget_expired(session, desk.clock) >= len(old) - 1
        kept = session.scalars(select(Session.secret_hash)).all()
    engine.dispose()
    assert list(kept) == [live.secret_hash]
