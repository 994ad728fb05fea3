"""The bounded place between the thread that reads the broker and the one that writes rows."""

import threading
import time
from collections import deque
from dataclasses import dataclass

from ingest.intake import Message
from ingest.wire.plain import Plain


@dataclass(frozen=True, slots=True)
class Parcel:
    """Messages read in one go, with what acknowledging them takes.

    Attributes
    ----------
    generation : number of the connection they came over.
    packet_ids : 0 where no acknowledgement is due; as long as `messages`.
    plain : what was read of the messages ahead of their turn, None for nothing.
    """

    generation: int
    messages: list[Message]
    packet_ids: list[int]
    plain: Plain | None = None


class Handover:
    """A queue that never drops: when it is full the reader stops reading.

    Parameters
    ----------
    max_messages, max_bytes : from here on `is_full`; one parcel may reach beyond.
    """

    def __init__(self, *, max_messages: int = 20_000, max_bytes: int = 32 * 1024 * 1024) -> None:
        self._parcels: deque[Parcel] = deque()
        lock = threading.Lock()
        self._ready = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._messages = 0
        self._bytes = 0
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._closed = False

    @property
    def is_full(self) -> bool:
        """Whether the reader has to wait; a closed queue is full for good."""
        return (
            self._closed or self._messages >= self._max_messages or self._bytes >= self._max_bytes
        )

    @property
    def is_drained(self) -> bool:
        """Whether nothing is inside and nothing will come any more."""
        return self._closed and not self._parcels

    @property
    def waiting(self) -> int:
        """Number of messages inside."""
        return self._messages

    def put(self, parcel: Parcel) -> None:
        """Add a parcel; never blocks and never drops."""
        with self._ready:
            self._parcels.append(parcel)
            self._messages += len(parcel.messages)
            self._bytes += _size(parcel)
            self._ready.notify()

    def take(self, *, limit: int, linger_s: float, timeout_s: float) -> list[Parcel]:
        """Wait for parcels and take them.

        Parameters
        ----------
        limit : stop once this many messages are together; a parcel is never split.
        linger_s : how long to wait for more after the first.
        timeout_s : how long to wait for the first.

        Returns
        -------
        In order of receipt; empty after the time-out or once closed and drained.
        """
        with self._ready:
            if not self._parcels and not self._closed:
                self._ready.wait(timeout_s)
            if not self._parcels:
                return []
            until = time.monotonic() + linger_s
            while self._messages < limit and not self._closed:
                left = until - time.monotonic()
                if left <= 0 or not self._ready.wait(left):
                    break
            taken: list[Parcel] = []
            count = 0
            while self._parcels and (not taken or count + len(self._parcels[0].messages) <= limit):
                parcel = self._parcels.popleft()
                taken.append(parcel)
                count += len(parcel.messages)
                self._bytes -= _size(parcel)
            self._messages -= count
            self._room.notify_all()
            return taken

    def await_room(self, timeout_s: float) -> None:
        """Wait until it is not full, or for so long."""
        with self._ready:
            self._room.wait_for(lambda: not self.is_full, timeout_s)

    def close(self) -> None:
        """Wake whoever waits; `take` still hands out what is inside."""
        with self._ready:
            self._closed = True
            self._ready.notify_all()


def _size(parcel: Parcel) -> int:
    return sum(len(message.payload) for message in parcel.messages)
