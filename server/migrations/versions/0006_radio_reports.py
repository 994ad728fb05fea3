"""Which radio cells a phone reported, beside its fixes."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_JSON = postgresql.JSONB(astext_type=sa.Text())
_RIGHTS = {"app": "SELECT", "ingest": "SELECT, INSERT, UPDATE", "engine": "SELECT, UPDATE"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "radio_reports",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("msg_key", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cells", _JSON, nullable=False),
        sa.Column("wifi", _JSON, nullable=False),
        sa.Column("dropped", _JSON, nullable=True),
        sa.Column("has_fix", sa.Boolean(), nullable=False),
        sa.Column("battery_pct", sa.SmallInteger(), nullable=True),
        sa.Column("flags", sa.Integer(), server_default="0", nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.String(), nullable=True),
        sa.Column("tried_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("tried_version", sa.BigInteger(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("check", sa.Text(), nullable=True),
        sa.Column("check_detail", _JSON, nullable=True),
        sa.PrimaryKeyConstraint(
            "tenant_id", "device_id", "fixed_at", "msg_key", name=op.f("pk_radio_reports")
        ),
        postgresql_partition_by="RANGE (fixed_at)",
    )
    op.create_index(
        "ix_radio_reports_unresolved",
        "radio_reports",
        [sa.literal_column("fixed_at DESC")],
        postgresql_where=sa.text("resolved_at IS NULL AND NOT has_fix"),
    )
    op.create_index(
        "ix_radio_reports_unchecked",
        "radio_reports",
        [sa.literal_column("fixed_at DESC")],
        postgresql_where=sa.text("checked_at IS NULL AND has_fix"),
    )
    op.execute("CREATE TABLE radio_reports_default PARTITION OF radio_reports DEFAULT")
    for statement in wall_statements("radio_reports") + grant_statements(
        "radio_reports", **_RIGHTS
    ):
        op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_radio_reports_unchecked", table_name="radio_reports")
    op.drop_index("ix_radio_reports_unresolved", table_name="radio_reports")
    op.drop_table("radio_reports")
