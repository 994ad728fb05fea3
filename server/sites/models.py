"""Tables of customer places."""

from datetime import datetime
from uuid import UUID

from geoalchemy2 import WKBElement
from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from server.db.base import Base
from server.db.geometry import on_earth_sql
from server.db.types import CreatedAt, Id, TenantId, UtcDateTime, point_column
from server.sites.rules import DEFAULT_RADIUS_M, MAX_RADIUS_M, MIN_RADIUS_M


class Site(Base):
    """A customer place to visit.

    `position` is null as long as nobody knows where it is: an address is no position.
    """

    __tablename__ = "sites"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "unit_id"], ["units.tenant_id", "units.id"]),
        UniqueConstraint("tenant_id", "number"),
        CheckConstraint(f"radius_m BETWEEN {MIN_RADIUS_M:g} AND {MAX_RADIUS_M:g}", name="radius"),
        CheckConstraint(on_earth_sql("position"), name="position"),
        Index("ix_sites_unit", "tenant_id", "unit_id"),
        Index("ix_sites_position", "position", postgresql_using="gist"),
    )

    tenant_id: Mapped[TenantId]
    id: Mapped[Id]
    number: Mapped[str]
    name: Mapped[str]
    unit_id: Mapped[UUID]
    address: Mapped[str | None]
    position: Mapped[WKBElement | None] = mapped_column(point_column())
    radius_m: Mapped[float] = mapped_column(server_default=f"{DEFAULT_RADIUS_M:g}")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    created_by: Mapped[UUID | None]
    created_at: Mapped[CreatedAt]
    changed_by: Mapped[UUID | None]
    changed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
