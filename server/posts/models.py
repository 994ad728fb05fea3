"""Tables of places and of the time people are expected at them."""

from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Time,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import BigInt, CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime
from server.posts.rules import ExcusalKind, PolicyKind


class Post(Base):
    """An assigned place; its shape is in its versions."""

    __tablename__ = "posts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "unit_id"], ["units.tenant_id", "units.id"]),
        UniqueConstraint("tenant_id", "unit_id", "name"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    unit_id: Mapped[UUID]
    name: Mapped[str]
    address: Mapped[str | None]
    zone: Mapped[str]
    closed_on: Mapped[date | None]
    created_at: Mapped[CreatedAt]


class PostVersion(Base):
    """A post's geofence from one instant until the next version's; never edited."""

    __tablename__ = "post_versions"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "post_id"], ["posts.tenant_id", "posts.id"]),
        UniqueConstraint("tenant_id", "post_id", "version"),
        UniqueConstraint("tenant_id", "post_id", "valid_from_at"),
        CheckConstraint("radius_m IS NULL OR radius_m BETWEEN 20 AND 50000", name="radius"),
        Index("ix_post_versions_shape", "shape", postgresql_using="gist"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    post_id: Mapped[UUID]
    version: Mapped[int]
    valid_from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # A circle is its centre (POINT) and radius_m; anything else a polygon or multipolygon.
    shape: Mapped[WKBElement] = mapped_column(Geometry("GEOMETRY", 4326, spatial_index=False))
    radius_m: Mapped[float | None]
    # Both None for what the policy says.
    grace_s: Mapped[int | None]
    buffer_m: Mapped[float | None]
    note: Mapped[str | None]
    # What a what-if had shown before; see `server.tracking.what_if_rules`.
    trial: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]


class Shift(Base):
    """A named span of wall-clock time; an end not after the start is on the next day."""

    __tablename__ = "shifts"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "name"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    name: Mapped[str]
    starts: Mapped[time] = mapped_column(Time)
    ends: Mapped[time] = mapped_column(Time)
    retired_on: Mapped[date | None]


class RosterEntry(Base):
    """One person's shift on one work date, with the instants it stands for.

    `on_date` is the local date, in `zone`, on which the shift starts. A rep without a
    post has `post_id` null: on duty, expected nowhere in particular.
    """

    __tablename__ = "roster_entries"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        ForeignKeyConstraint(["tenant_id", "shift_id"], ["shifts.tenant_id", "shifts.id"]),
        ForeignKeyConstraint(["tenant_id", "post_id"], ["posts.tenant_id", "posts.id"]),
        CheckConstraint("ends_at > starts_at", name="order"),
        ExcludeConstraint(
            ("tenant_id", "="),
            ("employee_id", "="),
            (func.tstzrange(text("starts_at"), text("ends_at")), "&&"),
            name="ex_roster_entries_one_at_a_time",
            using="gist",
            where=text("cancelled_at IS NULL"),
        ),
        Index("ix_roster_entries_starts", "tenant_id", "starts_at"),
        Index("ix_roster_entries_post", "tenant_id", "post_id", "on_date"),
        Index("ix_roster_entries_employee", "tenant_id", "employee_id", "on_date"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    shift_id: Mapped[UUID]
    post_id: Mapped[UUID | None]
    on_date: Mapped[date]
    zone: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]


class Excusal(Base):
    """A span in which somebody need not be at the post; leave also closes the duty window."""

    __tablename__ = "excusals"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        CheckConstraint("ends_at > starts_at", name="order"),
        Index("ix_excusals_employee", "tenant_id", "employee_id", "starts_at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    kind: Mapped[ExcusalKind] = mapped_column(EnumText(ExcusalKind))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str | None]
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DutyVersion(Base):
    """Counts changes to a tenant's roster and excusals, so that caches know they are old."""

    __tablename__ = "duty_versions"
    __table_args__ = (ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),)

    tenant_id: Mapped[TenantId]
    version: Mapped[BigInt] = mapped_column(server_default="0")


class Policy(Base):
    """A versioned set of thresholds of one family, copied into the evidence of verdicts."""

    __tablename__ = "policies"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id"], ["tenants.id"]),
        UniqueConstraint("tenant_id", "kind", "version"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    kind: Mapped[PolicyKind] = mapped_column(EnumText(PolicyKind))
    version: Mapped[int]
    params: Mapped[Json]
    effective_from_at: Mapped[datetime] = mapped_column(UtcDateTime)
    note: Mapped[str | None]
    trial: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
