"""Claims are judged under a lease, with no transaction open, because roads may be asked."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_NAMES = ("taken_until", "roads_missed_at")


def upgrade() -> None:
    """Apply."""
    for name in _NAMES:
        op.add_column("travel_claims", sa.Column(name, sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_travel_claims_taken",
        "travel_claims",
        ["taken_until"],
        postgresql_where=sa.text("taken_until IS NOT NULL"),
    )


def downgrade() -> None:
    """Revert."""
    for name in _NAMES:
        op.drop_column("travel_claims", name)
