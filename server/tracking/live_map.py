"""Where people in scope are now: one statement, columns out; public through `queries`."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias
from uuid import UUID

from sqlalchemy import ColumnElement, Interval, Row, Select, and_, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.orm import Session

from geo.fix import FixArray
from server.db.geometry import lat_of, lon_of
from server.db.tables import (
    employees,
    excusals,
    memberships,
    posts,
    roster_entries,
    tenants,
    units,
)
from server.findings.rules import DayKey
from server.posts.queries import DutyWindow, duty_policies, duty_windows
from server.posts.rules import CLOSES_DUTY, MAX_GRACE_S
from server.tracking.days import MAX_POINTS, FixColumns, to_columns
from server.tracking.facts import load_fixes
from server.tracking.models import LastPosition, PresenceNow
from server.tracking.rules import LiveStatus, LiveThresholds, live_status

DutySpan: TypeAlias = tuple[datetime, datetime]
"""From the start of a shift up to its end."""

_LONGEST_SHIFT: Final = timedelta(hours=26)
COLUMNS: Final = (
    "id",
    "name",
    "unit",
    "post",
    "post_id",
    "lon",
    "lat",
    "accuracy_m",
    "fixed_at",
    "status",
    "since",
    "speed_mps",
    "course_deg",
    "battery_pct",
    "source",
    "presence",
    "distance_m",
    "finding_id",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveMap:
    """The live picture as columns of equal length, ordered by name.

    Attributes
    ----------
    people : by name of `COLUMNS`; ids as text, instants as epoch seconds, unknown is None.
        People off duty have a name and no position.
    counts : people by status.
    rostered : people expected at a post now; `covered` of them are seen there.
    """

    as_of: datetime
    thresholds: LiveThresholds
    people: dict[str, list[Any]]
    counts: dict[str, int]
    rostered: int
    covered: int


def live_map(session: Session, scope: Select[UUID], *, now: datetime) -> LiveMap:
    """Return where the people of a scope are. Two statements, whatever their number.

    Only positions of the duty that is on now are shown: no trail, nothing of people off
    duty or on leave, nothing that is left from an earlier shift.

    Parameters
    ----------
    scope : ids of the employees whose live position the reader may see.
    now : instant of the picture.
    """
    policies = duty_policies(session)
    tenant = next(iter(policies.rows), 0)
    limits = policies.at(tenant, now)
    thresholds = LiveThresholds(limits.stale_s, limits.no_signal_s)
    counts: Counter[str] = Counter({status.value: 0 for status in LiveStatus})
    rows = session.execute(live_query(scope, now)).all()
    columns = columns_of(rows, now=now, thresholds=thresholds)
    for status in columns["status"]:
        counts[status] += 1
    return LiveMap(
        as_of=now,
        thresholds=thresholds,
        people=columns,
        counts=dict(counts),
        rostered=sum(post is not None for post in columns["post_id"]),
        covered=counts[LiveStatus.ON_POST.value],
    )


def columns_of(
    rows: Iterable[Row[Any]], *, now: datetime, thresholds: LiveThresholds
) -> dict[str, list[Any]]:
    """Return rows of `live_query` as columns by name of `COLUMNS`."""
    columns: dict[str, list[Any]] = {name: [] for name in COLUMNS}
    for row in rows:
        status = live_status(
            on_duty=row.entry_id is not None,
            presence=row.state,
            finding_id=row.finding_id,
            fixed_at=row.fixed_at,
            now=now,
            thresholds=thresholds,
        )
        for name, value in (
            ("id", str(row.id)),
            ("name", row.name),
            ("unit", row.unit),
            ("post", row.post),
            ("post_id", _text(row.post_id)),
            ("lon", row.lon),
            ("lat", row.lat),
            ("accuracy_m", row.accuracy_m),
            ("fixed_at", _epoch(row.fixed_at)),
            ("status", status.value),
            ("since", _epoch(row.since_at or row.duty_from)),
            ("speed_mps", row.speed_mps),
            ("course_deg", row.course_deg),
            ("battery_pct", row.battery_pct),
            ("source", row.source),
            ("presence", row.state.value if row.state is not None and row.post_id else None),
            ("distance_m", row.distance_m),
            ("finding_id", _text(row.finding_id)),
        ):
            columns[name].append(value)
    return columns


def trail(
    session: Session,
    *,
    tenant_id: int,
    employee_id: UUID,
    now: datetime,
    length: timedelta = timedelta(minutes=30),
) -> FixColumns:
    """Return one person's fixes of the last minutes of the duty that is on now.

    The caller has asked the policy function; off duty there is no trail. Four statements.
    """
    current = duty_now(session, tenant_id=tenant_id, employee_id=employee_id, now=now)
    if current is None:
        return to_columns(FixArray.from_fixes([]), max_points=MAX_POINTS)
    day = DayKey(tenant_id, employee_id, current.work_on)
    since = max(current.opens_at, now - length)
    found = load_fixes(session, {day: (since, now + timedelta(microseconds=1))})
    return to_columns(found[day], max_points=MAX_POINTS)


def duty_now(
    session: Session, *, tenant_id: int, employee_id: UUID, now: datetime
) -> DutyWindow | None:
    """Return the duty window that is on, grace not counted; None off duty."""
    windows = duty_windows(
        session,
        start_at=now,
        end_at=now + timedelta(microseconds=1),
        employee_ids=[employee_id],
        tenant_ids=[tenant_id],
    )
    return next((w for w in windows if w.starts_at <= now < w.ends_at), None)


def duty_spans(
    session: Session, scope: Select[UUID], *, now: datetime, ahead: timedelta
) -> dict[UUID, tuple[DutySpan, ...]]:
    """Return the people of a scope and when each is on duty, now or soon. One statement.

    For readers that ask again every few seconds and decide between by the clock: the end of a
    shift is exact, leave and cancellation hold from the next reading.

    Parameters
    ----------
    scope : ids of the employees.
    now : instant of the answer; spans that have ended are left out.
    ahead : spans that begin within this time are returned too.

    Returns
    -------
    Everybody in scope; half-open spans without grace, none for people off duty.
    """
    duty = roster_entries
    found: dict[UUID, tuple[DutySpan, ...]] = {}
    for employee_id, starts_at, ends_at in session.execute(
        select(employees.c.id, duty.c.starts_at, duty.c.ends_at)
        .outerjoin_from(employees, duty, _on_duty(now, now + ahead))
        .where(employees.c.id.in_(scope))
    ):
        spans = () if starts_at is None else ((starts_at, ends_at),)
        found[employee_id] = found.get(employee_id, ()) + spans
    return found


def _on_duty(now: datetime, begun_by: datetime) -> ColumnElement[bool]:
    """Join employees with the shift that is on, or begins by an instant, and counts."""
    duty = roster_entries
    at = func.greatest(duty.c.starts_at, cast(now, TIMESTAMP(timezone=True)))
    closed = (
        select(excusals.c.tenant_id)
        .where(
            excusals.c.tenant_id == duty.c.tenant_id,
            excusals.c.employee_id == duty.c.employee_id,
            excusals.c.withdrawn_at.is_(None),
            excusals.c.kind.in_(sorted(kind.value for kind in CLOSES_DUTY)),
            excusals.c.starts_at <= at,
            excusals.c.ends_at > at,
        )
        .exists()
    )
    return and_(
        duty.c.tenant_id == employees.c.tenant_id,
        duty.c.employee_id == employees.c.id,
        duty.c.cancelled_at.is_(None),
        duty.c.starts_at <= begun_by,
        duty.c.starts_at > now - _LONGEST_SHIFT,
        duty.c.ends_at > now,
        or_(employees.c.left_on.is_(None), employees.c.left_on > duty.c.on_date),
        ~closed,
    )


def live_query(scope: Select[UUID], now: datetime) -> Select[Any]:
    """Return the SQL of the live picture: a row a person of a scope, by name."""
    duty, lp, pn = roster_entries, LastPosition.__table__, PresenceNow.__table__
    of_this_duty = and_(
        lp.c.tenant_id == duty.c.tenant_id,
        lp.c.employee_id == duty.c.employee_id,
        lp.c.fixed_at > duty.c.starts_at - literal(timedelta(seconds=MAX_GRACE_S), Interval),
        or_(lp.c.roster_entry_id == duty.c.id, lp.c.fixed_at >= duty.c.starts_at),
    )
    here = and_(
        pn.c.tenant_id == duty.c.tenant_id,
        pn.c.employee_id == duty.c.employee_id,
        pn.c.roster_entry_id == duty.c.id,
    )
    local = func.timezone(tenants.c.zone, cast(now, TIMESTAMP(timezone=True)))
    belongs = and_(
        memberships.c.tenant_id == employees.c.tenant_id,
        memberships.c.employee_id == employees.c.id,
        memberships.c.during_on.contains(func.date(local)),
    )
    return (
        select(
            employees.c.id,
            employees.c.name,
            units.c.name.label("unit"),
            posts.c.name.label("post"),
            duty.c.id.label("entry_id"),
            duty.c.post_id,
            duty.c.starts_at.label("duty_from"),
            lon_of(lp.c.position).label("lon"),
            lat_of(lp.c.position).label("lat"),
            lp.c.accuracy_m,
            lp.c.fixed_at,
            lp.c.speed_mps,
            lp.c.course_deg,
            lp.c.battery_pct,
            lp.c.source,
            pn.c.state,
            pn.c.since_at,
            pn.c.distance_m,
            pn.c.finding_id,
        )
        .join_from(employees, tenants, tenants.c.id == employees.c.tenant_id)
        .outerjoin(memberships, belongs)
        .outerjoin(
            units,
            and_(units.c.tenant_id == memberships.c.tenant_id, units.c.id == memberships.c.unit_id),
        )
        .outerjoin(duty, _on_duty(now, now))
        .outerjoin(posts, and_(posts.c.tenant_id == duty.c.tenant_id, posts.c.id == duty.c.post_id))
        .outerjoin(lp, of_this_duty)
        .outerjoin(pn, here)
        .where(employees.c.id.in_(scope))
        .order_by(employees.c.name, employees.c.id)
    )


def _text(id_: UUID | None) -> str | None:
    return None if id_ is None else str(id_)


def _epoch(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()
