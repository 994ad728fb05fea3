"""Works out what-ifs, beside the engine's worker in its process.

A replay is patient work: after each batch the thread rests as long as the batch took, so
that verdicts of people on duty now do not wait for somebody's question about last month.
"""

import logging
import threading
import time
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.session import unit_of_work
from server.tracking.what_if import claim_run, replay_batch

POLL_S: Final = 1.0
_RETRY_S: Final = 5.0
_LONGEST_REST_S: Final = 2.0

_log = logging.getLogger(__name__)


class Replayer(threading.Thread):
    """Does one run after the other until stopped; any number may run, each takes what is free.

    Parameters
    ----------
    sessions : of the engine's role, all tenants.
    clock : the watermark of what is judged.
    rests : False for commands and tests that wait for the result.
    """

    def __init__(
        self, sessions: sessionmaker[Session], clock: Clock, *, rests: bool = True
    ) -> None:
        super().__init__(name="replayer", daemon=True)
        self._sessions = sessions
        self._clock = clock
        self._rests = rests
        self._stopped = threading.Event()

    def run_once(self) -> bool:
        """Do the run that waits longest to its end; tells whether there was one."""
        with unit_of_work(self._sessions, tenant_id=None) as session:
            claim = claim_run(session, now=self._clock.now())
        if claim is None:
            return False
        more = True
        while more and not self._stopped.is_set():
            began = time.monotonic()
            with unit_of_work(self._sessions, tenant_id=None) as session:
                more = replay_batch(session, claim, now=self._clock.now())
            if more and self._rests:
                self._stopped.wait(min(time.monotonic() - began, _LONGEST_REST_S))
        return True

    def run(self) -> None:
        """Look every second; outlives any restart of the database."""
        while not self._stopped.is_set():
            try:
                busy = self.run_once()
            except (DBAPIError, psycopg.Error) as error:
                # The run is taken up again when it has said nothing for two minutes.
                _log.warning("what-ifs wait: %s", type(error).__name__)
                self._stopped.wait(_RETRY_S)
                continue
            except Exception:  # noqa: BLE001  # a dead thread would stall all others' work
                _log.exception("what-ifs wait: what is due cannot be done")
                self._stopped.wait(_RETRY_S)
                continue
            if not busy:
                self._stopped.wait(POLL_S)

    def stop(self) -> None:
        """End after the batch in hand; another process goes on with the run."""
        self._stopped.set()
        if self.ident is not None:
            self.join(25)
