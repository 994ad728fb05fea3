"""The datum of each source of a device, when its positions arrive, what cell tables hold."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0017"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "devices",
        sa.Column(
            "source_datums",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
    )
    op.add_column(
        "devices", sa.Column("datum_stated_at", sa.DateTime(timezone=True), nullable=True)
    )
    op.create_index(
        "ix_security_events_subject", "security_events", ["tenant_id", "subject", "at"]
    )
    for name in ("arrived_at", "late_at"):
        op.add_column("device_health", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "cell_sources",
        sa.Column("networks", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    )
    op.add_column("cell_sources", sa.Column("imported_by", sa.String(), nullable=True))
    op.create_table(
        "cell_waits",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("network", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("cells", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "network", "reason", name=op.f("pk_cell_waits")),
    )
    for statement in wall_statements("cell_waits") + grant_statements(
        "cell_waits", app="SELECT", engine="SELECT, INSERT, UPDATE, DELETE"
    ):
        op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("cell_waits")
    for name in ("imported_by", "networks"):
        op.drop_column("cell_sources", name)
    for name in ("late_at", "arrived_at"):
        op.drop_column("device_health", name)
    op.drop_index("ix_security_events_subject", table_name="security_events")
    for name in ("datum_stated_at", "source_datums"):
        op.drop_column("devices", name)
