import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

import pytest
from redis import Redis

from fixtures.stack import Stack
from server.tracking.live import (
    MAX_ENTRIES,
    LiveEvent,
    LivePublisher,
    LiveType,
    cursor,
    position_event,
    read_after,
    resumes,
    stream_key,
    wait_for_events,
)

WHO = UUID(int=7)


def moved(lon_deg: float, *, tenant_id: int = 1) -> LiveEvent:
    return position_event(
        tenant_id=tenant_id,
        employee_id=WHO,
        lon_deg=lon_deg,
        lat_deg=31.23,
        accuracy_m=8.0,
        fixed_at=datetime(2026, 11, 18, 1, 0, tzinfo=UTC),
        speed_mps=None,
        course_deg=None,
        battery_pct=80,
        source="gps",
    )


@pytest.fixture(params=["2", "3"])
def redis(
    stack: Stack,
    redis_client: Redis,
    request: pytest.FixtureRequest,
) -> Iterator[Redis]:
    """Client of either protocol; they shape answers differently."""
    assert redis_client.dbsize() == 0
    with Redis.from_url(stack.redis.url, protocol=int(request.param)) as client:
        yield client


def test_a_reader_gets_every_event_once_in_order(redis: Redis) -> None:
    publisher = LivePublisher(redis)
    start = cursor(redis, 1)
    assert publisher.publish([moved(1.0), moved(2.0)])
    assert publisher.publish([moved(3.0), moved(9.0, tenant_id=2)])
    events = read_after(redis, 1, start)
    assert [json.loads(e.json)["lon"] for e in events] == [1.0, 2.0, 3.0]
    assert {e.type for e in events} == {LiveType.POSITION}
    assert {e.employee_id for e in events} == {WHO}
    assert [json.loads(e.json)["lon"] for e in read_after(redis, 1, events[0].id)] == [2.0, 3.0]
    assert cursor(redis, 1) == events[-1].id
    assert read_after(redis, 1, events[-1].id) == []


def test_waiting_serves_several_tenants(redis: Redis) -> None:
    cursors = {1: cursor(redis, 1), 2: cursor(redis, 2)}
    assert wait_for_events(redis, cursors, block_ms=1) == []
    LivePublisher(redis).publish([moved(1.0), moved(9.0, tenant_id=2)])
    events = wait_for_events(redis, cursors, block_ms=1_000)
    assert sorted((e.tenant_id, json.loads(e.json)["lon"]) for e in events) == [(1, 1.0), (2, 9.0)]


def test_an_emptied_redis_sends_readers_back_to_the_snapshot(redis: Redis) -> None:
    start = cursor(redis, 1)
    publisher = LivePublisher(redis)
    publisher.publish([moved(1.0)])
    redis.flushall()
    # Ids are milliseconds: the new stream must not begin within the one of the old mark.
    time.sleep(0.005)
    publisher.publish([moved(2.0)])
    assert not resumes(redis, 1, start)
    [told] = wait_for_events(redis, {1: start}, block_ms=1)
    assert told.type is LiveType.RESET
    publisher.publish([moved(3.0)])
    [event] = wait_for_events(redis, {1: told.id}, block_ms=1_000)
    assert json.loads(event.json)["lon"] == 3.0


def test_a_trimmed_place_does_not_resume(redis: Redis) -> None:
    start = cursor(redis, 1)
    LivePublisher(redis).publish([moved(1.0), moved(2.0)])
    redis.xtrim(stream_key(1), maxlen=1, approximate=False)
    assert not resumes(redis, 1, start)


@pytest.mark.parametrize("bad", ["", "x", "1", "1-2-3", "-", "١-٢", "9" * 30 + "-0", "$"])
def test_a_malformed_place_does_not_resume(redis_client: Redis, bad: str) -> None:
    cursor(redis_client, 1)
    assert not resumes(redis_client, 1, bad)


def test_the_stream_is_bounded(redis_client: Redis) -> None:
    publisher = LivePublisher(redis_client)
    for _ in range(5):
        publisher.publish(moved(float(i)) for i in range(MAX_ENTRIES // 4))
    assert redis_client.xlen(stream_key(1)) < MAX_ENTRIES * 1.05


def test_a_feed_that_was_down_owes_its_readers_a_reset(redis_client: Redis) -> None:
    place = cursor(redis_client, 1)
    with Redis.from_url("redis://127.0.0.1:1", socket_connect_timeout=0.2) as nowhere:
        publisher = LivePublisher(nowhere)
        assert not publisher.publish([moved(1.0)])
        publisher._redis = redis_client
        assert publisher.publish([moved(2.0)])
    assert [e.type for e in read_after(redis_client, 1, place)] == [
        LiveType.RESET,
        LiveType.POSITION,
    ]
