"""What others may ask of posts, roster and excusals: duty windows, fences, lists."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Date, Select, and_, cast, func, select
from sqlalchemy.orm import Session, aliased

from server.db import tables
from server.db.geometry import extent_of
from server.people.policy import was_in_scope
from server.people.rules import Action, Principal
from server.posts.duty import (
    DutyPolicies,
    GeoPolicies,
    duty_policies,
    duty_version,
    duty_windows,
    geo_policies,
    geo_policy,
    windows_of_day,
)
from server.posts.excusals import (
    ExcusalRow,
    ExcusalView,
    excusals_between,
    excusals_of_people,
    list_excusals,
)
from server.posts.fences import (
    FenceVersion,
    fence_at,
    fence_histories,
    fences_between,
    post_history,
    prepared,
)
from server.posts.models import Post, PostVersion, RosterEntry, Shift
from server.posts.policies import PolicyVersion, in_force, policy_versions
from server.posts.rules import DutyWindow, ExcusalKind, PolicyKind

__all__ = [
    "DutyPolicies",
    "DutyWindow",
    "ExcusalKind",
    "ExcusalRow",
    "ExcusalView",
    "FenceVersion",
    "GeoPolicies",
    "PolicyKind",
    "PolicyVersion",
    "PostView",
    "RosterView",
    "ShiftView",
    "duty_policies",
    "duty_version",
    "duty_windows",
    "excusals_between",
    "excusals_of_people",
    "extent_of_posts",
    "fence_at",
    "fence_histories",
    "fences_between",
    "geo_policies",
    "geo_policy",
    "get_post",
    "in_force",
    "list_excusals",
    "list_posts",
    "list_shifts",
    "policy_versions",
    "post_history",
    "roster_between",
    "roster_in_scope",
    "windows_of_day",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostView:
    """A post with the version that holds at the instant asked for.

    `shape` is GeoJSON (a circle is a Point with `radius_m`); None before the first version.
    `grace_s` and `buffer_m` are None when left to the policy.
    """

    id: UUID
    unit_id: UUID
    unit_name: str
    name: str
    address: str | None
    zone: str
    closed_on: date | None
    version: int | None
    valid_from_at: datetime | None
    shape: dict[str, Any] | None
    grace_s: int | None
    buffer_m: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftView:
    """A named span of wall-clock time."""

    id: UUID
    name: str
    starts: time
    ends: time
    retired_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterView:
    """One line of a roster; instants are UTC, `zone` is where the shift's clock hangs."""

    id: UUID
    employee_id: UUID
    employee_name: str
    shift_id: UUID
    shift_name: str
    post_id: UUID | None
    post_name: str | None
    on_date: date
    zone: str
    starts_at: datetime
    ends_at: datetime


def list_posts(
    session: Session, units: Select[UUID], *, at: datetime, with_closed: bool = False
) -> list[PostView]:
    """Return the posts of units with the version in force, by unit and name. One statement.

    Parameters
    ----------
    units : ids of the units the reader may see.
    at : instant whose version is shown; closed posts are those closed by its date in the
        post's zone.
    """
    newest = aliased(PostVersion)
    current = (
        select(func.max(newest.version))
        .where(
            newest.tenant_id == Post.tenant_id,
            newest.post_id == Post.id,
            newest.valid_from_at <= at,
        )
        .correlate(Post)
        .scalar_subquery()
    )
    query = (
        select(Post, PostVersion, tables.units.c.name)
        .join(
            tables.units,
            and_(tables.units.c.tenant_id == Post.tenant_id, tables.units.c.id == Post.unit_id),
        )
        .outerjoin(
            PostVersion,
            and_(
                PostVersion.tenant_id == Post.tenant_id,
                PostVersion.post_id == Post.id,
                PostVersion.version == current,
            ),
        )
        .where(Post.unit_id.in_(units))
        .order_by(tables.units.c.name, Post.name, Post.id)
    )
    if not with_closed:
        here_on = cast(func.timezone(Post.zone, at), Date)
        query = query.where(Post.closed_on.is_(None) | (Post.closed_on > here_on))
    return [_post_view(*row) for row in session.execute(query)]


def get_post(
    session: Session, units: Select[UUID], *, post_id: UUID, at: datetime
) -> PostView | None:
    """Return one post of the units with the version in force; None when there is none."""
    found = [p for p in list_posts(session, units, at=at, with_closed=True) if p.id == post_id]
    return found[0] if found else None


def list_shifts(session: Session, *, with_retired: bool = False) -> list[ShiftView]:
    """Return the tenant's shifts by start."""
    query = select(Shift).order_by(Shift.starts, Shift.name)
    if not with_retired:
        query = query.where(Shift.retired_on.is_(None))
    return [
        ShiftView(
            id=row.id, name=row.name, starts=row.starts, ends=row.ends, retired_on=row.retired_on
        )
        for row in session.scalars(query)
    ]


RosterScope = Select[UUID] | ColumnElement[bool]
"""Whose roster: ids of employees, or a condition on its rows."""


def roster_in_scope(
    principal: Principal, action: Action, *, now: datetime, employee_id: UUID | None = None
) -> ColumnElement[bool]:
    """Return which rows of the roster `action` is open to: membership counts on each one's date.

    Parameters
    ----------
    employee_id : only this person's rows.
    """
    reach = was_in_scope(
        principal,
        action,
        employee_id=RosterEntry.employee_id.expression,
        on=RosterEntry.on_date.expression,
        now=now,
    )
    return reach if employee_id is None else and_(reach, RosterEntry.employee_id == employee_id)


def roster_between(
    session: Session, scope: RosterScope, *, first_on: date, last_on: date
) -> list[RosterView]:
    """Return the roster in scope over work dates, both included, by date, start and name."""
    within = scope if isinstance(scope, ColumnElement) else RosterEntry.employee_id.in_(scope)
    people = tables.employees
    query = (
        select(RosterEntry, people.c.name, Shift.name, Post.name)
        .join(
            people,
            and_(
                people.c.tenant_id == RosterEntry.tenant_id,
                people.c.id == RosterEntry.employee_id,
            ),
        )
        .join(
            Shift,
            and_(Shift.tenant_id == RosterEntry.tenant_id, Shift.id == RosterEntry.shift_id),
        )
        .outerjoin(
            Post, and_(Post.tenant_id == RosterEntry.tenant_id, Post.id == RosterEntry.post_id)
        )
        .where(
            within,
            RosterEntry.on_date.between(first_on, last_on),
            RosterEntry.cancelled_at.is_(None),
        )
        .order_by(RosterEntry.on_date, RosterEntry.starts_at, people.c.name, RosterEntry.id)
    )
    return [
        RosterView(
            id=entry.id,
            employee_id=entry.employee_id,
            employee_name=employee_name,
            shift_id=entry.shift_id,
            shift_name=shift_name,
            post_id=entry.post_id,
            post_name=post_name,
            on_date=entry.on_date,
            zone=entry.zone,
            starts_at=entry.starts_at,
            ends_at=entry.ends_at,
        )
        for entry, employee_name, shift_name, post_name in session.execute(query)
    ]


def extent_of_posts(
    session: Session, *, tenant_id: int, units: Select[UUID] | None = None
) -> tuple[float, float, float, float] | None:
    """Return west, south, east and north of fences, degrees; None without any.

    Parameters
    ----------
    units : only posts of these units; all of the tenant's when left out.
    """
    query = select(*extent_of(PostVersion.__table__.c.shape)).where(
        PostVersion.tenant_id == tenant_id
    )
    if units is not None:
        query = query.where(PostVersion.post_id.in_(select(Post.id).where(Post.unit_id.in_(units))))
    west, south, east, north = session.execute(query).one()
    box: tuple[float | None, ...] = (west, south, east, north)
    return None if None in box else (west, south, east, north)


def _post_view(post: Post, version: PostVersion | None, unit_name: str) -> PostView:
    fence = version and prepared(version.id, version.shape.desc, version.radius_m)
    return PostView(
        id=post.id,
        unit_id=post.unit_id,
        unit_name=unit_name,
        name=post.name,
        address=post.address,
        zone=post.zone,
        closed_on=post.closed_on,
        version=version.version if version else None,
        valid_from_at=version.valid_from_at if version else None,
        shape=fence.to_geojson() if fence else None,
        grace_s=version.grace_s if version else None,
        buffer_m=version.buffer_m if version else None,
    )
