"""The one connection that writes: durable, locked against a second consumer, listening."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server.db.engine import make_engine

LOCK_KEY = 0x6F757470  # one number for the whole database: "outp"
_DURABLE = ("on", "remote_apply")
_POLL_S = 0.25
_DATA_CLASSES = ("21", "22", "23")

log = logging.getLogger(__name__)


class SecondConsumerError(Exception):
    """Another ingest process holds the lock."""

    def __init__(self) -> None:
        super().__init__("another ingest process is running on this database; this one stops")


class NotDurableError(Exception):
    """The server would report a commit that a crash can undo."""

    def __init__(self, setting: str, value: str) -> None:
        super().__init__(f"PostgreSQL runs with {setting} = {value}; commits would not be durable")


class Link:
    """Holds one connection of `outpost_ingest` and opens transactions on it.

    Parameters
    ----------
    url : address of the database.
    on_notify : called when `devices` changed.
    """

    def __init__(self, url: str, *, on_notify: Callable[[], None]) -> None:
        self._engine = make_engine(
            url, pool_size=1, statement_timeout_s=60.0, application_name="outpost-ingest"
        )
        self._on_notify = on_notify
        self._connection: Connection | None = None

    def open(self, *, wait_s: float) -> None:
        """Connect, check that commits are durable, and take the lock.

        Parameters
        ----------
        wait_s : how long a process that is just ending may keep the lock.

        Raises
        ------
        SecondConsumerError : somebody else keeps it.
        NotDurableError : `fsync` or `synchronous_commit` is off.
        sqlalchemy.exc.DBAPIError : the database does not answer.
        """
        if self._connection is not None:
            return
        connection = self._engine.connect()
        try:
            insist_on_durability(connection)
            _take_lock(connection, wait_s=wait_s)
            connection.execute(text("LISTEN devices"))
            connection.commit()
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        raw = connection.connection.driver_connection
        assert isinstance(raw, psycopg.Connection)
        raw.add_notify_handler(self._hear)
        self._connection = connection
        # Whatever changed while nobody listened is read again.
        self._on_notify()

    @contextmanager
    def transaction(self, *, before_commit: Callable[[], None] | None = None) -> Iterator[Session]:
        """Run one transaction; any error breaks the connection off when it may be broken.

        Raises
        ------
        sqlalchemy.exc.DBAPIError, psycopg.Error : nothing was committed, or, when the
            connection was lost while committing, it is unknown whether it was: the batch
            has to be written again, which changes nothing then.
        """
        assert self._connection is not None
        try:
            with Session(bind=self._connection, expire_on_commit=False) as session:
                yield session
                if before_commit is not None:
                    before_commit()
                session.commit()
        except (DBAPIError, psycopg.Error):
            if _is_broken(self._connection):
                self.drop()
            raise

    def listen(self) -> None:
        """Hear notifications while there is nothing to write; also finds a dead connection."""
        if self._connection is not None:
            with self.transaction() as session:
                session.execute(text("SELECT 1"))

    def drop(self) -> None:
        """Give the connection, and with it the lock, up."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def close(self) -> None:
        """Give everything up."""
        self.drop()
        self._engine.dispose()

    def _hear(self, _notification: psycopg.Notify) -> None:
        self._on_notify()


def sqlstate_of(error: BaseException) -> str | None:
    """Return the five characters by which PostgreSQL names an error; None for a lost connection."""
    cause: Any = error.orig if isinstance(error, DBAPIError) else error
    found = getattr(cause, "sqlstate", None)
    return found if isinstance(found, str) else None


def reason_of(error: BaseException) -> str:
    """Return one line for the log: state and message, without the statement's values."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    lines = str(cause).strip().splitlines()
    return f"{sqlstate_of(error) or type(cause).__name__}: {lines[0] if lines else 'no message'}"


def is_data_error(error: BaseException) -> bool:
    """Whether a row, and not the database's state, is at fault: trying again would not help."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    state = sqlstate_of(error)
    if state is None:
        # The driver refuses some values by itself, before the server could.
        return isinstance(cause, psycopg.DataError)
    return state[:2] in _DATA_CLASSES


def _is_broken(connection: Connection) -> bool:
    if connection.closed or connection.invalidated:
        return True
    raw = connection.connection.driver_connection
    return not isinstance(raw, psycopg.Connection) or raw.closed or raw.broken


def insist_on_durability(connection: Connection) -> None:
    """Make commits of this connection durable.

    Raises
    ------
    NotDurableError : `fsync` or `synchronous_commit` is off.
    """
    # Set here, so that no default of role or database can take durability away.
    connection.execute(text("SET synchronous_commit = on"))
    for setting in ("fsync", "synchronous_commit"):
        value = connection.execute(text(f"SHOW {setting}")).scalar_one()
        if value not in _DURABLE:
            raise NotDurableError(setting, value)


def _take_lock(connection: Connection, *, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while True:
        got = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": LOCK_KEY})
        taken = got.scalar_one()
        connection.commit()
        if taken:
            return
        if time.monotonic() > until:
            raise SecondConsumerError
        time.sleep(_POLL_S)
