"""Geofences of posts and when each held; public through `server.posts.queries`."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from geoalchemy2 import WKBElement
from sqlalchemy import select
from sqlalchemy.orm import Session

from geo.geofence import Geofence
from server.posts import store
from server.posts.models import PostVersion


@dataclass(frozen=True, slots=True, kw_only=True)
class FenceVersion:
    """A post's geofence as it held from an instant until the next version's.

    Attributes
    ----------
    valid_from_at, valid_until_at : half-open; no end on the newest.
    grace_s : seconds outside after which this post's rule speaks; None for the policy's.
    buffer_m : metres beyond the edge that still count as the edge; None for the policy's.
    note, trial : why it was saved, and what a what-if had shown before.
    """

    post_id: UUID
    version_id: UUID
    version: int
    valid_from_at: datetime
    valid_until_at: datetime | None
    geofence: Geofence
    grace_s: int | None
    buffer_m: float | None
    note: str | None = None
    trial: Mapping[str, Any] | None = None


def fence_at(
    session: Session, post_id: UUID, at: datetime, *, tenant_id: int | None = None
) -> FenceVersion | None:
    """Return a post's fence as it held at an instant; None before its first version.

    Parameters
    ----------
    tenant_id : spares a role that sees all tenants the search through them.
    """
    versions = _versions(session, [post_id], tenant_ids=None if tenant_id is None else [tenant_id])
    holding = [v for v in versions if v.valid_from_at <= at]
    return holding[-1] if holding else None


def fences_between(
    session: Session,
    post_ids: Collection[UUID],
    *,
    tenant_id: int,
    start_at: datetime,
    end_at: datetime,
) -> dict[UUID, list[FenceVersion]]:
    """Return the versions of posts that held at some time of a span, in time order."""
    found: dict[UUID, list[FenceVersion]] = defaultdict(list)
    for version in _versions(session, post_ids, tenant_ids=[tenant_id]):
        if version.valid_from_at < end_at and (
            version.valid_until_at is None or version.valid_until_at > start_at
        ):
            found[version.post_id].append(version)
    return dict(found)


def fence_histories(
    session: Session, *, tenant_ids: Collection[int], post_ids: Collection[UUID]
) -> dict[UUID, list[FenceVersion]]:
    """Return all versions of posts, oldest first, by post. One statement."""
    found: dict[UUID, list[FenceVersion]] = defaultdict(list)
    for version in _versions(session, post_ids, tenant_ids=tenant_ids):
        found[version.post_id].append(version)
    return dict(found)


def post_history(session: Session, *, tenant_id: int, post_id: UUID) -> list[FenceVersion]:
    """Return every version of a post, oldest first."""
    return _versions(session, [post_id], tenant_ids=[tenant_id])


def _versions(
    session: Session, post_ids: Collection[UUID], *, tenant_ids: Collection[int] | None
) -> list[FenceVersion]:
    if not post_ids:
        return []
    query = (
        select(PostVersion)
        .where(PostVersion.post_id.in_(post_ids))
        .order_by(PostVersion.post_id, PostVersion.valid_from_at)
    )
    if tenant_ids is not None:
        query = query.where(PostVersion.tenant_id.in_(tenant_ids))
    rows: Sequence[PostVersion] = session.scalars(query).all()
    following = [*rows[1:], None]
    return [
        FenceVersion(
            post_id=row.post_id,
            version_id=row.id,
            version=row.version,
            valid_from_at=row.valid_from_at,
            valid_until_at=(
                after.valid_from_at if after is not None and after.post_id == row.post_id else None
            ),
            geofence=prepared(row.id, row.shape.desc, row.radius_m),
            grace_s=row.grace_s,
            buffer_m=row.buffer_m,
            note=row.note,
            trial=row.trial,
        )
        for row, after in zip(rows, following, strict=True)
    ]


@lru_cache(maxsize=4096)
def prepared(version_id: UUID, shape_hex: str, radius_m: float | None) -> Geofence:
    """Prepare a fence once: versions are never edited, so their id is a safe key."""
    del version_id
    return store.to_geofence(WKBElement(shape_hex, extended=True), radius_m)
