"""Wipes what phones had the broker retain: a position must not wait there for anybody.

Most apps publish with the retain flag, and the broker would then hold each phone's last
position, off duty or not, and hand it to whoever subscribes next. A subscriber sees the flag
only on what was retained before it subscribed, so this one subscribes again and again, for
no longer than the answer takes.

Its connection also carries commands to phones (`ingest.commands`), because the broker knows
one client per service account.
"""

import logging
import threading

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from ingest.topics import FILTERS
from server.broker.config import GATEKEEPER

SWEEP_S = 15.0
_KEEPALIVE_S = 60
_COMMAND_LEVELS = 4
_ACK_S = 3.0

log = logging.getLogger(__name__)


class Sweeper(threading.Thread):
    """Replaces every retained message of a phone by an empty one, which retains nothing.

    Parameters
    ----------
    host, port : the broker's listener for services.
    password : of the service `keeper`.
    every_s : seconds between two looks; also how long something can stay retained.
    """

    def __init__(self, host: str, port: int, password: str, *, every_s: float = SWEEP_S) -> None:
        super().__init__(name="retained-sweeper", daemon=True)
        self.wiped = 0
        self._every_s = every_s
        self._stopped = threading.Event()
        self._wake = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=GATEKEEPER,
            # Only version 5 lets a message expire.
            protocol=mqtt.MQTTv5,
        )
        self._client.username_pw_set(GATEKEEPER, password)
        self._client.reconnect_delay_set(min_delay=1, max_delay=5)
        self._client.suppress_exceptions = True
        self._client.on_connect = self._on_connect
        # The broker queues what is retained before it answers, so nothing more is needed then.
        self._client.on_subscribe = lambda client, *_: client.unsubscribe([*FILTERS])
        self._client.on_message = self._on_message
        self._client.connect_async(host, port, keepalive=_KEEPALIVE_S, clean_start=True)

    def run(self) -> None:
        """Sweep until stopped; while the broker is away there is nothing to sweep."""
        self._client.loop_start()
        while not self._stopped.is_set():
            before = self.wiped
            self._wake.wait(self._every_s)
            self._wake.clear()
            if self._client.is_connected():
                self._client.subscribe([(phones, 0) for phones in FILTERS])
            if self.wiped > before:
                log.info("wiped %d retained messages", self.wiped - before)
        self._client.disconnect()
        self._client.loop_stop()

    def publish(self, topic: str, payload: bytes, lives_s: int) -> bool:
        """Publish with QoS 1, not retained, and wait for the broker; from any thread.

        Parameters
        ----------
        lives_s : seconds after which the broker forgets what it could not deliver.

        Returns
        -------
        Whether the broker acknowledged it.
        """
        if not self._client.is_connected():
            return False
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = lives_s
        sent = self._client.publish(topic, payload, qos=1, properties=properties)
        try:
            sent.wait_for_publish(_ACK_S)
        except (RuntimeError, ValueError):
            # Disconnected meanwhile, or the client's queue is full.
            return False
        return sent.is_published()

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        self._wake.set()
        self.join(5)

    def _on_connect(
        self, _client: object, _data: object, _flags: object, reason: object, _props: object
    ) -> None:
        if getattr(reason, "is_failure", False):
            log.error("the broker refuses the gatekeeper: %s", reason)
        self._wake.set()

    def _on_message(self, client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        if message.retain and message.payload and not _is_command(message.topic):
            client.publish(message.topic, b"", qos=1, retain=True)
            self.wiped += 1


def _is_command(topic: str) -> bool:
    """Tell a command to a phone (`owntracks/<user>/<device>/cmd`) from a device called cmd."""
    levels = topic.split("/")
    return len(levels) == _COMMAND_LEVELS and levels[-1] == "cmd"
