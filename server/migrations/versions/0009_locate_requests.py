"""Somebody asks where one person is now, with a purpose."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "locate_requests": {
        "app": "SELECT, INSERT, UPDATE",
        "ingest": "SELECT",
        "engine": "SELECT, UPDATE",
    },
    "phone_commands": {
        "app": "SELECT, INSERT, UPDATE",
        "ingest": "SELECT, UPDATE",
        "engine": "SELECT, UPDATE, DELETE",
    },
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "locate_requests",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("asker_id", sa.Uuid(), nullable=False),
        sa.Column("asker_name", sa.String(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_by", sa.Text(), nullable=True),
        sa.Column("refusal", sa.String(), nullable=True),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("msg_key", sa.BigInteger(), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("steps", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_locate_requests_tenant_id_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "asker_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_locate_requests_tenant_id_asker_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_locate_requests")),
    )
    op.create_index(
        "ix_locate_requests_subject", "locate_requests", ["tenant_id", "employee_id", "asked_at"]
    )
    op.create_index(
        "ix_locate_requests_asker", "locate_requests", ["tenant_id", "asker_id", "asked_at"]
    )
    op.create_index(
        "ix_locate_requests_open",
        "locate_requests",
        ["due_at"],
        postgresql_where=sa.text("state IN ('asked', 'carrier', 'sent')"),
    )
    op.create_table(
        "phone_commands",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["devices.tenant_id", "devices.id"],
            name=op.f("fk_phone_commands_tenant_id_device_id_devices"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "request_id"],
            ["locate_requests.tenant_id", "locate_requests.id"],
            name=op.f("fk_phone_commands_tenant_id_request_id_locate_requests"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_phone_commands")),
    )
    op.create_index(
        "ix_phone_commands_waiting",
        "phone_commands",
        ["created_at"],
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index("ix_phone_commands_request", "phone_commands", ["tenant_id", "request_id"])
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("phone_commands")
    op.drop_table("locate_requests")
