"""Which messages were being worked on when the process last died.

Before a batch is looked at, the keys of its messages go to a small file; once all are
decoded the file is emptied, so that a process killed while the database works accuses
nobody. The file needs no sync: it has to outlive a killed process, not a lost machine. A
message that was in hand at two deaths is quarantined without another look.
"""

import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol
from zlib import crc32

import numpy as np

CRASHES_ALLOWED = 1
_MAX_SUSPECTS = 50_000
_COUNT = struct.Struct("!I")
_ENTRY = np.dtype([("key", ">u8"), ("crashes", "u1"), ("in_hand", "u1")])
_CRASHES_AT = 8
"""Where in an entry the counts of deaths and of looks begin."""


class Received(Protocol):
    """A message of a door, see `ingest.intake.Message`."""

    @property
    def topic(self) -> str | bytes: ...  # noqa: D102
    @property
    def payload(self) -> bytes: ...  # noqa: D102


class Watch(Protocol):
    """Told which messages are being looked at, in case looking at them ends the process."""

    @property
    def has_suspects(self) -> bool:
        """Whether any message was in hand when the process last died."""
        ...

    def crashes(self, message: Received) -> int:
        """How many deaths a message was present at."""
        ...

    def begin(self, messages: Sequence[Received]) -> None:
        """Note what is about to be looked at."""
        ...

    def passed(self, messages: Sequence[Received]) -> None:
        """Note that these were looked at and did no harm."""
        ...


@contextmanager
def watched(watch: Watch | None, messages: Sequence[Received]) -> Iterator[None]:
    """Tell the watch what is being looked at; what ends otherwise than well does not pass."""
    if watch is not None:
        watch.begin(messages)
    yield
    if watch is not None:
        watch.passed(messages)


class Attempts:
    """The file of messages in hand, and what the last run left in it.

    The file is a count and as many entries: first the suspects, who keep their places, then
    the batch in hand.

    Parameters
    ----------
    path : of this thread alone.
    also : files of other threads of the last run; taken over and removed.
    """

    def __init__(self, path: Path, *, also: Sequence[Path] = ()) -> None:
        found = _read(path)
        for other in also:
            for key, deaths in _read(other).items():
                found[key] = min(255, found.get(key, 0) + deaths)
            other.unlink(missing_ok=True)
        self._crashes = found
        self._places = {key: place for place, key in enumerate(found)}
        self._suspects = len(found)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        entries = np.zeros(len(found), dtype=_ENTRY)
        entries["key"], entries["crashes"] = list(found), list(found.values())
        os.pwrite(self._file, _COUNT.pack(len(found)) + entries.tobytes(), 0)

    @property
    def has_suspects(self) -> bool:
        """Whether messages of the last run's last batch are still to come."""
        return bool(self._crashes)

    def crashes(self, message: Received) -> int:
        """How many deaths a message was present at."""
        return self._crashes.get(_key(message), 0) if self._crashes else 0

    def begin(self, messages: Sequence[Received]) -> None:
        """Note what is about to be looked at."""
        if len(messages) == 1 and self.crashes(messages[0]):
            self._note(_key(messages[0]), self.crashes(messages[0]), in_hand=1)
            return
        entries = np.zeros(len(messages), dtype=_ENTRY)
        entries["key"] = [_key(message) for message in messages]
        entries["in_hand"] = 1
        os.pwrite(self._file, entries.tobytes(), self._offset(self._suspects))
        os.pwrite(self._file, _COUNT.pack(self._suspects + len(messages)), 0)

    def passed(self, messages: Sequence[Received]) -> None:
        """Note that these were looked at and did no harm."""
        os.pwrite(self._file, _COUNT.pack(self._suspects), 0)
        if not self._crashes:
            return
        for message in messages:
            key = _key(message)
            if self._crashes.pop(key, 0):
                self._note(key, 0, in_hand=0)
        if not self._crashes:
            self._suspects = 0
            os.pwrite(self._file, _COUNT.pack(0), 0)

    def close(self) -> None:
        """End in order: nobody is suspected any more."""
        os.pwrite(self._file, _COUNT.pack(0), 0)
        os.close(self._file)

    def _note(self, key: int, crashes: int, *, in_hand: int) -> None:
        place = self._offset(self._places[key]) + _CRASHES_AT
        os.pwrite(self._file, bytes((crashes, in_hand)), place)

    @staticmethod
    def _offset(place: int) -> int:
        return _COUNT.size + place * _ENTRY.itemsize


def _key(message: Received) -> int:
    topic = message.topic if isinstance(message.topic, bytes) else message.topic.encode()
    return crc32(message.payload) << 32 | crc32(topic)


def _read(path: Path) -> dict[int, int]:
    """Return how many deaths each message was present at, those in hand at the last included."""
    try:
        data = path.read_bytes()
        (count,) = _COUNT.unpack_from(data)
    except (OSError, struct.error):
        # No file, or one cut off while being written: then nothing is known.
        return {}
    count = min(count, _MAX_SUSPECTS, (len(data) - _COUNT.size) // _ENTRY.itemsize)
    entries = np.frombuffer(data, dtype=_ENTRY, count=count, offset=_COUNT.size)
    found: dict[int, int] = {}
    for key, crashes, in_hand in entries.tolist():
        deaths = min(255, crashes + in_hand)
        if deaths:
            found[key] = max(deaths, found.get(key, 0))
    return found
