"""Providers that locate a phone on request, and what was asked of them."""

from collections.abc import Sequence

import geoalchemy2
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# Pages ask to test; the engine asks to resolve cells and when a phone does not answer.
_RIGHTS: dict[str, dict[str, str]] = {
    "carrier_providers": {"app": "SELECT, INSERT, UPDATE, DELETE", "engine": "SELECT, UPDATE"},
    "carrier_consents": {"app": "SELECT, INSERT, UPDATE", "engine": "SELECT, UPDATE"},
    "carrier_requests": {
        "app": "SELECT, INSERT, UPDATE",
        "engine": "SELECT, INSERT, UPDATE",
    },
    "carrier_usage": {"app": "SELECT, INSERT, UPDATE", "engine": "SELECT, INSERT, UPDATE"},
    "carrier_radio_answers": {
        "app": "SELECT, INSERT, UPDATE, DELETE",
        "engine": "SELECT, INSERT, UPDATE, DELETE",
    },
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "carrier_providers",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("enabled", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("sealed_credentials", sa.LargeBinary(), nullable=True),
        sa.Column("daily_quota", sa.Integer(), nullable=False),
        sa.Column("person_quota", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "changed_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "daily_quota >= 0 AND person_quota >= 0", name=op.f("ck_carrier_providers_quotas")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_carrier_providers_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carrier_providers")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_carrier_providers_tenant_id_name")),
    )
    op.create_table(
        "carrier_consents",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("msisdn", sa.String(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_by", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("withdrawn_how", sa.Text(), nullable=True),
        sa.Column("withdrawn_by", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_carrier_consents_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carrier_consents")),
    )
    op.create_index(
        "uq_carrier_consents_in_force",
        "carrier_consents",
        ["tenant_id", "employee_id"],
        unique=True,
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "carrier_requests",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("provider_name", sa.String(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.Column("result", sa.Integer(), nullable=True),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "place",
            geoalchemy2.types.Geometry("POINT", srid=4326, spatial_index=False),
            nullable=True,
        ),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_carrier_requests_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_carrier_requests")),
    )
    op.create_index(
        "ix_carrier_requests_subject",
        "carrier_requests",
        ["tenant_id", "employee_id", "asked_at"],
    )
    op.create_index(
        "ix_carrier_requests_provider",
        "carrier_requests",
        ["tenant_id", "provider_id", "asked_at"],
    )
    op.create_table(
        "carrier_usage",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("used_on", sa.Date(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "provider_id", "used_on", "employee_id", name=op.f("pk_carrier_usage")
        ),
    )
    op.create_table(
        "carrier_radio_answers",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("provider_id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "place",
            geoalchemy2.types.Geometry("POINT", srid=4326, spatial_index=False),
            nullable=True,
        ),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("area", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "provider_id", "digest", name=op.f("pk_carrier_radio_answers")
        ),
    )
    op.create_index("ix_carrier_radio_answers_at", "carrier_radio_answers", ["answered_at"])
    op.create_index(
        "ix_radio_reports_untried",
        "radio_reports",
        [sa.text("fixed_at DESC")],
        postgresql_where=sa.text("tried_at IS NULL AND resolved_at IS NULL AND NOT has_fix"),
    )
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)
    # The engine turns radio reports into fixes, long after ingest has stored them.
    op.execute("GRANT INSERT ON fixes TO outpost_engine")


def downgrade() -> None:
    """Revert."""
    op.execute("REVOKE INSERT ON fixes FROM outpost_engine")
    op.drop_index("ix_radio_reports_untried", table_name="radio_reports")
    for table in reversed(_RIGHTS):
        op.drop_table(table)
