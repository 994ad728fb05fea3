"""The engine as a process: wakes on NOTIFY, looks at the clock, ends after its batch."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType
from typing import Final, Protocol

import psycopg
from redis import Redis
from sqlalchemy import Engine as Database
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from server.carriers.services import desk_of
from server.clock import Clock, SystemClock
from server.db.engine import make_engine, make_session_factory
from server.settings import Settings
from server.tracking.engine import Engine, OnDerived
from server.tracking.live import LivePublisher
from server.tracking.locate_carriers import carrier_asker
from server.tracking.locator import Locator
from server.tracking.replayer import Replayer
from server.tracking.resolver import Resolver
from server.tracking.signs_worker import SignsWorker

_log = logging.getLogger(__name__)

POLL_S: Final = 0.5
DUE_EVERY_S: Final = 1.0
BEGUN_EVERY_S: Final = 5.0
_CARRIERS_AT_ONCE: Final = 2
_BACK_OFF_S: Final = (0.1, 0.5, 1.0, 2.0, 5.0)


class Worker(Protocol):
    """A thread that works beside the engine until it is stopped."""

    def start(self) -> None:
        """Begin."""

    def stop(self) -> None:
        """End after the work in hand."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What slices above tracking have running in the engine's process.

    Attributes
    ----------
    workers : made with sessions of the engine's role; each holds one connection at most.
    on_derived : see `Engine`.
    """

    workers: Sequence[Worker] = ()
    on_derived: OnDerived | None = None


def run(
    settings: Settings,
    *,
    clock: Clock | None = None,
    beside: Callable[[sessionmaker[Session], Clock], Beside] | None = None,
) -> None:
    """Run one engine worker until SIGTERM or SIGINT; the batch under way is finished first.

    Start as many as there are cores to spare, on any number of hosts.

    Parameters
    ----------
    settings : of the role `engine`.
    clock : the machine's when left out.
    beside : what else runs here; nothing when left out.
    """
    stop = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    database = make_engine(
        settings.database_url,
        # The worker, the locator, the resolver, the replayer, signs, those beside, and what
        # carriers answer; two that work beside rarely need their connection at once.
        pool_size=6 + _CARRIERS_AT_ONCE,
        statement_timeout_s=120.0,
        application_name="outpost-engine",
    )
    redis = Redis.from_url(settings.redis_url, socket_timeout=5, socket_connect_timeout=2)
    sessions, clock = make_session_factory(database), clock or SystemClock()
    carriers = ThreadPoolExecutor(_CARRIERS_AT_ONCE, thread_name_prefix="carrier")
    desk = desk_of(settings, sessions, clock)
    locator = Locator(
        sessions,
        clock,
        ask_carrier=carrier_asker(desk),
        aside=carriers,
        publisher=LivePublisher(redis),
    )
    resolver = Resolver(desk, LivePublisher(redis))
    others = beside(sessions, clock) if beside is not None else Beside()
    workers: list[Worker] = [
        locator,
        resolver,
        Replayer(sessions, clock),
        SignsWorker(sessions, clock),
        *others.workers,
    ]
    try:
        for each in workers:
            each.start()
        engine = Engine(sessions, clock, LivePublisher(redis), on_derived=others.on_derived)
        work(engine, database, stop)
    finally:
        for each in workers:
            each.stop()
        carriers.shutdown(cancel_futures=True)
        redis.close()
        database.dispose()


def work(worker: Engine, database: Database, stop: threading.Event) -> None:
    """Derive touched days until `stop` is set; outlives any restart of the database.

    Parameters
    ----------
    worker : one worker.
    database : where to listen for `touched`.
    stop : looked at between batches.
    """
    setbacks = 0
    while not stop.is_set():
        try:
            with _listen(database) as ears:
                worker.announce()
                _log.info("engine is at work")
                setbacks = 0
                _loop(worker, ears, stop)
        except (DBAPIError, psycopg.Error) as error:
            delay_s = _BACK_OFF_S[min(setbacks, len(_BACK_OFF_S) - 1)]
            setbacks += 1
            _log.warning("database is away, trying again in %.1f s: %s", delay_s, error)
            stop.wait(delay_s)


def _loop(worker: Engine, ears: psycopg.Connection, stop: threading.Event) -> None:
    due_at = begun_at = time.monotonic()
    while not stop.is_set():
        now = time.monotonic()
        if now >= due_at:
            worker.queue_due()
            due_at = now + DUE_EVERY_S
        if now >= begun_at:
            worker.beat()
            worker.queue_begun()
            begun_at = now + BEGUN_EVERY_S
        if worker.run_batch() == 0:
            # A row committed meanwhile has left its notification here, so nothing is missed.
            for _ in ears.notifies(timeout=POLL_S, stop_after=1):
                continue


def _listen(database: Database) -> psycopg.Connection:
    url = make_url(database.url).set(drivername="postgresql")
    connection = psycopg.connect(
        url.render_as_string(hide_password=False),
        autocommit=True,
        connect_timeout=5,
        application_name="outpost-engine-ears",
    )
    connection.execute("LISTEN touched")
    return connection
