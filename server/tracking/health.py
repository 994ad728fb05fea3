"""Whether ingest stores what phones send and the engine judges it, as every process can see."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from server.tracking.models import EngineHeartbeat, IngestHeartbeat, LedgerRow

OUTCOMES: Final = ("received", "stored", "duplicate", "quarantined", "off_duty", "ignored")


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestHealth:
    """The last canary that went through broker, ingest and commit.

    Attributes
    ----------
    age_s : seconds since, by the database's clock.
    lag_s : seconds it took.
    waiting : messages read and not yet stored at that moment.
    broker_dropped : messages the broker dropped since it started; None when it did not say.
    """

    beat_at: datetime
    age_s: float
    lag_s: float
    waiting: int
    broker_dropped: int | None


def note_heartbeat(
    session: Session, *, lag_s: float, waiting: int, broker_dropped: int | None
) -> None:
    """Note that a canary is being committed in this transaction."""
    values = {"lag_s": lag_s, "waiting": waiting, "broker_dropped": broker_dropped}
    statement = insert(IngestHeartbeat).values(id=1, beat_at=func.clock_timestamp(), **values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[IngestHeartbeat.id],
            set_={"beat_at": func.clock_timestamp(), **values},
        )
    )


def ingest_health(session: Session) -> IngestHealth | None:
    """Return the last heartbeat; None when ingest never ran here."""
    age = func.extract("epoch", func.clock_timestamp() - IngestHeartbeat.beat_at)
    row = session.execute(select(IngestHeartbeat, age)).one_or_none()
    if row is None:
        return None
    beat, age_s = row
    return IngestHealth(
        beat_at=beat.beat_at,
        age_s=float(age_s),
        lag_s=beat.lag_s,
        waiting=beat.waiting,
        broker_dropped=beat.broker_dropped,
    )


def ledger_today(session: Session) -> dict[str, int]:
    """Return what became of the messages of today (UTC), summed over the devices in sight.

    Returns
    -------
    Sums by outcome, `received` the sum of the others. One statement.
    """
    today = func.date(func.timezone("UTC", func.now()))
    row = session.execute(
        select(*(func.coalesce(func.sum(getattr(LedgerRow, name)), 0) for name in OUTCOMES)).where(
            LedgerRow.received_on == today
        )
    ).one()
    return {name: int(value) for name, value in zip(OUTCOMES, row, strict=True)}


def ingest_age(session: Session) -> float | None:
    """Return seconds since ingest last proved that it stores; None when it never did."""
    health = ingest_health(session)
    return None if health is None else health.age_s


def note_engine_beat(session: Session) -> None:
    """Note that a worker of the engine is between two batches."""
    statement = insert(EngineHeartbeat).values(id=1, beat_at=func.clock_timestamp())
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[EngineHeartbeat.id], set_={"beat_at": func.clock_timestamp()}
        )
    )


def engine_age(session: Session) -> float | None:
    """Return seconds since an engine was between two batches; None when none ever ran."""
    age = func.extract("epoch", func.clock_timestamp() - EngineHeartbeat.beat_at)
    found = session.scalar(select(age))
    return None if found is None else float(found)
