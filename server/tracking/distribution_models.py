"""Where people were, minute by minute, in the form a whole company is counted from."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, SmallInteger
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.types import TenantId, UtcDateTime


class WhereaboutsRow(Base):
    """One person's hour on duty as runs; derived, replaced with the person-day it is of.

    Run `i` begins at minute `minutes[i]` of the hour and lasts until the next begins: the
    H3 cell (resolution 12) of the newest credible fix at that minute, 0 for none yet, and
    the status as `server.tracking.whereabouts.STATUS_CODES` numbers it. Code 0 ends what is
    known. Minutes off duty have no run.
    """

    __tablename__ = "whereabouts"
    __table_args__ = (
        CheckConstraint(
            "cardinality(minutes) = cardinality(cells)"
            " AND cardinality(minutes) = cardinality(statuses)",
            name="runs",
        ),
        Index("ix_whereabouts_day", "tenant_id", "employee_id", "work_on"),
    )

    tenant_id: Mapped[TenantId]
    hour_at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    employee_id: Mapped[UUID] = mapped_column(primary_key=True)
    work_on: Mapped[date] = mapped_column(primary_key=True)
    minutes: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    cells: Mapped[list[int]] = mapped_column(ARRAY(BigInteger))
    statuses: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
