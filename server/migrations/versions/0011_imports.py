"""Sites, and files that people bring."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "sites": {"app": "SELECT, INSERT, UPDATE", "engine": "SELECT"},
    "imports": {"app": "SELECT, INSERT, UPDATE"},
    "import_rows": {"app": "SELECT, INSERT, DELETE"},
}


def upgrade() -> None:
    """Apply."""
    _create_sites()
    _create_imports()
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("import_rows")
    op.drop_table("imports")
    op.drop_table("sites")


def _create_sites() -> None:
    op.create_table(
        "sites",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("unit_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("position", Geometry("POINT", srid=4326, spatial_index=False), nullable=True),
        sa.Column("radius_m", sa.Float(), server_default="200", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("changed_by", sa.Uuid(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("radius_m BETWEEN 20 AND 50000", name=op.f("ck_sites_radius")),
        sa.CheckConstraint(
            "ST_X(position) BETWEEN -180 AND 180 AND ST_Y(position) BETWEEN -90 AND 90",
            name=op.f("ck_sites_position"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "unit_id"],
            ["units.tenant_id", "units.id"],
            name=op.f("fk_sites_tenant_id_unit_id_units"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_sites")),
        sa.UniqueConstraint("tenant_id", "number", name=op.f("uq_sites_tenant_id_number")),
    )
    op.create_index("ix_sites_unit", "sites", ["tenant_id", "unit_id"])
    op.create_index("ix_sites_position", "sites", ["position"], postgresql_using="gist")


def _create_imports() -> None:
    op.create_table(
        "imports",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("account_name", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("file_format", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default="0", nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=True),
        sa.Column(
            "counts",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column(
            "reading",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("fingerprint", sa.String(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("fk_imports_tenant_id_tenants")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "account_id"],
            ["accounts.tenant_id", "accounts.id"],
            name=op.f("fk_imports_tenant_id_account_id_accounts"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_at", "imports", ["tenant_id", "received_at"])
    op.create_table(
        "import_rows",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("row_no", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id", "import_id"],
            ["imports.tenant_id", "imports.id"],
            name=op.f("fk_import_rows_tenant_id_import_id_imports"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "import_id", "row_no", name=op.f("pk_import_rows")
        ),
    )
    op.create_index(
        "ix_import_rows_outcome", "import_rows", ["tenant_id", "import_id", "outcome", "row_no"]
    )
