"""Who was where at a minute in the past, and the maps of a tenant."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "whereabouts": {"app": "SELECT", "engine": "SELECT, INSERT, UPDATE, DELETE"},
    "aggregate_looks": {"app": "SELECT, INSERT", "engine": "SELECT"},
    "tenant_basemaps": {"app": "SELECT, INSERT, UPDATE, DELETE"},
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "whereabouts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("hour_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("minutes", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("cells", postgresql.ARRAY(sa.BigInteger()), nullable=False),
        sa.Column("statuses", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.CheckConstraint(
            "cardinality(minutes) = cardinality(cells)"
            " AND cardinality(minutes) = cardinality(statuses)",
            name=op.f("ck_whereabouts_runs"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "hour_at", "employee_id", "work_on", name=op.f("pk_whereabouts")
        ),
    )
    op.create_index("ix_whereabouts_day", "whereabouts", ["tenant_id", "employee_id", "work_on"])
    # The row of the running hour is written again every few minutes: room beside it keeps
    # the new version on its page and out of the indexes.
    op.execute("ALTER TABLE whereabouts SET (fillfactor = 70)")
    op.create_table(
        "aggregate_looks",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("view", sa.String(), nullable=False),
        sa.Column("about_on", sa.Date(), nullable=False),
        sa.Column("reach", sa.String(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_aggregate_looks")),
    )
    op.create_index("ix_aggregate_looks_actor", "aggregate_looks", ["tenant_id", "actor_id", "at"])
    op.create_table(
        "tenant_basemaps",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("dark_address", sa.String(), nullable=True),
        sa.Column("access_key", sa.String(), nullable=True),
        sa.Column("attribution", sa.String(), nullable=True),
        sa.Column("hosts", postgresql.ARRAY(sa.String()), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_tenant_basemaps_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_tenant_basemaps")),
    )
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("tenant_basemaps")
    op.drop_table("aggregate_looks")
    op.drop_table("whereabouts")
