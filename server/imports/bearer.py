"""Who brings a file, what they may touch with it, and how transactions are opened for it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from server.clock import Clock
from server.db import tables
from server.imports.kinds import Kind
from server.people.policy import units_in_scope
from server.people.rules import Action, Principal

Transactions: TypeAlias = Callable[[], AbstractContextManager[Session]]
"""Opens a transaction inside the tenant's wall; commits at its end."""

ACTIONS: Final = {
    Kind.EMPLOYEES: Action.MANAGE_PEOPLE,
    Kind.UNITS: Action.MANAGE_ACCOUNTS,
    Kind.POSTS: Action.EDIT_POSTS,
    Kind.SITES: Action.EDIT_POSTS,
    Kind.ROSTER: Action.EDIT_ROSTER,
}
"""What somebody must be allowed to do to units to bring a file about them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bearer:
    """Who brings a file: an account with its grants, or a command with the whole tenant."""

    tenant_id: int
    zone: str
    principal: Principal | None = None
    name: str = "outpost import"

    @classmethod
    def of(cls, principal: Principal) -> "Bearer":
        """Return the bearer that an account is."""
        return cls(
            tenant_id=principal.tenant_id,
            zone=principal.zone,
            principal=principal,
            name=principal.name,
        )

    def units(self, action: Action, clock: Clock) -> Select[UUID]:
        """Return the ids of the units on which the bearer may do something."""
        if self.principal is not None:
            return units_in_scope(self.principal, action, now=clock.now())
        return select(tables.units.c.id).where(tables.units.c.tenant_id == self.tenant_id)
