"""Tables of radio cells: imported ones belong to everybody, learned ones to their tenant."""

from datetime import datetime
from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    Identity,
    Index,
    Integer,
    SmallInteger,
    Table,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, REAL
from sqlalchemy.orm import Mapped, mapped_column

from geo.crs import Datum
from server.db.base import Base
from server.db.types import EnumText, TenantId, UtcDateTime

_ON_EARTH = "lon_deg BETWEEN -180 AND 180 AND lat_deg BETWEEN -90 AND 90"


class CellSource(Base):
    """A table of cells from outside, as last imported; a public fact, without a tenant."""

    __tablename__ = "cell_sources"

    id: Mapped[int] = mapped_column(SmallInteger, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    datum: Mapped[Datum] = mapped_column(EnumText(Datum))
    file: Mapped[str]
    imported_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # Part of the name of the partition that holds the rows; grows with every replacement.
    imports: Mapped[int] = mapped_column(server_default="0")
    cells: Mapped[int] = mapped_column(BigInteger, server_default="0")
    areas: Mapped[int] = mapped_column(server_default="0")
    # Rows of the last file that were left out, by reason.
    rejected: Mapped[dict[str, int]] = mapped_column(JSONB, server_default=text("'{}'"))
    # Cells and areas by network code, see `geo.cell_identity`; null before anybody counted.
    networks: Mapped[dict[str, list[int]] | None] = mapped_column(JSONB)
    # Who imported it, as the command was told; the command line knows no accounts.
    imported_by: Mapped[str | None]


# One cell of one source; a partition a source, replaced as a whole by an import. `network` is
# the radio with MCC and MNC in one number, see `geo.cell_identity`. A source may say two things
# of one cell, and whoever looks it up hears both: the table has no key, and so no mapped class.
CELLS: Final = Table(
    "cells",
    Base.metadata,
    Column("network", Integer, nullable=False),
    Column("cell", BigInteger, nullable=False),
    Column("area", Integer, nullable=False),
    Column("source_id", SmallInteger, nullable=False),
    Column("lon_deg", Float, nullable=False),
    Column("lat_deg", Float, nullable=False),
    Column("range_m", REAL),
    Column("samples", Integer, nullable=False),
    Column("is_exact", Boolean, nullable=False),
    Column("updated_at", UtcDateTime),
    CheckConstraint(_ON_EARTH, name="position"),
    Index("ix_cells_name", "cell", "network", "area"),
    postgresql_partition_by="LIST (source_id)",
)


class CellAreaRow(Base):
    """The middle and the extent of all cells of one location area of one source."""

    __tablename__ = "cell_areas"

    network: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    area: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    lon_deg: Mapped[float]
    lat_deg: Mapped[float]
    radius_m: Mapped[float]
    cells: Mapped[int]


class LearnedCell(Base):
    """A cell as a tenant's own phones met it, enough of them on enough days.

    Nothing of a single person is in a row: no device, no time of day, and a position that
    no one phone decides.
    """

    __tablename__ = "learned_cells"
    __table_args__ = (CheckConstraint(_ON_EARTH, name="position"),)

    tenant_id: Mapped[TenantId]
    network: Mapped[int] = mapped_column(primary_key=True)
    cell: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    area: Mapped[int] = mapped_column(primary_key=True)
    lon_deg: Mapped[float]
    lat_deg: Mapped[float]
    range_m: Mapped[float]
    samples: Mapped[int]
    devices: Mapped[int]
    days: Mapped[int]
    first_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    learned_at: Mapped[datetime] = mapped_column(UtcDateTime)


class CellWait(Base):
    """How many cells of a network a tenant's phones met and could not teach yet, and why."""

    __tablename__ = "cell_waits"

    tenant_id: Mapped[TenantId]
    network: Mapped[int] = mapped_column(primary_key=True)
    reason: Mapped[str] = mapped_column(primary_key=True)
    cells: Mapped[int]
    counted_at: Mapped[datetime] = mapped_column(UtcDateTime)
