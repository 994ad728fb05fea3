"""Commands to phones, from the table where they wait to the broker.

Runs in the gatekeeper's process, beside what it does anyway and on its connection to the
broker: the broker knows one client per service account. A command carries its time to live,
so that a phone that is offline now is not asked hours later, when nobody waits for it.
"""

import json
import logging
import threading
from collections.abc import Callable
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from ingest.topics import ROOT
from server.clock import Clock
from server.db.session import unit_of_work
from server.people.owntracks import DEVICE_ID
from server.tracking.locate import COMMANDS_CHANNEL
from server.tracking.locate_outbox import WaitingCommand, note_published, waiting_commands

POLL_S: Final = 1.0
_RETRY_S: Final = 1.0

log = logging.getLogger(__name__)

Publish = Callable[[str, bytes, int], bool]
"""Topic, payload, seconds to live; whether the broker has acknowledged it."""


class Commander(threading.Thread):
    """Publishes waiting commands: at once on NOTIFY, and by looking every second.

    Parameters
    ----------
    sessions : of the engine's role.
    url : the same database, for hearing notifications.
    clock : decides what is still worth sending.
    publish : hands one message to the broker and waits for its acknowledgement.
    """

    def __init__(
        self, sessions: sessionmaker[Session], url: str, clock: Clock, publish: Publish
    ) -> None:
        super().__init__(name="commands", daemon=True)
        self._sessions = sessions
        self._url = url
        self._clock = clock
        self._publish = publish
        self._stopped = threading.Event()

    def run_once(self) -> int:
        """Publish what waits, in one transaction; returns how many went out.

        A crash between the broker's word and the commit sends a command twice, which asks
        the same phone twice and harms nobody.
        """
        with unit_of_work(self._sessions, tenant_id=None) as session:
            now = self._clock.now()
            waiting = waiting_commands(session, now=now)
            sent = [command for command in waiting if self._send(command)]
            note_published(session, sent, now=now)
        return len(sent)

    def run(self) -> None:
        """Publish until stopped; outlives restarts of database and broker."""
        while not self._stopped.is_set():
            try:
                self._listen()
            except (DBAPIError, psycopg.Error) as error:
                log.warning("commands wait, the database is away: %s", type(error).__name__)
                self._stopped.wait(_RETRY_S)

    def stop(self) -> None:
        """End."""
        self._stopped.set()
        if self.ident is not None:
            self.join(10)

    def _listen(self) -> None:
        with psycopg.connect(
            self._url, autocommit=True, connect_timeout=5, application_name="outpost-commands"
        ) as ears:
            ears.execute(f"LISTEN {COMMANDS_CHANNEL}".encode())
            while not self._stopped.is_set():
                self.run_once()
                for _ in ears.notifies(timeout=POLL_S, stop_after=1):
                    continue

    def _send(self, command: WaitingCommand) -> bool:
        topic = f"{ROOT}/{command.username}/{DEVICE_ID}/cmd"
        payload = json.dumps({"_type": "cmd", "action": command.action.value}).encode()
        sent = self._publish(topic, payload, command.expires_s)
        if not sent:
            log.warning("the broker did not take a command, it is tried again")
        return sent
