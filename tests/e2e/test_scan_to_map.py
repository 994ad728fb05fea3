"""A phone that only hears cells: from its message to a position with an honest circle."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from server.carriers.egress import Egress
from server.carriers.services import Desk, ProviderDraft, ProviderKind, add_provider
from server.clock import SystemClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.http.context import EXTENSION
from server.http.extensions import db
from server.main.app import create_app
from server.settings import Settings
from server.tracking.live import LivePublisher
from server.tracking.resolver import Resolver
from tests.factories.carrier_server import KEY, carrier_server
from tests.factories.consumer import Rows
from tests.factories.crew import enlist


@pytest.fixture
def app(stack: Stack, database: DatabaseUrls) -> Iterator[Flask]:
    made = create_app(Settings.from_environ(stack.settings_env(database)))
    yield made
    with made.app_context():
        db.engine.dispose()
    made.extensions[EXTENSION].redis.close()
    if "outpost-http-door" in made.extensions:
        made.extensions["outpost-http-door"].close()


def test_a_message_with_cells_only_becomes_a_position(
    database: DatabaseUrls, app: Flask, redis_client: Redis
) -> None:
    (phone,) = enlist(database, 1)
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    message = f"timestamp={at.timestamp():.0f}&cell=460,00,4282,1374,-71&batt=44"
    answer = app.test_client().post(f"/pub/osmand/{phone.username}/{phone.secret}?{message}")
    assert answer.status_code == 200
    rows = Rows(database)
    assert rows.one("SELECT count(*) FROM fixes") == 0
    assert rows.one("SELECT count(*) FROM radio_reports WHERE NOT has_fix") == 1
    vault, clock = Vault(bytes(32)), SystemClock()
    engine = make_engine(database.engine)
    try:
        with carrier_server() as server:
            server.cells[460, 0, 4282, 1374] = (31.2304, 121.4737, 1500.0)
            egress = Egress([server.host])
            with unit_of_work(
                app.extensions[EXTENSION].sessions, tenant_id=phone.tenant_id
            ) as session:
                add_provider(
                    session,
                    clock,
                    vault=vault,
                    egress=egress,
                    tenant_id=phone.tenant_id,
                    draft=ProviderDraft(
                        name="service",
                        kind=ProviderKind.GEOLOCATE,
                        url=server.url("/geolocate"),
                        credentials={"key": KEY},
                    ),
                )
            desk = Desk(make_session_factory(engine), clock, vault, egress)
            assert Resolver(desk, LivePublisher(redis_client)).place() == 1
    finally:
        engine.dispose()
    found = rows.all(
        "SELECT device_id, fixed_at, source, accuracy_m, battery_pct,"
        " ST_X(position)::numeric(9,4)::float8, ST_Y(position)::numeric(9,4)::float8 FROM fixes"
    )
    assert found == [(phone.device_id, at, "lbs", 1500.0, 44, 121.4737, 31.2304)]
    assert rows.all("SELECT employee_id, source FROM last_positions") == [
        (phone.employee_id, "lbs")
    ]
    assert rows.one("SELECT resolved_by FROM radio_reports") == "carrier:service"
    assert rows.all("SELECT received::int, stored::int, duplicate::int FROM ingest_ledger") == [
        (1, 1, 0)
    ]
    again = app.test_client().post(f"/pub/osmand/{phone.username}/{phone.secret}?{message}")
    assert again.status_code == 200
    assert rows.one("SELECT count(*) FROM fixes") == 1
