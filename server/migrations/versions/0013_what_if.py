"""Policies and fences are tried before they are saved, and say why they were."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "what_if_runs": {"app": "SELECT, INSERT, UPDATE", "engine": "SELECT, UPDATE"},
    "what_if_days": {"app": "SELECT, INSERT, DELETE", "engine": "SELECT, DELETE"},
    "what_if_flips": {"app": "SELECT, DELETE", "engine": "SELECT, INSERT"},
}


def upgrade() -> None:
    """Apply."""
    for table in ("policies", "post_versions"):
        op.add_column(table, sa.Column("note", sa.String(), nullable=True))
        op.add_column(
            table, sa.Column("trial", postgresql.JSONB(astext_type=sa.Text()), nullable=True)
        )
    _create_runs()
    _create_days_and_flips()
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("what_if_flips")
    op.drop_table("what_if_days")
    op.drop_table("what_if_runs")
    for table in ("policies", "post_versions"):
        op.drop_column(table, "trial")
        op.drop_column(table, "note")


def _create_runs() -> None:
    op.create_table(
        "what_if_runs",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("trial", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=True),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("days_total", sa.Integer(), nullable=False),
        sa.Column("days_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("days_failed", sa.Integer(), server_default="0", nullable=False),
        sa.Column("days_flipped", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_what_if_runs_tenant_id_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_what_if_runs")),
    )
    op.create_index("ix_what_if_runs_at", "what_if_runs", ["tenant_id", "asked_at"])
    op.create_index(
        "uq_what_if_runs_active",
        "what_if_runs",
        ["tenant_id", "account_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('waiting', 'running')"),
    )


def _create_days_and_flips() -> None:
    op.create_table(
        "what_if_days",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["what_if_runs.tenant_id", "what_if_runs.id"],
            name=op.f("fk_what_if_days_tenant_id_run_id_what_if_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "run_id", "work_on", "employee_id", name=op.f("pk_what_if_days")
        ),
    )
    op.create_table(
        "what_if_flips",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("before_s", sa.Float(), nullable=False),
        sa.Column("after_s", sa.Float(), nullable=False),
        sa.Column("margin_before_m", sa.Float(), nullable=True),
        sa.Column("margin_after_m", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "run_id"],
            ["what_if_runs.tenant_id", "what_if_runs.id"],
            name=op.f("fk_what_if_flips_tenant_id_run_id_what_if_runs"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id",
            "run_id",
            "work_on",
            "employee_id",
            "starts_at",
            name=op.f("pk_what_if_flips"),
        ),
    )
