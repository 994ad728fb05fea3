"""kill -9 of every part under load: nothing acknowledged is lost, nothing is stored twice.

OUTPOST_CHAOS_KILLS sets how often each part is killed; fewer is for a quick look.
"""

import os
import random
import signal
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from redis import Redis

from fixtures.stack import Stack
from ingest.failpoints import NAMES
from server.tracking.live import stream_key
from tests.chaos.balance import Balance, balance
from tests.chaos.publisher import Publisher
from tests.factories.consumer import Consumer, Rows, consuming, wait_until
from tests.factories.crew import admit, enlist

pytestmark = [pytest.mark.chaos, pytest.mark.mqtt]

KILLS = int(os.environ.get("OUTPOST_CHAOS_KILLS", "50"))
PHONES = 20


@dataclass(slots=True)
class Scene:
    """A stack of its own under load."""

    stack: Stack
    consumer: Consumer
    rows: Rows
    publisher: Publisher
    chance: random.Random = field(default_factory=lambda: random.Random(11))
    recoveries_s: list[float] = field(default_factory=list)

    def received(self) -> int:
        """Records counted so far; -1 while the database does not answer."""
        try:
            return int(self.rows.one("SELECT coalesce(sum(received), 0) FROM ingest_ledger"))
        except psycopg.OperationalError:
            return -1

    def recover(self, since: float, beyond: int) -> None:
        """Wait until something new is committed; note how long that took."""
        wait_until(lambda: self.received() > beyond, 30)
        self.recoveries_s.append(time.monotonic() - since)

    def work_on(self) -> None:
        """Let the load run for a moment."""
        time.sleep(self.chance.uniform(0.1, 0.8))

    def settle(self) -> Balance:
        """Stop sending, wait until all is acknowledged and stored, and count."""
        self.publisher.stop()
        wait_until(lambda: self.publisher.open == 0, 60)
        quiet = time.monotonic()
        seen = self.received()
        while time.monotonic() - quiet < 2.0:
            time.sleep(0.2)
            if (now := self.received()) != seen:
                quiet, seen = time.monotonic(), now
        return balance(self.rows, self.publisher.sent)


@pytest.fixture
def scene(chaos_stack: Stack, tmp_path: Path) -> Iterator[Scene]:
    database = chaos_stack.create_database("chaos")
    phones = enlist(database, PHONES)
    admit(chaos_stack, phones)
    with consuming(chaos_stack, database, tmp_path) as consumer:
        consumer.start()
        consumer.wait_connected()
        with Publisher(phones, chaos_stack.credentials.device_port) as publisher:
            made = Scene(chaos_stack, consumer, Rows(database), publisher)
            wait_until(lambda: made.received() > 0)
            yield made


def _report(record: Callable[[str, object], None], scene: Scene, found: Balance) -> None:
    record("balance", str(found))
    times = scene.recoveries_s
    median, worst = round(statistics.median(times), 2), round(max(times), 2)
    record("recovery_median_s", median)
    record("recovery_max_s", worst)
    print(f"\n{len(times)} kills: {found}, recovery median {median} s, worst {worst} s")


def test_ingest_killed_at_random_and_at_fail_points(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    child_died = 0
    for number in range(KILLS):
        scene.work_on()
        scene.consumer.kill()
        before, since = scene.received(), time.monotonic()
        if number % 2:
            name = NAMES[number // 2 % len(NAMES)]
            scene.consumer.start(OUTPOST_FAILPOINT=name)
            assert scene.consumer.child is not None
            child_died += scene.consumer.child.wait(20) == 137
            before, since = scene.received(), time.monotonic()
        scene.consumer.start()
        scene.recover(since, before)
    found = scene.settle()
    _report(record_property, scene, found)
    assert child_died == KILLS // 2
    assert (found.lost, found.duplicates) == (0, 0)
    assert found.stored + found.quarantined == found.sent


def test_postgresql_killed(scene: Scene, record_property: Callable[[str, object], None]) -> None:
    for _ in range(KILLS):
        scene.work_on()
        scene.stack.postgres.kill()
        scene.stack.postgres.start()
        since = time.monotonic()
        scene.recover(since, scene.received())
    found = scene.settle()
    _report(record_property, scene, found)
    assert (found.lost, found.duplicates) == (0, 0)
    assert found.stored + found.quarantined == found.sent


def test_the_broker_killed_with_ingest_up(
    scene: Scene, record_property: Callable[[str, object], None]
) -> None:
    # The broker knows of the consumer's session from its next save on. A kill before the
    # first save loses whatever arrives until ingest is back.
    saved = scene.stack.mosquitto.pid_file.with_name("mosquitto.db")
    before_ns = saved.stat().st_mtime_ns if saved.exists() else 0
    scene.stack.mosquitto.daemon.signal(signal.SIGUSR1)
    wait_until(lambda: saved.exists() and saved.stat().st_mtime_ns > before_ns, 30)
    for _ in range(KILLS):
        scene.work_on()
        scene.stack.mosquitto.kill()
        before = scene.received()
        scene.stack.mosquitto.start()
        scene.recover(time.monotonic(), before)
    found = scene.settle()
    _report(record_property, scene, found)
    # The broker's acknowledgement is no durable receipt: what it held and had not yet
    # delivered may go with it. That is counted and bounded, and everything else holds.
    assert found.lost <= 3 * KILLS
    assert found.duplicates == 0


def test_redis_emptied_and_killed(scene: Scene) -> None:
    with Redis.from_url(scene.stack.redis.url) as redis:
        wait_until(lambda: redis.xlen(stream_key(1)) > 0)
        redis.flushall()
        wait_until(lambda: redis.xlen(stream_key(1)) > 0)
    scene.stack.redis.kill()
    before = scene.received()
    wait_until(lambda: scene.received() > before + 500)
    scene.stack.redis.start()
    with Redis.from_url(scene.stack.redis.url) as redis:
        wait_until(lambda: redis.xlen(stream_key(1)) > 0, 10)
    found = scene.settle()
    assert (found.lost, found.duplicates) == (0, 0)
    assert found.stored + found.quarantined == found.sent
