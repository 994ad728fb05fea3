"""Try other rules on past days before saving them: ask, replay, cancel.

A run is asked for in a page's transaction, which freezes whose days it may judge, and
done batch by batch in transactions of its own (`server.tracking.replayer`). Nothing that a
replay judges is written as a verdict; what flips is kept for a day, for the one who asked.
"""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, delete, func, insert, literal, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from geo.what_if import Flip, FlipKind
from server.clock import Clock
from server.db import tables
from server.db.types import new_id
from server.errors import Conflict, InvalidInput, NotFound
from server.findings.rules import DayKey
from server.people.policy import local_date, scoped_unit, was_below, was_in_scope
from server.people.rules import Action, Principal
from server.tracking.facts import load_facts
from server.tracking.retention import is_sealed
from server.tracking.what_if_models import WhatIfDay, WhatIfFlip, WhatIfRun
from server.tracking.what_if_rules import (
    ACTIVE,
    MAX_DAYS,
    RunState,
    Trial,
    flips_of_day,
    span_of,
)

BATCH: Final = 50
"""Person-days a transaction."""
GIVEN_UP: Final = timedelta(minutes=2)
"""A run that has said nothing for so long has died with its process."""
MOST_ATTEMPTS: Final = 5

Transactions = Callable[[], AbstractContextManager[Session]]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A run that this process has taken."""

    tenant_id: int
    run_id: UUID
    attempt: int
    trial: Trial


@dataclass(frozen=True, slots=True)
class DayFlips:
    """What became of one person-day; `flips` is None when it could not be judged."""

    key: DayKey
    flips: Sequence[tuple[UUID | None, Flip]] | None


def ask_what_if(
    session: Session,
    clock: Clock,
    principal: Principal,
    *,
    trial: Trial,
    unit_id: UUID | None = None,
    first_on: date | None = None,
    last_on: date | None = None,
) -> UUID:
    """Ask what a change would have done to past days; a process of the engine works it out.

    Only person-days whose findings the principal may judge are taken, by membership on
    each date; who they are is settled here and looked at again when the result is read.

    Parameters
    ----------
    trial : what is tried; a post in it was found in the principal's scope.
    unit_id : only people who belonged to this unit or below.
    first_on, last_on : work dates, both included; the past month when left out.

    Returns
    -------
    Id of the run. Six statements, however many days.

    Raises
    ------
    NotFound : no such unit for this principal.
    InvalidInput : `nothing_changed`, `nothing_to_replay`, `too_many_days`.
    Conflict : `what_if_running` while another run of the account is under way.
    """
    now = clock.now()
    if not trial.changes():
        raise InvalidInput("nothing_changed")
    if unit_id is not None:
        scoped_unit(session, principal, Action.REVIEW_FINDING, unit_id, now=now)
    first_on, last_on = span_of(first_on, last_on, now=now, today=local_date(now, principal.zone))
    entries = tables.roster_entries.c
    reach = was_in_scope(
        principal,
        Action.REVIEW_FINDING,
        employee_id=entries.employee_id,
        on=entries.on_date,
        now=now,
    )
    days = days_to_replay(
        principal.tenant_id, trial, reach, unit_id=unit_id, first_on=first_on, last_on=last_on
    )
    run = WhatIfRun(
        tenant_id=principal.tenant_id,
        id=new_id(),
        account_id=principal.account_id,
        account_name=principal.name,
        state=RunState.WAITING,
        trial=trial.to_json(),
        unit_id=unit_id,
        first_on=first_on,
        last_on=last_on,
        people=0,
        days_total=0,
        asked_at=now,
        touched_at=now,
    )
    try:
        session.add(run)
        session.flush()
    except IntegrityError as error:
        raise Conflict("what_if_running") from error
    _freeze(session, run, days)
    return run.id


def cancel_what_if(session: Session, clock: Clock, principal: Principal, run_id: UUID) -> None:
    """Stop a run of one's own; what it found so far goes with it.

    Raises
    ------
    NotFound : there is none, or another account asked for it.
    Conflict : `what_if_over` when it has ended already.
    """
    mine = (
        WhatIfRun.tenant_id == principal.tenant_id,
        WhatIfRun.id == run_id,
        WhatIfRun.account_id == principal.account_id,
    )
    if session.scalar(select(WhatIfRun.id).where(*mine)) is None:
        raise NotFound("what_if_not_found")
    stopped = session.scalar(
        update(WhatIfRun)
        .where(*mine, WhatIfRun.state.in_(ACTIVE))
        .values(state=RunState.CANCELLED, finished_at=clock.now())
        .returning(WhatIfRun.id)
    )
    if stopped is None:
        raise Conflict("what_if_over")
    for table in (WhatIfDay, WhatIfFlip):
        session.execute(
            delete(table).where(table.tenant_id == principal.tenant_id, table.run_id == run_id)
        )


def claim_run(session: Session, *, now: datetime) -> Claim | None:
    """Take the run that waits longest, or one whose process died; the caller commits at once.

    One whose trial cannot be read has failed: it would keep all others waiting.
    """
    lost = and_(WhatIfRun.state == RunState.RUNNING, WhatIfRun.touched_at < now - GIVEN_UP)
    run = session.scalar(
        select(WhatIfRun)
        .where((WhatIfRun.state == RunState.WAITING) | lost)
        .order_by(WhatIfRun.asked_at)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    if run is None:
        return None
    run.attempt += 1
    run.touched_at = now
    if run.attempt > MOST_ATTEMPTS:
        run.state, run.finished_at = RunState.FAILED, now
        return None
    try:
        trial = Trial.from_json(run.trial)
    except Exception:  # noqa: BLE001  # whatever is wrong with it, it will stay so
        _log.exception("what-if %s cannot be read", run.id)
        run.state, run.finished_at = RunState.FAILED, now
        return None
    run.state = RunState.RUNNING
    return Claim(run.tenant_id, run.id, run.attempt, trial)


def replay_batch(session: Session, claim: Claim, *, now: datetime) -> bool:
    """Judge the next days of a run, in the caller's transaction.

    Returns
    -------
    Whether there is more to do. About fifteen statements for fifty days of any people.
    """
    run = session.scalar(
        select(WhatIfRun)
        .where(
            WhatIfRun.tenant_id == claim.tenant_id,
            WhatIfRun.id == claim.run_id,
            WhatIfRun.attempt == claim.attempt,
            WhatIfRun.state == RunState.RUNNING,
        )
        .with_for_update()
    )
    if run is None:
        # Cancelled, or taken over by another process.
        return False
    mine = (WhatIfDay.tenant_id == claim.tenant_id, WhatIfDay.run_id == claim.run_id)
    waiting = session.execute(
        select(WhatIfDay.employee_id, WhatIfDay.work_on)
        .where(*mine)
        .order_by(WhatIfDay.work_on, WhatIfDay.employee_id)
        .limit(BATCH)
    ).all()
    run.touched_at = now
    if not waiting:
        run.state, run.finished_at = RunState.DONE, now
        return False
    keys = [DayKey(claim.tenant_id, employee_id, work_on) for employee_id, work_on in waiting]
    judged = replay_days(session, keys, claim.trial, now=now)
    rows = [_row(claim, day, *flip) for day in judged for flip in day.flips or ()]
    if rows:
        session.execute(insert(WhatIfFlip), rows)
    last = keys[-1]
    session.execute(
        delete(WhatIfDay).where(
            *mine,
            (WhatIfDay.work_on < last.work_on)
            | and_(WhatIfDay.work_on == last.work_on, WhatIfDay.employee_id <= last.employee_id),
        )
    )
    run.days_done += len(keys)
    run.days_failed += sum(day.flips is None for day in judged)
    run.days_flipped += sum(bool(day.flips) for day in judged)
    counts = Counter(run.counts) + Counter(row["kind"].value for row in rows)
    run.counts = {kind.value: counts[kind.value] for kind in FlipKind}
    return True


def replay_days(
    session: Session, keys: Sequence[DayKey], trial: Trial, *, now: datetime
) -> list[DayFlips]:
    """Judge person-days as they were and as they would be; writes nothing.

    A day past retention, or one that cannot be judged, has no flips to tell: None. Nine
    statements for any number of days.
    """
    judged = []
    there = [key for key in keys if not is_sealed(key.work_on, now)]
    for facts in load_facts(session, there) if there else ():
        try:
            judged.append(DayFlips(facts.key, flips_of_day(facts, trial, as_of=now)))
        except Exception:  # noqa: BLE001  # one bad day must not spoil the answer
            _log.exception("a person-day of %s cannot be replayed", facts.key.work_on)
            judged.append(DayFlips(facts.key, None))
    known = {day.key for day in judged}
    return [*judged, *(DayFlips(key, None) for key in keys if key not in known)]


def days_to_replay(
    tenant_id: int,
    trial: Trial,
    reach: ColumnElement[bool],
    *,
    unit_id: UUID | None,
    first_on: date,
    last_on: date,
) -> Select[UUID, date]:
    """Return the SQL for the person-days of the roster on which somebody had a post.

    Parameters
    ----------
    reach : condition on rows of `server.db.tables.roster_entries`.
    """
    entries, people = tables.roster_entries, tables.employees
    query = (
        select(entries.c.employee_id, entries.c.on_date)
        .join(
            people,
            and_(people.c.tenant_id == entries.c.tenant_id, people.c.id == entries.c.employee_id),
        )
        .where(
            entries.c.tenant_id == tenant_id,
            entries.c.on_date.between(first_on, last_on),
            entries.c.cancelled_at.is_(None),
            entries.c.post_id.is_not(None),
            people.c.left_on.is_(None) | (people.c.left_on > entries.c.on_date),
            reach,
        )
        .distinct()
    )
    if trial.post is not None:
        query = query.where(entries.c.post_id == trial.post.post_id)
    if unit_id is not None:
        query = query.where(
            was_below(unit_id, employee_id=entries.c.employee_id, on=entries.c.on_date)
        )
    return query


def _freeze(session: Session, run: WhatIfRun, days: Select[UUID, date]) -> None:
    """Keep which days the run judges, and how many."""
    # One more than a run may have tells that there are more.
    chosen = days.limit(MAX_DAYS + 1).subquery()
    own = select(
        literal(run.tenant_id, WhatIfDay.__table__.c.tenant_id.type),
        literal(run.id, WhatIfDay.__table__.c.run_id.type),
        chosen.c.on_date,
        chosen.c.employee_id,
    )
    session.execute(
        insert(WhatIfDay).from_select(["tenant_id", "run_id", "work_on", "employee_id"], own)
    )
    run.days_total, run.people = session.execute(
        select(func.count(), func.count(func.distinct(WhatIfDay.employee_id))).where(
            WhatIfDay.tenant_id == run.tenant_id, WhatIfDay.run_id == run.id
        )
    ).one()
    if not run.days_total:
        raise InvalidInput("nothing_to_replay")
    if run.days_total > MAX_DAYS:
        raise InvalidInput(
            "too_many_days", str(run.days_total), fields={"days": str(run.days_total)}
        )
    session.flush()


def _row(claim: Claim, day: DayFlips, post_id: UUID | None, flip: Flip) -> dict[str, Any]:
    return {
        "tenant_id": claim.tenant_id,
        "run_id": claim.run_id,
        "work_on": day.key.work_on,
        "employee_id": day.key.employee_id,
        "starts_at": flip.start,
        "ends_at": flip.end,
        "post_id": post_id,
        "kind": flip.kind,
        "before_s": flip.before_s,
        "after_s": flip.after_s,
        "margin_before_m": flip.margin_before_m,
        "margin_after_m": flip.margin_after_m,
    }
