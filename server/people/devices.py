"""Phones: enrol, rotate, revoke, and the one-time ticket that shows a configuration."""

import hashlib
import json
import re
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from server.audit.services import record_security_event
from server.broker.passwords import SALT_BYTES
from server.broker.passwords import hash_password as hash_for_broker
from server.clock import Clock
from server.crypto import Vault
from server.errors import Conflict, NotFound
from server.people.models import Device, DeviceKind, Employee, EnrolmentTicket
from server.people.owntracks import BrokerAddress
from server.people.provisioning import ENCRYPTS, Setup, setup_of

TICKET_LIFE = timedelta(hours=24)
_SECRET_BYTES = 24
_TICKET_BYTES = 32
_TICKET = re.compile(r"([1-9][0-9]{0,8})\.([A-Za-z0-9_-]{43})")
_NOTIFY = text("SELECT pg_notify('devices', :username)")


@dataclass(frozen=True, slots=True)
class EnrolledDevice:
    """A device with its secret in clear, which exists only in this value."""

    device_id: UUID
    username: str
    secret: str = field(repr=False)
    setup: Setup = field(repr=False)
    """What the phone has to be told, by the app that is on it."""

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of OwnTracks; empty for other apps."""
        found: dict[str, Any] = json.loads(self.setup.file[1]) if self.setup.file else {}
        return found

    @property
    def link(self) -> str:
        """What a tap on the phone opens; empty when the app knows no such link."""
        return self.setup.link or ""


@dataclass(frozen=True, slots=True)
class Ticket:
    """The address of a page that shows a configuration once."""

    token: str = field(repr=False)
    """``<tenant id>.<secret>``, the last part of the link."""


def enrol_device(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    employee_id: UUID,
    kind: DeviceKind,
    label: str,
    broker: BrokerAddress,
    vault: Vault,
    encrypt: bool = False,
    actor_id: UUID | None = None,
) -> EnrolledDevice:
    """Give a person a device with its own broker credential.

    One transaction: the device, the security event and the word to the gatekeeper
    (NOTIFY `devices`, delivered at commit). The caller has checked that the actor may
    manage devices of this person.

    Parameters
    ----------
    session, clock : as everywhere.
    tenant_id, employee_id : whose phone it is, for life.
    kind : the app on it.
    label : what people call it.
    broker : public address put into the configuration.
    vault : seals the encryption key at rest.
    encrypt : also encrypt payloads from phone to ingest, where the app can.
    actor_id : who enrols, None for a command.

    Returns
    -------
    The device with its secret in clear, which is not kept anywhere.

    Raises
    ------
    NotFound : no such person in this tenant.
    """
    person = select(Employee.id).where(Employee.tenant_id == tenant_id, Employee.id == employee_id)
    if session.scalar(person) is None:
        raise NotFound
    device = Device(
        tenant_id=tenant_id,
        employee_id=employee_id,
        username=_new_username(),
        kind=kind,
        label=label,
        credential_hash="",
        enrolled_at=clock.now(),
    )
    secret, key = _new_credential(device, vault=vault, encrypt=encrypt and kind in ENCRYPTS)
    session.add(device)
    session.flush()
    _tell(session, device, actor_id=actor_id, kind="device_enrolled")
    return _enrolled(device, secret=secret, key=key, broker=broker)


def rotate_device(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    device_id: UUID,
    broker: BrokerAddress,
    vault: Vault,
    actor_id: UUID | None = None,
) -> EnrolledDevice:
    """Replace a device's secret; the old one stops working as soon as the broker reloads.

    Raises
    ------
    NotFound : no such device in this tenant.
    Conflict : it is revoked.
    """
    del clock
    device = _device(session, tenant_id=tenant_id, device_id=device_id)
    if device.revoked_at is not None:
        raise Conflict("device_revoked", "a revoked device is not given a new secret")
    encrypt = device.encryption_secret is not None
    secret, key = _new_credential(device, vault=vault, encrypt=encrypt)
    session.flush()
    _tell(session, device, actor_id=actor_id, kind="device_rotated")
    return _enrolled(device, secret=secret, key=key, broker=broker)


def revoke_device(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    device_id: UUID,
    actor_id: UUID | None = None,
) -> None:
    """Take a device's access away; repeating it changes nothing.

    The gatekeeper hears of it at commit and drops a connected client within 2 s. Open
    tickets die with it.

    Raises
    ------
    NotFound : no such device in this tenant.
    """
    device = _device(session, tenant_id=tenant_id, device_id=device_id)
    if device.revoked_at is not None:
        return
    device.revoked_at = clock.now()
    for ticket in session.scalars(
        select(EnrolmentTicket).where(
            EnrolmentTicket.tenant_id == tenant_id, EnrolmentTicket.device_id == device_id
        )
    ):
        session.delete(ticket)
    session.flush()
    _tell(session, device, actor_id=actor_id, kind="device_revoked")


def issue_ticket(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    enrolled: EnrolledDevice,
    vault: Vault,
    life: timedelta = TICKET_LIFE,
) -> Ticket:
    """Make a link that shows a fresh configuration once, within its life."""
    token = f"{tenant_id}.{secrets.token_urlsafe(_TICKET_BYTES)}"
    plain = json.dumps(enrolled.setup.as_json()).encode()
    session.add(
        EnrolmentTicket(
            tenant_id=tenant_id,
            secret_hash=_ticket_hash(token),
            device_id=enrolled.device_id,
            sealed_config=vault.seal(plain, context=_ticket_context(enrolled.device_id)),
            expires_at=clock.now() + life,
        )
    )
    session.flush()
    return Ticket(token)


def ticket_tenant(token: str) -> int | None:
    """Return the tenant a ticket's token names, None when it is malformed."""
    match = _TICKET.fullmatch(token)
    return int(match[1]) if match else None


def open_ticket(session: Session, clock: Clock, *, token: str, vault: Vault) -> tuple[UUID, Setup]:
    """Show a configuration once and erase it.

    The door does this on POST only, so that a link preview does not use the ticket up.

    Returns
    -------
    Device id, and what the phone has to be told.

    Raises
    ------
    NotFound : unknown, opened before or expired.
    """
    tenant_id = ticket_tenant(token)
    ticket = session.scalar(
        select(EnrolmentTicket)
        .where(
            EnrolmentTicket.tenant_id == tenant_id,
            EnrolmentTicket.secret_hash == _ticket_hash(token),
            EnrolmentTicket.opened_at.is_(None),
            EnrolmentTicket.expires_at > clock.now(),
        )
        .with_for_update()
    )
    if ticket is None or ticket.sealed_config is None:
        raise NotFound
    plain = vault.open(ticket.sealed_config, context=_ticket_context(ticket.device_id))
    shown = json.loads(plain)
    ticket.sealed_config = None
    ticket.opened_at = clock.now()
    session.flush()
    record_security_event(
        session, tenant_id=ticket.tenant_id, kind="ticket_opened", subject=str(ticket.device_id)
    )
    return ticket.device_id, Setup.from_json(shown)


def encryption_context(username: str) -> bytes:
    """Return the context under which a device's encryption key is sealed."""
    return b"devices.encryption_secret:" + username.encode()


def _ticket_context(device_id: UUID) -> bytes:
    return b"enrolment_tickets.sealed_config:" + device_id.bytes


def _ticket_hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()


def _new_username() -> str:
    # No vowels, so that no word appears; no 0/1/l, which people confuse.
    letters = "23456789bcdfghjkmnpqrstvwxz"
    return "d-" + "".join(secrets.choice(letters) for _ in range(12))


def _new_credential(device: Device, *, vault: Vault, encrypt: bool) -> tuple[str, str | None]:
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    device.credential_hash = hash_for_broker(secret, secrets.token_bytes(SALT_BYTES))
    key = secrets.token_urlsafe(24)[:32] if encrypt else None
    device.encryption_secret = (
        vault.seal(key.encode(), context=encryption_context(device.username)) if key else None
    )
    return secret, key


def _device(session: Session, *, tenant_id: int, device_id: UUID) -> Device:
    device = session.scalar(
        select(Device)
        .where(Device.tenant_id == tenant_id, Device.id == device_id)
        .with_for_update()
    )
    if device is None:
        raise NotFound
    return device


def _tell(session: Session, device: Device, *, actor_id: UUID | None, kind: str) -> None:
    session.execute(_NOTIFY, {"username": device.username})
    record_security_event(
        session,
        tenant_id=device.tenant_id,
        actor_id=actor_id,
        kind=kind,
        subject=str(device.id),
    )


def _enrolled(
    device: Device, *, secret: str, key: str | None, broker: BrokerAddress
) -> EnrolledDevice:
    setup = setup_of(
        device.kind, broker, username=device.username, secret=secret, encryption_key=key
    )
    return EnrolledDevice(device.id, device.username, secret, setup)
