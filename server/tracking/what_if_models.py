"""Tables of trials: what is tried, which person-days still wait, which verdicts flip."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from geo.what_if import FlipKind
from server.db.base import Base
from server.db.types import EnumText, Id, Json, TenantId, UtcDateTime
from server.tracking.what_if_rules import RunState


class WhatIfRun(Base):
    """One trial of other rules on past days; kept for a day with its result."""

    __tablename__ = "what_if_runs"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "account_id"], ["accounts.tenant_id", "accounts.id"]),
        Index(
            "uq_what_if_runs_active",
            "tenant_id",
            "account_id",
            unique=True,
            postgresql_where=text("state IN ('waiting', 'running')"),
        ),
        Index("ix_what_if_runs_at", "tenant_id", "asked_at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    account_id: Mapped[UUID]
    account_name: Mapped[str]
    state: Mapped[RunState] = mapped_column(EnumText(RunState))
    trial: Mapped[Json]
    # None for everybody the account may judge.
    unit_id: Mapped[UUID | None]
    first_on: Mapped[date]
    last_on: Mapped[date]
    # Raised by every process that takes it, so that one given up cannot go on behind another.
    attempt: Mapped[int] = mapped_column(server_default="0")
    people: Mapped[int]
    days_total: Mapped[int]
    days_done: Mapped[int] = mapped_column(server_default="0")
    # Days that could not be judged.
    days_failed: Mapped[int] = mapped_column(server_default="0")
    days_flipped: Mapped[int] = mapped_column(server_default="0")
    counts: Mapped[Json] = mapped_column(server_default=text("'{}'"))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    touched_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class WhatIfDay(Base):
    """One person-day that a run has still to judge."""

    __tablename__ = "what_if_days"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["what_if_runs.tenant_id", "what_if_runs.id"],
            ondelete="CASCADE",
        ),
    )  # fmt: skip

    tenant_id: Mapped[TenantId]
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_on: Mapped[date] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)


class WhatIfFlip(Base):
    """One absence that would be judged otherwise; seconds are those observed outside."""

    __tablename__ = "what_if_flips"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "run_id"], ["what_if_runs.tenant_id", "what_if_runs.id"],
            ondelete="CASCADE",
        ),
    )  # fmt: skip

    tenant_id: Mapped[TenantId]
    run_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_on: Mapped[date] = mapped_column(primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    post_id: Mapped[UUID | None]
    kind: Mapped[FlipKind] = mapped_column(EnumText(FlipKind))
    before_s: Mapped[float]
    after_s: Mapped[float]
    margin_before_m: Mapped[float | None]
    margin_after_m: Mapped[float | None]
