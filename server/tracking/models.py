"""Tables of the spine: raw facts (append-only) and rows derived from them (replaced as a set)."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from geoalchemy2 import WKBElement
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.geometry import on_earth_sql
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime, point_column


class Via(StrEnum):
    """The door a message came through."""

    MQTT = "mqtt"
    HTTP = "http"
    IMPORT = "import"


class PresenceState(StrEnum):
    """Where a rostered person is in relation to the post."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    UNKNOWN = "unknown"


class FixRow(Base):
    """A position as a device claimed it; append-only, partitioned by week of `fixed_at`."""

    __tablename__ = "fixes"
    __table_args__ = (
        # NaN compares greatest in PostgreSQL, so it fails these as it should.
        CheckConstraint(on_earth_sql("position"), name="position"),
        # A person's fixes are found through their devices and the primary key: every
        # further index is paid for on each insert.
        Index("ix_fixes_fixed_at", "fixed_at", postgresql_using="brin"),
        {"postgresql_partition_by": "RANGE (fixed_at)"},
    )

    tenant_id: Mapped[TenantId]
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    fixed_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    # 64 bits of SHA-256 over the message (or its `_id`): equal instants with different
    # content are both kept.
    msg_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    employee_id: Mapped[UUID]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    position: Mapped[WKBElement] = mapped_column(point_column())
    accuracy_m: Mapped[float | None]
    altitude_m: Mapped[float | None]
    speed_mps: Mapped[float | None]
    course_deg: Mapped[float | None]
    battery_pct: Mapped[int | None] = mapped_column(SmallInteger)
    source: Mapped[str]
    trigger: Mapped[str | None]
    mock: Mapped[bool | None]
    flags: Mapped[int] = mapped_column(Integer, server_default="0")
    via: Mapped[Via] = mapped_column(EnumText(Via))
    raw: Mapped[bytes] = mapped_column(LargeBinary)


class DeviceEventRow(Base):
    """What a device said besides positions: transition, waypoint, status, last will."""

    __tablename__ = "device_events"
    __table_args__ = (Index("ix_device_events_device", "tenant_id", "device_id", "at"),)

    tenant_id: Mapped[TenantId]
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    msg_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    employee_id: Mapped[UUID]
    kind: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    body: Mapped[Json]
    via: Mapped[Via] = mapped_column(EnumText(Via))


class LedgerRow(Base):
    """Count of records by outcome per device and UTC day of receipt; the proof nothing vanished."""

    __tablename__ = "ingest_ledger"
    __table_args__ = (
        CheckConstraint(
            "received = stored + duplicate + quarantined + off_duty + ignored", name="balance"
        ),
    )

    tenant_id: Mapped[TenantId]
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    received_on: Mapped[date] = mapped_column(primary_key=True)
    received: Mapped[int] = mapped_column(BigInteger, server_default="0")
    stored: Mapped[int] = mapped_column(BigInteger, server_default="0")
    duplicate: Mapped[int] = mapped_column(BigInteger, server_default="0")
    quarantined: Mapped[int] = mapped_column(BigInteger, server_default="0")
    off_duty: Mapped[int] = mapped_column(BigInteger, server_default="0")
    # Messages that carry nothing to keep: empty payloads, last wills off duty.
    ignored: Mapped[int] = mapped_column(BigInteger, server_default="0")


class QuarantineRow(Base):
    """A message that could not be stored, with the reason; payload sealed with the data key.

    A device nobody knows has no tenant: `tenant_id` is 0 then, and no tenant sees it.
    `payload` is null when keeping it could keep an off-duty position.
    """

    __tablename__ = "quarantine"
    __table_args__ = (
        Index("ix_quarantine_device", "tenant_id", "device_id", "received_at"),
        Index("ix_quarantine_received", "received_at"),
        Index("uq_quarantine_message", "tenant_id", "username", "msg_key", "reason", unique=True),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    device_id: Mapped[UUID | None]
    username: Mapped[str]
    topic: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str]
    detail: Mapped[str]
    msg_key: Mapped[int] = mapped_column(BigInteger)
    size: Mapped[int]
    payload: Mapped[bytes | None] = mapped_column(LargeBinary)
    via: Mapped[Via] = mapped_column(EnumText(Via))
    attempts: Mapped[int] = mapped_column(server_default="1")
    # Set when a replay stored it; the payload is gone from here then.
    replayed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeviceHealth(Base):
    """The newest thing known of each device, without any position."""

    __tablename__ = "device_health"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
    )

    tenant_id: Mapped[TenantId]
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fixed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    battery_pct: Mapped[int | None] = mapped_column(SmallInteger)
    charging: Mapped[bool | None]
    connection: Mapped[str | None]
    mode: Mapped[str | None]
    lost_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # When the fix of `fixed_at` came, and when last a batch had none younger than `LATE`.
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    late_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    status: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    # Set while positions of one source lie off those of another by the same way everywhere.
    datum_check: Mapped[dict[str, object] | None] = mapped_column(JSONB)


class LastPosition(Base):
    """The newest credible on-duty fix of each person; small, spatially indexed, rebuildable."""

    __tablename__ = "last_positions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        Index("ix_last_positions_position", "position", postgresql_using="gist"),
    )

    tenant_id: Mapped[TenantId]
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    device_id: Mapped[UUID]
    fixed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    msg_key: Mapped[int] = mapped_column(BigInteger)
    position: Mapped[WKBElement] = mapped_column(point_column())
    accuracy_m: Mapped[float | None]
    speed_mps: Mapped[float | None]
    course_deg: Mapped[float | None]
    battery_pct: Mapped[int | None] = mapped_column(SmallInteger)
    source: Mapped[str]
    flags: Mapped[int] = mapped_column(server_default="0")
    roster_entry_id: Mapped[UUID | None]


class TouchedDay(Base):
    """Work for the engine: facts of this person-day changed since an instant. Append-only queue."""

    __tablename__ = "touched_days"
    __table_args__ = (
        Index("ix_touched_days_person", "tenant_id", "employee_id", "work_on"),
        Index("ix_touched_days_order", text("work_on DESC"), "id"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    employee_id: Mapped[UUID]
    work_on: Mapped[date]
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
    queued_at: Mapped[CreatedAt]


class PresenceRow(Base):
    """One interval of presence of a rostered person; the intervals of an entry tile it.

    `probability` of the state by the fixes in it; null where nobody looked.
    """

    __tablename__ = "presence_intervals"
    __table_args__ = (
        CheckConstraint("ends_at > starts_at", name="order"),
        CheckConstraint("probability BETWEEN 0 AND 1", name="probability"),
        Index("ix_presence_day", "tenant_id", "employee_id", "work_on"),
    )

    tenant_id: Mapped[TenantId]
    roster_entry_id: Mapped[UUID] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    employee_id: Mapped[UUID]
    work_on: Mapped[date]
    state: Mapped[PresenceState] = mapped_column(EnumText(PresenceState))
    inferred: Mapped[bool] = mapped_column(server_default=text("false"))
    cause: Mapped[str | None]
    probability: Mapped[float | None]


class DayRow(Base):
    """A person-day as last computed: coverage, distance, segments; with version and parameters."""

    __tablename__ = "person_days"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        Index("ix_person_days_on", "tenant_id", "work_on"),
    )

    tenant_id: Mapped[TenantId]
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_on: Mapped[date] = mapped_column(primary_key=True)
    # The answer is final once `as_of_at` has passed the last window's end.
    as_of_at: Mapped[datetime] = mapped_column(UtcDateTime)
    algorithm_version: Mapped[str]
    policy: Mapped[Json]
    summary: Mapped[Json]
    computed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PresenceNow(Base):
    """What the engine holds true of a person right now; what the live map shows."""

    __tablename__ = "presence_now"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        Index("ix_presence_now_due", "due_at"),
    )

    tenant_id: Mapped[TenantId]
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    roster_entry_id: Mapped[UUID | None]
    post_id: Mapped[UUID | None]
    state: Mapped[PresenceState] = mapped_column(EnumText(PresenceState))
    since_at: Mapped[datetime] = mapped_column(UtcDateTime)
    distance_m: Mapped[float | None]
    finding_id: Mapped[UUID | None]
    as_of_at: Mapped[datetime] = mapped_column(UtcDateTime)
    work_on: Mapped[date]
    # The answer can change at this instant without any new fact: the engine looks again.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)


class IngestHeartbeat(Base):
    """The last proof that ingest stores: a canary that went through broker and commit. One row."""

    __tablename__ = "ingest_heartbeat"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lag_s: Mapped[float]
    waiting: Mapped[int]
    # What the broker says it dropped since it started; anything but 0 is an alarm.
    broker_dropped: Mapped[int | None] = mapped_column(BigInteger)


class EngineHeartbeat(Base):
    """The last sign that a worker of the engine goes round its loop. One row for all of them."""

    __tablename__ = "engine_heartbeat"
    __table_args__ = (CheckConstraint("id = 1", name="single"),)

    id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
