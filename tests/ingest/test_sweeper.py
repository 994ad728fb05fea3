"""Retained positions against a real broker."""

import json
import queue
from collections.abc import Iterator

import pytest

from fixtures.stack import Stack
from ingest.sweeper import Sweeper
from server.broker.config import INGEST
from tests.factories.consumer import wait_until
from tests.factories.mqtt_client import MqttClient

pytestmark = pytest.mark.mqtt
PHONES = {f"sweep-phone-{no}": "s" for no in range(3)}
FIX = json.dumps({"_type": "location", "lat": 31.777_123, "lon": 121.5, "tst": 1})


@pytest.fixture
def broker(stack: Stack) -> Iterator[Stack]:
    stack.mosquitto.set_devices(PHONES)
    yield stack
    stack.mosquitto.set_devices({})


@pytest.fixture
def sweeper(broker: Stack) -> Iterator[Sweeper]:
    known = broker.credentials
    made = Sweeper("127.0.0.1", known.service_port, known.mqtt_keeper_password, every_s=0.2)
    yield made
    made.stop()
    assert not made.is_alive()


def _retain(stack: Stack, topic: str) -> None:
    username = topic.split("/")[1]
    with MqttClient(stack.credentials.device_port, username, PHONES[username]) as phone:
        phone.publish(topic, FIX, retain=True)


def _retained(stack: Stack) -> set[str]:
    """Topics that whoever subscribes now is sent."""
    known = stack.credentials
    found: set[str] = set()
    # Another name than the keeper's: one client id is one connection.
    with MqttClient(known.service_port, INGEST, known.mqtt_ingest_password) as client:
        client.subscribe("owntracks/#")
        client.subscribe("survey/#")
        while True:
            try:
                message = client.take(0.3)
            except queue.Empty:
                return found
            if message.retain:
                found.add(message.topic)


def test_what_phones_retain_is_wiped_at_the_start_and_while_it_runs(
    broker: Stack, sweeper: Sweeper
) -> None:
    early = [f"owntracks/{name}/phone" for name in PHONES]
    early.append("owntracks/sweep-phone-0/phone/event")
    early.append("owntracks/sweep-phone-1/cmd")
    early.append("survey/sweep-phone-2/lte_message")
    for topic in early:
        _retain(broker, topic)
    assert _retained(broker) >= set(early)
    sweeper.start()
    wait_until(lambda: not _retained(broker))
    _retain(broker, early[0])
    wait_until(lambda: not _retained(broker))
    assert sweeper.wiped >= len(early) + 1


def test_it_takes_no_part_in_the_stream_of_positions(broker: Stack, sweeper: Sweeper) -> None:
    sweeper.start()
    wait_until(sweeper._client.is_connected)
    wiped = sweeper.wiped
    name = "sweep-phone-1"
    with MqttClient(broker.credentials.device_port, name, PHONES[name]) as phone:
        for _ in range(50):
            phone.publish(f"owntracks/{name}/phone", FIX)
    assert sweeper.wiped == wiped
