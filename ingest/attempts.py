"""Which messages were being worked on when the process last died.

Before a batch is looked at, the keys of its messages go to a small file; once all are
decoded the file is emptied, so that a process killed while the database works accuses
nobody. The file needs no sync: it has to outlive a killed process, not a lost machine. A
message that was in hand at two deaths is quarantined without another look.
"""

import os
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

from ingest.intake import Message

CRASHES_ALLOWED = 1
_MAX_SUSPECTS = 50_000
_COUNT = struct.Struct("!I")
_ENTRY = struct.Struct("!QBB")


class Attempts:
    """The file of messages in hand, and what the last run left in it."""

    def __init__(self, path: Path) -> None:
        self._suspects = _read(path)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self.clear()

    @property
    def has_suspects(self) -> bool:
        """Whether messages of the last run's last batch are still to come."""
        return bool(self._suspects)

    def crashes(self, message: Message) -> int:
        """How many deaths a message was present at."""
        return self._suspects.get(_key(message), 0) if self._suspects else 0

    def begin(self, messages: Sequence[Message]) -> None:
        """Note what is about to be looked at."""
        active = {_key(message) for message in messages}
        entries = [(key, self._suspects.get(key, 0), 1) for key in active]
        entries += [(key, n, 0) for key, n in self._suspects.items() if key not in active]
        data = _COUNT.pack(len(entries)) + b"".join([_ENTRY.pack(*entry) for entry in entries])
        os.pwrite(self._file, data, 0)

    def passed(self, messages: Sequence[Message]) -> None:
        """Note that these were looked at and did no harm."""
        if self._suspects:
            for message in messages:
                self._suspects.pop(_key(message), None)
        self.clear()

    def clear(self) -> None:
        """Note that nothing is in hand, without forgetting who is suspected."""
        if self._suspects:
            self.begin([])
        else:
            os.pwrite(self._file, _COUNT.pack(0), 0)

    def close(self) -> None:
        """End in order: nobody is suspected any more."""
        self._suspects.clear()
        self.clear()
        os.close(self._file)


def _key(message: Message) -> int:
    topic = message.topic if isinstance(message.topic, bytes) else message.topic.encode()
    return zlib.crc32(message.payload) << 32 | zlib.crc32(topic)


def _read(path: Path) -> dict[int, int]:
    try:
        data = path.read_bytes()
        (count,) = _COUNT.unpack_from(data)
        found = [
            _ENTRY.unpack_from(data, _COUNT.size + no * _ENTRY.size)
            for no in range(min(count, _MAX_SUSPECTS))
        ]
    except (OSError, struct.error):
        # No file, or one cut off while being written: then nothing is known.
        return {}
    return {key: min(255, crashes + active) for key, crashes, active in found}
