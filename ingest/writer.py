"""Batches from the broker into the database: commit first, acknowledge after."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import psycopg
from sqlalchemy.exc import DBAPIError

from ingest.attempts import CRASHES_ALLOWED, Attempts
from ingest.failpoints import Failpoints
from ingest.handover import Handover, Parcel
from ingest.health import Pulse
from ingest.intake import Intake, Message, Taken, unread
from ingest.link import Link, SecondConsumerError, is_data_error, reason_of, sqlstate_of
from ingest.salvage import FAULTS, members
from ingest.subscriber import Subscriber
from ingest.wire import Reason
from ingest.wire.plain import Plain

LIMIT = 4_000
_IDLE_S = 0.5
_LOCK_WAIT_S = 10.0
_FIRST_DELAY_S, _LAST_DELAY_S = 0.1, 2.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Counters:
    """What this process did since it started.

    `outcomes` holds the counts of `Recorded`, and `via_retain`: messages that the broker had
    retained and sent because of a new subscription; they are duplicates as a rule.
    """

    batches: int = 0
    transactions: int = 0
    messages: int = 0
    retries: int = 0
    bisections: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)


class Writer:
    """Takes parcels from the handover until told to stop.

    Parameters
    ----------
    handover, subscriber : where messages come from and acknowledgements go.
    link : the connection that writes.
    intake : decodes, gates and records.
    attempts : remembers what was in hand if this process dies.
    pulse : told of every commit and canary.
    announce : given each committed batch, for the live map; must not raise or block.
    """

    def __init__(
        self,
        *,
        handover: Handover,
        subscriber: Subscriber,
        link: Link,
        intake: Intake,
        attempts: Attempts,
        pulse: Pulse,
        announce: Callable[[Taken], None],
        failpoints: Failpoints | None = None,
    ) -> None:
        self._handover = handover
        self._subscriber = subscriber
        self._link = link
        self._intake = intake
        self._attempts = attempts
        self._pulse = pulse
        self._announce = announce
        self._failpoints = failpoints or Failpoints()
        self._give_up_at: float | None = None
        self.counters = Counters()

    def stop(self, *, within_s: float) -> None:
        """Finish what was read, unless the database keeps refusing for this long."""
        self._give_up_at = time.monotonic() + within_s

    def run(self) -> None:
        """Write until the handover is closed and drained.

        Raises
        ------
        SecondConsumerError : the lock was lost to another process.
        """
        while not self._handover.is_drained:
            parcels = self._handover.take(limit=LIMIT, linger_s=0.0, timeout_s=_IDLE_S)
            if not parcels:
                if self._give_up_at is None:
                    self._idle()
                continue
            if not self._write(parcels):
                log.warning("stopped with unwritten messages; the broker keeps them")
                return

    def _write(self, parcels: Sequence[Parcel]) -> bool:
        """Store parcels, acknowledge them; False when stopped before they were stored."""
        messages = [message for parcel in parcels for message in parcel.messages]
        if self._attempts.has_suspects:
            messages = [self._trusted(message) for message in messages]
        if messages and not self._store(messages, _together(parcels)):
            return False
        if not self._beat():
            return False
        self._failpoints.reach("before_ack")
        if self._failpoints.acks_half and messages:
            self._subscriber.acknowledge(parcels, only=max(1, len(messages) // 2))
            self._failpoints.after_half()
        self._subscriber.acknowledge(parcels)
        self.counters.batches += 1
        self.counters.messages += len(messages)
        return True

    def _trusted(self, message: Message) -> Message:
        """Return a message; unread when it was in hand at too many deaths of the process."""
        crashes = self._attempts.crashes(message)
        if crashes <= CRASHES_ALLOWED:
            return message
        return unread(message, Reason.CRASH, f"in hand at {crashes} deaths of the process")

    def _store(self, messages: list[Message], ahead: Plain | None = None) -> bool:
        """Store messages however long it takes; False when told to stop meanwhile."""
        delay_s = _FIRST_DELAY_S
        while True:
            try:
                self._link.open(wait_s=_LOCK_WAIT_S)
                self._transact(messages, ahead)
            except (DBAPIError, psycopg.Error) as error:
                state = sqlstate_of(error)
                if is_data_error(error):
                    return self._bisect(messages, f"SQLSTATE {state or type(error).__name__}")
                self._pulse.refused(state or "connection lost")
                log.warning("database refuses, trying again: %s", reason_of(error))
            except SecondConsumerError:
                raise
            except FAULTS as error:
                log.exception("batch of %d failed", len(messages))
                self._link.drop()
                return self._bisect(messages, type(error).__name__)
            else:
                return True
            self.counters.retries += 1
            if self._give_up_at is not None and time.monotonic() > self._give_up_at:
                return False
            time.sleep(delay_s)
            delay_s = min(_LAST_DELAY_S, delay_s * 2)

    def _bisect(self, messages: list[Message], detail: str) -> bool:
        """Find the message that cannot be stored; store the others."""
        self.counters.bisections += 1
        if len(messages) == 1 and messages[0].reason is None:
            messages = members(messages[0])
        if len(messages) == 1:
            message = messages[0]
            if message.reason is Reason.DATABASE:
                raise RuntimeError(f"a message can be neither stored nor quarantined: {detail}")
            return self._store([unread(message, Reason.DATABASE, detail)])
        half = len(messages) // 2
        return self._store(messages[:half]) and self._store(messages[half:])

    def _transact(self, messages: list[Message], ahead: Plain | None) -> None:
        taken: Taken | None = None
        with self._link.transaction(
            before_commit=lambda: self._failpoints.reach("before_commit")
        ) as session:
            taken = self._intake.take(session, messages, ahead)
            self._pulse.write(session)
            self._failpoints.reach("after_insert")
        self._failpoints.reach("after_commit")
        self._pulse.committed()
        self._intake.committed(taken, time.time())
        self.counters.transactions += 1
        retained = sum(message.retained for message in messages)
        if retained:
            self._count("via_retain", retained)
        for name in ("received", "stored", "duplicate", "quarantined", "off_duty", "ignored"):
            self._count(name, getattr(taken.recorded, name))
        self._announce(taken)

    def _count(self, name: str, count: int) -> None:
        self.counters.outcomes[name] = self.counters.outcomes.get(name, 0) + count

    def _beat(self) -> bool:
        """Commit a canary that came without company."""
        return not self._pulse.is_due or self._store([])

    def _idle(self) -> None:
        """Stay connected while nothing arrives, and hear of changed devices."""
        try:
            self._link.open(wait_s=_LOCK_WAIT_S)
            self._link.listen()
        except (DBAPIError, psycopg.Error) as error:
            self._pulse.refused(sqlstate_of(error) or "connection lost")


def _together(parcels: Sequence[Parcel]) -> Plain | None:
    """Return what was read of all parcels; None when any of them was left unread."""
    parts = [(parcel.plain, len(parcel.messages)) for parcel in parcels if parcel.messages]
    read = [(plain, count) for plain, count in parts if plain is not None]
    return Plain.joined(read) if read and len(read) == len(parts) else None
