"""One reader of the live feed a process, fanning out to many quiet connections.

A client of its own for every browser would exhaust Redis at a hundred streams; here one
thread (a greenlet under gevent) reads for all tenants somebody watches and hands each event
to bounded queues. A queue that overflows is dropped with a reset, never silently thinned.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import Empty, Full, Queue
from typing import Final
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

from server.tracking.live import LiveType, StoredEvent, cursor, read_after, resumes, wait_for_events

QUEUE_SIZE: Final = 1_000
STREAMS_PER_ACCOUNT: Final = 5
BLOCK_MS: Final = 250
_PAUSE_S: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Subscription:
    """One connection's share of a tenant's events."""

    tenant_id: int
    last_id: str
    queue: Queue[StoredEvent] = field(default_factory=lambda: Queue(QUEUE_SIZE))
    lost: bool = False
    """Events were dropped or are gone: the reader must start over from a snapshot."""
    wants: Callable[[StoredEvent], bool] | None = None
    """Asked of each event before it is queued; None wants them all. Never asked of resets."""
    passed_id: str | None = None
    """Place of the newest event that was not wanted."""
    crowded_out: bool = False
    """The account opened more streams than it may; this one, the oldest, has to end."""

    def take(self, timeout_s: float) -> StoredEvent | None:
        """Return the next event, None when none came in time; events come once, in order."""
        # Read before the queue: whatever came before this place is queued already.
        passed_id = self.passed_id
        try:
            event = self.queue.get(timeout=timeout_s)
        except Empty:
            if passed_id is not None and _later(passed_id, self.last_id):
                self.last_id = passed_id
            return None
        if event.type is not LiveType.RESET and not _later(event.id, self.last_id):
            return None
        self.last_id = event.id
        return event


class Hub:
    """The reader of one process and its subscribers.

    Parameters
    ----------
    redis : a client of this process; commands wait `block_ms` at most.
    block_ms : longest wait for events; also how soon a new tenant's reader begins.
    """

    def __init__(self, redis: Redis, *, block_ms: int = BLOCK_MS) -> None:
        self._redis = redis
        self._block_ms = block_ms
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._subscribers: dict[int, set[Subscription]] = {}
        self._cursors: dict[int, str] = {}
        self._streams: dict[tuple[int, UUID], list[Subscription]] = {}
        self._thread: threading.Thread | None = None
        self._stopping = False
        self.feed_up = True

    @contextmanager
    def subscribe(
        self,
        tenant_id: int,
        account_id: UUID,
        *,
        after_id: str | None,
        wants: Callable[[StoredEvent], bool] | None = None,
    ) -> Iterator[tuple[Subscription, list[StoredEvent]]]:
        """Join a tenant's events, after a place in the stream or from now on.

        An account that holds as many streams as it may loses its oldest one: often that
        one's browser is gone already, which shows only when something is written to it.

        Parameters
        ----------
        wants : keeps events out of the queue that this connection would not send anyway; runs
            in the reader's thread for every event, so it has to be quick.

        Yields
        ------
        The subscription and the events since `after_id`; `subscription.lost` is set when
        that place is no longer in the stream.

        Raises
        ------
        redis.exceptions.RedisError : the feed is down.
        """
        subscription = Subscription(tenant_id, cursor(self._redis, tenant_id), wants=wants)
        self._join(subscription, (tenant_id, account_id))
        self._wake.set()
        try:
            yield subscription, self._missed(subscription, after_id)
        finally:
            self._leave(subscription, (tenant_id, account_id))

    def stop(self) -> None:
        """End the reader and every stream; for tests and for a process that goes down."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    @property
    def stopping(self) -> bool:
        """Whether streams should end; browsers come back by themselves."""
        return self._stopping

    @property
    def streams(self) -> int:
        """Number of open streams."""
        return sum(len(each) for each in self._subscribers.values())

    def _join(self, subscription: Subscription, owner: tuple[int, UUID]) -> None:
        with self._lock:
            # From here on every event after the reader's cursor lands in the queue; what lies
            # between the wanted place and that cursor is read by `_missed`: nothing is lost
            # between the two, and `take` drops what comes by both ways.
            self._cursors.setdefault(subscription.tenant_id, subscription.last_id)
            self._subscribers.setdefault(subscription.tenant_id, set()).add(subscription)
            held = self._streams.setdefault(owner, [])
            held.append(subscription)
            if len(held) > STREAMS_PER_ACCOUNT:
                held.pop(0).crowded_out = True
            self._start()

    def _leave(self, subscription: Subscription, owner: tuple[int, UUID]) -> None:
        with self._lock:
            rest = self._subscribers[subscription.tenant_id]
            rest.discard(subscription)
            if not rest:
                del self._subscribers[subscription.tenant_id]
                self._cursors.pop(subscription.tenant_id, None)
            # One that was crowded out has lost its place here already.
            held = self._streams.get(owner, [])
            if subscription in held:
                held.remove(subscription)
            if not held:
                self._streams.pop(owner, None)

    def _missed(self, subscription: Subscription, after_id: str | None) -> list[StoredEvent]:
        if after_id is None:
            return []
        tenant_id = subscription.tenant_id
        if not resumes(self._redis, tenant_id, after_id):
            subscription.lost = True
            return []
        subscription.last_id = after_id
        missed: list[StoredEvent] = []
        while page := read_after(self._redis, tenant_id, subscription.last_id):
            missed += page
            subscription.last_id = page[-1].id
        return missed

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="live-hub", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stopping:
            with self._lock:
                cursors = dict(self._cursors)
            if not cursors:
                self._wake.wait(timeout=30)
                self._wake.clear()
                continue
            try:
                events = wait_for_events(self._redis, cursors, block_ms=self._block_ms)
            except RedisError as error:
                if self.feed_up:
                    _log.warning("live feed is down: %s", error)
                self.feed_up = False
                self._wake.wait(timeout=_PAUSE_S)
                continue
            self.feed_up = True
            self._hand_out(events)

    def _hand_out(self, events: list[StoredEvent]) -> None:
        with self._lock:
            for event in events:
                if event.tenant_id in self._cursors:
                    self._cursors[event.tenant_id] = event.id
                for subscription in self._subscribers.get(event.tenant_id, ()):
                    if not _wanted(event, subscription):
                        subscription.passed_id = event.id
                        continue
                    try:
                        subscription.queue.put_nowait(event)
                    except Full:
                        subscription.lost = True


def _wanted(event: StoredEvent, subscription: Subscription) -> bool:
    if event.type is LiveType.RESET or subscription.wants is None:
        return True
    return subscription.wants(event)


def _later(candidate: str, reference: str) -> bool:
    return _parts(candidate) > _parts(reference)


def _parts(stream_id: str) -> tuple[int, int]:
    milliseconds, _, sequence = stream_id.partition("-")
    return int(milliseconds), int(sequence or 0)
