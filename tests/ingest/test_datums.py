"""Positions of devices with another datum, from the message to the row."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from fixtures.stack import DatabaseUrls
from geo.crs import Datum, convert_point
from geo.distance import geodesic_m
from geo.fix import Source
from ingest.devices import LookUp, Registry
from ingest.intake import Intake, Message
from server.clock import ManualClock
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import NotFound
from server.people.datums import set_datum
from tests.factories.consumer import Rows
from tests.factories.crew import Phone, enlist, plain_url

NOW = datetime(2026, 11, 18, 4, 0, tzinfo=UTC)
CLOCK = ManualClock(NOW)
VAULT = Vault(bytes(range(32)))
HERE = (121.47, 31.23)
TENANT = 1


@pytest.fixture
def sessions(database: DatabaseUrls) -> Iterator[sessionmaker[Session]]:
    engine = make_engine(database.ingest, pool_size=1)
    yield make_session_factory(engine)
    engine.dispose()


@pytest.fixture
def phones(database: DatabaseUrls) -> list[Phone]:
    return enlist(database, 4, tenant_id=TENANT, around=NOW)


@pytest.fixture
def rows(database: DatabaseUrls) -> Rows:
    return Rows(database)


def state(
    database: DatabaseUrls,
    phone: Phone,
    datum: Datum,
    sources: dict[Source, Datum] | None = None,
) -> None:
    engine = make_engine(database.app, pool_size=1)
    try:
        with unit_of_work(make_session_factory(engine), tenant_id=TENANT) as session:
            set_datum(
                session,
                CLOCK,
                tenant_id=TENANT,
                device_id=phone.device_id,
                datum=datum,
                sources=sources,
            )
    finally:
        engine.dispose()


def sent(phone: Phone, second: int = 0, **more: Any) -> Message:
    body = {"_type": "location", "lon": HERE[0], "lat": HERE[1], "acc": 9}
    return Message(
        phone.topic,
        json.dumps(body | {"tst": int(NOW.timestamp()) + second} | more).encode(),
        NOW.timestamp() + second,
    )


def take(sessions: sessionmaker[Session], intake: Intake, *messages: Message) -> None:
    with unit_of_work(sessions, tenant_id=None) as session:
        taken = intake.take(session, messages)
    intake.committed(taken, NOW.timestamp())


def place(rows: Rows, table: str, phone: Phone) -> tuple[float, float]:
    column = "device_id"
    lon = rows.one(f"SELECT ST_X(position) FROM {table} WHERE {column} = %s", phone.device_id)
    lat = rows.one(f"SELECT ST_Y(position) FROM {table} WHERE {column} = %s", phone.device_id)
    return float(lon), float(lat)


def test_each_device_is_converted_from_what_it_speaks_and_no_other(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone], rows: Rows
) -> None:
    for phone, datum in zip(phones, (Datum.WGS84, Datum.GCJ02, Datum.BD09), strict=False):
        state(database, phone, datum)
    intake = Intake(directory=LookUp(VAULT), vault=VAULT)
    # A field of text that plain positions lack sends a message the slow way.
    take(sessions, intake, *(sent(p) for p in phones[:3]), sent(phones[3], poi="x" * 20))
    for phone, datum in zip(phones, (Datum.WGS84, Datum.GCJ02, Datum.BD09), strict=False):
        expected = convert_point(lon_deg=HERE[0], lat_deg=HERE[1], source=datum, target=Datum.WGS84)
        for table in ("fixes", "last_positions"):
            assert place(rows, table, phone) == pytest.approx(expected, abs=1e-9), (datum, table)
    shifted = place(rows, "fixes", phones[1])
    off_m = geodesic_m(lon1_deg=HERE[0], lat1_deg=HERE[1], lon2_deg=shifted[0], lat2_deg=shifted[1])
    assert 400 < off_m < 600


def test_a_source_may_speak_another_datum_than_the_rest_of_its_device(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone], rows: Rows
) -> None:
    one, other, plain = phones[:3]
    state(database, one, Datum.WGS84, {Source.WIFI: Datum.GCJ02, Source.LBS: Datum.BD09})
    state(database, other, Datum.BD09, {Source.GPS: Datum.WGS84})
    spoken = {
        (one, "gps"): Datum.WGS84, (one, "wifi"): Datum.GCJ02, (one, "lbs"): Datum.BD09,
        (other, "gps"): Datum.WGS84, (other, "wifi"): Datum.BD09, (plain, "wifi"): Datum.WGS84,
    }  # fmt: skip
    messages = [sent(phone, src=source) for phone, source in spoken]
    take(sessions, Intake(directory=LookUp(VAULT), vault=VAULT), *messages)
    for (phone, source), datum in spoken.items():
        query = (
            "SELECT ST_X(position), ST_Y(position) FROM fixes WHERE device_id = %s AND source = %s"
        )
        (found,) = rows.all(query, phone.device_id, source)
        expected = convert_point(lon_deg=HERE[0], lat_deg=HERE[1], source=datum, target=Datum.WGS84)
        assert found == pytest.approx(expected, abs=1e-9), (source, datum)


def test_the_message_stays_as_it_came(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone], rows: Rows
) -> None:
    state(database, phones[0], Datum.GCJ02)
    take(sessions, Intake(directory=LookUp(VAULT), vault=VAULT), sent(phones[0]))
    raw = rows.one("SELECT raw FROM fixes WHERE device_id = %s", phones[0].device_id)
    assert json.loads(bytes(raw))["lon"] == HERE[0]


def test_the_same_message_again_is_a_duplicate(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone], rows: Rows
) -> None:
    state(database, phones[0], Datum.GCJ02)
    intake = Intake(directory=LookUp(VAULT), vault=VAULT)
    for _ in range(2):
        take(sessions, intake, sent(phones[0]))
    assert rows.one("SELECT count(*) FROM fixes WHERE device_id = %s", phones[0].device_id) == 1


def test_an_event_with_a_place_is_converted_too(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone], rows: Rows
) -> None:
    state(database, phones[0], Datum.GCJ02)
    event = sent(phones[0], _type="transition", event="enter", wtst=1, desc="gate")
    take(
        sessions,
        Intake(directory=LookUp(VAULT), vault=VAULT),
        Message(f"{phones[0].topic}/event", event.payload, event.received_s),
    )
    body = rows.one("SELECT body FROM device_events WHERE device_id = %s", phones[0].device_id)
    expected = convert_point(
        lon_deg=HERE[0], lat_deg=HERE[1], source=Datum.GCJ02, target=Datum.WGS84
    )
    assert (body["lon"], body["lat"]) == pytest.approx(expected, abs=1e-9)


def test_a_running_consumer_hears_of_the_change(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone]
) -> None:
    del sessions
    with psycopg.connect(plain_url(database.ingest), autocommit=True) as ears:
        ears.execute("LISTEN devices")
        state(database, phones[0], Datum.BD09)
        heard = list(ears.notifies(timeout=60, stop_after=1))
    assert [note.payload for note in heard] == [phones[0].username]


def test_a_memory_of_devices_knows_their_datum(
    database: DatabaseUrls, sessions: sessionmaker[Session], phones: list[Phone]
) -> None:
    registry = Registry(VAULT)
    state(database, phones[0], Datum.GCJ02)
    with unit_of_work(sessions, tenant_id=None) as session:
        found = registry.find(session, phones[0].username)
        assert found is not None
        assert found.datum is Datum.GCJ02


def test_stating_it_is_audited_once(
    database: DatabaseUrls, phones: list[Phone], rows: Rows
) -> None:
    for _ in range(2):
        state(database, phones[0], Datum.GCJ02)
    assert rows.one("SELECT count(*) FROM security_events WHERE kind = %s", "device_datum") == 1


def test_a_statement_replaces_the_one_before_and_says_so(
    database: DatabaseUrls, phones: list[Phone], rows: Rows
) -> None:
    state(database, phones[0], Datum.WGS84, {Source.WIFI: Datum.GCJ02, Source.GPS: Datum.WGS84})
    state(database, phones[0], Datum.BD09)
    query = "SELECT datum, source_datums, datum_stated_at FROM devices WHERE id = %s"
    assert rows.all(query, phones[0].device_id) == [("bd09", {}, NOW)]
    told = rows.all("SELECT detail FROM security_events WHERE kind = 'device_datum' ORDER BY id")
    assert [detail for (detail,) in told] == [
        {"datum": "wgs84", "wifi": "gcj02", "before": {"datum": "wgs84"}},
        {"datum": "bd09", "before": {"datum": "wgs84", "wifi": "gcj02"}},
    ]


def test_nobody_states_it_for_another_tenant(database: DatabaseUrls, phones: list[Phone]) -> None:
    engine = make_engine(database.app, pool_size=1)
    factory = make_session_factory(engine)
    try:
        with (
            pytest.raises(NotFound),
            unit_of_work(factory, tenant_id=TENANT + 1) as session,
        ):
            set_datum(
                session,
                CLOCK,
                tenant_id=TENANT + 1,
                device_id=phones[0].device_id,
                datum=Datum.GCJ02,
            )
        with unit_of_work(factory, tenant_id=TENANT) as session:
            kept = session.scalar(
                text("SELECT datum FROM devices WHERE id = :id"), {"id": phones[0].device_id}
            )
        assert kept == "wgs84"
    finally:
        engine.dispose()
