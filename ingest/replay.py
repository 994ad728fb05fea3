"""Send quarantined messages through again, after a rule or a mistake was mended.

The reason a message was once refused stays on its row; what changes is that the row says
when it was let in, and no longer holds the payload. The ledger moves it from quarantined
to whatever became of it, so the day's sum stays what the broker delivered.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from geo.fix import to_epoch_s
from ingest.devices import LookUp
from ingest.intake import Intake, Message
from ingest.quarantine import open_payload
from ingest.wire import Reason
from server.clock import Clock
from server.crypto import SealBroken, Vault
from server.db.session import unit_of_work
from server.tracking.records import NIL, Via

_NOT_BY_DEFAULT = frozenset({Reason.CRASH, Reason.FORBIDDEN})


@dataclass(frozen=True, slots=True)
class Replayed:
    """Counts of one run."""

    tried: int = 0
    let_in: int = 0
    still_refused: int = 0
    unreadable: int = 0


@dataclass(slots=True)
class _Row:
    tenant_id: int
    id: UUID
    device_id: UUID | None
    username: str
    topic: str
    received_at: datetime
    msg_key: int
    payload: bytes
    via: str


def replay(
    sessions: sessionmaker[Session],
    clock: Clock,
    vault: Vault,
    *,
    reasons: Collection[Reason] = (),
    since_on: date | None = None,
) -> Replayed:
    """Try every quarantined message once more, each in its own transaction.

    Parameters
    ----------
    sessions : of `outpost_ingest`.
    reasons : only these; all but `crash` and `forbidden` when empty.
    since_on : only messages received from this UTC date on.

    Returns
    -------
    Counts. Running it again tries only what is still refused, and changes nothing else.
    """
    wanted = set(reasons) or set(Reason) - _NOT_BY_DEFAULT
    with unit_of_work(sessions, tenant_id=None) as session:
        ids = _candidates(session, wanted, since_on)
    intake = Intake(directory=LookUp(vault), vault=vault)
    counts = {"let_in": 0, "still_refused": 0, "unreadable": 0}
    for tenant_id, row_id in ids:
        with unit_of_work(sessions, tenant_id=None) as session:
            outcome = _replay_one(
                session, (tenant_id, row_id), clock=clock, vault=vault, intake=intake
            )
        if outcome is not None:
            counts[outcome] += 1
    return Replayed(sum(counts.values()), **counts)


def _candidates(
    session: Session, reasons: Collection[Reason], since_on: date | None
) -> list[tuple[int, UUID]]:
    found = session.execute(
        text(
            "SELECT tenant_id, id FROM quarantine WHERE payload IS NOT NULL"
            " AND replayed_at IS NULL AND reason = ANY(:reasons) AND received_at >= :since"
            " ORDER BY received_at, id"
        ),
        {
            "reasons": [reason.value for reason in reasons],
            "since": datetime.combine(since_on or date(2000, 1, 1), datetime.min.time(), UTC),
        },
    )
    return [(row.tenant_id, row.id) for row in found]


def _replay_one(
    session: Session, key: tuple[int, UUID], *, clock: Clock, vault: Vault, intake: Intake
) -> str | None:
    found: Any = session.execute(
        text(
            "SELECT tenant_id, id, device_id, username, topic, received_at, msg_key, payload, via"
            " FROM quarantine WHERE tenant_id = :tenant AND id = :id AND replayed_at IS NULL"
            " AND payload IS NOT NULL FOR UPDATE"
        ),
        {"tenant": key[0], "id": key[1]},
    ).one_or_none()
    if found is None:
        return None
    row = _Row(*found)
    try:
        payload = open_payload(
            vault, row.payload, tenant_id=row.tenant_id, username=row.username, key=row.msg_key
        )
    except SealBroken:
        return "unreadable"
    attempt = session.begin_nested()
    received_s = to_epoch_s(row.received_at)
    taken = intake.take(
        session, [Message(row.topic, payload, received_s, Via(row.via), is_live=False)]
    )
    if taken.batch.quarantined:
        attempt.rollback()
        return "still_refused"
    attempt.commit()
    session.execute(
        text(
            "UPDATE quarantine SET replayed_at = :now, payload = NULL"
            " WHERE tenant_id = :tenant AND id = :id"
        ),
        {"now": clock.now(), "tenant": row.tenant_id, "id": row.id},
    )
    # It was received once: take back what the ledger counted for it the first time.
    session.execute(
        text(
            "UPDATE ingest_ledger SET received = received - 1, quarantined = quarantined - 1"
            " WHERE tenant_id = :tenant AND device_id = :device"
            " AND received_on = (CAST(:at AS timestamptz) AT TIME ZONE 'UTC')::date"
        ),
        {"tenant": row.tenant_id, "device": row.device_id or NIL, "at": row.received_at},
    )
    return "let_in"
