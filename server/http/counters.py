"""Counts of what the web processes did, without anything about a person.

Each process adds up in memory and hands its sums to Redis every few seconds, so that one
page shows the total of all workers. A lost Redis loses counts and nothing else.
"""

import threading
import time
from collections import Counter

from redis import Redis
from redis.exceptions import RedisError

KEY = "outpost:web:counters"
_FLUSH_S = 5.0


class Counters:
    """Sums of one process; safe to share by threads."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._sums: Counter[str] = Counter()
        self._flushed = time.monotonic()

    def add(self, name: str, amount: int = 1) -> None:
        """Add to a sum; now and then hands all sums over."""
        with self._lock:
            self._sums[name] += amount
            due = time.monotonic() - self._flushed >= _FLUSH_S
            if due:
                self._flushed = time.monotonic()
        if due:
            self.flush()

    def flush(self) -> None:
        """Hand the sums to Redis; they stay here while it does not answer."""
        with self._lock:
            sums, self._sums = self._sums, Counter()
        if not sums:
            return
        try:
            with self._redis.pipeline(transaction=False) as pipe:
                for name, amount in sums.items():
                    pipe.hincrby(KEY, name, amount)
                pipe.execute()
        except RedisError:
            with self._lock:
                self._sums.update(sums)

    def totals(self) -> dict[str, int]:
        """Return the sums of all processes.

        Raises
        ------
        RedisError : Redis does not answer.
        """
        self.flush()
        rows = self._redis.hgetall(KEY).items()
        return {_text(name): int(value) for name, value in sorted(rows)}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
