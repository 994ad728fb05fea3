"""What commands on the database share: a session factory and the organisation they mean."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.orm import Session, sessionmaker

from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import NotFound
from server.people import queries
from server.people.queries import TenantView
from server.settings import Settings


def connect(role: str) -> tuple[sessionmaker[Session], Settings]:
    """Return sessions of a role and the settings they come from."""
    settings = Settings.from_environ(os.environ, role=role)
    engine = make_engine(settings.database_url, pool_size=1, application_name="outpost-cli")
    return make_session_factory(engine), settings


@contextmanager
def connected(role: str) -> Iterator[sessionmaker[Session]]:
    """Hold sessions of a role for the length of a command, and close their connections."""
    settings = Settings.from_environ(os.environ, role=role)
    engine = make_engine(settings.database_url, pool_size=2, application_name="outpost-cli")
    try:
        yield make_session_factory(engine)
    finally:
        engine.dispose()


def tenant_of(factory: sessionmaker[Session], slug: str) -> TenantView:
    """Return the organisation with a slug.

    Raises
    ------
    NotFound : there is none.
    """
    with unit_of_work(factory, tenant_id=None) as session:
        found = queries.tenant_by_slug(session, slug)
    if found is None:
        raise NotFound(None, f"there is no tenant {slug}")
    return found
