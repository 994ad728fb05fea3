"""Enrolling, rotating, revoking; what the phone gets and what the tables keep."""

import base64
import json
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from server.broker.passwords import verify_password
from server.clock import ManualClock
from server.crypto import SealBroken
from server.db.session import unit_of_work
from server.errors import Conflict, NotFound
from server.people import services
from server.people.devices import TICKET_LIFE, EnrolledDevice, encryption_context
from server.people.models import Device, DeviceKind
from server.people.provisioning import ENCRYPTS
from tests.factories.world import BROKER, VAULT, World


@pytest.fixture
def clock(world: World) -> ManualClock:
    return ManualClock(world.clock.now())


def enrol(
    sessions: sessionmaker[Session],
    world: World,
    clock: ManualClock,
    *,
    kind: DeviceKind = DeviceKind.OWNTRACKS_ANDROID,
    encrypt: bool = False,
) -> EnrolledDevice:
    with unit_of_work(sessions, tenant_id=world.alpha.id) as session:
        return services.enrol_device(
            session,
            clock,
            tenant_id=world.alpha.id,
            employee_id=world.alpha.people["employee"],
            kind=kind,
            label="blue phone",
            broker=BROKER,
            vault=VAULT,
            encrypt=encrypt,
        )


def row(sessions: sessionmaker[Session], world: World, device_id: UUID) -> Device:
    with unit_of_work(sessions, tenant_id=world.alpha.id) as session:
        return session.get_one(Device, (world.alpha.id, device_id))


def test_the_configuration_makes_a_phone_publish_once_and_retain_nothing(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock)
    config = made.config
    assert config["_type"] == "configuration"
    assert (config["host"], config["port"], config["tls"]) == ("127.0.0.1", 8883, False)
    assert config["clientId"] == config["username"] == made.username
    assert config["password"] == made.secret
    assert (config["pubQos"], config["pubRetain"], config["cleanSession"]) == (1, False, False)
    assert config["keepalive"] <= 60
    assert config["pubTopicBase"] == "owntracks/%u/%d"
    assert config["remoteConfiguration"] is False


@pytest.mark.parametrize("kind", sorted(ENCRYPTS))
def test_the_link_survives_the_decoding_of_both_apps(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock, kind: DeviceKind
) -> None:
    made = enrol(app_sessions, world, clock, kind=kind, encrypt=True)
    parts = urlsplit(made.link)
    assert (parts.scheme, parts.path) == ("owntracks", "/config")
    assert not set("+/ ") & set(parts.query.removeprefix("inline="))
    decoded = base64.b64decode(parse_qs(parts.query, strict_parsing=True)["inline"][0])
    assert json.loads(decoded) == made.config
    assert len(decoded) < 1200


@pytest.mark.parametrize("kind", list(DeviceKind))
def test_each_app_is_told_its_own_way_and_none_shows_the_secret_by_accident(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock, kind: DeviceKind
) -> None:
    made = enrol(app_sessions, world, clock, kind=kind, encrypt=True)
    kept = row(app_sessions, world, made.device_id)
    assert kept.kind is kind
    assert made.secret not in repr(made)
    assert any(made.secret in value for _name, value in made.setup.settings)
    assert (kept.encryption_secret is not None) == (kind in ENCRYPTS)
    token = _ticket(app_sessions, world, clock, made)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        assert services.open_ticket(session, clock, token=token, vault=VAULT)[1] == made.setup


def test_the_secret_is_kept_as_the_brokers_hash_only(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock, encrypt=True)
    kept = row(app_sessions, world, made.device_id)
    assert verify_password(made.secret, kept.credential_hash)
    assert made.secret not in repr(made)
    assert kept.encryption_secret is not None
    key = VAULT.open(kept.encryption_secret, context=encryption_context(made.username))
    assert key.decode() == made.config["encryptionKey"]
    with pytest.raises(SealBroken):
        VAULT.open(kept.encryption_secret, context=encryption_context("d-somebody-else"))


def test_a_rotated_device_has_another_secret_and_the_same_name(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        again = services.rotate_device(
            session,
            clock,
            tenant_id=world.alpha.id,
            device_id=made.device_id,
            broker=BROKER,
            vault=VAULT,
        )
    kept = row(app_sessions, world, made.device_id)
    assert again.username == made.username
    assert verify_password(again.secret, kept.credential_hash)
    assert not verify_password(made.secret, kept.credential_hash)


def test_a_revoked_device_stays_revoked(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock)
    for _ in range(2):
        with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
            services.revoke_device(
                session, clock, tenant_id=world.alpha.id, device_id=made.device_id
            )
    assert row(app_sessions, world, made.device_id).revoked_at == clock.now()
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session, pytest.raises(Conflict):
        services.rotate_device(
            session,
            clock,
            tenant_id=world.alpha.id,
            device_id=made.device_id,
            broker=BROKER,
            vault=VAULT,
        )


def test_the_gatekeeper_hears_of_every_change_at_commit(
    app_sessions: sessionmaker[Session],
    world: World,
    clock: ManualClock,
    module_database: DatabaseUrls,
) -> None:
    url = module_database.engine.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(url, autocommit=True) as listener:
        listener.execute("LISTEN devices")
        made = enrol(app_sessions, world, clock)
        with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
            services.revoke_device(
                session, clock, tenant_id=world.alpha.id, device_id=made.device_id
            )
        heard = [n.payload for n in listener.notifies(timeout=5, stop_after=2)]
    assert heard == [made.username] * 2


def test_a_device_of_another_tenant_does_not_exist(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    foreign = world.beta.devices["employee"].device_id
    for device_id in (foreign, uuid4()):
        with (
            unit_of_work(app_sessions, tenant_id=world.alpha.id) as session,
            pytest.raises(NotFound),
        ):
            services.revoke_device(session, clock, tenant_id=world.alpha.id, device_id=device_id)


def test_a_ticket_shows_the_configuration_once(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock)
    token = _ticket(app_sessions, world, clock, made)
    assert services.ticket_tenant(token) == world.alpha.id
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        shown = services.open_ticket(session, clock, token=token, vault=VAULT)
    assert shown == (made.device_id, made.setup)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session, pytest.raises(NotFound):
        services.open_ticket(session, clock, token=token, vault=VAULT)


def test_a_ticket_dies_with_time_with_the_device_and_in_another_tenant(
    app_sessions: sessionmaker[Session], world: World, clock: ManualClock
) -> None:
    made = enrol(app_sessions, world, clock)
    late, dead = (_ticket(app_sessions, world, clock, made) for _ in range(2))
    with unit_of_work(app_sessions, tenant_id=world.beta.id) as session, pytest.raises(NotFound):
        services.open_ticket(session, clock, token=dead, vault=VAULT)
    later = ManualClock(clock.now() + TICKET_LIFE)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session, pytest.raises(NotFound):
        services.open_ticket(session, later, token=late, vault=VAULT)
    with unit_of_work(app_sessions, tenant_id=world.alpha.id) as session:
        services.revoke_device(session, clock, tenant_id=world.alpha.id, device_id=made.device_id)
        with pytest.raises(NotFound):
            services.open_ticket(session, clock, token=dead, vault=VAULT)


def _ticket(
    sessions: sessionmaker[Session], world: World, clock: ManualClock, made: EnrolledDevice
) -> str:
    with unit_of_work(sessions, tenant_id=world.alpha.id) as session:
        return services.issue_ticket(
            session, clock, tenant_id=world.alpha.id, enrolled=made, vault=VAULT
        ).token
