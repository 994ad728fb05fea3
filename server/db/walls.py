"""Row-level security and grants, written once for every migration.

The wall between tenants is `tenant_id`; the hierarchy inside a tenant is the policy
function's business (`server.people.policy`), because it depends on time and purpose.
"""

APP, INGEST, ENGINE, OWNER = "outpost_app", "outpost_ingest", "outpost_engine", "outpost_owner"


def wall_statements(table: str) -> list[str]:
    """Return the SQL that walls one table by tenant.

    `nullif` keeps an empty setting, which an earlier transaction leaves behind, from
    raising; an unset tenant lets no row through.
    """
    services = f"{INGEST}, {ENGINE}, {OWNER}"
    mine = "tenant_id = nullif(current_setting('app.tenant', true), '')::int"
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY tenant_wall ON {table} TO {APP} USING ({mine}) WITH CHECK ({mine})",
        f"CREATE POLICY services ON {table} TO {services} USING (true) WITH CHECK (true)",
    ]


def grant_statements(table: str, **rights: str) -> list[str]:
    """Return the SQL that grants `rights` (role suffix → comma-separated privileges)."""
    return [f"GRANT {what} ON {table} TO outpost_{role}" for role, what in rights.items()]
