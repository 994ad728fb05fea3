import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path

import psycopg
import pytest
from redis import Redis
from sqlalchemy import text

from fixtures.stack import Stack
from server.posts.services import assign_shift, create_shift
from server.tracking.live import LiveType, StoredEvent, cursor, read_after
from tests.factories.company import Company
from tests.factories.phones import Phone, minutes

PATIENCE_S = 20.0


@contextmanager
def running(acme: Company, stack: Stack) -> Iterator[subprocess.Popen[bytes]]:
    """The real process on the company's database."""
    environment = {**os.environ, **stack.settings_env(acme.urls), "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(
        [sys.executable, "-c", "from server.main.cli import main; main(['engine'])"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@pytest.fixture
def on_duty_now(acme: Company) -> Phone:
    """Somebody whose shift began yesterday evening or earlier and lasts beyond this hour."""
    now = datetime.now(UTC)
    acme.clock.at = now - timedelta(days=2)
    employee = acme.hire()
    first_on = (now - timedelta(hours=12)).date()
    start = clock_time((now - timedelta(hours=12)).hour)
    with acme.transaction() as session:
        shift = create_shift(
            session, tenant_id=acme.tenant_id, name="whole day", starts=start, ends=start
        )
        entry = assign_shift(
            session,
            acme.clock,
            tenant_id=acme.tenant_id,
            employee_id=employee,
            shift_id=shift,
            on_date=first_on,
            post_id=acme.post_id,
            zone="UTC",
        )
        session.execute(
            text("UPDATE employees SET hired_on = '2020-01-01' WHERE id = :id"), {"id": employee}
        )
    with acme.owner.begin() as connection:
        connection.execute(
            text("UPDATE post_versions SET valid_from_at = :at"), {"at": now - timedelta(days=5)}
        )
    return Phone(acme, employee, acme.give_phone(employee), entry, first_on)


def wait_for_presence(redis: Redis, acme: Company, place: str, presence: str) -> bool:
    """Wait for a state of that presence: the engine tells others too, as soon as duty begins."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        events = read_after(redis, acme.tenant_id, place, count=10_000)
        states = [json.loads(e.json) for e in events if e.type is LiveType.STATE]
        if any(state["presence"] == presence for state in states):
            return True
        time.sleep(0.02)
    return False


def wait_for(
    redis: Redis, acme: Company, place: str, kind: LiveType, *, beyond: int = 0
) -> list[StoredEvent]:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        events = read_after(redis, acme.tenant_id, place, count=10_000)
        found = [e for e in events if e.type is kind]
        if len(found) > beyond:
            return found
        time.sleep(0.02)
    return []


def test_a_deciding_fix_is_told_and_sigterm_ends_the_process(
    acme: Company, stack: Stack, redis_client: Redis, on_duty_now: Phone
) -> None:
    place = cursor(redis_client, acme.tenant_id)
    now = datetime.now(UTC).replace(microsecond=0)
    with running(acme, stack) as process:
        # The reset says that the worker listens: whoever watches begins with a fresh snapshot.
        assert wait_for(redis_client, acme, place, LiveType.RESET)
        on_duty_now.send([on_duty_now.fix(now - minutes(m), east_m=400.0) for m in range(1, 13)])
        [alert] = wait_for(redis_client, acme, place, LiveType.ALERT)
        assert json.loads(alert.json)["change"] == "raised"
        with acme.owner.connect() as connection:
            assert connection.scalar(text("SELECT count(*) FROM engine_heartbeat")) == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_S) == 0


def test_an_emptied_redis_is_filled_by_what_comes_next(
    acme: Company, stack: Stack, redis_client: Redis, on_duty_now: Phone
) -> None:
    place = cursor(redis_client, acme.tenant_id)
    now = datetime.now(UTC).replace(microsecond=0)
    with running(acme, stack):
        assert wait_for(redis_client, acme, place, LiveType.RESET)
        on_duty_now.send([on_duty_now.fix(now - minutes(2), east_m=10.0)])
        assert wait_for_presence(redis_client, acme, place, "inside")
        redis_client.flushall()
        on_duty_now.send(
            [on_duty_now.fix(now - timedelta(seconds=s), east_m=500.0) for s in (90, 60, 30)]
        )
        assert wait_for_presence(redis_client, acme, "0-0", "outside")


def test_the_database_may_go_away_and_come_back(
    acme: Company, stack: Stack, redis_client: Redis, on_duty_now: Phone
) -> None:
    place = cursor(redis_client, acme.tenant_id)
    now = datetime.now(UTC).replace(microsecond=0)
    with running(acme, stack) as process:
        assert wait_for(redis_client, acme, place, LiveType.RESET)
        address = acme.urls.superuser.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address) as superuser:
            superuser.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND usename = 'outpost_engine'"
            )
        assert wait_for(redis_client, acme, place, LiveType.RESET, beyond=1)
        on_duty_now.send([on_duty_now.fix(now, east_m=10.0)])
        assert wait_for_presence(redis_client, acme, place, "inside")
        assert process.poll() is None
