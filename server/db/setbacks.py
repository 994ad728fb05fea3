"""Work that is due in batches, of which one bad piece stops no other."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Generic, Protocol, TypeVar

from sqlalchemy.exc import DBAPIError

from server.clock import Clock

Key = TypeVar("Key")
OnClaim = Callable[[Sequence[Key]], None]

_RETRY_AFTER: Final = (timedelta(seconds=5), timedelta(minutes=1), timedelta(minutes=10))

_log = logging.getLogger(__name__)


class Work(Protocol[Key]):
    """What does some of what is due, in one transaction of its own."""

    def __call__(self, *, limit: int, skip: Sequence[Key], on_claim: OnClaim[Key]) -> int:
        """Do so many pieces at most but none of `skip`, and tell which before doing them.

        Returns
        -------
        How much was done; 0 when nothing is due.
        """


class Setbacks(Generic[Key]):
    """Does what is due; what fails waits, longer each time, and keeps nothing else from it.

    It stays queued in the database, so that another process or a newer version may do it.

    Parameters
    ----------
    name : of the work, as logs have it.
    clock : tells when what failed is tried again.
    label : what a log may say of a piece; never a place.
    """

    def __init__(self, name: str, clock: Clock, *, label: Callable[[Key], object]) -> None:
        self._name = name
        self._clock = clock
        self._label = label
        self._waits: dict[Key, tuple[int, datetime]] = {}

    def do(self, work: Work[Key], *, batch: int) -> int:
        """Do a batch, or when it fails its pieces one by one.

        Returns
        -------
        How much was done; 0 when there is nothing to do now.

        Raises
        ------
        Exception : of the work, when the connection was lost or before anything was taken.
        """
        try:
            return self._do(work, batch, [])
        except Exception as error:
            if _is_lost(error):
                raise
            _log.exception("%s: a batch failed, its pieces are tried one by one", self._name)
        done = 0
        for _ in range(batch):
            claimed: list[Key] = []
            try:
                count = self._do(work, 1, claimed)
            except Exception as error:
                if not claimed or _is_lost(error):
                    raise
                _log.exception("%s: a piece of %s waits", self._name, self._label(claimed[0]))
                self._failed(claimed[0])
                continue
            if not count:
                break
            done += count
        return done

    def _do(self, work: Work[Key], limit: int, claimed: list[Key]) -> int:
        now = self._clock.now()
        waiting = [key for key, (_, until) in self._waits.items() if until > now]
        done = work(limit=limit, skip=waiting, on_claim=claimed.extend)
        for key in claimed:
            self._waits.pop(key, None)
        return done

    def _failed(self, key: Key) -> None:
        now = self._clock.now()
        count = self._waits.get(key, (0, now))[0]
        delay = _RETRY_AFTER[min(count, len(_RETRY_AFTER) - 1)]
        self._waits[key] = (count + 1, now + delay)


def _is_lost(error: Exception) -> bool:
    return isinstance(error, DBAPIError) and error.connection_invalidated
