"""Tables of planned visits, verdicts on them, and pins that may be wrong."""

from datetime import date, datetime
from uuid import UUID

from geoalchemy2 import WKBElement
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.geometry import on_earth_sql
from server.db.types import CreatedAt, EnumText, Id, Json, TenantId, UtcDateTime, point_column
from server.visits.rules import PinState, VisitType, VisitVerdict


class PlannedVisit(Base):
    """A visit that somebody was to make, and where its judgement stands.

    `on_date` is the local date, in the tenant's zone, on which the window starts; whose
    visits of one date are judged together. `pin` is the site's position as it was when the
    visit was first judged: a customer who moves house makes nobody's past visit wrong.
    `due_at` is when to judge it next, null when the newest verdict holds. `excusal_id`
    excuses the window, `way_excusal_id` the verified stay with the way there and from it.
    """

    __tablename__ = "planned_visits"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "employee_id"], ["employees.tenant_id", "employees.id"]),
        ForeignKeyConstraint(["tenant_id", "site_id"], ["sites.tenant_id", "sites.id"]),
        CheckConstraint("ends_at > starts_at", name="order"),
        CheckConstraint(on_earth_sql("pin"), name="pin"),
        Index("ix_planned_visits_employee", "tenant_id", "employee_id", "on_date"),
        Index("ix_planned_visits_site", "tenant_id", "site_id", "on_date"),
        Index("ix_planned_visits_date", "tenant_id", "on_date"),
        Index("ix_planned_visits_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    employee_id: Mapped[UUID]
    site_id: Mapped[UUID]
    kind: Mapped[VisitType] = mapped_column(EnumText(VisitType))
    on_date: Mapped[date]
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    group_id: Mapped[UUID | None]
    note: Mapped[str | None]
    excusal_id: Mapped[UUID | None]
    way_excusal_id: Mapped[UUID | None]
    pin: Mapped[WKBElement | None] = mapped_column(point_column())
    pin_radius_m: Mapped[float | None]
    version: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    cancelled_by: Mapped[UUID | None]
    cancelled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class VerdictVersion(Base):
    """What was concluded of a visit from what was known then; never edited.

    `digest` is the SHA-256 of the evidence document's canonical bytes. `place` is where the
    person stayed, for judging the pin; it goes with the positions after 30 days.
    """

    __tablename__ = "visit_verdicts"
    __table_args__ = (
        ForeignKeyConstraint(
            ["tenant_id", "visit_id"], ["planned_visits.tenant_id", "planned_visits.id"]
        ),
        CheckConstraint("version > 0", name="version"),
    )

    tenant_id: Mapped[TenantId]
    visit_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    verdict: Mapped[VisitVerdict] = mapped_column(EnumText(VisitVerdict))
    arrived_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dwell_s: Mapped[float]
    nearest_m: Mapped[float | None]
    evidence: Mapped[Json]
    digest: Mapped[str]
    place: Mapped[WKBElement | None] = mapped_column(point_column())
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PinProposal(Base):
    """That a site's pin is wrong, on the word of several people's stays; at most one is open."""

    __tablename__ = "pin_proposals"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "site_id"], ["sites.tenant_id", "sites.id"]),
        CheckConstraint(on_earth_sql("place"), name="place"),
        Index(
            "ix_pin_proposals_open",
            "tenant_id",
            "site_id",
            unique=True,
            postgresql_where=text("state = 'open'"),
        ),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    site_id: Mapped[UUID]
    state: Mapped[PinState] = mapped_column(EnumText(PinState))
    place: Mapped[WKBElement] = mapped_column(point_column())
    evidence: Mapped[Json]
    digest: Mapped[str]
    proposed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_by: Mapped[UUID | None]
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
