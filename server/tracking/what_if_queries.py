"""Reading of what-ifs: how far a run is, and whose verdicts flip."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from geo.what_if import FlipKind
from server.db import tables
from server.db.collation import by_name
from server.errors import NotFound
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.tracking import anonymity
from server.tracking.retention import TRIAL_RETENTION
from server.tracking.what_if_models import WhatIfFlip, WhatIfRun
from server.tracking.what_if_rules import RunState, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """One trial; `counts` are flips by kind over everybody it judged."""

    id: UUID
    account_id: UUID
    account_name: str
    state: RunState
    trial: Trial
    unit_id: UUID | None
    unit_name: str | None
    first_on: date
    last_on: date
    people: int
    days_total: int
    days_done: int
    days_failed: int
    days_flipped: int
    counts: Mapping[str, int]
    asked_at: datetime
    finished_at: datetime | None

    @property
    def is_few(self) -> bool:
        """Whether its sums are of so few people that they tell of single ones."""
        return self.people < anonymity.SMALLEST


@dataclass(frozen=True, slots=True, kw_only=True)
class FlipRow:
    """One absence that would be judged otherwise."""

    employee_id: UUID
    employee_name: str
    employee_number: str
    work_on: date
    post_id: UUID | None
    post_name: str | None
    kind: FlipKind
    starts_at: datetime
    ends_at: datetime | None
    before_s: float
    after_s: float
    margin_before_m: float | None
    margin_after_m: float | None


class FlipSort(StrEnum):
    """Orders of flips."""

    CHANGE = "change"
    PERSON = "person"
    DAY = "day"
    BEFORE = "before"
    AFTER = "after"


def own_run(session: Session, principal: Principal, run_id: UUID, *, now: datetime) -> RunView:
    """Return a run that the account asked for.

    Raises
    ------
    NotFound : there is none, it is past its day, or another account asked for it.
    """
    mine = WhatIfRun.account_id == principal.account_id
    found = _runs(session, principal.tenant_id, WhatIfRun.id == run_id, mine, now=now)
    if not found:
        raise NotFound("what_if_not_found")
    return found[0]


def any_run(session: Session, *, tenant_id: int, run_id: UUID, now: datetime) -> RunView:
    """Return a run of anybody: its sums are for whoever sets the rules, its rows are not.

    Raises
    ------
    NotFound : there is none, or it is past its day.
    """
    found = _runs(session, tenant_id, WhatIfRun.id == run_id, now=now)
    if not found:
        raise NotFound("what_if_not_found")
    return found[0]


def recent_runs(
    session: Session, *, tenant_id: int, now: datetime, account_id: UUID | None = None
) -> list[RunView]:
    """Return the runs of the last day, newest first; of one account when it is named."""
    of = [] if account_id is None else [WhatIfRun.account_id == account_id]
    return _runs(session, tenant_id, *of, now=now)


def flips_of_run(
    session: Session,
    principal: Principal,
    run_id: UUID,
    *,
    now: datetime,
    kinds: Collection[FlipKind] = (),
    sort: FlipSort = FlipSort.CHANGE,
    descending: bool = True,
    limit: int = 50,
    offset: int = 0,
) -> tuple[list[FlipRow], dict[str, int]]:
    """Return flips of a run of one's own that one may see now, and how many of each kind.

    The caller has found the run by `own_run`; rights lost since it was asked count. Two
    statements.
    """
    seen = _seen(principal, run_id, now)
    numbers = {
        kind.value: number
        for kind, number in session.execute(
            select(WhatIfFlip.kind, func.count()).where(*seen).group_by(WhatIfFlip.kind)
        )
    }
    people, posts = tables.employees, tables.posts
    orders: Mapping[FlipSort, ColumnElement[Any]] = {
        FlipSort.CHANGE: func.abs(WhatIfFlip.after_s - WhatIfFlip.before_s),
        FlipSort.PERSON: by_name(people.c.name),
        FlipSort.DAY: WhatIfFlip.starts_at.expression,
        FlipSort.BEFORE: WhatIfFlip.before_s.expression,
        FlipSort.AFTER: WhatIfFlip.after_s.expression,
    }
    order = orders[sort].desc() if descending else orders[sort].asc()
    query = (
        select(WhatIfFlip, people.c.name, people.c.number, posts.c.name)
        .join(
            people,
            and_(
                people.c.tenant_id == WhatIfFlip.tenant_id,
                people.c.id == WhatIfFlip.employee_id,
            ),
        )
        .outerjoin(
            posts,
            and_(posts.c.tenant_id == WhatIfFlip.tenant_id, posts.c.id == WhatIfFlip.post_id),
        )
        .where(*seen)
        .order_by(order, WhatIfFlip.starts_at, WhatIfFlip.employee_id)
        .limit(limit)
        .offset(offset)
    )
    if kinds:
        query = query.where(WhatIfFlip.kind.in_([kind.value for kind in kinds]))
    rows = [_flip(*row) for row in session.execute(query)]
    return rows, {kind.value: numbers.get(kind.value, 0) for kind in FlipKind}


def _seen(principal: Principal, run_id: UUID, now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        WhatIfFlip.tenant_id == principal.tenant_id,
        WhatIfFlip.run_id == run_id,
        was_in_scope(
            principal,
            Action.REVIEW_FINDING,
            employee_id=WhatIfFlip.employee_id.expression,
            on=WhatIfFlip.work_on.expression,
            now=now,
        ),
    )


def _runs(
    session: Session, tenant_id: int, *where: ColumnElement[bool], now: datetime
) -> list[RunView]:
    units = tables.units
    rows = session.execute(
        select(WhatIfRun, units.c.name)
        .outerjoin(
            units,
            and_(units.c.tenant_id == WhatIfRun.tenant_id, units.c.id == WhatIfRun.unit_id),
        )
        .where(WhatIfRun.tenant_id == tenant_id, WhatIfRun.asked_at > now - TRIAL_RETENTION, *where)
        .order_by(WhatIfRun.asked_at.desc(), WhatIfRun.id)
        # A process beside may have gone on since this session looked.
        .execution_options(populate_existing=True)
    )
    return [
        RunView(
            id=row.id,
            account_id=row.account_id,
            account_name=row.account_name,
            state=row.state,
            trial=Trial.from_json(row.trial),
            unit_id=row.unit_id,
            unit_name=unit_name,
            first_on=row.first_on,
            last_on=row.last_on,
            people=row.people,
            days_total=row.days_total,
            days_done=row.days_done,
            days_failed=row.days_failed,
            days_flipped=row.days_flipped,
            counts={kind.value: row.counts.get(kind.value, 0) for kind in FlipKind},
            asked_at=row.asked_at,
            finished_at=row.finished_at,
        )
        for row, unit_name in rows
    ]


def _flip(row: WhatIfFlip, name: str, number: str, post_name: str | None) -> FlipRow:
    return FlipRow(
        employee_id=row.employee_id,
        employee_name=name,
        employee_number=number,
        work_on=row.work_on,
        post_id=row.post_id,
        post_name=post_name,
        kind=row.kind,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        before_s=row.before_s,
        after_s=row.after_s,
        margin_before_m=row.margin_before_m,
        margin_after_m=row.margin_after_m,
    )
