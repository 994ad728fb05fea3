"""What of a committed batch the live map gets to see."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import pytest
from redis import Redis

from fixtures.stack import Stack
from ingest.announce import Announcer, live_events, shown_positions
from ingest.intake import Taken
from ingest.wire import WireFix
from server.tracking.live import read_after, stream_key
from server.tracking.records import Batch, DeviceRef, DutySlot, FixRecord, Recorded, Via
from tests.factories.consumer import wait_until

STARTS_S = datetime(2026, 11, 18, 9, tzinfo=UTC).timestamp()
ENDS_S = STARTS_S + 8 * 3600
TENANT = 7_301


def _taken(fixed_s: float) -> Taken:
    slot = DutySlot(UUID(int=1), (date(2026, 11, 18),), STARTS_S, ENDS_S)
    fix = WireFix(fixed_s, 121.5, 31.777, 1, b"")
    record = FixRecord(0, fix, fixed_s, 0, slot, Via.MQTT)
    batch = Batch(devices=[DeviceRef(TENANT, UUID(int=2), UUID(int=3))], fixes=[record])
    return Taken(Recorded(moved=(record,), received=1, stored=1), batch, {})


@pytest.mark.parametrize(
    ("fixed_s", "now_s", "shown"),
    [
        (STARTS_S - 1, STARTS_S + 60, False),
        (STARTS_S, STARTS_S + 60, True),
        (ENDS_S - 1, ENDS_S - 0.5, True),
        (ENDS_S, ENDS_S - 0.5, False),
        (ENDS_S + 300, ENDS_S + 301, False),
        (ENDS_S - 3600, ENDS_S, False),
    ],
    ids=["grace before", "first", "last", "end", "grace after", "backlog after the shift"],
)
def test_a_position_is_shown_only_of_the_shift_and_while_it_lasts(
    fixed_s: float, now_s: float, *, shown: bool
) -> None:
    events = live_events(shown_positions(_taken(fixed_s)), now_s)
    assert [event.data["fixed_at"] for event in events] == ([fixed_s] if shown else [])


@pytest.fixture
def redis(stack: Stack) -> Iterator[Redis]:
    with Redis.from_url(stack.redis.url, decode_responses=True) as made:
        made.delete(stream_key(TENANT))
        yield made
        made.delete(stream_key(TENANT))


def test_readers_start_over_when_the_process_starts(redis: Redis) -> None:
    announcer = Announcer(redis, tenants=[TENANT], clock=lambda: ENDS_S - 1)
    announcer.announce(_taken(ENDS_S - 2))
    announcer.start()
    wait_until(lambda: redis.xlen(stream_key(TENANT)) == 2)
    announcer.stop()
    assert [event.type for event in read_after(redis, TENANT, "0-0")] == ["reset", "pos"]


def test_what_waited_for_redis_is_not_shown_after_the_shift(redis: Redis) -> None:
    announcer = Announcer(redis, clock=lambda: ENDS_S + 1)
    announcer.announce(_taken(ENDS_S - 2))
    announcer.start()
    announcer.stop()
    assert redis.xlen(stream_key(TENANT)) == 0
