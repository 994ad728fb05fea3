"""Who may speak to the broker: its password file follows the table of devices.

The broker reads files, the truth is in the database. A change is told by NOTIFY, and
looked for every few seconds in case a word was lost. A client whose line is gone is thrown
out by the broker when it reads the file again. What phones leave behind in the broker is
wiped, see `ingest.sweeper`; and commands to phones leave from here, see `ingest.commands`.
"""

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from ingest.commands import Commander
from ingest.sweeper import Sweeper
from server.broker.config import GATEKEEPER
from server.broker.files import replace_file
from server.broker.passwords import password_file
from server.clock import SystemClock
from server.db.engine import make_engine, make_session_factory
from server.settings import Settings

POLL_S = 5.0
_TURN_S = 0.25
_RETRY_S = 1.0
_BROKER = "mosquitto"

log = logging.getLogger(__name__)


def run_gatekeeper(settings: Settings, stopped: threading.Event | None = None) -> None:
    """Keep `devices.pw` in step with the database until told to stop.

    While the database is away the file stays as it is. Retained messages are wiped when the
    broker's account is `keeper`; with any other one it would throw out that service.

    Parameters
    ----------
    settings : of role `engine`; `broker_dir` and `broker_pidfile` say where the broker is.
    stopped : set to end; SIGTERM and SIGINT set one of our own when left out.
    """
    if stopped is None:
        stopped = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopped.set())
    keeper = Gatekeeper(settings.broker_dir / "devices.pw", settings.broker_pidfile)
    url = settings.database_url.replace("postgresql+psycopg://", "postgresql://", 1)
    with _at_the_broker(settings, url):
        while not stopped.is_set():
            try:
                _watch(url, keeper, stopped)
            except psycopg.Error as error:
                log.warning("database is away, access stays as it is: %s", type(error).__name__)
                stopped.wait(_RETRY_S)
    log.info("gatekeeper stopped")


@contextlib.contextmanager
def _at_the_broker(settings: Settings, url: str) -> Iterator[None]:
    """Wipe what is retained and send commands, as long as the account is ours."""
    if settings.mqtt_username != GATEKEEPER:
        log.warning("retained messages stay in the broker: its account is not %s", GATEKEEPER)
        yield
        return
    sweeper = Sweeper(settings.mqtt_host, settings.mqtt_port, settings.mqtt_password)
    database = make_engine(settings.database_url, pool_size=1, application_name="outpost-commands")
    commander = Commander(make_session_factory(database), url, SystemClock(), sweeper.publish)
    sweeper.start()
    commander.start()
    try:
        yield
    finally:
        commander.stop()
        sweeper.stop()
        database.dispose()


class Gatekeeper:
    """Writes the password file and makes the broker read it.

    Parameters
    ----------
    path : the password file.
    pidfile : the broker's; None when somebody else makes it reload.
    """

    def __init__(self, path: Path, pidfile: Path | None) -> None:
        self._path = path
        self._pidfile = pidfile

    def refresh(self, connection: psycopg.Connection[tuple[object, ...]]) -> bool:
        """Write the file anew when devices changed.

        Returns
        -------
        Whether it was written, and so the broker told.
        """
        rows = connection.execute(
            "SELECT username, credential_hash FROM devices"
            " WHERE revoked_at IS NULL AND credential_hash <> ''"
        ).fetchall()
        text = password_file({str(name): str(hashed) for name, hashed in rows})
        if not replace_file(self._path, text):
            return False
        log.info("%d devices may connect", len(rows))
        self._reload()
        return True

    def _reload(self) -> None:
        if self._pidfile is None:
            return
        with contextlib.suppress(OSError, ValueError):
            pid = int(self._pidfile.read_text(encoding="ascii"))
            # A number left by a broker that is gone may be somebody else's by now.
            name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
            if name == _BROKER:
                os.kill(pid, signal.SIGHUP)
                return
        log.warning("the broker does not run; it reads the file when it starts")


def _watch(url: str, keeper: Gatekeeper, stopped: threading.Event) -> None:
    with psycopg.connect(
        url, autocommit=True, connect_timeout=5, application_name="outpost-gatekeeper"
    ) as connection:
        connection.execute("LISTEN devices")
        while not stopped.is_set():
            keeper.refresh(connection)
            until = time.monotonic() + POLL_S
            while not stopped.is_set() and time.monotonic() < until:
                if any(True for _ in connection.notifies(timeout=_TURN_S, stop_after=1)):
                    break
