"""Findings with their life, what they said before, and reviews by people."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime
from server.findings.rules import ChangeKind, FindingKind, FindingState, ReviewAction


class Finding(Base):
    """One conclusion about one span of one person-day.

    What a finding says (kind, span, state, evidence) is derived: the same facts give the
    same in whatever order they arrived. Under which `id` and `revision` it says so, and what
    was retracted on the way, is history: a finding whose span moves keeps its id, and the
    reviews with it.
    """

    __tablename__ = "findings"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        CheckConstraint("ends_at IS NULL OR ends_at >= starts_at", name="order"),
        Index("ix_findings_day", "tenant_id", "employee_id", "work_on"),
        Index("ix_findings_state", "tenant_id", "state", "kind", "starts_at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    kind: Mapped[FindingKind] = mapped_column(EnumText(FindingKind))
    state: Mapped[FindingState] = mapped_column(EnumText(FindingState))
    employee_id: Mapped[UUID]
    roster_entry_id: Mapped[UUID]
    post_id: Mapped[UUID | None]
    work_on: Mapped[date]
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Event time at which the facts sufficed, and the wall time at which we said so.
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    retracted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revision: Mapped[int] = mapped_column(server_default="1")
    evidence: Mapped[Json]


class FindingRevision(Base):
    """What a finding said until late data or the course of things changed it; never edited.

    `change` is what ended it, and `revision` the number under which it said so.
    """

    __tablename__ = "finding_revisions"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "finding_id"],
            ["findings.tenant_id", "findings.id"],
            ondelete="CASCADE",
        ),
    )

    tenant_id: Mapped[TenantId]
    finding_id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    change: Mapped[ChangeKind] = mapped_column(EnumText(ChangeKind))
    state: Mapped[FindingState] = mapped_column(EnumText(FindingState))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    evidence: Mapped[Json]
    replaced_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Review(Base):
    """A person's word on a finding; never edited."""

    __tablename__ = "reviews"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "finding_id"], ["findings.tenant_id", "findings.id"]),
        Index("ix_reviews_finding", "tenant_id", "finding_id", "at"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    finding_id: Mapped[UUID]
    action: Mapped[ReviewAction] = mapped_column(EnumText(ReviewAction))
    reason: Mapped[str]
    account_id: Mapped[UUID]
    account_name: Mapped[str]
    at: Mapped[CreatedAt]
