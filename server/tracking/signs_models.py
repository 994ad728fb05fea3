"""What a day's positions show of how they were made; for the engine alone, and for 30 days."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Identity, Index
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import CreatedAt, TenantId, UtcDateTime


class DaySigns(Base):
    """Signs of one person-day that is over; derived, replaced as a whole.

    What is worth a person's look stands as a finding too; the rest is read by nobody.
    `fingerprint` is that of `geo.fingerprint`, salted by the tenant: days of two tenants have
    nothing in common.
    """

    __tablename__ = "day_signs"
    __table_args__ = (
        Index("ix_day_signs_fingerprint", "fingerprint", postgresql_using="gin"),
        Index("ix_day_signs_on", "work_on"),
    )

    tenant_id: Mapped[TenantId]
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_on: Mapped[date] = mapped_column(primary_key=True)
    # Of duty: the fixes in between are what was looked at.
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    fingerprint: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    algorithm_version: Mapped[str]
    score: Mapped[float]
    evidence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    judged_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SignsDue(Base):
    """A person-day whose signs are to be looked for (again). Append-only queue."""

    __tablename__ = "signs_due"

    tenant_id: Mapped[TenantId]
    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    employee_id: Mapped[UUID]
    work_on: Mapped[date]
    queued_at: Mapped[CreatedAt]
