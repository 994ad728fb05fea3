"""Lists of visits and the one with its verdicts; every read names whose it may be."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Select, and_, or_, select
from sqlalchemy.orm import Session

from geo.visits import MARGIN_S
from server.db import tables
from server.db.paging import Page, Paging, directed, read_page
from server.errors import NotFound
from server.findings.rules import DayKey
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.people.subjects import with_subject
from server.tracking.facts import load_fixes
from server.tracking.queries import FixColumns, to_columns
from server.visits.models import PlannedVisit, VerdictVersion
from server.visits.proposals import PinProposalView, open_pin_proposal
from server.visits.rules import VisitType, VisitVerdict

__all__ = [
    "SORTABLE",
    "PinProposalView",
    "Scope",
    "VerdictView",
    "VisitDetail",
    "VisitFilter",
    "VisitPage",
    "VisitRow",
    "VisitType",
    "VisitVerdict",
    "get_visit",
    "list_visits",
    "open_pin_proposal",
    "visit_fixes",
    "visits_in_scope",
    "visits_of_person",
]

_MAX_POINTS: Final = 2_000
Scope = ColumnElement[bool]
"""Condition on `planned_visits`, as `visits_in_scope` makes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitFilter(Paging):
    """What to list; an empty collection or None filters nothing.

    Attributes
    ----------
    search : part of the person's or site's name, or of the site's number.
    unit_ids : where people belonged on the date.
    verdicts : newest verdicts.
    cancelled : only those cancelled (True), or none of them (False).
    judged : only those with a verdict (True), or none of them (False).
    first_on, last_on : local dates on which windows start, both included.
    sort : one of `SORTABLE`; ties go by window and id.
    """

    search: str = ""
    unit_ids: Collection[UUID] = ()
    employee_id: UUID | None = None
    site_id: UUID | None = None
    kinds: Collection[VisitType] = ()
    verdicts: Collection[VisitVerdict] = ()
    judged: bool | None = None
    cancelled: bool | None = None
    first_on: date | None = None
    last_on: date | None = None
    sort: str = "start"
    descending: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitRow:
    """One line of a list.

    Attributes
    ----------
    unit_name : where the person belonged on the date.
    by : who assigned it; None when a command did.
    version : of the newest verdict, 0 before the first; then `verdict` is None.
    """

    id: UUID
    employee_id: UUID
    employee_name: str
    unit_name: str | None
    site_id: UUID
    site_number: str
    site_name: str
    kind: VisitType
    on_date: date
    starts_at: datetime
    ends_at: datetime
    note: str | None
    by: str | None
    created_at: datetime
    cancelled_at: datetime | None
    group_id: UUID | None
    version: int
    verdict: VisitVerdict | None
    arrived_at: datetime | None
    left_at: datetime | None
    dwell_s: float | None
    nearest_m: float | None
    decided_at: datetime | None


VisitPage = Page[VisitRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictView:
    """One version of a verdict with its evidence document (plain JSON)."""

    version: int
    verdict: VisitVerdict
    arrived_at: datetime | None
    left_at: datetime | None
    dwell_s: float
    nearest_m: float | None
    evidence: dict[str, Any]
    digest: str
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class VisitDetail:
    """A visit, the versions of its verdict, newest first, and the sites declared with it."""

    row: VisitRow
    verdicts: list[VerdictView]
    together: list[str]


_SITES: Final = tables.sites
_SORTS: Final[dict[str, ColumnElement[Any]]] = {
    "start": PlannedVisit.starts_at.expression,
    "person": tables.employees.c.name,
    "site": _SITES.c.name,
    "type": PlannedVisit.kind.expression,
    "verdict": VerdictVersion.verdict.expression,
    "dwell": VerdictVersion.dwell_s.expression,
}
SORTABLE = tuple(_SORTS)


def visits_in_scope(principal: Principal, action: Action, *, now: datetime) -> Scope:
    """Return which visits `action` is open to: membership counts on each one's local date."""
    return was_in_scope(
        principal,
        action,
        employee_id=PlannedVisit.employee_id.expression,
        on=PlannedVisit.on_date.expression,
        now=now,
    )


def list_visits(session: Session, scope: Scope, *, wanted: VisitFilter) -> VisitPage:
    """Return a page of the visits in scope. One statement, two beyond the last page."""
    order = _SORTS.get(wanted.sort, _SORTS["start"])
    return read_page(
        session,
        _query(scope).where(*_conditions(wanted)),
        directed(order, descending=wanted.descending),
        PlannedVisit.starts_at.desc(),
        PlannedVisit.id.expression,
        wanted=wanted,
        line=_row,
    )


def get_visit(session: Session, scope: Scope, visit_id: UUID) -> VisitDetail:
    """Return one visit with its verdicts. Three statements at most.

    Raises
    ------
    NotFound : no such visit, or not of a person in scope: the same answer.
    """
    found = session.execute(_query(scope).where(PlannedVisit.id == visit_id)).one_or_none()
    if found is None:
        raise NotFound("visit_not_found")
    visit: PlannedVisit = found[0]
    verdicts = session.scalars(
        select(VerdictVersion)
        .where(VerdictVersion.tenant_id == visit.tenant_id, VerdictVersion.visit_id == visit_id)
        .order_by(VerdictVersion.version.desc())
    )
    together: Sequence[str] = ()
    if visit.group_id is not None:
        together = session.scalars(
            select(_SITES.c.name)
            .join(
                PlannedVisit,
                and_(
                    PlannedVisit.tenant_id == _SITES.c.tenant_id,
                    PlannedVisit.site_id == _SITES.c.id,
                ),
            )
            .where(
                PlannedVisit.tenant_id == visit.tenant_id,
                PlannedVisit.employee_id == visit.employee_id,
                PlannedVisit.on_date == visit.on_date,
                PlannedVisit.group_id == visit.group_id,
                PlannedVisit.id != visit_id,
                PlannedVisit.cancelled_at.is_(None),
            )
            .order_by(_SITES.c.name)
        ).all()
    return VisitDetail(_row(found), [_verdict(row) for row in verdicts], list(together))


def visits_of_person(session: Session, employee_id: UUID) -> list[VisitDetail]:
    """Return every visit of one person with all verdicts, oldest first, for that person.

    Two statements.
    """
    mine = PlannedVisit.employee_id == employee_id
    found = session.execute(_query(mine).order_by(PlannedVisit.starts_at, PlannedVisit.id)).all()
    verdicts: dict[UUID, list[VerdictView]] = {}
    for row in session.scalars(
        select(VerdictVersion)
        .join(
            PlannedVisit,
            and_(
                PlannedVisit.tenant_id == VerdictVersion.tenant_id,
                PlannedVisit.id == VerdictVersion.visit_id,
            ),
        )
        .where(mine)
        .order_by(VerdictVersion.visit_id, VerdictVersion.version.desc())
    ):
        verdicts.setdefault(row.visit_id, []).append(_verdict(row))
    return [VisitDetail(_row(row), verdicts.get(row[0].id, []), []) for row in found]


def visit_fixes(session: Session, row: VisitRow, *, tenant_id: int) -> FixColumns:
    """Return the fixes that a visit is judged by, thinned to 2,000, for the map of its card."""
    around = timedelta(seconds=MARGIN_S)
    key = DayKey(tenant_id, row.employee_id, row.on_date)
    fixes = load_fixes(session, {key: (row.starts_at - around, row.ends_at + around)})
    return to_columns(fixes[key], max_points=_MAX_POINTS)


def _query(scope: Scope) -> Select[Any]:
    accounts = tables.accounts
    query = select(
        PlannedVisit,
        VerdictVersion,
        tables.employees.c.name,
        tables.units.c.name,
        _SITES.c.number,
        _SITES.c.name,
        accounts.c.name,
    )
    return (
        with_subject(
            query,
            tenant_id=PlannedVisit.tenant_id.expression,
            employee_id=PlannedVisit.employee_id.expression,
            on=PlannedVisit.on_date.expression,
        )
        .join(
            _SITES,
            and_(_SITES.c.tenant_id == PlannedVisit.tenant_id, _SITES.c.id == PlannedVisit.site_id),
        )
        .outerjoin(
            VerdictVersion,
            and_(
                VerdictVersion.tenant_id == PlannedVisit.tenant_id,
                VerdictVersion.visit_id == PlannedVisit.id,
                VerdictVersion.version == PlannedVisit.version,
            ),
        )
        .outerjoin(
            accounts,
            and_(
                accounts.c.tenant_id == PlannedVisit.tenant_id,
                accounts.c.id == PlannedVisit.created_by,
            ),
        )
        .where(scope)
    )


def _conditions(wanted: VisitFilter) -> list[ColumnElement[bool]]:
    given: list[ColumnElement[bool]] = []
    if wanted.search:
        texts = (tables.employees.c.name, _SITES.c.name, _SITES.c.number)
        given.append(or_(*(text.icontains(wanted.search, autoescape=True) for text in texts)))
    if wanted.unit_ids:
        given.append(tables.memberships.c.unit_id.in_(list(wanted.unit_ids)))
    if wanted.employee_id is not None:
        given.append(PlannedVisit.employee_id == wanted.employee_id)
    if wanted.site_id is not None:
        given.append(PlannedVisit.site_id == wanted.site_id)
    if wanted.kinds:
        given.append(PlannedVisit.kind.in_(list(wanted.kinds)))
    if wanted.verdicts:
        given.append(VerdictVersion.verdict.in_(list(wanted.verdicts)))
    if wanted.judged is not None:
        given.append(PlannedVisit.version > 0 if wanted.judged else PlannedVisit.version == 0)
    if wanted.cancelled is not None:
        gone = PlannedVisit.cancelled_at.is_not(None)
        given.append(gone if wanted.cancelled else ~gone)
    if wanted.first_on is not None:
        given.append(PlannedVisit.on_date >= wanted.first_on)
    if wanted.last_on is not None:
        given.append(PlannedVisit.on_date <= wanted.last_on)
    return given


def _row(row: Row[Any]) -> VisitRow:
    visit, newest, employee_name, unit_name, number, site_name, by = tuple(row)[:7]
    return VisitRow(
        id=visit.id,
        employee_id=visit.employee_id,
        employee_name=employee_name,
        unit_name=unit_name,
        site_id=visit.site_id,
        site_number=number,
        site_name=site_name,
        kind=visit.kind,
        on_date=visit.on_date,
        starts_at=visit.starts_at,
        ends_at=visit.ends_at,
        note=visit.note,
        by=by,
        created_at=visit.created_at,
        cancelled_at=visit.cancelled_at,
        group_id=visit.group_id,
        version=visit.version,
        verdict=newest and newest.verdict,
        arrived_at=newest and newest.arrived_at,
        left_at=newest and newest.left_at,
        dwell_s=newest and newest.dwell_s,
        nearest_m=newest and newest.nearest_m,
        decided_at=newest and newest.decided_at,
    )


def _verdict(row: VerdictVersion) -> VerdictView:
    return VerdictView(
        version=row.version,
        verdict=row.verdict,
        arrived_at=row.arrived_at,
        left_at=row.left_at,
        dwell_s=row.dwell_s,
        nearest_m=row.nearest_m,
        evidence=row.evidence,
        digest=row.digest,
        decided_at=row.decided_at,
    )
