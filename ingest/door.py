"""One message at a time, stored before the sender hears "yes"; for doors other than MQTT."""

import threading

import psycopg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ingest.devices import DeviceEntry, LookUp
from ingest.intake import Intake, Message, Taken, unread
from ingest.link import insist_on_durability, is_data_error
from ingest.ratelimit import RateLimiter
from ingest.wire import Reason
from server.broker.passwords import hash_password, verify_password
from server.crypto import Vault
from server.db.engine import make_engine, make_session_factory
from server.db.session import unit_of_work
from server.errors import Unavailable

_POOL = 4
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
        Unavailable : the database does not answer.
        """
        try:
            with unit_of_work(self._sessions, tenant_id=None) as session:
                entry = self._directory.find(session, username)
        except SQLAlchemyError as error:
            raise Unavailable("not_stored") from error
        known = entry is not None and entry.revoked_at is None
        hashed = entry.credential_hash if entry is not None and known else _NOBODY
        return entry if verify_password(secret, hashed) and known else None

    def store(self, message: Message) -> Taken:
        """Store or quarantine one message, durably.

        Raises
        ------
        Unavailable : nothing could be stored; the sender has to keep the message.
        """
        try:
            try:
                return self._transact(message)
            except (SQLAlchemyError, psycopg.Error) as error:
                if not is_data_error(error):
                    raise
                return self._transact(unread(message, Reason.DATABASE, type(error).__name__))
        except (SQLAlchemyError, psycopg.Error) as error:
            raise Unavailable("not_stored") from error

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    def _transact(self, message: Message) -> Taken:
        # The caches of the intake are shared by the request threads of this process.
        with self._lock:
            with unit_of_work(self._sessions, tenant_id=None) as session:
                self._insist_on_durability(session)
                taken = self._intake.take(session, [message])
            self._intake.committed(taken, message.received_s)
            return taken

    def _insist_on_durability(self, session: Session) -> None:
        if not self._durable:
            insist_on_durability(session.connection())
            self._durable = True
        else:
            session.execute(text("SET LOCAL synchronous_commit = on"))
