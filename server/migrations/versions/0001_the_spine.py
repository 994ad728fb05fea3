"""The spine."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# What each process may do; the app's rows are walled by tenant, the services' are not.
_ENTITY = "SELECT, INSERT, UPDATE"
_RIGHTS: dict[str, dict[str, str]] = {
    "units": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "unit_ancestors": {"app": "SELECT, INSERT, DELETE", "engine": "SELECT"},
    "employees": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "memberships": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "accounts": {"app": _ENTITY, "engine": "SELECT"},
    "sessions": {"app": "SELECT, INSERT, UPDATE, DELETE"},
    "grants": {"app": _ENTITY, "engine": "SELECT"},
    "devices": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "enrolment_tickets": {"app": "SELECT, INSERT, UPDATE, DELETE"},
    "posts": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "post_versions": {"app": "SELECT, INSERT", "engine": "SELECT"},
    "shifts": {"app": _ENTITY, "engine": "SELECT"},
    "roster_entries": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "excusals": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "duty_versions": {"app": _ENTITY, "ingest": "SELECT", "engine": "SELECT"},
    "policies": {"app": "SELECT, INSERT", "ingest": "SELECT", "engine": "SELECT"},
    "fixes": {"app": "SELECT", "ingest": "SELECT, INSERT", "engine": "SELECT"},
    "device_events": {"app": "SELECT", "ingest": "SELECT, INSERT", "engine": "SELECT"},
    "ingest_ledger": {"app": "SELECT", "ingest": _ENTITY, "engine": "SELECT"},
    "quarantine": {"app": "SELECT", "ingest": _ENTITY, "engine": "SELECT"},
    "device_health": {"app": "SELECT", "ingest": _ENTITY, "engine": "SELECT"},
    "last_positions": {"app": "SELECT", "ingest": _ENTITY, "engine": _ENTITY + ", DELETE"},
    "touched_days": {"app": "INSERT", "ingest": "INSERT", "engine": _ENTITY + ", DELETE"},
    "presence_intervals": {"app": "SELECT", "engine": _ENTITY + ", DELETE"},
    "person_days": {"app": "SELECT", "engine": _ENTITY + ", DELETE"},
    "presence_now": {"app": "SELECT", "engine": _ENTITY + ", DELETE"},
    "findings": {"app": "SELECT", "engine": _ENTITY},
    "reviews": {"app": "SELECT, INSERT", "engine": "SELECT"},
    "access_log": {"app": "SELECT, INSERT", "engine": "SELECT"},
    "security_events": {"app": "SELECT, INSERT", "ingest": "INSERT", "engine": "INSERT"},
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "device_events",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("msg_key", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "tenant_id", "device_id", "at", "msg_key", name=op.f("pk_device_events")
        ),
    )
    op.create_index(
        "ix_device_events_device", "device_events", ["tenant_id", "device_id", "at"], unique=False
    )
    op.create_table(
        "fixes",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("msg_key", sa.BigInteger(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "position",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("altitude_m", sa.Double(), nullable=True),
        sa.Column("speed_mps", sa.Double(), nullable=True),
        sa.Column("course_deg", sa.Double(), nullable=True),
        sa.Column("battery_pct", sa.SmallInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("trigger", sa.String(), nullable=True),
        sa.Column("mock", sa.Boolean(), nullable=True),
        sa.Column("flags", sa.Integer(), server_default="0", nullable=False),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint(
            "ST_X(position) BETWEEN -180 AND 180 AND ST_Y(position) BETWEEN -90 AND 90",
            name=op.f("ck_fixes_position"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "device_id", "fixed_at", "msg_key", name=op.f("pk_fixes")
        ),
        postgresql_partition_by="RANGE (fixed_at)",
    )
    op.create_index(
        "ix_fixes_fixed_at", "fixes", ["fixed_at"], unique=False, postgresql_using="brin"
    )
    op.create_table(
        "ingest_ledger",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("received_on", sa.Date(), nullable=False),
        sa.Column("received", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("stored", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("duplicate", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("quarantined", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("off_duty", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("ignored", sa.BigInteger(), server_default="0", nullable=False),
        sa.CheckConstraint(
            "received = stored + duplicate + quarantined + off_duty + ignored",
            name=op.f("ck_ingest_ledger_balance"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "device_id", "received_on", name=op.f("pk_ingest_ledger")
        ),
    )
    op.create_table(
        "presence_intervals",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("inferred", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("cause", sa.String(), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_presence_intervals_order")),
        sa.PrimaryKeyConstraint(
            "tenant_id", "roster_entry_id", "starts_at", name=op.f("pk_presence_intervals")
        ),
    )
    op.create_index(
        "ix_presence_day",
        "presence_intervals",
        ["tenant_id", "employee_id", "work_on"],
        unique=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=True),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("topic", sa.String(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("msg_key", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=True),
        sa.Column("via", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="1", nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_quarantine")),
    )
    op.create_index(
        "ix_quarantine_device",
        "quarantine",
        ["tenant_id", "device_id", "received_at"],
        unique=False,
    )
    op.create_index("ix_quarantine_received", "quarantine", ["received_at"], unique=False)
    op.create_index(
        "uq_quarantine_message",
        "quarantine",
        ["tenant_id", "username", "msg_key", "reason"],
        unique=True,
    )
    op.create_table(
        "security_events",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=True),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_security_events")),
    )
    op.create_index("ix_security_events_at", "security_events", ["tenant_id", "at"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("locale", sa.String(), server_default="zh", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("slug ~ '^[a-z0-9][a-z0-9-]{1,30}$'", name=op.f("ck_tenants_slug")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        sa.UniqueConstraint("slug", name=op.f("uq_tenants_slug")),
    )
    op.create_table(
        "touched_days",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "queued_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_touched_days")),
    )
    op.create_index(
        "ix_touched_days_person",
        "touched_days",
        ["tenant_id", "employee_id", "work_on"],
        unique=False,
    )
    op.create_table(
        "duty_versions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default="0", nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_duty_versions_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("pk_duty_versions")),
    )
    op.create_table(
        "employees",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("phone", sa.String(), nullable=True),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("hired_on", sa.Date(), nullable=False),
        sa.Column("left_on", sa.Date(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_employees_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_employees")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_employees_tenant_id_number")),
    )
    op.create_table(
        "policies",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("params", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("effective_from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_policies_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_policies")),
        sa.UniqueConstraint(
            "tenant_id", "kind", "version", name=op.f("uq_policies_tenant_id_kind_version")
        ),
    )
    op.create_table(
        "shifts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("starts", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("retired_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_shifts_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_shifts")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("uq_shifts_tenant_id_name")),
    )
    op.create_table(
        "units",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "parent_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_units_tenant_id_parent_id_units"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_units_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_units")),
    )
    op.create_index("ix_units_parent", "units", ["tenant_id", "parent_id"], unique=False)
    op.create_table(
        "access_log",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("actor_name", sa.String(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("view", sa.String(), nullable=False),
        sa.Column("about_on", sa.Date(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "subject_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_access_log_tenant_id_subject_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_access_log")),
    )
    op.create_index(
        "ix_access_log_actor", "access_log", ["tenant_id", "actor_id", "at"], unique=False
    )
    op.create_index(
        "ix_access_log_subject", "access_log", ["tenant_id", "subject_id", "at"], unique=False
    )
    op.create_table(
        "accounts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("login", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=True),
        sa.Column("locale", sa.String(), nullable=True),
        sa.Column("theme", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("epoch", sa.Integer(), server_default="0", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("login ~ '^[a-z0-9][a-z0-9._-]{0,62}$'", name=op.f("ck_accounts_login")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_accounts_tenant_id_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_accounts_tenant_id_tenants")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_accounts")),
        sa.UniqueConstraint(
            "tenant_id", "employee_id", name=op.f("uq_accounts_tenant_id_employee_id")
        ),
        sa.UniqueConstraint("tenant_id", "login", name=op.f("uq_accounts_tenant_id_login")),
    )
    op.create_table(
        "devices",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.String(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("credential_hash", sa.String(), nullable=False),
        sa.Column("encryption_secret", sa.LargeBinary(), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("username ~ '^[a-z0-9-]{8,32}$'", name=op.f("ck_devices_username")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_devices_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_devices")),
        sa.UniqueConstraint("username", name=op.f("uq_devices_username")),
    )
    op.create_index("ix_devices_employee", "devices", ["tenant_id", "employee_id"], unique=False)
    op.create_table(
        "excusals",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_excusals_order")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_excusals_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_excusals")),
    )
    op.create_index(
        "ix_excusals_employee", "excusals", ["tenant_id", "employee_id", "starts_at"], unique=False
    )
    op.create_table(
        "findings",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("retracted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default="1", nullable=False),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.CheckConstraint(
            "ends_at IS NULL OR ends_at >= starts_at", name=op.f("ck_findings_order")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_findings_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_findings")),
    )
    op.create_index(
        "ix_findings_day", "findings", ["tenant_id", "employee_id", "work_on"], unique=False
    )
    op.create_index(
        "ix_findings_state", "findings", ["tenant_id", "state", "kind", "starts_at"], unique=False
    )
    op.create_table(
        "last_positions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("msg_key", sa.BigInteger(), nullable=False),
        sa.Column(
            "position",
            Geometry(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("accuracy_m", sa.Double(), nullable=True),
        sa.Column("speed_mps", sa.Double(), nullable=True),
        sa.Column("course_deg", sa.Double(), nullable=True),
        sa.Column("battery_pct", sa.SmallInteger(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("flags", sa.Integer(), server_default="0", nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_last_positions_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "employee_id", name=op.f("pk_last_positions")),
    )
    op.create_index(
        "ix_last_positions_position",
        "last_positions",
        ["position"],
        unique=False,
        postgresql_using="gist",
    )
    op.create_table(
        "memberships",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("during_on", postgresql.DATERANGE(), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.column("tenant_id"), "="),
            (sa.column("employee_id"), "="),
            (sa.column("during_on"), "&&"),
            using="gist",
            name="ex_memberships_one_at_a_time",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_memberships_tenant_id_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_memberships_tenant_id_unit_id_units"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_memberships")),
    )
    op.create_index(
        "ix_memberships_employee", "memberships", ["tenant_id", "employee_id"], unique=False
    )
    op.create_index("ix_memberships_unit", "memberships", ["tenant_id", "unit_id"], unique=False)
    op.create_table(
        "person_days",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("work_on", sa.Date(), nullable=False),
        sa.Column("as_of_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("algorithm_version", sa.String(), nullable=False),
        sa.Column("policy", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("summary", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_person_days_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "employee_id", "work_on", name=op.f("pk_person_days")),
    )
    op.create_index("ix_person_days_on", "person_days", ["tenant_id", "work_on"], unique=False)
    op.create_table(
        "posts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_posts_tenant_id_unit_id_units"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_posts")),
        sa.UniqueConstraint(
            "tenant_id", "unit_id", "name", name=op.f("uq_posts_tenant_id_unit_id_name")
        ),
    )
    op.create_table(
        "presence_now",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("roster_entry_id", sa.Uuid(), nullable=True),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("since_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("distance_m", sa.Double(), nullable=True),
        sa.Column("finding_id", sa.Uuid(), nullable=True),
        sa.Column("as_of_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_presence_now_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "employee_id", name=op.f("pk_presence_now")),
    )
    op.create_table(
        "unit_ancestors",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("ancestor_id", sa.Uuid(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "ancestor_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_unit_ancestors_tenant_id_ancestor_id_units"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_unit_ancestors_tenant_id_unit_id_units"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "ancestor_id", "unit_id", name=op.f("pk_unit_ancestors")
        ),
    )
    op.create_index(
        "ix_unit_ancestors_unit", "unit_ancestors", ["tenant_id", "unit_id"], unique=False
    )
    op.create_table(
        "device_health",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("fixed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("battery_pct", sa.SmallInteger(), nullable=True),
        sa.Column("charging", sa.Boolean(), nullable=True),
        sa.Column("connection", sa.String(), nullable=True),
        sa.Column("mode", sa.String(), nullable=True),
        sa.Column("lost_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["devices.tenant_id", "devices.id"],
            name=op.f("fk_device_health_tenant_id_device_id_devices"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "device_id", name=op.f("pk_device_health")),
    )
    op.create_table(
        "enrolment_tickets",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("device_id", sa.Uuid(), nullable=False),
        sa.Column("sealed_config", sa.LargeBinary(), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id", "device_id"],
            ["devices.tenant_id", "devices.id"],
            name=op.f("fk_enrolment_tickets_tenant_id_device_id_devices"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "secret_hash", name=op.f("pk_enrolment_tickets")),
    )
    op.create_table(
        "grants",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("granted_by", sa.Uuid(), nullable=True),
        sa.Column("reason", sa.String(), nullable=True),
        sa.CheckConstraint("until_at IS NULL OR until_at > from_at", name=op.f("ck_grants_period")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_grants_tenant_id_account_id_accounts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_grants_tenant_id_unit_id_units"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_grants")),
    )
    op.create_index("ix_grants_account", "grants", ["tenant_id", "account_id"], unique=False)
    op.create_table(
        "post_versions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "shape",
            Geometry(
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeomFromEWKT",
                name="geometry",
                nullable=False,
            ),
            nullable=False,
        ),
        sa.Column("radius_m", sa.Double(), nullable=True),
        sa.Column("grace_s", sa.Integer(), server_default="600", nullable=False),
        sa.Column("buffer_m", sa.Double(), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "radius_m IS NULL OR radius_m BETWEEN 20 AND 50000",
            name=op.f("ck_post_versions_radius"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "post_id"],
            ["posts.tenant_id", "posts.id"],
            name=op.f("fk_post_versions_tenant_id_post_id_posts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_post_versions")),
        sa.UniqueConstraint(
            "tenant_id",
            "post_id",
            "valid_from_at",
            name=op.f("uq_post_versions_tenant_id_post_id_valid_from_at"),
        ),
        sa.UniqueConstraint(
            "tenant_id",
            "post_id",
            "version",
            name=op.f("uq_post_versions_tenant_id_post_id_version"),
        ),
    )
    op.create_index(
        "ix_post_versions_shape", "post_versions", ["shape"], unique=False, postgresql_using="gist"
    )
    op.create_table(
        "reviews",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("finding_id", sa.Uuid(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "finding_id"],
            ["findings.tenant_id", "findings.id"],
            name=op.f("fk_reviews_tenant_id_finding_id_findings"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_reviews")),
    )
    op.create_index(
        "ix_reviews_finding", "reviews", ["tenant_id", "finding_id", "at"], unique=False
    )
    op.create_table(
        "roster_entries",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("shift_id", sa.Uuid(), nullable=False),
        sa.Column("post_id", sa.Uuid(), nullable=True),
        sa.Column("on_date", sa.Date(), nullable=False),
        sa.Column("zone", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        postgresql.ExcludeConstraint(
            (sa.column("tenant_id"), "="),
            (sa.column("employee_id"), "="),
            (sa.text("tstzrange(starts_at, ends_at)"), "&&"),
            where=sa.text("cancelled_at IS NULL"),
            using="gist",
            name="ex_roster_entries_one_at_a_time",
        ),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_roster_entries_order")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_roster_entries_tenant_id_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "post_id"],
            ["posts.tenant_id", "posts.id"],
            name=op.f("fk_roster_entries_tenant_id_post_id_posts"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "shift_id"],
            ["shifts.tenant_id", "shifts.id"],
            name=op.f("fk_roster_entries_tenant_id_shift_id_shifts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_roster_entries")),
    )
    op.create_index(
        "ix_roster_entries_employee",
        "roster_entries",
        ["tenant_id", "employee_id", "on_date"],
        unique=False,
    )
    op.create_index(
        "ix_roster_entries_starts", "roster_entries", ["tenant_id", "starts_at"], unique=False
    )
    op.create_table(
        "sessions",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_sessions_tenant_id_account_id_accounts"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "secret_hash", name=op.f("pk_sessions")),
    )
    op.create_index("ix_sessions_account", "sessions", ["tenant_id", "account_id"], unique=False)
    op.execute("CREATE TABLE fixes_default PARTITION OF fixes DEFAULT")
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)
    op.execute("GRANT SELECT ON tenants TO outpost_app, outpost_ingest, outpost_engine")
    op.execute("GRANT SELECT ON alembic_version TO outpost_app, outpost_ingest, outpost_engine")


def downgrade() -> None:
    """Revert."""
    op.drop_index("ix_sessions_account", table_name="sessions")
    op.drop_table("sessions")
    op.drop_index("ix_roster_entries_starts", table_name="roster_entries")
    op.drop_index("ix_roster_entries_employee", table_name="roster_entries")
    op.drop_table("roster_entries")
    op.drop_index("ix_reviews_finding", table_name="reviews")
    op.drop_table("reviews")
    op.drop_index("ix_post_versions_shape", table_name="post_versions")
    op.drop_table("post_versions")
    op.drop_index("ix_grants_account", table_name="grants")
    op.drop_table("grants")
    op.drop_table("enrolment_tickets")
    op.drop_table("device_health")
    op.drop_index("ix_unit_ancestors_unit", table_name="unit_ancestors")
    op.drop_table("unit_ancestors")
    op.drop_table("presence_now")
    op.drop_table("posts")
    op.drop_index("ix_person_days_on", table_name="person_days")
    op.drop_table("person_days")
    op.drop_index("ix_memberships_unit", table_name="memberships")
    op.drop_index("ix_memberships_employee", table_name="memberships")
    op.drop_table("memberships")
    op.drop_index("ix_last_positions_position", table_name="last_positions")
    op.drop_table("last_positions")
    op.drop_index("ix_findings_state", table_name="findings")
    op.drop_index("ix_findings_day", table_name="findings")
    op.drop_table("findings")
    op.drop_index("ix_excusals_employee", table_name="excusals")
    op.drop_table("excusals")
    op.drop_index("ix_devices_employee", table_name="devices")
    op.drop_table("devices")
    op.drop_table("accounts")
    op.drop_index("ix_access_log_subject", table_name="access_log")
    op.drop_index("ix_access_log_actor", table_name="access_log")
    op.drop_table("access_log")
    op.drop_index("ix_units_parent", table_name="units")
    op.drop_table("units")
    op.drop_table("shifts")
    op.drop_table("policies")
    op.drop_table("employees")
    op.drop_table("duty_versions")
    op.drop_index("ix_touched_days_person", table_name="touched_days")
    op.drop_table("touched_days")
    op.drop_table("tenants")
    op.drop_index("ix_security_events_at", table_name="security_events")
    op.drop_table("security_events")
    op.drop_index("uq_quarantine_message", table_name="quarantine")
    op.drop_index("ix_quarantine_received", table_name="quarantine")
    op.drop_index("ix_quarantine_device", table_name="quarantine")
    op.drop_table("quarantine")
    op.drop_index("ix_presence_day", table_name="presence_intervals")
    op.drop_table("presence_intervals")
    op.drop_table("ingest_ledger")
    op.drop_index("ix_fixes_fixed_at", table_name="fixes", postgresql_using="brin")
    op.drop_table("fixes")
    op.drop_index("ix_device_events_device", table_name="device_events")
    op.drop_table("device_events")
