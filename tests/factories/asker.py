"""Somebody who asks where others are, without a browser."""

from dataclasses import dataclass
from uuid import UUID

from server.people.services import create_account
from tests.factories.company import Company


@dataclass(frozen=True, slots=True)
class Asker:
    """An account as the services see it."""

    tenant_id: int
    account_id: UUID
    employee_id: UUID | None
    name: str


def asker(company: Company, login: str = "lead") -> Asker:
    """A new account without an employee record."""
    with company.transaction() as session:
        account = create_account(
            session,
            company.clock,
            tenant_id=company.tenant_id,
            login=login,
            name=login.title(),
            password="a long enough phrase",
            employee_id=None,
        )
    return Asker(company.tenant_id, account.id, None, login.title())
