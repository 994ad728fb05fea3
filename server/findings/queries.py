"""Lists of findings and the one with its evidence card; every read names whose it may be."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, Text, and_, cast, func, select
from sqlalchemy.orm import Session

from server.db import tables
from server.db.paging import Page, Paging, read_page
from server.errors import NotFound
from server.findings import store
from server.findings.models import Finding, Review
from server.findings.rules import REMARKS, ChangeKind, FindingKind, FindingState, ReviewAction
from server.findings.scopes import findings_in_scope, own_signs, signs_in_scope
from server.findings.store import Scope
from server.findings.versions import Difference, Said, Version, versions_of
from server.people.subjects import with_subject

__all__ = [
    "ChangeKind",
    "Difference",
    "FindingDetail",
    "FindingFilter",
    "FindingKind",
    "FindingPage",
    "FindingRow",
    "FindingSort",
    "FindingState",
    "ReviewAction",
    "ReviewState",
    "ReviewView",
    "Scope",
    "Version",
    "findings_in_scope",
    "findings_of_person",
    "get_finding",
    "list_findings",
    "own_signs",
    "signs_in_scope",
]


class ReviewState(StrEnum):
    """Where a finding stands with people."""

    PENDING = "pending"
    ACKNOWLEDGED = "acknowledged"
    FALSE_ALARM = "false_alarm"
    EXPLAINED = "explained"
    NEEDS_TALK = "needs_talk"


class FindingSort(StrEnum):
    """Orders of a list; ties go by id, so that pages never repeat a line."""

    NEWEST = "newest"
    OLDEST = "oldest"
    LONGEST = "longest"
    PERSON = "person"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter(Paging):
    """What to list; an empty collection or None filters nothing.

    Attributes
    ----------
    first_on, last_on : work dates, both included.
    """

    kinds: Collection[FindingKind] = (FindingKind.OFF_POST,)
    states: Collection[FindingState] = (FindingState.OPEN, FindingState.CLOSED)
    reviews: Collection[ReviewState] = ()
    employee_id: UUID | None = None
    post_id: UUID | None = None
    first_on: date | None = None
    last_on: date | None = None
    sort: FindingSort = FindingSort.NEWEST


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """One line of a list.

    Attributes
    ----------
    duration_s : observed, to the end or as far as the evidence goes while it lasts.
    silent_since : while an absence lasts and nothing is heard any more: when the person was
        last seen outside.
    unit_name : where the person belonged on the work date.
    """

    id: UUID
    kind: FindingKind
    state: FindingState
    review: ReviewState
    employee_id: UUID
    employee_name: str
    unit_name: str | None
    post_id: UUID | None
    post_name: str | None
    work_on: date
    starts_at: datetime
    ends_at: datetime | None
    decided_at: datetime
    raised_at: datetime
    duration_s: float | None
    distance_m: float | None
    confidence: float | None
    cause: str | None
    silent_since: datetime | None
    revision: int


FindingPage = Page[FindingRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewView:
    """A person's word on a finding."""

    action: ReviewAction
    reason: str
    account_name: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingDetail:
    """One finding with its evidence card, its versions and what people said, oldest first.

    `evidence` is plain JSON: `rule`, `algorithm_version`, `policy_version`, `thresholds`,
    `inputs` (fix keys, post version, roster entry, excusals), `figures` (duration, farthest
    distance, margin, coverage, confidence), `reasons`, and `would_change`: what would have
    led to another conclusion.
    """

    row: FindingRow
    roster_entry_id: UUID
    closed_at: datetime | None
    retracted_at: datetime | None
    evidence: dict[str, Any]
    reviews: list[ReviewView]
    versions: list[Version]


def list_findings(session: Session, scope: Scope, *, wanted: FindingFilter) -> FindingPage:
    """Return a page of the findings in scope. One statement, two beyond the last page.

    Parameters
    ----------
    scope : see `findings_in_scope`; or ids of the employees whose findings these are.
    """
    return read_page(
        session,
        _query(scope).where(*_conditions(wanted)),
        *_order(wanted.sort),
        Finding.id.expression,
        wanted=wanted,
        line=_row,
    )


def get_finding(session: Session, scope: Scope, finding_id: UUID) -> FindingDetail:
    """Return one finding with its evidence, versions and reviews. Three statements.

    Raises
    ------
    NotFound : no such finding, or not of a person in scope: the same answer.
    """
    row = session.execute(_query(scope).where(Finding.id == finding_id)).one_or_none()
    if row is None:
        raise NotFound("finding_not_found")
    found: Finding = row[0]
    reviews = session.scalars(
        select(Review)
        .where(Review.tenant_id == found.tenant_id, Review.finding_id == finding_id)
        .order_by(Review.at, Review.id)
    )
    said = store.load_replaced(session, Finding.id == finding_id)[finding_id]
    return _detail(row, reviews, said)


def findings_of_person(session: Session, employee_id: UUID) -> list[FindingDetail]:
    """Return everything concluded of one person, with evidence and reviews, oldest first.

    Retracted findings included. Three statements; for the person concerned.
    """
    mine = Finding.employee_id == employee_id
    rows = session.execute(_query(mine).order_by(Finding.starts_at, Finding.id)).all()
    said: dict[UUID, list[Review]] = defaultdict(list)
    for review in session.scalars(
        select(Review)
        .join(
            Finding,
            and_(Finding.tenant_id == Review.tenant_id, Finding.id == Review.finding_id),
        )
        .where(mine)
        .order_by(Review.at, Review.id)
    ):
        said[review.finding_id].append(review)
    before = store.load_replaced(session, mine)
    return [_detail(row, said[row[0].id], before[row[0].id]) for row in rows]


def _detail(row: Row[Any], reviews: Iterable[Review], before: Sequence[Said]) -> FindingDetail:
    found: Finding = row[0]
    return FindingDetail(
        row=_row(row),
        roster_entry_id=found.roster_entry_id,
        closed_at=found.closed_at,
        retracted_at=found.retracted_at,
        evidence=found.evidence,
        reviews=[
            ReviewView(action=r.action, reason=r.reason, account_name=r.account_name, at=r.at)
            for r in reviews
        ],
        versions=versions_of([*before, _said(found)], raised_at=found.raised_at),
    )


def _said(found: Finding) -> Said:
    return Said(
        revision=found.revision,
        state=found.state,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        evidence=found.evidence,
    )


def _verdict() -> ColumnElement[str | None]:
    return (
        select(Review.action)
        .where(
            Review.tenant_id == Finding.tenant_id,
            Review.finding_id == Finding.id,
            Review.action.not_in(REMARKS),
        )
        .order_by(Review.at.desc(), Review.id.desc())
        .limit(1)
        .correlate(Finding)
        .scalar_subquery()
    )


def _query(scope: Scope) -> Select[Any]:
    posts = tables.posts
    query = select(Finding, tables.employees.c.name, posts.c.name, tables.units.c.name, _verdict())
    return (
        with_subject(
            query,
            tenant_id=Finding.tenant_id.expression,
            employee_id=Finding.employee_id.expression,
            on=Finding.work_on.expression,
        )
        .outerjoin(
            posts, and_(posts.c.tenant_id == Finding.tenant_id, posts.c.id == Finding.post_id)
        )
        .where(store.within(scope))
    )


def _conditions(wanted: FindingFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.kinds:
        conditions.append(Finding.kind.in_(list(wanted.kinds)))
    if wanted.states:
        conditions.append(Finding.state.in_(list(wanted.states)))
    if wanted.reviews:
        conditions.append(
            func.coalesce(cast(_verdict(), Text), "").in_(
                [_ACTION_OF[state] for state in wanted.reviews]
            )
        )
    if wanted.employee_id is not None:
        conditions.append(Finding.employee_id == wanted.employee_id)
    if wanted.post_id is not None:
        conditions.append(Finding.post_id == wanted.post_id)
    if wanted.first_on is not None:
        conditions.append(Finding.work_on >= wanted.first_on)
    if wanted.last_on is not None:
        conditions.append(Finding.work_on <= wanted.last_on)
    return conditions


def _order(sort: FindingSort) -> tuple[ColumnElement[Any], ...]:
    newest = Finding.starts_at.desc()
    if sort is FindingSort.OLDEST:
        return (Finding.starts_at.asc(),)
    if sort is FindingSort.LONGEST:
        seconds = Finding.evidence["figures"]["duration_s"].as_float()
        return (seconds.desc().nulls_last(), newest)
    if sort is FindingSort.PERSON:
        return (tables.employees.c.name.asc(), newest)
    return (newest,)


_ACTION_OF = {
    ReviewState.PENDING: "",
    ReviewState.ACKNOWLEDGED: ReviewAction.ACKNOWLEDGE.value,
    ReviewState.FALSE_ALARM: ReviewAction.FALSE_ALARM.value,
    ReviewState.EXPLAINED: ReviewAction.EXPLAINED.value,
    ReviewState.NEEDS_TALK: ReviewAction.NEEDS_TALK.value,
}
_STATE_OF = {action: state for state, action in _ACTION_OF.items()}


def _row(row: Row[Any]) -> FindingRow:
    found, employee_name, post_name, unit_name, verdict = tuple(row)[:5]
    figures = found.evidence.get("figures", {})
    return FindingRow(
        id=found.id,
        kind=found.kind,
        state=found.state,
        review=_STATE_OF[verdict or ""],
        employee_id=found.employee_id,
        employee_name=employee_name,
        unit_name=unit_name,
        post_id=found.post_id,
        post_name=post_name,
        work_on=found.work_on,
        starts_at=found.starts_at,
        ends_at=found.ends_at,
        decided_at=found.decided_at,
        raised_at=found.raised_at,
        duration_s=figures.get("duration_s"),
        distance_m=figures.get("max_distance_m"),
        confidence=figures.get("confidence"),
        cause=figures.get("cause"),
        silent_since=_silent_since(found),
        revision=found.revision,
    )


def _silent_since(found: Finding) -> datetime | None:
    outside = found.evidence.get("inputs", {}).get("outside")
    silent = "silence" in found.evidence.get("reasons", ())
    if found.state is not FindingState.OPEN or not silent or not outside:
        return None
    return datetime.fromisoformat(outside[-1]["end"])
