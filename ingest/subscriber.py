"""The broker's only consumer: paho, with chunked reads and acknowledgements in one write.

paho keeps the connection; this subclass replaces how bytes are read. A chunk of up to
256 KiB is read at once, PUBLISH frames are cut out of it in a loop and handed over as one
list, and everything else goes to paho's own handlers. Nothing is parsed here beyond the
frame, and no callback of ours can raise into paho's thread.
"""

import contextlib
import logging
import select
import threading
import time
from collections.abc import Callable, Sequence

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.exception import MQTTException
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.handover import Handover, Parcel
from ingest.intake import Message
from ingest.topics import CANARY, FILTERS

CLIENT_ID = "ingest"
DROPPED_TOPIC = "$SYS/broker/publish/messages/dropped"
KEEPALIVE_S = 60
TOPICS = (*((phones, 1) for phones in FILTERS), (CANARY, 0), (DROPPED_TOPIC, 0))
_CHUNK = 262_144
_PUBLISH = 0x30
_PUBACK = 0x40
_RETAINED_OR_AGAIN = 0x09
_MAX_PAUSE_S = 0.05

log = logging.getLogger(__name__)


class Subscriber(mqtt.Client):
    """A persistent, manually acknowledged subscription to all phones.

    Parameters
    ----------
    handover : where lists of messages go; while it is full the socket is not read, so that
        the broker keeps what does not fit.
    client_id : fixed; the broker binds it to the credential.
    topics : filters and QoS.
    clock : epoch seconds, stamped on each chunk as `received_s`.
    """

    def __init__(
        self,
        handover: Handover,
        *,
        username: str,
        password: str,
        client_id: str = CLIENT_ID,
        topics: Sequence[tuple[str, int]] = TOPICS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=False,
            protocol=mqtt.MQTTv311,
            manual_ack=True,
        )
        self.username_pw_set(username, password)
        self.reconnect_delay_set(min_delay=1, max_delay=2)
        self.suppress_exceptions = True
        self.on_connect = _subscribe
        self.on_disconnect = _note_disconnect
        self.topics = list(topics)
        self.connected_at: float | None = None
        self.refused: str | None = None
        self._handover = handover
        self._clock = clock
        self._generation = 0
        self._ack_lock = threading.Lock()
        self._rest = b""

    @property
    def generation(self) -> int:
        """Number of the current connection; acknowledgements of older ones are not sent."""
        return self._generation

    def acknowledge(self, parcels: Sequence[Parcel], *, only: int | None = None) -> int:
        """Acknowledge messages in order of receipt, as one write.

        Parameters
        ----------
        parcels : whose messages are committed.
        only : acknowledge just the first so many; for crash tests.

        Returns
        -------
        How many acknowledgements were queued. Messages of an older connection are skipped:
        their packet ids may name other messages now, and the broker sends them again.
        """
        ids = [
            packet_id
            for parcel in parcels
            if parcel.generation == self._generation
            for packet_id in parcel.packet_ids
            if packet_id
        ][:only]
        if not ids:
            return 0
        frames = b"".join([b"\x40\x02" + packet_id.to_bytes(2, "big") for packet_id in ids])
        newest = max(parcel.generation for parcel in parcels)
        with self._ack_lock:
            # A reconnect takes the same lock before it clears what is still to be sent.
            if newest != self._generation:
                return 0
            self._packet_queue(_PUBACK, frames, 0, 0)
        return len(ids)

    def resume_reading(self) -> None:
        """Wake the network thread after the handover was emptied."""
        if self._sockpairW is not None:
            with contextlib.suppress(OSError):
                self._sockpairW.send(b"0")

    def reconnect(self) -> MQTTErrorCode:
        """Connect again; what was read over the old connection can no longer be acknowledged."""
        with self._ack_lock:
            self._generation += 1
            self._rest = b""
            self._out_packet.clear()
        return super().reconnect()

    def _loop(self, timeout: float = 1.0) -> MQTTErrorCode:
        """One turn of paho's loop that leaves the socket alone while the handover is full."""
        if not self._handover.is_full or self._sock is None:
            return super()._loop(timeout)
        # The broker's answers to pings lie behind unread messages: being deaf by choice is
        # no sign of a dead connection. Pings still go out, so the broker keeps us.
        with self._msgtime_mutex:
            self._last_bytes_received = mqtt.time_func()
        self._ping_t = 0.0
        rlist = [self._sockpairR] if self._sockpairR is not None else []
        wlist = [self._sock] if self.want_write() else []
        try:
            readable, writable, _ = select.select(rlist, wlist, [], min(timeout, _MAX_PAUSE_S))
        except (OSError, TypeError, ValueError):
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if readable and self._sockpairR is not None:
            with contextlib.suppress(BlockingIOError):
                self._sockpairR.recv(10_000)
        if writable or self.want_write():
            code = self.loop_write()
            if code or self._sock is None:
                return code
        return self.loop_misc()

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read one chunk and handle every complete frame in it."""
        del max_packets
        if self._sock is None:
            return MQTTErrorCode.MQTT_ERR_NO_CONN
        try:
            chunk = self._sock_recv(_CHUNK)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError as error:
            log.warning("broker connection lost: %s", error)
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        if not chunk:
            return self._loop_rc_handle(MQTTErrorCode.MQTT_ERR_CONN_LOST)
        with self._msgtime_mutex:
            self._last_bytes_received = mqtt.time_func()
        code = self._handle_frames(self._rest + chunk if self._rest else chunk)
        return self._loop_rc_handle(code) if code else code

    def _handle_frames(self, data: bytes) -> MQTTErrorCode:
        """Cut frames out of bytes; what is incomplete stays for the next chunk."""
        received_s = self._clock()
        messages: list[Message] = []
        packet_ids: list[int] = []
        add_message, add_id = messages.append, packet_ids.append
        code = MQTTErrorCode.MQTT_ERR_SUCCESS
        position, end = 0, len(data)
        while end - position >= 2:
            length, body = data[position + 1], position + 2
            if length > 127:
                found = _long_length(data, position + 1)
                if found is None:
                    if end - position > 4:
                        code = MQTTErrorCode.MQTT_ERR_PROTOCOL
                    break
                length, body = found
            after = body + length
            if after > end:
                break
            head = data[position]
            position = after
            if head & 0xF0 != _PUBLISH:
                code = self._handle_other(head, data[body:after])
                if code or self._sock is None:
                    break
                continue
            start = body + 2 + (data[body] << 8 | data[body + 1]) if length >= 2 else end + 1
            topic = data[body + 2 : start]
            packet_id = 0
            if head & 0x06:
                packet_id = int.from_bytes(data[start : start + 2], "big")
                start += 2
            # We subscribe with QoS 1 at most; anything else is not the protocol.
            if start > after or head & 0x06 > 2 or (head & 0x06 and not packet_id):
                code = MQTTErrorCode.MQTT_ERR_PROTOCOL
                break
            add_message(
                Message(
                    topic, data[start:after], received_s, retained=bool(head & 1), is_live=False
                )
                if head & _RETAINED_OR_AGAIN
                else Message(topic, data[start:after], received_s)
            )
            add_id(packet_id)
        self._rest = data[position:]
        if messages:
            self._handover.put(Parcel(self._generation, messages, packet_ids))
        return code

    def _handle_other(self, head: int, body: bytes) -> MQTTErrorCode:
        """Let paho handle a frame that is not a PUBLISH."""
        self._in_packet["command"] = head
        self._in_packet["packet"] = bytearray(body)
        try:
            return self._packet_handle()
        except (MQTTException, ValueError, IndexError) as error:
            log.warning("malformed packet from the broker: %s", error)
            return MQTTErrorCode.MQTT_ERR_PROTOCOL
        finally:
            self._in_packet["command"] = 0
            self._in_packet["packet"] = bytearray()


def _long_length(data: bytes, position: int) -> tuple[int, int] | None:
    """Return a remaining length of several bytes and where the body begins; None if cut off."""
    length = shift = 0
    for offset in range(4):
        if position + offset >= len(data):
            return None
        byte = data[position + offset]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return length, position + offset + 1
    return None


def _subscribe(
    client: mqtt.Client,
    _userdata: object,
    flags: mqtt.ConnectFlags,
    reason: ReasonCode,
    _properties: Properties | None,
) -> None:
    assert isinstance(client, Subscriber)
    if reason.is_failure:
        client.refused = str(reason)
        log.error("the broker refuses ingest: %s", reason)
        return
    client.refused = None
    client.connected_at = time.monotonic()
    log.info("connected to the broker, session %s", "kept" if flags.session_present else "new")
    client.subscribe(client.topics)


def _note_disconnect(
    client: mqtt.Client,
    _userdata: object,
    _flags: mqtt.DisconnectFlags,
    reason: ReasonCode,
    _properties: Properties | None,
) -> None:
    assert isinstance(client, Subscriber)
    client.connected_at = None
    log.warning("disconnected from the broker: %s", reason)
