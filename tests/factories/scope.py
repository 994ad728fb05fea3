"""Scopes as the policy loader makes them, without a principal."""

from uuid import UUID

from sqlalchemy import Select, Uuid, column, select, table

_employees = table("employees", column("id", Uuid))


def everybody() -> Select[UUID]:
    """Ids of everybody inside the wall."""
    return select(_employees.c.id)


def only(*employee_ids: UUID) -> Select[UUID]:
    """Ids of some people."""
    return select(_employees.c.id).where(_employees.c.id.in_(employee_ids))
