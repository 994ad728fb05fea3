"""The last sign that an engine worker goes round its loop."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "engine_heartbeat",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("beat_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_engine_heartbeat_single")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_heartbeat")),
    )
    op.execute("GRANT SELECT ON engine_heartbeat TO outpost_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON engine_heartbeat TO outpost_engine")


def downgrade() -> None:
    """Revert."""
    op.drop_table("engine_heartbeat")
