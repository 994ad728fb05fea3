"""The stream process as it is run: gunicorn with gevent, signalled to stop."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from fixtures.stack import DatabaseUrls, Stack
from fixtures.stack.ports import answers, free_port
from server.clock import ManualClock, SystemClock
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.people.sessions import Credential, open_session
from server.tracking.live import LiveEvent, LivePublisher, LiveType
from tests.factories.sse import EventSource
from tests.factories.world import World, build_world, put_on_duty


@dataclass(slots=True)
class Running:
    url: str
    world: World
    database: DatabaseUrls

    def cookie(self, name: str) -> str:
        engine = make_engine(self.database.app, pool_size=1)
        tenant = self.world.alpha
        credential = Credential(tenant.id, tenant.logins[name].account_id, "")
        with unit_of_work(make_session_factory(engine), tenant_id=tenant.id) as session:
            cookie = open_session(session, SystemClock(), credential).cookie
        engine.dispose()
        return cookie


@pytest.fixture
def running(stack: Stack, database: DatabaseUrls) -> Iterator[Running]:
    world = build_world(database, ManualClock(datetime.now(UTC) - timedelta(days=1)))
    engine = make_engine(database.app, pool_size=1)
    begun_at = datetime.now(UTC) - timedelta(hours=1)
    put_on_duty(make_session_factory(engine), world.alpha, ["employee"], starts_at=begun_at)
    engine.dispose()
    port = free_port()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("outpost"), "stream", "--bind", f"127.0.0.1:{port}"],
        env={**os.environ, **stack.settings_env(database)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        waiting = threading.Event()
        for _ in range(300):
            if answers(port):
                break
            assert process.poll() is None, "the stream process ended"
            waiting.wait(0.1)
        yield Running(f"http://127.0.0.1:{port}/stream/live", world, database)
    finally:
        process.terminate()
        assert process.wait(20) == 0


def test_many_streams_share_one_reader_and_hear_everything_in_order(
    running: Running, redis_client: Redis
) -> None:
    alpha = running.world.alpha
    names = ("supervisor_north", "supervisor_group", "manager_n1", "employee")
    with ExitStack() as stack:
        sources = [
            stack.enter_context(EventSource(running.url, running.cookie(name)))
            for name in names
            for _ in range(5)
        ]
        for source in sources:
            source.next("ping")
        readers = [c for c in redis_client.client_list() if "xread" in str(c["cmd"])]
        assert len(readers) <= 1
        LivePublisher(redis_client).publish(
            LiveEvent(
                tenant_id=alpha.id,
                type=LiveType.POSITION,
                employee_id=alpha.people["employee"],
                data={"n": number},
            )
            for number in range(400)
        )
        for source in sources:
            assert [source.next("pos").data["n"] for _ in range(400)] == list(range(400))
