"""The live feed: what changed, as a Redis stream a tenant; rebuildable, never the truth.

PostgreSQL is written and committed first. What the feed loses (Redis down, emptied, an
entry trimmed) costs nobody anything but a fresh snapshot: a reader whose place in the
stream is gone is told to start over.
"""

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, cast
from uuid import UUID

import orjson
from redis import Redis
from redis.exceptions import RedisError

MAX_ENTRIES: Final = 20_000
_log = logging.getLogger(__name__)


class LiveType(StrEnum):
    """What an event is about."""

    POSITION = "pos"
    STATE = "state"
    ALERT = "alert"
    RESET = "reset"
    """Events were lost: start over from a snapshot."""
    MARK = "mark"
    """Nothing happened; gives an empty stream a place to resume from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveEvent:
    """One change of one person; `data` is plain JSON, instants as epoch seconds."""

    tenant_id: int
    type: LiveType
    employee_id: UUID | None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event with its place in the stream; `json` is the data as it goes to the browser."""

    id: str
    tenant_id: int
    type: LiveType
    employee_id: UUID | None
    json: str


def position_event(
    *,
    tenant_id: int,
    employee_id: UUID,
    lon_deg: float,
    lat_deg: float,
    accuracy_m: float | None,
    fixed_at: datetime,
    speed_mps: float | None,
    course_deg: float | None,
    battery_pct: int | None,
    source: str,
) -> LiveEvent:
    """Return the event that a person's newest on-duty position makes."""
    return LiveEvent(
        tenant_id=tenant_id,
        type=LiveType.POSITION,
        employee_id=employee_id,
        data={
            "id": str(employee_id),
            "lon": lon_deg,
            "lat": lat_deg,
            "accuracy_m": accuracy_m,
            "fixed_at": fixed_at.timestamp(),
            "speed_mps": speed_mps,
            "course_deg": course_deg,
            "battery_pct": battery_pct,
            "source": source,
        },
    )


def stream_key(tenant_id: int) -> str:
    """Return the name of a tenant's stream."""
    return f"live:{tenant_id}"


class LivePublisher:
    """Appends events; a feed that is down never stops what has been committed.

    Parameters
    ----------
    redis : a client with `decode_responses` either way.

    One a process, for all its threads: what is owed to readers is remembered here.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._lock = threading.Lock()
        self._owed: set[int] = set()

    def publish(self, events: Iterable[LiveEvent]) -> bool:
        """Append events in order, in one round trip.

        Returns
        -------
        Whether they are in the stream. When not, the next success tells readers of these
        tenants to start over.
        """
        batch = list(events)
        tenants = {event.tenant_id for event in batch}
        with self._lock:
            owing = frozenset(self._owed)
        owed = [
            LiveEvent(tenant_id=tenant, type=LiveType.RESET, employee_id=None)
            for tenant in sorted(owing)
        ]
        if not batch and not owed:
            return True
        pipeline = self._redis.pipeline(transaction=False)
        for event in (*owed, *batch):
            pipeline.xadd(
                stream_key(event.tenant_id),
                {
                    "type": event.type.value,
                    "employee": str(event.employee_id or ""),
                    "data": orjson.dumps(event.data),
                },
                maxlen=MAX_ENTRIES,
                approximate=True,
            )
        try:
            pipeline.execute()
        except RedisError as error:
            with self._lock:
                self._owed |= tenants
            _log.warning("live feed is down, %d events not shown: %s", len(batch), error)
            return False
        # What another thread came to owe meanwhile stays owed; a reset sent twice harms nobody.
        with self._lock:
            self._owed -= owing
        return True

    def reset(self, tenant_ids: Iterable[int]) -> bool:
        """Tell every reader of these tenants to start over, as after a restart."""
        return self.publish(
            LiveEvent(tenant_id=tenant, type=LiveType.RESET, employee_id=None)
            for tenant in tenant_ids
        )


def cursor(redis: Redis, tenant_id: int) -> str:
    """Return the place after everything published so far; take it before the snapshot.

    An empty stream is given a mark, so that every place handed out is an entry that can be
    found again.

    Raises
    ------
    redis.exceptions.RedisError : the feed is down.
    """
    newest = cast("list[Any]", redis.xrevrange(stream_key(tenant_id), count=1))
    if newest:
        return _text(newest[0][0])
    mark = {"type": LiveType.MARK.value, "employee": "", "data": "{}"}
    return _text(redis.xadd(stream_key(tenant_id), cast("dict[Any, Any]", mark)))


def resumes(redis: Redis, tenant_id: int, after_id: str) -> bool:
    """Whether everything after a place is still in the stream.

    False when the entry was trimmed, when Redis was emptied, or when the id is malformed.
    """
    if not _is_id(after_id):
        return False
    return bool(redis.xrange(stream_key(tenant_id), after_id, after_id, count=1))


def read_after(
    redis: Redis, tenant_id: int, after_id: str, *, count: int = 1_000
) -> list[StoredEvent]:
    """Return the events after a place, oldest first, without waiting."""
    rows = cast("list[Any]", redis.xrange(stream_key(tenant_id), f"({after_id}", "+", count=count))
    return [_stored(tenant_id, *row) for row in rows]


def wait_for_events(
    redis: Redis, cursors: Mapping[int, str], *, block_ms: int, count: int = 1_000
) -> list[StoredEvent]:
    """Wait for events of several tenants; the reader of a stream process.

    Parameters
    ----------
    cursors : last id seen by tenant.
    block_ms : longest wait; above 0.

    Returns
    -------
    Events per tenant in order; empty when nothing came. An event of type `reset` says that
    the stream no longer holds what lies between: Redis was emptied or entries trimmed; its
    id is the place to go on from.

    Raises
    ------
    redis.exceptions.RedisError : the feed is down.
    """
    lost = [
        StoredEvent(
            id=cursor(redis, tenant),
            tenant_id=tenant,
            type=LiveType.RESET,
            employee_id=None,
            json="{}",
        )
        for tenant, after_id in cursors.items()
        if not resumes(redis, tenant, after_id)
    ]
    if lost:
        return lost
    keys = {stream_key(tenant): after_id for tenant, after_id in cursors.items()}
    tenants = {stream_key(tenant): tenant for tenant in cursors}
    answer = cast("Any", redis.xread(cast("dict[Any, Any]", keys), block=block_ms, count=count))
    pairs = answer.items() if isinstance(answer, dict) else answer or []
    events = []
    for name, rows in pairs:
        tenant = tenants[_text(name)]
        # RESP3 answers with a list of pages a stream, RESP2 with the entries themselves.
        entries = rows[0] if rows and isinstance(rows[0], list) else rows
        events += [_stored(tenant, entry_id, fields) for entry_id, fields in entries]
    return events


def _stored(tenant_id: int, entry_id: object, fields: Mapping[Any, Any]) -> StoredEvent:
    known = {_text(name): _text(value) for name, value in fields.items()}
    return StoredEvent(
        id=_text(entry_id),
        tenant_id=tenant_id,
        type=LiveType(known["type"]),
        employee_id=UUID(known["employee"]) if known["employee"] else None,
        json=known["data"],
    )


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _is_id(text: str) -> bool:
    parts = text.split("-")
    return len(parts) == 2 and all(p.isascii() and p.isdigit() and len(p) <= 20 for p in parts)
