"""Reads plain positions ahead, while the database works on the batch before.

A thread of its own between the one that reads the broker and the one that writes rows. It
needs the messages only; whose they are and whether they may be kept is the writer's business.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from itertools import groupby

from ingest.attempts import Attempts, Watch, watched
from ingest.bulk import read_ahead
from ingest.handover import Handover, Parcel
from ingest.health import Pulse
from ingest.intake import Message
from ingest.salvage import FAULTS
from ingest.subscriber import DROPPED_TOPIC, Subscriber
from ingest.topics import CANARY

LIMIT = 2_000
LINGER_S = 0.003
_IDLE_S = 0.5
_CANARY, _DROPPED = CANARY.encode(), DROPPED_TOPIC.encode()

log = logging.getLogger(__name__)


class Reader(threading.Thread):
    """Takes parcels as they come, hands them on with what was read of them.

    Parameters
    ----------
    raw, ready : where parcels come from and go to; `ready` is closed once `raw` is drained.
    subscriber : told when it may read on.
    pulse : given the canaries and what the broker says of itself; phones never send those.
    attempts : of this thread alone: what it has in hand; closed when it ends.
    suspects : knows what was in hand when the last run died; that is not read ahead, for each
        of them has to be looked at alone.
    before_decode : called with each message before it is looked at; tests crash here.
    """

    def __init__(
        self,
        raw: Handover,
        ready: Handover,
        *,
        subscriber: Subscriber,
        pulse: Pulse,
        attempts: Attempts,
        suspects: Watch,
        before_decode: Callable[[Message], None] | None = None,
    ) -> None:
        super().__init__(name="ingest-reader", daemon=True)
        self._raw = raw
        self._ready = ready
        self._subscriber = subscriber
        self._pulse = pulse
        self._attempts = attempts
        self._suspects = suspects
        self._before_decode = before_decode

    def run(self) -> None:
        """Read until `raw` is closed and drained."""
        while not self._raw.is_drained:
            while self._ready.is_full:
                self._ready.await_room(_IDLE_S)
            parcels = self._raw.take(limit=LIMIT, linger_s=LINGER_S, timeout_s=_IDLE_S)
            self._subscriber.resume_reading()
            for generation, some in groupby(parcels, key=lambda parcel: parcel.generation):
                self._ready.put(self._read(generation, list(some)))
        self._attempts.close()
        self._ready.close()

    def _read(self, generation: int, parcels: Sequence[Parcel]) -> Parcel:
        """Return parcels of one connection as one, with the plain positions in it."""
        messages: list[Message] = []
        packet_ids: list[int] = []
        for parcel in parcels:
            for message, packet_id in zip(parcel.messages, parcel.packet_ids, strict=True):
                if message.topic == _CANARY:
                    self._pulse.canary(message.payload, message.received_s)
                elif message.topic == _DROPPED:
                    self._pulse.dropped(message.payload)
                else:
                    messages.append(message)
                    packet_ids.append(packet_id)
        if not messages or self._are_suspected(messages):
            return Parcel(generation, messages, packet_ids)
        with watched(self._attempts, messages):
            try:
                if self._before_decode is not None:
                    for message in messages:
                        self._before_decode(message)
                plain = read_ahead(messages)
            except FAULTS:
                log.exception("%d messages cannot be read together", len(messages))
                return Parcel(generation, messages, packet_ids)
        return Parcel(generation, messages, packet_ids, plain)

    def _are_suspected(self, messages: Sequence[Message]) -> bool:
        suspects = self._suspects
        return suspects.has_suspects and any(suspects.crashes(message) for message in messages)
