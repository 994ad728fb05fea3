"""Transactions: the door opens one, services work in it, nobody else commits."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker


@contextmanager
def unit_of_work(factory: sessionmaker[Session], *, tenant_id: int | None) -> Iterator[Session]:
    """Run one transaction inside one tenant's wall.

    Commits when the block ends, rolls back when it raises. The tenant is set with
    `set_config(…, true)`, so it ends with the transaction and never leaks to the next
    user of the pooled connection.

    Parameters
    ----------
    factory : sessions of this process.
    tenant_id : the tenant whose rows row-level security lets through; None for the
        services that serve all tenants (their database role has its own policies) and
        for tables without a tenant. Unset means no rows for `outpost_app`.
    """
    with factory() as session, session.begin():
        if tenant_id is not None:
            enter_tenant(session, tenant_id=tenant_id)
        yield session


def enter_tenant(session: Session, *, tenant_id: int) -> None:
    """Put the session's current transaction inside one tenant's wall."""
    session.execute(
        text("SELECT set_config('app.tenant', :tenant, true)"), {"tenant": str(tenant_id)}
    )
