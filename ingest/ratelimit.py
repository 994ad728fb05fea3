"""One token bucket a device, so that a phone run wild cannot occupy everybody's ingest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much one device may send.

    What a phone flushes after 72 h offline has to get through, for it is sent once and its
    owner's hours depend on it: a fix a second makes 259,200 messages, and the burst is that
    with some room. The bucket fills again in about four hours. Twenty a second is many times
    what any app sends, so it only ever stops a phone run wild.
    """

    per_s: float = 20.0
    burst: float = 300_000.0


class RateLimiter:
    """Token buckets by device; forgets devices whose bucket has filled up again."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit = limit or RateLimit()
        self._buckets: dict[str, tuple[float, float]] = {}

    def grant(self, username: str, count: int, now_s: float) -> int:
        """Return how many messages of `count` a device may send now; takes nothing yet.

        Parameters
        ----------
        username : of the device.
        count : messages that arrived.
        now_s : epoch seconds of the server.
        """
        return min(count, int(self._level(username, now_s)))

    def spend(self, username: str, count: int, now_s: float) -> None:
        """Take tokens for messages that were stored; a batch that failed costs nothing."""
        level = self._level(username, now_s) - count
        if level >= self._limit.burst - 1:
            self._buckets.pop(username, None)
        else:
            self._buckets[username] = (max(0.0, level), now_s)

    def _level(self, username: str, now_s: float) -> float:
        level, since_s = self._buckets.get(username, (self._limit.burst, now_s))
        return min(self._limit.burst, level + max(0.0, now_s - since_s) * self._limit.per_s)
