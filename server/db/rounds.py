"""A thread that does what is due, round after round, beside the work of a process."""

import logging
import threading
from abc import abstractmethod
from typing import Final

import psycopg
from sqlalchemy.exc import DBAPIError

_RETRY_S: Final = 5.0
_LAST_ROUND_S: Final = 25.0

_log = logging.getLogger(__name__)


class Rounds(threading.Thread):
    """Does rounds until stopped; outlives any restart of the database and any bad row.

    Parameters
    ----------
    name : of the thread, as logs have it.
    poll_s : rest after a round that found nothing, seconds.
    """

    def __init__(self, name: str, *, poll_s: float = 2.0) -> None:
        super().__init__(name=name, daemon=True)
        self._poll_s = poll_s
        self._stopped = threading.Event()

    @abstractmethod
    def run_once(self) -> int:
        """Do one round in transactions of its own; returns how much was due, 0 for nothing."""

    def run(self) -> None:
        """Do rounds; after one that fails, wait five seconds and try again."""
        while not self._stopped.is_set():
            try:
                rest_s = 0.0 if self.run_once() else self._poll_s
            except (DBAPIError, psycopg.Error) as error:
                # The text of an error may quote a place.
                _log.warning("%s waits: %s", self.name, type(error).__name__)
                rest_s = _RETRY_S
            except Exception:  # noqa: BLE001  # a dead thread would stall all others' work
                _log.exception("%s waits: what is due cannot be done", self.name)
                rest_s = _RETRY_S
            self._stopped.wait(rest_s)

    def stop(self) -> None:
        """End after the round in hand."""
        self._stopped.set()
        if self.ident is not None:
            self.join(_LAST_ROUND_S)
