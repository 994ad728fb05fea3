"""The process behind `outpost ingest`: wire the parts, run, drain on SIGTERM."""

import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Mapping

from redis import Redis
from sqlalchemy import text

from ingest.announce import Announcer
from ingest.attempts import Attempts
from ingest.devices import Registry
from ingest.failpoints import Failpoints
from ingest.handover import Handover
from ingest.health import STATUS_FILE, Pulse, Reporter
from ingest.intake import Intake
from ingest.link import Link
from ingest.ratelimit import RateLimiter
from ingest.reader import Reader
from ingest.subscriber import KEEPALIVE_S, Subscriber
from ingest.writer import LIMIT, Writer
from server.crypto import Vault
from server.settings import Settings

_LOCK_WAIT_S = 6.0
_DRAIN_S = 10.0
_SWITCH_S = 0.001

log = logging.getLogger(__name__)


def run_ingest(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Consume messages of phones until SIGTERM or SIGINT.

    The lock is taken before the broker is touched, so that a second process started by
    mistake ends without disturbing the first.

    Parameters
    ----------
    settings : of role `ingest`.
    environ : for fail points of crash tests.

    Raises
    ------
    ingest.link.SecondConsumerError : another ingest runs on this database.
    ingest.link.NotDurableError : commits would not survive a crash.
    sqlalchemy.exc.OperationalError : the database does not answer at start.
    """
    settings.run_dir.mkdir(parents=True, exist_ok=True)
    failpoints = Failpoints.from_environ(environ, settings.environment)
    vault = Vault(settings.data_key)
    registry = Registry(vault)
    link = Link(settings.database_url, on_notify=registry.forget)
    link.open(wait_s=_LOCK_WAIT_S)
    handover, ready = Handover(), Handover(max_messages=2 * LIMIT)
    subscriber = Subscriber(
        handover, username=settings.mqtt_username, password=settings.mqtt_password
    )
    redis = Redis.from_url(
        settings.redis_url, socket_timeout=2, socket_connect_timeout=2, health_check_interval=30
    )
    with link.transaction() as session:
        tenants = session.scalars(text("SELECT id FROM tenants")).all()
    announcer = Announcer(redis, tenants=tenants)
    pulse = Pulse(handover)
    ahead = settings.run_dir / "ingest.ahead"
    attempts = Attempts(settings.run_dir / "ingest.attempts", also=[ahead])
    reader = Reader(
        handover,
        ready,
        subscriber=subscriber,
        pulse=pulse,
        attempts=Attempts(ahead),
        suspects=attempts,
        before_decode=failpoints.watcher(),
    )
    writer = Writer(
        handover=ready,
        subscriber=subscriber,
        link=link,
        intake=Intake(
            directory=registry,
            vault=vault,
            limiter=RateLimiter(),
            watch=attempts,
            before_decode=failpoints.watcher(),
        ),
        attempts=attempts,
        pulse=pulse,
        announce=announcer.announce,
        failpoints=failpoints,
    )
    reporter = Reporter(subscriber, pulse, settings.run_dir / STATUS_FILE)
    _stop_on_signal(writer, handover)
    _tune()
    announcer.start()
    reporter.start()
    reader.start()
    subscriber.connect_async(settings.mqtt_host, settings.mqtt_port, keepalive=KEEPALIVE_S)
    subscriber.loop_start()
    try:
        writer.run()
    finally:
        reporter.stop()
        # Queued acknowledgements leave before DISCONNECT does.
        subscriber.disconnect()
        subscriber.loop_stop()
        announcer.stop()
        redis.close()
        link.close()
    attempts.close()
    log.info("ingest stopped, %s", writer.counters.outcomes)


def _tune() -> None:
    # Messages make many short-lived dicts and no cycles: looking for cycles less often, and
    # never among what is loaded once, is a tenth of the throughput.
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    # A thread that has PostgreSQL's answer is not to wait as long again for its turn.
    sys.setswitchinterval(_SWITCH_S)


def _stop_on_signal(writer: Writer, handover: Handover) -> None:
    def stop(_number: int, _frame: object) -> None:
        # Not from inside the handler: it may have interrupted a holder of the same lock.
        threading.Thread(target=drain, daemon=True).start()

    def drain() -> None:
        writer.stop(within_s=_DRAIN_S)
        handover.close()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
