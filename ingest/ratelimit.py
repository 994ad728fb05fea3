"""One token bucket a device, so that a phone run wild cannot occupy everybody's ingest."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How much one device may send.

    The burst is what a phone flushes that took a fix a second through three days offline.
    """

    per_s: float = 20.0
    burst: float = 300_000.0


class RateLimiter:
    """Token buckets by device; forgets devices whose bucket has filled up again."""

    def __init__(self, limit: RateLimit | None = None) -> None:
        self._limit = limit or RateLimit()
        self._buckets: dict[str, tuple[float, float]] = {}

    def allows(self, username: str, count: int, now_s: float) -> bool:
        """Take `count` tokens from a device's bucket.

        Parameters
        ----------
        username : of the device.
        count : messages it sent.
        now_s : epoch seconds of the server.

        Returns
        -------
        False when the bucket has run dry; then nothing is taken.
        """
        level, since_s = self._buckets.get(username, (self._limit.burst, now_s))
        level = min(self._limit.burst, level + max(0.0, now_s - since_s) * self._limit.per_s)
        if level < count:
            self._buckets[username] = (level, now_s)
            return False
        level -= count
        if level >= self._limit.burst - 1 and username in self._buckets:
            del self._buckets[username]
        else:
            self._buckets[username] = (level, now_s)
        return True
