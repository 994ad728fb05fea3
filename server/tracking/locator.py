"""Looks at open questions all the time, beside the engine's worker in the same process.

The engine has the rights it takes (it reads fixes and writes verdicts), any number of it may
run, and it is alive wherever the live map is. A carrier may take its time, so this has a
thread and a connection of its own.
"""

import logging
from concurrent.futures import Executor
from datetime import timedelta
from typing import Final

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.rounds import Rounds
from server.db.session import unit_of_work
from server.tracking.live import LivePublisher
from server.tracking.locate_outbox import forget_old_commands
from server.tracking.locate_settling import (
    AskCarrier,
    CarrierQuestion,
    CarrierSays,
    open_questions,
    settle_by_carrier,
    settle_question,
)

POLL_S: Final = 0.5
_TIDY_EVERY: Final = timedelta(hours=1)

_log = logging.getLogger(__name__)


class Locator(Rounds):
    """Settles open questions until stopped.

    Parameters
    ----------
    sessions : of the engine's role.
    clock : decides time-outs.
    ask_carrier : asks a person's carrier; None where there is none.
    aside : runs what takes long; in place when left out.
    publisher : tells live maps what a carrier said; None leaves them to read it.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Clock,
        *,
        ask_carrier: AskCarrier | None = None,
        aside: Executor | None = None,
        publisher: LivePublisher | None = None,
    ) -> None:
        super().__init__("locator", poll_s=POLL_S)
        self._sessions = sessions
        self._clock = clock
        self._ask_carrier = ask_carrier
        self._aside = aside
        self._publisher = publisher
        self._tidied_at = clock.now() - _TIDY_EVERY

    def run_once(self) -> int:
        """Look at open questions, hourly at old commands; what is open then waits half a second."""
        self.look()
        self._tidy()
        return 0

    def look(self) -> int:
        """Look at each open question once, each in a transaction of its own.

        One that cannot be settled keeps no other waiting.

        Returns
        -------
        How many were looked at.
        """
        with unit_of_work(self._sessions, tenant_id=None) as session:
            waiting = open_questions(session)
        for tenant_id, request_id in waiting:
            try:
                with unit_of_work(self._sessions, tenant_id=None) as session:
                    question = settle_question(
                        session,
                        self._clock,
                        tenant_id=tenant_id,
                        request_id=request_id,
                        carriers=self._ask_carrier is not None,
                    )
            except Exception as error:
                if isinstance(error, DBAPIError) and error.connection_invalidated:
                    raise
                _log.exception("question %s cannot be settled", request_id)
                continue
            if question is None:
                continue
            if self._aside is None:
                self._carry(question)
            else:
                self._aside.submit(self._carry, question)
        return len(waiting)

    def _carry(self, question: CarrierQuestion) -> None:
        """Ask a carrier and take its answer; what goes wrong is left to the time-out."""
        ask = self._ask_carrier
        if ask is None:
            return
        try:
            says = ask(question)
        except Exception as error:  # noqa: BLE001  # nobody looks at what a pool's thread raises
            # Its text may quote a number; the question goes on without the carrier.
            _log.warning("a carrier could not be asked: %s", type(error).__name__)
            says = CarrierSays(refusal="provider_failure")
        try:
            with unit_of_work(self._sessions, tenant_id=None) as session:
                event = settle_by_carrier(session, self._clock, question, says)
        except Exception as error:  # noqa: BLE001  # as above
            _log.warning("a carrier's answer is lost: %s", type(error).__name__)
            return
        if event is not None and self._publisher is not None:
            self._publisher.publish([event])

    def _tidy(self) -> None:
        now = self._clock.now()
        if now - self._tidied_at >= _TIDY_EVERY:
            self._tidied_at = now
            with unit_of_work(self._sessions, tenant_id=None) as session:
                forget_old_commands(session, now=now)
