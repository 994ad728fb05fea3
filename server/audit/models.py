"""Append-only records of looks and of security events."""

from datetime import date
from enum import StrEnum
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId


class Purpose(StrEnum):
    """Why a location was read; each read path declares one."""

    LIVE_SUPERVISION = "live_supervision"
    DAY_REVIEW = "day_review"
    ALERT_REVIEW = "alert_review"
    VISIT_REVIEW = "visit_review"
    CLAIM_REVIEW = "claim_review"
    EXPORT = "export"
    OWN_DATA = "own_data"
    DEVICE_SUPPORT = "device_support"
    LOCATE_NOW = "locate_now"
    POLICY_TRIAL = "policy_trial"


class AccessEntry(Base):
    """One look of one account at one employee's location; visible to that employee."""

    __tablename__ = "access_log"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "subject_id"], ["employees.tenant_id", "employees.id"]),
        Index("ix_access_log_subject", "tenant_id", "subject_id", "at"),
        Index("ix_access_log_actor", "tenant_id", "actor_id", "at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    at: Mapped[CreatedAt]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    subject_id: Mapped[UUID]
    purpose: Mapped[Purpose] = mapped_column(EnumText(Purpose))
    view: Mapped[str]
    about_on: Mapped[date | None]
    reason: Mapped[str | None]


class SecurityEvent(Base):
    """A sign-in, refusal, enrolment, revocation or change of rights."""

    __tablename__ = "security_events"
    __table_args__ = (
        Index("ix_security_events_at", "tenant_id", "at"),
        Index("ix_security_events_subject", "tenant_id", "subject", "at"),
    )

    # The engine and ingest may write events and read none, so nothing is asked back.
    __mapper_args__ = {"eager_defaults": False}  # noqa: RUF012  # read once by the mapper

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    at: Mapped[CreatedAt]
    actor_id: Mapped[UUID | None]
    kind: Mapped[str]
    subject: Mapped[str | None]
    detail: Mapped[Json] = mapped_column(default=dict)


class AggregateLook(Base):
    """One look of one account at how many people were where; names nobody."""

    __tablename__ = "aggregate_looks"
    __table_args__ = (Index("ix_aggregate_looks_actor", "tenant_id", "actor_id", "at"),)

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    at: Mapped[CreatedAt]
    actor_id: Mapped[UUID | None]
    actor_name: Mapped[str]
    purpose: Mapped[Purpose] = mapped_column(EnumText(Purpose))
    view: Mapped[str]
    about_on: Mapped[date]
    # What was counted: `own`, a unit's id, or `company`.
    reach: Mapped[str]
    # How many people the counts were of; 0 where only rounded counts were shown.
    people: Mapped[int]
