"""Tables of locate-now: who asked where somebody is, and the commands that wait for phones."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import CreatedAt, EnumText, Id, TenantId, UtcDateTime
from server.tracking.locate_rules import AnsweredBy, LocatePurpose, LocateState, PhoneAction


class LocateRequest(Base):
    """One question where one person is now; kept with its purpose, for that person to read."""

    __tablename__ = "locate_requests"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        ForeignKeyConstraint(["tenant_id", "asker_id"], ["accounts.tenant_id", "accounts.id"]),
        Index("ix_locate_requests_subject", "tenant_id", "employee_id", "asked_at"),
        Index("ix_locate_requests_asker", "tenant_id", "asker_id", "asked_at"),
        Index(
            "ix_locate_requests_open",
            "due_at",
            postgresql_where=text("state IN ('asked', 'carrier', 'sent')"),
        ),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    asker_id: Mapped[UUID]
    asker_name: Mapped[str]
    purpose: Mapped[LocatePurpose] = mapped_column(EnumText(LocatePurpose))
    reason: Mapped[str | None]
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Until then the phone is waited for; then others are asked.
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    state: Mapped[LocateState] = mapped_column(EnumText(LocateState))
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by: Mapped[AnsweredBy | None] = mapped_column(EnumText(AnsweredBy))
    # Why nobody may be asked, or why nothing was found.
    refusal: Mapped[str | None]
    # The fix that answers, when it is one of ours.
    device_id: Mapped[UUID | None]
    fixed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    msg_key: Mapped[int | None] = mapped_column(BigInteger)
    # Position, accuracy, source; erased with the positions of its time.
    answer: Mapped[dict[str, object] | None] = mapped_column(JSONB)
    # What was tried, in order, and how it went.
    steps: Mapped[list[dict[str, str]]] = mapped_column(JSONB, default=list)


class PhoneCommand(Base):
    """A command for one phone that waits to be published; gone once it is out or too old."""

    __tablename__ = "phone_commands"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "device_id"], ["devices.tenant_id", "devices.id"]),
        ForeignKeyConstraint(
            ["tenant_id", "request_id"],
            ["locate_requests.tenant_id", "locate_requests.id"],
            ondelete="CASCADE",
        ),
        Index(
            "ix_phone_commands_waiting",
            "created_at",
            postgresql_where=text("published_at IS NULL"),
        ),
        Index("ix_phone_commands_request", "tenant_id", "request_id"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    request_id: Mapped[UUID]
    device_id: Mapped[UUID]
    action: Mapped[PhoneAction] = mapped_column(EnumText(PhoneAction))
    created_at: Mapped[CreatedAt]
    # A phone that hears it later would report what nobody waits for any more.
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
