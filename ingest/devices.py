"""Whose credential a message came with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import (
    Column,
    DateTime,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
    Uuid,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session

from geo.crs import Datum
from geo.fix import Source, to_epoch_s
from server.crypto import SealBroken, Vault
from server.people.devices import encryption_context
from server.tracking.records import DeviceRef

# The table as the database shows it; its model is private to its slice.
DEVICES = Table(
    "devices",
    MetaData(),
    Column("tenant_id", Integer),
    Column("id", Uuid),
    Column("employee_id", Uuid),
    Column("username", Text),
    Column("credential_hash", Text),
    Column("encryption_secret", LargeBinary),
    Column("enrolled_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    Column("datum", Text),
    Column("source_datums", JSONB),
)


@dataclass(frozen=True, slots=True)
class DeviceEntry:
    """What ingest needs to know of one device."""

    ref: DeviceRef
    username: str
    credential_hash: str = field(repr=False)
    secret: str | None = field(repr=False)
    enrolled_s: float
    revoked_at: datetime | None
    datum: Datum = Datum.WGS84
    source_datums: Mapping[Source, Datum] = field(default_factory=dict)
    """Sources that speak another one than `datum`."""


class Directory(Protocol):
    """Finds devices by the user name in a topic."""

    def find(self, session: Session, username: str) -> DeviceEntry | None:
        """Return the device, None when nobody knows it."""
        ...


class LookUp:
    """Asks the database each time; for doors with few messages a second."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault

    def find(self, session: Session, username: str) -> DeviceEntry | None:
        """Return the device, None when nobody knows it. One statement."""
        found = session.execute(_query().where(DEVICES.c.username == username)).mappings().first()
        return None if found is None else _entry(found, self._vault)


class Registry:
    """All devices in memory; read again when one changed or an unknown name turns up.

    The connection that writes also listens to `devices`, so a change is seen with the next
    batch. An unknown name is looked up once more before it is called unknown.
    """

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._entries: dict[str, DeviceEntry] | None = None

    def forget(self) -> None:
        """Read again before the next use."""
        self._entries = None

    def find(self, session: Session, username: str) -> DeviceEntry | None:
        """Return the device, None when nobody knows it; usually without a statement."""
        if self._entries is None:
            rows = session.execute(_query()).mappings()
            self._entries = {row["username"]: _entry(row, self._vault) for row in rows}
        entry = self._entries.get(username)
        if entry is None:
            entry = LookUp(self._vault).find(session, username)
            if entry is not None:
                self._entries[username] = entry
        return entry


def _query() -> Select[Any]:
    return select(DEVICES)


def _entry(row: RowMapping, vault: Vault) -> DeviceEntry:
    sealed, username = row["encryption_secret"], row["username"]
    secret = None
    if sealed is not None:
        try:
            secret = vault.open(sealed, context=encryption_context(username)).decode()
        except (SealBroken, UnicodeDecodeError):
            # Another data key than at enrolment, or a broken row: messages are quarantined as
            # `crypto`, and can be replayed once the key is back.
            secret = None
    return DeviceEntry(
        ref=DeviceRef(row["tenant_id"], row["id"], row["employee_id"]),
        username=username,
        credential_hash=row["credential_hash"],
        secret=secret,
        enrolled_s=to_epoch_s(row["enrolled_at"]),
        revoked_at=row["revoked_at"],
        datum=Datum(row["datum"]),
        source_datums={Source(s): Datum(d) for s, d in row["source_datums"].items()},
    )
