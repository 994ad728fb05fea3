"""A small MQTT client for tests that talk to a real broker."""

import queue
import ssl
import threading
from types import TracebackType
from typing import Self

from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode


class MqttClient:
    """Connect, publish with QoS 1 and wait, subscribe and take; closes itself."""

    def __init__(
        self,
        port: int,
        username: str,
        password: str,
        *,
        client_id: str = "",
        clean: bool = True,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.received: queue.Queue[MQTTMessage] = queue.Queue()
        self.refused: str | None = None
        self.disconnected = threading.Event()
        self._answered = threading.Event()
        self._subscribed = threading.Event()
        self._port = port
        self._client = Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id or username,
            clean_session=clean,
            reconnect_on_failure=False,
        )
        self._client.username_pw_set(username, password)
        if tls is not None:
            self._client.tls_set_context(tls)
        self._client.on_connect = self._on_connect
        self._client.on_disconnect = self._on_disconnect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_message = self._on_message

    def __enter__(self) -> Self:
        self._client.connect("127.0.0.1", self._port, keepalive=30)
        self._client.loop_start()
        assert self._answered.wait(10), "no answer from the broker"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def publish(
        self, topic: str, payload: bytes | str, *, qos: int = 1, retain: bool = False
    ) -> None:
        """Publish and wait for the broker's acknowledgement."""
        self._client.publish(topic, payload, qos=qos, retain=retain).wait_for_publish(10)

    def offer(self, topic: str, payload: bytes | str, *, qos: int = 1) -> None:
        """Publish without waiting, for what the broker will not acknowledge."""
        self._client.publish(topic, payload, qos=qos)

    def subscribe(self, topic: str) -> None:
        """Subscribe with QoS 1 and wait for the acknowledgement."""
        self._subscribed.clear()
        self._client.subscribe(topic, qos=1)
        assert self._subscribed.wait(10), "no answer to the subscription"

    def take(self, timeout_s: float = 10.0) -> MQTTMessage:
        """Return the next message."""
        return self.received.get(timeout=timeout_s)

    def _on_connect(
        self,
        _client: Client,
        _data: object,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self.refused = str(reason)
        self._answered.set()

    def _on_disconnect(
        self,
        _client: Client,
        _data: object,
        _flags: DisconnectFlags,
        _reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self.disconnected.set()

    def _on_subscribe(
        self,
        _client: Client,
        _data: object,
        _mid: int,
        _reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        self._subscribed.set()

    def _on_message(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        self.received.put(message)
