"""From what a form or a command says to what is tried, checked as if it were saved."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from geo.errors import GeofenceError
from geo.geofence import Geofence
from server.errors import InvalidInput
from server.posts.queries import PolicyKind, PostView, in_force, policy_versions
from server.posts.services import check_limits
from server.posts.thresholds import changed, check_thresholds
from server.tracking.what_if_rules import FamilyTrial, PostTrial


def family_trial(
    session: Session, *, tenant_id: int, kind: PolicyKind, values: Mapping[str, Any], now: datetime
) -> FamilyTrial:
    """Return one family as it would be saved.

    Parameters
    ----------
    values : thresholds by name; those not named are the defaults.

    Raises
    ------
    InvalidInput : as `server.posts.policies.set_policy`.
    """
    params = changed(kind, values)
    check_thresholds(kind, params)
    versions = policy_versions(session, tenant_id=tenant_id, kinds=[kind])
    present = in_force(versions, at=now)
    return FamilyTrial(
        kind=kind,
        params=params,
        before=changed(kind, present.params) if present else {},
        based_on=versions[0].version if versions else 0,
    )


def post_trial(
    post: PostView, *, radius_m: float | None, grace_s: int | None, buffer_m: float | None
) -> PostTrial:
    """Return one post with another radius, limit or buffer.

    Parameters
    ----------
    post : as it is now, found in the asker's scope.
    radius_m : None keeps the shape.

    Raises
    ------
    InvalidInput : `no_shape`, `no_circle`, `radius_out_of_range`, `bad_grace`, `bad_buffer`.
    """
    if post.shape is None or post.version is None:
        raise InvalidInput("no_shape")
    present = post.shape.get("radius_m")
    if radius_m is not None:
        if present is None:
            raise InvalidInput("no_circle", fields={"radius_m": "no_circle"})
        try:
            Geofence.from_geojson({**post.shape, "radius_m": radius_m})
        except GeofenceError as error:
            raise InvalidInput(error.code, fields={"radius_m": error.code}) from error
    check_limits(grace_s=grace_s, buffer_m=buffer_m)
    return PostTrial(
        post_id=post.id,
        name=post.name,
        radius_m=present if radius_m is None else radius_m,
        grace_s=grace_s,
        buffer_m=buffer_m,
        before={"radius_m": present, "grace_s": post.grace_s, "buffer_m": post.buffer_m},
        based_on=post.version,
    )
