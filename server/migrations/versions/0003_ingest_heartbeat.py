"""The last proof that ingest stores what the broker gives it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "ingest_heartbeat",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lag_s", sa.Double(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("broker_dropped", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_ingest_heartbeat_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ingest_heartbeat")),
    )
    op.execute("GRANT SELECT ON ingest_heartbeat TO outpost_app, outpost_engine")
    op.execute("GRANT SELECT, INSERT, UPDATE ON ingest_heartbeat TO outpost_ingest")


def downgrade() -> None:
    """Revert."""
    op.drop_table("ingest_heartbeat")
