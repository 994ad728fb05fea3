"""Works out what-ifs, beside the engine's worker in its process.

A replay is patient work: after each batch the thread rests as long as the batch took, so
that verdicts of people on duty now do not wait for somebody's question about last month.
"""

import time
from typing import Final

from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.tracking.what_if import claim_run, replay_batch

_LONGEST_REST_S: Final = 2.0


class Replayer(Rounds):
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
        super().__init__("replayer", poll_s=1.0)
        self._sessions = sessions
        self._clock = clock
        self._rests = rests

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
