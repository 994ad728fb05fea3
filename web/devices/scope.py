"""Narrowing a scope to one person."""

from uuid import UUID

from sqlalchemy import Select


def only(scope: Select[UUID], employee_id: UUID) -> Select[UUID]:
    """Return a scope of employees cut down to one of them, empty when outside of it."""
    return scope.where(scope.selected_columns[0] == employee_id)
