"""What is known of devices and of messages, without any position; public through `queries`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from server.db.tables import devices, employees
from server.tracking.models import DeviceHealth, LedgerRow, QuarantineRow


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceHealthView:
    """The newest that is known of one device; None where it never said."""

    device_id: UUID
    employee_id: UUID
    employee_name: str
    username: str
    kind: str
    label: str
    enrolled_at: datetime
    revoked_at: datetime | None
    seen_at: datetime | None
    fixed_at: datetime | None
    battery_pct: int | None
    charging: bool | None
    connection: str | None
    mode: str | None
    lost_at: datetime | None
    status: Mapping[str, Any] | None = None
    """What the app said of permission and power saving, in its own codes."""
    datum_check: Mapping[str, Any] | None = None
    """A constant offset between the device's sources, when one was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerView:
    """Counts of one device; they add up: received = stored + duplicate + … + ignored."""

    device_id: UUID
    received_on: date
    received: int
    stored: int
    duplicate: int
    quarantined: int
    off_duty: int
    ignored: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineView:
    """Messages of one device refused for one reason; never what they said."""

    device_id: UUID | None
    reason: str
    messages: int
    attempts: int
    first_at: datetime
    last_at: datetime


def device_health(
    session: Session, scope: Select[UUID], *, with_revoked: bool = False
) -> list[DeviceHealthView]:
    """Return the devices of people in scope by name, newest enrolment first. One statement."""
    query = (
        select(devices, employees.c.name.label("employee_name"), DeviceHealth)
        .join(
            employees,
            and_(
                employees.c.tenant_id == devices.c.tenant_id,
                employees.c.id == devices.c.employee_id,
            ),
        )
        .outerjoin(
            DeviceHealth,
            and_(
                DeviceHealth.tenant_id == devices.c.tenant_id,
                DeviceHealth.device_id == devices.c.id,
            ),
        )
        .where(devices.c.employee_id.in_(scope))
        .order_by(employees.c.name, devices.c.enrolled_at.desc(), devices.c.id)
    )
    if not with_revoked:
        query = query.where(devices.c.revoked_at.is_(None))
    views = []
    for row in session.execute(query):
        health: DeviceHealth | None = row.DeviceHealth
        views.append(
            DeviceHealthView(
                device_id=row.id,
                employee_id=row.employee_id,
                employee_name=row.employee_name,
                username=row.username,
                kind=row.kind,
                label=row.label,
                enrolled_at=row.enrolled_at,
                revoked_at=row.revoked_at,
                seen_at=health.seen_at if health else None,
                fixed_at=health.fixed_at if health else None,
                battery_pct=health.battery_pct if health else None,
                charging=health.charging if health else None,
                connection=health.connection if health else None,
                mode=health.mode if health else None,
                lost_at=health.lost_at if health else None,
                status=health.status if health else None,
                datum_check=health.datum_check if health else None,
            )
        )
    return views


def ledger(
    session: Session, scope: Select[UUID], *, first_on: date, last_on: date
) -> list[LedgerView]:
    """Return what became of the messages of people in scope, per device and UTC day.

    Newest day first. One statement.
    """
    query = (
        select(LedgerRow)
        .join(
            devices,
            and_(devices.c.tenant_id == LedgerRow.tenant_id, devices.c.id == LedgerRow.device_id),
        )
        .where(devices.c.employee_id.in_(scope), LedgerRow.received_on.between(first_on, last_on))
        .order_by(LedgerRow.received_on.desc(), LedgerRow.device_id)
    )
    return [
        LedgerView(
            device_id=row.device_id,
            received_on=row.received_on,
            received=row.received,
            stored=row.stored,
            duplicate=row.duplicate,
            quarantined=row.quarantined,
            off_duty=row.off_duty,
            ignored=row.ignored,
        )
        for row in session.scalars(query)
    ]


def quarantine(
    session: Session, scope: Select[UUID], *, since_at: datetime
) -> list[QuarantineView]:
    """Return refused messages of people in scope by device and reason, newest first.

    Payloads and details stay where they are. One statement.
    """
    last_at = func.max(QuarantineRow.received_at)
    query = (
        select(
            QuarantineRow.device_id,
            QuarantineRow.reason,
            func.count(),
            func.sum(QuarantineRow.attempts),
            func.min(QuarantineRow.received_at),
            last_at,
        )
        .join(
            devices,
            and_(
                devices.c.tenant_id == QuarantineRow.tenant_id,
                devices.c.id == QuarantineRow.device_id,
            ),
        )
        .where(devices.c.employee_id.in_(scope), QuarantineRow.received_at >= since_at)
        .group_by(QuarantineRow.device_id, QuarantineRow.reason)
        .order_by(last_at.desc(), QuarantineRow.reason)
    )
    return [
        QuarantineView(
            device_id=device_id,
            reason=reason,
            messages=messages,
            attempts=int(attempts),
            first_at=first_at,
            last_at=newest_at,
        )
        for device_id, reason, messages, attempts, first_at, newest_at in session.execute(query)
    ]
