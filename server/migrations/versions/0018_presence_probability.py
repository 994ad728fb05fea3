"""How probable the state of each interval of presence is."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("presence_intervals", sa.Column("probability", sa.Float(), nullable=True))
    op.create_check_constraint(
        op.f("ck_presence_intervals_probability"),
        "presence_intervals",
        "probability BETWEEN 0 AND 1",
    )


def downgrade() -> None:
    """Revert."""
    op.drop_column("presence_intervals", "probability")
