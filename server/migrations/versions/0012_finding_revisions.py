"""What findings said before they changed; posts that leave their grace to the policy."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0012"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS = {"app": "SELECT", "engine": "SELECT, INSERT"}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "finding_revisions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "finding_id"],
            ["findings.tenant_id", "findings.id"],
            name=op.f("fk_finding_revisions_tenant_id_finding_id_findings"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "finding_id", "revision", name=op.f("pk_finding_revisions")
        ),
    )
    walls = wall_statements("finding_revisions")
    for statement in walls + grant_statements("finding_revisions", **_RIGHTS):
        op.execute(statement)
    op.alter_column("post_versions", "grace_s", nullable=True, server_default=None)


def downgrade() -> None:
    """Revert; posts that followed the policy get the grace that was the default."""
    op.execute("UPDATE post_versions SET grace_s = 600 WHERE grace_s IS NULL")
    op.alter_column("post_versions", "grace_s", nullable=False, server_default="600")
    op.drop_table("finding_revisions")
