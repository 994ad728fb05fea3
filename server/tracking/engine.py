"""The engine's loop: claim touched person-days, derive them, tell people.

Any number of workers may run. A row of `touched_days` is work; a worker locks some with
`FOR UPDATE SKIP LOCKED`, takes the advisory lock of each person-day behind them, and
deletes the rows in the transaction that derives the days. A worker that dies leaves its
rows to the others; two workers never derive the same day at the same time.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import CursorResult, TextClause, text
from sqlalchemy.orm import Session, sessionmaker

from server.clock import Clock
from server.db.session import unit_of_work
from server.db.setbacks import OnClaim, Setbacks
from server.findings.rules import DayKey
from server.tracking.health import note_engine_beat
from server.tracking.live import LivePublisher
from server.tracking.services import detect_presence_of_days, leave_settled

_log = logging.getLogger(__name__)

MAX_ROWS: Final = 400
MAX_DAYS: Final = 50
OnDerived = Callable[[Session, Mapping[DayKey, datetime]], None]
_LOOK_BACK: Final = timedelta(days=3)

_LOCK_ROWS = text(
    """
    SELECT id, since_at, tenant_id, employee_id, work_on FROM touched_days
    WHERE NOT (tenant_id, employee_id, work_on) IN (
        SELECT * FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]),
            CAST(:dates AS date[])))
    ORDER BY work_on DESC, id LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)
_LOCK_DAYS = text(
    """
    SELECT pg_try_advisory_xact_lock(hashtextextended(
        d.tenant_id || '/' || d.employee_id || '/' || d.work_on, 7))
    FROM unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
        WITH ORDINALITY AS d (tenant_id, employee_id, work_on, no) ORDER BY d.no
    """
)
# Everything that waits for these days is done by one derivation; what another worker has just
# locked stays for it.
_LOCK_REST = text(
    """
    SELECT t.id, t.since_at, t.tenant_id, t.employee_id, t.work_on
    FROM touched_days t
    JOIN unnest(CAST(:tenants AS int[]), CAST(:people AS uuid[]), CAST(:dates AS date[]))
        AS d (tenant_id, employee_id, work_on) USING (tenant_id, employee_id, work_on)
    FOR UPDATE OF t SKIP LOCKED
    """
)
_DELETE_ROWS = text(
    """
    DELETE FROM touched_days t USING unnest(CAST(:tenants AS int[]), CAST(:ids AS bigint[]))
        AS d (tenant_id, id)
    WHERE t.tenant_id = d.tenant_id AND t.id = d.id
    """
)
# Days whose answer changes by the passing of time: a timer ran out; duty has begun and
# nothing was derived, or nothing is shown of somebody who is on duty now. The last two also
# heal whatever was lost.
_QUEUE_DUE = text(
    """
    INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)
    SELECT p.tenant_id, p.employee_id, p.work_on, p.due_at FROM presence_now p
    WHERE p.due_at <= :now AND NOT EXISTS (
        SELECT FROM touched_days t
        WHERE t.tenant_id = p.tenant_id AND t.employee_id = p.employee_id
          AND t.work_on = p.work_on)
    """
)
_QUEUE_BEGUN = text(
    """
    INSERT INTO touched_days (tenant_id, employee_id, work_on, since_at)
    SELECT DISTINCT r.tenant_id, r.employee_id, r.on_date, r.starts_at
    FROM tenants c
    JOIN roster_entries r ON r.tenant_id = c.id
    JOIN employees e ON e.tenant_id = r.tenant_id AND e.id = r.employee_id
        AND (e.left_on IS NULL OR e.left_on > r.on_date)
    LEFT JOIN person_days d ON d.tenant_id = r.tenant_id AND d.employee_id = r.employee_id
        AND d.work_on = r.on_date
    LEFT JOIN presence_now p ON p.tenant_id = r.tenant_id AND p.employee_id = r.employee_id
        AND p.roster_entry_id = r.id
    WHERE r.cancelled_at IS NULL AND r.starts_at < :now
      AND r.starts_at > CAST(:now AS timestamptz) - CAST(:look_back AS interval)
      AND (d.work_on IS NULL OR (p.employee_id IS NULL AND r.ends_at > :now))
      AND NOT EXISTS (
        SELECT FROM excusals x
        WHERE x.tenant_id = r.tenant_id AND x.employee_id = r.employee_id
          AND x.withdrawn_at IS NULL AND x.kind IN ('leave', 'pause')
          AND x.starts_at <= least(CAST(:now AS timestamptz), r.ends_at - interval '1 microsecond')
          AND x.ends_at > least(CAST(:now AS timestamptz), r.ends_at - interval '1 microsecond')
          AND (r.ends_at > :now OR x.starts_at <= r.starts_at))
      AND NOT EXISTS (
        SELECT FROM touched_days t
        WHERE t.tenant_id = r.tenant_id AND t.employee_id = r.employee_id
          AND t.work_on = r.on_date)
    """
)


class Engine:
    """One worker.

    Parameters
    ----------
    sessions : of the role `outpost_engine`, all tenants.
    clock : tells the watermark of every derivation.
    publisher : the live feed; its failure never holds up a derivation.
    on_derived : told of derived days, each with the earliest instant it was touched for, in
        the transaction that derives them; for what rests on the same facts.
    """

    def __init__(
        self,
        sessions: sessionmaker[Session],
        clock: Clock,
        publisher: LivePublisher,
        *,
        on_derived: OnDerived | None = None,
    ) -> None:
        self._sessions = sessions
        self._clock = clock
        self._publisher = publisher
        self._on_derived = on_derived
        self._setbacks = Setbacks[DayKey]("engine", clock, label=lambda day: day.work_on)

    def run_batch(self) -> int:
        """Derive the days of one claim.

        Returns
        -------
        How many rows of the queue were done; 0 when there is nothing to do now.

        Raises
        ------
        sqlalchemy.exc.DBAPIError : the connection was lost; nothing of the batch happened.
        """
        return self._setbacks.do(self._derive, batch=MAX_DAYS)

    def run_until_idle(self, *, max_batches: int = 10_000) -> int:
        """Derive until the queue is empty; for commands and tests. Returns rows done."""
        done = 0
        for _ in range(max_batches):
            batch = self.run_batch()
            if not batch:
                break
            done += batch
        return done

    def queue_due(self) -> int:
        """Queue days whose timer ran out. One cheap statement; call it every second."""
        return self._queue(_QUEUE_DUE, {"now": self._clock.now()})

    def queue_begun(self) -> int:
        """Queue days whose duty has begun unnoticed; call it every few seconds."""
        return self._queue(
            _QUEUE_BEGUN,
            {"now": self._clock.now(), "look_back": _LOOK_BACK},
        )

    def beat(self) -> None:
        """Show that this worker is alive and reaches the database; call it every few seconds."""
        with unit_of_work(self._sessions, tenant_id=None) as session:
            note_engine_beat(session)

    def announce(self) -> None:
        """Send every reader back to the snapshot: what the feed lacks since the last run."""
        with unit_of_work(self._sessions, tenant_id=None) as session:
            tenants = list(session.scalars(text("SELECT id FROM tenants")))
        self._publisher.reset(tenants)

    def _queue(self, statement: TextClause, parameters: dict[str, Any]) -> int:
        with unit_of_work(self._sessions, tenant_id=None) as session:
            # One worker at a time, or each would queue the same days.
            if not session.scalar(text("SELECT pg_try_advisory_xact_lock(7, 1)")):
                return 0
            result = cast("CursorResult[Any]", session.execute(statement, parameters))
            return max(result.rowcount, 0)

    def _derive(self, *, limit: int, skip: Sequence[DayKey], on_claim: OnClaim[DayKey]) -> int:
        with unit_of_work(self._sessions, tenant_id=None) as session:
            rows, since = claim_days(session, max_days=limit, skip=skip)
            if not since:
                return 0
            on_claim(list(since))
            days = leave_settled(session, self._clock, since=since)
            derived = detect_presence_of_days(session, self._clock, days=days) if days else None
            if days and self._on_derived is not None:
                self._on_derived(session, {day: since[day] for day in days})
        if derived is not None:
            self._publisher.publish(derived.events)
        return rows


def claim_days(
    session: Session, *, max_days: int = MAX_DAYS, skip: Sequence[DayKey] = ()
) -> tuple[int, dict[DayKey, datetime]]:
    """Take work from the queue for this transaction, and lock each day behind it.

    Days that another worker is deriving stay queued: what they were touched for may have
    come after it looked.

    Returns
    -------
    How many rows were taken, and the distinct days, each with the earliest instant it was
    touched for. The newest dates come first, so that a backlog delays nobody's alert.
    """
    rows = session.execute(
        _LOCK_ROWS,
        {"limit": MAX_ROWS, **_columns(skip)},
    ).all()
    wanted = list(dict.fromkeys(DayKey(*row[2:]) for row in rows))[:max_days]
    if not wanted:
        return 0, {}
    locked = session.scalars(_LOCK_DAYS, _columns(wanted)).all()
    mine = [day for day, got in zip(wanted, locked, strict=True) if got]
    if not mine:
        return 0, {}
    taken = session.execute(_LOCK_REST, _columns(mine)).all()
    session.execute(
        _DELETE_ROWS,
        {"tenants": [row.tenant_id for row in taken], "ids": [row.id for row in taken]},
    )
    since: dict[DayKey, datetime] = {}
    for row in taken:
        day = DayKey(*row[2:])
        since[day] = min(row.since_at, since.get(day, row.since_at))
    return len(taken), since


def _columns(days: Sequence[DayKey]) -> dict[str, list[Any]]:
    return {
        "tenants": [day.tenant_id for day in days],
        "people": [day.employee_id for day in days],
        "dates": [day.work_on for day in days],
    }
