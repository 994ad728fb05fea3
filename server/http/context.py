"""What a view may reach: settings, clock, transactions and who asks."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from flask import current_app, g
from redis import Redis
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.crypto import Vault
from server.db.session import unit_of_work
from server.errors import Unauthenticated
from server.http.counters import Counters
from server.http.limits import Limiter
from server.people.owntracks import BrokerAddress
from server.people.rules import Principal
from server.settings import Settings
from server.tracking.live import LivePublisher

EXTENSION = "outpost"


@dataclass(frozen=True, slots=True)
class Runtime:
    """One web process's parts, made by `server.main` and shared by all requests."""

    settings: Settings
    clock: Clock
    sessions: sessionmaker[Session]
    redis: Redis
    live: LivePublisher
    limiter: Limiter
    counters: Counters
    vault: Vault

    @property
    def broker(self) -> BrokerAddress:
        """Where phones reach the broker."""
        settings = self.settings
        return BrokerAddress(
            settings.mqtt_public_host,
            settings.mqtt_public_port,
            settings.mqtt_public_tls,
            settings.public_url,
        )


def runtime() -> Runtime:
    """Return the parts of the process that serves this request."""
    found = current_app.extensions[EXTENSION]
    assert isinstance(found, Runtime)
    return found


def now() -> datetime:
    """Return the current instant by the process's clock."""
    return runtime().clock.now()


def principal_or_none() -> Principal | None:
    """Return who asks, None for an anonymous visitor."""
    found = g.get("principal")
    assert found is None or isinstance(found, Principal)
    return found


def principal() -> Principal:
    """Return who asks.

    Raises
    ------
    Unauthenticated : nobody is signed in.
    """
    found = principal_or_none()
    if found is None:
        raise Unauthenticated
    return found


@contextmanager
def transaction(*, tenant_id: int | None = None) -> Iterator[Session]:
    """Run one transaction inside the wall of the principal's tenant.

    Parameters
    ----------
    tenant_id : the tenant to enter when nobody is signed in (sign-in, devices, tickets);
        a signed-in principal never leaves their own tenant.

    Raises
    ------
    Unauthenticated : nobody is signed in and no tenant was given.
    """
    found = principal_or_none()
    if found is not None:
        tenant_id = found.tenant_id
    elif tenant_id is None:
        raise Unauthenticated
    with unit_of_work(runtime().sessions, tenant_id=tenant_id) as session:
        yield session


@contextmanager
def transaction_without_tenant() -> Iterator[Session]:
    """Run one transaction outside every wall: it sees tenants and no row of any of them."""
    with unit_of_work(runtime().sessions, tenant_id=None) as session:
        yield session
