"""Which radio cells and access points phones reported, beside their fixes or without one."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, LargeBinary, SmallInteger, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import EnumText, TenantId, UtcDateTime
from server.tracking.models import Via


class CrossCheck(StrEnum):
    """Whether a position can be true where the phone heard these cells."""

    PLAUSIBLE = "plausible"
    STRAINED = "strained"
    IMPOSSIBLE = "impossible"


class RadioReport(Base):
    """One scan of a phone's surroundings; partitioned by week of `fixed_at`, kept like fixes.

    With a fix of the same message the key is the fix's own; without one the resolver may
    insert a fix under this key later. Append-only for the phones' part; `resolved_*`,
    `tried_*` and `check*` belong to those who work on it.

    `cells` is a list of objects `{radio, mcc, mnc, area, cell, signal_dbm, timing_advance,
    serving, unit, age_s}`, what is unknown left out; meanings as in `ingest.wire.Cell`.
    `wifi` is a list of `{mac, signal_dbm}`, `dropped` counts what was left out, by reason.
    """

    __tablename__ = "radio_reports"
    __table_args__ = (
        Index(
            "ix_radio_reports_unresolved",
            text("fixed_at DESC"),
            postgresql_where=text("resolved_at IS NULL AND NOT has_fix"),
        ),
        Index(
            "ix_radio_reports_untried",
            text("fixed_at DESC"),
            postgresql_where=text("tried_at IS NULL AND resolved_at IS NULL AND NOT has_fix"),
        ),
        Index(
            "ix_radio_reports_unchecked",
            text("fixed_at DESC"),
            postgresql_where=text("checked_at IS NULL AND has_fix"),
        ),
        {"postgresql_partition_by": "RANGE (fixed_at)"},
    )

    tenant_id: Mapped[TenantId]
    device_id: Mapped[UUID] = mapped_column(primary_key=True)
    fixed_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    msg_key: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    employee_id: Mapped[UUID]
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    cells: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    wifi: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    dropped: Mapped[dict[str, int] | None] = mapped_column(JSONB)
    has_fix: Mapped[bool]
    battery_pct: Mapped[int | None] = mapped_column(SmallInteger)
    flags: Mapped[int] = mapped_column(server_default="0")
    via: Mapped[Via] = mapped_column(EnumText(Via))
    # Null where a row of fixes keeps the message.
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    resolved_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # `cells`, `learned` or `carrier:<name>`.
    resolved_by: Mapped[str | None]
    # The last attempt that found nothing, and the version of the cell tables it asked.
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    tried_version: Mapped[int | None] = mapped_column(BigInteger)
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # Null also when it was looked at and the cells are unknown.
    check: Mapped[CrossCheck | None] = mapped_column(EnumText(CrossCheck))
    check_detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
