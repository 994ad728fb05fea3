"""One person's day for playback, timeline and evidence; public through `queries`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from geo.fix import SOURCES, FixArray, QualityFlag
from server.db.tables import employees, posts, roster_entries
from server.findings.queries import FindingFilter, FindingRow, FindingSort, list_findings
from server.findings.rules import PLAIN_KINDS, DayKey, FindingState
from server.posts.queries import DutyWindow, ExcusalView, windows_of_day
from server.posts.queries import excusals_between as _excusals_between
from server.tracking.facts import load_fixes
from server.tracking.models import DayRow, PresenceRow
from server.tracking.rules import PresenceState

MAX_POINTS: Final = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PresenceView:
    """One interval of presence; the intervals of an assignment tile its duty so far.

    `probability` of its state by the accuracy of the fixes in it, 0 to 1; None where nobody
    looked.
    """

    roster_entry_id: UUID
    starts_at: datetime
    ends_at: datetime
    state: PresenceState
    inferred: bool
    cause: str | None
    probability: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentView:
    """What was rostered: the whole shift with its post and zone."""

    roster_entry_id: UUID
    post_id: UUID | None
    post_name: str | None
    zone: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FixColumns:
    """Fixes as columns of equal length, in time order; unknown is None.

    Attributes
    ----------
    fixed_at : epoch seconds.
    flags : names of doubts of each fix.
    key : what evidence refers to.
    total : how many there are; more than given when they were thinned evenly.
    """

    fixed_at: list[float]
    lon: list[float]
    lat: list[float]
    accuracy_m: list[float | None]
    speed_mps: list[float | None]
    battery_pct: list[float | None]
    source: list[str]
    flags: list[tuple[str, ...]]
    key: list[str]
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One person's work date as it stands.

    Attributes
    ----------
    windows : duty, with leave cut out; empty when nothing was rostered.
    as_of_at : up to when it was judged; None before duty began.
    final : judged past the end of duty; only late facts can still change it.
    summary : see `server.tracking.summary.outline`; the segments of the way are in its
        `trajectory`.
    """

    employee_id: UUID
    employee_name: str
    work_on: date
    assignments: list[AssignmentView]
    windows: list[DutyWindow]
    excusals: list[ExcusalView]
    presence: list[PresenceView]
    findings: list[FindingRow]
    summary: dict[str, Any]
    as_of_at: datetime | None
    final: bool


def day(session: Session, employee_id: UUID, work_on: date) -> Day | None:
    """Return one person's work date; None when the person is not known here.

    The caller has asked the policy function for this person and notes the look. Inside the
    tenant's wall; nine statements, fixes apart.
    """
    person = _person(session, employee_id)
    if person is None:
        return None
    tenant_id, name = person
    windows = windows_of_day(session, tenant_id=tenant_id, employee_id=employee_id, work_on=work_on)
    assignments = _assignments(session, tenant_id, employee_id, work_on)
    row = session.get(DayRow, (tenant_id, employee_id, work_on))
    return Day(
        employee_id=employee_id,
        employee_name=name,
        work_on=work_on,
        assignments=assignments,
        windows=windows,
        excusals=_excusals(session, tenant_id, employee_id, assignments),
        presence=_presence(session, tenant_id, employee_id, work_on),
        findings=_findings(session, employee_id, work_on),
        summary=row.summary if row else {},
        as_of_at=row.as_of_at if row else None,
        final=bool(row and windows and row.as_of_at >= windows[-1].ends_at),
    )


def fixes_of_day(
    session: Session, employee_id: UUID, work_on: date, *, max_points: int = MAX_POINTS
) -> FixColumns:
    """Return the fixes of one person's duty of a work date, thinned evenly when too many.

    Fixes lie inside duty windows with their grace; what leave closed later is not shown,
    even where it was stored before. The caller has asked the policy function.
    """
    series = _series(session, employee_id, work_on)
    return to_columns(series, max_points=max_points)


def evidence_fixes(
    session: Session,
    employee_id: UUID,
    work_on: date,
    *,
    start_at: datetime,
    end_at: datetime,
    around: timedelta = timedelta(minutes=10),
) -> FixColumns:
    """Return the fixes around a span of a day, for the map of an evidence card.

    Those the verdict rests on are the ones whose `key` is among the evidence's inputs.
    """
    series = _series(session, employee_id, work_on)
    return to_columns(series.between(start_at - around, end_at + around), max_points=MAX_POINTS)


def to_columns(series: FixArray, *, max_points: int) -> FixColumns:
    """Return fixes as plain columns; first and last are kept when they are thinned."""
    total = len(series)
    if total > max_points:
        picked = np.unique(np.linspace(0, total - 1, max(max_points, 2)).round().astype(np.int64))
        series = series.take(picked)
    return FixColumns(
        fixed_at=series.epoch_s.tolist(),
        lon=series.lon_deg.tolist(),
        lat=series.lat_deg.tolist(),
        accuracy_m=_known(series.accuracy_m.tolist()),
        speed_mps=_known(series.speed_mps.tolist()),
        battery_pct=_known(series.battery_pct.tolist()),
        source=[SOURCES[code].value for code in series.source.tolist()],
        flags=[QualityFlag(value).names() for value in series.flags.tolist()],
        key=series.keys.tolist(),
        total=total,
    )


def _known(values: Sequence[float]) -> list[float | None]:
    return [None if np.isnan(value) else value for value in values]


def _series(session: Session, employee_id: UUID, work_on: date) -> FixArray:
    person = _person(session, employee_id)
    if person is None:
        return FixArray.from_fixes([])
    tenant_id = person[0]
    windows = windows_of_day(session, tenant_id=tenant_id, employee_id=employee_id, work_on=work_on)
    key = DayKey(tenant_id, employee_id, work_on)
    if not windows:
        return FixArray.from_fixes([])
    found = load_fixes(session, {key: (windows[0].opens_at, windows[-1].closes_at)})[key]
    inside = np.zeros(len(found), dtype=np.bool_)
    for window in windows:
        inside |= (found.epoch_s >= window.opens_at.timestamp()) & (
            found.epoch_s < window.closes_at.timestamp()
        )
    return found.take(np.flatnonzero(inside))


def _person(session: Session, employee_id: UUID) -> tuple[int, str] | None:
    row = session.execute(
        select(employees.c.tenant_id, employees.c.name).where(employees.c.id == employee_id)
    ).one_or_none()
    return None if row is None else (row[0], row[1])


def _assignments(
    session: Session, tenant_id: int, employee_id: UUID, work_on: date
) -> list[AssignmentView]:
    entries = roster_entries
    query = (
        select(entries, posts.c.name.label("post_name"))
        .outerjoin(
            posts,
            and_(posts.c.tenant_id == entries.c.tenant_id, posts.c.id == entries.c.post_id),
        )
        .where(
            entries.c.tenant_id == tenant_id,
            entries.c.employee_id == employee_id,
            entries.c.on_date == work_on,
            entries.c.cancelled_at.is_(None),
        )
        .order_by(entries.c.starts_at)
    )
    return [
        AssignmentView(
            roster_entry_id=row.id,
            post_id=row.post_id,
            post_name=row.post_name,
            zone=row.zone,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
        )
        for row in session.execute(query)
    ]


def _excusals(
    session: Session,
    tenant_id: int,
    employee_id: UUID,
    assignments: Collection[AssignmentView],
) -> list[ExcusalView]:
    if not assignments:
        return []
    return _excusals_between(
        session,
        tenant_id=tenant_id,
        employee_id=employee_id,
        start_at=min(a.starts_at for a in assignments),
        end_at=max(a.ends_at for a in assignments),
    )


def _presence(
    session: Session, tenant_id: int, employee_id: UUID, work_on: date
) -> list[PresenceView]:
    rows = session.scalars(
        select(PresenceRow)
        .where(
            PresenceRow.tenant_id == tenant_id,
            PresenceRow.employee_id == employee_id,
            PresenceRow.work_on == work_on,
        )
        .order_by(PresenceRow.starts_at)
    )
    return [
        PresenceView(
            roster_entry_id=row.roster_entry_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            state=row.state,
            inferred=row.inferred,
            cause=row.cause,
            probability=row.probability,
        )
        for row in rows
    ]


def _findings(session: Session, employee_id: UUID, work_on: date) -> list[FindingRow]:
    wanted = FindingFilter(
        kinds=PLAIN_KINDS,
        states=(FindingState.OPEN, FindingState.CLOSED),
        employee_id=employee_id,
        first_on=work_on,
        last_on=work_on,
        sort=FindingSort.OLDEST,
        limit=500,
    )
    scope = select(employees.c.id).where(employees.c.id == employee_id)
    return list_findings(session, scope, wanted=wanted).rows
