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
    # Decisions taken before this rule stand as they were taken.
    op.execute(
        "ALTER TABLE travel_claims ADD CONSTRAINT ck_travel_claims_other_brought"
        " CHECK (decided_by IS NULL OR created_by IS NULL OR decided_by <> created_by) NOT VALID"
    )


def downgrade() -> None:
    """Revert."""
    op.drop_constraint(op.f("ck_travel_claims_other_brought"), "travel_claims")
    op.drop_column("travel_claims", "brought_reason")
