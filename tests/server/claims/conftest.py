from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from fixtures.stack import DatabaseUrls, Stack
from fixtures.tiles import build_tiles
from geo.valhalla_roads import ValhallaRoads
from server.db.engine import make_engine
from tests.factories.carrier_server import CarrierServer, carrier_server
from tests.factories.desk import NOON, Desk, desk
from tests.factories.footprints import Step
from tests.factories.valhalla import ValhallaProcess, town_drive, valhalla_service


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


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiles(tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="module")
def drive(tiles: Path) -> tuple[list[Step], float]:
    """Fixes every twenty seconds, and the length that was driven."""
    return town_drive(ValhallaRoads(tiles))


@pytest.fixture
def service(tiles: Path, tmp_path: Path) -> Iterator[ValhallaProcess]:
    with valhalla_service(tiles, tmp_path) as running:
        yield running


@pytest.fixture
def between() -> Iterator[CarrierServer]:
    """A server that says whatever a test wants, in Valhalla's place."""
    with carrier_server() as scene:
        yield scene
