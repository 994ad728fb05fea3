"""Use cases of tracking: record what arrives, and derive what follows from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session

from geo import ALGORITHM_VERSION
from server.clock import Clock
from server.findings.rules import DayKey, FindingKind
from server.findings.services import FindingChange, sync_findings
from server.tracking import derived
from server.tracking.derived import Shown
from server.tracking.facts import DayFacts, load_facts
from server.tracking.judgement import Current, DayVerdict, judge_day
from server.tracking.live import LiveEvent, LiveType
from server.tracking.recording import record_fixes
from server.tracking.retention import is_sealed
from server.tracking.rules import LiveStatus
from server.tracking.settled import leave_settled
from server.tracking.signs_store import queue_signs
from server.tracking.whereabouts import replace_whereabouts, whereabouts_of

__all__ = [
    "DayKey",
    "Derived",
    "detect_presence_of_day",
    "detect_presence_of_days",
    "leave_settled",
    "rebuild_last_positions",
    "record_fixes",
]

TRAJECTORY_EVERY: Final = timedelta(seconds=60)
"""While duty lasts, stops and trips of a day are reconstructed no more often than this."""


@dataclass(frozen=True, slots=True)
class Derived:
    """What a derivation changed that people should see, to be published after the commit."""

    events: list[LiveEvent]
    changes: list[FindingChange]


def detect_presence_of_day(
    session: Session, clock: Clock, *, tenant_id: int, employee_id: UUID, work_on: date
) -> Derived:
    """Derive one person-day again; see `detect_presence_of_days`."""
    return detect_presence_of_days(session, clock, days=[DayKey(tenant_id, employee_id, work_on)])


def detect_presence_of_days(session: Session, clock: Clock, *, days: Sequence[DayKey]) -> Derived:
    """Derive presence, findings and outline of person-days from their facts, as a set.

    Everything said of a day before is replaced in the caller's transaction: intervals,
    whereabouts, outline, what findings say, and the live picture of people on duty. The same
    facts and instant give the same, whatever was there and in whatever order facts came; only
    the ids, revisions and retractions of findings are history
    (`server.findings.rules.plan_changes`).

    Runs with the engine's rights over all tenants, and the caller holds the lock of each
    day (`server.tracking.engine.claim_days`). Statements do not grow with the number of
    days. Presence is judged anew each time, about 3 ms for a thousand fixes; the trajectory
    costs as much again and is kept for up to a minute while duty lasts, then made final.

    Parameters
    ----------
    days : distinct person-days; those past the retention of positions stay as they are.

    Returns
    -------
    Events for the live feed; publish them after the commit.
    """
    now = clock.now()
    sealed = [day for day in days if is_sealed(day.work_on, now)]
    derived.hide_days(session, sealed)
    days = [day for day in days if day not in sealed]
    if not days:
        return Derived(events=[], changes=[])
    facts = load_facts(session, days)
    fresh = derived.trajectories_as_of(session, days)
    verdicts = [
        judge_day(f, as_of=now, with_trajectory=_wants_trajectory(f, fresh.get(f.key), now))
        for f in facts
    ]
    derived.replace_presence(session, verdicts)
    replace_whereabouts(
        session,
        [(f.key, whereabouts_of(f, v)) for f, v in zip(facts, verdicts, strict=True)],
    )
    derived.replace_days(session, verdicts, at=now, version=ALGORITHM_VERSION)
    synced = sync_findings(
        session, clock, days=days, drafts=[draft for v in verdicts for draft in v.drafts]
    )
    verdicts = [_under_its_id(verdict, synced.ids) for verdict in verdicts]
    queue_signs(session, [verdict.key for verdict in verdicts if verdict.final])
    shown = derived.load_shown(session, days)
    derived.hide_days(session, [v.key for v in verdicts if v.current is None])
    derived.show_current(
        session, {v.key: v.current for v in verdicts if v.current is not None}, as_of=now
    )
    return Derived(
        events=[
            *_states(verdicts, shown, now),
            # Silence is a fact on the timeline and never an alert.
            *(_alert(change) for change in synced.changes if change.kind is FindingKind.OFF_POST),
        ],
        changes=synced.changes,
    )


def rebuild_last_positions(session: Session, clock: Clock) -> int:
    """Make the table of last positions again from the fixes of the last week.

    For a table that was lost or is doubted; ingest keeps it up to date by itself. Runs with
    the engine's rights over all tenants, and replaces nothing by something older.

    Returns
    -------
    How many people have a last position after it.
    """
    return derived.rebuild_last_positions(session, since_at=clock.now() - timedelta(days=7))


def _wants_trajectory(facts: DayFacts, as_of_at: datetime | None, now: datetime) -> bool:
    """While duty lasts once a minute; always when it is over."""
    if as_of_at is None or not facts.windows or now >= facts.windows[-1].ends_at:
        return True
    return abs(now - as_of_at) >= TRAJECTORY_EVERY


def _under_its_id(verdict: DayVerdict, ids: Mapping[UUID, UUID]) -> DayVerdict:
    """Let the live picture name the finding that stands, not the draft."""
    current = verdict.current
    if current is None or current.finding_id is None:
        return verdict
    return replace(verdict, current=replace(current, finding_id=ids[current.finding_id]))


def _states(
    verdicts: Sequence[DayVerdict], shown: Mapping[tuple[int, UUID], Shown], now: datetime
) -> list[LiveEvent]:
    events = []
    for verdict in verdicts:
        before = shown.get((verdict.key.tenant_id, verdict.key.employee_id))
        current = verdict.current
        if current is None:
            if before is not None and before.day == verdict.key:
                events.append(_state(verdict.key, None, now))
        elif before is None or _outlook(before) != _outlook(current):
            events.append(_state(verdict.key, current, now))
    return events


def _outlook(of: Shown | Current) -> tuple[object, ...]:
    return of.roster_entry_id, of.post_id, of.state, of.since_at, of.finding_id


def _state(day: DayKey, current: Current | None, now: datetime) -> LiveEvent:
    data: dict[str, Any] = {"id": str(day.employee_id), "as_of": now.timestamp()}
    if current is None:
        data |= {
            "presence": None,
            "status": LiveStatus.OFF_DUTY.value,
            "since": now.timestamp(),
            "post_id": None,
            "finding_id": None,
            "distance_m": None,
        }
    else:
        data |= {
            "presence": current.state.value,
            "status": current.status.value,
            "since": current.since_at.timestamp(),
            "post_id": _text(current.post_id),
            "finding_id": _text(current.finding_id),
            "distance_m": current.distance_m,
        }
    return LiveEvent(
        tenant_id=day.tenant_id, type=LiveType.STATE, employee_id=day.employee_id, data=data
    )


def _alert(change: FindingChange) -> LiveEvent:
    return LiveEvent(
        tenant_id=change.day.tenant_id,
        type=LiveType.ALERT,
        employee_id=change.day.employee_id,
        data={
            "id": str(change.id),
            "change": change.change.value,
            "kind": change.kind.value,
            "state": change.state.value,
            "employee_id": str(change.day.employee_id),
            "post_id": _text(change.post_id),
            "starts_at": change.starts_at.timestamp(),
            "ends_at": None if change.ends_at is None else change.ends_at.timestamp(),
            "decided_at": change.decided_at.timestamp(),
            "distance_m": change.distance_m,
            "revision": change.revision,
            "replaces": _text(change.replaces),
        },
    )


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)
