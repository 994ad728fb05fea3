"""Tables of travel claims and of what was concluded of them."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Numeric, text
from sqlalchemy.orm import Mapped, mapped_column

from server.claims.rules import ClaimState, ClaimVerdict
from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime

MONEY = Numeric(14, 2)


class TravelClaim(Base):
    """What somebody claims of a journey, and where it stands.

    `document` is the claim as CLAIM.json has it and stays as it was handed in. `version`
    counts what people did to it; whoever acts names the one they saw. `check_version` is the
    newest of its checks, `decided_check` the one that the decision saw: when it is older,
    late data has amended the verdict since. `due_at` is when to check next, null when the
    newest check holds; `taken_until` is the lease of whoever checks it now. `roads_missed_at`
    is since when no roads answered, null when they did or none were asked. `brought_reason` is
    why `created_by` brought it for somebody else.
    """

    __tablename__ = "travel_claims"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        CheckConstraint("last_on >= first_on", name="order"),
        CheckConstraint("decider_id IS NULL OR decider_id <> employee_id", name="other_decides"),
        CheckConstraint(
            "brought_reason IS NULL OR decided_by IS NULL OR decided_by <> created_by",
            name="other_brought",
        ),
        CheckConstraint(
            "(decided_at IS NOT NULL) = (state IN ('approved', 'reduced', 'returned'))",
            name="decided",
        ),
        Index("ix_travel_claims_employee", "tenant_id", "employee_id", "first_on"),
        Index("ix_travel_claims_state", "tenant_id", "state", "first_on"),
        Index("ix_travel_claims_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index(
            "ix_travel_claims_taken",
            "taken_until",
            postgresql_where=text("taken_until IS NOT NULL"),
        ),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    reference: Mapped[str | None]
    state: Mapped[ClaimState] = mapped_column(EnumText(ClaimState))
    document: Mapped[Json]
    first_on: Mapped[date]
    last_on: Mapped[date]
    currency: Mapped[str]
    claimed_amount: Mapped[Decimal] = mapped_column(MONEY)
    explanation: Mapped[str | None]
    version: Mapped[int] = mapped_column(server_default="1")
    created_by: Mapped[UUID | None]
    brought_reason: Mapped[str | None]
    created_at: Mapped[CreatedAt]
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    taken_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    roads_missed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    check_version: Mapped[int] = mapped_column(server_default="0")
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    decided_by: Mapped[UUID | None]
    decider_id: Mapped[UUID | None]
    decider_name: Mapped[str | None]
    decision_reason: Mapped[str | None]
    decided_check: Mapped[int | None]
    approved_amount: Mapped[Decimal | None] = mapped_column(MONEY)


class ClaimCheck(Base):
    """What was concluded of a claim from what was known then; never edited.

    `lines` holds a document a line: verdict, quantities and amounts as decimals in quotes,
    reasons and evidence. `digest` is the SHA-256 of their canonical bytes.
    """

    __tablename__ = "claim_checks"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "claim_id"],
            ["travel_claims.tenant_id", "travel_claims.id"],
            ondelete="CASCADE",
        ),
        CheckConstraint("version > 0", name="version"),
    )

    tenant_id: Mapped[TenantId]
    claim_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[ClaimVerdict] = mapped_column(EnumText(ClaimVerdict))
    lines: Mapped[Json]
    digest: Mapped[str]
    suggested_amount: Mapped[Decimal] = mapped_column(MONEY)
    at_stake: Mapped[Decimal] = mapped_column(MONEY)
    checked_at: Mapped[datetime] = mapped_column(UtcDateTime)
