"""Limits on how often something may be tried, counted in Redis for all processes.

What guards sign-in fails closed: while Redis is down nobody can count attempts, so nobody
signs in and the page says so. Other limits fail open: they save work, not secrets.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from limits import RateLimitItem, parse
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from redis.exceptions import RedisError

from server.errors import TooManyRequests, Unavailable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bucket:
    """A limit and what it counts: `10 per minute`, ("account", "3", "anna")."""

    limit: RateLimitItem
    keys: tuple[str, ...]


def bucket(limit: str, *keys: str) -> Bucket:
    """Return a bucket from a text such as `10 per minute` and what it counts."""
    return Bucket(parse(limit), keys)


class Limiter:
    """Counts in one Redis; safe to share by threads."""

    def __init__(self, redis_url: str) -> None:
        # No blocking for ever: a sign-in waits two seconds for a hung Redis at most.
        self._storage = RedisStorage(
            redis_url, socket_timeout=2, socket_connect_timeout=2, key_prefix="outpost-limits"
        )
        self._windows = FixedWindowRateLimiter(self._storage)

    def require(self, *buckets: Bucket) -> None:
        """Refuse when a bucket is full, without counting.

        Raises
        ------
        TooManyRequests : a bucket is full.
        Unavailable : Redis does not answer.
        """
        try:
            full = [b for b in buckets if not self._windows.test(b.limit, *b.keys)]
        except RedisError as error:
            raise _blind() from error
        if full:
            raise _refused(full)

    def count(self, *buckets: Bucket) -> None:
        """Count one attempt in each bucket and refuse when one was full.

        Raises
        ------
        TooManyRequests : a bucket was full.
        Unavailable : Redis does not answer.
        """
        try:
            full = [b for b in buckets if not self._windows.hit(b.limit, *b.keys)]
        except RedisError as error:
            raise _blind() from error
        if full:
            raise _refused(full)

    def count_leniently(self, *buckets: Bucket) -> None:
        """Like `count`, but let the request through while Redis is down."""
        try:
            self.count(*buckets)
        except Unavailable:
            _log.warning("limits are not counted: Redis does not answer")

    def forget(self, *buckets: Bucket) -> None:
        """Empty buckets; does nothing while Redis is down."""
        try:
            for b in buckets:
                self._windows.clear(b.limit, *b.keys)
        except RedisError:
            _log.warning("limits are not emptied: Redis does not answer")


def _refused(full: Sequence[Bucket]) -> TooManyRequests:
    return TooManyRequests("", retry_after_s=max(b.limit.get_expiry() for b in full))


def _blind() -> Unavailable:
    return Unavailable("limiter_down", "attempts cannot be counted right now")
