"""Why somebody brought a claim for another, and that they do not decide it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0019"
down_revision: str | None = "0018"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column("travel_claims", sa.Column("brought_reason", sa.String(), nullable=True))
    # Claims that were decided before this rule have no reason, and stand as they were decided.
    op.create_check_constraint(
        op.f("ck_travel_claims_other_brought"),
        "travel_claims",
        "brought_reason IS NULL OR decided_by IS NULL OR decided_by <> created_by",
    )


def downgrade() -> None:
    """Revert."""
    op.drop_constraint(op.f("ck_travel_claims_other_brought"), "travel_claims")
    op.drop_column("travel_claims", "brought_reason")
