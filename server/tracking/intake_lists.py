"""What is known of devices and of messages, without any position; public through `queries`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from server.db.tables import devices, employees
from server.tracking.models import DeviceHealth, FixRow, LedgerRow, QuarantineRow, Via
from server.tracking.phone_rules import LATE

_BACKLOG: Final = timedelta(days=7)
_LATELY: Final = timedelta(hours=1)


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
    arrived_at: datetime | None = None
    """When the newest position came."""
    late_at: datetime | None = None
    """When last a position came that had waited on the phone."""
    status: Mapping[str, Any] | None = None
    """What the app said of permission and power saving, in its own codes."""
    datum_check: Mapping[str, Any] | None = None
    """A constant offset between the device's sources, until somebody stated the datum."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What came of one device in the last hour, and how long it had waited.

    Attributes
    ----------
    fixes : positions that came.
    late : those of them that had waited longer than `phone_rules.LATE`.
    longest_s : the longest wait; None when nothing came.
    reached_at : when the newest of the late ones was measured; None without any.
    """

    fixes: int
    late: int
    longest_s: float | None
    reached_at: datetime | None


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
                arrived_at=health.arrived_at if health else None,
                late_at=health.late_at if health else None,
                datum_check=_unanswered(
                    health.datum_check if health else None, row.datum_stated_at
                ),
            )
        )
    return views


def _unanswered(
    check: Mapping[str, Any] | None, stated_at: datetime | None
) -> Mapping[str, Any] | None:
    """Return what the daily check found, unless somebody answered it since."""
    if check is None or stated_at is None:
        return check
    checked_at = check.get("checked_at")
    later = isinstance(checked_at, str) and datetime.fromisoformat(checked_at) > stated_at
    return check if later else None


def delivery(session: Session, *, tenant_id: int, device_id: UUID, now: datetime) -> Delivery:
    """Return how the positions of one device of the last week came in the last hour.

    Apps do not tell how many positions wait on the phone; how old those are that come does.
    One statement over the key of the device, some milliseconds.
    """
    wait = FixRow.received_at - FixRow.fixed_at
    late = wait > LATE
    row = session.execute(
        select(
            func.count(),
            func.count().filter(late),
            func.max(func.extract("epoch", wait)),
            func.max(FixRow.fixed_at).filter(late),
        ).where(
            FixRow.tenant_id == tenant_id,
            FixRow.device_id == device_id,
            FixRow.fixed_at > now - _BACKLOG,
            FixRow.received_at > now - _LATELY,
            FixRow.via != Via.IMPORT,
        )
    ).one()
    fixes, behind, longest_s, reached_at = row
    return Delivery(
        fixes=fixes,
        late=behind,
        longest_s=float(longest_s) if fixes else None,
        reached_at=reached_at,
    )


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
