"""Planned visits, verdicts on them, and pins that may be wrong."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

from server.db.walls import grant_statements, wall_statements

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_RIGHTS: dict[str, dict[str, str]] = {
    "planned_visits": {"app": "SELECT, INSERT, UPDATE", "engine": "SELECT, UPDATE"},
    "visit_verdicts": {"app": "SELECT", "engine": "SELECT, INSERT"},
    "pin_proposals": {"app": "SELECT, UPDATE", "engine": "SELECT, INSERT, UPDATE"},
}
# A verified visit excuses from the post, and what rests on the roster has to hear of it.
_ENGINE_MORE = ("excusals", "duty_versions")


def upgrade() -> None:
    """Apply."""
    _create_planned_visits()
    _create_verdicts()
    _create_pin_proposals()
    for table, rights in _RIGHTS.items():
        for statement in wall_statements(table) + grant_statements(table, **rights):
            op.execute(statement)
    for table in _ENGINE_MORE:
        op.execute(f"GRANT INSERT, UPDATE ON {table} TO outpost_engine")


def downgrade() -> None:
    """Revert."""
    for table in _ENGINE_MORE:
        op.execute(f"REVOKE INSERT, UPDATE ON {table} FROM outpost_engine")
    op.drop_table("pin_proposals")
    op.drop_table("visit_verdicts")
    op.drop_table("planned_visits")


def _instant(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _point(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(
        name, Geometry("POINT", srid=4326, spatial_index=False), nullable=nullable
    )


def _on_earth(name: str) -> str:
    return f"ST_X({name}) BETWEEN -180 AND 180 AND ST_Y({name}) BETWEEN -90 AND 90"


def _create_planned_visits() -> None:
    op.create_table(
        "planned_visits",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("employee_id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("on_date", sa.Date(), nullable=False),
        _instant("starts_at"),
        _instant("ends_at"),
        sa.Column("group_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("excusal_id", sa.Uuid(), nullable=True),
        sa.Column("way_excusal_id", sa.Uuid(), nullable=True),
        _point("pin", nullable=True),
        sa.Column("pin_radius_m", sa.Float(), nullable=True),
        sa.Column("version", sa.Integer(), server_default="0", nullable=False),
        _instant("due_at", nullable=True),
        sa.Column("created_by", sa.Uuid(), nullable=True),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("cancelled_by", sa.Uuid(), nullable=True),
        _instant("cancelled_at", nullable=True),
        sa.CheckConstraint("ends_at > starts_at", name=op.f("ck_planned_visits_order")),
        sa.CheckConstraint(_on_earth("pin"), name=op.f("ck_planned_visits_pin")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "employee_id"],
            ["employees.tenant_id", "employees.id"],
            name=op.f("fk_planned_visits_tenant_id_employee_id_employees"),
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_planned_visits_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_planned_visits")),
    )
    op.create_index(
        "ix_planned_visits_employee", "planned_visits", ["tenant_id", "employee_id", "on_date"]
    )
    op.create_index("ix_planned_visits_site", "planned_visits", ["tenant_id", "site_id", "on_date"])
    op.create_index("ix_planned_visits_date", "planned_visits", ["tenant_id", "on_date"])
    op.create_index(
        "ix_planned_visits_due",
        "planned_visits",
        ["due_at"],
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )


def _create_verdicts() -> None:
    op.create_table(
        "visit_verdicts",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("visit_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        _instant("arrived_at", nullable=True),
        _instant("left_at", nullable=True),
        sa.Column("dwell_s", sa.Float(), nullable=False),
        sa.Column("nearest_m", sa.Float(), nullable=True),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        _point("place", nullable=True),
        _instant("decided_at"),
        sa.CheckConstraint("version > 0", name=op.f("ck_visit_verdicts_version")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "visit_id"],
            ["planned_visits.tenant_id", "planned_visits.id"],
            name=op.f("fk_visit_verdicts_tenant_id_visit_id_planned_visits"),
        ),
        sa.PrimaryKeyConstraint(
            "tenant_id", "visit_id", "version", name=op.f("pk_visit_verdicts")
        ),
    )


def _create_pin_proposals() -> None:
    op.create_table(
        "pin_proposals",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        _point("place"),
        sa.Column("evidence", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        _instant("proposed_at"),
        sa.Column("decided_by", sa.Uuid(), nullable=True),
        _instant("decided_at", nullable=True),
        sa.CheckConstraint(_on_earth("place"), name=op.f("ck_pin_proposals_place")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "site_id"],
            ["sites.tenant_id", "sites.id"],
            name=op.f("fk_pin_proposals_tenant_id_site_id_sites"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "id", name=op.f("pk_pin_proposals")),
    )
    op.create_index(
        "ix_pin_proposals_open",
        "pin_proposals",
        ["tenant_id", "site_id"],
        unique=True,
        postgresql_where=sa.text("state = 'open'"),
    )
