"""Use cases on posts, shifts, roster, excusals and policies; the caller's door commits.

Whoever calls has asked the policy function already: `edit_posts` for posts and policies,
`edit_roster` for shifts and roster, `excuse` for excusals. Everything that changes who is expected
where and when raises the tenant's duty version and queues the person-days it may alter,
in the same transaction.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from geo.errors import GeofenceError
from geo.geofence import Geofence
from server.clock import Clock
from server.db.geometry import shape_to_column
from server.db.types import new_id
from server.errors import Conflict, InvalidInput
from server.posts import store
from server.posts.leaving import let_go, let_people_go
from server.posts.models import Post, PostVersion, RosterEntry
from server.posts.policies import set_policy
from server.posts.roster import (
    Assignment,
    assign_shift,
    assign_shifts,
    cancel_assignment,
    create_shift,
    excuse,
    retire_shift,
    withdraw_excusal,
)
from server.posts.rules import clean_name, day_bounds, local_date, zone_of

__all__ = [
    "Assignment",
    "assign_shift",
    "assign_shifts",
    "cancel_assignment",
    "check_limits",
    "check_shape",
    "close_post",
    "create_post",
    "create_shift",
    "excuse",
    "let_go",
    "let_people_go",
    "rename_post",
    "reshape_post",
    "retire_shift",
    "set_policy",
    "withdraw_excusal",
]


def create_post(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    unit_id: UUID,
    name: str,
    zone: str,
    shape: object,
    address: str | None = None,
    grace_s: int | None = None,
    buffer_m: float | None = None,
    valid_from_at: datetime | None = None,
    actor_id: UUID | None = None,
) -> UUID:
    """Create a post with its first shape.

    Parameters
    ----------
    shape : GeoJSON Polygon or MultiPolygon, or a Point with `radius_m` (20 m to 50 km);
        WGS-84, lon before lat.
    grace_s : seconds outside after which the off-post rule speaks; None for the policy's.
    buffer_m : metres beyond the edge that still count as the edge; None for the policy's.
    valid_from_at : the start of today in the post's zone when left out, so that today's
        shift may be assigned to it.

    Returns
    -------
    The post's id.

    Raises
    ------
    InvalidInput : a code of `geo.geofence.REFUSALS` with the place in `fields`,
        `unknown_zone`, `name_missing`, `name_too_long`, `bad_grace`, `bad_buffer`.
    Conflict : `post_name_taken` in this unit.
    """
    place = clean_name(name)
    zone_of(zone)
    _require_free_name(session, tenant_id=tenant_id, unit_id=unit_id, name=place)
    post = Post(
        tenant_id=tenant_id, id=new_id(), unit_id=unit_id, name=place, address=address, zone=zone
    )
    if valid_from_at is None:
        valid_from_at = day_bounds(local_date(clock.now(), zone), zone)[0]
    version = _version(
        post,
        number=1,
        shape=shape,
        grace_s=grace_s,
        buffer_m=buffer_m,
        valid_from_at=valid_from_at,
        actor_id=actor_id,
    )
    session.add(post)
    session.flush()
    session.add(version)
    session.flush()
    return post.id


def rename_post(
    session: Session, *, tenant_id: int, post_id: UUID, name: str, address: str | None = None
) -> None:
    """Give a post another name and address; it stays the same post, in the past too.

    Raises
    ------
    NotFound : `post_not_found`.
    InvalidInput : `name_missing`, `name_too_long`.
    Conflict : `post_name_taken` in its unit.
    """
    post = store.load_post(session, tenant_id=tenant_id, post_id=post_id, lock=True)
    place = clean_name(name)
    if place != post.name:
        _require_free_name(session, tenant_id=tenant_id, unit_id=post.unit_id, name=place)
    post.name, post.address = place, address
    session.flush()


def reshape_post(
    session: Session,
    clock: Clock,
    *,
    tenant_id: int,
    post_id: UUID,
    shape: object,
    grace_s: int | None = None,
    buffer_m: float | None = None,
    valid_from_at: datetime | None = None,
    actor_id: UUID | None = None,
    note: str | None = None,
    trial: Mapping[str, Any] | None = None,
) -> int:
    """Give a post a new shape from an instant on; earlier events keep the earlier shape.

    Parameters
    ----------
    valid_from_at : now when left out; may lie in the past, but after the newest version's.
    note, trial : why, and what a what-if had shown before; they stay with the version.

    Returns
    -------
    The version's number. Days since `valid_from_at` with this post are judged again.

    Raises
    ------
    NotFound : `post_not_found`.
    InvalidInput : as `create_post`.
    Conflict : `version_not_after_latest`.
    """
    post = store.load_post(session, tenant_id=tenant_id, post_id=post_id, lock=True)
    from_at = valid_from_at or clock.now()
    number, newest_at = session.execute(
        select(PostVersion.version, PostVersion.valid_from_at)
        .where(PostVersion.tenant_id == tenant_id, PostVersion.post_id == post_id)
        .order_by(PostVersion.version.desc())
        .limit(1)
    ).one()
    if from_at <= newest_at:
        raise Conflict("version_not_after_latest", f"the newest shape holds from {newest_at}")
    version = _version(
        post,
        number=number + 1,
        shape=shape,
        grace_s=grace_s,
        buffer_m=buffer_m,
        valid_from_at=from_at,
        actor_id=actor_id,
        note=note,
        trial=trial,
    )
    session.add(version)
    session.flush()
    days = store.affected_days(
        session,
        tenant_id=tenant_id,
        start_at=from_at,
        end_at=max(clock.now(), from_at),
        post_id=post_id,
    )
    store.note_duty_change(session, tenant_id=tenant_id, days=days)
    return version.version


def close_post(
    session: Session, clock: Clock, *, tenant_id: int, post_id: UUID, on: date | None = None
) -> None:
    """Close a post from a local date on; past days keep it.

    Raises
    ------
    NotFound : `post_not_found`.
    Conflict : `post_rostered` while somebody is assigned to it on or after that date.
    """
    post = store.load_post(session, tenant_id=tenant_id, post_id=post_id, lock=True)
    closed_on = on or local_date(clock.now(), post.zone)
    still = session.scalar(
        select(func.count()).where(
            RosterEntry.tenant_id == tenant_id,
            RosterEntry.post_id == post_id,
            RosterEntry.on_date >= closed_on,
            RosterEntry.cancelled_at.is_(None),
        )
    )
    if still:
        raise Conflict("post_rostered", f"{still} assignments on or after {closed_on}")
    post.closed_on = closed_on
    session.flush()


def check_shape(shape: object) -> Geofence:
    """Return the geofence a GeoJSON shape stands for, or say why it cannot be one.

    Raises
    ------
    InvalidInput : a code of `geo.geofence.REFUSALS`; `fields` has `shape` and, when there
        is one place to show, `lon` and `lat`.
    """
    try:
        return Geofence.from_geojson(shape)
    except GeofenceError as error:
        fields = {"shape": error.code}
        if error.point is not None:
            fields |= {"lon": str(error.point[0]), "lat": str(error.point[1])}
        raise InvalidInput(error.code, error.detail, fields=fields) from error


def check_limits(*, grace_s: int | None, buffer_m: float | None) -> None:
    """Refuse a limit or buffer that no post can have.

    Raises
    ------
    InvalidInput : `bad_grace`, `bad_buffer`.
    """
    if grace_s is not None and not 0 <= grace_s <= 86_400:
        raise InvalidInput("bad_grace", fields={"grace_s": "bad_grace"})
    if buffer_m is not None and not 0 <= buffer_m <= 10_000:
        raise InvalidInput("bad_buffer", fields={"buffer_m": "bad_buffer"})


def _require_free_name(session: Session, *, tenant_id: int, unit_id: UUID, name: str) -> None:
    taken = select(Post.id).where(
        Post.tenant_id == tenant_id, Post.unit_id == unit_id, Post.name == name
    )
    if session.scalar(taken) is not None:
        raise Conflict("post_name_taken", fields={"name": "post_name_taken"})


def _version(
    post: Post,
    *,
    number: int,
    shape: object,
    grace_s: int | None,
    buffer_m: float | None,
    valid_from_at: datetime,
    actor_id: UUID | None,
    note: str | None = None,
    trial: Mapping[str, Any] | None = None,
) -> PostVersion:
    check_limits(grace_s=grace_s, buffer_m=buffer_m)
    fence = check_shape(shape)
    return PostVersion(
        tenant_id=post.tenant_id,
        id=new_id(),
        post_id=post.id,
        version=number,
        valid_from_at=valid_from_at,
        shape=shape_to_column(fence.geometry),
        radius_m=fence.radius_m,
        grace_s=grace_s,
        buffer_m=buffer_m,
        note=note,
        trial=None if trial is None else dict(trial),
        created_by=actor_id,
    )
