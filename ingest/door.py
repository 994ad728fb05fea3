"""One message at a time, stored before the sender hears "yes"; for doors other than MQTT."""

import logging
import threading
from collections.abc import Sequence

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ingest.devices import DeviceEntry, LookUp
from ingest.intake import Intake, Message, Taken, unread
from ingest.link import insist_on_durability, is_data_error, sqlstate_of
from ingest.ratelimit import RateLimiter
from ingest.salvage import FAULTS, members
from ingest.topics import is_username
from ingest.wire import Reason
from server.broker.passwords import hash_password, verify_password
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import Unavailable

_POOL = 4
log = logging.getLogger(__name__)
_NOBODY = hash_password("", b"no such device")


class Door:
    """Checks device credentials and stores messages with ingest's rights.

    Parameters
    ----------
    url : database address of `outpost_ingest`.
    vault : opens and seals with the data key.
    """

    def __init__(self, url: str, vault: Vault) -> None:
        self._engine = make_engine(url, pool_size=_POOL, application_name="outpost-http-door")
        self._sessions = make_session_factory(self._engine)
        self._directory = LookUp(vault)
        self._intake = Intake(directory=self._directory, vault=vault, limiter=RateLimiter())
        self._lock = threading.Lock()
        self._durable = False

    def authenticate(self, username: str, secret: str) -> DeviceEntry | None:
        """Return the device whose credential this is; None for any other or a revoked one.

        Unknown names cost as much time as wrong secrets.

        Raises
        ------
        Unavailable : the database does not answer, or what it says of the device is broken.
        """
        try:
            entry = self._find(username) if is_username(username) else None
            known = entry is not None and entry.revoked_at is None
            hashed = entry.credential_hash if entry is not None and known else _NOBODY
            return entry if verify_password(secret, hashed) and known else None
        except Exception as error:
            # Its text may quote a credential.
            log.warning("a device cannot be checked: %s", type(error).__name__)
            raise Unavailable("not_stored") from error

    def store(self, message: Message) -> list[Taken]:
        """Store or quarantine one message, durably.

        An array whose members cannot all be stored is taken apart, so that only the bad
        ones go to quarantine.

        Returns
        -------
        What was committed, in order; more than one when a message was taken apart. When it
        ends in an error some members may be stored; sent again they are duplicates.

        Raises
        ------
        Unavailable : not everything could be stored; the sender has to keep the message.
        """
        try:
            return self._store([message])
        except Exception as error:
            # A phone that hears anything else sends nothing more until this one gets through.
            raise Unavailable("not_stored") from error

    def _find(self, username: str) -> DeviceEntry | None:
        with unit_of_work(self._sessions, tenant_id=None) as session:
            return self._directory.find(session, username)

    def _store(self, messages: Sequence[Message]) -> list[Taken]:
        try:
            return [self._transact(messages)]
        except (*FAULTS, AttributeError, AssertionError, psycopg.Error) as error:
            if isinstance(error, (DBAPIError, psycopg.Error)) and not is_data_error(error):
                raise
            # The text of an error may quote what it is about.
            cause = sqlstate_of(error) or type(error).__name__
            log.warning("%d messages cannot be stored together: %s", len(messages), cause)
            if len(messages) == 1:
                if messages[0].reason is not None:
                    raise
                messages = members(messages[0])
            if len(messages) == 1:
                return self._store([unread(messages[0], Reason.DATABASE, cause)])
        half = len(messages) // 2
        return self._store(messages[:half]) + self._store(messages[half:])

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _transact(self, messages: Sequence[Message]) -> Taken:
        # The caches of the intake are shared by the request threads of this process.
        with self._lock:
            with unit_of_work(self._sessions, tenant_id=None) as session:
                self._insist_on_durability(session)
                taken = self._intake.take(session, messages)
            self._intake.committed(taken, messages[-1].received_s)
            return taken

    def _insist_on_durability(self, session: Session) -> None:
        if not self._durable:
            insist_on_durability(session.connection())
            self._durable = True
        else:
            session.execute(text("SET LOCAL synchronous_commit = on"))
