"""When the engine has to look at a person again, and the order of its queue."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    # The rows are the engine's own picture of this moment; it draws a new one at once.
    op.execute("DELETE FROM presence_now")
    op.add_column("presence_now", sa.Column("work_on", sa.Date(), nullable=False))
    op.add_column("presence_now", sa.Column("due_at", sa.DateTime(timezone=True), nullable=False))
    op.create_index("ix_presence_now_due", "presence_now", ["due_at"])
    op.create_index(
        "ix_touched_days_order", "touched_days", [sa.literal_column("work_on DESC"), "id"]
    )


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_touched_days_order", table_name="touched_days")
    op.drop_index("ix_presence_now_due", table_name="presence_now")
    op.drop_column("presence_now", "due_at")
    op.drop_column("presence_now", "work_on")
