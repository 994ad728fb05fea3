"""Rows of other slices as the database shows them, for statements that join across slices.

Their models are private to them; names and types of columns are not.
"""

from sqlalchemy import Date, Integer, Text, Uuid, column, table
from sqlalchemy.dialects.postgresql import DATERANGE

from server.db.types import UtcDateTime

employees = table(
    "employees",
    column("tenant_id", Integer),
    column("id", Uuid),
    column("number", Text),
    column("name", Text),
    column("phone", Text),
    column("left_on", Date),
)
memberships = table(
    "memberships",
    column("tenant_id", Integer),
    column("employee_id", Uuid),
    column("unit_id", Uuid),
    column("during_on", DATERANGE),
)
units = table("units", column("tenant_id", Integer), column("id", Uuid), column("name", Text))
tenants = table("tenants", column("id", Integer), column("zone", Text))
accounts = table("accounts", column("tenant_id", Integer), column("id", Uuid), column("name", Text))
devices = table(
    "devices",
    column("tenant_id", Integer),
    column("id", Uuid),
    column("employee_id", Uuid),
    column("username", Text),
    column("kind", Text),
    column("label", Text),
    column("enrolled_at", UtcDateTime),
    column("revoked_at", UtcDateTime),
    column("datum_stated_at", UtcDateTime),
)
roster_entries = table(
    "roster_entries",
    column("tenant_id", Integer),
    column("id", Uuid),
    column("employee_id", Uuid),
    column("post_id", Uuid),
    column("on_date", Date),
    column("zone", Text),
    column("starts_at", UtcDateTime),
    column("ends_at", UtcDateTime),
    column("cancelled_at", UtcDateTime),
)
posts = table("posts", column("tenant_id", Integer), column("id", Uuid), column("name", Text))
sites = table(
    "sites",
    column("tenant_id", Integer),
    column("id", Uuid),
    column("number", Text),
    column("name", Text),
)
excusals = table(
    "excusals",
    column("tenant_id", Integer),
    column("employee_id", Uuid),
    column("kind", Text),
    column("starts_at", UtcDateTime),
    column("ends_at", UtcDateTime),
    column("withdrawn_at", UtcDateTime),
)
