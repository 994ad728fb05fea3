"""Where radio cells stand: imported tables and what the fleet taught; the datum of a device."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_ON_EARTH = "lon_deg BETWEEN -180 AND 180 AND lat_deg BETWEEN -90 AND 90"
_READ = {"app": "SELECT", "ingest": "SELECT", "engine": "SELECT"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "cell_sources",
        sa.Column("id", sa.SmallInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("datum", sa.Text(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imports", sa.Integer(), server_default="0", nullable=False),
        sa.Column("cells", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("areas", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "rejected",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cell_sources")),
        sa.UniqueConstraint("name", name=op.f("uq_cell_sources_name")),
    )
    op.create_table(
        "cells",
        sa.Column("network", sa.Integer(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.SmallInteger(), nullable=False),
        sa.Column("lon_deg", sa.Float(), nullable=False),
        sa.Column("lat_deg", sa.Float(), nullable=False),
        sa.Column("range_m", sa.REAL(), nullable=True),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("is_exact", sa.Boolean(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(_ON_EARTH, name=op.f("ck_cells_position")),
        postgresql_partition_by="LIST (source_id)",
    )
    op.create_index("ix_cells_name", "cells", ["cell", "network", "area"])
    op.create_table(
        "cell_areas",
        sa.Column("network", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("area", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("lon_deg", sa.Float(), nullable=False),
        sa.Column("lat_deg", sa.Float(), nullable=False),
        sa.Column("radius_m", sa.Float(), nullable=False),
        sa.Column("cells", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("network", "area", "source_id", name=op.f("pk_cell_areas")),
    )
    op.create_table(
        "learned_cells",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("network", sa.Integer(), nullable=False),
        sa.Column("cell", sa.BigInteger(), nullable=False),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("lon_deg", sa.Float(), nullable=False),
        sa.Column("lat_deg", sa.Float(), nullable=False),
        sa.Column("range_m", sa.Float(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("devices", sa.Integer(), nullable=False),
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("learned_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(_ON_EARTH, name=op.f("ck_learned_cells_position")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "network", "cell", "area", name=op.f("pk_learned_cells")
        ),
    )
    # Public tables hold nothing of any tenant and are written by the owner's import alone.
    for table in ("cell_sources", "cells", "cell_areas"):
        for statement in grant_statements(table, **_READ):
            op.execute(statement)
    rights = {"app": "SELECT", "engine": "SELECT, INSERT, UPDATE, DELETE"}
    for statement in wall_statements("learned_cells") + grant_statements("learned_cells", **rights):
        op.execute(statement)
    op.add_column(
        "devices", sa.Column("datum", sa.Text(), server_default="wgs84", nullable=False)
    )
    op.create_check_constraint(
        op.f("ck_devices_datum"), "devices", "datum IN ('wgs84', 'gcj02', 'bd09')"
    )
    op.add_column(
        "device_health",
        sa.Column("datum_check", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )


def downgrade() -> None:
    """Revert."""
    op.drop_column("device_health", "datum_check")
    op.drop_constraint(op.f("ck_devices_datum"), "devices", type_="check")
    op.drop_column("devices", "datum")
    for table in ("learned_cells", "cell_areas", "cells", "cell_sources"):
        op.drop_table(table)
