"""A night off duty, flushed on duty through every door, is nowhere afterwards.

The coordinate that marks it is looked for as text and as the eight bytes of a float, in
every table, in Redis, in what the broker retains, in the logs and in the process's files.
"""

import gzip
import json
import logging
import struct
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from ingest.door import Door
from ingest.intake import Message
from ingest.sweeper import Sweeper
from server.broker.config import INGEST
from server.crypto import Vault
from server.settings import Settings
from server.tracking.records import Via
from tests.factories.consumer import Consumer, Rows, wait_until
from tests.factories.crew import HALF_SHIFT, Phone, admit, enlist, plain_url
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt
LAT = 31.777_123_5
_BYTES = [struct.pack("<d", LAT), struct.pack(">d", LAT)]
MARKS = [b"31.7771235", *_BYTES, *[piece.hex().encode() for piece in _BYTES]]


@pytest.fixture
def phone(database: DatabaseUrls) -> Phone:
    """One who came on duty half an hour ago."""
    around = datetime.now(UTC) + HALF_SHIFT - timedelta(minutes=30)
    (made,) = enlist(database, 1, around=around)
    return made


@pytest.fixture
def sweeper(stack: Stack, phone: Phone) -> Iterator[Sweeper]:
    admit(stack, [phone])
    known = stack.credentials
    made = Sweeper("127.0.0.1", known.service_port, known.mqtt_keeper_password, every_s=0.5)
    made.start()
    yield made
    made.stop()


def _night(phone: Phone) -> list[tuple[str, bytes]]:
    """Topic and payload of everything a phone may say of three hours ago."""
    tst = int(time.time()) - 3 * 3600
    fix: dict[str, object] = {"_type": "location", "tst": tst, "lat": LAT, "lon": 121.5}
    text = json.dumps(fix)
    said: list[object] = [
        fix,
        fix | {"lat": None, "was": LAT},
        fix | {"lon": 999},
        fix | {"_type": "nosuch"},
        fix | {"_type": "cmd"},
        fix | {f"k{no}": LAT for no in range(100)},
        fix | {"tst": tst * 1000},
        fix | {"tst": tst + 86_400},
        [fix, 7, fix | {"_type": "nosuch"}],
        [fix] * 501,
        {"_type": "encrypted", "data": "c2VhbGVk", "hint": LAT},
        {"lat": LAT},
        {"_type": "nosuch", "lat": LAT, "lon": 121.5},
    ]
    payloads = [json.dumps(one).encode() for one in said]
    payloads += [text[:-1].encode(), text[:-1].encode() + b',"lat":1}', text.encode("utf-16")]
    payloads += [text.encode() + b"x", b"\xff" + text.encode(), gzip.compress(text.encode())]
    events: list[tuple[str, object]] = [
        ("event", {"_type": "transition", "event": "enter"} | {"tst": tst, "lat": LAT, "lon": 1}),
        ("event", {"_type": "transition", "event": "enter", "lat": LAT, "lon": 1}),
        ("event", {"_type": "transition", "event": "nosuch", "tst": tst, "lat": LAT, "lon": 1}),
        ("waypoint", {"_type": "waypoint", "desc": "h", "tst": tst, "lat": LAT, "lon": 1}),
        ("waypoint", {"_type": "waypoint", "desc": "h", "tst": tst, "lat": LAT, "lon": 999}),
        ("status", {"_type": "status", "android": {"lat": LAT, "wifi": LAT}, "lat": LAT}),
        ("status", {"_type": "status", "iOS": {"version": str(LAT)}}),
        ("step", {"_type": "steps", "steps": 5, "lat": LAT, "tst": tst}),
        ("beacon", {"_type": "beacon", "uuid": str(LAT), "tst": tst}),
        ("dump", {"_type": "dump", "configuration": {"lat": LAT}}),
    ]
    named = [(f"{phone.topic}/{kind}", json.dumps(event).encode()) for kind, event in events]
    return [(phone.topic, payload) for payload in payloads] + named


def _places(database: DatabaseUrls, stack: Stack, files: list[Path]) -> Iterator[tuple[str, bytes]]:
    """Everything that was written down, by where it is."""
    with psycopg.connect(plain_url(database.superuser)) as connection:
        tables = connection.execute(
            "SELECT table_schema, table_name FROM information_schema.tables"
            " WHERE table_schema NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        for schema, table in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
            for (row,) in connection.execute(query):
                yield table, row.lower().encode()
    with Redis.from_url(stack.redis.url) as redis:
        for key in redis.scan_iter():
            kind = redis.type(key)
            value = redis.xrange(key) if kind == b"stream" else redis.dump(key)
            yield f"redis {key!r}", repr(value).encode() if kind == b"stream" else bytes(value)
    for path in files:
        yield path.name, path.read_bytes()
    known = stack.credentials
    with MqttClient(known.service_port, INGEST, known.mqtt_ingest_password) as client:
        client.subscribe("owntracks/#")
        time.sleep(0.5)
        while not client.received.empty():
            yield "broker", bytes(client.take(0).payload)


def test_a_night_flushed_on_duty_is_nowhere(
    stack: Stack,
    database: DatabaseUrls,
    phone: Phone,
    sweeper: Sweeper,
    consumer: Consumer,
    rows: Rows,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    consumer.start()
    consumer.wait_connected()
    night = _night(phone)
    with MqttClient(stack.credentials.device_port, phone.username, phone.secret) as client:
        for topic, payload in night:
            client.publish(topic, payload, retain=True)
        now = {"_type": "location", "tst": int(time.time()), "lat": 31.2, "lon": 121.5}
        client.publish(phone.topic, json.dumps(now))
    settings = Settings.from_environ(stack.settings_env(database), role="ingest")
    door = Door(settings.database_url, Vault(settings.data_key))
    for topic, payload in night:
        door.store(Message(topic, payload, time.time(), Via.HTTP))
    wait_until(lambda: rows.one("SELECT count(*) FROM fixes") == 1)
    assert rows.one("SELECT count(*) FROM quarantine") > 10
    wait_until(lambda: sweeper.wiped >= 6)
    assert consumer.stop() == 0
    assert rows.one("SELECT count(*) FROM quarantine WHERE payload IS NOT NULL") == 0
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert consumer.log in files
    assert _holding(database, stack, files) == set()
    assert not any(mark in caplog.text.encode() for mark in MARKS)
    # And were it there, it would be found.
    on_duty = json.dumps(now | {"tst": int(time.time()), "lat": LAT}).encode()
    door.store(Message(phone.topic, on_duty, time.time(), Via.HTTP))
    door.close()
    assert {"fixes", "last_positions"} <= _holding(database, stack, files)


def _holding(database: DatabaseUrls, stack: Stack, files: list[Path]) -> set[str]:
    places = _places(database, stack, files)
    return {where for where, content in places if any(mark in content for mark in MARKS)}
