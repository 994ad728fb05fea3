import threading
import time
from collections.abc import Iterator

import psycopg
import pytest

from fixtures.stack import DatabaseUrls, Stack
from ingest.gatekeeper import run_gatekeeper
from server.broker.config import GATEKEEPER, INGEST
from server.settings import Settings
from tests.factories.crew import admit, enlist, plain_url
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt


@pytest.fixture
def running(stack: Stack, database: DatabaseUrls) -> Iterator[None]:
    settings = Settings.from_environ(
        stack.settings_env(database, mqtt_user=GATEKEEPER), role="engine"
    )
    stopped = threading.Event()
    thread = threading.Thread(target=run_gatekeeper, args=(settings, stopped))
    thread.start()
    yield
    stopped.set()
    thread.join(10)
    assert not thread.is_alive()


def _change(database: DatabaseUrls, statement: str, *values: object) -> None:
    with psycopg.connect(plain_url(database.owner)) as connection:
        connection.execute(statement.encode(), values)
        connection.execute("SELECT pg_notify('devices', '')")


def _connects(stack: Stack, username: str, secret: str) -> bool:
    with MqttClient(stack.credentials.device_port, username, secret) as client:
        return client.refused is None


def _retained(stack: Stack) -> list[str]:
    known = stack.credentials
    with MqttClient(known.service_port, INGEST, known.mqtt_ingest_password) as client:
        client.subscribe("owntracks/#")
        time.sleep(0.2)
        sent = [client.take(0) for _ in range(client.received.qsize())]
    return [message.topic for message in sent if message.retain]


def _within(seconds: float, check: object) -> bool:
    assert callable(check)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if check():
            return True
        time.sleep(0.05)
    return False


@pytest.mark.usefixtures("running")
def test_an_enrolled_phone_gets_in_and_a_revoked_one_is_thrown_out(
    stack: Stack, database: DatabaseUrls
) -> None:
    alice, bob = enlist(database, 2)
    _change(database, "SELECT 1")
    assert _within(5, lambda: _connects(stack, alice.username, alice.secret))
    port = stack.credentials.device_port
    with (
        MqttClient(port, alice.username, alice.secret) as revoked,
        MqttClient(port, bob.username, bob.secret) as other,
    ):
        _change(database, "UPDATE devices SET revoked_at = now() WHERE id = %s", alice.device_id)
        assert revoked.disconnected.wait(2.0), "still connected 2 s after being revoked"
        assert not other.disconnected.is_set()
    assert not _connects(stack, alice.username, alice.secret)
    assert _connects(stack, bob.username, bob.secret)


def test_it_wipes_what_was_retained_while_it_was_away(
    stack: Stack, database: DatabaseUrls, request: pytest.FixtureRequest
) -> None:
    (alice,) = enlist(database, 1)
    admit(stack, [alice])
    with MqttClient(stack.credentials.device_port, alice.username, alice.secret) as phone:
        phone.publish(alice.topic, "a place", retain=True)
    assert _retained(stack) == [alice.topic]
    request.getfixturevalue("running")
    assert _within(10, lambda: _retained(stack) == [])


@pytest.mark.usefixtures("running")
def test_access_stays_as_it_is_while_nothing_changes(stack: Stack, database: DatabaseUrls) -> None:
    (alice,) = enlist(database, 1)
    _change(database, "SELECT 1")
    assert _within(5, lambda: _connects(stack, alice.username, alice.secret))
    path = stack.mosquitto.directory / "devices.pw"
    before = path.stat()
    _change(database, "SELECT 1")
    time.sleep(0.6)
    after = path.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
