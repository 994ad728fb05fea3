from collections.abc import Iterator

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from server.db.engine import make_engine
from tests.factories.desk import NOON, Desk, desk


@pytest.fixture(scope="module")
def _office(stack: Stack, module_database: DatabaseUrls) -> Iterator[Desk]:
    with desk(stack, module_database) as made:
        yield made


@pytest.fixture
def office(_office: Desk, module_database: DatabaseUrls) -> Desk:
    """The desk at noon, with nothing claimed, seen or excused."""
    superuser = make_engine(module_database.superuser, pool_size=1)
    with superuser.begin() as connection:
        connection.execute(
            text(
                "TRUNCATE travel_claims, claim_checks, fixes, excusals, security_events, "
                "roster_entries, touched_days, access_log"
            )
        )
    superuser.dispose()
    _office.clock.advance(NOON - _office.clock.now())
    return _office
