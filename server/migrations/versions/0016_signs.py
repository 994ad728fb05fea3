"""Signs that positions were not measured where they say, and days to compare."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "day_signs": {"engine": "SELECT, INSERT, UPDATE, DELETE"},
    "signs_due": {"engine": "SELECT, INSERT, UPDATE, DELETE"},
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "day_signs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fingerprint", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("algorithm_version", sa.String(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("judged_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "employee_id", "work_on", name=op.f("pk_day_signs")),
    )
    op.create_index(
        "ix_day_signs_fingerprint", "day_signs", ["fingerprint"], postgresql_using="gin"
    )
    op.create_index("ix_day_signs_on", "day_signs", ["work_on"])
    op.create_table(
        "signs_due",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column(
            "queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_signs_due")),
    )
    # Who else was at a post on a day.
    op.create_index(
        "ix_roster_entries_post", "roster_entries", ["tenant_id", "post_id", "on_date"]
    )
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_roster_entries_post", "roster_entries")
    op.drop_table("signs_due")
    op.drop_table("day_signs")
