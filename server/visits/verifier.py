"""Judges visits beside the engine's worker, in its process; any number may run."""

import logging
import threading
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.session import unit_of_work
from server.visits.services import verify_due

POLL_S: Final = 2.0
_RETRY_S: Final = 5.0

_log = logging.getLogger(__name__)


class Verifier(threading.Thread):
    """Judges due visits until stopped.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells which windows are over.
    at_once : due visits a transaction; the engine waits for those of a day it derives, so few.
    """

    def __init__(self, sessions: sessionmaker[Session], clock: Clock, *, at_once: int = 20) -> None:
        super().__init__(name="verifier", daemon=True)
        self._sessions = sessions
        self._clock = clock
        self._at_once = at_once
        self._stopped = threading.Event()

    def run_once(self) -> int:
        """Judge one claim; returns how many due visits were done."""
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return verify_due(session, self._clock, limit=self._at_once)

    def run(self) -> None:
        """Look every two seconds; outlives any restart of the database."""
        while not self._stopped.is_set():
            try:
                busy = self.run_once()
            except (DBAPIError, psycopg.Error) as error:
                _log.warning("visits wait: %s", type(error).__name__)
                self._stopped.wait(_RETRY_S)
                continue
            except Exception:  # noqa: BLE001  # a dead thread would stall all others' work
                _log.exception("visits wait: what is due cannot be done")
                self._stopped.wait(_RETRY_S)
                continue
            if not busy:
                self._stopped.wait(POLL_S)

    def stop(self) -> None:
        """End after the batch in hand."""
        self._stopped.set()
        if self.ident is not None:
            self.join(25)
