"""Whom rows about somebody's day are about: the name, and the unit on that day."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_

from server.db import tables


def with_subject(
    query: Select[Any],
    *,
    tenant_id: ColumnElement[int],
    employee_id: ColumnElement[UUID],
    on: ColumnElement[date],
) -> Select[Any]:
    """Join the person and, where there is one, the membership and the unit of the date.

    Parameters
    ----------
    query : selects from rows that are each about one person and one local date; it may name
        columns of `employees`, `memberships` and `units` of `server.db.tables`.
    tenant_id, employee_id, on : columns of the row.
    """
    people, belongs, units = tables.employees, tables.memberships, tables.units
    return (
        query.join(people, and_(people.c.tenant_id == tenant_id, people.c.id == employee_id))
        .outerjoin(
            belongs,
            and_(
                belongs.c.tenant_id == tenant_id,
                belongs.c.employee_id == employee_id,
                belongs.c.during_on.contains(on),
            ),
        )
        .outerjoin(units, and_(units.c.tenant_id == tenant_id, units.c.id == belongs.c.unit_id))
    )
