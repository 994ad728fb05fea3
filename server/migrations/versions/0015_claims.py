"""Travel claims and what was concluded of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "travel_claims": {"app": "SELECT, INSERT, UPDATE, DELETE", "engine": "SELECT, UPDATE"},
    "claim_checks": {"app": "SELECT", "engine": "SELECT, INSERT"},
}


def upgrade() -> None:
    """Apply."""
    _create_claims()
    _create_checks()
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)


def downgrade() -> None:
    """Revert."""
    op.drop_table("claim_checks")
    op.drop_table("travel_claims")


def _instant(name: str, *, nullable: bool = True) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _money(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.Numeric(14, 2), nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, postgresql.JSONB(astext_type=sa.Text()), nullable=False)


def _create_claims() -> None:
    op.create_table(
        "travel_claims",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("reference", sa.String(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        _json("document"),
        sa.Column("first_on", sa.Date(), nullable=False),
        sa.Column("last_on", sa.Date(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        _money("claimed_amount"),
        sa.Column("explanation", sa.String(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        _instant("submitted_at"),
        _instant("due_at"),
        sa.Column("check_version", sa.Integer(), server_default="0", nullable=False),
        _instant("decided_at"),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        sa.Column("decider_id", sa.Uuid(), nullable=True),
        sa.Column("decider_name", sa.String(), nullable=True),
        sa.Column("decision_reason", sa.String(), nullable=True),
        sa.Column("decided_check", sa.Integer(), nullable=True),
        _money("approved_amount", nullable=True),
        sa.CheckConstraint("last_on >= first_on", name=op.f("ck_travel_claims_order")),
        sa.CheckConstraint(
            "decider_id IS NULL OR decider_id <> employee_id",
            name=op.f("ck_travel_claims_other_decides"),
        ),
        sa.CheckConstraint(
            "(decided_at IS NOT NULL) = (state IN ('approved', 'reduced', 'returned'))",
            name=op.f("ck_travel_claims_decided"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_travel_claims_tenant_id_employee_id_employees"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_travel_claims")),
    )
    op.create_index(
        "ix_travel_claims_employee", "travel_claims", ["tenant_id", "employee_id", "first_on"]
    )
    op.create_index("ix_travel_claims_state", "travel_claims", ["tenant_id", "state", "first_on"])
    op.create_index(
        "ix_travel_claims_due",
        "travel_claims",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _create_checks() -> None:
    op.create_table(
        "claim_checks",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("claim_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        _json("lines"),
        sa.Column("digest", sa.String(), nullable=False),
        _money("suggested_amount"),
        _money("at_stake"),
        _instant("checked_at", nullable=False),
        sa.CheckConstraint("version > 0", name=op.f("ck_claim_checks_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "claim_id"],
            ["travel_claims.tenant_id", "travel_claims.id"],
            name=op.f("fk_claim_checks_tenant_id_claim_id_travel_claims"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tenant_id", "claim_id", "version", name=op.f("pk_claim_checks")),
    )
