"""Frames cut out of chunks, against paho's own encoding of them."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import MQTTErrorCode

from fixtures.stack import Stack
from ingest.handover import Handover, Parcel
from ingest.intake import Message
from ingest.subscriber import Subscriber
from server.broker.config import INGEST
from tests.factories.consumer import wait_until
from tests.factories.mqtt_client import MqttClient


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, digit = divmod(value, 128)
        encoded.append(digit | (128 if value else 0))
        if not value:
            return bytes(encoded)


def _publish(topic: bytes, payload: bytes, packet_id: int, *, flags: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    body += packet_id.to_bytes(2, "big") if packet_id else b""
    body += payload
    head = 0x30 | flags | (2 if packet_id else 0)
    return bytes([head]) + _length(len(body)) + body


def _subscriber(handover: Handover) -> Subscriber:
    return Subscriber(handover, username="u", password="p", clock=lambda: 5.0)


@given(
    sent=st.lists(
        st.tuples(
            st.binary(min_size=1, max_size=30),
            st.binary(max_size=40) | st.just(b"x" * 300) | st.just(b"y" * 20_000),
            st.integers(0, 65_535),
        ),
        max_size=12,
    ),
    seed=st.integers(0, 2**16),
)
def test_frames_survive_any_cutting_of_the_stream(
    sent: list[tuple[bytes, bytes, int]], seed: int
) -> None:
    handover = Handover()
    subscriber = _subscriber(handover)
    stream = b"".join(_publish(topic, payload, number) for topic, payload, number in sent)
    chance = random.Random(seed)
    while stream:
        size = chance.choice([1, 2, 3, 50, 1000, 100_000])
        piece, stream = stream[:size], stream[size:]
        assert subscriber._handle_frames(subscriber._rest + piece) == MQTTErrorCode.MQTT_ERR_SUCCESS
    parcels = handover.take(limit=1000, linger_s=0, timeout_s=0)
    found = [
        (message.topic, message.payload, number)
        for parcel in parcels
        for message, number in zip(parcel.messages, parcel.packet_ids, strict=True)
    ]
    assert found == sent
    assert all(m.received_s == 5.0 for parcel in parcels for m in parcel.messages)


def test_the_retain_flag_is_kept() -> None:
    handover = Handover()
    _subscriber(handover)._handle_frames(_publish(b"t", b"p", 1, flags=1))
    (parcel,) = handover.take(limit=1, linger_s=0, timeout_s=0)
    assert parcel.messages[0].retained


def test_retained_or_delivered_again_is_not_live() -> None:
    handover = Handover()
    frames = b"".join(_publish(b"t", b"p", 1, flags=flags) for flags in (0, 1, 8))
    _subscriber(handover)._handle_frames(frames)
    (parcel,) = handover.take(limit=1, linger_s=0, timeout_s=0)
    assert [message.is_live for message in parcel.messages] == [True, False, False]


@pytest.mark.parametrize(
    "frame",
    [
        b"\x30\xff\xff\xff\xff\xff\x01",
        b"\x32\x03\x00\x05a",
        b"\x34\x05\x00\x01a\x00\x01",
        b"\x32\x05\x00\x01a\x00\x00",
        b"\xf0\x00",
    ],
    ids=["length of five bytes", "topic beyond the end", "QoS 2", "packet id 0", "no such packet"],
)
def test_what_is_not_the_protocol_breaks_the_connection_off(frame: bytes) -> None:
    assert _subscriber(Handover())._handle_frames(frame) == MQTTErrorCode.MQTT_ERR_PROTOCOL


def test_acknowledgements_of_an_older_connection_are_not_sent() -> None:
    subscriber = _subscriber(Handover())
    old = Parcel(subscriber.generation, [Message("t", b"", 0.0)], [7])
    assert subscriber.acknowledge([old]) == 1
    with pytest.raises(ValueError, match="host"):
        subscriber.reconnect()
    assert subscriber.acknowledge([old]) == 0
    assert not subscriber._out_packet


def test_acknowledgements_go_out_as_one_buffer_in_order_of_receipt() -> None:
    subscriber = _subscriber(Handover())
    subscriber._on_socket_register_write = lambda *_: None
    messages = [Message("t", b"", 0.0)] * 3
    subscriber.acknowledge([Parcel(0, messages, [258, 0, 3]), Parcel(0, messages, [1, 2, 4])])
    (packet,) = subscriber._out_packet
    assert bytes(packet["packet"]) == b"".join(
        b"\x40\x02" + number.to_bytes(2, "big") for number in (258, 3, 1, 2, 4)
    )


@pytest.mark.mqtt
def test_a_full_handover_stops_the_reading_and_nothing_is_dropped(stack: Stack) -> None:
    stack.mosquitto.set_devices({"pressure-phone": "s"})
    handover = Handover(max_messages=50)
    subscriber = Subscriber(
        handover,
        username=INGEST,
        password=stack.credentials.broker_password(INGEST),
        topics=[("owntracks/pressure-phone/#", 1)],
    )
    subscriber.connect_async("127.0.0.1", stack.credentials.service_port, keepalive=2)
    subscriber.loop_start()
    try:
        wait_until(lambda: subscriber.connected_at is not None)
        count = 5_000
        with MqttClient(stack.credentials.device_port, "pressure-phone", "s") as client:
            for number in range(count - 1):
                client._client.publish("owntracks/pressure-phone/x", f"{number:0500}", qos=1)
            client.publish("owntracks/pressure-phone/x", f"{count - 1:0500}")
        generation = subscriber.generation
        time.sleep(5)
        assert 50 <= handover.waiting < count
        # Deaf by choice for longer than the keepalive, and still the same connection.
        assert subscriber.generation == generation
        seen: list[int] = []
        while len(seen) < count:
            parcels = handover.take(limit=100, linger_s=0, timeout_s=5)
            assert parcels
            seen += [int(m.payload) for parcel in parcels for m in parcel.messages]
            subscriber.acknowledge(parcels)
            subscriber.resume_reading()
        assert seen == list(range(count))
    finally:
        subscriber.disconnect()
        subscriber.loop_stop()
