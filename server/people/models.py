"""Tables of the organisation: who exists, where they belong, what they may do, what they carry."""

from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, DATERANGE, JSONB, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from geo.crs import Datum
from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, TenantId, UtcDateTime


class UnitKind(StrEnum):
    """Levels of the organisation tree, highest first."""

    GROUP = "group"
    BRANCH = "branch"
    DEPARTMENT = "department"
    TEAM = "team"


class Role(StrEnum):
    """What an account may be on a unit; everybody is an employee to themselves."""

    SUPERVISOR = "supervisor"
    MANAGER = "manager"
    FINANCE = "finance"
    HR = "hr"
    ADMIN = "admin"
    AUDITOR = "auditor"


class DeviceKind(StrEnum):
    """The client that reports."""

    OWNTRACKS_ANDROID = "owntracks_android"
    OWNTRACKS_IOS = "owntracks_ios"
    TRACCAR = "traccar"
    OVERLAND = "overland"
    NETWORK_SURVEY = "network_survey"
    TOWER_COLLECTOR = "tower_collector"
    OSMAND = "osmand"
    """Any other device that speaks the OsmAnd protocol."""


class Tenant(Base):
    """A customer organisation; the outer wall. The only table without row-level security."""

    __tablename__ = "tenants"
    __table_args__ = (CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{1,30}$'", name="slug"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    zone: Mapped[str]
    locale: Mapped[str] = mapped_column(server_default="zh")
    created_at: Mapped[CreatedAt]


class Unit(Base):
    """A node of the organisation tree."""

    __tablename__ = "units"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(["tenant_id", "parent_id"], ["units.tenant_id", "units.id"]),
        Index("ix_units_parent", "tenant_id", "parent_id"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    parent_id: Mapped[UUID | None]
    kind: Mapped[UnitKind] = mapped_column(EnumText(UnitKind))
    name: Mapped[str]
    position: Mapped[int] = mapped_column(Integer, server_default="0")
    created_at: Mapped[CreatedAt]


class UnitAncestor(Base):
    """Closure of the tree: every unit is below each of its ancestors, itself at depth 0."""

    __tablename__ = "unit_ancestors"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "ancestor_id"], ["units.tenant_id", "units.id"], ondelete="CASCADE"
        ),
        ForeignKeyConstraint(
            ["tenant_id", "unit_id"], ["units.tenant_id", "units.id"], ondelete="CASCADE"
        ),
        Index("ix_unit_ancestors_unit", "tenant_id", "unit_id"),
    )

    tenant_id: Mapped[TenantId]
    ancestor_id: Mapped[UUID] = mapped_column(primary_key=True)
    unit_id: Mapped[UUID] = mapped_column(primary_key=True)
    depth: Mapped[int]


class Employee(Base):
    """A person who works; the subject of every location."""

    __tablename__ = "employees"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "number"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    number: Mapped[str]
    name: Mapped[str]
    phone: Mapped[str | None]
    title: Mapped[str | None]
    hired_on: Mapped[date]
    left_on: Mapped[date | None]
    created_at: Mapped[CreatedAt]


class Membership(Base):
    """An employee's place in the tree over half-open local dates; never two at once."""

    __tablename__ = "memberships"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        ForeignKeyConstraint(["tenant_id", "unit_id"], ["units.tenant_id", "units.id"]),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("employee_id", "="),
            ("during_on", "&&"),
            name="ex_memberships_one_at_a_time",
            using="gist",
        ),
        Index("ix_memberships_unit", "tenant_id", "unit_id"),
        Index("ix_memberships_employee", "tenant_id", "employee_id"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    unit_id: Mapped[UUID]
    during_on: Mapped[Range[date]] = mapped_column(DATERANGE)


class Account(Base):
    """Somebody who may sign in; usually also an employee."""

    __tablename__ = "accounts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        UniqueConstraint("tenant_id", "login"),
        UniqueConstraint("tenant_id", "employee_id"),
        CheckConstraint("login ~ '^[a-z0-9][a-z0-9._-]{0,62}$'", name="login"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    login: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str]
    employee_id: Mapped[UUID | None]
    locale: Mapped[str | None]
    theme: Mapped[str | None]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    # Raised on every change of rights; open streams compare it.
    epoch: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[CreatedAt]


class Session(Base):
    """A signed-in browser; only a hash of the cookie's secret is kept."""

    __tablename__ = "sessions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            ondelete="CASCADE",
        ),
        Index("ix_sessions_account", "tenant_id", "account_id"),
    )

    tenant_id: Mapped[TenantId]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Grant(Base):
    """A role on a unit and everything below it, over half-open instants."""

    __tablename__ = "grants"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"]),
        ForeignKeyConstraint(["tenant_id", "unit_id"], ["units.tenant_id", "units.id"]),
        Index("ix_grants_account", "tenant_id", "account_id"),
        CheckConstraint("until_at IS NULL OR until_at > from_at", name="period"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    account_id: Mapped[UUID]
    role: Mapped[Role] = mapped_column(EnumText(Role))
    unit_id: Mapped[UUID]
    from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    granted_by: Mapped[UUID | None]
    reason: Mapped[str | None]


class Device(Base):
    """A phone with its own broker credential; belongs to one employee for life."""

    __tablename__ = "devices"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        CheckConstraint("username ~ '^[a-z0-9-]{8,32}$'", name="username"),
        CheckConstraint("datum IN ('wgs84', 'gcj02', 'bd09')", name="datum"),
        Index("ix_devices_employee", "tenant_id", "employee_id"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    # Unique over all tenants: the broker knows no tenants.
    username: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[DeviceKind] = mapped_column(EnumText(DeviceKind))
    label: Mapped[str]
    # The broker's `$7$` PBKDF2 form; the secret itself is shown once and never kept.
    credential_hash: Mapped[str]
    # OwnTracks payload encryption, AES-GCM under OUTPOST_DATA_KEY; null when not used.
    encryption_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    # What the positions it sends refer to; ingest converts them once, on the way in.
    datum: Mapped[Datum] = mapped_column(EnumText(Datum), server_default=Datum.WGS84.value)
    # Sources that speak another one: {source: datum}.
    source_datums: Mapped[dict[str, str]] = mapped_column(JSONB, server_default=text("'{}'"))
    # Null since enrolment.
    datum_stated_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    enrolled_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class BasemapKind(StrEnum):
    """Where the streets under a tenant's maps come from."""

    BUILT_IN = "built_in"
    PMTILES = "pmtiles"
    STYLE = "style"
    RASTER = "raster"
    TIANDITU = "tianditu"
    AMAP = "amap"


class TenantBasemap(Base):
    """The streets a tenant chose for its maps; without a row nothing outside is asked."""

    __tablename__ = "tenant_basemaps"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[TenantId]
    kind: Mapped[BasemapKind] = mapped_column(EnumText(BasemapKind))
    # A file below the folder of basemaps, a style, or a template with {z} {x} {y}, by kind.
    address: Mapped[str | None]
    dark_address: Mapped[str | None]
    # Goes to every browser of the tenant with the map: no secret of ours.
    access_key: Mapped[str | None]
    attribution: Mapped[str | None]
    # What else a style may fetch from, as https origins.
    hosts: Mapped[list[str]] = mapped_column(ARRAY(String))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_by: Mapped[UUID | None]


class EnrolmentTicket(Base):
    """A one-time link that shows a device's configuration once."""

    __tablename__ = "enrolment_tickets"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"], ondelete="CASCADE"
        ),
    )

    tenant_id: Mapped[TenantId]
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    device_id: Mapped[UUID]
    # The configuration, AES-GCM under OUTPOST_DATA_KEY; erased when opened.
    sealed_config: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
