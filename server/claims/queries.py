"""Lists of claims and the one with its checks; every read names whose it may be."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, false, func, not_, or_, select, true
from sqlalchemy.orm import Session

from geo.fix import FixArray
from server.claims.checking import AROUND
from server.claims.models import ClaimCheck, TravelClaim
from server.claims.rules import DECIDED, ClaimState, ClaimVerdict, read_facts
from server.db import tables
from server.db.collation import by_name
from server.db.paging import Page, Paging, directed, read_page
from server.errors import NotFound
from server.findings.rules import DayKey
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.people.subjects import with_subject
from server.tracking.facts import load_fixes

__all__ = [
    "DECIDED",
    "SORTABLE",
    "CheckView",
    "ClaimDetail",
    "ClaimFilter",
    "ClaimPage",
    "ClaimRow",
    "ClaimState",
    "ClaimVerdict",
    "claim_fixes",
    "claims_in_scope",
    "claims_of_person",
    "get_claim",
    "list_claims",
]


@dataclass(frozen=True, slots=True)
class ClaimScope:
    """Which claims a reader may have.

    Attributes
    ----------
    claims : condition on `travel_claims`.
    checks : condition on those of which the reader is told what was concluded. Whoever brought
        a claim for somebody else is not, until a payment is decided: they could ask with it
        where anybody was.
    """

    claims: ColumnElement[bool]
    checks: ColumnElement[bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimFilter(Paging):
    """What to list; an empty collection or None filters nothing.

    Attributes
    ----------
    search : part of the person's name or of the reference.
    first_on, last_on : claims that touch these local dates, both included.
    sort : one of `SORTABLE`; ties go by first date and id.
    """

    search: str = ""
    unit_ids: Collection[UUID] = ()
    employee_id: UUID | None = None
    states: Collection[ClaimState] = ()
    verdicts: Collection[ClaimVerdict] = ()
    first_on: date | None = None
    last_on: date | None = None
    sort: str = "stake"
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """One line of a list; money in `currency`.

    Attributes
    ----------
    unit_name : where the person belonged on the first date.
    verdict, suggested_amount, at_stake : of the newest check, None before the first.
    amended : late data changed the check after the decision.
    withheld : what was concluded is not for this reader, see `ClaimScope`.
    """

    id: UUID
    employee_id: UUID
    employee_name: str
    unit_name: str | None
    reference: str | None
    state: ClaimState
    first_on: date
    last_on: date
    currency: str
    claimed_amount: Decimal
    verdict: ClaimVerdict | None
    suggested_amount: Decimal | None
    at_stake: Decimal | None
    approved_amount: Decimal | None
    submitted_at: datetime | None
    decided_at: datetime | None
    decider_name: str | None
    version: int
    check_version: int
    amended: bool
    withheld: bool


ClaimPage = Page[ClaimRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """One version of what was concluded: a document a line, amounts as decimals in quotes."""

    version: int
    verdict: ClaimVerdict
    lines: list[dict[str, Any]]
    digest: str
    suggested_amount: Decimal
    at_stake: Decimal
    checked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimDetail:
    """A claim with its document and its checks, newest first; who brought it for another.

    `waiting` to be checked; `roads_missed_at` is since when it does so for roads to answer.
    """

    row: ClaimRow
    document: dict[str, Any]
    brought_by: str | None
    brought_reason: str | None
    explanation: str | None
    decision_reason: str | None
    decided_check: int | None
    waiting: bool
    roads_missed_at: datetime | None
    checks: list[CheckView]


_SORTS: Final[dict[str, ColumnElement[Any]]] = {
    "stake": ClaimCheck.at_stake.expression,
    "claimed": TravelClaim.claimed_amount.expression,
    "from": TravelClaim.first_on.expression,
    "person": by_name(tables.employees.c.name),
    "state": TravelClaim.state.expression,
    "verdict": ClaimCheck.verdict.expression,
    "submitted": TravelClaim.submitted_at.expression,
}
SORTABLE = tuple(_SORTS)


def claims_in_scope(principal: Principal, action: Action, *, now: datetime) -> ClaimScope:
    """Return which claims `action` is open to: membership counts on each one's first date.

    Drafts are their owner's alone.
    """
    reach = was_in_scope(
        principal,
        action,
        employee_id=TravelClaim.employee_id.expression,
        on=TravelClaim.first_on.expression,
        now=now,
    )
    handed_in = TravelClaim.state != ClaimState.DRAFT
    own = TravelClaim.employee_id == principal.employee_id
    brought = and_(
        TravelClaim.created_by == principal.account_id,
        TravelClaim.employee_id.is_distinct_from(principal.employee_id),
    )
    paid = TravelClaim.state.in_([ClaimState.APPROVED, ClaimState.REDUCED])
    told = or_(paid, not_(func.coalesce(brought, false())))
    return ClaimScope(and_(reach, or_(handed_in, own)), told)


def list_claims(session: Session, scope: ClaimScope, *, wanted: ClaimFilter) -> ClaimPage:
    """Return a page of the claims in scope. One statement, two beyond the last page."""
    order = _SORTS.get(wanted.sort, _SORTS["stake"])
    return read_page(
        session,
        _query(scope).where(*_conditions(wanted)),
        directed(order, descending=wanted.descending),
        TravelClaim.first_on.desc(),
        TravelClaim.id.expression,
        wanted=wanted,
        line=_row,
    )


def get_claim(session: Session, scope: ClaimScope, claim_id: UUID) -> ClaimDetail:
    """Return one claim with its checks. Two statements.

    Raises
    ------
    NotFound : no such claim, or not of a person in scope: the same answer.
    """
    row = session.execute(_query(scope).where(TravelClaim.id == claim_id)).one_or_none()
    if row is None:
        raise NotFound("claim_not_found")
    return _detail(session, row)


def claims_of_person(session: Session, employee_id: UUID) -> list[ClaimDetail]:
    """Return every claim of one person with its checks; for the person concerned."""
    mine = ClaimScope(TravelClaim.employee_id == employee_id, true())
    rows = session.execute(_query(mine).order_by(TravelClaim.first_on, TravelClaim.id)).all()
    return [_detail(session, row) for row in rows]


def claim_fixes(session: Session, claim: ClaimDetail, *, tenant_id: int, zone: str) -> FixArray:
    """Return the fixes around a claim's span, for those who may see where its person was."""
    span = read_facts(claim.document, zone=zone).span
    day = DayKey(tenant_id, claim.row.employee_id, claim.row.first_on)
    return load_fixes(session, {day: (span.start - AROUND, span.end + AROUND)})[day]


def _query(scope: ClaimScope) -> Select[Any]:
    accounts = tables.accounts
    query = select(
        TravelClaim,
        tables.employees.c.name,
        tables.units.c.name,
        ClaimCheck,
        accounts.c.name,
        scope.checks.label("told"),
    )
    return (
        with_subject(
            query,
            tenant_id=TravelClaim.tenant_id.expression,
            employee_id=TravelClaim.employee_id.expression,
            on=TravelClaim.first_on.expression,
        )
        .outerjoin(
            ClaimCheck,
            and_(
                ClaimCheck.tenant_id == TravelClaim.tenant_id,
                ClaimCheck.claim_id == TravelClaim.id,
                ClaimCheck.version == TravelClaim.check_version,
                scope.checks,
            ),
        )
        .outerjoin(
            accounts,
            and_(
                accounts.c.tenant_id == TravelClaim.tenant_id,
                accounts.c.id == TravelClaim.created_by,
            ),
        )
        .where(scope.claims)
    )


def _conditions(wanted: ClaimFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.search:
        text = wanted.search
        conditions.append(
            or_(
                tables.employees.c.name.icontains(text, autoescape=True),
                TravelClaim.reference.icontains(text, autoescape=True),
            )
        )
    if wanted.unit_ids:
        conditions.append(tables.memberships.c.unit_id.in_(list(wanted.unit_ids)))
    if wanted.employee_id is not None:
        conditions.append(TravelClaim.employee_id == wanted.employee_id)
    if wanted.states:
        conditions.append(TravelClaim.state.in_(list(wanted.states)))
    if wanted.verdicts:
        conditions.append(ClaimCheck.verdict.in_(list(wanted.verdicts)))
    if wanted.first_on is not None:
        conditions.append(TravelClaim.last_on >= wanted.first_on)
    if wanted.last_on is not None:
        conditions.append(TravelClaim.first_on <= wanted.last_on)
    return conditions


def _row(row: Sequence[Any]) -> ClaimRow:
    claim: TravelClaim = row[0]
    check: ClaimCheck | None = row[3]
    return ClaimRow(
        id=claim.id,
        employee_id=claim.employee_id,
        employee_name=row[1],
        unit_name=row[2],
        reference=claim.reference,
        state=claim.state,
        first_on=claim.first_on,
        last_on=claim.last_on,
        currency=claim.currency,
        claimed_amount=claim.claimed_amount,
        verdict=check.verdict if check else None,
        suggested_amount=check.suggested_amount if check else None,
        at_stake=check.at_stake if check else None,
        approved_amount=claim.approved_amount,
        submitted_at=claim.submitted_at,
        decided_at=claim.decided_at,
        decider_name=claim.decider_name,
        version=claim.version,
        check_version=claim.check_version,
        amended=claim.decided_check is not None and claim.check_version > claim.decided_check,
        withheld=not row[5],
    )


def _detail(session: Session, row: Sequence[Any]) -> ClaimDetail:
    claim: TravelClaim = row[0]
    told = _row(row)
    checks: Iterable[ClaimCheck] = (
        ()
        if told.withheld
        else session.scalars(
            select(ClaimCheck)
            .where(ClaimCheck.tenant_id == claim.tenant_id, ClaimCheck.claim_id == claim.id)
            .order_by(ClaimCheck.version.desc())
        )
    )
    return ClaimDetail(
        row=told,
        document=claim.document,
        brought_by=row[4] if claim.brought_reason else None,
        brought_reason=claim.brought_reason,
        explanation=claim.explanation,
        decision_reason=claim.decision_reason,
        decided_check=claim.decided_check,
        waiting=claim.due_at is not None or claim.taken_until is not None,
        roads_missed_at=claim.roads_missed_at,
        checks=[
            CheckView(
                version=check.version,
                verdict=check.verdict,
                lines=check.lines["lines"],
                digest=check.digest,
                suggested_amount=check.suggested_amount,
                at_stake=check.at_stake,
                checked_at=check.checked_at,
            )
            for check in checks
        ],
    )
