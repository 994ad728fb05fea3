"""Loading and saving of posts, roster and excusals; nothing here commits."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from geoalchemy2 import WKBElement
from shapely import MultiPolygon, Point, Polygon
from sqlalchemy import (
    BigInteger,
    Date,
    Integer,
    Select,
    Uuid,
    column,
    func,
    insert,
    select,
    table,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.db.geometry import column_to_shape
from server.db.tables import employees, tenants
from server.db.types import UtcDateTime
from server.errors import NotFound
from server.posts.models import DutyVersion, Excusal, Post, RosterEntry, Shift
from server.posts.rules import CLOSES_DUTY, RosteredShift

LONGEST_SHIFT = timedelta(hours=26)
"""No shift is longer: 24 hours and a change of clocks."""

# The engine's queue lies above this slice, which only appends to it.
_touched_days = table(
    "touched_days",
    column("tenant_id", Integer),
    column("id", BigInteger),
    column("employee_id", Uuid),
    column("work_on", Date),
    column("since_at", UtcDateTime),
)


@dataclass(frozen=True, slots=True)
class AffectedDay:
    """A person-day whose derived rows may no longer follow from the facts.

    `since_at` is the start of the shift: nothing of the day may be taken as settled.
    """

    employee_id: UUID
    work_on: date
    since_at: datetime


def note_duty_change(session: Session, *, tenant_id: int, days: Iterable[AffectedDay]) -> None:
    """Raise the tenant's duty version, queue days for the engine and wake it at commit."""
    statement = upsert(DutyVersion).values(tenant_id=tenant_id, version=1)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=[DutyVersion.tenant_id],
            set_={"version": DutyVersion.version + 1},
        )
    )
    rows = [
        {
            "tenant_id": tenant_id,
            "employee_id": day.employee_id,
            "work_on": day.work_on,
            "since_at": day.since_at,
        }
        for day in days
    ]
    if rows:
        session.execute(insert(_touched_days), rows)
        session.execute(select(func.pg_notify("touched", "")))


def entries_between(start_at: datetime, end_at: datetime) -> Select[RosterEntry]:
    """Return the SQL for entries in force that meet `[start_at, end_at)`.

    People count until the day before they left.
    """
    gone = (
        select(employees.c.id)
        .where(
            employees.c.tenant_id == RosterEntry.tenant_id,
            employees.c.id == RosterEntry.employee_id,
            employees.c.left_on <= RosterEntry.on_date,
        )
        .exists()
    )
    return select(RosterEntry).where(
        # Every index begins with the tenant, which a role that sees all tenants has to name.
        RosterEntry.tenant_id.in_(select(tenants.c.id)),
        RosterEntry.cancelled_at.is_(None),
        RosterEntry.starts_at < end_at,
        # Lets the index on starts_at bound the search from below as well.
        RosterEntry.starts_at > start_at - LONGEST_SHIFT,
        RosterEntry.ends_at > start_at,
        ~gone,
    )


def closing_between(start_at: datetime, end_at: datetime) -> Select[Excusal]:
    """Return the SQL for leave and pause in force that meet `[start_at, end_at)`."""
    return select(Excusal).where(
        Excusal.tenant_id.in_(select(tenants.c.id)),
        Excusal.withdrawn_at.is_(None),
        Excusal.kind.in_(sorted(CLOSES_DUTY)),
        Excusal.starts_at < end_at,
        Excusal.ends_at > start_at,
    )


def to_rostered(row: RosterEntry) -> RosteredShift:
    """Return a roster entry as rules see it."""
    return RosteredShift(
        tenant_id=row.tenant_id,
        employee_id=row.employee_id,
        roster_entry_id=row.id,
        work_on=row.on_date,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        post_id=row.post_id,
    )


def affected_days(
    session: Session,
    *,
    tenant_id: int,
    start_at: datetime,
    end_at: datetime,
    employee_id: UUID | None = None,
    post_id: UUID | None = None,
) -> list[AffectedDay]:
    """Return the person-days with an entry that meets `[start_at, end_at)`."""
    query = entries_between(start_at, end_at).where(RosterEntry.tenant_id == tenant_id)
    if employee_id is not None:
        query = query.where(RosterEntry.employee_id == employee_id)
    if post_id is not None:
        query = query.where(RosterEntry.post_id == post_id)
    return [
        AffectedDay(row.employee_id, row.on_date, row.starts_at) for row in session.scalars(query)
    ]


def load_post(session: Session, *, tenant_id: int, post_id: UUID, lock: bool = False) -> Post:
    """Return a post.

    Raises
    ------
    NotFound : `post_not_found`.
    """
    post = session.get(Post, (tenant_id, post_id), with_for_update=lock or None)
    if post is None:
        raise NotFound("post_not_found")
    return post


def load_shift(session: Session, *, tenant_id: int, shift_id: UUID) -> Shift:
    """Return a shift.

    Raises
    ------
    NotFound : `shift_not_found`.
    """
    shift = session.get(Shift, (tenant_id, shift_id))
    if shift is None:
        raise NotFound("shift_not_found")
    return shift


def load_entry(session: Session, *, tenant_id: int, entry_id: UUID) -> RosterEntry:
    """Return a roster entry, locked.

    Raises
    ------
    NotFound : `assignment_not_found`.
    """
    entry = session.get(RosterEntry, (tenant_id, entry_id), with_for_update=True)
    if entry is None:
        raise NotFound("assignment_not_found")
    return entry


def load_excusal(session: Session, *, tenant_id: int, excusal_id: UUID) -> Excusal:
    """Return an excusal, locked.

    Raises
    ------
    NotFound : `excusal_not_found`.
    """
    excusal = session.get(Excusal, (tenant_id, excusal_id), with_for_update=True)
    if excusal is None:
        raise NotFound("excusal_not_found")
    return excusal


def to_geofence(shape: WKBElement, radius_m: float | None) -> Geofence:
    """Return the geofence a version's columns stand for."""
    geometry = column_to_shape(shape)
    if isinstance(geometry, Point):
        assert radius_m is not None
        return Geofence.circle(lon_deg=geometry.x, lat_deg=geometry.y, radius_m=radius_m)
    assert isinstance(geometry, (Polygon, MultiPolygon))
    return Geofence.polygon(geometry)
